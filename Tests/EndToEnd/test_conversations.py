"""Conversations on two real engines: each stays where its prompt cache is, and moves once when that engine dies."""
import collections
import os
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from conftest import Engine, route_to

# The whole of it takes minutes on two cores; `make soak` sets POINTSMAN_FULL.
CONVERSATIONS, TURNS = (200, 20) if os.environ.get("POINTSMAN_FULL") else (40, 6)
AT_ONCE = CONVERSATIONS


@pytest.fixture
def pair(run_folder):
  """Two engines with a cache for every conversation."""
  arguments = ["--parallel", CONVERSATIONS, "--ctx-size", CONVERSATIONS * 1024]
  engines = [Engine(f"cache-{name}", run_folder, arguments=arguments) for name in ("north", "south")]
  try:
    yield [engine.start() for engine in engines]
  finally:
    for engine in engines:
      engine.kill()


class Conversation:
  def __init__(self, number):
    self.messages = [{"role": "system", "content": "You know all trains."},
                     {"role": "user", "content": f"I am guest {number * 7919 % 100003}."}]
    self.providers, self.prompts, self.cached = [], [], []

  def turn(self, url):
    # A new connection for each: turns arrive on different loops.
    answer = httpx.post(f"{url}/chat/completions", timeout=120, trust_env=False, json={
      "model": "chat", "messages": self.messages, "max_tokens": 2, "temperature": 0})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    self.providers.append(body["provider"])
    self.prompts.append(body["usage"]["prompt_tokens"])
    self.cached.append(body["usage"]["prompt_tokens_details"]["cached_tokens"])
    self.messages += [{"role": "assistant", "content": body["choices"][0]["message"]["content"]},
                      {"role": "user", "content": "And?"}]


@pytest.mark.timeout(900)
def test_each_conversation_stays_with_its_cache_and_moves_once(pair, start_router):
  providers = {name: engine.provider() for name, engine in zip(("north", "south"), pair)}
  routes = route_to([("north", "tiny", 1), ("south", "tiny", 1)], providers)
  for endpoint in routes["models"]["tiny"]["endpoints"]:
    endpoint["price"]["cached_input"] = 0.1
  router = start_router(routes)
  conversations = [Conversation(number) for number in range(CONVERSATIONS)]
  with ThreadPoolExecutor(AT_ONCE) as pool:
    for _ in range(TURNS):
      list(pool.map(lambda conversation: conversation.turn(router.url), conversations))
    shares = collections.Counter(conversation.providers[0] for conversation in conversations)
    assert len(shares) == 2, f"all began at one engine: {shares}"
    moved = [c.providers for c in conversations if len(set(c.providers)) > 1]
    assert not moved, f"{len(moved)} of {CONVERSATIONS} moved, the first: {moved[0]}"
    reused = [cached / before for c in conversations for cached, before in zip(c.cached[1:], c.prompts)]
    print(f"{CONVERSATIONS} conversations of {TURNS} turns, {dict(shares)}; of the last turn's prompt "
          f"{100 * sum(reused) / len(reused):.1f} % came from the cache, {100 * min(reused):.0f} % at least")
    assert sum(reused) / len(reused) > 0.9, min(reused)

    pair[0].kill()
    for _ in range(2):
      list(pool.map(lambda conversation: conversation.turn(router.url), conversations))
  for conversation in conversations:
    assert conversation.providers[-2:] == ["south", "south"], conversation.providers
    moves = sum(a != b for a, b in zip(conversation.providers, conversation.providers[1:]))
    assert moves == (conversation.providers[0] == "north"), conversation.providers
