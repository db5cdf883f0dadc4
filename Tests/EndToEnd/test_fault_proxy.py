"""The proxy that other tests get their network faults from does what it says, to the byte."""
import contextlib
import socket
import threading
import time

import pytest

from conftest import wait_until
from fault_proxy import FaultProxy

ANSWER = bytes(range(256)) * 8


class Echo:
  """Answers each connection's first bytes with the answer, notes what came, and closes once the client has."""

  def __init__(self):
    self.listener = socket.create_server(("127.0.0.1", 0))
    self.port = self.listener.getsockname()[1]
    self.received = []
    self.ends = []
    threading.Thread(target=self.accept, daemon=True).start()

  def accept(self):
    with contextlib.suppress(OSError):
      while True:
        threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

  def serve(self, connection):
    place = len(self.received)
    self.received.append(b"")
    try:
      with connection:
        self.received[place] += connection.recv(65536)
        connection.sendall(ANSWER)
        while data := connection.recv(65536):
          self.received[place] += data
      self.ends.append("fin")
    except ConnectionError:
      self.ends.append("reset")


@pytest.fixture
def echo():
  server = Echo()
  yield server
  server.listener.close()


def asked(proxy, request=b"ask", timeout=5.0):
  """What came, each read's size, and how it ended: fin, reset, silence."""
  with socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout) as connection:
    connection.sendall(request)
    connection.settimeout(timeout)
    body, reads = b"", []
    while len(body) < len(ANSWER):
      try:
        data = connection.recv(65536)
      except TimeoutError:
        return body, reads, "silence"
      except ConnectionResetError:
        return body, reads, "reset"
      if not data:
        return body, reads, "fin"
      body += data
      reads.append(len(data))
    return body, reads, "whole"


def test_without_faults_all_passes_and_is_counted(echo):
  with FaultProxy(echo.port) as proxy:
    for _ in range(3):
      assert asked(proxy)[::2] == (ANSWER, "whole")
    wait_until(lambda: proxy.open == 0, "the connections are closed")
    assert (proxy.connections, proxy.bytes_up, proxy.bytes_down) == (3, 9, 3 * len(ANSWER))
    assert echo.ends == ["fin"] * 3


@pytest.mark.parametrize("at", [1, 100, len(ANSWER) - 1])
def test_a_reset_comes_behind_exactly_its_byte(echo, at):
  with FaultProxy(echo.port, reset_at=at) as proxy:
    body, _, end = asked(proxy)
    assert (body, end) == (ANSWER[:at], "reset")
    wait_until(lambda: echo.ends, "the server's side has ended")
    assert echo.ends == ["reset"]


@pytest.mark.parametrize("at", [0, 100])
def test_behind_a_black_hole_there_is_silence_both_ways(echo, at):
  with FaultProxy(echo.port, black_hole_at=at) as proxy:
    body, _, end = asked(proxy, timeout=0.3)
    assert (body, end) == (ANSWER[:at], "silence")
    time.sleep(0.1)
    assert echo.ends == [] and proxy.open == 1


def test_a_request_can_vanish(echo):
  with FaultProxy(echo.port, up={"black_hole_at": 2}) as proxy:
    assert asked(proxy, b"a", timeout=0.3)[2] == "whole"
    assert asked(proxy, b"abc", timeout=0.3)[::2] == (b"", "silence")
    wait_until(lambda: len(echo.received) == 2, "both came")
    assert echo.received == [b"a", b"ab"]


def test_one_way_can_be_closed_and_the_other_stays_open(echo):
  with FaultProxy(echo.port, half_close_at=100) as proxy:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
      connection.sendall(b"ask")
      body = b""
      while data := connection.recv(65536):
        body += data
      assert body == ANSWER[:100]
      connection.sendall(b" more")
      wait_until(lambda: echo.received == [b"ask more"], "the other way is open")
    wait_until(lambda: proxy.open == 0, "and all is closed in the end")


def test_segments_are_as_short_as_asked(echo):
  with FaultProxy(echo.port, segment=1, rate=4_000) as proxy:
    body, reads, end = asked(proxy)
    assert (body, end) == (ANSWER, "whole")
    # The reader may find several segments at once.
    assert len(reads) > 50


def test_what_comes_in_pieces_can_be_gathered(echo):
  with FaultProxy(echo.port, segment=64, rate=20_000) as torn, FaultProxy(torn.port, coalesce=0.5) as gathered:
    body, reads, end = asked(gathered)
    assert (body, end) == (ANSWER, "whole")
    assert len(reads) < 4


def test_delay_and_rate_take_their_time(echo):
  def took(**faults):
    with FaultProxy(echo.port, **faults) as proxy:
      began = time.monotonic()
      assert asked(proxy)[::2] == (ANSWER, "whole")
      return time.monotonic() - began
  assert took(delay=0.2) >= 0.2
  assert took(up={"delay": 0.2}) >= 0.2
  assert took(rate=len(ANSWER) * 4) >= 0.2


def test_jitter_keeps_the_order(echo):
  with FaultProxy(echo.port, jitter=0.05, segment=16, seed=3) as proxy:
    assert asked(proxy)[::2] == (ANSWER, "whole")


def test_only_some_connections_have_faults_and_they_can_change(echo):
  with FaultProxy(echo.port, reset_at=1, faulty=lambda number: number == 0) as proxy:
    assert [asked(proxy)[2] for _ in range(3)] == ["reset", "whole", "whole"]
    proxy.faulty = None
    assert asked(proxy)[2] == "reset"
    proxy.set()
    assert asked(proxy)[2] == "whole"


def test_a_server_that_is_not_there_is_a_reset():
  with FaultProxy(1) as proxy:
    with pytest.raises(ConnectionError):
      with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x", "it must be reset"


def test_it_stops_with_connections_open(echo):
  proxy = FaultProxy(echo.port, black_hole_at=0).start()
  connections = [socket.create_connection(("127.0.0.1", proxy.port), timeout=5) for _ in range(5)]
  for connection in connections:
    connection.sendall(b"x")
  wait_until(lambda: proxy.connections == 5, "all are accepted")
  proxy.stop()
  for connection in connections:
    with pytest.raises(ConnectionError):
      if connection.recv(1) == b"":
        raise ConnectionError("closed")
    connection.close()
