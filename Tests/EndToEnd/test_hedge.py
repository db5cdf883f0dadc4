"""A first token that is late: a second attempt beside the first, for no more than the route may spend on it."""
import asyncio
import os

import pytest
from async_http import ask_all, percentile
from conftest import Simulator, wait_until

REQUESTS = 2000 if os.environ.get("POINTSMAN_FULL") else 400
WARM_UP = 120
AT_ONCE = 12
# Sooner than any first token is given up as too late, so that only a hedge can help.
STRAGGLER = 1.8
# One in twenty is late at each provider; all others have their first token after 20 ms.
FLEET = "sim-tokens-8-slow-first-20-percent-5-straggler-1800"
HEDGES = {"without": None, "fixed": {"after": "200ms", "spend": "5%"}, "quantile": {"after": "p90", "spend": "20%"}}
# Always late, so that every request asks for a hedge.
LATE = "sim-tokens-5-slow-first-300"


def request(model="chat"):
  """A prompt that costs more than the answer, as most do: then what a loser costs is near to what it counts for."""
  return {"model": model, "stream": True, "messages": [{"role": "user", "content": "Which track is free? " * 40}]}


def routes_of(providers, models, hedge, **route):
  """The models' endpoints at the providers first and second, in this order."""
  return {
    "providers": providers,
    "models": {name: {"endpoints": [
      {"provider": provider, "model": model, "price": {"input": 10, "output": 20}} for provider, model in endpoints]}
      for name, endpoints in models.items()},
    "routes": {"chat": {"models": list(models), "policy": "order", **({"hedge": hedge} if hedge else {})} | route},
  }


@pytest.fixture
def pair(binary, tmp_path):
  """Two simulators, each with its own stragglers."""
  simulators = {name: Simulator(binary, tmp_path, f"simulator-{name}") for name in ("first", "second")}
  try:
    yield {name: simulator.start() for name, simulator in simulators.items()}
  finally:
    for simulator in simulators.values():
      simulator.stop()


def providers_of(pair):
  return {name: simulator.provider() for name, simulator in pair.items()}


def ask_fleet(router, count, at_once=AT_ONCE):
  answers = asyncio.run(ask_all(router.port, [request()] * count, at_once))
  assert {answer.status for answer in answers} == {200}
  assert all(answer.events[-1] == "[DONE]" for answer in answers)
  return answers


def first_tokens(router):
  """Seconds to the first token, once the router knows what is usual."""
  ask_fleet(router, WARM_UP)
  known = len(router.ledger_rows(completions=WARM_UP))
  # What is known is worked out anew once in a while.
  def hedges():
    ask_fleet(router, 20, 4)
    return any(row["reason"] == "hedge" for row in router.usage_rows())
  if router.hedges:
    wait_until(hedges, "no hedge", 20, every=0.2)
  assert known >= WARM_UP
  return [answer.first_token for answer in ask_fleet(router, REQUESTS)]


def by_completion(rows):
  found = {}
  for row in rows:
    found.setdefault(row["generation_id"], []).append(row)
  return found


def check_pairs(rows, pair, is_close=False):
  """Every hedge has a winner's row and a loser's, and the loser was cancelled at its provider. How many there are.

  is_close: the two may be so close that the loser was sent whole, or its request not at all, when it was cancelled.
  """
  hedged = [own for own in by_completion(rows).values() if any(row["reason"] == "hedge" for row in own)]
  ended = {each["attempt"]: each for simulator in pair.values() for each in simulator.attempts()
           if each["event"] == "ended"}
  for own in hedged:
    assert [(row["attempt"], row["reason"]) for row in own] == [(1, "first"), (2, "hedge")]
    assert {row["provider"] for row in own} == {"first", "second"}
    [winner] = [row for row in own if row["outcome"] == "completed"]
    [loser] = [row for row in own if row is not winner]
    assert winner["final"] and winner["failure"] in (None, "none") and winner["output_source"] == "provider"
    assert (loser["outcome"], loser["failure"], loser["final"]) == ("cancelled", "hedge_lost", False)
    assert loser["input_source"] == "estimated" and loser["input_tokens"] > 0
    closed = ended[loser["attempt_id"]]["closed"] if loser["attempt_id"] in ended else "never received"
    assert closed == "client-left" or is_close and closed in ("complete", "never received")
    assert ended[winner["attempt_id"]]["closed"] == "complete"
  return len(hedged)


@pytest.mark.timeout(300)
def test_stragglers_no_longer_decide_the_slowest_first_tokens(binary, tmp_path, start_router):
  seen = {}
  for name, hedge in HEDGES.items():
    pair = {provider: Simulator(binary, tmp_path, f"{name}-{provider}") for provider in ("first", "second")}
    try:
      for simulator in pair.values():
        simulator.start()
      router = start_router(
        routes_of(providers_of(pair), {"m": [("first", FLEET), ("second", FLEET)]}, hedge), name)
      router.hedges = hedge is not None
      times = first_tokens(router)
      rows = router.ledger_rows(completions=WARM_UP + REQUESTS)
      hedges = check_pairs(rows, pair, is_close=name == "quantile")
      assert all(row["cost_nanousd"] is not None for row in rows)
      lost = sum(row["cost_nanousd"] for row in rows if row["failure"] == "hedge_lost")
      rest = sum(row["cost_nanousd"] for row in rows if row["failure"] != "hedge_lost")
      seen[name] = percentile(times, 99)
      print(f"{name}: first token p50 {percentile(times, 50) * 1000:.0f} ms, p99 {seen[name] * 1000:.0f} ms, "
            f"{hedges} hedges of {len(by_completion(rows))} completions, {100 * lost / rest:.2f} % more cost")
      if hedge:
        assert hedges and 0 < lost <= rest * float(hedge["spend"].rstrip("%")) / 100
      else:
        assert not hedges and not lost and seen[name] >= STRAGGLER
    finally:
      router.stop()
      for simulator in pair.values():
        simulator.stop()
  for name in ("fixed", "quantile"):
    assert seen[name] * 5 <= seen["without"], f"{name}: {seen}"


def reasons(router, count):
  return [row["reason"] for row in router.ledger_rows(count)]


def ask_some(router, count=6):
  """One after the other."""
  return ask_fleet(router, count, 1)


GENEROUS = {"after": "100ms", "spend": "50%"}


def test_a_late_endpoint_is_hedged_when_there_is_money(pair, start_router):
  """What the tests below would see if nothing stood against a hedge."""
  router = start_router(routes_of(
    providers_of(pair), {"m": [("first", LATE), ("second", "sim-tokens-5")]}, GENEROUS))
  answers = ask_some(router)
  assert "hedge" in reasons(router, 7)
  hedges = check_pairs(router.ledger_rows(8), pair)
  assert 2 <= hedges <= 3, "half of the requests may be hedged"
  # The faster attempt answered, whole.
  assert sum(answer.first_token < 0.28 for answer in answers) == hedges
  quick = [answer for answer in answers if answer.first_token < 0.28]
  for answer in quick:
    assert '"provider":"second' in answer.events[0] and len(answer.events) > 5


def test_the_first_may_win_after_all(pair, start_router):
  router = start_router(routes_of(providers_of(pair), {
    "m": [("first", "sim-tokens-5-slow-first-200"), ("second", "sim-tokens-5-slow-first-3000")]}, GENEROUS))
  ask_some(router)
  rows = router.ledger_rows(8)
  assert check_pairs(rows, pair) >= 2
  assert {row["provider"] for row in rows if row["outcome"] == "completed"} == {"first"}


@pytest.mark.parametrize("spend", ["0%", "0.1%"])
def test_without_money_there_is_no_hedge(pair, start_router, spend):
  router = start_router(routes_of(
    providers_of(pair), {"m": [("first", LATE), ("second", "sim-tokens-5")]}, {"after": "100ms", "spend": spend}))
  asyncio.run(ask_all(router.port, [request()] * 40, 20))
  assert reasons(router, 40) == ["first"] * 40


def test_a_hedge_never_goes_to_another_model(pair, start_router):
  router = start_router(routes_of(
    providers_of(pair), {"m": [("first", LATE)], "other": [("second", "sim-tokens-5")]}, GENEROUS))
  ask_some(router)
  assert reasons(router, 6) == ["first"] * 6


def test_a_hedge_never_goes_to_an_endpoint_that_is_out(pair, start_router):
  router = start_router(routes_of(
    providers_of(pair), {"m": [("first", LATE), ("second", "sim-503")]}, GENEROUS))
  # The second is asked alone, and is out from then on.
  [answer] = asyncio.run(ask_all(router.port, [request() | {"provider": {"only": ["second"]}}], 1))
  assert answer.status in (502, 503)
  ask_some(router, 6)
  rows = router.ledger_rows(7)
  assert "hedge" not in [row["reason"] for row in rows]
  assert {row["provider"] for row in rows if row["generation_id"] != answer.field("x-generation-id")} == {"first"}


def test_an_unstreamed_request_and_a_route_without_hedge_have_one_attempt(pair, start_router):
  routes = routes_of(providers_of(pair), {"m": [("first", LATE), ("second", "sim-tokens-5")]}, GENEROUS)
  routes["routes"]["plain"] = {"models": ["m"], "policy": "order"}
  router = start_router(routes)
  bodies = [request() | {"stream": False}, request("plain")] * 3
  answers = asyncio.run(ask_all(router.port, bodies, 1))
  assert {answer.status for answer in answers} == {200}
  assert reasons(router, 6) == ["first"] * 6
