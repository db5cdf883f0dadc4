"""The first run: the repository's own routes.yaml, no account, no environment."""
import json
import re
import signal
import subprocess

import httpx
import pytest
from conftest import HERE, Program, free_port, wait_until
from raw_http import RawClient, events_of, finish_reasons, request_bytes

REPOSITORY = HERE.parents[1]
ENGINE_PORTS = [8080, 11434, 8000]
BODY = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}


class FirstRun(Program):
  """`serve` in the repository's folder. Should a local engine listen on its usual port, another port stands for it."""

  def __init__(self, binary, folder):
    super().__init__("first-run", folder)
    self.port, self.admin_port = free_port(), free_port()
    self.data = folder / "data"
    routes = "routes.yaml"
    text = (REPOSITORY / routes).read_text()
    for port in ENGINE_PORTS:
      if is_taken(port):
        routes = folder / "routes.yaml"
        text = text.replace(f"127.0.0.1:{port}/", f"127.0.0.1:{free_port()}/")
        routes.write_text(text)
    self.launch([
      binary, "serve", "--config", routes, "--data", self.data, "--listen", f"127.0.0.1:{self.port}",
      "--admin", f"127.0.0.1:{self.admin_port}", "--grace", "20"], environment={}, folder=REPOSITORY)
    self.await_answer(f"http://127.0.0.1:{self.port}/readyz", 20)
    wait_until(lambda: "curl" in self.printed, "it prints no curl line", 10)

  @property
  def printed(self):
    return self.log.read_text()


def is_taken(port):
  try:
    httpx.get(f"http://127.0.0.1:{port}/", timeout=2, trust_env=False)
    return True
  except httpx.ConnectError:
    return False
  except httpx.TransportError:
    return True


def refuses(port):
  try:
    RawClient(port).socket.close()
    return False
  except ConnectionRefusedError:
    return True
  except ConnectionResetError:
    # The listener closed between the kernel's handshake and the router's last look: the next try is refused.
    return False


@pytest.fixture
def first_run(binary, tmp_path):
  program = FirstRun(binary, tmp_path)
  try:
    yield program
  finally:
    program.stop()


def test_it_says_where_it_is_and_that_very_curl_line_streams_simulated_tokens(first_run):
  printed = first_run.printed
  assert f"http://127.0.0.1:{first_run.port}/v1\n" in printed
  assert re.search(rf"metrics +http://127\.0\.0\.1:{first_run.admin_port}/metrics\n", printed, re.IGNORECASE)
  assert "simulated" in printed and "OPENROUTER_API_KEY" in printed
  assert f"(pointsman usage --data {first_run.data})" in printed, "the hint must lead to this very ledger"
  [line] = [line.strip() for line in printed.splitlines() if line.strip().startswith("curl ")]

  answer = subprocess.run(["sh", "-c", line], capture_output=True, timeout=30)
  assert answer.returncode == 0, answer.stderr
  events = events_of(answer.stdout)
  assert events[-1] == "[DONE]" and finish_reasons(events) == ["stop"]
  chunks = [json.loads(event) for event in events[:-1]]
  assert len(chunks) > 10
  assert all(chunk["provider"].endswith(" (simulated)") for chunk in chunks)
  text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
  assert "simulated" in text
  assert chunks[-1]["usage"]["completion_tokens"] > 10

  assert httpx.get(f"http://127.0.0.1:{first_run.admin_port}/", trust_env=False).status_code == 200


def test_it_says_how_it_is(first_run):
  with httpx.Client(base_url=f"http://127.0.0.1:{first_run.port}", trust_env=False) as client:
    assert client.get("/livez").text == "live\n"
    assert client.get("/readyz").text == "ready\n"
    models = client.get("/v1/models").json()["data"]
    assert {"chat", "simulated/story"} <= {model["id"] for model in models}
    assert client.get("/v1/models/simulated/story").json() == client.get("/v1/models/simulated%2Fstory").json()
    assert client.get("/api/v1/models").json()["data"] == models


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_a_running_stream_end_and_exits_with_0(first_run, stop):
  with RawClient(first_run.port) as client, RawClient(first_run.port) as idle:
    idle.send(request_bytes("/livez", method="GET"))
    assert idle.read_answer().status == 200
    client.send(request_bytes(body=BODY))
    status, fields = client.read_head()
    assert status == 200
    first_run.process.send_signal(stop)
    assert idle.is_closed(), "nobody waits for what idles"
    wait_until(lambda: refuses(first_run.port), "it still accepts", 2)
    assert first_run.running
    events = events_of(client.read_body(fields))
    assert events[-1] == "[DONE]" and finish_reasons(events) == ["stop"]
    assert client.is_closed()
  assert first_run.process.wait(5) == 0
  assert "CancellationError" not in first_run.printed and " error " not in first_run.printed


def test_a_router_with_nothing_to_serve_shows_no_line_to_try(start_router):
  router = start_router({"providers": {}})
  wait_until(lambda: "Ledger" in router.log.read_text(), "it prints no banner", 10)
  assert "Try it" not in router.log.read_text() and "curl" not in router.log.read_text()


def test_a_second_stop_ends_a_running_stream_with_an_honest_error(first_run):
  with RawClient(first_run.port) as client:
    client.send(request_bytes(body=BODY))
    status, fields = client.read_head()
    first_run.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in first_run.printed, "it does not say that it stops", 5, every=0.005)
    first_run.process.send_signal(signal.SIGTERM)
    events = events_of(client.read_body(fields))
  assert "[DONE]" not in events and finish_reasons(events) == ["error"]
  assert first_run.process.wait(5) == 0


def test_a_taken_port_is_said_and_is_1(first_run, binary, tmp_path):
  answer = subprocess.run(
    [binary, "serve", "--config", REPOSITORY / "routes.yaml", "--data", tmp_path / "other", "--listen",
     f"127.0.0.1:{first_run.port}", "--admin", "127.0.0.1:0"], capture_output=True, text=True, timeout=10, env={})
  assert answer.returncode == 1
  assert answer.stderr == f"pointsman: cannot listen on 127.0.0.1:{first_run.port} (--listen): Address already in use\n"


def test_a_taken_admin_port_is_said_before_anything_is_served(first_run, binary, tmp_path):
  answer = subprocess.run(
    [binary, "serve", "--config", REPOSITORY / "routes.yaml", "--data", tmp_path / "other", "--listen",
     "127.0.0.1:0", "--admin", f"127.0.0.1:{first_run.admin_port}"], capture_output=True, text=True, timeout=10, env={})
  assert answer.returncode == 1
  assert answer.stderr == (
    f"pointsman: cannot listen on 127.0.0.1:{first_run.admin_port} (--admin): Address already in use\n")


def test_a_data_directory_that_cannot_be_is_said_in_the_systems_words(binary, tmp_path):
  (tmp_path / "file").touch()
  for place, reason in [(tmp_path / "file", "Not a directory"), (tmp_path / "file" / "data", "Not a directory"),
                        ("/proc/pointsman", "No such file or directory")]:
    answer = subprocess.run(
      [binary, "serve", "--config", REPOSITORY / "routes.yaml", "--data", place, "--listen", "127.0.0.1:0", "--admin",
       "127.0.0.1:0"], capture_output=True, text=True, timeout=10, env={})
    assert answer.returncode == 1
    assert answer.stderr == f"pointsman: the data directory {place} cannot be used: {reason}\n"
