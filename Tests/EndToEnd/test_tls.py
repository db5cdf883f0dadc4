"""TLS to the client, by Python's own OpenSSL, the openssl command and the official client; reload by SIGHUP."""
import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import time

import httpx
import openai
import pytest
from conftest import Router, free_port, route_to, wait_until
from raw_http import RawClient, events_of, finish_reasons, request_bytes

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
LIVE = request_bytes("/livez", method="GET")
LONG = "sim-tokens-400-pace-10"


def chat(model="chat", **options):
  return request_bytes(body={"model": model, "messages": [{"role": "user", "content": "Hello"}], **options})


def openssl(*arguments):
  subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


class Certificate:
  """A certificate for 127.0.0.1 that signs itself, and its key."""

  def __init__(self, folder, name):
    self.certificate, self.key = folder / f"{name}.pem", folder / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out",
            self.certificate)

  @property
  def digest(self):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.read_text())).digest()

  def replace(self, other):
    """Puts other's files in the place of these, as a renewal does."""
    for mine, its in (self.certificate, other.certificate), (self.key, other.key):
      fresh = mine.with_suffix(".new")
      fresh.write_bytes(its.read_bytes())
      os.replace(fresh, mine)


class TLSRouter(Router):
  """A router whose public listener has a certificate."""

  def __init__(self, binary, folder, simulator, certificate):
    super().__init__(binary, folder)
    self.certificate = certificate
    self.url = f"https://127.0.0.1:{self.port}/v1"
    self.routes = route_to([("sim", "sim-tokens-20", 1)], {"sim": simulator.provider()})
    self.routes["models"] |= {
      name: {"endpoints": [{"provider": "sim", "model": name, "price": {"input": 1, "output": 1}}]}
      for name in (LONG, "sim-tokens-60000", "sim-tokens-4000")}
    self.routes["listeners"] = {"public": {"tls": {
      "certificate": str(certificate.certificate), "key": str(certificate.key)}}}
    self.write_routes(self.routes)

  def await_answer(self, url, seconds):
    def answers():
      assert self.running, self.log_end()
      with contextlib.suppress(OSError), TLSClient(self) as client:
        client.send(LIVE)
        return client.read_answer().status == 200
    wait_until(answers, lambda: f"it does not answer; its log ends:\n{self.log_end()}", seconds)

  def reload(self, awaited):
    """Sends SIGHUP and waits until its log has one more line with these words."""
    before = self.log.read_text().count(awaited)
    self.process.send_signal(signal.SIGHUP)
    wait_until(lambda: self.log.read_text().count(awaited) > before, lambda: self.log_end(), 10)


class TLSClient(RawClient):
  """One connection over TLS."""

  def __init__(self, router, version=None, session=None, context=None, **options):
    self.context = context or trusting(router, version)
    super().__init__(router.port, **options)
    try:
      self.socket = self.context.wrap_socket(
        self.socket, server_hostname="127.0.0.1", session=session, suppress_ragged_eofs=False)
    except BaseException:
      self.socket.close()
      raise
    self.stream = self.socket.makefile("rb")

  def certificate(self):
    return hashlib.sha256(self.socket.getpeercert(binary_form=True)).digest()


class CommandLine:
  """`openssl s_client`, which does what a library keeps from its users: a line with nothing but K or R is a command."""

  def __init__(self, router, version):
    self.said = b""
    self.process = subprocess.Popen(
      ["openssl", "s_client", "-connect", f"127.0.0.1:{router.port}", version], stdin=subprocess.PIPE,
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # The handshake is done: it reads commands from here on.
    self.await_words(b"Verify return code")

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.process.kill()
    self.process.communicate()

  def type(self, text):
    self.process.stdin.write(text)
    self.process.stdin.flush()

  def await_words(self, words, count=1):
    end = time.monotonic() + 20
    while self.said.count(words) < count:
      readable, _, _ = select.select([self.process.stdout], [], [], max(end - time.monotonic(), 0))
      piece = os.read(self.process.stdout.fileno(), 65536) if readable else b""
      assert piece, f"it never said {words}: {self.said[-500:]}"
      self.said += piece


class Wire:
  """A TLS client whose records are in the test's hand: `step` bytes in one write, all at once without it."""

  def __init__(self, router, version, step=None):
    self.incoming, self.outgoing, self.step, self.got = ssl.MemoryBIO(), ssl.MemoryBIO(), step, b""
    self.tls = trusting(router, version).wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
    self.socket = socket.create_connection(("127.0.0.1", router.port), timeout=20)
    self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.socket.close()

  def send(self):
    data = self.outgoing.read()
    step = self.step or max(len(data), 1)
    for start in range(0, len(data), step):
      self.socket.sendall(data[start:start + step])

  def run(self, do):
    while True:
      try:
        result = do()
        self.send()
        return result
      except ssl.SSLWantReadError:
        self.send()
        self.incoming.write(self.socket.recv(65536))

  def read_until(self, is_enough):
    while not is_enough(self.got):
      piece = self.run(lambda: self.tls.read(65536))
      assert piece, f"it ended after {self.got[-300:]}"
      self.got += piece
    return self.got


def trusting(router, version=None):
  context = ssl.create_default_context(cafile=router.certificate.certificate)
  if version:
    context.minimum_version = context.maximum_version = version
  return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
  folder = tmp_path_factory.mktemp("certificates")
  return [Certificate(folder, name) for name in ("first", "second")]


@pytest.fixture
def router(binary, tmp_path, simulator, certificates):
  """It has copies of its own of the first certificate's files."""
  own = Certificate.__new__(Certificate)
  own.certificate, own.key = tmp_path / "own.pem", tmp_path / "own.key"
  own.replace(certificates[0])
  router = TLSRouter(binary, tmp_path, simulator, own)
  try:
    yield router.start()
  finally:
    router.stop()


@pytest.mark.parametrize("version, name", [(TLS12, "TLSv1.2"), (TLS13, "TLSv1.3")])
def test_both_versions_serve_and_say_that_nothing_was_cut_off(router, version, name):
  with TLSClient(router, version) as client:
    assert client.socket.version() == name
    if version == TLS12:
      assert client.socket.cipher()[0].startswith("ECDHE-")
    for _ in range(3):
      client.send(chat(stream=True))
      answer = client.read_answer()
      assert answer.status == 200 and answer.events[-1] == "[DONE]"
    client.send(request_bytes("/livez", method="GET", fields=[("Connection", "close")]))
    assert client.read_answer().body == b"live\n"
    # Without close_notify this would raise instead.
    assert client.socket.recv(1) == b""


def test_older_versions_are_refused(router):
  for version in "-tls1", "-tls1_1":
    answer = subprocess.run(
      ["openssl", "s_client", "-connect", f"127.0.0.1:{router.port}", version, "-cipher", "DEFAULT:@SECLEVEL=0"],
      input=b"", capture_output=True, timeout=20)
    assert b"alert protocol version" in answer.stderr, answer.stderr


def test_http_1_1_is_what_is_agreed_on_and_nothing_else(router):
  context = trusting(router)
  context.set_alpn_protocols(["h2", "http/1.1"])
  with TLSClient(router, context=context) as client:
    assert client.socket.selected_alpn_protocol() == "http/1.1"
  context = trusting(router)
  context.set_alpn_protocols(["h2"])
  with pytest.raises(ssl.SSLError, match="no application protocol|NO_APPLICATION_PROTOCOL"):
    TLSClient(router, context=context)


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_sessions_are_resumed_whichever_loop_takes_the_connection(router, version):
  context = trusting(router, version)
  session, resumed = None, []
  # The kernel spreads connections over the loops by their ports: among so many both have some.
  for _ in range(24):
    with TLSClient(router, session=session, context=context) as client:
      client.send(LIVE)
      assert client.read_answer().status == 200
      session = client.socket.session
      resumed.append(client.socket.session_reused)
  assert resumed == [False] + [True] * 23


def test_large_answers_and_large_requests_arrive_whole(router):
  with TLSClient(router, timeout=60) as client:
    for stream in True, False:
      client.send(chat("sim-tokens-60000", stream=stream))
      answer = client.read_answer()
      if stream:
        events = answer.events
        assert events[-1] == "[DONE]" and finish_reasons(events) == ["stop"] and len(events) > 60000
      else:
        assert answer.json()["usage"]["completion_tokens"] == 60000
  with TLSClient(router) as client:
    for size in 100_000, 1_000_000, 10_000_000:
      client.send(request_bytes(body={"model": "chat", "messages": [{"role": "user", "content": "x" * size}]}))
      assert client.read_answer().status == 200


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_what_arrives_in_one_piece_is_all_answered_though_no_event_tells_of_it(router, version):
  """Many records in one read: what OpenSSL holds behind the first one is not seen by epoll."""
  with Wire(router, version) as wire:
    wire.run(wire.tls.do_handshake)
    for _ in range(12):
      wire.tls.write(chat())
    wire.tls.write(chat(stop="x" * 40_000))
    wire.tls.write(LIVE)
    sent = wire.outgoing.read()
    wire.socket.sendall(sent[:-10])
    answers = wire.read_until(lambda got: got.count(b'"completion_tokens":20') == 13)
    assert answers.count(b"HTTP/1.1 200 OK") == 13
    # The last record was not whole.
    wire.socket.sendall(sent[-10:])
    assert wire.read_until(lambda got: got.endswith(b"\r\n\r\nlive\n"))


def test_keys_are_updated_when_the_client_asks_for_it(router):
  with CommandLine(router, "-tls1_3") as client:
    # It sends what it was told to as it reads, so the server must be sending meanwhile.
    client.type(chat(LONG, stream=True))
    client.await_words(b"data: ")
    for count in range(1, 4):
      client.type(b"K\n")
      client.await_words(b"KEYUPDATE", count)
    client.await_words(b"data: [DONE]")


def test_a_slow_reader_gets_every_byte(router):
  with TLSClient(router, receive_buffer=4096, timeout=60) as client:
    client.send(chat("sim-tokens-4000", stream=True))
    status, fields = client.read_head()
    assert status == 200 and dict(fields)["transfer-encoding"] == "chunked"
    time.sleep(0.3)
    events = events_of(client.read_body(fields))
  assert events[-1] == "[DONE]" and len(events) > 4000
  with TLSClient(router, receive_buffer=4096, timeout=60) as client:
    client.send(request_bytes(
      body={"model": "sim-tokens-60000", "messages": [{"role": "user", "content": "Hello"}]},
      fields=[("Connection", "close")]))
    assert client.read_answer().json()["usage"]["completion_tokens"] == 60000
    assert client.socket.recv(1) == b""


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_request_that_comes_byte_by_byte_is_served(router, version):
  with TLSClient(router, version) as client:
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in chat():
      client.send(bytes([byte]))
    assert client.read_answer().json()["usage"]["completion_tokens"] == 20


def test_records_cut_anywhere_on_the_wire_are_put_together(router):
  """The handshake and the request pass through a client that hands their bytes on one at a time."""
  with Wire(router, TLS13, step=1) as wire:
    wire.run(wire.tls.do_handshake)
    wire.tls.write(LIVE)
    assert wire.run(lambda: wire.tls.read(1000)).startswith(b"HTTP/1.1 200 OK\r\n")


def test_renegotiation_is_refused(router):
  with CommandLine(router, "-tls1_2") as client:
    client.type(b"R\n")
    client.await_words(b"RENEGOTIATING")
    client.await_words(b"no renegotiation")
  with TLSClient(router) as other:
    other.send(LIVE)
    assert other.read_answer().status == 200


def test_plain_http_on_the_port_is_closed_without_an_answer(router):
  with RawClient(router.port) as client:
    client.send(LIVE)
    assert client.is_closed()


def test_a_handshake_that_stalls_is_closed_within_10_seconds(router):
  began = time.monotonic()
  with contextlib.ExitStack() as stack:
    silent, half, ready = [stack.enter_context(client) for client in (
      RawClient(router.port), RawClient(router.port), TLSClient(router))]
    half.send(b"\x16\x03\x01\x02\x00\x01")
    ready.send(b"GET /livez HT")
    assert silent.is_closed() and half.is_closed()
    assert ready.read_answer().status == 408
  assert 9 < time.monotonic() - began < 12


def test_the_official_client_works_with_the_certificate_given(router):
  with httpx.Client(verify=trusting(router), trust_env=False) as http:
    client = router.client(http_client=http)
    answer = client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "Hello"}])
    assert answer.usage.completion_tokens == 20
    chunks = list(client.chat.completions.create(
      model="chat", messages=[{"role": "user", "content": "Hello"}], stream=True))
    assert chunks[-1].choices == [] or chunks[-1].choices[0].finish_reason == "stop"
  with pytest.raises(openai.APIConnectionError):
    router.client().models.list()


def test_a_client_that_leaves_ends_the_attempt(router, simulator):
  with TLSClient(router) as client:
    client.send(chat(LONG, stream=True))
    client.read_head()
  [row] = router.ledger_rows()
  assert row["outcome"] == "cancelled", row


def test_a_reload_changes_the_certificate_for_new_connections_while_a_stream_goes_on(router, certificates):
  with TLSClient(router) as running:
    running.send(chat(LONG, stream=True))
    status, fields = running.read_head()
    assert status == 200
    router.certificate.replace(certificates[1])
    # A new name for the same model: the running stream ends under the table that it began with.
    router.routes["routes"] = {"other": {"models": ["tiny"]}}
    router.write_routes(router.routes)
    router.reload("adopted")

    def is_new():
      with TLSClient(router) as client:
        return client.certificate() == certificates[1].digest
    wait_until(is_new, "new connections get the old certificate", 5)
    with TLSClient(router) as client:
      client.send(chat("chat"))
      assert client.read_answer().status == 404
      client.send(chat("other"))
      assert client.read_answer().status == 200
    assert running.certificate() == certificates[0].digest
    events = events_of(running.read_body(fields))
    assert events[-1] == "[DONE]" and finish_reasons(events) == ["stop"]
    # Its connection goes on, and asks by the new table.
    running.send(chat("other"))
    assert running.read_answer().status == 200


def test_sessions_outlive_a_reload_that_leaves_the_certificate_as_it_is(router):
  context = trusting(router)

  def is_resumed(session):
    with TLSClient(router, session=session, context=context) as client:
      client.send(LIVE)
      assert client.read_answer().status == 200
      return client.socket.session, client.socket.session_reused
  session, _ = is_resumed(None)
  router.reload("adopted")
  for _ in range(8):
    session, resumed = is_resumed(session)
    assert resumed


@pytest.mark.parametrize("broken", ["route", "certificate", "key", "text"])
def test_a_broken_file_changes_nothing_and_the_log_says_why(router, certificates, broken):
  routes = json.loads(json.dumps(router.routes))
  routes["routes"]["more"] = {"models": ["tiny"]}
  if broken == "route":
    routes["routes"]["bad"] = {"models": ["nothing-like-it"]}
  elif broken == "certificate":
    router.certificate.certificate.unlink()
  elif broken == "key":
    # The certificate has been renewed, its key not yet.
    router.certificate.certificate.write_bytes(certificates[1].certificate.read_bytes())
  router.write_routes(routes)
  if broken == "text":
    router.routes_file.write_text("providers: [")
  router.reload("nothing has changed")
  assert f"{router.routes_file}:" in router.log.read_text()
  context = ssl.create_default_context(cafile=certificates[0].certificate)
  with TLSClient(router, context=context) as client:
    assert client.certificate() == certificates[0].digest
    client.send(chat("chat"))
    assert client.read_answer().status == 200
    client.send(chat("more"))
    assert client.read_answer().status == 404


def test_files_that_cannot_be_used_are_named_with_their_place(binary, tmp_path, simulator, certificates):
  router = TLSRouter(binary, tmp_path, simulator, certificates[0])
  locked = tmp_path / "locked.key"
  openssl("pkey", "-in", certificates[0].key, "-aes128", "-passout", "pass:secret", "-out", locked)
  for pair, part in [
    ((certificates[0].certificate, certificates[1].key), "private key"),
    ((certificates[0].certificate, locked), "private key"),
    ((tmp_path / "missing.pem", certificates[0].key), "No such file"),
    ((certificates[0].key, certificates[0].key), "certificate chain"),
  ]:
    router.routes["listeners"]["public"]["tls"] = {"certificate": str(pair[0]), "key": str(pair[1])}
    router.write_routes(router.routes)
    for command in [["check", router.routes_file], ["serve", "--config", router.routes_file, "--data", router.data,
                    "--listen", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{free_port()}"]]:
      answer = subprocess.run([binary, *map(str, command)], capture_output=True, text=True, timeout=20)
      said = answer.stdout + answer.stderr
      assert answer.returncode == 1 and part in said, said
      assert f"{router.routes_file}:" in said and ": error: " in said, said
