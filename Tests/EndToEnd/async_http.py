"""HTTP/1.1 by hand for many requests at once: the answers of raw_http, and when they came."""
import asyncio
import time

from raw_http import Answer, request_bytes


class AsyncClient:
  """One connection, which stays as long as the router lets it."""

  def __init__(self, port):
    self.port = port
    self.reader = self.writer = None

  async def __aenter__(self):
    return self

  async def __aexit__(self, *_):
    self.close()

  def close(self):
    if self.writer:
      self.writer.close()
    self.reader = self.writer = None

  async def ask(self, body, path="/v1/chat/completions", fields=(), timeout=60):
    """The answer, with `seconds` in all and `first_token`, the seconds to the first content of a stream."""
    return await asyncio.wait_for(self.exchange(request_bytes(path, body, fields=fields)), timeout)

  async def exchange(self, request):
    began = time.monotonic()
    if self.writer is None:
      self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
    self.writer.write(request)
    head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.split("\r\n")
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
    known, body, first_token = dict(fields), b"", None
    if known.get("transfer-encoding") == "chunked":
      while size := int(await self.reader.readuntil(b"\r\n"), 16):
        body += (await self.reader.readexactly(size + 2))[:-2]
        if first_token is None and b'"content":"' in body.replace(b'"content":""', b""):
          first_token = time.monotonic() - began
      await self.reader.readexactly(2)
    else:
      body = await self.reader.readexactly(int(known["content-length"]))
    if known.get("connection") == "close":
      self.close()
    answer = Answer(int(lines[0].split(" ")[1]), fields, body)
    answer.seconds, answer.first_token = time.monotonic() - began, first_token
    return answer


async def ask_all(port, bodies, at_once, **options):
  """One request for each body, so many at a time, each worker on a connection of its own; answers in their order."""
  answers, waiting = [None] * len(bodies), iter(enumerate(bodies))

  async def work():
    async with AsyncClient(port) as client:
      for place, body in waiting:
        answers[place] = await client.ask(body, **options)

  await asyncio.gather(*(work() for _ in range(min(at_once, len(bodies)))))
  return answers


async def ask_steadily(port, body, per_second, seconds, until=lambda answers: False, **options):
  """So many requests a second, whether earlier ones are answered or not, for so many seconds or until the answers so
  far are enough. The answers; an answer's `asked_at` is its moment on the monotonic clock."""
  idle, answers = [], []

  async def one():
    asked_at = time.monotonic()
    client = idle.pop() if idle else AsyncClient(port)
    try:
      answer = await client.ask(body, **options)
    except BaseException:
      client.close()
      raise
    answer.asked_at = asked_at
    answers.append(answer)
    idle.append(client)

  began, tasks = time.monotonic(), []
  for number in range(round(per_second * seconds)):
    if until(answers):
      break
    await asyncio.sleep(max(0, began + number / per_second - time.monotonic()))
    tasks.append(asyncio.create_task(one()))
  try:
    await asyncio.gather(*tasks)
  finally:
    for client in idle:
      client.close()
  return sorted(answers, key=lambda answer: answer.asked_at)


def percentile(values, percent):
  """The least of the values that so many percent of them do not exceed."""
  ordered = sorted(values)
  return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
