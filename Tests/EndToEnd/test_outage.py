"""Providers that fall silent, go away, come back and lie: the clients are served, and nobody is hammered."""
import asyncio
import collections
import os
import random
import signal
import threading
import time

import httpx
import pytest
from async_http import AsyncClient, ask_all, ask_steadily, percentile
from conftest import Simulator, wait_until

FULL = bool(os.environ.get("POINTSMAN_FULL"))


def request(model="chat", stream=False, **more):
  return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]} | more


def routes_of(providers, endpoints, **route):
  """A route `chat` to one model. endpoints: (provider, the simulated model), in the order in which they are asked."""
  return {
    "providers": providers,
    "models": {"m": {"endpoints": [
      {"provider": provider, "model": model, "price": {"input": 1, "output": 2}} for provider, model in endpoints]}},
    "routes": {"chat": {"models": ["m"], "policy": "order"} | route},
  }


@pytest.fixture
def start_simulator(binary, tmp_path):
  """start_simulator(name) gives one of its own, with its own log."""
  started = []

  def start(name="sim"):
    started.append(Simulator(binary, tmp_path, f"simulator-{name}"))
    return started[-1].start()

  try:
    yield start
  finally:
    for simulator in started:
      if simulator.running:
        simulator.process.send_signal(signal.SIGCONT)
      simulator.stop()


def received(simulator):
  return [each for each in simulator.attempts() if each["event"] == "received"]


# Silence.

@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("word", ["silent", "half-headers"] if FULL else ["silent"])
def test_a_silent_provider_is_asked_once_and_the_next_one_in_time(start_simulator, start_router, word, stream):
  simulator = start_simulator()
  router = start_router(routes_of(
    {"mute": simulator.provider(), "sound": simulator.provider()}, [("mute", f"sim-{word}"), ("sound", "sim")],
    timeouts={"headers": "1s", "unstreamed": "1s"}))
  [answer] = asyncio.run(ask_all(router.port, [request(stream=stream)], 1))
  print(f"answered after {answer.seconds:.2f} s")
  assert answer.status == 200 and answer.field("x-pointsman-provider") == "sound"
  assert 1 <= answer.seconds < 2
  rows = router.ledger_rows(2)
  assert [(row["provider"], row["outcome"]) for row in rows] == [("mute", "failed"), ("sound", "completed")]
  assert rows[0]["failure"] == "headers_timeout"
  assert collections.Counter(each["model"] for each in received(simulator)) == {f"sim-{word}": 1, "sim": 1}


# Everything is down.

SECONDS, PER_SECOND = (20, 200) if FULL else (5, 200)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("count", [1, 2])
def test_when_all_providers_refuse_they_are_not_asked_more_than_a_fifth_more(start_simulator, start_router, count):
  simulator = start_simulator()
  names = ["north", "south"][:count]
  router = start_router(routes_of(
    {name: simulator.provider() for name in names}, [(name, "sim-503") for name in names]))
  answers = asyncio.run(ask_steadily(router.port, request(), PER_SECOND, SECONDS))
  first = len(answers)
  dispatched = len(received(simulator))
  times = [answer.seconds for answer in answers]
  print(f"{first} requests, {dispatched} attempts ({dispatched / first:.3f}), errors p50 "
        f"{percentile(times, 50) * 1000:.0f} ms, p99 {percentile(times, 99) * 1000:.0f} ms")
  assert first == PER_SECOND * SECONDS
  assert {answer.status for answer in answers} <= {502, 503}
  assert all(answer.json()["error"]["message"] for answer in answers)
  assert dispatched <= 1.2 * first + 3
  assert percentile(times, 99) < 1
  rows = router.ledger_rows(dispatched)
  assert {row["attempt_id"] for row in rows} == {each["attempt"] for each in received(simulator)}


# One goes away and comes back.

AWAY, WITHIN = (60, 30) if FULL else (10, 20)


@pytest.mark.timeout(200)
def test_while_a_provider_is_away_everybody_is_served_and_it_is_left_alone(start_simulator, start_router):
  flapping, steady = start_simulator("flapping"), start_simulator("steady")
  router = start_router(routes_of(
    {"flapping": flapping.provider(), "steady": steady.provider()},
    [("flapping", "sim-tokens-5"), ("steady", "sim-tokens-5")]))
  before, moments = 1, {}

  def flap():
    time.sleep(before)
    moments["gone"] = time.time()
    flapping.stop()
    time.sleep(AWAY)
    flapping.start()
    moments["back"] = time.time()

  def is_back(answers):
    """It has served for 3 s since its return."""
    if "back" not in moments:
      return False
    if "served" not in moments and answers[-1].field("x-pointsman-provider") == "flapping":
      moments["served"] = time.time()
    return time.time() > moments.get("served", time.time()) + 3

  async def load():
    task = asyncio.create_task(asyncio.to_thread(flap))
    answers = await ask_steadily(router.port, request(), 40, before + AWAY + WITHIN + 5, until=is_back)
    await task
    return answers

  answers = asyncio.run(load())
  statuses = collections.Counter(answer.status for answer in answers)
  assert statuses == {200: len(answers)}, statuses
  rows = router.ledger_rows(completions=len(answers))
  failed = [row for row in rows if row["provider"] == "flapping" and row["outcome"] != "completed"]
  away = [row for row in failed if row["failure"] != "stale_connection"]
  # What the ledger calls a row's moment is the wall clock in milliseconds, part of its id.
  def moment(row):
    return int(row["attempt_id"].replace("-", "")[:12], 16) / 1000
  returned = [moment(row) for row in rows
              if row["provider"] == "flapping" and row["outcome"] == "completed" and moment(row) > moments["back"] - 1]
  assert returned, "it did not come back"
  late = returned[0] - moments["back"]
  tried = ", ".join(f"{moment(row) - moments['gone']:.1f}" for row in away)
  print(f"{len(answers)} requests, {len(away)} attempts at it while it was away for {AWAY} s (after {tried} s), "
        f"back {late:.1f} s after its return, {len(returned)} answers by it since")
  assert 1 <= len(away) <= 10
  assert late <= WITHIN
  assert {row["provider"] for row in rows if row["outcome"] == "completed"} == {"flapping", "steady"}


def test_the_last_candidate_is_never_given_up(start_simulator, start_router):
  """Half of all attempts fail at the only provider: every request is tried there."""
  simulator = start_simulator()
  router = start_router(routes_of({"only": simulator.provider()}, [("only", "sim-tokens-5-percent-50-503")]))
  bodies = [request()] * (1000 if FULL else 300)
  answers = asyncio.run(ask_all(router.port, bodies, 8))
  rows = router.ledger_rows(completions=len(bodies))
  served = sum(answer.status == 200 for answer in answers)
  print(f"{served} of {len(bodies)} served, by {len(rows)} attempts")
  assert served >= 0.49 * len(bodies)
  assert {answer.field("x-generation-id") for answer in answers} == {row["generation_id"] for row in rows}


# Connections that die while they are kept.

STALE_REQUESTS = 10_000 if FULL else 2_000
STALE_WORDS = ["stale", "stale-now", "close-idle-0", "close-idle-1", "close-idle-2", "close-idle-3", "close-idle-5"]


@pytest.mark.timeout(200)
def test_a_kept_connection_that_dies_is_never_seen_by_a_client(start_simulator, start_router):
  simulator = start_simulator()
  routes = routes_of({"sim": simulator.provider()}, [("sim", "sim-tokens-3")])
  # A provider each, since connections are kept by provider.
  routes["providers"] = {word: simulator.provider() for word in STALE_WORDS}
  routes["models"] = {word: {"endpoints": [
    {"provider": word, "model": f"sim-tokens-3-{word}", "price": {"input": 1, "output": 2}}]} for word in STALE_WORDS}
  routes["routes"] = {word: {"models": [word], "policy": "order"} for word in STALE_WORDS}
  router = start_router(routes)
  chance = random.Random(2026)
  answers = []

  async def work(number, left):
    word = STALE_WORDS[number % len(STALE_WORDS)]
    async with AsyncClient(router.port) as client:
      while next(left, None) is not None:
        answers.append(await client.ask(request(word, stream=chance.random() < 0.5)))
        # Around the moment at which the kept connection is closed.
        await asyncio.sleep(chance.uniform(0, 0.006))

  async def load():
    left = iter(range(STALE_REQUESTS))
    await asyncio.gather(*(work(number, left) for number in range(2 * len(STALE_WORDS))))

  asyncio.run(load())
  assert len(answers) == STALE_REQUESTS
  errors = [answer.body for answer in answers
            if answer.status != 200 or b'"error"' in answer.body or b'"finish_reason":"stop"' not in answer.body]
  assert not errors, f"{len(errors)} errors: {errors[:3]}"

  rows = router.ledger_rows(completions=STALE_REQUESTS, seconds=30)
  by_id = {row["attempt_id"]: row for row in rows}
  dispatched = [each["attempt"] for each in received(simulator)]
  ended = {each["attempt"]: each for each in simulator.attempts() if each["event"] == "ended"}
  assert len(by_id) == len(rows) and len(set(dispatched)) == len(dispatched), "an attempt is there twice"
  assert set(dispatched) <= set(by_id), "a dispatch has no row"
  found = collections.defaultdict(list)
  for row in rows:
    found[row["generation_id"]].append(row)
  assert set(found) == {answer.field("x-generation-id") for answer in answers}
  stale = 0
  for own in found.values():
    *before, last = own
    assert last["outcome"] == "completed" and last["final"]
    assert ended[last["attempt_id"]]["closed"] == "complete"
    for row in before:
      stale += 1
      assert row["failure"] == "stale_connection" and row["output_tokens"] in (None, 0), row
      # The provider had not sent a byte, or has never heard of it.
      assert row["attempt_id"] not in ended or ended[row["attempt_id"]]["bytes_sent"] == 0
  print(f"{len(answers)} requests, {stale} attempts on dead connections, {len(rows)} rows, "
        f"{len(dispatched)} seen by the provider")
  assert stale > STALE_REQUESTS / 40, "there was hardly any race"


# One vanishes: no FIN, no RST, its connections stay.

def descriptors(router):
  return len(os.listdir(f"/proc/{router.process.pid}/fd"))


@pytest.mark.timeout(120)
def test_a_provider_that_vanishes_is_noticed_by_the_deadlines(start_simulator, start_router):
  vanishing, steady = start_simulator("vanishing"), start_simulator("steady")
  routes = routes_of(
    {"vanishing": vanishing.provider(), "steady": steady.provider()},
    [("vanishing", "sim-tokens-2000-pace-10"), ("steady", "sim-tokens-5")],
    timeouts={"headers": "1s", "first_token": "1s", "gap": "1s", "unstreamed": "1s"})
  router = start_router(routes)
  # Connections to the other are kept for a while, so they are there before too.
  asyncio.run(ask_all(router.port, [request(provider={"only": ["steady"]}, stream=True)] * 40, 40))
  warm = len(router.ledger_rows(40))
  baseline = descriptors(router)
  streams, seconds = 20, {}

  def read(number):
    """A stream, from its start until it ends; the seconds since the provider was stopped."""
    with httpx.stream("POST", f"{router.url}/chat/completions", json=request(stream=True), timeout=30,
                      trust_env=False) as answer:
      body = b""
      for piece in answer.iter_raw():
        body += piece
        streaming.add(number)
    seconds[number] = (body, time.monotonic() - stopped["at"])

  stopped, streaming = {}, set()
  threads = [threading.Thread(target=read, args=(number,)) for number in range(streams)]
  for thread in threads:
    thread.start()
  wait_until(lambda: len(streaming) == streams, "the streams did not begin")
  vanishing.process.send_signal(signal.SIGSTOP)
  stopped["at"] = time.monotonic()
  # Whoever comes now is served by the other, some of them after a deadline.
  answers = asyncio.run(ask_all(router.port, [request()] * 40, 20))
  for thread in threads:
    thread.join(20)
  assert len(seconds) == streams
  assert {(answer.status, answer.field("x-pointsman-provider")) for answer in answers} == {(200, "steady")}
  assert max(answer.seconds for answer in answers) < 2.5
  for body, late in seconds.values():
    assert b"[DONE]" not in body and b'"finish_reason":"error"' in body
    assert 0.9 < late < 2.5
  rows = router.ledger_rows(completions=40 + streams + 40)
  outcomes = collections.Counter(
    (row["outcome"], row["failure"]) for row in rows if row["provider"] == "vanishing")
  print(f"streams ended {max(late for _, late in seconds.values()):.2f} s after it vanished, others answered after "
        f"{max(answer.seconds for answer in answers):.2f} s at most; rows {dict(outcomes)}")
  assert outcomes["interrupted", "stalled"] == streams
  assert set(outcomes) <= {("interrupted", "stalled"), ("failed", "headers_timeout")}
  wait_until(lambda: descriptors(router) <= baseline + streams // 2,
             lambda: f"{descriptors(router)} descriptors, {baseline} before", 15, every=0.1)
