"""What a provider says of its usage, and what the ledger makes of it; and that framing changes nothing."""
import pytest
from conftest import Router, route_to
from raw_http import ask, content_pieces
from test_faults import CHAT, TOKENS, assert_whole_answer, endpoint, request, said

# The ledger has: (input, output, source of the output, flags).

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
