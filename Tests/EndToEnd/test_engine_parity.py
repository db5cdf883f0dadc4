"""The official client sees through the router what it sees when it asks llama.cpp itself."""
import httpx
import pytest
from conftest import ENGINE_KEY, Router, route_to

MODEL = "yard/tiny"                       # the catalog's name, with a slash as most names have
PRICE = 2.0                               # USD per million tokens, both ways
OURS = {"id", "created", "model", "provider", "system_fingerprint", "timings", "cost"}

# The engine's prompt cache would make the second answer differ from the first in usage, and now and then in a word.
FIXED = {"temperature": 0, "seed": 7, "max_tokens": 80, "extra_body": {"cache_prompt": False}}

QUESTION = [{"role": "user", "content": "Which road is free today?"}]
WEATHER = {"type": "function", "function": {
  "name": "weather", "description": "What the sky does.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}}
CALLED = [
  *QUESTION,
  {"role": "assistant", "content": None, "tool_calls": [
    {"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Riga"}'}}]},
  {"role": "tool", "tool_call_id": "call-1", "content": "Fog until noon."},
]
PLACE = {"type": "json_schema", "json_schema": {"name": "place", "schema": {
  "type": "object", "properties": {"city": {"type": "string"}, "open": {"type": "boolean"}},
  "required": ["city", "open"]}}}

CHATS = {
  "a question": {"messages": QUESTION},
  "signs outside of ASCII": {"messages": [{"role": "user", "content": "駅はどこ? \U0001f682 \"\\ \u2028"}]},
  "content in parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "Whose turn is it?"}]}]},
  "an answer cut by max_tokens": {"messages": QUESTION, "max_tokens": 3},
  "a stop word": {"messages": QUESTION, "stop": [" ", "."]},
  "two choices": {"messages": QUESTION, "n": 2},
  "log probabilities": {"messages": QUESTION, "logprobs": True, "top_logprobs": 2},
  "tools": {"messages": QUESTION, "tools": [WEATHER]},
  "a tool that must be called": {"messages": QUESTION, "tools": [WEATHER], "tool_choice": "required"},
  "a tool's result": {"messages": CALLED, "tools": [WEATHER]},
  "JSON mode": {"messages": QUESTION, "response_format": {"type": "json_object"}},
  "a JSON schema": {"messages": QUESTION, "response_format": PLACE},
}
COMPLETIONS = {
  "a prompt": {"prompt": "The first train of the day"},
  "a prompt that ends in mid-sentence": {"prompt": "Coal smoke"},
  "a stop word": {"prompt": "Coal smoke", "stop": " until"},
  "two choices": {"prompt": "Coal smoke", "n": 2},
  "two prompts": {"prompt": ["Coal smoke", "Copper wires"]},
}
CASES = [pytest.param("chat", case, id=f"chat: {name}") for name, case in CHATS.items()]
CASES += [pytest.param("completions", case, id=f"completions: {name}") for name, case in COMPLETIONS.items()]


@pytest.fixture(scope="module")
def engine(engines):
  return engines[0]


@pytest.fixture(scope="module")
def router(binary, engine, tmp_path_factory):
  routes = route_to([("east", "tiny", PRICE)], {"east": engine.provider()}, model=MODEL)
  router = Router(binary, tmp_path_factory.mktemp("parity"), routes)
  try:
    yield router.start()
  finally:
    router.stop()


def ask(client, kind, model, case, **more):
  create = client.chat.completions.create if kind == "chat" else client.completions.create
  return create(model=model, **FIXED | case | more)


def without_ours(value):
  """A copy without what may differ: the router's own fields, and the random id that the engine gives a tool call."""
  if isinstance(value, list):
    return [without_ours(item) for item in value]
  if isinstance(value, dict):
    return {key: without_ours(item) for key, item in value.items() if key not in OURS}
  return value


def streams(chunks):
  """Per choice, what its chunks say one after the other: two choices may be mixed in any order."""
  by_choice = {}
  for chunk in chunks:
    for choice in chunk["choices"]:
      by_choice.setdefault(choice["index"], []).append(without_ours(choice))
  return by_choice


def chunks_of(stream):
  """The chunks as dictionaries. The engine begins a stream for two prompts with `data: null`: no chunk."""
  return [chunk.model_dump() for chunk in stream if chunk]


def usage_of(chunks):
  return [without_ours(chunk["usage"]) for chunk in chunks if chunk.get("usage")]


def is_answer(choices):
  """That there was something to compare."""
  return all(
    choice.get("text") or choice["message"].get("content") or choice["message"].get("tool_calls") for choice in choices)


@pytest.mark.parametrize("kind, case", CASES)
def test_an_unstreamed_answer_is_the_engines_own(engine, router, kind, case):
  direct = ask(engine.client(), kind, "tiny", case).model_dump()
  routed = ask(router.client(), kind, "chat", case).model_dump()
  assert is_answer(direct["choices"])
  assert without_ours(routed) == without_ours(direct)
  assert (routed["model"], routed["provider"]) == (MODEL, "east")
  assert routed["id"].startswith("gen-")


@pytest.mark.parametrize("kind, case", CASES)
def test_a_stream_with_usage_asked_for_is_the_engines_own(engine, router, kind, case):
  asked = {"stream": True, "stream_options": {"include_usage": True}}
  direct = chunks_of(ask(engine.client(), kind, "tiny", case, **asked))
  routed = chunks_of(ask(router.client(), kind, "chat", case, **asked))
  assert sum(map(len, streams(direct).values())) > 1
  assert streams(routed) == streams(direct)
  # The engine tells the usage of each choice, as it ends; and for /completions always on the chunk that ends it.
  assert usage_of(routed)[-1] in usage_of(direct)
  if kind == "chat":
    assert routed[-1]["choices"] == [] and routed[-1]["usage"], "the last chunk carries the usage, and no choice"
  if len(streams(direct)) == 1:
    assert all(chunk["choices"] for chunk in routed[:-1]), "only the last chunk can be one without a choice"
  assert {(chunk["id"], chunk["created"], chunk["model"], chunk["provider"]) for chunk in routed} == {
    (routed[0]["id"], routed[0]["created"], MODEL, "east")}
  assert routed[0]["id"].startswith("gen-")


@pytest.mark.parametrize("kind, case", CASES)
def test_a_stream_without_usage_asked_for_carries_it_on_the_finish_chunk(engine, router, kind, case):
  direct = chunks_of(ask(engine.client(), kind, "tiny", case, stream=True, stream_options={"include_usage": True}))
  routed = []
  for chunk in ask(router.client(), kind, "chat", case, stream=True):
    assert chunk.choices[0] is not None, "choices[0] is there in every chunk"
    routed.append(chunk.model_dump())
  assert streams(routed) == streams(direct)
  carriers = [chunk for chunk in routed if chunk.get("usage")]
  assert carriers[-1]["choices"][0]["finish_reason"], "the usage is on a chunk that ends a choice"
  assert without_ours(carriers[-1]["usage"]) in usage_of(direct)


def test_cases_do_what_their_names_say(engine):
  """Else the comparison above could be between two empty things."""
  def answer(name, table=CHATS, kind="chat"):
    return ask(engine.client(), kind, "tiny", table[name]).choices

  assert answer("a question")[0].finish_reason == "stop"
  assert answer("an answer cut by max_tokens")[0].finish_reason == "length"
  assert len(answer("two choices")) == 2
  assert answer("log probabilities")[0].logprobs.content
  assert answer("a stop word")[0].message.content in answer("a question")[0].message.content
  for name in ("tools", "a tool that must be called"):
    [choice] = answer(name)
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.name == "weather"
  assert answer("a tool's result")[0].message.content
  assert answer("JSON mode")[0].message.content.startswith("{")
  assert '"open"' in answer("a JSON schema")[0].message.content
  assert len(answer("two prompts", COMPLETIONS, "completions")) == 2


def test_the_ledger_has_the_engines_counts_and_their_price(router):
  before = {row["attempt_id"] for row in router.usage_rows()}
  stream = list(ask(router.client(), "chat", "chat", CHATS["a question"], stream=True,
                    stream_options={"include_usage": True}))
  usage = stream[-1].usage
  [row] = router.ledger_rows(where=lambda row: row["attempt_id"] not in before)
  assert (row["input_tokens"], row["output_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
  assert (row["input_source"], row["output_source"]) == ("provider", "provider")
  assert row["generation_id"] == stream[0].id
  assert (row["route"], row["model"], row["provider"], row["outcome"]) == ("chat", MODEL, "east", "completed")
  assert row["cost_nanousd"] == round(usage.total_tokens * PRICE * 1000)
  assert usage.cost == pytest.approx(row["cost_nanousd"] / 1e9, rel=1e-6)


@pytest.mark.parametrize("name", ["chat", MODEL])
def test_a_route_and_a_model_answer_to_their_names_under_both_prefixes(router, name):
  expected = ask(router.client(), "chat", "chat", CHATS["a question"]).choices[0].message.content
  for url in (router.url, router.url.replace("/v1", "/api/v1")):
    client = router.client().with_options(base_url=url)
    assert name in [model.id for model in client.models.list()]
    assert client.models.retrieve(name).id == name
    assert ask(client, "chat", name, CHATS["a question"]).choices[0].message.content == expected
    assert list(ask(client, "completions", name, COMPLETIONS["a prompt"], stream=True))


@pytest.mark.parametrize("path", [MODEL, MODEL.replace("/", "%2F")])
def test_a_models_path_may_hold_a_slash_plain_or_encoded(router, path):
  answer = httpx.get(f"{router.url}/models/{path}", trust_env=False)
  assert (answer.status_code, answer.json()["id"]) == (200, MODEL)


def test_the_providers_key_is_the_routers_and_never_leaves_it(engine, router):
  with httpx.Client(base_url=router.url, trust_env=False, timeout=30) as client:
    body = {"model": "chat", "messages": QUESTION, "max_tokens": 5}
    for headers in ({}, {"Authorization": "Bearer of-the-client"}):
      answer = client.post("/chat/completions", json=body, headers=headers)
      assert answer.status_code == 200
      assert ENGINE_KEY not in answer.text + str(answer.headers)
      assert answer.headers["x-generation-id"] == answer.json()["id"]
      assert answer.headers["x-request-id"]
  assert httpx.post(f"{engine.url}/chat/completions", json=body, trust_env=False).status_code == 401
