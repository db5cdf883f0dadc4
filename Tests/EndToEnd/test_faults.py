"""Every way in which a provider can fail: what the client sees of it, and what the ledger says.

The simulator's model name is the fault. Each is asked for streamed and whole, once with a sound endpoint behind it and
once alone.
"""
import concurrent.futures
import dataclasses
import time
from typing import NamedTuple

import pytest
from conftest import Router, Simulator, route_to
from raw_http import RawClient, ask, content_pieces, finish_reasons, request_bytes

CHAT = "/v1/chat/completions"
TOKENS = 40
SHORT = 0.7
SHORT_TIMEOUTS = {"headers": "700ms", "first_token": "700ms", "gap": "700ms", "unstreamed": "700ms"}


class Works(NamedTuple):
  """The fault is none for the client: the answer comes whole at the first attempt."""
  finish: str = "stop"


class FallsBack(NamedTuple):
  """Nothing was sent yet: the next endpoint answers; without one the client gets this status."""
  failure: str | tuple
  status: int = 502
  retry_after: str | None = None


class Breaks(NamedTuple):
  """Content was sent: the stream ends with an error event, whoever else could have answered."""
  failure: str | tuple
  source: str = "observed"


class Refused(NamedTuple):
  """The request itself is at fault: no other endpoint is tried, and the provider's status is passed on."""
  status: int


@dataclasses.dataclass
class Fault:
  words: str
  streamed: Works | FallsBack | Breaks | Refused
  whole: Works | FallsBack | Refused
  is_timed: bool = False

  @property
  def model(self):
    return f"sim-{self.words}"


def same(words, expected, **options):
  return Fault(words, expected, expected, **options)


BROKEN = ("truncated", "bad_response")

FAULTS = [
  # Rows 1 to 6: the provider says no.
  same("429", FallsBack("rate_limited", 429, "1")),
  same("429-after-7", FallsBack("rate_limited", 429, "7")),
  same("429-after-ms-1500", FallsBack("rate_limited", 429)),
  same("429-date", FallsBack("rate_limited", 429)),
  same("429-past", FallsBack("rate_limited", 429)),
  same("429-garbage", FallsBack("rate_limited", 429, "1")),
  same("429-body", FallsBack("rate_limited", 429)),
  same("429-reset-3", FallsBack("rate_limited", 429)),
  same("429-spend", FallsBack("rate_limited", 429)),
  same("500", FallsBack("server_error")),
  same("503", FallsBack("server_error")),
  same("529", FallsBack("server_error")),
  same("html-502", FallsBack("server_error")),
  same("401", FallsBack("provider_auth")),
  same("402", FallsBack("provider_auth")),
  same("403", FallsBack("provider_auth")),
  same("404", FallsBack("provider_not_found")),
  same("unknown-words", FallsBack("provider_not_found")),
  same("408", FallsBack("request_timeout", 504)),
  same("redirect", FallsBack("bad_response")),
  # Row 18: the request is at fault.
  same("400", Refused(400)),
  same("413", Refused(413)),
  same("422", Refused(422)),
  same("400-context", Refused(400)),
  same("400-filter", Refused(400)),
  # Rows 8 to 10: silence.
  same("silent", FallsBack("headers_timeout", 504), is_timed=True),
  same("half-headers", FallsBack("headers_timeout", 504), is_timed=True),
  same("slow-headers-5000", FallsBack("headers_timeout", 504), is_timed=True),
  Fault("slow-first-5000", FallsBack("first_token_timeout", 504), FallsBack("headers_timeout", 504), is_timed=True),
  Fault("comments-slow-first-5000", FallsBack("first_token_timeout", 504), FallsBack("headers_timeout", 504),
        is_timed=True),
  Fault("stall-at-0", FallsBack("first_token_timeout", 504), FallsBack("stalled", 504), is_timed=True),
  Fault("stall-at-5", Breaks("stalled"), FallsBack("stalled", 504), is_timed=True),
  Fault("comments-pace-5000", Breaks("stalled"), FallsBack("headers_timeout", 504), is_timed=True),
  # Rows 7, 11 and 13: connections and streams that end too early.
  same("no-headers", FallsBack("truncated")),
  same("reset", FallsBack("truncated")),
  same("cut-at-0", FallsBack("truncated")),
  same("rst-at-10", FallsBack("truncated")),
  same("cut-at-300", FallsBack("truncated")),
  Fault("cut-at-4000", Breaks("truncated"), Works()),
  Fault("cutclean-at-4000", Breaks("truncated"), Works()),
  Fault("rst-at-4000", Breaks("truncated"), Works()),
  same("cutclean-at-100", FallsBack(BROKEN)),
  Fault("no-finish", Breaks("truncated", "provider"), Works(None)),
  Fault("bad-chunk", Breaks(BROKEN), FallsBack(BROKEN)),
  # Row 12: no [DONE], but every choice has finished.
  same("no-done", Works()),
  # Rows 14 to 17.
  same("malformed-at-0", FallsBack("bad_response")),
  Fault("malformed-at-5", Breaks("bad_response"), FallsBack("bad_response")),
  same("error-first", FallsBack("error_event")),
  Fault("error-at-5", Breaks("error_event"), FallsBack("error_event")),
  same("empty", FallsBack("empty_completion")),
  # Row 18: reasons that are not "stop" pass unchanged; answers without text are answers.
  same("length", Works("length")),
  same("content-filter", Works("content_filter")),
  same("reasoning-only", Works()),
  same("tool-only", Works("tool_calls")),
  # Row 24: comments are not content, and nothing of them goes on.
  same("comments", Works()),
  # Rows 37 and 38: HTTP that nobody should speak.
  same("1xx-3", Works()),
  same("1xx-11", FallsBack("bad_response")),
  same("101", FallsBack("bad_response")),
  same("cl-and-te", FallsBack("bad_response")),
  same("headers-200", FallsBack("bad_response")),
  same("header-bytes-100000", FallsBack("bad_response")),
  same("close-delimited", Works()),
  same("json-for-stream", FallsBack("bad_response")),
  same("sse-for-json", FallsBack("bad_response")),
  # Ids of the provider mean nothing.
  same("id-null", Works()),
  same("id-empty", Works()),
  same("id-same", Works()),
]


class Case(NamedTuple):
  fault: Fault
  is_streamed: bool
  has_other: bool

  @property
  def expected(self):
    return self.fault.streamed if self.is_streamed else self.fault.whole

  @property
  def name(self):
    return f"{self.fault.words}-{'streamed' if self.is_streamed else 'whole'}-{'of-two' if self.has_other else 'alone'}"


CASES = [Case(fault, streamed, other) for fault in FAULTS for streamed in (True, False) for other in (True, False)]


class Seen(NamedTuple):
  answer: object
  seconds: float
  rows: list


def request(model, is_streamed, **more):
  """The seed makes the simulator say the same words each time."""
  return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": is_streamed, "seed": 7} | more


def endpoint(provider, model):
  return {"provider": provider, "model": model, "price": {"input": 1, "output": 2}}


def routes_of(cases, simulator):
  """A route for each case, so that no failure of one is remembered in another."""
  return {
    "providers": {name: simulator.provider() for name in ("faulty", "sound")},
    "models": {f"model-{case.name}": {"endpoints": [
      endpoint("faulty", case.fault.model), *([endpoint("sound", "sim")] if case.has_other else [])]}
      for case in cases},
    "routes": {case.name: {
      "models": [f"model-{case.name}"], "policy": "order",
      **({"timeouts": SHORT_TIMEOUTS} if case.fault.is_timed else {})} for case in cases},
  }


@pytest.fixture(scope="module")
def router(binary, simulator, run_folder):
  router = Router(binary, run_folder, routes_of(CASES, simulator), "faults")
  try:
    yield router.start()
  finally:
    router.stop()


@pytest.fixture(scope="module")
def seen(router):
  """What came of every case; some are asked at a time, since many of them wait for a deadline."""
  def run(case):
    began = time.monotonic()
    answer = ask(router.port, CHAT, request(case.name, case.is_streamed))
    return answer, time.monotonic() - began

  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    answers = dict(zip(CASES_BY_NAME, pool.map(run, CASES)))
  rows = router.ledger_rows(at_least=len(CASES))
  return {name: Seen(answer, seconds, [row for row in rows if row["route"] == name])
          for name, (answer, seconds) in answers.items()}


CASES_BY_NAME = {case.name: case for case in CASES}


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


def is_one_of(value, expected):
  return value in (expected if isinstance(expected, tuple) else (expected,))


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


def without_stale(rows):
  """A kept connection that the simulator closes unanswered is tried again: a row more, and the same failure after it."""
  return [row for row in rows if row["failure"] != "stale_connection"]


@pytest.mark.parametrize("name", CASES_BY_NAME)
def test_the_client_sees_a_whole_answer_or_an_honest_error(seen, plain_text, name):
  case, answer = CASES_BY_NAME[name], seen[name].answer
  expected = case.expected
  if isinstance(expected, Works):
    assert_whole_answer(answer, case.is_streamed, expected.finish)
    assert said(answer, case.is_streamed)
  elif isinstance(expected, FallsBack) and case.has_other:
    assert_whole_answer(answer, case.is_streamed, "stop")
    assert said(answer, case.is_streamed) == plain_text
    assert answer.field("x-pointsman-provider") == "sound"
  elif isinstance(expected, Breaks):
    assert answer.status == 200
    assert "[DONE]" not in answer.events
    assert finish_reasons(answer.events) == ["error"]
    assert '"error":{' in answer.events[-1] and "send the request again" in answer.events[-1]
    text = said(answer, True)
    assert text and (plain_text.startswith(text) or text.startswith(plain_text))
  else:
    assert answer.status == expected.status, answer.body
    error = answer.json()["error"]
    assert len(error["message"]) > 20 and "faulty" in error["message"]
    assert {"type", "code", "param"} <= set(error)
    if getattr(expected, "retry_after", None):
      assert answer.field("retry-after") == expected.retry_after
    if expected.status == 429:
      assert answer.field("retry-after")


@pytest.mark.parametrize("name", CASES_BY_NAME)
def test_the_ledger_has_a_row_for_every_attempt(seen, name):
  case, (answer, _, rows) = CASES_BY_NAME[name], seen[name]
  expected = case.expected
  assert {row["generation_id"] for row in rows} == {answer.field("x-generation-id")}
  assert [row["final"] for row in rows] == [False] * (len(rows) - 1) + [True]
  assert [row["attempt"] for row in rows] == list(range(1, len(rows) + 1))
  # A provider's kept connection may be dead: the first row at each provider says why it was asked.
  reasons = {row["provider"]: row["reason"] for row in reversed(rows)}
  rows = without_stale(rows)
  told = [(row["provider"], row["outcome"]) for row in rows]
  first = rows[0]
  if isinstance(expected, Works):
    assert told == [("faulty", "completed")] and first["failure"] in (None, "none")
    assert first["output_tokens"] > 0 and first["output_source"] == "provider" and first["input_source"] == "provider"
  elif isinstance(expected, FallsBack):
    assert told == [("faulty", "failed")] + [("sound", "completed")] * case.has_other
    assert is_one_of(first["failure"], expected.failure), first["failure"]
    if case.has_other:
      assert (reasons["sound"], rows[1]["output_tokens"]) == ("fallback", TOKENS)
  elif isinstance(expected, Breaks):
    assert told == [("faulty", "interrupted")]
    assert is_one_of(first["failure"], expected.failure), first["failure"]
    count = len(content_pieces(answer.events))
    assert (first["output_tokens"], first["output_source"]) == (count, expected.source)
  else:
    assert told == [("faulty", "failed")] and first["failure"] == "bad_request"
    assert first["status"] == expected.status


@pytest.mark.parametrize("name", [case.name for case in CASES if case.fault.is_timed])
def test_a_deadline_is_kept(seen, name):
  seconds = seen[name].seconds
  assert SHORT <= seconds <= SHORT + 1


def test_the_router_is_alive_after_all_of_them(router, seen):
  assert router.running, router.log_end()
  assert len({row["attempt_id"] for case in seen.values() for row in case.rows}) == sum(
    len(case.rows) for case in seen.values())


# What the provider says of its usage, and what the ledger makes of it: (input, output, source of the output, flags).

PROVIDER, OBSERVED = "provider", "observed"
USAGES = {
  "usage-zero": (0, 0, PROVIDER, ["usage_beyond_bounds"]),
  "no-usage": (None, TOKENS, OBSERVED, ["usage_missing"]),
  "usage-null": (None, TOKENS, OBSERVED, ["usage_missing"]),
  "usage-negative": (None, TOKENS, OBSERVED, ["usage_invalid"]),
  "usage-huge": (None, TOKENS, OBSERVED, ["usage_invalid"]),
  "usage-string": (None, TOKENS, OBSERVED, ["usage_invalid"]),
  "usage-float": (None, TOKENS, OBSERVED, ["usage_invalid"]),
  "usage-exponent": (None, TOKENS, OBSERVED, ["usage_invalid"]),
  "usage-nested": (None, TOKENS, OBSERVED, ["usage_invalid"]),
  "usage-decoy": ("true", TOKENS, PROVIDER, []),
  "usage-every-chunk": ("true", TOKENS, PROVIDER, []),
  "usage-on-finish": ("true", TOKENS, PROVIDER, []),
  "usage-after-done": ("true", TOKENS, PROVIDER, ["usage_late"]),
  "usage-twice": ("true", TOKENS, PROVIDER, []),
  "usage-trailing": ("true", TOKENS, PROVIDER, []),
  "usage-trailing-no-done": ("true", TOKENS, PROVIDER, []),
}


@pytest.fixture(scope="module")
def usage_router(binary, simulator, run_folder):
  router = Router(binary, run_folder, {
    "providers": {"sim": simulator.provider()},
    "models": {words: {"endpoints": [endpoint("sim", f"sim-{words}")]} for words in [*USAGES, "usage-nan"]},
    "routes": {"chat": {"models": ["usage-zero"]}},
  }, "usages")
  try:
    yield router.start()
  finally:
    router.stop()


def rows_of(router, answer):
  return router.ledger_rows(where=lambda row: row["generation_id"] == answer.field("x-generation-id"))


@pytest.mark.parametrize("asks", [False, True], ids=["unasked", "asked"])
@pytest.mark.parametrize("words", USAGES)
def test_a_streamed_usage_becomes_the_right_counts(usage_router, words, asks):
  more = {"stream_options": {"include_usage": True}} if asks else {}
  answer = ask(usage_router.port, CHAT, request(words, True, **more))
  assert_whole_answer(answer, True, "stop")
  assert len(content_pieces(answer.events)) == TOKENS
  if not asks:
    assert all('"choices":[]' not in event for event in answer.events)
  [row] = rows_of(usage_router, answer)
  tokens_in, tokens_out, source, flags = USAGES[words]
  assert row["outcome"] == "completed" and row["observed_output_tokens"] == TOKENS
  assert (row["output_tokens"], row["output_source"]) == (tokens_out, source)
  assert row["input_tokens"] == tokens_in or tokens_in == "true" and 5 < row["input_tokens"] < 20
  assert set(row["flags"]) - {"usage_late"} == set(flags) - {"usage_late"}
  if tokens_in is None:
    assert row["cost_nanousd"] is None, "the cost of unknown tokens is unknown"
  else:
    assert row["cost_nanousd"] == row["input_tokens"] * 1000 + row["output_tokens"] * 2000


@pytest.mark.parametrize("words", USAGES)
def test_the_usage_of_a_whole_answer_becomes_the_right_counts(usage_router, words):
  answer = ask(usage_router.port, CHAT, request(words, False))
  assert_whole_answer(answer, False, "stop")
  [row] = rows_of(usage_router, answer)
  tokens_in, tokens_out, source, flags = USAGES[words]
  if source == OBSERVED:
    # A whole answer shows no single tokens that could be counted.
    assert (row["output_tokens"], row["output_source"]) == (None, "unknown")
    assert row["cost_nanousd"] is None
  else:
    assert (row["output_tokens"], row["output_source"]) == (tokens_out, source)
  assert row["input_tokens"] == tokens_in or tokens_in == "true" and 5 < row["input_tokens"] < 20
  assert set(row["flags"]) == set(flags) - {"usage_late"}


def test_a_usage_that_is_no_json_does_not_undo_a_finished_answer(usage_router):
  answer = ask(usage_router.port, CHAT, request("usage-nan", True))
  assert_whole_answer(answer, True, "stop")
  [row] = rows_of(usage_router, answer)
  assert (row["outcome"], row["output_tokens"], row["output_source"]) == ("completed", TOKENS, OBSERVED)


# Framing: however the bytes come, the client gets the same.

@pytest.mark.parametrize("words", ["crlf", "cr", "bom", "multiline", "bytewise", "coalesced", "utf8-split",
                                   "bytewise-crlf-bom-multiline", "comments-cr", "huge-1048576"])
def test_the_framing_of_the_bytes_changes_nothing(simulator, start_router, words):
  router = start_router(route_to([("sim", f"sim-{words}", 1)], {"sim": simulator.provider()}))
  direct = ask(simulator.port, CHAT, request(f"sim-{words}", False)).json()["choices"][0]["message"]["content"]
  answer = ask(router.port, CHAT, request("chat", True))
  assert_whole_answer(answer, True, "stop")
  assert said(answer, True).startswith(direct) and "\ufffd" not in answer.body.decode()
  [row] = router.ledger_rows()
  assert (row["outcome"], row["output_tokens"]) == ("completed", TOKENS)


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
    rows = router.ledger_rows(at_least=count)
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
