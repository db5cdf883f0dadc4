"""Every way in which a provider can fail: failures.table, line by line, and one test for each failure that takes more
than one answer to show.
"""
import concurrent.futures
import contextlib
import re
import socket
import ssl
import threading
import time
from typing import NamedTuple

import failure_table
import pytest
from conftest import HERE, Router, Simulator, route_to, wait_until
from raw_http import RawClient, ask, content_pieces, finish_reasons, request_bytes
from test_tls import Certificate

CHAT = "/v1/chat/completions"
TOKENS = 40
SHORT_TIMEOUTS = {"headers": "700ms", "first_token": "700ms", "gap": "700ms", "unstreamed": "700ms"}
# Seconds that an answer may be later than the line says: some are asked for at a time, and 0.2 s of them are chance.
LATE = 2

FAILURES = failure_table.read()
CASES = failure_table.cases_of(FAILURES)


def request(model, is_streamed, **more):
  """The seed makes the simulator say the same words each time."""
  return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": is_streamed, "seed": 7} | more


def endpoint(provider, model, **more):
  return {"provider": provider, "model": model, "price": {"input": 1, "output": 2}} | more


# The table.

def faulty_provider(case, simulator, refusing, mistrusted):
  """What the case's setting makes of the simulator."""
  provider = simulator.provider()
  match case.failure.setting:
    case "2 keys": return provider | {"api_key": ["sim-one", "sim-two"]}
    case "nobody listens": return provider | {"base_url": f"http://127.0.0.1:{refusing}/v1"}
    case "no address": return provider | {"base_url": "http://nowhere.invalid/v1"}
    case "no handshake":
      return provider | {"base_url": f"https://127.0.0.1:{simulator.port}/v1", "timeouts": {"connect": "700ms"}}
    case "unknown certificate": return provider | {"base_url": f"https://127.0.0.1:{mistrusted}/v1"}
    case "short deadlines": return provider | {"timeouts": SHORT_TIMEOUTS}
  return provider


def endpoints_of(case):
  """The faulty one, and the one behind it if there is one."""
  sizes = re.findall(r"\d+", case.failure.setting) if case.failure.setting.startswith("context") else []
  contexts = [{"context": int(size)} for size in sizes] or [{}, {}]
  pair = [endpoint(f"faulty-{case.name}", case.failure.model, **contexts[0]), endpoint("sound", "sim", **contexts[1])]
  return pair if case.has_other else pair[:1]


@pytest.fixture(scope="module")
def refusing_port():
  """Nobody listens there, and nobody else can."""
  with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def mistrusted_port(tmp_path_factory):
  """Speaks TLS, with a certificate that only itself vouches for."""
  certificate = Certificate(tmp_path_factory.mktemp("mistrusted"), "nobody")
  context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
  context.load_cert_chain(certificate.certificate, certificate.key)
  server = socket.create_server(("127.0.0.1", 0))

  def accept():
    with contextlib.suppress(OSError):
      while True:
        connection, _ = server.accept()
        connection.settimeout(5)
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
          assert not secured.recv(1), "something was sent to somebody whose certificate proves nothing"

  thread = threading.Thread(target=accept, daemon=True)
  thread.start()
  try:
    yield server.getsockname()[1]
  finally:
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


@pytest.fixture(scope="module")
def router(binary, simulator, run_folder, refusing_port, mistrusted_port):
  """A route and a provider for each case, so that no failure of one is remembered in another."""
  router = Router(binary, run_folder, {
    "providers": {"sound": simulator.provider()} | {
      f"faulty-{case.name}": faulty_provider(case, simulator, refusing_port, mistrusted_port)
      for case in CASES.values()},
    "models": {f"model-{case.name}": {"endpoints": endpoints_of(case)} for case in CASES.values()},
    "routes": {case.name: {"models": [f"model-{case.name}"], "policy": "order"} for case in CASES.values()},
  }, "faults")
  try:
    yield router.start()
  finally:
    router.stop()


class Seen(NamedTuple):
  answer: object
  seconds: float


@pytest.fixture(scope="module")
def seen(router):
  """What came of every case: of the request, and of the one after it if there is one."""
  def once(case):
    if case.failure.setting == "early in a second":
      time.sleep(-time.time() % 1 + 0.05)
    began = time.monotonic()
    # Another text, so that to the simulator each case is a conversation of its own.
    messages = [{"role": "user", "content": f"Hello, {case.name}"}]
    answer = ask(router.port, CHAT, request(case.name, case.is_streamed, messages=messages))
    return Seen(answer, time.monotonic() - began)

  def run(case):
    return [once(case) for _ in range(2 if case.then else 1)]

  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    return dict(zip(CASES, pool.map(run, CASES.values())))


@pytest.fixture(scope="module")
def rows_by_generation(router, seen):
  """The ledger, once it has the last attempt of every request that should have one; or as it is then."""
  due = {answer.field("x-generation-id") for name, answers in seen.items()
         for expected, (answer, _) in zip([CASES[name].first, CASES[name].then], answers) if expected.steps}
  return ledger_of(router, due, 15)


def ledger_of(router, generations, seconds):
  """Rows by generation, when all of these have their final one or time is up."""
  end = time.monotonic() + seconds
  while True:
    rows = {}
    for row in sorted(router.usage_rows(), key=lambda row: row["attempt_id"]):
      rows.setdefault(row["generation_id"], []).append(row)
    if generations <= {name for name, attempts in rows.items() if attempts[-1]["final"]} or time.monotonic() > end:
      return rows
    time.sleep(0.1)


@pytest.fixture(scope="module")
def plain_text(simulator):
  """What a sound simulated provider says to the seed."""
  return ask(simulator.port, CHAT, request("sim", False)).json()["choices"][0]["message"]["content"]


def said(answer, is_streamed):
  """All that was said: text, reasoning, or a tool's arguments."""
  if is_streamed:
    return "".join(content_pieces(answer.events))
  message = answer.json()["choices"][0]["message"]
  calls = message.get("tool_calls") or []
  return "".join([message.get("content") or "", message.get("reasoning_content") or "",
                  *(call["function"]["arguments"] for call in calls)])


def assert_whole_answer(answer, is_streamed, finish):
  """An answer that has ended well, with the router's own ids in it."""
  assert answer.status == 200, answer.body
  identity = answer.field("x-generation-id")
  if not is_streamed:
    assert answer.field("content-type") == "application/json"
    assert answer.json()["id"] == identity
    assert [choice["finish_reason"] for choice in answer.json()["choices"]] == [finish]
    return
  assert answer.field("content-type").startswith("text/event-stream")
  assert answer.events[-1] == "[DONE]" and answer.events.count("[DONE]") == 1
  assert finish_reasons(answer.events) == [finish]
  assert all(f'"id":"{identity}"' in event for event in answer.events[:-1])


def words_of(case, answer):
  """What the client saw, in the words of the table."""
  if answer.status != 200:
    after = answer.field("retry-after")
    return f"{answer.status} {answer.json()['error']['code']}" + (f", retry after {after}" if after else "")
  server = re.sub("^faulty-.*", "faulty", answer.field("x-pointsman-provider"))
  if case.is_streamed and "[DONE]" not in answer.events:
    return "error event" if '"error":{' in answer.events[-1] else f"a stream of {server} without an end"
  reasons = (finish_reasons(answer.events) if case.is_streamed
             else [choice["finish_reason"] or "null" for choice in answer.json()["choices"]])
  return f"answer of {server}" + ("" if reasons == ["stop"] else f", finish {' '.join(reasons)}")


def steps_of(rows):
  """The attempts as the ledger has them. A kept connection that the simulator had closed is no fault of this table: the
  attempt after it takes its place."""
  steps, reason = [], None
  for row in rows:
    reason = reason or row["reason"]
    if row["failure"] == "stale_connection":
      continue
    provider = re.sub("^faulty-.*", "faulty", row["provider"])
    failures = () if row["outcome"] == "completed" else (row["failure"],)
    steps.append(failure_table.Step(provider, row["outcome"], failures, reason))
    reason = None
  return steps


def text_of(steps):
  def one(step):
    outcome = "/".join([*(["interrupted"] if step.outcome == "interrupted" else []),
                        "-or-".join(step.failures) or step.outcome])
    return f"{step.provider}:{outcome}" + ("" if step.reason == "first" else f"({step.reason})")
  return " ".join(map(one, steps)) or "none"


def are_as_expected(steps, expected):
  return len(steps) == len(expected) and all(
    step[:2] == other[:2] and step.reason == other.reason and set(step.failures) <= set(other.failures)
    and bool(step.failures) == bool(other.failures) for step, other in zip(steps, expected))


def is_view_as_expected(view, words):
  if view.retry_after is None:
    return words == view.words
  found = re.fullmatch(r"(.*), retry after (\d+)", words)
  return bool(found) and found[1] == f"{view.status} {view.code}" and int(found[2]) in view.retry_after


def assert_answer_is_sound(case, view, answer, rows, plain_text):
  """What every answer of its kind must be, beyond the words of the table."""
  if view.server:
    assert_whole_answer(answer, case.is_streamed, view.finish)
    text = said(answer, case.is_streamed)
    assert text == plain_text if view.server == "sound" else text
    if "usage" not in case.failure.model or view.server == "sound":
      last = rows[-1]
      assert (last["output_source"], last["input_source"]) == ("provider", "provider")
      assert last["output_tokens"] == TOKENS if view.server == "sound" else last["output_tokens"] > 0
  elif view.is_cut:
    assert answer.status == 200 and "[DONE]" not in answer.events
    assert finish_reasons(answer.events) == ["error"]
    assert '"error":{' in answer.events[-1] and "send the request again" in answer.events[-1]
    text = said(answer, True)
    assert text and (plain_text.startswith(text) or text.startswith(plain_text))
    assert rows[-1]["output_tokens"] == len(content_pieces(answer.events))
  else:
    error = answer.json()["error"]
    assert len(error["message"]) > 20 and ("faulty" in error["message"] or not rows)
    assert {"type", "code", "param"} <= set(error)
    told = [(past["code"], past["status"]) for past in error["metadata"].get("previous_errors", [])]
    unreached = [("connect", None)] if case.failure.setting == "no address" else []
    assert told == [(row["failure"], row["status"]) for row in rows] + unreached


def assert_rows_are_sound(rows):
  assert [row["final"] for row in rows] == [False] * (len(rows) - 1) + [True] * bool(rows)
  assert [row["attempt"] for row in rows] == list(range(1, len(rows) + 1))
  for row in rows:
    assert (row["failure"] in (None, "none")) == (row["outcome"] == "completed")


@pytest.mark.parametrize("name", CASES)
def test_the_table(seen, rows_by_generation, plain_text, name):
  case = CASES[name]
  for expected, (answer, seconds) in zip(filter(None, [case.first, case.then]), seen[name]):
    rows = rows_by_generation.get(answer.field("x-generation-id"), [])
    words, steps = words_of(case, answer), steps_of(rows)
    is_right = (is_view_as_expected(expected.view, words) and are_as_expected(steps, expected.steps)
                and expected.seconds <= seconds <= expected.seconds + LATE)
    assert is_right, (
      f"{case.failure.number} | {case.failure.words} | {case.failure.model} | {case.failure.setting}\n"
      f"expected: {expected.line}\nseen:     {words} | {text_of(steps)} | {seconds:.1f} s\n"
      f"rows:     {[(row['provider'], row['failure'], row['reason']) for row in rows]}\n{answer.body[:600]!r}")
    assert_answer_is_sound(case, expected.view, answer, rows, plain_text)
    assert_rows_are_sound(rows)


def test_the_router_is_alive_after_all_of_them(router, rows_by_generation):
  assert router.running, router.log_end()
  ids = [row["attempt_id"] for rows in rows_by_generation.values() for row in rows]
  assert len(set(ids)) == len(ids)


def test_all_38_failures_stand_in_the_table_with_a_case_or_a_test():
  shown = {failure.number for failure in FAILURES if failure.lines or failure.tests}
  assert shown == {*map(str, range(1, 39)), "+"}


@pytest.mark.parametrize("name", sorted({test for failure in FAILURES for test in failure.tests}))
def test_a_test_that_the_table_names_is_there(name):
  file, test = name.split("::")
  assert f"\ndef {test}(" in (HERE / file).read_text()


# The client (rows 30 and 32).

def test_a_client_that_leaves_is_no_failure_of_the_provider(simulator, start_router):
  leavers, read, model = 4, 3000, "sim-tokens-300-pace-10"
  routes = route_to([("left", model, 1), ("other", "sim", 1)],
                    {name: simulator.provider() for name in ("left", "other")}, policy="order")
  router = start_router(routes)
  for _ in range(leavers):
    with RawClient(router.port) as client:
      client.send(request_bytes(CHAT, request("chat", True)))
      client.read_exactly(read)
  rows = router.ledger_rows(at_least=leavers)
  assert {(row["provider"], row["outcome"], row["failure"]) for row in rows} == {("left", "cancelled", "client_left")}
  assert all(5 < row["output_tokens"] < 100 and row["output_source"] == "observed" for row in rows)
  wait_until(lambda: [end["closed"] for end in simulator.attempts() if end["event"] == "ended" and
                      end["model"] == model] == ["client-left"] * leavers, "its provider was not told", 1)
  # As good as ever: it is the first choice still.
  assert ask(router.port, CHAT, request("chat", False, max_tokens=3)).field("x-pointsman-provider") == "left"


def test_tokens_are_passed_on_as_they_come(simulator, start_router):
  count, pace = 20, 0.05
  router = start_router(route_to([("sim", f"sim-tokens-{count}-pace-{pace * 1000:.0f}", 1)],
                                 {"sim": simulator.provider()}))
  arrived = []
  with RawClient(router.port) as client:
    client.send(request_bytes(CHAT, request("chat", True)))
    _, fields = client.read_head()
    assert dict(fields)["x-accel-buffering"] == "no"
    while size := int(client.read_line(), 16):
      arrived += [time.monotonic()] * client.read_exactly(size + 2).count(b'"content":')
  gaps = sorted(later - earlier for earlier, later in zip(arrived, arrived[1:]))
  assert len(gaps) >= count - 1
  assert pace / 2 < gaps[len(gaps) // 2] < pace * 2, gaps


# Memory.

def memory_of(router, what="VmRSS"):
  """Bytes: VmRSS now, VmHWM at most so far."""
  status = open(f"/proc/{router.process.pid}/status").read()
  return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(what))


@pytest.mark.parametrize("is_streamed, growth", [(True, 64 << 20), (False, 224 << 20)], ids=["streamed", "whole"])
def test_an_event_that_never_ends_is_cut_off(simulator, start_router, is_streamed, growth):
  router = start_router(route_to([("sim", "sim-endless", 1)], {"sim": simulator.provider()}))
  ask(router.port, "/v1/models", method="GET")
  before = memory_of(router)
  answer = ask(router.port, CHAT, request("chat", is_streamed), timeout=60)
  assert answer.status == 502 and "MiB" in answer.json()["error"]["message"]
  assert memory_of(router, "VmHWM") - before < growth
  [row] = router.ledger_rows()
  assert (row["outcome"], row["failure"]) == ("failed", "bad_response")


def test_a_client_that_does_not_read_slows_its_provider_and_not_the_router(binary, tmp_path, start_router):
  tokens = 60_000
  simulator = Simulator(binary, tmp_path)
  try:
    simulator.start()
    routes = route_to([("sim", f"sim-tokens-{tokens}", 1)], {"sim": simulator.provider()})
    # What the provider is kept waiting is not counted as its own silence.
    routes["routes"]["chat"]["timeouts"] = {"gap": "500ms"}
    router = start_router(routes)
    ask(router.port, CHAT, request("chat", False, max_tokens=5))
    with RawClient(router.port, receive_buffer=4096) as client:
      before = memory_of(router)
      client.send(request_bytes(CHAT, request("chat", True)))
      status, fields = client.read_head()
      assert status == 200
      time.sleep(1.5)
      assert memory_of(router) - before < 4 << 20
      assert [attempt["event"] for attempt in simulator.attempts()][2:] == ["received"], "its write should be blocked"
      body = client.read_body(fields).decode()
    assert body.endswith("data: [DONE]\n\n")
    assert body.count('"content":') == tokens + 1
  finally:
    simulator.stop()
  [_, row] = router.ledger_rows(at_least=2)
  assert (row["outcome"], row["output_tokens"]) == ("completed", tokens)


# Kept connections.

@pytest.mark.parametrize("words, is_answered", [("stale", True), ("stale-now", False), ("close-idle-1", False)])
@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "whole"])
def test_a_dead_kept_connection_is_a_recorded_attempt_and_no_error(
    binary, tmp_path, start_router, words, is_answered, is_streamed):
  count = 20
  simulator = Simulator(binary, tmp_path)
  try:
    simulator.start()
    router = start_router(route_to([("sim", f"sim-{words}", 1)], {"sim": simulator.provider()}))
    with RawClient(router.port) as client:
      for _ in range(count):
        client.send(request_bytes(CHAT, request("chat", is_streamed)))
        assert_whole_answer(client.read_answer(), is_streamed, "stop")
    rows = router.ledger_rows(completions=count)
    dispatched = [attempt["attempt"] for attempt in simulator.attempts() if attempt["event"] == "received"]
  finally:
    simulator.stop()
  stale = [row for row in rows if row["failure"] == "stale_connection"]
  assert len(rows) - len(stale) == count == [row["outcome"] for row in rows].count("completed")
  assert len(set(dispatched)) == len(dispatched), "one request was sent twice under one id"
  known = {row["attempt_id"] for row in rows}
  assert len(known) == len(rows) and set(dispatched) <= known
  if is_answered:
    assert len(stale) == count - 1 and set(dispatched) == known
    assert [row["reason"] for row in rows].count("stale_connection") == count - 1
  else:
    assert known - set(dispatched) <= {row["attempt_id"] for row in stale}


# A late first token.

def test_a_late_first_token_is_bridged_by_comments(simulator, start_router):
  routes = {
    "providers": {"sim": simulator.provider()},
    "models": {name: {"endpoints": [endpoint("sim", name)]} for name in ("sim-slow-first-10600", "sim-silent")},
    "routes": {
      "late": {"models": ["sim-slow-first-10600"]},
      "never": {"models": ["sim-silent"], "timeouts": {"headers": "10600ms", "first_token": "10600ms"}}},
  }
  router = start_router(routes)
  with concurrent.futures.ThreadPoolExecutor(2) as pool:
    late, never = pool.map(lambda route: ask(router.port, CHAT, request(route, True)), ["late", "never"])
  for answer in (late, never):
    assert answer.status == 200 and answer.body.startswith(b": ")
    assert answer.body.split(b"data:")[0].count(b": ") == 1, "one comment in eleven seconds"
  assert late.events[-1] == "[DONE]" and len(content_pieces(late.events)) == TOKENS
  assert "[DONE]" not in never.events and finish_reasons(never.events) == ["error"]
  assert {(row["route"], row["outcome"]) for row in router.ledger_rows(at_least=2)} == {
    ("late", "completed"), ("never", "failed")}


# Several choices.

def test_every_choice_must_finish(simulator, start_router):
  """A provider that ignores `n` has given what there is; one that dies before the second finish has not."""
  routes = route_to([("sim", "sim-ignore-n", 1)], {"sim": simulator.provider()})
  routes["models"]["cut"] = {"endpoints": [endpoint("sim", "sim-tokens-4-cutclean-at-2700")]}
  router = start_router(routes)
  answer = ask(router.port, CHAT, request("chat", True, n=2))
  assert_whole_answer(answer, True, "stop")
  answer = ask(router.port, CHAT, request("tiny", True, n=1))
  assert_whole_answer(answer, True, "stop")
  cut = ask(router.port, CHAT, request("cut", True, n=2))
  assert "[DONE]" not in cut.events and finish_reasons(cut.events).count("error") >= 1
