"""A TCP proxy that does to a connection what networks do: late, slow, torn, silent. In a test:

    with FaultProxy(engine_port, reset_at=500) as proxy:   # what comes from the engine; up={...} for the other way
      ask(proxy.port)

and as a program: python3 fault_proxy.py UPSTREAM_PORT --down delay=0.05,jitter=0.02 --up segment=1
"""
import argparse
import asyncio
import contextlib
import random
import socket
import struct
import threading
from dataclasses import dataclass, fields


@dataclass
class Faults:
  """What happens to the bytes of one direction. Times are in seconds."""
  delay: float = 0.0            # every byte comes so much later
  jitter: float = 0.0           # and by up to so much more, drawn anew for each read; the order stays
  rate: float = 0.0             # bytes per second; 0: as fast as may be
  segment: int = 0              # at most so many bytes a segment; 1: byte by byte
  coalesce: float = 0.0         # gathers for so long what follows the first byte, into one write
  reset_at: int | None = None       # behind so many bytes both sides are reset
  black_hole_at: int | None = None  # behind so many bytes nothing moves any more, either way, no FIN, no RST
  half_close_at: int | None = None  # behind so many bytes the receiver gets a FIN; the other way stays open


class FaultProxy:
  """Faults without a name for their way are those of the bytes from the server (`down`).

  `faulty` says of each connection, by its number from 0, whether it has faults at all; all have without it.
  """

  def __init__(self, upstream_port, *, port=0, host="127.0.0.1", up=None, seed=0, faulty=None, **down):
    self.upstream = (host, upstream_port)
    self.host, self.port = host, port
    self.faulty, self.seed = faulty, seed
    self.connections = 0
    self.open = 0
    self.bytes_up = 0
    self.bytes_down = 0
    self.set(up=up, **down)
    self._loop = self._thread = self._listener = None

  def set(self, *, up=None, **down):
    """Other faults, for connections that come from now on."""
    self.faults = (Faults(**(up or {})), Faults(**down))

  @property
  def url(self):
    return f"http://{self.host}:{self.port}/v1"

  def start(self):
    self._listener = socket.create_server((self.host, self.port), backlog=1024)
    self._listener.setblocking(False)
    self.port = self._listener.getsockname()[1]
    self._loop = asyncio.new_event_loop()
    self._accepting = self._loop.create_task(self._accept())
    self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)
    self._thread.start()
    return self

  def stop(self):
    """Ends every connection with a reset, and returns when all is gone."""
    if self._thread is None:
      return
    self._loop.call_soon_threadsafe(self._accepting.cancel)
    self._thread.join()
    self._thread = None

  def __enter__(self):
    return self.start()

  def __exit__(self, *_):
    self.stop()

  # In the loop's thread.

  def _run(self):
    asyncio.set_event_loop(self._loop)
    with contextlib.suppress(asyncio.CancelledError):
      self._loop.run_until_complete(self._accepting)
    self._listener.close()
    running = asyncio.all_tasks(self._loop)
    for task in running:
      task.cancel()
    self._loop.run_until_complete(asyncio.gather(*running, return_exceptions=True))
    self._loop.close()

  async def _accept(self):
    serving = set()
    while True:
      client, _ = await self._loop.sock_accept(self._listener)
      number, self.connections = self.connections, self.connections + 1
      task = self._loop.create_task(self._serve(client, number))
      serving.add(task)
      task.add_done_callback(serving.discard)

  async def _serve(self, client, number):
    self.open += 1
    server = socket.socket()
    try:
      for end in (client, server):
        end.setblocking(False)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
      try:
        await self._loop.sock_connect(server, self.upstream)
      except OSError:
        return
      has_faults = self.faulty is None or self.faulty(number)
      up, down = self.faults if has_faults else (Faults(), Faults())
      dead = asyncio.Event()
      ways = [
        _Way(self, client, server, up, random.Random(f"{self.seed} {number} up"), dead, "bytes_up"),
        _Way(self, server, client, down, random.Random(f"{self.seed} {number} down"), dead, "bytes_down"),
      ]
      tasks = [self._loop.create_task(part) for way in ways for part in (way.read(), way.write())]
      try:
        await asyncio.gather(*tasks)
        # Both ways have ended with a FIN: closed as such.
        client.close()
        server.close()
      except OSError:
        pass
      finally:
        for task in tasks:
          task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
      self.open -= 1
      for end in (client, server):
        _reset(end)


class _Way:
  """One direction of a connection."""

  def __init__(self, proxy, source, sink, faults, draws, dead, counter):
    self.proxy, self.source, self.sink, self.faults, self.draws = proxy, source, sink, faults, draws
    self.dead, self.counter = dead, counter
    self.queue = asyncio.Queue(maxsize=64)
    self.sent = 0
    self.next_at = 0.0

  async def read(self):
    loop = asyncio.get_running_loop()
    due = 0.0
    try:
      while data := await loop.sock_recv(self.source, 65536):
        late = self.faults.delay + self.faults.jitter * self.draws.random()
        due = max(due, loop.time() + late)
        await self.queue.put((due, data))
    except OSError:
      # What happens at one end of a black hole is not seen at the other.
      await self._living()
      raise
    await self.queue.put((max(due, loop.time() + self.faults.delay), b""))

  async def write(self):
    loop = asyncio.get_running_loop()
    ended = False
    while not ended:
      due, data = await self.queue.get()
      await asyncio.sleep(max(0.0, due - loop.time()))
      if self.faults.coalesce and data:
        await asyncio.sleep(self.faults.coalesce)
        while data and not self.queue.empty():
          _, more = self.queue.get_nowait()
          data, ended = data + more, not more
      ended = ended or not data
      for piece in self._pieces(data):
        if not await self._send(piece):
          return
    await self._living()
    self.sink.shutdown(socket.SHUT_WR)

  def _pieces(self, data):
    """As long as a segment may be, and cut where something happens."""
    faults = self.faults
    longest = faults.segment or max(len(data), 1)
    if faults.rate:
      longest = max(1, min(longest, int(faults.rate / 50)))
    marks = [mark for mark in (faults.reset_at, faults.black_hole_at, faults.half_close_at) if mark is not None]
    at = 0
    while at < len(data):
      # `sent` has grown by the pieces before: how far it is to a mark is counted from there.
      end = min([at + longest, len(data), *(at + mark - self.sent for mark in marks if mark > self.sent)])
      yield data[at:end]
      at = end

  async def _send(self, piece):
    """False once the way has been closed."""
    if not await self._goes_on():
      return False
    await asyncio.get_running_loop().sock_sendall(self.sink, piece)
    self.sent += len(piece)
    setattr(self.proxy, self.counter, getattr(self.proxy, self.counter) + len(piece))
    if self.faults.rate:
      now = asyncio.get_running_loop().time()
      self.next_at = max(self.next_at, now) + len(piece) / self.faults.rate
      # Shorter sleeps take longer than they say.
      if self.next_at - now > 0.002:
        await asyncio.sleep(self.next_at - now)
    elif self.faults.segment:
      await asyncio.sleep(0)
    return await self._goes_on()

  async def _goes_on(self):
    """Does what is due at this byte; false once the way has been closed."""
    faults = self.faults
    if faults.reset_at is not None and self.sent >= faults.reset_at:
      # What was sent before must have arrived: a reset takes away what has not.
      await asyncio.sleep(0.005)
      raise ConnectionResetError
    if faults.black_hole_at is not None and self.sent >= faults.black_hole_at:
      self.dead.set()
    await self._living()
    if faults.half_close_at is None or self.sent < faults.half_close_at:
      return True
    self.sink.shutdown(socket.SHUT_WR)
    # What still comes is thrown away.
    while (await self.queue.get())[1]:
      pass
    return False

  async def _living(self):
    """Never returns once the connection has fallen into a black hole."""
    if self.dead.is_set():
      await asyncio.Event().wait()


def _reset(end):
  with contextlib.suppress(OSError):
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
  end.close()


def _faults_of(text):
  """`delay=0.05,segment=1` as keywords."""
  kinds = {field.name: int if "int" in str(field.type) else float for field in fields(Faults)}
  pairs = [pair.split("=", 1) for pair in text.split(",") if pair]
  return {name: kinds[name](value) for name, value in pairs}


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("upstream_port", type=int)
  parser.add_argument("--port", type=int, default=0)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--down", type=_faults_of, default={}, help="faults of what comes from upstream: delay=0.05,…")
  parser.add_argument("--up", type=_faults_of, default={}, help="faults of what goes upstream")
  given = parser.parse_args()
  with FaultProxy(given.upstream_port, port=given.port, seed=given.seed, up=given.up, **given.down) as proxy:
    print(f"127.0.0.1:{proxy.port} -> 127.0.0.1:{given.upstream_port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
      threading.Event().wait()


if __name__ == "__main__":
  main()
