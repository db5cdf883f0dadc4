"""kill -9 of the router under load, 50 times: nothing that a client saw the end of is lost, nothing is counted twice.

Three logs are compared: what the clients saw, what the simulated provider did, and what the ledger says after a
restart.
"""
import asyncio
import collections
import contextlib
import dataclasses
import json
import random

import pytest
from conftest import Router, Simulator
from raw_http import events_of, request_bytes

KILLS = 50
CLIENTS = 12
SOONEST, LATEST = 0.1, 0.4

# What is asked for: some answers are quick, some take longer than the router lives, some need a second endpoint, and
# some break off.
MODELS = {
  "quick": ["sim-tokens-12"],
  "paced": ["sim-tokens-20-pace-4"],
  "slow": ["sim-tokens-200-pace-5"],
  "second": ["sim-503", "sim-tokens-15"],
  "cut": ["sim-cut-at-4000"],
}


@dataclasses.dataclass
class Asked:
  """What one client knows of one request."""
  route: str
  is_streamed: bool
  generation: str | None = None
  saw_end: bool = False
  tokens: int | None = None


async def ask(reader, writer, asked):
  """One request; `asked` holds what is known at the moment when the connection breaks."""
  body = {"model": asked.route, "stream": asked.is_streamed, "messages": [{"role": "user", "content": "Hello"}]}
  writer.write(request_bytes(body=body))
  await writer.drain()
  head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
  fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
  asked.generation = fields["x-generation-id"]
  if "content-length" in fields:
    answer = json.loads(await reader.readexactly(int(fields["content-length"])))
    if "error" not in answer:
      asked.saw_end, asked.tokens = True, answer["usage"]["completion_tokens"]
    return
  received = b""
  while size := int(await reader.readuntil(b"\r\n"), 16):
    received += (await reader.readexactly(size + 2))[:size]
    events = events_of(received)
    if events and events[-1] == "[DONE]":
      asked.saw_end = True
      [asked.tokens] = [json.loads(event)["usage"]["completion_tokens"] for event in events[:-1]
                        if '"usage":{' in event]
  await reader.readuntil(b"\r\n")


async def client(port, log, random):
  """Asks one thing after another until the router is gone."""
  with contextlib.suppress(OSError, asyncio.IncompleteReadError):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
      while True:
        asked = Asked(random.choice(list(MODELS)), random.random() < 0.6)
        log.append(asked)
        await ask(reader, writer, asked)
    finally:
      writer.close()


async def live_and_die(router, log, random):
  clients = [asyncio.create_task(client(router.port, log, random)) for _ in range(CLIENTS)]
  await asyncio.sleep(random.uniform(SOONEST, LATEST))
  router.kill()
  await asyncio.wait_for(asyncio.gather(*clients), 20)


@pytest.mark.timeout(300)
def test_fifty_kills_lose_nothing_and_count_nothing_twice(binary, tmp_path):
  simulator = Simulator(binary, tmp_path)
  router = Router(binary, tmp_path, {
    "providers": {"sim": simulator.provider()},
    "models": {name: {"endpoints": [
      {"provider": "sim", "model": model, "price": {"input": 1, "output": 2}} for model in models]}
      for name, models in MODELS.items()},
    "routes": {name: {"models": [name], "policy": "order"} for name in MODELS},
  })
  asked, chance = [], random.Random(2026)
  try:
    simulator.start()
    for _ in range(KILLS):
      router.start()
      asyncio.run(live_and_die(router, asked, chance))
    router.start()
    rows = router.ledger_rows(seconds=30)
    assert router.stop() == 0
    # A second recovery finds the same.
    assert sorted(router.usage_rows(), key=lambda row: row["attempt_id"]) == rows
    provided = simulator.attempts()
  finally:
    router.stop()
    simulator.stop()
  check(asked, provided, rows)


def check(asked, provided, rows):
  ended = [each for each in asked if each.saw_end]
  print(f"{KILLS} kills, {len(asked)} requests, {len(ended)} ends seen, {len(rows)} rows")
  assert len(ended) > 10 * KILLS, "there was hardly any load"
  assert sum(each.is_streamed for each in ended) > KILLS and sum(not each.is_streamed for each in ended) > KILLS

  by_id = {row["attempt_id"]: row for row in rows}
  assert len(by_id) == len(rows), "an attempt is in the ledger twice"
  received = [each["attempt"] for each in provided if each["event"] == "received"]
  assert len(set(received)) == len(received), "an attempt was sent twice"
  tokens_sent = {each["attempt"]: each["tokens_sent"] for each in provided if each["event"] == "ended"}

  # Every end that a client saw is there once, as completed, with the provider's own count.
  completed = collections.defaultdict(list)
  for row in rows:
    if row["outcome"] == "completed":
      completed[row["generation_id"]].append(row)
  for each in ended:
    [row] = completed[each.generation]
    assert row["final"] and row["route"] == each.route and row["streamed"] == each.is_streamed
    assert row["output_tokens"] == each.tokens == tokens_sent[row["attempt_id"]]
    assert row["output_source"] == "provider"

  # Everything that the provider worked for is there. What it never heard of is marked so: the router died first, or the
  # kept connection was dead.
  assert set(received) <= set(by_id)
  unsent = [by_id[attempt] for attempt in set(by_id) - set(received)]
  for row in unsent:
    assert (row["outcome"], row["failure"]) in (("interrupted", "router_died"), ("failed", "stale_connection"))
    assert row["output_tokens"] is None and row["cost_nanousd"] is None

  # What was under way when the router died says so.
  died = [row for row in rows if row["failure"] == "router_died"]
  assert len(died) > KILLS
  assert {row["outcome"] for row in died} == {"interrupted"}
  assert {row["outcome"] for row in rows} == {"completed", "failed", "interrupted"}
