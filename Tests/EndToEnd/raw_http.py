"""HTTP/1.1 by hand: sends exactly the bytes that a test wants, and reads the answers strictly."""
import json
import socket


class Answer:
  """One response: interim ones before it are kept as their statuses."""

  def __init__(self, status, fields, body, interim=()):
    self.status, self.fields, self.body, self.interim = status, fields, body, list(interim)

  def field(self, name):
    """The value of the one field of that name; None when there is none."""
    values = [value for known, value in self.fields if known == name.lower()]
    assert len(values) < 2, f"{name} was sent {len(values)} times"
    return values[0] if values else None

  def json(self):
    return json.loads(self.body)

  @property
  def events(self):
    """The data of each complete event of a stream."""
    return events_of(self.body)


def events_of(body):
  """The data of each complete event in the bytes of a stream, as the router writes them: one line of data each."""
  blocks = body.decode().split("\n\n")[:-1]
  return [block.removeprefix("data: ") for block in blocks if block.startswith("data:")]


def chunks_of(events):
  return [json.loads(event) for event in events if event != "[DONE]"]


def content_pieces(events):
  """Every piece of content in a chat stream's events, reasoning and arguments of tools included."""
  pieces = []
  for chunk in chunks_of(events):
    for choice in chunk.get("choices", []):
      delta = choice.get("delta") or {}
      pieces += [delta[key] for key in ("content", "reasoning_content") if delta.get(key)]
      pieces += [call["function"]["arguments"] for call in delta.get("tool_calls") or []]
  return pieces


def finish_reasons(events):
  return [choice["finish_reason"] for chunk in chunks_of(events)
          for choice in chunk.get("choices", []) if choice.get("finish_reason")]


def request_bytes(path="/v1/chat/completions", body=b"", method="POST", fields=(), version="1.1", length=True):
  """A request as a proper client sends it, with further fields; a `Host` or `Content-Type` among them replaces ours."""
  body = body if isinstance(body, bytes) else json.dumps(body).encode()
  own = {name.lower() for name, _ in fields}
  lines = [f"{method} {path} HTTP/{version}"]
  if "host" not in own:
    lines.append("Host: 127.0.0.1")
  if body and "content-type" not in own:
    lines.append("Content-Type: application/json")
  if body and length and "content-length" not in own and "transfer-encoding" not in own:
    lines.append(f"Content-Length: {len(body)}")
  lines += [f"{name}: {value}" for name, value in fields]
  return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class RawClient:
  """One connection."""

  def __init__(self, port, receive_buffer=None, timeout=20):
    self.socket = socket.socket()
    if receive_buffer:
      self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    self.socket.settimeout(timeout)
    self.socket.connect(("127.0.0.1", port))
    self.stream = self.socket.makefile("rb")

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.stream.close()
    self.socket.close()

  def send(self, data):
    self.socket.sendall(data)

  def read_line(self):
    line = self.stream.readline(1 << 16)
    assert line.endswith(b"\r\n"), f"not a whole line: {line[:200]!r}"
    return line[:-2]

  def read_head(self):
    """Status and fields, names in lower case."""
    version, status, _ = self.read_line().split(b" ", 2)
    assert version == b"HTTP/1.1", version
    fields = []
    while line := self.read_line():
      name, value = line.decode().split(":", 1)
      fields.append((name.lower(), value.strip()))
    return int(status), fields

  def read_body(self, fields):
    known = dict(fields)
    if known.get("transfer-encoding") == "chunked":
      assert "content-length" not in known
      body = b""
      while size := int(self.read_line(), 16):
        body += self.read_exactly(size)
        assert self.read_line() == b""
      assert self.read_line() == b""
      return body
    if "content-length" in known:
      return self.read_exactly(int(known["content-length"]))
    return self.stream.read()

  def read_exactly(self, size):
    data = self.stream.read(size)
    assert len(data) == size, f"{len(data)} bytes of {size}"
    return data

  def read_answer(self, has_body=True):
    interim = []
    while True:
      status, fields = self.read_head()
      if status >= 200:
        return Answer(status, fields, self.read_body(fields) if has_body else b"", interim)
      interim.append(status)

  def is_closed(self):
    """Whether the other side ends the connection, without another byte."""
    try:
      return self.stream.read(1) == b""
    except ConnectionResetError:
      return True


def ask(port, *arguments, timeout=20, **options):
  """One request on a connection of its own."""
  with RawClient(port, timeout=timeout) as client:
    client.send(request_bytes(*arguments, **options))
    return client.read_answer(has_body=options.get("method") != "HEAD")
