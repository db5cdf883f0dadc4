"""What a reading of the whole code found: one test for each thing that was wrong."""
import contextlib
import json
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from conftest import wait_until
from raw_http import RawClient, ask, content_pieces, request_bytes

CHAT = "/v1/chat/completions"
PRICE = {"input": 1, "output": 1}
USAGE = {"prompt_tokens": 3, "completion_tokens": 1}
DONE = b"data: [DONE]\n\n"


def event(delta=None, finish=None, **more):
  return b"data: " + json.dumps(
    {"id": "x", "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}]} | more).encode() + b"\n\n"


TEXT, FINISH, COUNTS = event({"content": "hi"}), event(finish="stop"), event(choices=[], usage=USAGE)
START = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = {"id": "x", "usage": USAGE, "choices": [
  {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}


def chunk(data):
  return b"%x\r\n" % len(data) + data + b"\r\n"


def stream(*events):
  return START + b"".join(map(chunk, events)) + b"0\r\n\r\n"


def whole(body=WHOLE, status="200 OK", blank=""):
  data = json.dumps(body).encode()
  head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}{blank}\r\n\r\n"
  return head.encode() + data


class Provider:
  """A socket of which every request is answered by a function: it gets the connection, the head and a reader of the
  body, and sends what it likes."""

  def __init__(self, answer, tls=None):
    self.answer, self.tls = answer, tls
    self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    self.port = self.listener.getsockname()[1]
    self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"
    self.over = threading.Event()
    threading.Thread(target=self.accept, daemon=True).start()

  def accept(self):
    while not self.over.is_set():
      try:
        connection, _ = self.listener.accept()
      except OSError:
        return
      threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

  def serve(self, connection):
    try:
      if self.tls:
        connection = self.tls.wrap_socket(connection, server_side=True)
      with connection, connection.makefile("rb") as reader:
        while head := b"".join(iter(reader.readline, b"\r\n")):
          length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                         if line.lower().startswith(b"content-length:")), 0)
          self.answer(connection, head, reader, length)
    except OSError:
      pass

  def stop(self):
    self.over.set()
    self.listener.close()


@pytest.fixture
def start_provider():
  started = []

  def start(answer, **more):
    started.append(Provider(answer, **more))
    return started[-1]

  yield start
  for provider in started:
    provider.stop()


def sends(data, later=None, after=0.0):
  """Reads the request, sends these bytes, and others a while later."""
  def answer(connection, _, reader, length):
    reader.read(length)
    connection.sendall(data)
    if later:
      time.sleep(after)
      connection.sendall(later)
  return answer


def routes(*urls, **more):
  """A route that tries these providers in this order."""
  names = [f"p{place}" for place in range(len(urls))]
  return {
    "providers": {name: {"base_url": url} for name, url in zip(names, urls)},
    "models": {"m": {"endpoints": [{"provider": name, "model": "x", "price": PRICE} for name in names]}},
    "routes": {"chat": {"models": ["m"], "policy": {"order": names}}},
  } | more


def body(**more):
  return {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]} | more


def chat(router, **more):
  return ask(router.port, CHAT, body(**more))


def rows_of(router, answer, count=1):
  return router.ledger_rows(count, where=lambda row: row["generation_id"] == answer.field("x-generation-id"))


def test_an_upload_that_goes_on_behind_its_answer_is_not_given_the_next_request(start_provider, start_router):
  """The provider answers before it has read the request, and reads on while the client sends another one."""
  seen, go, over = [], threading.Event(), threading.Event()

  def answer(connection, _, reader, length):
    if seen:
      # The router holds the second request's body for as long as nobody takes it.
      over.wait(15)
      reader.read(length)
      return connection.sendall(whole({"error": {"message": "no"}}, "503 No"))
    seen.append(0)
    # What the router can send without being read is in the sockets' buffers by then: half of it at most.
    time.sleep(0.5)
    connection.sendall(START + chunk(TEXT) + chunk(event(finish="stop", usage=USAGE)) + chunk(DONE))
    go.wait(10)
    connection.settimeout(3)
    try:
      while part := reader.read1(1 << 20):
        seen[0] += part.count(b"B")
    except OSError:
      pass
    over.set()

  def long(letter):
    start, end = b'{"model":"chat","stream":true,"messages":[{"role":"user","content":"', b'"}]}'
    return request_bytes(CHAT, body=start + letter * (8 << 20) + end)

  provider = start_provider(answer)
  provider.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
  router = start_router(routes(provider.url))
  with RawClient(router.port) as client:
    client.send(long(b"A"))
    assert content_pieces(client.read_answer().events) == ["hi"]
    client.send(long(b"B"))
    go.set()
    assert over.wait(15)
    client.read_answer()
  assert seen == [0], "bytes of another request reached a provider that it was not sent to"


def test_ten_thousand_endpoints_without_an_address_are_an_error(start_router):
  table = routes("http://nowhere.invalid/v1")
  table["models"]["m"]["endpoints"] = [{"provider": "p0", "model": f"x{n}", "price": PRICE} for n in range(10_000)]
  router = start_router(table)
  for _ in range(2):
    answer = chat(router)
    assert answer.status == 502 and len(answer.body) < 8192
    assert len(answer.json()["error"]["metadata"]["previous_errors"]) == 16
  assert router.running


def test_the_last_attempt_is_final_also_when_the_next_has_no_address(start_provider, start_router):
  failing = start_provider(sends(whole({}, "503 No")))
  router = start_router(routes(failing.url, "http://nowhere.invalid/v1"))
  answer = chat(router)
  assert answer.status == 502
  assert [error["code"] for error in answer.json()["error"]["metadata"]["previous_errors"]] == [
    "overloaded", "overloaded", "connect"]
  assert [(row["outcome"], row["reason"], row["final"]) for row in rows_of(router, answer, 2)] == [
    ("failed", "first", False), ("failed", "retry", True)]


def test_one_without_an_address_is_passed_over(start_provider, start_router):
  failing, sound = start_provider(sends(whole({}, "503 No"))), start_provider(sends(whole()))
  router = start_router(routes(failing.url, "http://nowhere.invalid/v1", sound.url))
  answer = chat(router)
  assert answer.status == 200
  assert [(row["outcome"], row["final"]) for row in rows_of(router, answer, 3)] == [
    ("failed", False), ("failed", False), ("completed", True)]


def test_a_request_that_is_whole_only_after_the_stop_does_not_hold_it_up(start_provider, start_router):
  never = threading.Event()

  def answer(connection, _, reader, length):
    if b'"stream"' in reader.read(length):
      # Its connection is kept open behind the answer.
      connection.sendall(START + chunk(TEXT) + chunk(event(finish="stop", usage=USAGE)) + chunk(DONE))
    never.wait(60)

  router = start_router(routes(start_provider(answer).url))
  late = request_bytes(CHAT, body=body())
  with contextlib.ExitStack() as stack:
    # So many that each loop has some of each.
    waiting = [stack.enter_context(RawClient(router.port)) for _ in range(12)]
    running = stack.enter_context(RawClient(router.port))
    for client in waiting:
      client.send(late[:-1])
    running.send(request_bytes(CHAT, body=body()))
    for _ in range(12):
      assert content_pieces(chat(router, stream=True).events) == ["hi"]
    router.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in router.log.read_text(), router.log_end, 5)
    # The second one ends the grace.
    router.process.send_signal(signal.SIGTERM)
    answer = running.read_answer()
    assert (answer.status, answer.json()["error"]["code"]) == (503, "unavailable")
    for client in waiting:
      with contextlib.suppress(OSError):
        client.send(late[-1:])
    assert router.process.wait(5) == 0
  never.set()


def test_a_usage_of_several_lines_stays_within_its_event(start_provider, start_router):
  counts = b'data: {"choices":[],"usage":{"prompt_tokens":3,\ndata: "completion_tokens":1}}\n\n'
  router = start_router(routes(start_provider(sends(stream(TEXT, FINISH, counts, DONE))).url))
  for more in {}, {"stream_options": {"include_usage": True}}:
    answer = chat(router, stream=True, **more)
    lines = [line for line in answer.body.decode().split("\n") if line]
    assert all(line.startswith("data: ") for line in lines), lines
    assert any('"completion_tokens":1' in line for line in lines)


@pytest.mark.parametrize("streams_usage_itself", [False, True])
def test_a_usage_long_after_the_end_reaches_the_ledger(start_provider, start_router, streams_usage_itself):
  late = chunk(COUNTS) + b"0\r\n\r\n"
  provider = start_provider(sends(START + chunk(TEXT) + chunk(FINISH) + chunk(DONE), late, after=1.2))
  router = start_router(routes(provider.url))
  began = time.monotonic()
  answer = chat(router, stream=True, **({"stream_options": {"include_usage": True}} if streams_usage_itself else {}))
  assert time.monotonic() - began < 1, "the client waited for it"
  assert content_pieces(answer.events) == ["hi"]
  wait_until(lambda: rows_of(router, answer)[0]["input_tokens"] is not None, "no usage in the ledger", 5)
  [row] = rows_of(router, answer)
  assert (row["outcome"], row["final"], row["input_tokens"], row["output_tokens"]) == ("completed", True, 3, 1)
  assert (row["output_source"], row["flags"], row["cost_nanousd"]) == ("provider", ["usage_late"], 4000)


ERRORS = {
  "rate": ({"code": 429, "message": "slow down"}, "rate_limited", True, 429),
  "rate-word": ({"type": "rate_limit_error", "message": "slow down"}, "rate_limited", True, 429),
  "key": ({"code": "invalid_api_key", "message": "no"}, "provider_auth", True, 502),
  "quota": ({"code": "insufficient_quota", "type": "invalid_request_error"}, "provider_spent", True, 502),
  "context": ({"code": 400, "message": "maximum context length is 10"}, "context_length", False, 400),
  "context-word": ({"code": "context_length_exceeded", "message": "too long"}, "context_length", False, 400),
  "unknown": ({"message": "it broke"}, "error_event", True, 502),
  "server": ({"code": 500, "message": "it broke"}, "error_event", True, 502),
}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_inside_an_answer_means_what_its_status_would(start_provider, start_router, name, streamed):
  said, failure, falls_back, status = ERRORS[name]
  provider = start_provider(sends(
    stream(b"data: " + json.dumps({"error": said}).encode() + b"\n\n") if streamed else whole({"error": said})))
  sound = start_provider(sends(stream(TEXT, FINISH, COUNTS, DONE) if streamed else whole()))
  router = start_router(routes(provider.url, sound.url))
  answer = chat(router, stream=streamed)
  rows = rows_of(router, answer, 2 if falls_back else 1)
  assert rows[0]["failure"] == failure
  assert answer.status == (200 if falls_back else status)
  alone = start_router(routes(provider.url), "alone")
  assert chat(alone, stream=streamed).status == status


def test_an_account_without_money_is_the_providers_failure_whatever_its_status(start_provider, start_router):
  said = {"error": {"message": "Your credit balance is too low", "type": "invalid_request_error",
                    "code": "insufficient_quota"}}
  router = start_router(routes(
    start_provider(sends(whole(said, "400 Bad Request"))).url, start_provider(sends(whole())).url))
  answer = chat(router)
  assert answer.status == 200
  assert [row["failure"] for row in rows_of(router, answer, 2)] == ["provider_spent", "none"]


def test_a_list_is_read_from_a_provider_with_an_authority_of_its_own(tmp_path, start_provider, start_router):
  certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
  subprocess.run([
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
    "/CN=provider", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
    check=True, capture_output=True, timeout=60)
  context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
  context.load_cert_chain(certificate, key)

  def answer(connection, head, reader, length):
    reader.read(length)
    connection.sendall(whole({"data": [{"id": "listed"}]} if head.startswith(b"GET") else WHOLE))

  provider = start_provider(answer, tls=context)
  router = start_router({
    "providers": {"own": {"base_url": provider.url, "discover": True, "tls": {"ca_file": str(certificate)}}},
    "routes": {"chat": {"models": ["own/*"]}}})
  listed = [model["id"] for model in ask(router.port, "/v1/models", method="GET").json()["data"]]
  assert "own/listed" in listed
  assert chat(router).status == 200


def test_every_answer_of_the_api_has_an_id(start_provider, start_router):
  router = start_router(routes(start_provider(sends(whole())).url))
  answers = [
    chat(router), chat(router, messages=1), chat(router, model="nothing"), ask(router.port, CHAT, method="GET"),
    ask(router.port, "/v1/models", method="GET"), ask(router.port, "/v1/models/chat", method="GET"),
    ask(router.port, "/v1/models/nothing", method="GET"), ask(router.port, "/nothing", method="GET")]
  ids = [(answer.field("x-request-id"), answer.field("x-generation-id")) for answer in answers]
  assert len(set(ids)) == len(ids)
  for request_id, generation in ids:
    assert generation == "gen-" + request_id.replace("-", "")


def test_a_blank_behind_a_content_length_is_allowed(start_provider, start_router):
  router = start_router(routes(start_provider(sends(whole(blank=" \t"))).url))
  assert chat(router).status == 200


def test_a_page_of_an_allowed_origin_may_ask_for_the_models(start_router):
  origin = "https://app.example"
  router = start_router(routes("http://127.0.0.1:9/v1", listeners={"public": {"origins": [origin]}}))
  fields = [("Origin", origin), ("Access-Control-Request-Method", "GET")]
  answer = ask(router.port, "/v1/models", method="OPTIONS", fields=fields)
  assert answer.status == 200
  assert answer.field("access-control-allow-origin") == origin
  assert "GET" in answer.field("access-control-allow-methods")
  assert "authorization" in answer.field("access-control-allow-headers")
  foreign = ask(router.port, "/v1/models", method="OPTIONS", fields=[("Origin", "https://other.example")])
  assert foreign.status == 403


def test_an_address_of_version_6_that_is_allowed_may_be_called(start_router):
  hosts = {"hosts": ["[fd00::8]"]}
  router = start_router(routes("http://127.0.0.1:9/v1", listeners={"public": hosts, "admin": hosts}))
  for port in router.port, router.admin_port:
    for host, status in ("[fd00::8]", 200), (f"[fd00::8]:{port}", 200), ("[::1]", 200), ("[fd00::9]", 421):
      assert ask(port, "/livez", method="GET", fields=[("Host", host)]).status == status, host


def test_after_a_burst_no_connection_is_left(start_provider, start_router):
  """300 requests at once; the provider then ends every connection."""
  gate = threading.Event()

  def answer(connection, _, reader, length):
    reader.read(length)
    gate.wait(30)
    connection.sendall(whole())
    connection.settimeout(1)

  provider = start_provider(answer)
  router = start_router(routes(provider.url))

  def connections():
    with open("/proc/net/tcp") as table:
      return sum(line.split()[2].endswith(f":{provider.port:04X}") for line in list(table)[1:]
                 if line.split()[3] in ("01", "08"))

  with_each = [RawClient(router.port, timeout=60) for _ in range(300)]
  for client in with_each:
    client.send(request_bytes(CHAT, body=body()))
  wait_until(lambda: connections() >= 300, "300 transfers did not begin", 30)
  gate.set()
  for client in with_each:
    assert client.read_answer().status == 200
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    client.__exit__()
  wait_until(lambda: connections() == 0, lambda: f"{connections()} connections are left", 62, every=0.5)
