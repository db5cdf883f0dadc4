"""SIGHUP reads the routes file again: what runs ends under the old table, what comes is served by the new one."""
import signal

from conftest import free_port, route_to, wait_until
from raw_http import RawClient, ask, request_bytes

BODY = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}


def reload(router):
  before = router.log.read_text().count("adopted")
  router.process.send_signal(signal.SIGHUP)
  wait_until(lambda: router.log.read_text().count("adopted") > before, router.log_end, 10)


def test_a_fallback_after_a_reload_still_goes_where_the_old_table_says(simulator, start_router):
  slow = simulator.provider() | {"timeouts": {"headers": "1s", "unstreamed": "1s"}}
  routes = route_to(
    [("slow", "sim-slow-headers-5000", 1), ("sound", "sim-tokens-20", 1)],
    {"slow": slow, "sound": simulator.provider()}, policy="order")
  router = start_router(routes)
  with RawClient(router.port) as client:
    client.send(request_bytes(body=BODY))
    wait_until(lambda: router.usage_rows(), "no attempt was begun", 5)
    router.write_routes(route_to(
      [("nobody", "other", 1)], {"nobody": {"base_url": f"http://127.0.0.1:{free_port()}/v1", "api_key": "other"}}))
    reload(router)
    answer = client.read_answer()
    assert answer.status == 200 and answer.json()["usage"]["completion_tokens"] == 20, answer.body
    client.send(request_bytes(body=BODY))
    assert client.read_answer().status == 502
  endpoints = [row["endpoint"] for row in router.ledger_rows(3)]
  assert endpoints == ["slow:sim-slow-headers-5000", "sound:sim-tokens-20", "nobody:other"]


def test_the_health_of_an_endpoint_outlives_a_reload(simulator, start_router):
  endpoints = [("failing", "sim-503", 1), ("sound", "sim-tokens-20", 1)]
  providers = {name: simulator.provider() for name, *_ in endpoints}
  router = start_router(route_to(endpoints, providers))
  # The default policy draws among the stable ones: soon the failing one has been tried, and from then on it is last.
  wait_until(
    lambda: ask(router.port, body=BODY).status == 200
    and any(row["endpoint"] == "failing:sim-503" for row in router.usage_rows()), "it was never tried", 20)
  router.write_routes(route_to([("extra", "sim-tokens-10", 1000), *endpoints], providers | {
    "extra": simulator.provider()}))
  tried = len(router.ledger_rows())
  reload(router)
  for _ in range(12):
    assert ask(router.port, body=BODY).status == 200
  later = router.ledger_rows(tried + 12)[tried:]
  assert all(row["endpoint"] != "failing:sim-503" for row in later), [row["endpoint"] for row in later]


def test_simulated_providers_may_come_change_and_go(start_router):
  simulated = {"simulated": {"first_token": "1ms", "tokens_per_second": 0}}
  router = start_router(route_to([("one", "sim-tokens-20", 1)], {"one": simulated}))
  for name in "one", "two":
    router.write_routes(route_to([(name, "sim-tokens-20", 1)], {name: simulated}))
    reload(router)
    assert ask(router.port, body=BODY).json()["provider"] == f"{name} (simulated)"


def test_a_file_with_a_mistake_is_not_adopted_and_its_mistake_is_said_once(start_router):
  router = start_router(route_to([("one", "sim", 1)], {"one": {"simulated": {"first_token": "1ms"}}}))
  router.routes_file.write_text("providers: { a: { base_url: ftp://a.example } }\n")
  router.process.send_signal(signal.SIGHUP)
  wait_until(lambda: "error: " in router.log.read_text().partition("was not adopted")[2], router.log_end, 10)
  assert router.log.read_text().count(":1:29: error: ") == 1
  assert ask(router.port, body=BODY).status == 200
