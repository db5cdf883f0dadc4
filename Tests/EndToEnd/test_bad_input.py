"""What no client should send: each gets its own clear error, and the router lives on."""
import gzip
import hashlib
import http.server
import json
import threading

import openai
import pytest
from conftest import Router, route_to
from raw_http import RawClient, ask, request_bytes

KEY = "test-client-key"
MAX_BODY = 64 << 10
CHAT = "/v1/chat/completions"
GOOD = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
GOOD_PROMPT = {"model": "chat", "prompt": "Hello"}


@pytest.fixture(scope="module")
def routers(binary, simulator, run_folder):
  """One open router, and one that asks for a key and takes small bodies only."""
  routes = route_to([("sim", "sim-tokens-5", 1)], {"sim": simulator.provider()})
  strict = routes | {
    "keys": {"tester": {"sha256": hashlib.sha256(KEY.encode()).hexdigest()}}, "listeners": {"max_body": MAX_BODY}}
  pair = [Router(binary, run_folder, routes, "open"), Router(binary, run_folder, strict, "strict")]
  try:
    yield [router.start() for router in pair]
  finally:
    for router in pair:
      router.stop()


@pytest.fixture
def router(routers):
  """The open one, which after the test is the same process and answers a real request."""
  yield routers[0]
  assert_lives(routers[0])


@pytest.fixture
def strict(routers):
  yield routers[1]
  assert_lives(routers[1], [("Authorization", f"Bearer {KEY}")])


def assert_lives(router, fields=()):
  assert router.running, router.log_end()
  answer = ask(router.port, CHAT, GOOD, fields=fields)
  assert answer.status == 200 and answer.json()["usage"]["completion_tokens"] == 5


def assert_error(answer, status, code=None, says="", param=...):
  """The one error shape: OpenAI's envelope, whose message says what to do."""
  assert answer.status == status, answer.body
  assert answer.field("content-type") == "application/json"
  error = answer.json()["error"]
  assert {"message", "type", "code", "param"} <= set(error)
  assert isinstance(error["message"], str) and len(error["message"]) > 20
  assert says.lower() in error["message"].lower()
  assert isinstance(error["type"], str) and isinstance(error["code"], str)
  if code:
    assert error["code"] == code
  if param is not ...:
    assert error["param"] == param


# Each: what the body is, what it is called, the word in `code`, the member at fault, words of the message.
BODIES = [
  ("unknown model", GOOD | {"model": "nobody"}, 404, "model_not_found", "model", "/v1/models"),
  ("not JSON", b'{"model":"chat",', 400, "invalid_json", None, "json"),
  ("not JSON either", b"model=chat", 400, "invalid_json", None, "object"),
  ("an array", b"[]", 400, "invalid_json", None, "object"),
  ("two objects", json.dumps(GOOD).encode() * 2, 400, "invalid_json", None, "byte"),
  ("a byte order mark", b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), 400, "invalid_json", None, "byte 0"),
  ("not UTF-8", b'{"model":"chat","messages":[{"role":"user","content":"\xff"}]}', 400, "invalid_json", None, "utf-8"),
  ("half a surrogate pair", b'{"model":"chat","messages":["\\ud800"]}', 400, "invalid_json", None, "surrogate"),
  ("100,000 arrays deep", b'{"model":"chat","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, None, None,
   "deep"),
  ("100,000 objects deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, None, None, "deep"),
  ("model twice", b'{"model":"chat","model":"chat","messages":[{}]}', 400, None, "model", "once"),
  ("model twice, once escaped", b'{"model":"chat","m\\u006fdel":"x","messages":[{}]}', 400, None, "model", "once"),
  ("Model beside model", b'{"Model":"dear","model":"chat","messages":[{}]}', 400, None, "model", "`model`"),
  ("Model alone", b'{"Model":"chat","messages":[{}]}', 400, None, "model", "`model`"),
  ("STREAM beside stream", b'{"model":"chat","stream":false,"STREAM":true,"messages":[{}]}', 400, None, "stream",
   "`stream`"),
  ("10,000 keys", json.dumps(GOOD | {f"k{n}": n for n in range(10_000)}).encode(), 400, None, None, "keys"),
  ("no model", {"messages": GOOD["messages"]}, 400, None, "model", "/v1/models"),
  ("no messages", {"model": "chat"}, 400, None, "messages", "array"),
]
BODIES += [
  (f"{member} is {json.dumps(value)}", GOOD | {member: value}, 400, None, param or member, "must be")
  for member, param, values in [
    ("model", None, [5, True, [], {}, ""]),
    ("stream", None, ["true", "false", 1, 0, []]),
    ("stream_options", None, ["include_usage", 1, True, []]),
    ("stream_options", "stream_options.include_usage", [{"include_usage": "true"}, {"include_usage": 1}]),
    ("messages", None, ["Hello", {}, [], 5, None]),
    ("n", None, ["2", 0, -1, 1.5, True, 129, 2**64, []]),
    ("max_tokens", None, ["10", -1, 0, 1.5, True, 2**63, {}]),
    ("max_completion_tokens", None, ["10", -1, 0, 1.5, 2**63]),
  ] for value in values
]
PROMPTS = [5, True, {}, [], [None], [["a"]], ["a", 5], [[1.5]], None]


@pytest.mark.parametrize("body, status, code, param, says", [case[1:] for case in BODIES], ids=[c[0] for c in BODIES])
def test_a_body_that_cannot_be_served_says_why(router, body, status, code, param, says):
  assert_error(ask(router.port, CHAT, body), status, code, says, param)


@pytest.mark.parametrize("prompt", PROMPTS, ids=json.dumps)
def test_a_prompt_of_the_wrong_kind_says_so(router, prompt):
  assert_error(ask(router.port, "/v1/completions", {"model": "chat", "prompt": prompt}), 400, None, "must be", "prompt")
  assert ask(router.port, "/v1/completions", GOOD_PROMPT).status == 200


def test_the_number_code_of_openrouter_stands_under_its_paths(router):
  answer = ask(router.port, "/api" + CHAT, GOOD | {"model": "nobody"})
  assert (answer.status, answer.json()["error"]["code"]) == (404, 404)


class Recorder(http.server.BaseHTTPRequestHandler):
  """A provider that keeps what it was sent and says one word."""
  protocol_version = "HTTP/1.1"

  def do_POST(self):
    self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
    answer = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "x", "choices": [
      {"index": 0, "message": {"role": "assistant", "content": "Yes"}, "finish_reason": "stop"}],
      "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
    self.send_response(200)
    self.send_header("Content-Type", "application/json")
    self.send_header("Content-Length", str(len(answer)))
    self.end_headers()
    self.wfile.write(answer)

  def log_message(self, *_):
    pass


def test_an_escaped_model_is_model_for_the_router_and_for_the_provider(start_router):
  provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
  provider.daemon_threads = True
  provider.bodies = []
  threading.Thread(target=provider.serve_forever, daemon=True).start()
  try:
    router = start_router(route_to([("stub", "its-own-name", 1)], {
      "stub": {"base_url": f"http://127.0.0.1:{provider.server_port}/v1"}}))
    body = b'{ "mod\\u0065l" :"ch\\u0061t","messages":[{"role":"user","content":"H\\u00e9"}],"x":1e400 }'
    answer = ask(router.port, CHAT, body)
    assert answer.status == 200 and answer.json()["model"] == "tiny"
    assert [json.loads(sent)["model"] for sent in provider.bodies] == ["its-own-name"]
    assert provider.bodies == [body.replace(b'"ch\\u0061t"', b'"its-own-name"')], "all else stays as it was"
  finally:
    provider.shutdown()
    provider.server_close()


def test_an_error_leaves_the_connection_usable(router):
  with RawClient(router.port) as client:
    for _ in range(3):
      client.send(request_bytes(CHAT, GOOD | {"model": "nobody"}))
      assert_error(client.read_answer(), 404)
      client.send(request_bytes(CHAT, GOOD))
      assert client.read_answer().status == 200


# Heads.

HEADS = [
  ("a form", [("Content-Type", "application/x-www-form-urlencoded")], 415, "application/json"),
  ("plain text", [("Content-Type", "text/plain")], 415, "application/json"),
  ("nearly JSON", [("Content-Type", "application/jsonx")], 415, "application/json"),
  ("no type", [("Content-Type", "")], 415, "application/json"),
  ("a foreign origin", [("Origin", "https://evil.example")], 403, "origins"),
  ("the null origin", [("Origin", "null")], 403, "origins"),
  ("a foreign host", [("Host", "evil.example")], 421, "hosts"),
  ("a foreign host that begins like ours", [("Host", "127.0.0.1.evil.example:80")], 421, "hosts"),
  ("a fourth hop", [("X-Pointsman-Hop", "4")], 508, "base_url"),
  ("a hop that is no number", [("X-Pointsman-Hop", "x")], 508, "base_url"),
  ("four hop fields", [("X-Pointsman-Hop", "1")] * 4, 508, "base_url"),
  ("an unknown expectation", [("Expect", "a miracle")], 417, "100-continue"),
  ("both lengths", [("Content-Length", "5"), ("Transfer-Encoding", "chunked")], 400, "ambiguous"),
  ("two lengths", [("Content-Length", "5"), ("Content-Length", "5")], 400, "twice"),
  ("a length with a sign", [("Content-Length", "+5")], 400, "not a number"),
  ("a length beyond all bounds", [("Content-Length", "9" * 30)], 400, "not a number"),
  ("an unknown transfer coding", [("Transfer-Encoding", "gzip, chunked")], 400, "chunked"),
  ("10,000 fields", [("a", "b")] * 10_000, 431, "fewer"),
  ("one field of 1 MB", [("a", "b" * 1_000_000)], 431, "shorter"),
  ("101 fields", [("a", "b")] * 101, 431, "100"),
]


@pytest.mark.parametrize("fields, status, says", [case[1:] for case in HEADS], ids=[case[0] for case in HEADS])
def test_a_head_that_is_not_let_in_says_why(router, fields, status, says):
  with RawClient(router.port) as client:
    data = request_bytes(CHAT, GOOD, fields=fields)
    try:
      client.send(data)
    except ConnectionError:
      pass  # It need not be read to its end to be refused.
    assert_error(client.read_answer(), status, None, says)


def test_a_host_by_one_of_its_names_and_a_third_hop_are_let_in(router):
  for fields in [[("Host", "localhost")], [("Host", f"[::1]:{router.port}")], [("X-Pointsman-Hop", "3")]]:
    assert ask(router.port, CHAT, GOOD, fields=fields).status == 200


@pytest.mark.parametrize("lines", [
  pytest.param([], id="missing"), pytest.param(["Host: 127.0.0.1"] * 2, id="twice"),
  pytest.param(["Host: a b"], id="with a space"), pytest.param(["Host:"], id="empty"),
])
def test_exactly_one_proper_host_is_needed(router, lines):
  with RawClient(router.port) as client:
    client.send("\r\n".join(["GET /v1/models HTTP/1.1", *lines, "", ""]).encode())
    assert_error(client.read_answer(), 400, None, "Host")
    assert client.is_closed()


def test_a_compressed_body_is_refused(router):
  packed = gzip.compress(json.dumps(GOOD).encode())
  answer = ask(router.port, CHAT, packed, fields=[("Content-Encoding", "gzip")])
  assert_error(answer, 415, None, "uncompressed")
  assert_error(ask(router.port, CHAT, packed), 400, "invalid_json")


@pytest.mark.parametrize("path, method, allow", [
  (CHAT, "GET", "POST"), (CHAT, "PUT", "POST"), ("/v1/completions", "DELETE", "POST"), ("/v1/models", "POST", "GET"),
  ("/livez", "POST", "GET"),
])
def test_the_wrong_method_is_told_the_right_one(router, path, method, allow):
  answer = ask(router.port, path, method=method)
  assert_error(answer, 405, "method_not_allowed", allow)
  assert allow in answer.field("allow").split(", ")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v2/models", "/v1/chat", "/v1/chat/completions/", "/v1/models/"])
def test_an_unknown_path_says_where_the_api_is(router, path):
  assert_error(ask(router.port, path, method="GET"), 404, "unknown_url", "/v1")


# Sizes.

def big_body(size):
  empty = json.dumps(GOOD | {"user": ""})
  return json.dumps(GOOD | {"user": "x" * (size - len(empty))}).encode()


def chunked(body, size=10_000):
  pieces = [body[at:at + size] for at in range(0, len(body), size)]
  return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not(strict, is_chunked):
  fields = [("Authorization", f"Bearer {KEY}")] + [("Transfer-Encoding", "chunked")] * is_chunked
  for size, status in [(MAX_BODY, 200), (MAX_BODY + 1, 413), (20 * MAX_BODY, 413)]:
    body = big_body(size)
    assert len(body) == size
    with RawClient(strict.port) as client:
      client.send(request_bytes(CHAT, chunked(body) if is_chunked else body, fields=fields))
      answer = client.read_answer()
      assert answer.status == status
      if status == 413:
        assert_error(answer, 413, "request_too_large", "limit")
        assert client.is_closed()


def test_a_body_in_chunks_of_one_byte_is_served(router):
  answer = ask(router.port, CHAT, chunked(json.dumps(GOOD).encode(), 1), fields=[("Transfer-Encoding", "chunked")])
  assert answer.status == 200


@pytest.mark.parametrize("broken", [b"zz\r\n", b"-1\r\n", b"5\nhello", b"ffffffffffffffffff\r\n", b"1\r\nxyz"])
def test_a_chunk_that_is_none_is_refused_and_the_connection_closed(router, broken):
  with RawClient(router.port) as client:
    client.send(request_bytes(CHAT, broken, fields=[("Transfer-Encoding", "chunked")]))
    assert_error(client.read_answer(), 400)
    assert client.is_closed()


# Keys.

def test_a_missing_key_is_asked_for(strict):
  for fields in [[], [("Authorization", "Basic dXNlcjpwYXNz")], [("Authorization", "Bearer")]]:
    answer = ask(strict.port, CHAT, GOOD, fields=fields)
    assert_error(answer, 401, "missing_api_key", "Authorization: Bearer")
    assert answer.field("www-authenticate") == "Bearer"
  assert ask(strict.port, "/v1/models", method="GET").status == 401
  assert ask(strict.port, "/readyz", method="GET").status == 200


def test_every_wrong_key_gets_the_same_answer(strict):
  wrong = [KEY[:-1], KEY + "x", KEY.upper(), "x", "x" * 1000, hashlib.sha256(KEY.encode()).hexdigest(), "a b"]
  answers = [ask(strict.port, CHAT, GOOD, fields=[("Authorization", f"Bearer {key}")]) for key in wrong]
  for answer in answers:
    assert_error(answer, 401, "invalid_api_key", "check it")
  assert len({answer.body for answer in answers}) == 1
  assert ask(strict.port, CHAT, GOOD, fields=[("authorization", f"bearer   {KEY}")]).status == 200


# Other ways to speak HTTP.

def test_http_1_0_is_served_without_chunks_and_closed(router):
  for stream in (False, True):
    with RawClient(router.port) as client:
      client.send(request_bytes(CHAT, GOOD | {"stream": stream}, version="1.0"))
      answer = client.read_answer()
      assert answer.status == 200 and answer.field("transfer-encoding") is None
      assert client.is_closed()
    assert (answer.events[-1] == "[DONE]") if stream else answer.json()["usage"]
  with RawClient(router.port) as client:
    client.send(request_bytes(CHAT, GOOD, version="2.7"))
    assert_error(client.read_answer(), 505)


def test_an_expected_continue_is_said_before_the_body_comes(router):
  body = json.dumps(GOOD).encode()
  head = request_bytes(CHAT, fields=[
    ("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Expect", "100-continue")])
  with RawClient(router.port) as client:
    client.send(head)
    assert client.read_head() == (100, [])
    client.send(body)
    answer = client.read_answer()
    assert answer.status == 200 and answer.interim == []


def test_a_body_that_will_not_be_taken_is_not_asked_for(strict):
  with RawClient(strict.port) as client:
    client.send(request_bytes(CHAT, fields=[
      ("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"),
      ("Content-Length", str(MAX_BODY + 1)), ("Expect", "100-continue")]))
    answer = client.read_answer()
    assert answer.interim == []
    assert_error(answer, 413)


def test_pipelined_requests_are_answered_in_their_order(router):
  wanted = [GOOD, GOOD | {"stream": True}, GOOD | {"model": "nobody"}, GOOD | {"stream": True, "n": 2}, GOOD]
  with RawClient(router.port) as client:
    client.send(b"".join(request_bytes(CHAT, body) for body in wanted) + request_bytes("/livez", method="GET"))
    answers = [client.read_answer() for _ in wanted]
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200]
    assert [answer.events[-1] == "[DONE]" if answer.events else False for answer in answers] == [
      False, True, False, True, False]
    assert client.read_answer().body == b"live\n"


@pytest.mark.parametrize("data", [
  b"\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /livez\r\n\r\n", b"GET /livez HTTP/1.1\nHost: localhost\n\n",
  b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
  b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA : b\r\n\r\n", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
  b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: \x00\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
  b"GET " + b"/" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
], ids=lambda data: repr(data[:40]))
def test_what_is_not_proper_http_is_refused_and_the_connection_closed(router, data):
  with RawClient(router.port) as client:
    client.send(data)
    answer = client.read_answer()
    assert answer.status in (400, 414, 505)
    assert_error(answer, answer.status)
    assert client.is_closed()


def test_the_official_client_shows_the_message(router):
  with pytest.raises(openai.BadRequestError, match="true or false") as caught:
    router.client().chat.completions.create(**GOOD, extra_body={"stream": "yes"})
  assert caught.value.param == "stream"
