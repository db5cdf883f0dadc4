"""Providers that lie, leak and never end, and clients that do: what the router makes of them.

The provider here is a socket and a table: the model's name chooses the bytes that are sent.
"""
import gzip
import json
import socket
import struct
import threading
import time
import zlib

import pytest
from conftest import Router
from raw_http import RawClient, ask, content_pieces, finish_reasons, request_bytes

CHAT = "/v1/chat/completions"
# One that is known by its form, and one that is not.
KEYS = {"evil": "sk-CANARY-provider-key-123456789", "formless": "canary for:the provider"}


def chunk(data):
  return b"%x\r\n" % len(data) + data + b"\r\n"


def event(delta=None, finish=None, usage=None, **more):
  """A chat chunk as an event; a usage that is a text goes in as it stands."""
  body = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
          "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}]} | more
  if usage is not None:
    body["usage"] = usage if isinstance(usage, dict) else "@"
  data = json.dumps(body)
  return b"data: " + (data.replace('"@"', usage) if isinstance(usage, str) else data).encode() + b"\n\n"


def text(word):
  return event({"content": word})


def usage(tokens_in, tokens_out, **more):
  return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out} | more


def counts(said):
  """A chunk with nothing but a usage."""
  return event(usage=said, choices=[])


START = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ABC = [text("a"), text("b"), text("c")]
FINISH = event({}, "stop")
DONE = b"data: [DONE]\n\n"
GOOD = counts(usage(3, 3))
WHOLE = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": usage(3, 1),
         "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}


def stream(*events):
  return [START, *map(chunk, events), b"0\r\n\r\n"]


def answer_with(body, status="200 OK", fields=(), content_type="application/json", length=None):
  body = body if isinstance(body, bytes) else json.dumps(body).encode()
  lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {length or len(body)}", *fields]
  return ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]


def zipped(megabytes):
  """A gzip stream of a few bytes for each thousand that it stands for."""
  packer = zlib.compressobj(9, zlib.DEFLATED, 31)
  return packer.compress(b'{"error":{"message":"') + b"".join(
    packer.compress(b"a" * (1 << 20)) for _ in range(megabytes)) + packer.flush()


def refusing(key):
  """An error that repeats the key that was sent; at the end of 500 characters too, where messages are cut."""
  return {"error": {"message": f"Incorrect API key provided: {key}. " + "x " * 210 + key, "code": 401}}


def leaks(key):
  said = json.dumps(refusing(key)).encode()
  return {
    "400-key": answer_with(refusing(key), "400 Bad Request"),
    "401-key": answer_with(refusing(key), "401 Unauthorized"),
    "500-key": answer_with(f"upstream said: Bearer {key}".encode(), "500 Oops", content_type="text/plain"),
    "first-key": stream(b"data: " + said + b"\n\n"),
    "mid-key": stream(text("a"), b"data: " + said + b"\n\n"),
    "event-key": stream(text("a"), b'event: error\ndata: {"message":' + json.dumps(key).encode() + b"}\n\n"),
    "late-key": stream(*ABC, FINISH, b"data: " + said + b"\n\n", DONE),
    "200-key": answer_with(refusing(key)),
  }


LEAKS = list(leaks(""))
# usage of a stream of three pieces → the flags in the ledger. The request asks for 50 tokens at most.
LIES = {
  "none": (usage(3, 3), []),
  "bounds": (usage(20, 50), []),
  "output": (usage(3, 51), ["usage_beyond_bounds"]),
  "input": (usage(10_000, 3), ["usage_beyond_bounds"]),
  "cached": (usage(3, 3, prompt_tokens_details={"cached_tokens": 4}), ["usage_beyond_bounds"]),
  "written": (usage(3, 3, prompt_tokens_details={"cached_tokens": 2, "cache_write_tokens": 2}),
              ["usage_beyond_bounds"]),
  "reasoning": (usage(3, 3, completion_tokens_details={"reasoning_tokens": 4}), ["usage_beyond_bounds"]),
  "nothing": (usage(3, 0), ["usage_beyond_bounds"]),
  "impossible": (usage(10**13, 10**13), ["usage_beyond_bounds"]),
}

ANSWERS = {
  "sound": stream(*ABC, FINISH, GOOD, DONE),
  "te-bomb": [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
              lambda: chunk(zipped(400)), b"0\r\n\r\n"],
  "te-gzip": [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
              chunk(gzip.compress(json.dumps(WHOLE).encode())), b"0\r\n\r\n"],
  "ce-gzip": answer_with(gzip.compress(json.dumps(WHOLE).encode()), fields=["Content-Encoding: gzip"]),
  "finish-unterminated": stream(*ABC, FINISH[:-1]),
  "usage-unterminated": stream(*ABC, FINISH, GOOD[:-1]),
  "finish-error": stream(*ABC, event({}, "error"), GOOD, DONE),
  "finish-error-first": stream(event({}, "error"), DONE),
  "whole-error": answer_with(WHOLE | {"choices": [WHOLE["choices"][0] | {"finish_reason": "error"}]}),
  "drip": [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{", "drip"],
  "usage-then-empty": stream(*ABC, FINISH, GOOD, counts("{}"), DONE),
  "usage-then-total": stream(*ABC, FINISH, GOOD, counts('{"total_tokens":6}'), DONE),
  "usage-on-finish-then-empty": stream(*ABC, event({}, "stop", usage(3, 3)), counts("{}"), DONE),
  "usage-in-parts": stream(event({"role": "assistant"}, usage='{"prompt_tokens":3}'), *ABC, FINISH,
                           counts('{"completion_tokens":3}'), DONE),
  "after-done": stream(*ABC, FINISH, GOOD, DONE, text("MORE"), text("EVIL")),
  "usage-after-done": stream(*ABC, FINISH, DONE, text("MORE"), GOOD),
  "length-huge": answer_with(WHOLE, length=9999999999999999999999),
  "folded": answer_with(WHOLE, fields=["X-A: b", " folded: c"]),
  "206": answer_with(WHOLE, "206 Partial Content"),
  "201": answer_with(WHOLE, "201 Created"),
  "head-huge": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n"],
  "event-error": stream(text("a"), b'event: error\ndata: {"message":"boom","code":500}\n\n'),
  "object-error": stream(b'data: {"object":"error","message":"boom","type":"t","code":500}\n\n', DONE),
  **{f"lie-{name}": stream(*ABC, FINISH, counts(said), DONE) for name, (said, _) in LIES.items()},
  "lie-whole": answer_with(WHOLE | {"usage": usage(10**13, 1)}),
}


class EvilProvider:
  """Answers each request with the bytes of its model's name."""

  def __init__(self, answers):
    self.answers = answers
    self.listener = socket.create_server(("127.0.0.1", 0))
    self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
    threading.Thread(target=self.accept, daemon=True).start()

  def accept(self):
    while True:
      try:
        connection, _ = self.listener.accept()
      except OSError:
        return
      threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

  def serve(self, connection):
    with connection, connection.makefile("rb") as reader:
      connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
      try:
        while head := b"".join(iter(reader.readline, b"\r\n")):
          length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length:"))
          for part in self.answers[json.loads(reader.read(length))["model"].split("+")[0]]:
            if part == "drip":
              for _ in range(200):
                connection.sendall(b" ")
                time.sleep(0.05)
            else:
              connection.sendall(part() if callable(part) else part)
      except OSError:
        # The router had enough of it.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

  def stop(self):
    self.listener.close()


@pytest.fixture(scope="module")
def router(binary, simulator, run_folder):
  """Each word is a model at the evil provider; WORD-2 and WORD-2w are routes with a sound provider behind an endpoint of
  their own at a provider of its own, which no failure of another request has put out."""
  evils = {name: EvilProvider(ANSWERS | leaks(key)) for name, key in KEYS.items()}
  timeouts = {"headers": "2s", "first_token": "2s", "gap": "2s", "unstreamed": "1s"}
  price = {"input": 1, "output": 2}
  words = {word: "evil" for word in [*ANSWERS, *LEAKS]} | {f"{word}-formless": "formless" for word in LEAKS}
  routes = {
    "providers": {"sim": simulator.provider()} | {
      name + more: {"base_url": evil.url, "api_key": KEYS[name], "timeouts": timeouts}
      for name, evil in evils.items() for more in ("", "-first", "-leaky")},
    "models": {"sound-model": {"endpoints": [{"provider": "sim", "model": "sim-tokens-3", "price": price}]}} | {
      word: {"endpoints": [{"provider": name, "model": word.removesuffix("-formless"), "price": price}]}
      for word, name in words.items()} | {
      f"first-of-{word}-{way}": {"endpoints": [
        {"provider": f"{name}-{'leaky' if word.removesuffix('-formless') in LEAKS else 'first'}",
         "model": f"{word.removesuffix('-formless')}+{way}", "price": price}]}
      for word, name in words.items() for way in ("2", "2w")},
    "routes": {f"{word}-{way}": {"models": [f"first-of-{word}-{way}", "sound-model"], "policy": "order"}
               for word in words for way in ("2", "2w")},
  }
  router = Router(binary, run_folder, routes, "hostile")
  try:
    yield router.start()
  finally:
    router.stop()
    for evil in evils.values():
      evil.stop()


def request(model, streamed, **more):
  return {"model": model, "messages": [{"role": "user", "content": "q"}], "stream": streamed, "max_tokens": 50} | more


def ask_for(router, model, streamed=True, **more):
  """The answer, and its rows in the ledger but for those of a kept connection that was dead."""
  answer = ask(router.port, CHAT, request(model, streamed, **more))
  rows = router.ledger_rows(where=lambda row: row["generation_id"] == answer.field("x-generation-id"))
  return answer, [row for row in rows if row["failure"] != "stale_connection"]


def shown_usages(answer):
  return [chunk["usage"] for chunk in map(json.loads, answer.events[:-1]) if chunk.get("usage")]


def assert_breaks(answer, row, failure):
  """An honest end after content: an error event, and nothing that looks like success."""
  assert answer.status == 200 and "[DONE]" not in answer.events
  assert finish_reasons(answer.events) == ["error"] and '"error":{' in answer.events[-1]
  assert (row["outcome"], row["failure"]) == ("interrupted", failure)


def memory_of(router, what):
  status = open(f"/proc/{router.process.pid}/status").read()
  return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(what))


# Secrets.

@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("form", ["", "-formless"])
@pytest.mark.parametrize("word", LEAKS)
def test_a_key_that_the_provider_repeats_reaches_nobody(router, word, form, streamed):
  key = KEYS["formless" if form else "evil"]
  for model in [word + form, f"{word}{form}-2"]:
    body = ask(router.port, CHAT, request(model, streamed, stream_options={"include_usage": True})).body.decode()
    for piece in [key, key[:14], "CANARY" if not form else "canary for:"]:
      assert piece not in body, body
  assert key not in router.log.read_text()


def test_no_key_is_in_what_the_router_keeps(router):
  ask_for(router, "401-key")
  for file in router.data.rglob("*"):
    if file.is_file():
      assert not any(key.encode() in file.read_bytes() for key in KEYS.values()), file


def test_what_the_provider_said_is_still_told(router):
  answer, _ = ask_for(router, "400-key", streamed=False)
  assert answer.status == 400
  assert "Incorrect API key provided: [redacted]. x x" in answer.json()["error"]["message"]


# Codings that nobody asked for.

def test_a_bomb_of_compressed_bytes_is_not_inflated(router):
  before, began = memory_of(router, "VmRSS"), time.monotonic()
  answer, [row] = ask_for(router, "te-bomb", streamed=False)
  assert answer.status == 502 and "Transfer-Encoding" in answer.json()["error"]["message"]
  assert row["failure"] == "bad_response"
  assert memory_of(router, "VmHWM") - before < 64 << 20 and time.monotonic() - began < 10


@pytest.mark.parametrize("word, said", [
  ("te-gzip", "Transfer-Encoding"), ("ce-gzip", "Content-Encoding"), ("length-huge", "Content-Length"),
  ("folded", "folded"), ("206", "HTTP 206"), ("201", "HTTP 201"), ("head-huge", "the response head is too large"),
])
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_a_response_that_is_none_is_a_bad_one(router, word, said, streamed):
  answer, [row] = ask_for(router, word, streamed)
  assert answer.status == 502 and said in answer.json()["error"]["message"]
  assert (row["outcome"], row["failure"]) == ("failed", "bad_response")
  answer, rows = ask_for(router, f"{word}-2" if streamed else f"{word}-2w", streamed)
  assert answer.status == 200 and [row["outcome"] for row in rows] == ["failed", "completed"]


# Ends that are none.

def test_a_finish_event_that_is_not_whole_finishes_nothing(router):
  answer, [row] = ask_for(router, "finish-unterminated")
  assert content_pieces(answer.events) == ["a", "b", "c"]
  assert_breaks(answer, row, "truncated")


def test_a_usage_that_is_not_whole_behind_a_whole_finish_is_counted(router):
  answer, [row] = ask_for(router, "usage-unterminated")
  assert answer.events[-1] == "[DONE]" and finish_reasons(answer.events) == ["stop"]
  assert (row["outcome"], row["input_tokens"], row["output_tokens"]) == ("completed", 3, 3)


def test_a_finish_reason_of_error_is_an_error(router):
  answer, [row] = ask_for(router, "finish-error")
  assert content_pieces(answer.events) == ["a", "b", "c"]
  assert_breaks(answer, row, "error_event")
  for word, streamed in [("finish-error-first", True), ("whole-error", False)]:
    answer, [row] = ask_for(router, word, streamed)
    assert answer.status == 502 and (row["outcome"], row["failure"]) == ("failed", "error_event")
    answer, rows = ask_for(router, f"{word}-2", streamed)
    assert answer.status == 200 and [row["provider"] for row in rows] == ["evil-first", "sim"]


@pytest.mark.parametrize("word", ["event-error", "object-error"])
def test_an_error_event_of_another_shape_keeps_its_reason(router, word):
  answer, [row] = ask_for(router, word)
  assert "boom" in answer.body.decode() and row["failure"] == "error_event"


def test_an_answer_that_drips_is_cut_off_at_the_deadline_of_whole_answers(router):
  began = time.monotonic()
  answer, [row] = ask_for(router, "drip", streamed=False)
  assert 1 <= time.monotonic() - began < 4
  assert answer.status == 504 and "unstreamed" in answer.json()["error"]["message"]
  assert (row["outcome"], row["failure"]) == ("failed", "stalled")
  answer, rows = ask_for(router, "drip-2", streamed=False)
  assert answer.status == 200 and [row["provider"] for row in rows] == ["evil-first", "sim"]


# Counts.

@pytest.mark.parametrize("asks", [False, True], ids=["unasked", "asked"])
@pytest.mark.parametrize("word", ["usage-then-empty", "usage-then-total", "usage-on-finish-then-empty",
                                  "usage-in-parts", "after-done", "usage-after-done"])
def test_nothing_undoes_a_count_or_adds_to_it(router, word, asks):
  answer, [row] = ask_for(router, word, stream_options={"include_usage": True} if asks else {})
  assert content_pieces(answer.events) == ["a", "b", "c"] and answer.events[-1] == "[DONE]"
  assert (row["outcome"], row["input_tokens"], row["output_tokens"]) == ("completed", 3, 3)
  assert row["observed_output_tokens"] == 3 and row["cost_nanousd"] == 9000
  if word != "usage-after-done":
    last = shown_usages(answer)[-1]
    assert (last["prompt_tokens"], last["completion_tokens"], last["cost"]) == (3, 3, 0.000009)


@pytest.mark.parametrize("name", LIES)
def test_a_usage_that_cannot_be_is_flagged(router, name):
  answer, [row] = ask_for(router, f"lie-{name}")
  assert answer.events[-1] == "[DONE]" and row["outcome"] == "completed"
  assert row["flags"] == LIES[name][1]
  costs = [shown.get("cost") for shown in shown_usages(answer)]
  assert costs == [None if row["cost_nanousd"] is None else row["cost_nanousd"] / 1e9]
  if name == "impossible":
    assert row["cost_nanousd"] is None and row["input_tokens"] is None


def test_an_impossible_cost_is_not_told_in_a_header_either(router):
  answer, [row] = ask_for(router, "lie-whole", streamed=False)
  assert answer.status == 200 and answer.field("x-pointsman-cost-usd") is None
  assert row["cost_nanousd"] is None and "usage_beyond_bounds" in row["flags"]


# Clients.

def test_two_content_types_are_400(router):
  fields = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
  with RawClient(router.port) as client:
    client.send(request_bytes(body=request("sound", True), fields=fields))
    assert client.read_answer().status == 400
    assert client.is_closed()


def test_a_key_with_escapes_is_understood_to_the_end(router):
  body = json.dumps(request("sound-model", False)).replace('"model"', '"mod\\u0065l"')
  assert ask(router.port, CHAT, body.encode()).status == 200


def test_the_router_is_alive_after_all_of_them(router):
  answer, [row] = ask_for(router, "sound")
  assert answer.events[-1] == "[DONE]" and row["outcome"] == "completed"
