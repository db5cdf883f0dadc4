"""A stream that is cut is never made to look finished: an error event in it, no [DONE], no "stop"."""
import asyncio
import contextlib
import json
import os

import httpx
import openai
import pytest
from conftest import Router, route_to

TOKENS = 60
AT_ONCE = 64
CUTS_PER_ROUTER = 2000
FULL = os.environ.get("POINTSMAN_FULL") == "1"


def events_of(body):
  """The data of each complete event."""
  return [line.removeprefix("data: ") for line in body.decode().splitlines() if line.startswith("data:")]


def finish_reasons(events):
  return [choice["finish_reason"] for event in events if event != "[DONE]"
          for choice in json.loads(event).get("choices", []) if choice.get("finish_reason")]


def fault_of(events):
  """Why these are not the events of a stream that says honestly that it was cut; None if they are."""
  if not events:
    return "no event"
  if "[DONE]" in events:
    return "[DONE]"
  if finish_reasons(events) != ["error"]:
    return f"finish reasons {finish_reasons(events)}"
  last = json.loads(events[-1])
  if not last.get("error", {}).get("message"):
    return f"the last event has no error: {events[-1]}"
  if any("error" in json.loads(event) for event in events[:-1]):
    return "more than one error"
  return None


def content_of(events):
  return [choice["delta"]["content"] for event in events if event != "[DONE]"
          for choice in json.loads(event).get("choices", []) if choice.get("delta", {}).get("content")]


def test_a_killed_engine_ends_the_stream_with_an_error_event(engines, start_router):
  engine = engines[1]
  router = start_router(route_to([("west", "tiny", 1)], {"west": engine.provider()}))
  body = {"model": "chat", "messages": [{"role": "user", "content": "Go on and on."}], "stream": True,
          "max_tokens": 8000, "ignore_eos": True}
  received = b""
  try:
    with httpx.stream("POST", f"{router.url}/chat/completions", json=body, timeout=30, trust_env=False) as answer:
      assert answer.status_code == 200
      for piece in answer.iter_bytes():
        received += piece
        if engine.running and len(events_of(received)) > 40:
          engine.kill()
  finally:
    engine.kill()
    engine.start()
  events = events_of(received)
  assert not (fault := fault_of(events)), fault
  [row] = router.ledger_rows()
  assert (row["outcome"], row["output_source"]) == ("interrupted", "observed")
  assert row["output_tokens"] == len(content_of(events)) > 30


def test_the_official_client_raises_an_error_for_a_cut_stream(simulator, start_router):
  router = start_router(route_to([("sim", "sim-cut-at-3000", 1)], {"sim": simulator.provider()}))
  with pytest.raises(openai.APIError):
    for chunk in router.client().chat.completions.create(
        model="chat", messages=[{"role": "user", "content": "Hello"}], stream=True, max_tokens=TOKENS):
      assert chunk.choices[0].finish_reason is None


def request_for(model):
  """The seed makes the simulator say the same words, and so the same bytes, each time."""
  return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": True, "max_tokens": TOKENS,
          "seed": 7}


async def stream_once(port, body):
  """One streamed request on a connection of its own: the status, and the body with its chunks put together."""
  reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
  try:
    payload = json.dumps(body).encode()
    writer.write(
      b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
      b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(payload), payload))
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" not in head:
      return status, await reader.read()
    received = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
      received += (await reader.readexactly(size + 2))[:size]
    return status, received
  finally:
    writer.close()


async def streams_of(port, names):
  """One stream from each model, some at a time."""
  turns = asyncio.Semaphore(AT_ONCE)

  async def one(name):
    async with turns:
      return await asyncio.wait_for(stream_once(port, request_for(name)), 30)

  return await asyncio.gather(*map(one, names))


def direct_stream(simulator, model):
  """The body as the simulator sends it. It ends as a cut one does, without the last chunk, and httpx says so."""
  received = b""
  with contextlib.suppress(httpx.RemoteProtocolError):
    with httpx.stream("POST", f"{simulator.url}/chat/completions", timeout=30, trust_env=False, json={
        **request_for(model), "stream_options": {"include_usage": True}}) as answer:
      for piece in answer.iter_raw():
        received += piece
  return received


def cut_at(byte, words="cut-at"):
  """The simulated model whose body ends after so many bytes. Its name is in every event, so it is always as long."""
  return f"sim-{words}-{byte:06}"


def check_cuts(router, cuts, first_content, words):
  """Streams each cut once: what was wrong with the answers, and with the ledger's rows."""
  faults, seen = [], {}
  for cut, (status, body) in zip(
      cuts, asyncio.run(streams_of(router.port, [cut_at(cut, words) for cut in cuts]))):
    events = events_of(body) if status == 200 else []
    seen[cut_at(cut, words)] = len(content_of(events))
    if status == 200:
      fault = fault_of(events)
    elif cut >= first_content and words != "rst-at":
      fault = f"status {status}, although there was content"
    else:
      # Nothing had been sent yet, so the status could still say it. A reset may take away what was not read yet.
      fault = None if status in (502, 503) and json.loads(body)["error"]["message"] else f"status {status}: {body}"
    if fault:
      faults.append(f"cut at {cut}: {fault}")

  rows = router.ledger_rows(completions=len(cuts), seconds=60)
  assert {row["model"] for row in rows} == set(seen)
  for row in rows:
    found = (row["outcome"], row["output_source"], row["output_tokens"])
    count = seen[row["model"]]
    if words == "cutclean-at" and found[2] == count + 1 and count:
      # The body's proper end closes an event that lacks nothing but its blank line: it counts, but goes to nobody.
      count += 1
    if found != ("interrupted", "observed", count) if count else row["outcome"] not in ("interrupted", "failed"):
      faults.append(f"{row['model']}: the client saw {count} tokens, its row says {found}")
  return faults


@pytest.mark.timeout(400)
@pytest.mark.parametrize("words, step", [
  ("cut-at", 1), ("rst-at", 1 if FULL else 9), ("chunk-cut-at", 1 if FULL else 9), ("cutclean-at", 1 if FULL else 9)])
def test_a_cut_at_every_byte_of_a_simulated_stream_is_an_honest_error(simulator, binary, tmp_path, words, step):
  # A reset may take away what the client here has not read; the other name is as long.
  whole = direct_stream(simulator, cut_at(999999, "cut-at" if words == "rst-at" else words))
  lines = whole.splitlines(keepends=True)
  assert len(content_of(events_of(whole))) == TOKENS

  def end_of_first(wanted):
    return next(sum(map(len, lines[: at + 1])) for at, line in enumerate(lines) if wanted(events_of(line)))

  # An event ends with the blank line after it.
  first_content, end_of_finish = end_of_first(content_of) + 1, end_of_first(finish_reasons) + 1
  faults = []
  every = range(0, end_of_finish, step)
  for first in range(0, len(every), CUTS_PER_ROUTER):
    cuts = every[first:first + CUTS_PER_ROUTER]
    router = Router(binary, tmp_path, {
      "providers": {"sim": simulator.provider()},
      "models": {name: {"endpoints": [{"provider": "sim", "model": name, "price": {"input": 1, "output": 1}}]}
                 for name in (cut_at(cut, words) for cut in cuts)},
      "routes": {"chat": {"models": [cut_at(cuts[0], words)], "policy": "default"}},
    }, name=f"router-{first}")
    try:
      faults += check_cuts(router.start(), cuts, first_content, words)
    finally:
      router.stop()
  assert not faults, f"{len(faults)} faults in {len(every)} cuts:\n" + "\n".join(faults[:10])
