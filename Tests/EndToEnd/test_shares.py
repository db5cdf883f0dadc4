"""Two real engines at $1 and $3: nine of ten requests go to the cheap one, and none is lost when it dies."""
import itertools
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from conftest import route_to

REQUESTS = 1000
CLIENTS = 8


@pytest.fixture
def router(engines, start_router):
  providers = {name: engine.provider() for name, engine in zip(("cheap", "dear"), engines)}
  return start_router(route_to([("cheap", "tiny", 1), ("dear", "tiny", 3)], providers))


def test_shares_are_the_inverse_square_of_the_price(router):
  def ask(number):
    return http.post("/chat/completions", json={
      "model": "chat", "max_tokens": 2, "messages": [{"role": "user", "content": f"Request {number}"}]}).status_code

  with httpx.Client(base_url=router.url, trust_env=False, timeout=60) as http, ThreadPoolExecutor(CLIENTS) as pool:
    assert set(pool.map(ask, range(REQUESTS))) == {200}
  rows = router.ledger_rows(at_least=REQUESTS)
  assert len(rows) == REQUESTS, "no request needed a second attempt"
  assert {row["outcome"] for row in rows} == {"completed"}
  cheap = sum(row["provider"] == "cheap" for row in rows)
  deviation = math.sqrt(REQUESTS * 0.9 * 0.1)
  print(f"{cheap} of {REQUESTS} went to the cheap one; expected {0.9 * REQUESTS:.0f} ± {3 * deviation:.1f}")
  assert abs(cheap - 0.9 * REQUESTS) <= 3 * deviation


def test_no_request_without_content_fails_when_the_cheap_engine_is_killed(engines, router):
  total, kill_after = 400, 150
  finished, killed = itertools.count(1), threading.Event()

  def ask(number):
    """What became of one stream: whether it had content, and the error that ended it."""
    content, reason, error = "", None, None
    try:
      stream = client.chat.completions.create(
        model="chat", messages=[{"role": "user", "content": f"Request {number}"}], stream=True, max_tokens=100,
        extra_body={"ignore_eos": True})
      for chunk in stream:
        content += chunk.choices[0].delta.content or ""
        reason = chunk.choices[0].finish_reason
      assert reason == "length", f"a stream ended well, but with {reason}"
    except openai.APIError as failure:
      error = failure
    if next(finished) == kill_after:
      engines[0].kill()
      killed.set()
    return bool(content), error

  try:
    with router.client() as client, ThreadPoolExecutor(CLIENTS) as pool:
      results = list(pool.map(ask, range(total)))
  finally:
    engines[0].kill()
    engines[0].start()
  assert killed.is_set()
  lost = [error for had_content, error in results if error and not had_content]
  assert not lost, f"{len(lost)} requests failed though nothing had been sent to them yet, the first: {lost[0]!r}"
  cut = sum(error is not None for _, error in results)
  print(f"{cut} of {total} streams were cut in the middle")
  assert cut <= CLIENTS, "only what ran on the killed engine at that moment"

  rows = router.ledger_rows(completions=total)
  completed = [row for row in rows if row["outcome"] == "completed"]
  assert len(completed) == total - cut
  assert sum(row["outcome"] == "interrupted" for row in rows) == cut
  assert sum(row["provider"] == "dear" for row in completed) > (total - kill_after) / 2, "the dear one took over"
  assert len(rows) > total, "some request was tried at the dead engine first, and then at the other"
