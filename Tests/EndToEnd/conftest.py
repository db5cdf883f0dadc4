"""What the end-to-end tests run against: the built router, real engines and the simulator.

Everything here listens on loopback only, and whatever a test starts ends with it: each program is stopped by its own
process id, and the kernel ends it too should the test run itself be killed.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import openai
import pytest

HERE = Path(__file__).resolve().parent
ENGINE_KEY = "sk-engine"


def wait_until(condition, what, seconds=30.0, every=0.02):
  """Asks again and again until the answer is true, and returns it; fails when time is up."""
  end = time.monotonic() + seconds
  while not (answer := condition()):
    if time.monotonic() > end:
      pytest.fail(f"waited {seconds:.0f} s in vain: {what() if callable(what) else what}", pytrace=True)
    time.sleep(every)
  return answer


def free_port():
  """A port of 127.0.0.1 on which nobody listens now."""
  with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    return probe.getsockname()[1]


def client_of(url, key="none", **options):
  """The official client, as an app has it, except that it never tries again: every failure must show."""
  return openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=60, **options)


class Program:
  """A program in the background, its output in a log file."""

  def __init__(self, name, folder):
    self.log = Path(folder) / f"{name}.log"
    self.process = None

  @property
  def running(self):
    return self.process is not None and self.process.poll() is None

  def launch(self, command, environment=None, folder=None):
    assert not self.running, "it runs already"
    guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    with open(self.log, "ab") as log:
      self.process = subprocess.Popen(
        [*guard, *map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
        cwd=folder)

  def await_answer(self, url, seconds):
    """Waits for a 200 from the URL; fails with the log's end when the program ends or time is up."""
    def answers():
      if not self.running:
        pytest.fail(f"{self.log.stem} ended with status {self.process.returncode}:\n{self.log_end()}")
      with contextlib.suppress(httpx.TransportError):
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    wait_until(answers, lambda: f"no 200 from {url}; its log ends:\n{self.log_end()}", seconds)

  def log_end(self, lines=30):
    return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

  def kill(self):
    """SIGKILL: no chance to say goodbye to anyone."""
    if self.running:
      self.process.send_signal(signal.SIGKILL)
      self.process.wait()

  def stop(self, seconds=10):
    """SIGTERM, and SIGKILL after a while. The exit status, or None if it had to be killed."""
    if self.running:
      self.process.send_signal(signal.SIGTERM)
      try:
        return self.process.wait(seconds)
      except subprocess.TimeoutExpired:
        self.kill()
        return None
    return self.process.returncode if self.process else None


class Router(Program):
  """`pointsman serve` with a routes file and a data directory of its own."""

  def __init__(self, binary, folder, routes=None, name="router"):
    super().__init__(name, folder)
    self.binary = binary
    self.routes_file = Path(folder) / f"{name}.yaml"
    self.data = Path(folder) / f"{name}-data"
    self.port, self.admin_port = free_port(), free_port()
    self.url = f"http://127.0.0.1:{self.port}/v1"
    self.admin_url = f"http://127.0.0.1:{self.admin_port}"
    if routes is not None:
      self.write_routes(routes)

  def write_routes(self, routes):
    """JSON is YAML too, and needs no library here."""
    self.routes_file.write_text(json.dumps(routes, indent=2))

  def start(self):
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    self.launch([
      self.binary, "serve", "--config", self.routes_file, "--data", self.data,
      "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin_port}",
    ], kept | {"POINTSMAN_TEST_ENGINE_KEY": ENGINE_KEY})
    self.await_answer(f"http://127.0.0.1:{self.port}/readyz", 20)
    return self

  def client(self, **options):
    return client_of(self.url, **options)

  def usage_rows(self):
    """The ledger's rows as they are now."""
    command = [self.binary, "usage", "--config", self.routes_file, "--data", self.data, "--json", "--rows"]
    answer = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, f"{' '.join(map(str, command))}: {answer.stderr}"
    return json.loads(answer.stdout)

  def ledger_rows(self, at_least=1, seconds=15, where=lambda row: True, completions=0):
    """The ledger's rows, oldest first, once at least so many of them are there, the last ones of at least so many
    completions among them, and every attempt is settled."""
    rows = []

    def settled():
      nonlocal rows
      rows = sorted(filter(where, self.usage_rows()), key=lambda row: row["attempt_id"])
      return (len(rows) >= at_least and sum(row["final"] for row in rows) >= completions
              and all(row["outcome"] != "open" for row in rows))

    wait_until(settled, lambda: f"{len(rows)} rows, {sum(row['final'] for row in rows)} of them final, of {at_least} and "
               f"{completions}; the last: {rows[-3:]}", seconds, every=0.1)
    return rows


class Engine(Program):
  """llama.cpp's server with the tiny model; a model of more layers is slower."""

  def __init__(self, name, folder, layers=2, arguments=()):
    super().__init__(name, folder)
    self.port = free_port()
    self.url = f"http://127.0.0.1:{self.port}/v1"
    self.arguments = ["--layers", layers, "--api-key", ENGINE_KEY, *arguments]
    self.operator = httpx.Client(
      base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {ENGINE_KEY}"}, timeout=10,
      # An engine that was killed and started again knows nothing of kept connections.
      limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)

  def start(self):
    # The first start of all may have to compile the engine.
    self.launch([HERE / "engine", "run", self.port, *self.arguments])
    self.await_answer(f"http://127.0.0.1:{self.port}/health", 1800)
    return self

  def client(self, **options):
    return client_of(self.url, key=ENGINE_KEY, **options)

  def provider(self):
    """Itself, as a provider in a routes file."""
    return {"base_url": self.url, "api_key": "${POINTSMAN_TEST_ENGINE_KEY}"}

  def slots(self):
    """What each of its slots does, as llama.cpp tells it."""
    return self.operator.get("/slots").raise_for_status().json()

  def busy(self):
    return any(slot["is_processing"] for slot in self.slots())


class Simulator(Program):
  """`pointsman simulate`: providers whose fault is chosen by the model's name."""

  def __init__(self, binary, folder, name="simulator"):
    super().__init__(name, folder)
    self.binary = binary
    self.port = free_port()
    self.url = f"http://127.0.0.1:{self.port}/v1"
    self.attempts_file = Path(folder) / f"{name}-attempts.jsonl"

  def start(self):
    self.launch([self.binary, "simulate", "--listen", f"127.0.0.1:{self.port}", "--log", self.attempts_file])
    self.await_answer(f"{self.url}/models", 20)
    return self

  def provider(self):
    return {"base_url": self.url, "api_key": "sim"}

  def attempts(self):
    """Its own record of each attempt that it served, oldest first."""
    lines = self.attempts_file.read_text().splitlines() if self.attempts_file.exists() else []
    return [json.loads(line) for line in lines]


def route_to(endpoints, providers, model="tiny", route="chat", policy="default"):
  """A routes file with one model and one route to it. endpoints: (provider, provider's model name, USD per million)."""
  return {
    "providers": providers,
    "models": {model: {"endpoints": [
      {"provider": provider, "model": name, "price": {"input": price, "output": price}, "context": 100_000_000}
      for provider, name, price in endpoints]}},
    "routes": {route: {"models": [model], "policy": policy}},
  }


@pytest.fixture(scope="session")
def binary():
  """The router's executable: $POINTSMAN_BINARY, or the release build of this repository."""
  path = Path(os.environ.get("POINTSMAN_BINARY") or HERE.parents[1] / ".build/release/pointsman").absolute()
  if not os.access(path, os.X_OK):
    pytest.fail(f"there is no program {path}; build it (swift build -c release) or set POINTSMAN_BINARY", pytrace=False)
  return path


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
  return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def engines(run_folder):
  """Two engines for the whole run. A test that kills one starts it again."""
  with contextlib.ExitStack() as stack:
    pair = [Engine(f"engine-{name}", run_folder) for name in ("east", "west")]
    for engine in pair:
      stack.callback(engine.kill)
      engine.start()
    yield pair


@pytest.fixture(scope="session")
def simulator(binary, run_folder):
  simulator = Simulator(binary, run_folder)
  try:
    yield simulator.start()
  finally:
    simulator.stop()


@pytest.fixture
def start_router(binary, tmp_path):
  """start_router(routes) gives a running router, stopped when the test ends."""
  started = []

  def start(routes, name="router"):
    router = Router(binary, tmp_path, routes, name)
    started.append(router)
    return router.start()

  try:
    yield start
  finally:
    for router in started:
      router.stop()
