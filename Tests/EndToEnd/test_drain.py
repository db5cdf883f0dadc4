"""Reloading and stopping under load: nobody is cut off, nothing fails, and what is left at the end is settled honestly."""
import asyncio
import json
import os
import signal
import socket
import time

import pytest
from conftest import Router, route_to, wait_until
from many_clients import Clients, chat, until
from raw_http import RawClient, ask, events_of, finish_reasons

FULL = bool(os.environ.get("POINTSMAN_FULL"))
RELOADS = 100 if FULL else 20
STREAM_SECONDS = 20 if FULL else 6
STREAMS = 50


class PatientRouter(Router):
  """Gives running answers so many seconds at a stop."""

  grace = 30

  def launch(self, command, environment=None, folder=None):
    super().launch([*command, "--grace", self.grace], environment, folder)


@pytest.fixture
def patient_router(binary, tmp_path):
  """patient_router(routes, grace) gives a running router."""
  started = []

  def start(routes, grace):
    router = PatientRouter(binary, tmp_path, routes)
    router.grace = grace
    started.append(router)
    return router.start()

  try:
    yield start
  finally:
    for router in started:
      router.kill()


def routes_with(simulator, endpoints):
  return route_to(endpoints, {provider: simulator.provider() for provider, *_ in endpoints})


# MARK: Reload

@pytest.mark.timeout(240)
def test_reloads_under_load_fail_no_request_and_cut_no_stream(simulator, start_router):
  quick, slow = ("quick", "sim-tokens-3", 1), ("slow", "sim-tokens-40-pace-50", 1)
  def files(*providers):
    routes = routes_with(simulator, [quick, slow])
    routes["providers"] |= {name: simulator.provider() for name in providers}
    routes["models"] = {
      "quick": {"endpoints": [routes["models"]["tiny"]["endpoints"][0]] + [
        {"provider": name, "model": "sim-tokens-3", "price": {"input": 1, "output": 1}} for name in providers]},
      "slow": {"endpoints": [routes["models"]["tiny"]["endpoints"][1]]},
    }
    routes["routes"] = {"chat": {"models": ["quick"]}, "long": {"models": ["slow"]}}
    return json.dumps(routes)

  one, other, bad = files(), files("second"), "providers: { a: { base_url: ftp://a.example } }\n"
  router = start_router(json.loads(one))

  async def reload(text, word):
    """Writes the file, asks for it to be read, and waits for the word in the log."""
    before = router.log.read_text().count(word)
    router.routes_file.write_text(text)
    router.process.send_signal(signal.SIGHUP)
    assert await until(lambda: router.log.read_text().count(word) > before, 15), router.log_end()

  async def run():
    stopped, streams = asyncio.Event(), []

    async def watch(clients):
      while not stopped.is_set():
        streams.append(await clients.ask(chat("long", stream=True)))

    async with Clients(router.port) as clients, asyncio.TaskGroup() as group:
      requests = group.create_task(clients.offer(chat(), 200, 600, stopped))
      watchers = [group.create_task(watch(clients)) for _ in range(STREAMS)]
      start = time.monotonic()
      for number in range(RELOADS):
        if number == RELOADS // 2:
          await reload(bad, "was not adopted")
        await reload(other if number % 2 == 0 else one, "adopted")
        await asyncio.sleep(0.1)
      took = time.monotonic() - start
      stopped.set()
      await asyncio.gather(*watchers)
      return await requests, streams, took

  requests, streams, took = asyncio.run(run())
  print(f"{RELOADS} reloads in {took:.1f} s: {len(requests)} requests, {len(streams)} streams")
  failed = [reply for reply in requests if not reply.is_served_whole]
  assert not failed, f"{len(failed)} of {len(requests)} failed, the first: {failed[0].status} {failed[0].body[:300]}"
  cut = [reply for reply in streams if not reply.is_served_whole]
  assert not cut, f"{len(cut)} of {len(streams)} were cut, the first: {cut[0].status} {cut[0].body[-300:]}"
  assert len(requests) > 150 * took and len(streams) >= STREAMS
  rows = router.ledger_rows(completions=len(requests) + len(streams))
  assert len(rows) == len(requests) + len(streams)
  assert {row["outcome"] for row in rows} == {"completed"}
  assert {row["provider"] for row in rows} == {"quick", "slow", "second"}, "both files have served"


# MARK: Stop

def open_streams(router, count):
  """Streams that have begun; the tasks of their replies, and the clients."""
  async def begin():
    clients = Clients(router.port)
    replies = []
    for _ in range(count):
      line = await clients.line()
      replies.append(line.send(chat(stream=True)))
    await asyncio.gather(*(line.begun for line in clients.lines))
    return clients, replies
  return begin()


def is_refused(port):
  with socket.socket() as probe:
    return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.timeout(120)
def test_a_stop_lets_every_stream_finish_and_takes_nothing_new(simulator, patient_router):
  pace = 100
  model = f"sim-tokens-{STREAM_SECONDS * 1000 // pace}-pace-{pace}"
  router = patient_router(route_to([("sim", model, 1)], {"sim": simulator.provider()}), STREAM_SECONDS + 10)

  async def run():
    clients, replies = await open_streams(router, STREAMS)
    half, idle = RawClient(router.port), RawClient(router.port)
    half.send(b"GET /readyz HTTP/1.1\r\nHo")
    idle.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert idle.read_answer().status == 200
    await asyncio.sleep(0.2)
    router.process.send_signal(signal.SIGTERM)
    assert await until(lambda: is_refused(router.port), 2), "new connections are still accepted"
    half.send(b"st: localhost\r\n\r\n")
    answer = half.read_answer()
    assert (answer.status, answer.field("connection")) == (503, "close"), "it is not ready, and says goodbye"
    assert half.is_closed() and idle.is_closed()
    async with clients:
      done = await asyncio.gather(*replies)
      # A stream that ends now ends its connection too.
      assert await until(lambda: not any(line.is_open for line in clients.lines), 5)
    finished = time.monotonic()
    await until(lambda: not router.running, 10)
    return done, time.monotonic() - finished

  replies, took = asyncio.run(run())
  cut = [reply for reply in replies if not reply.is_served_whole]
  assert not cut, f"{len(cut)} of {STREAMS} were cut, the first: {cut[0].status} {cut[0].body[-300:]}"
  assert router.process.poll() == 0, router.log_end()
  assert took <= 1.5, f"it ended {took:.1f} s after its last stream"
  rows = router.usage_rows()
  assert [row["outcome"] for row in rows] == ["completed"] * STREAMS


def test_what_runs_longer_than_the_grace_ends_with_an_error_and_is_settled(simulator, patient_router):
  count, grace = 10, 1
  router = patient_router(route_to([("sim", "sim-tokens-600-pace-100", 1)], {"sim": simulator.provider()}), grace)

  async def run():
    clients, replies = await open_streams(router, count)
    async with clients:
      unstreamed = RawClient(router.port)
      unstreamed.send(chat())
      assert await until(lambda: len(router.usage_rows()) == count + 1, 5)
      stopped = time.monotonic()
      router.process.send_signal(signal.SIGTERM)
      done = await asyncio.gather(*replies)
      answer = unstreamed.read_answer()
      await until(lambda: not router.running, 10)
      return done, answer, time.monotonic() - stopped

  replies, answer, took = asyncio.run(run())
  assert took <= grace + 1, f"it took {took:.1f} s"
  assert router.process.poll() == 0, router.log_end()
  for reply in replies:
    body = b"".join(line + b"\n" for line in reply.body.split(b"\n") if line.startswith(b"data:") or not line)
    events = events_of(body)
    assert reply.status == 200 and "[DONE]" not in events, reply.body[-300:]
    assert json.loads(events[-1])["error"]["message"] and finish_reasons(events) == ["error"]
  assert answer.status == 503 and answer.field("retry-after"), answer.body
  rows = router.usage_rows()
  assert len(rows) == count + 1 and "open" not in {row["outcome"] for row in rows}
  assert all(row["output_tokens"] > 0 for row in rows if row["streamed"]), "what came is counted"


def test_a_stop_amid_load_fails_nothing_that_was_taken_on(simulator, patient_router):
  """Every request that was answered at all was served; the others never got a connection, or a close before a byte."""
  router = patient_router(route_to([("sim", "sim-tokens-5-pace-10", 1)], {"sim": simulator.provider()}), 10)

  async def run():
    async with Clients(router.port) as clients:
      load = asyncio.create_task(clients.offer(chat(), 200, 2.0))
      await asyncio.sleep(1)
      router.process.send_signal(signal.SIGTERM)
      return await load

  replies = asyncio.run(run())
  router.process.wait(10)
  assert router.process.returncode == 0, router.log_end()
  served = [reply for reply in replies if reply.status]
  assert len(served) > 150
  assert all(reply.is_served_whole for reply in served), {reply.status for reply in served}
  rows = router.usage_rows()
  assert len(rows) == len(served) and {row["outcome"] for row in rows} == {"completed"}
