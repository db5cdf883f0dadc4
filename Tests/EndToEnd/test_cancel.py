"""A client that leaves in mid-stream stops the engine's work as fast as if the router were not there."""
import statistics
import time

import pytest
from conftest import Engine, route_to, wait_until

TRIES = 7
CHUNKS = 15
ASKED = 16000
ALLOWED_SECONDS = 0.050


@pytest.fixture(scope="module")
def slow_engine(run_folder):
  """One slot, about 10 ms a token."""
  engine = Engine("engine-slow", run_folder, layers=64, arguments=["--parallel", "1", "--ctx-size", "16384"])
  try:
    yield engine.start()
  finally:
    engine.kill()


def leave(engine, client, model):
  """Reads some chunks of a long answer and leaves. Seconds until the slot was free, and the tokens then decoded."""
  stream = client.chat.completions.create(
    model=model, messages=[{"role": "user", "content": "Tell me everything."}], stream=True, max_tokens=ASKED,
    temperature=0, extra_body={"ignore_eos": True})
  for _, chunk in zip(range(CHUNKS), stream):
    assert chunk.choices[0].finish_reason is None
  assert engine.busy(), "it would be done by itself, and show nothing"
  left = time.monotonic()
  stream.close()
  wait_until(lambda: not engine.busy(), "the slot is still busy", seconds=20, every=0.001)
  return time.monotonic() - left, engine.slots()[0]["next_token"][0]["n_decoded"]


def test_a_client_that_leaves_frees_the_slot_as_fast_as_a_direct_one(slow_engine, start_router):
  router = start_router(route_to([("slow", "tiny", 1)], {"slow": slow_engine.provider()}))
  direct, routed = [], []
  with slow_engine.client() as near, router.client() as far:
    for _ in range(TRIES):
      direct.append(leave(slow_engine, near, "tiny"))
      routed.append(leave(slow_engine, far, "chat"))
  seconds = [statistics.median(time for time, _ in tries) for tries in (direct, routed)]
  print(f"slot free after {seconds[0] * 1000:.1f} ms directly, {seconds[1] * 1000:.1f} ms through the router")
  assert seconds[1] <= seconds[0] + ALLOWED_SECONDS
  decoded = [count for _, count in direct + routed]
  assert max(decoded) < ASKED / 20, f"decoded {decoded}"

  rows = router.ledger_rows(at_least=TRIES)
  assert [row["outcome"] for row in rows] == ["cancelled"] * TRIES
  for row in rows:
    assert row["output_source"] == "observed"
    # The first chunk may only say who speaks, so one less than was read can have been a token.
    assert CHUNKS - 1 <= row["output_tokens"] < ASKED / 20
