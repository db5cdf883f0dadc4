"""Many clients in one thread, light enough to be no bottleneck: kept connections, one request at a time on each."""
import asyncio
import time

from raw_http import request_bytes


class Reply:
  """What came back: a status of 0 means that the connection ended before the answer did."""

  def __init__(self):
    self.status, self.head, self.body, self.seconds = 0, b"", b"", 0.0

  @property
  def is_served_whole(self):
    """A stream has its [DONE]; any other answer is as long as it said."""
    if self.status != 200:
      return False
    return b"\ndata: [DONE]\n" in self.body if b"text/event-stream" in self.head else True

  def has(self, field):
    return f"\r\n{field.lower()}".encode() in self.head.lower()


class Line(asyncio.Protocol):
  """One connection. What it reads of a stream's events is kept as its first and last bytes."""

  KEPT = 16 << 10

  def __init__(self):
    self.transport, self.reply, self.done, self.begun = None, None, None, None
    self.is_open, self.started = False, 0.0

  def connection_made(self, transport):
    self.transport, self.is_open = transport, True

  def connection_lost(self, _):
    self.is_open = False
    if self.done and not self.done.done():
      # An HTTP/1.1 answer says how long it is; one that ends with its connection is cut.
      self.reply.status = self.reply.status if self.reply.status >= 400 and self.is_whole() else 0
      self.finish()

  def data_received(self, data):
    if not self.done or self.done.done():
      return
    reply = self.reply
    reply.body += data
    if not reply.status:
      end = reply.body.find(b"\r\n\r\n")
      if end < 0:
        return
      reply.head, reply.body = reply.body[:end + 2], reply.body[end + 4:]
      reply.status = int(reply.head[9:12])
    if not self.begun.done() and b"data: " in reply.body:
      self.begun.set_result(None)
    if self.is_whole():
      self.finish()
    elif len(reply.body) > 2 * self.KEPT:
      reply.body = reply.body[:self.KEPT] + reply.body[-self.KEPT:]

  def is_whole(self):
    head = self.reply.head.lower()
    if b"\r\ntransfer-encoding: chunked" in head:
      return self.reply.body.endswith(b"0\r\n\r\n") and b"\r\n0\r\n\r\n" in self.reply.body[-7:]
    at = head.find(b"\r\ncontent-length: ")
    return at >= 0 and len(self.reply.body) >= int(head[at + 18:head.index(b"\r\n", at + 2)])

  def finish(self):
    self.reply.seconds = time.monotonic() - self.started
    self.done.set_result(self.reply)
    if not self.begun.done():
      self.begun.set_result(None)

  def send(self, request):
    """The future of the reply; `begun` is done with the first event, or with the end."""
    loop = asyncio.get_running_loop()
    self.reply, self.done, self.begun = Reply(), loop.create_future(), loop.create_future()
    self.started = time.monotonic()
    if self.is_open:
      self.transport.write(request)
    else:
      self.finish()
    return self.done

  def close(self):
    if self.transport:
      self.transport.abort()


class Clients:
  """Connections to one port that are used again when they are free."""

  def __init__(self, port):
    self.port, self.free, self.lines = port, [], []

  async def __aenter__(self):
    return self

  async def __aexit__(self, *_):
    for line in self.lines:
      line.close()
    await asyncio.sleep(0)

  async def line(self):
    while self.free:
      if (line := self.free.pop()).is_open:
        return line
    _, line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", self.port)
    self.lines.append(line)
    return line

  async def ask(self, request):
    """One reply; a connection that cannot be made is a reply of status 0."""
    try:
      line = await self.line()
    except OSError:
      return Reply()
    reply = await line.send(request)
    if line.is_open and not reply.has("connection: close"):
      self.free.append(line)
    else:
      line.close()
    return reply

  async def offer(self, request, rate, seconds, until=None):
    """Open loop: sends at this rate whatever comes back, for so long or until the event; all replies in the end.

    The rate is kept on average: what a late tick missed is sent with it."""
    replies, sent, start = [], 0, time.monotonic()
    while (now := time.monotonic() - start) < seconds and not (until and until.is_set()):
      while sent <= now * rate:
        replies.append(asyncio.create_task(self.ask(request)))
        sent += 1
      await asyncio.sleep(0.001)
    return await asyncio.gather(*replies)

  async def repeat(self, request, seconds, at_once):
    """Closed loop: so many clients, each of which asks again once it has its answer."""
    replies, end = [], time.monotonic() + seconds

    async def client():
      while time.monotonic() < end:
        replies.append(await self.ask(request))

    async with asyncio.TaskGroup() as group:
      for _ in range(at_once):
        group.create_task(client())
    return replies


def chat(model="chat", **options):
  """A chat request's bytes."""
  fields = options.pop("fields", ())
  return request_bytes(
    body={"model": model, "messages": [{"role": "user", "content": "Hello"}]} | options, fields=fields)


def percentile(values, share):
  values = sorted(values)
  return values[min(int(len(values) * share), len(values) - 1)] if values else 0.0


async def until(condition, seconds, every=0.02):
  """Asks until the answer is true; false when time is up."""
  end = time.monotonic() + seconds
  while not (answer := condition()):
    if time.monotonic() > end:
      return answer
    await asyncio.sleep(every)
  return answer
