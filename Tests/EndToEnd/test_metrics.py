"""/metrics is proper Prometheus text, and its numbers are the ledger's."""
import math
import re

import httpx
import pytest
from conftest import Router, wait_until
from raw_http import ask

CHAT = "/v1/chat/completions"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (\S+)')
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


class Page:
  """The text format 0.0.4, read strictly: every metric once, with its help and its type before its samples."""

  def __init__(self, text):
    assert text.endswith("\n")
    self.types, self.samples = {}, {}
    family = None
    for line in text.splitlines():
      if line.startswith("# HELP "):
        family, words = line.removeprefix("# HELP ").split(" ", 1)
        assert re.fullmatch(NAME, family) and words
        assert family not in self.types, f"{family} is there twice"
        self.types[family] = None
      elif line.startswith("# TYPE "):
        name, kind = line.removeprefix("# TYPE ").split(" ")
        assert name == family and self.types[name] is None, line
        assert kind in ("counter", "gauge", "histogram", "summary", "untyped")
        self.types[name] = kind
      else:
        self.read_sample(line, family)
    for name, kind in self.types.items():
      assert kind, f"{name} has no type"
      if kind == "histogram":
        self.check_histogram(name)

  def read_sample(self, line, family):
    found = SAMPLE.fullmatch(line)
    assert found, f"no sample: {line!r}"
    name, labels, value = found[1], found[2] or "", found[found.re.groups]
    assert name in {family + suffix for suffix in SUFFIXES.get(self.types[family], ("",))}, line
    pairs = re.findall(LABEL, labels)
    assert len({key for key, _ in pairs}) == len(pairs), f"a label is there twice: {line}"
    key = (name, tuple(sorted(pairs)))
    assert key not in self.samples, f"a sample is there twice: {line}"
    number = float(value)
    assert math.isfinite(number) and number >= 0, line
    self.samples[key] = number

  def check_histogram(self, name):
    """Buckets are cumulative and end in +Inf, which is the count."""
    series = {}
    for (sample, labels), value in self.samples.items():
      if sample == f"{name}_bucket":
        rest = tuple(pair for pair in labels if pair[0] != "le")
        series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
    for labels, buckets in series.items():
      counts = [count for _, count in sorted(buckets)]
      assert counts == sorted(counts) and max(buckets)[0] == math.inf
      assert counts[-1] == self.samples[f"{name}_count", labels]
      assert (f"{name}_sum", labels) in self.samples

  def sum(self, name, **labels):
    return sum(value for (sample, pairs), value in self.samples.items()
               if sample == name and labels.items() <= dict(pairs).items())


# Each: the route, how often it is asked for, and the words of its endpoints, the first of which may fail.
LOAD = {
  "plain": (7, ["sim-tokens-5"]),
  "broken": (3, ["sim-cut-at-4000"]),
  "second": (4, ["sim-503", "sim-tokens-6"]),
  "failing": (2, ["sim-500"]),
  'odd"name\\': (1, ["sim-tokens-3"]),
}
REFUSALS = [(404, {"model": "nobody"}, 3), (404, {"model": "another-nobody"}, 2), (400, {"model": 5}, 1)]


@pytest.fixture(scope="module")
def loaded(binary, simulator, run_folder):
  """A router that has served a known load, its metrics and its ledger."""
  router = Router(binary, run_folder, {
    "providers": {"sim": simulator.provider()},
    "models": {f"m-{number}": {"endpoints": [
      {"provider": "sim", "model": model, "price": {"input": 0.5, "output": 1.5}} for model in models]}
      for number, (_, models) in enumerate(LOAD.values())},
    "routes": {route: {"models": [f"m-{number}"], "policy": {"order": [f"sim:{model}" for model in models]}}
               for number, (route, (_, models)) in enumerate(LOAD.items())},
  }, "metrics")
  try:
    router.start()
    message = {"messages": [{"role": "user", "content": "Hello"}]}
    for route, (count, _) in LOAD.items():
      for number in range(count):
        ask(router.port, CHAT, message | {"model": route, "stream": number % 2 == 0})
    for status, body, count in REFUSALS:
      for _ in range(count):
        assert ask(router.port, CHAT, message | body).status == status
    rows = router.ledger_rows(completions=sum(count for count, _ in LOAD.values()))
    def whole():
      page = page_of(router)
      return page if page.sum("pointsman_attempts_total") >= len(rows) else None
    yield wait_until(whole, "the metrics do not show all attempts", 5), rows
  finally:
    router.stop()


def page_of(router):
  answer = httpx.get(f"{router.admin_url}/metrics", trust_env=False)
  assert answer.status_code == 200
  assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
  return Page(answer.text)


@pytest.mark.parametrize("column, name, type", [
  ("input_tokens", "pointsman_tokens_total", "input"), ("output_tokens", "pointsman_tokens_total", "output"),
  ("cached_input_tokens", "pointsman_tokens_total", "cached_input"),
])
def test_tokens_are_those_of_the_ledger(loaded, column, name, type):
  page, rows = loaded
  for route in LOAD:
    expected = sum(row[column] or 0 for row in rows if row["route"] == route)
    assert page.sum(name, route=escaped(route), type=type) == expected
  assert page.sum(name, type=type) == sum(row[column] or 0 for row in rows)


def escaped(text):
  return text.replace("\\", "\\\\").replace('"', '\\"')


def test_attempts_and_requests_are_those_of_the_ledger(loaded):
  page, rows = loaded
  for outcome in ("completed", "failed", "interrupted", "cancelled"):
    of_outcome = [row for row in rows if row["outcome"] == outcome]
    assert page.sum("pointsman_attempts_total", outcome=outcome) == len(of_outcome)
    assert page.sum("pointsman_requests_total", outcome=outcome) == sum(row["final"] for row in of_outcome)
  for route, (count, _) in LOAD.items():
    assert page.sum("pointsman_requests_total", route=escaped(route)) == count
  assert page.sum("pointsman_attempts_total", route="plain", provider="sim", model="m-0", outcome="completed") == 7


def test_the_cost_is_that_of_the_ledger(loaded):
  page, rows = loaded
  expected = sum(row["cost_nanousd"] or 0 for row in rows) / 1e9
  assert expected > 0
  assert page.sum("pointsman_cost_usd_total") == pytest.approx(expected, rel=1e-12)


def test_times_are_histograms_of_every_attempt(loaded):
  page, rows = loaded
  assert page.sum("gen_ai_server_request_duration_seconds_count") == len(rows)
  assert page.sum("gen_ai_server_request_duration_seconds_sum") == pytest.approx(
    sum(row["duration_ms"] for row in rows) / 1000, abs=1e-3)
  first = [row["ttft_ms"] for row in rows if row["ttft_ms"] is not None]
  assert first and page.sum("gen_ai_server_time_to_first_token_seconds_count") == len(first)
  outputs = [row["output_tokens"] for row in rows if row["output_tokens"] is not None]
  assert page.sum("gen_ai_client_token_usage_count", gen_ai_token_type="output") == len(outputs)
  assert page.sum("gen_ai_client_token_usage_sum", gen_ai_token_type="output") == sum(outputs)


def test_a_name_that_no_table_has_counts_as_unknown(loaded):
  page, _ = loaded
  for status in {status for status, _, _ in REFUSALS}:
    expected = sum(count for known, _, count in REFUSALS if known == status)
    assert page.sum("pointsman_requests_refused_total", route="unknown", status=str(status)) == expected
  values = {value for _, labels in page.samples for key, value in labels}
  assert not {"nobody", "another-nobody"} & values


def test_connections_and_streams_are_counted(loaded):
  page, _ = loaded
  asked = sum(count for count, _ in LOAD.values()) + sum(count for *_, count in REFUSALS)
  assert page.types["pointsman_connections_total"] == "counter"
  # The first ones only asked whether it was ready.
  assert page.sum("pointsman_connections_total") > asked
  assert page.sum("pointsman_open_streams") == 0
  assert page.sum("pointsman_received_bytes_total") > 100 * asked
  assert page.sum("pointsman_sent_bytes_total") > 300 * asked
  assert page.sum("pointsman_journal_failures_total") == 0


@pytest.mark.parametrize("fields, status", [
  ({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403), ({}, 200),
])
def test_the_admin_listener_turns_strangers_away(start_router, fields, status):
  router = start_router({"providers": {"p": {"base_url": "http://127.0.0.1:9/v1"}},
                         "models": {"m": {"endpoints": [{"provider": "p"}]}}, "routes": {"chat": {"models": ["m"]}}})
  assert httpx.get(f"{router.admin_url}/metrics", headers=fields, trust_env=False).status_code == status
