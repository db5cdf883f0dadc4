"""Choosing, through HTTP: every control of a request goes to the right endpoint, or is refused with the reason."""
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from conftest import wait_until
from raw_http import ask

MESSAGES = [{"role": "user", "content": "Hello"}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
IMAGE = [{"role": "user", "content": [
  {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]


def fleet(simulator, **route):
  """Endpoints at one simulator, each other in one thing; the cheapest is `plain`."""
  def endpoint(provider, price, **more):
    return {"provider": provider, "model": "sim-tokens-5", "price": {"input": price, "output": price}} | more
  endpoints = [
    endpoint("plain", 1, parameters=["temperature", "max_tokens"], inputs=["text"], quantization="fp8",
             data={"trains": True, "retains": True}, context=2000, max_output=100),
    endpoint("tools", 2, parameters=["temperature", "max_tokens", "tools", "tool_choice", "top_k"],
             inputs=["text", "image"], quantization="bf16", data={"trains": False, "retains": True}),
    endpoint("private", 3, inputs=["text", "image"], quantization="mxfp4", data={"trains": False, "retains": False},
             tag="private/turbo"),
    endpoint("dear", 9, quantization="unknown", context=100000),
    endpoint("flexible", 0.5, tier="flex", tag="flexible/flex"),
    endpoint("quick", 20, tier="priority", tag="quick/priority"),
  ]
  free = [endpoint("gratis", 0), endpoint("plain", 1)]
  free[1]["model"] = "sim-tokens-6"
  return {
    "providers": {name: simulator.provider() for name in (
      "plain", "tools", "private", "dear", "flexible", "quick", "gratis", "second")},
    "models": {
      "maker/main": {"distillable": True, "endpoints": endpoints},
      "maker/other": {"endpoints": [endpoint("second", 5)]},
      "maker/free": {"endpoints": free},
    },
    "routes": {"chat": {"models": ["maker/main"], "policy": "price"} | route},
    "presets": {
      "careful": {"model": "chat", "provider": {"data_collection": "deny"}},
      "bare": {"provider": {"only": ["dear"]}},
    },
  }


@pytest.fixture
def router(simulator, start_router):
  return start_router(fleet(simulator))


def served(router, headers=(), model="chat", **more):
  """Who served, or the error's status, message and body."""
  answer = ask(router.port, body={"model": model, "messages": MESSAGES} | more, fields=list(headers))
  if answer.status == 200:
    return answer.json()["provider"]
  return answer.status, answer.json()["error"]["message"], answer.json()


def refused(result, status, *words):
  assert result[0] == status, result
  for word in words:
    assert word in result[1], result
  return result[2]


# The `provider` object, field by field (openrouter.md 1.1).

def test_order_and_allow_fallbacks(router):
  assert served(router) == "plain"
  assert served(router, provider={"order": ["dear", "tools"]}) == "dear"
  assert served(router, provider={"order": ["nobody", "Tools"]}) == "tools"
  assert served(router, provider={"allow_fallbacks": False}) == "plain"


def test_without_fallbacks_the_upstream_error_is_returned(simulator, start_router):
  routes = fleet(simulator)
  routes["models"]["maker/main"]["endpoints"][0]["model"] = "sim-503"
  router = start_router(routes)
  assert served(router, provider={"order": ["plain"]}) == "tools"
  refused(served(router, provider={"order": ["plain"], "allow_fallbacks": False}), 503, "plain", "503")
  # Once more where it failed, then elsewhere; the second request finds it out, and asks once.
  rows = router.ledger_rows(4)
  assert [row["provider"] for row in rows] == ["plain", "plain", "tools", "plain"]


def test_only_and_ignore(router):
  assert served(router, provider={"only": ["dear"]}) == "dear"
  assert served(router, provider={"only": ["private"]}) == "private"
  assert served(router, provider={"only": ["private/turbo"]}) == "private"
  body = refused(served(router, provider={"only": ["private/other"]}), 404, "is not among the request's `only`")
  assert body["error"]["availability"]["excluded_by"] == ["allowed_providers", "service_tier"], body
  assert len(body["error"]["metadata"]["candidates"]) == 6, body
  assert served(router, provider={"ignore": ["plain", "tools"]}) == "private"


def test_require_parameters(router):
  assert served(router, top_p=0.5) == "plain"
  assert served(router, top_p=0.5, provider={"require_parameters": True}) == "private"
  assert served(router, top_k=3, provider={"require_parameters": True}) == "tools"


class Recorder(BaseHTTPRequestHandler):
  """A provider that keeps the bodies that it gets."""

  def do_POST(self):
    self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
    answer = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
      {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
      "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
    self.send_response(200)
    self.send_header("Content-Type", "application/json")
    self.send_header("Content-Length", str(len(answer)))
    self.end_headers()
    self.wfile.write(answer)

  def log_message(self, *_):
    pass


def test_an_endpoint_gets_what_it_takes_and_the_client_is_told_what_was_left_out(start_router):
  server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
  server.bodies = []
  threading.Thread(target=server.serve_forever, daemon=True).start()
  try:
    router = start_router({
      "providers": {"p": {"base_url": f"http://127.0.0.1:{server.server_address[1]}/v1", "api_key": "recorded"}},
      "models": {"m": {"endpoints": [{"provider": "p", "parameters": ["temperature"], "tier": "flex"}]}},
      "routes": {"chat": {"models": ["m"]}},
    })
    answer = ask(router.port, body={
      "model": "chat", "messages": MESSAGES, "top_p": 0.5, "temperature": 0.5, "max_tokens": 7, "session_id": "s",
      "service_tier": "flex", "provider": {"sort": "price"}})
    assert answer.status == 200, answer.body
    assert answer.field("X-Pointsman-Left-Out") == "top_p", answer.fields
    # A bound on the cost is never left out, and what speaks to the router alone never leaves it.
    assert server.bodies == [{"model": "m", "messages": MESSAGES, "temperature": 0.5, "max_tokens": 7,
                              "service_tier": "flex"}]
  finally:
    server.shutdown()
    server.server_close()


def test_data_collection_zdr_and_distillation(router):
  assert served(router, provider={"data_collection": "deny"}) == "private"
  assert served(router, provider={"data_collection": "allow"}) == "plain"
  assert served(router, provider={"zdr": True}) == "private"
  refused(served(router, provider={"zdr": True, "ignore": ["private"]}), 404, "zdr: true")
  assert served(router, provider={"enforce_distillable_text": True}) == "plain"
  refused(served(router, model="maker/other", provider={"enforce_distillable_text": True}), 404, "distillable")


def test_quantizations(router):
  assert served(router, provider={"quantizations": ["bf16"]}) == "tools"
  assert served(router, provider={"quantizations": ["fp4"]}) == "private"
  refused(served(router, provider={"quantizations": ["int4"]}), 404, "quantization")
  refused(served(router, provider={"quantizations": ["fp5"]}), 400, "quantizations")


def test_sort(router):
  assert served(router, provider={"sort": "price"}) == "plain"
  assert served(router, provider={"sort": {"by": "price", "partition": "none"}}, models=["maker/other"]) == "plain"
  assert served(router, model="maker/other", models=["maker/free"],
                provider={"sort": {"by": "price", "partition": "none"}}) == "gratis"
  assert served(router, model="maker/other", models=["maker/free"], provider={"sort": "price"}) == "second"
  refused(served(router, provider={"sort": "speed"}), 400, "sort")


def test_sort_by_what_was_measured(simulator, start_router):
  routes = fleet(simulator)
  endpoints = routes["models"]["maker/main"]["endpoints"]
  endpoints[0]["model"] = "sim-slow-first-300-tokens-5"
  router = start_router(routes)
  for _ in range(6):
    for name in "plain", "tools":
      assert served(router, stream=False, provider={"only": [name]}) == name
  for _ in range(4):
    for name in "plain", "tools":
      ask(router.port, body={
        "model": "chat", "messages": MESSAGES, "stream": True, "provider": {"only": [name]}})
  def seen():
    known = explained(router, {"model": "chat", "messages": MESSAGES})["candidates"]
    return {c["provider"]: c["last_5_minutes"]["requests"] for c in known}
  wait_until(lambda: min(seen()[name] for name in ("plain", "tools")) == 10, lambda: f"not all is known yet: {seen()}", 5)
  only = {"only": ["plain", "tools"]}
  assert served(router, provider=only) == "plain"
  assert served(router, provider=only | {"sort": "latency"}) == "tools"
  assert served(router, provider=only | {"preferred_max_latency": 0.2}) == "tools"
  assert served(router, provider=only | {"preferred_max_latency": {"p90": 5}}) == "plain"


def test_preferences_deprioritise_and_never_exclude(router):
  assert served(router, provider={"preferred_min_throughput": 1e9}) == "plain"
  assert served(router, provider={"preferred_max_latency": {"p50": 0.000001, "p99": 1}}) == "plain"
  refused(served(router, provider={"preferred_max_latency": "soon"}), 400, "preferred_max_latency")


def test_max_price(router):
  refused(served(router, provider={"max_price": {"prompt": 0.5}}), 404, "max_price")
  assert served(router, provider={"max_price": {"prompt": "2", "completion": 2}, "ignore": ["plain"]}) == "tools"
  refused(served(router, provider={"max_price": {"prompt": -1}}), 400, "max_price")


def test_an_unknown_member_is_an_error_that_names_it(router):
  refused(served(router, provider={"sorted": "price"}), 400, "sorted")
  refused(served(router, provider="plain"), 400, "provider")
  refused(served(router, models="maker/other"), 400, "models")


# Beside it.

def test_models_are_fallbacks_in_their_order(simulator, start_router):
  routes = fleet(simulator)
  for endpoint in routes["models"]["maker/main"]["endpoints"]:
    endpoint["model"] = "sim-503"
  router = start_router(routes)
  answer = ask(router.port, body={"model": "chat", "models": ["maker/other"], "messages": MESSAGES})
  assert (answer.status, answer.json()["model"]) == (200, "maker/other"), answer.body
  refused(served(router, models=["maker/missing"]), 404, "models")


def test_capabilities_and_lengths(router):
  assert served(router, tools=TOOLS) == "tools"
  assert served(router, messages=IMAGE) == "tools"
  assert served(router, max_tokens=101) == "tools"
  assert served(router, messages=[{"role": "user", "content": "word " * 8000}]) == "tools"
  body = refused(
    served(router, tools=TOOLS, provider={"only": ["plain"]}), 404, "does not support tools", "plain")
  assert "require_parameters" in body["error"]["availability"]["excluded_by"], body


def test_suffixes(router):
  assert served(router, model="chat:floor") == "flexible"
  assert served(router, model="chat:nitro") in {"quick", "plain", "tools", "private", "dear"}
  assert served(router, model="maker/free:free") == "gratis"
  refused(served(router, model="chat:free"), 404, "is not free")
  assert served(router, model="chat:exacto") in {"plain", "tools", "private", "dear"}
  refused(served(router, model="chat:online"), 404, "suffix")
  refused(served(router, model="missing:nitro"), 404, "no route or model")


def test_service_tiers(router):
  assert served(router, service_tier="flex") == "flexible"
  assert served(router, service_tier="default") == "plain"
  assert served(router, provider={"only": ["quick/priority"]}) == "quick"
  refused(served(router, provider={"only": ["quick"]}), 404, "tier")
  refused(served(router, service_tier="golden"), 400, "service_tier")


def test_presets(router):
  assert served(router, model="@preset/careful") == "private"
  assert served(router, model="chat@preset/bare") == "dear"
  assert served(router, preset="bare") == "dear"
  assert served(router, model="@preset/careful", provider={"data_collection": "allow"}) == "plain"
  refused(served(router, model="@preset/missing"), 404, "preset")
  refused(served(router, model="@preset/bare"), 400, "names no model")


def test_the_same_controls_as_a_header(router):
  def with_header(controls, **more):
    return served(router, headers=[("X-Pointsman-Controls", json.dumps(controls))], **more)
  assert with_header({"provider": {"only": ["dear"]}}) == "dear"
  assert with_header({"provider": {"only": ["dear"]}}, provider={"only": ["tools"]}) == "tools"
  refused(with_header({"provider": {"sort": "speed"}}), 400, "sort")
  refused(with_header([]), 400, "object")


def test_limits_of_the_route_always_win(simulator, start_router):
  router = start_router(fleet(simulator, limits={"only": ["plain", "dear"], "max_price": {"input": 5}}))
  assert served(router) == "plain"
  refused(served(router, provider={"only": ["dear"]}), 404, "the route's max_price")
  refused(served(router, provider={"only": ["tools"]}), 404, "the route's `only`")
  refused(served(router, provider={"order": ["tools"], "allow_fallbacks": False}), 404)


# Rules.

def test_rules_match_in_order(simulator, start_router):
  router = start_router(fleet(simulator, rules=[
    {"name": "long", "when": {"prompt_tokens": {"min": 2000}}, "limits": {"only": ["dear"]}},
    {"name": "pictures", "when": {"images": True}, "limits": {"only": ["private"]}},
    {"when": {"tag": "batch"}, "models": ["maker/other"]},
    {"name": "team", "when": {"header": {"X-Team": "agents"}}, "limits": {"only": ["tools"]}},
    {"name": "streamed", "when": {"streamed": True}, "limits": {"ignore": ["plain"]}},
  ]))
  assert served(router) == "plain"
  assert served(router, messages=[{"role": "user", "content": "word " * 3000}]) == "dear"
  assert served(router, messages=IMAGE) == "private"
  assert served(router, headers=[("X-Pointsman-Tags", "day, batch")]) == "second"
  assert served(router, headers=[("X-Team", "agents")]) == "tools"
  assert served(router, headers=[("X-Team", "others")]) == "plain"
  # Two loops may begin an attempt in the same millisecond, so the rows' order says nothing.
  rules = {row["provider"]: row.get("rule") for row in router.ledger_rows(6) if row["provider"] != "plain"}
  assert rules == {"dear": "long", "private": "pictures", "second": "rule 3", "tools": "team"}


# Explaining.

def explained(router, body, **query):
  answer = httpx.post(f"{router.admin_url}/admin/explain", json=body, params=query, trust_env=False, timeout=10)
  return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json())


def test_explain_says_where_it_goes_and_it_goes_there(simulator, start_router):
  routes = fleet(simulator)
  endpoints = routes["models"]["maker/main"]["endpoints"]
  for number in range(4):
    routes["providers"][f"more-{number}"] = simulator.provider()
    endpoints.append({"provider": f"more-{number}", "model": "sim-tokens-5",
                      "price": {"input": 1.5 + number, "output": 1.0}})
  router = start_router(routes)
  assert len(endpoints) == 10
  body = {"model": "chat", "messages": MESSAGES, "top_k": 4}
  said = explained(router, body)
  candidates = said["candidates"]
  assert len(candidates) == 10
  assert [c["verdict"] for c in candidates].count("picked") == 1
  for candidate in candidates:
    if candidate["verdict"] == "rejected":
      assert candidate["reason"] and candidate["code"], candidate
    else:
      terms = [value for value in candidate["terms"].values() if value is not None]
      assert sum(terms) == pytest.approx(candidate["score"]), candidate
  assert {c["verdict"] for c in candidates} == {"picked", "fallback", "rejected"}
  agreed = 0
  for number in range(1000):
    request = {"model": "chat", "messages": [{"role": "user", "content": f"{number} " * (number % 50 + 1)}]}
    if number % 3 == 0:
      request["provider"] = {"ignore": ["plain"]}
    if number % 5 == 0:
      request["tools"] = TOOLS
    pick = explained(router, request)["candidates"][0]
    answer = ask(router.port, body=request)
    agreed += (pick["verdict"], pick["provider"]) == ("picked", answer.json()["provider"])
  assert agreed == 1000


def test_explain_for_people_and_as_a_command(router, binary):
  text = httpx.post(f"{router.admin_url}/admin/explain", json={"model": "chat", "messages": MESSAGES},
                    params={"format": "text"}, trust_env=False).text
  assert "picked" in text and "rejected" in text and "policy price" in text, text
  command = [binary, "explain", "--config", router.routes_file, "--data", router.data]
  done = subprocess.run([*map(str, command), "--model", "chat"], capture_output=True, text=True, timeout=30)
  assert done.returncode == 0 and "picked      plain:sim-tokens-5" in done.stdout, done.stdout + done.stderr
  done = subprocess.run([*map(str, command), "--model", "chat", "--json", "--admin", router.admin_url],
                        capture_output=True, text=True, timeout=30)
  assert done.returncode == 0 and json.loads(done.stdout)["candidates"][0]["provider"] == "plain", done.stderr
  done = subprocess.run([*map(str, command), "--model", "chat:free"], capture_output=True, text=True, timeout=30)
  assert done.returncode == 1 and "is not free" in done.stdout, done.stdout + done.stderr
  done = subprocess.run([*map(str, command), "--model", "missing"], capture_output=True, text=True, timeout=30)
  assert done.returncode == 1 and "missing" in done.stderr, done.stderr
  assert explained(router, {"model": "missing", "messages": MESSAGES})[0] == 404
  assert explained(router, {"model": "chat"})[0] == 400


def test_random_policies_print_the_shares_that_are_seen(simulator, start_router):
  endpoint = {"model": "sim-tokens-5"}
  router = start_router({
    "providers": {name: simulator.provider() for name in "ab"},
    "models": {"m": {"endpoints": [
      endpoint | {"provider": "a", "price": {"input": 1, "output": 1}},
      endpoint | {"provider": "b", "price": {"input": 2, "output": 2}}]}},
    "routes": {"chat": {"models": ["m"]}},
  })
  shares = {c["provider"]: c["share"] for c in explained(router, {"model": "chat", "messages": MESSAGES})["candidates"]}
  assert shares == pytest.approx({"a": 0.8, "b": 0.2})
  requests = 1000
  seen = sum(served(router, messages=[{"role": "user", "content": f"{n}"}]) == "a" for n in range(requests))
  deviation = (requests * 0.8 * 0.2) ** 0.5
  assert abs(seen - 0.8 * requests) <= 3 * deviation, seen


def test_metadata_on_request(router):
  headers = [("X-OpenRouter-Metadata", "enabled")]
  body = {"model": "chat", "messages": MESSAGES}
  shown = ask(router.port, body=body, fields=headers).json()["openrouter_metadata"]
  assert shown["requested"] == "chat" and shown["attempt"] == 1, shown
  assert [e["provider"] for e in shown["endpoints"]["available"] if e["selected"]] == ["plain"], shown
  assert shown["explanation"]["candidates"][0]["verdict"] == "picked", shown
  assert "openrouter_metadata" not in ask(router.port, body=body).json()
  events = [line[6:] for line in ask(router.port, body=body | {"stream": True}, fields=headers).body.decode().splitlines()
            if line.startswith("data: ")]
  assert events[-1] == "[DONE]" and json.loads(events[-2])["openrouter_metadata"]["requested"] == "chat"
  failed = ask(router.port, body=body | {"provider": {"only": ["nobody"]}}, fields=headers).json()
  assert failed["openrouter_metadata"]["attempt"] == 0, failed
