"""More than can be served: what is above a bound is refused at once and cheaply, what is below it does not notice."""
import asyncio
import hashlib
import os
import resource
import signal
import socket
import time

import httpx
import pytest
from conftest import route_to, wait_until
from many_clients import Clients, chat, percentile, until
from raw_http import RawClient, ask, request_bytes

FULL = bool(os.environ.get("POINTSMAN_FULL"))
BODY = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
KIB, MIB = 1 << 10, 1 << 20


def resident(program):
  """Bytes of memory that the program holds."""
  with open(f"/proc/{program.process.pid}/statm") as statm:
    return int(statm.read().split()[1]) * resource.getpagesize()


def routes_to(simulator, model, **others):
  return route_to([("sim", model, 1)], {"sim": simulator.provider()}) | others


def key_fields(key):
  return [("Authorization", f"Bearer {key}")]


def keys_with(**bounds):
  """`keys` of a routes file: each key's text is its name."""
  return {name: {"sha256": hashlib.sha256(name.encode()).hexdigest()} | ({"concurrency": bound} if bound else {})
          for name, bound in bounds.items()}


def refused(router, status):
  """How many requests the router says that it refused with this status."""
  page = httpx.get(f"{router.admin_url}/metrics", trust_env=False).text
  return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines()
             if line.startswith("pointsman_requests_refused_total") and f'status="{status}"' in line)


# MARK: Bounds

def test_a_key_has_no_more_completions_at_once_than_it_may(simulator, start_router):
  routes = routes_to(simulator, "sim-tokens-400-pace-20", keys=keys_with(few=2, any=None))
  router = start_router(routes)

  def stream(key):
    client = RawClient(router.port)
    client.send(request_bytes(body=BODY | {"stream": True}, fields=key_fields(key)))
    assert client.read_head()[0] == 200
    return client

  def answer(key):
    return ask(router.port, body=BODY | {"max_tokens": 1}, fields=key_fields(key))

  first, second = stream("few"), stream("few")
  third = answer("few")
  assert (third.status, third.field("retry-after")) == (429, "1")
  error = third.json()["error"]
  assert error["code"] == "rate_limit_exceeded" and "keys.few.concurrency" in error["message"], error
  assert third.field("connection") is None, "its body was here already, so the connection stays"
  assert answer("any").status == 200, "another key is not concerned"
  # What runs is counted on through a reload, whatever else changes in the file.
  before = router.log.read_text().count("adopted")
  router.write_routes(routes | {"keys": keys_with(other=1, few=2, any=None)})
  router.process.send_signal(signal.SIGHUP)
  wait_until(lambda: router.log.read_text().count("adopted") > before, router.log_end, 10)
  assert answer("few").status == 429
  with first:
    pass
  wait_until(lambda: answer("few").status == 200, "the place of a client that left is not free", 5)
  assert refused(router, 429) >= 2
  second.stream.close()
  second.socket.close()


def test_the_completions_of_all_keys_together_are_bounded(simulator, start_router):
  router = start_router(routes_to(simulator, "sim-tokens-20-pace-25", listeners={"limits": {"streams": 3}}))

  async def run():
    async with Clients(router.port) as clients:
      replies = await asyncio.gather(*(clients.ask(chat(stream=number % 2 == 0)) for number in range(30)))
      assert ask(router.port, "/livez", method="GET").status == 200
      return replies, await clients.ask(chat())

  replies, later = asyncio.run(run())
  served = [reply for reply in replies if reply.is_served_whole]
  rest = [reply for reply in replies if reply.status == 503]
  assert (len(served), len(rest)) == (3, 27), [reply.status for reply in replies]
  assert all(reply.has("retry-after: 1") and b"listeners.limits.streams" in reply.body for reply in rest)
  assert later.is_served_whole
  assert len(router.ledger_rows(4)) == 4, "a refusal is no attempt"
  assert refused(router, 503) == 27


def test_a_refusal_reads_no_body(simulator, start_router):
  router = start_router(routes_to(simulator, "sim-tokens-400-pace-20", listeners={"limits": {"streams": 1}}))
  with RawClient(router.port) as running, RawClient(router.port) as large:
    running.send(request_bytes(body=BODY | {"stream": True}))
    assert running.read_head()[0] == 200
    start = time.monotonic()
    large.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               b"Content-Length: 20000000\r\n\r\n{")
    answer = large.read_answer()
    assert (answer.status, answer.field("connection"), answer.field("retry-after")) == (503, "close", "1")
    assert time.monotonic() - start < 1
    sent, chunk = 0, b" " * (64 * KIB)
    with pytest.raises(OSError):
      for _ in range(300):
        large.send(chunk)
        sent += len(chunk)
        time.sleep(0.001)
    assert sent < 12 * MIB, "what the sockets hold, and no more"


def received_bytes(router):
  page = httpx.get(f"{router.admin_url}/metrics", trust_env=False, timeout=10).text
  return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("pointsman_received_bytes_total"))


def test_bodies_that_are_held_are_bounded(simulator, start_router):
  limits = {"max_body": "64KiB", "limits": {"bodies": "96KiB"}}
  router = start_router(routes_to(simulator, "sim-tokens-3", listeners=limits))
  head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
  with RawClient(router.port) as first, RawClient(router.port) as second:
    first.send(head + b"Content-Length: 60000\r\n\r\n{" + b" " * 50_000)
    wait_until(lambda: received_bytes(router) > 50_000, "the first body does not arrive", 5)
    second.send(head + b"Content-Length: 50000\r\n\r\n{")
    answer = second.read_answer()
    assert (answer.status, answer.field("retry-after")) == (503, "1"), answer.body
  wait_until(lambda: ask(router.port, body=BODY | {"user": "x" * 50_000}).status == 200, "no room again", 5)


def test_connections_beyond_the_bound_are_told_so_and_health_is_still_answered(simulator, start_router):
  bound, loops, surplus = 20, os.cpu_count() or 1, 256
  router = start_router(routes_to(simulator, "sim-tokens-3", listeners={"limits": {"connections": bound}}))
  held = [RawClient(router.port) for _ in range(bound)]
  try:
    for client in held:
      client.send(request_bytes("/livez", method="GET"))
      assert client.read_answer().status == 200
    answer = ask(router.port, body=BODY)
    assert (answer.status, answer.field("connection"), answer.field("retry-after")) == (503, "close", "1")
    assert "listeners.limits.connections" in answer.json()["error"]["message"]
    for path in "/livez", "/readyz":
      answer = ask(router.port, path, method="GET")
      assert (answer.status, answer.field("connection")) == (200, "close"), path
    held[0].send(request_bytes(body=BODY))
    assert held[0].read_answer().status == 200, "who is within the bound does not notice"
    # So many more at once that most of them cannot even be read.
    crowd = [RawClient(router.port) for _ in range(surplus * loops + 200)]
    for client in crowd:
      client.send(request_bytes(body=BODY))
    answers = [client.read_answer() for client in crowd]
    assert {(answer.status, answer.field("connection"), answer.field("retry-after")) for answer in answers} == {
      (503, "close", "1")}
    for client in crowd:
      client.__exit__()
  finally:
    for client in held:
      client.__exit__()
  wait_until(lambda: ask(router.port, body=BODY).status == 200, "no room again", 5)
  assert refused(router, 503) >= len(answers)


# MARK: Memory

async def warm_up(clients):
  """What the first requests need once for all is not part of what each later one holds."""
  await asyncio.gather(*(clients.ask(chat(stream=True, max_tokens=20)) for _ in range(8)))


@pytest.mark.timeout(300)
def test_slow_readers_pause_their_upstream(simulator, start_router):
  count, size = (200, 50 * MIB) if FULL else (50, 8 * MIB)
  tokens = size // 200
  router = start_router(routes_to(simulator, f"sim-tokens-{tokens}"))

  async def warm():
    async with Clients(router.port) as clients:
      await warm_up(clients)

  asyncio.run(warm())
  attempts = len(simulator.attempts())
  before, clients = resident(router), []
  try:
    for _ in range(count):
      client = RawClient(router.port, receive_buffer=4 * KIB)
      client.send(request_bytes(body=BODY | {"stream": True, "max_tokens": tokens}))
      clients.append(client)
    largest, end = 0, time.monotonic() + (20 if FULL else 3)
    while time.monotonic() < end:
      for client in clients:
        assert client.socket.recv(KIB), "the stream ended"
      largest = max(largest, resident(router) - before)
      time.sleep(0.5)
    print(f"{largest / count / KIB:.0f} KiB for each of {count} slow readers")
    assert ask(router.port, body=BODY | {"max_tokens": 3}).status == 200, "others are served meanwhile"
  finally:
    for client in clients:
      client.__exit__()
  rows = router.ledger_rows(count, where=lambda row: row["outcome"] == "cancelled")
  assert len(rows) == count, "every stream ran to the end of the test, and is settled"
  ended = wait_until(
    lambda: len(found := [line for line in simulator.attempts()[attempts:]
                          if line["event"] == "ended" and line["closed"] == "client-left"]) >= count and found,
    "the simulator has not seen the clients leave", 10)
  sent = sorted(line["bytes_sent"] for line in ended)
  print(f"of {size / MIB:.0f} MiB the provider could send {sent[0] / MIB:.1f} to {sent[-1] / MIB:.1f}")
  # What is beyond the router's own buffer is what the kernel holds between the two.
  assert sum(sent) < count * size * 3 / 4
  assert largest <= count * 256 * KIB


@pytest.mark.timeout(300)
def test_idle_connections_and_open_streams_are_small(simulator, start_router):
  idle, streams, pace = (8_000, 1_000, 200) if FULL else (1_500, 300, 100)
  router = start_router(routes_to(simulator, f"sim-tokens-40-pace-{pace}"))

  async def run():
    async with Clients(router.port) as clients, Clients(router.port) as quiet:
      await warm_up(clients)
      for line in clients.lines:
        line.close()
      assert await until(lambda: not any(line.is_open for line in clients.lines), 5)
      base = resident(router)
      for _ in range(idle // 100):
        lines = [await quiet.line() for _ in range(100)]
        replies = await asyncio.gather(*(line.send(request_bytes("/livez", method="GET")) for line in lines))
        assert {reply.status for reply in replies} == {200}
      await asyncio.sleep(0.3)
      with_idle = resident(router)
      lines = [await clients.line() for _ in range(streams)]
      replies = [line.send(chat(stream=True)) for line in lines]
      await asyncio.gather(*(line.begun for line in lines))
      largest = 0
      while not all(reply.done() for reply in replies):
        largest = max(largest, resident(router) - with_idle)
        await asyncio.sleep(0.1)
      assert all(line.is_open for line in quiet.lines)
      again = await asyncio.gather(*(line.send(request_bytes("/livez", method="GET")) for line in quiet.lines[:200]))
      return with_idle - base, largest, [await reply for reply in replies] + list(again)

  idle_bytes, stream_bytes, replies = asyncio.run(run())
  print(f"{idle_bytes / idle / KIB:.1f} KiB an idle connection, {stream_bytes / streams / KIB:.1f} KiB a stream")
  assert all(reply.is_served_whole for reply in replies)
  assert idle_bytes <= idle * 16 * KIB
  assert stream_bytes <= streams * 64 * KIB


# MARK: Saturation

@pytest.mark.timeout(240)
def test_five_times_what_can_be_served_leaves_the_goodput_as_it_is(simulator, start_router):
  # Answers that take long beside what the machine's other work adds to them, so that it does not decide.
  at_once, seconds = (15, 120) if FULL else (8, 6)
  routes = routes_to(simulator, "sim-slow-headers-50-tokens-3")
  routes["models"]["tiny"]["endpoints"][0]["concurrency"] = at_once
  router = start_router(routes)

  async def run():
    async with Clients(router.port) as clients:
      await clients.repeat(chat(), 0.5, at_once)
      measured = 10 if FULL else 2.5
      calm = await clients.repeat(chat(), measured, at_once)
      peak = sum(reply.is_served_whole for reply in calm) / measured
      start = time.monotonic()
      flood = await clients.offer(chat(), 5 * peak, seconds)
      took = time.monotonic() - start
      after = time.monotonic()
      # It is back to normal when a third of what can be served is served whole, for as long as it is looked at.
      while True:
        later = await clients.offer(chat(), peak / 3, 1)
        if all(reply.is_served_whole for reply in later):
          break
        assert time.monotonic() - after < 5, "it does not recover"
      return peak, calm, flood, took, later

  peak, calm, flood, took, later = asyncio.run(run())
  served = [reply for reply in flood if reply.is_served_whole]
  rest = [reply for reply in flood if not reply.is_served_whole]
  late = percentile([reply.seconds for reply in rest], 0.99)
  usual, afterwards = (percentile([reply.seconds for reply in replies], 0.5) for replies in (calm, later))
  print(f"peak {peak:.0f}/s; offered {len(flood) / took:.0f}/s, served {len(served) / took:.0f}/s "
        f"({len(served) / took / peak:.0%}), refused with p99 {late * 1000:.1f} ms; p50 before {usual * 1000:.1f} ms, "
        f"after {afterwards * 1000:.1f} ms")
  assert len(flood) > 4 * peak * took
  assert {reply.status for reply in rest} <= {429, 503}, {reply.status for reply in rest}
  assert all(reply.has("retry-after: ") for reply in rest)
  assert len(served) / took >= 0.9 * peak
  # How late is a figure of the machine, and of this client on it: it is held where it is measured.
  assert late < (0.05 if FULL else 0.5)
  assert afterwards < 2 * usual


def test_slow_heads_keep_nobody_else_out(simulator, start_router):
  slow, seconds = (2_000, 60) if FULL else (500, 11)
  router = start_router(routes_to(simulator, "sim-tokens-3"))
  head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: "

  async def trickle(lived):
    """A head that comes a byte a second, and how long the router has patience with it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", router.port)
    start = time.monotonic()
    ended = asyncio.create_task(reader.read())
    try:
      writer.write(head)
      while not ended.done() and time.monotonic() - start < 20:
        writer.write(b"x")
        await asyncio.wait([ended], timeout=1)
    finally:
      writer.close()
    lived.append((time.monotonic() - start, await ended if ended.done() and not ended.exception() else b""))

  async def run():
    lived = []
    async with Clients(router.port) as clients, asyncio.TaskGroup() as group:
      for _ in range(slow):
        group.create_task(trickle(lived))
      replies = await clients.offer(chat(), 20, seconds)
    return replies, lived

  replies, lived = asyncio.run(run())
  assert len(replies) >= 20 * (seconds - 1) and all(reply.is_served_whole for reply in replies)
  print(f"slow heads lived {min(time for time, _ in lived):.1f} to {max(time for time, _ in lived):.1f} s")
  assert len(lived) == slow and max(time for time, _ in lived) <= 15
  assert sum(b" 408 " in answer[:20] for _, answer in lived) >= 0.99 * slow
