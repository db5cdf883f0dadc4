#!/usr/bin/env python3
"""Writes a tiny language model as a GGUF file, for tests against a real inference engine.

  make_tiny_gguf.py OUT.gguf [--layers N]

How it works. Every word of STORY is one token, and every token that occurs there has a dimension of its own in
the residual stream: the embedding is that unit vector, and the output matrix holds, per dimension, the log odds
of what follows it in STORY. That alone is a Markov chain of words. The transformer layers between them are random
and small; they tip the scale where several words could follow, so that what is written depends on all of the
prompt. Bytes that STORY never uses share one dimension, so any UTF-8 input is taken.

The chat template ends a prompt that carries tools with the control token <|act|>, after which the model opens a
tool call; the engine's grammar then leads it through the call, and VALUES fill the strings. After a tool's result
it writes words again.

The same file on every machine: random numbers are raw bits of PCG64, and the only floating point function used,
the logarithm, is rounded to 1/256 afterwards. Needs the packages gguf and numpy.
"""
import argparse
import os
import re
from collections import Counter, defaultdict

import gguf
import numpy as np

# Written for this file. One line is one answer. No word comes twice: greedy decoding then says a line as it stands and
# ends, and does not go round in circles; which line it says depends on the prompt.
STORY = """
Early mist covered every rail between both harbours.
Our signalman polished seven brass levers while kettle water boiled.
Green lamps guide tired drivers home.
Red flags stop goods trains at once.
Nobody remembers who built that wooden footbridge over Miller creek.
Coal smoke drifts above quiet gardens until evening falls.
Two boys counted forty wagons loaded with timber and slate.
Snow blocked this narrow cutting for nine days last winter.
Please mind your step when leaving through open doors.
Fresh bread arrives daily by mail van from town.
Heavy rain washed some ballast down into fields below.
She wrote each departure in a thick ledger using violet ink.
Night express runs late because engine thirteen lost steam.
Children wave whenever its whistle sounds near school.
Freight costs less if loads travel after midnight.
Copper wires carry short messages along hundreds of poles.
An owl nests inside old tower clock.
Passengers drink strong tea under glass roof panels.
Spare switches stay greased so they move without force.
Caf\u00e9 guests watch\U0001f682 arriving.
Eleven lanterns mark where double track becomes single.
His map shows three tunnels two viaducts plus one ferry.
Quick repairs kept traffic moving all summer long.
Farewell dear traveller come back soon.
Long ago people walked beside patient oxen carrying salt across high mountain passes then canals opened boats \
replaced those carts before iron horses took everyone everywhere faster than birds could fly.
"""

VALUES = "Bergen Dover Genoa Porto Riga Turku".split()

# Not <|end|> or <|call|>: llama.cpp takes those for the end of an answer, whatever the file says.
NOTHING, TURN, DONE, ACT = CONTROL = ["<|nothing|>", "<|turn|>", "<|over|>", "<|act|>"]
UNKNOWN = ""       # stands for every token that no line uses
OPEN, CLOSE = VISIBLE = ["<tool_call>", "</tool_call>"]

TEMPLATE = """\
{%- macro plain(content) -%}
  {%- if content is string -%}
    {{- content -}}
  {%- elif content -%}
    {%- for part in content if part.type == 'text' -%}{{- part.text -}}{%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- if tools -%}
  {{- '<|turn|>system\\nYou may use these tools:\\n' -}}
  {%- for tool in tools -%}{{- tool | tojson -}}{{- '\\n' -}}{%- endfor -%}
  {{- 'A call is <tool_call>{"name": ..., "arguments": {...}}</tool_call><|over|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == 'tool' -%}
    {{- '<|turn|>user\\n<tool_response>' + plain(message.content) + '</tool_response>' -}}
  {%- else -%}
    {{- '<|turn|>' + message.role + '\\n' + plain(message.content) -}}
    {%- for call in message.tool_calls or [] -%}
      {{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' -}}
      {%- if call.function.arguments is string -%}
        {{- call.function.arguments -}}
      {%- else -%}
        {{- call.function.arguments | tojson -}}
      {%- endif -%}
      {{- '}</tool_call>' -}}
    {%- endfor -%}
  {%- endif -%}
  {{- '<|over|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|turn|>assistant\\n' -}}
  {%- if tools and messages[-1].role != 'tool' -%}{{- '<|act|>' -}}{%- endif -%}
{%- endif -%}
"""

CONTEXT = 32768
HEAD = 64          # width of one attention head
FEED = 512         # width of the feed-forward layer
UNSEEN = 0         # the dimension of every token that STORY does not use
COMMON = 1         # the dimension that is 1 in every embedding and carries how common each word is
JITTER = 0.05      # how far two random layers move a dimension; 1 would drown the words


def byte_letters():
  """The letter that stands for each byte in a byte-level vocabulary: itself where printable, else from U+0100 on."""
  printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
  others = iter(range(0x100, 0x200))
  return [chr(byte if byte in printable else next(others)) for byte in range(256)]


LETTERS = byte_letters()


def spell(text):
  return "".join(LETTERS[byte] for byte in text.encode())


def pieces_of(text):
  """Words, each with the space before it, and runs of punctuation: how GPT-2 cuts up a text like STORY."""
  return re.findall(r" ?[^\W\d_]+| ?[^\s\w]+", text)


def is_word(piece):
  return piece.strip().isalpha()


def vocabulary(pieces):
  """All tokens, and the merges that build each word from its letters, one after the other.

  Words that begin with a space come first: their merges all start with the space, so inside such a word none of
  another word's merges can go before them, and the whole word becomes one token.
  """
  merges, known = [], set(LETTERS)
  for word in sorted({spell(piece) for piece in pieces if is_word(piece)}, key=lambda w: (w[0] != spell(" "), w)):
    for end in range(1, len(word)):
      if word[: end + 1] not in known:
        known.add(word[: end + 1])
        merges.append((word[:end], word[end]))
  return LETTERS + [left + right for left, right in merges] + CONTROL + VISIBLE, merges


def tokens_of(pieces):
  """Words whole, everything else byte by byte: a sign outside of ASCII is then spread over several tokens."""
  for piece in pieces:
    yield from [spell(piece)] if is_word(piece) else spell(piece)


def chains():
  """The token sequences that the model is to know, each with its weight."""
  for line in STORY.strip().splitlines():
    yield 1, [spell("\n"), *tokens_of(pieces_of(line)), DONE]
  # A quote opens a string far more often than a colon follows it, or there would be colons in the strings too.
  for value in VALUES:
    yield 8, ['"', spell(value), '"']
  yield 1, ['"', ":"]
  yield 3, [":", "7", "}"]
  yield 1, [":", "7", ","]
  yield 1, [ACT, OPEN, "{"]
  yield 1, ["}", "}", CLOSE, DONE]


def matrices(tokens):
  """Embedding and output matrix."""
  ids = {token: index for index, token in enumerate(tokens)}
  follows, total = defaultdict(Counter), Counter()
  for weight, chain in chains():
    for before, after in zip(chain, chain[1:]):
      follows[before][after] += weight
      total[after] += 1
  # Where it may not end, or does not know the last word, it begins another line.
  follows["."][spell("\n")] = follows[UNKNOWN][spell("\n")] = 1
  seen = sorted({*follows, *total} - {UNKNOWN}, key=ids.get)
  width = -(-(len(seen) + 2) // HEAD) * HEAD

  embedding = np.zeros((len(tokens), width))
  embedding[:, COMMON] = 1
  dimension = {UNKNOWN: UNSEEN} | {token: index + 2 for index, token in enumerate(seen)}
  for token, index in ids.items():
    embedding[index, dimension.get(token, UNSEEN)] = 1

  # RMS normalisation makes a row with two ones into two times this:
  scale = np.sqrt(width / 2)
  share = {token: (total[token] + 0.001) / (total.total() + 0.001 * len(tokens)) for token in tokens}
  output = np.zeros((len(tokens), width))
  for token, index in ids.items():
    output[index, COMMON] = np.log(share[token]) / scale
  for before, counter in follows.items():
    for after in tokens:
      likely = (counter[after] + 0.05 * share[after]) / (counter.total() + 0.05)
      output[ids[after], dimension[before]] = (np.log(likely) - np.log(share[after])) / scale
  return embedding, np.round(output * 256) / 256


def layer_tensors(width, layers):
  """Names and random weights of the layers, their outputs damped so that many layers disturb no more than few."""
  bits = np.random.PCG64(20)
  damp = JITTER * np.sqrt(2 / layers)

  def random(rows, columns, gain=1.0):
    uniform = (bits.random_raw(rows * columns) >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    return (uniform.reshape(rows, columns) * gain * np.sqrt(3 / columns)).astype(np.float16)

  for layer in range(layers):
    name = f"blk.{layer}."
    yield name + "attn_norm.weight", np.ones(width, np.float32)
    yield name + "ffn_norm.weight", np.ones(width, np.float32)
    yield name + "attn_q.weight", random(width, width)
    yield name + "attn_k.weight", random(HEAD, width)
    yield name + "attn_v.weight", random(HEAD, width)
    yield name + "attn_output.weight", random(width, width, damp)
    yield name + "ffn_gate.weight", random(FEED, width)
    yield name + "ffn_up.weight", random(FEED, width)
    yield name + "ffn_down.weight", random(width, FEED, damp)


def main():
  parser = argparse.ArgumentParser(description="Writes a tiny language model as a GGUF file.")
  parser.add_argument("out")
  parser.add_argument("--layers", type=int, default=2, help="how many layers; the more, the slower (2)")
  arguments = parser.parse_args()

  tokens, merges = vocabulary(pieces_of(STORY) + VALUES)
  ids = {token: index for index, token in enumerate(tokens)}
  embedding, output = matrices(tokens)
  width = embedding.shape[1]

  unfinished = f"{arguments.out}.{os.getpid()}"
  writer = gguf.GGUFWriter(unfinished, "llama")
  writer.add_name("pointsman-tiny")
  writer.add_description("Knows one short story. For tests of programs that talk to an inference engine.")
  writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
  writer.add_context_length(CONTEXT)
  writer.add_embedding_length(width)
  writer.add_block_count(arguments.layers)
  writer.add_feed_forward_length(FEED)
  writer.add_head_count(width // HEAD)
  writer.add_head_count_kv(1)
  writer.add_rope_dimension_count(HEAD)
  writer.add_layer_norm_rms_eps(1e-5)
  writer.add_vocab_size(len(tokens))
  writer.add_tokenizer_model("gpt2")
  writer.add_tokenizer_pre("gpt-2")
  writer.add_token_list(tokens)
  writer.add_token_types([
    gguf.TokenType.CONTROL if token in CONTROL else
    gguf.TokenType.USER_DEFINED if token in VISIBLE else gguf.TokenType.NORMAL for token in tokens])
  writer.add_token_merges([f"{left} {right}" for left, right in merges])
  writer.add_bos_token_id(ids[NOTHING])
  writer.add_pad_token_id(ids[NOTHING])
  writer.add_eos_token_id(ids[DONE])
  writer.add_add_bos_token(False)
  writer.add_add_eos_token(False)
  writer.add_chat_template(TEMPLATE)

  writer.add_tensor("token_embd.weight", embedding.astype(np.float16))
  writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
  writer.add_tensor("output.weight", output.astype(np.float16))
  for name, weights in layer_tensors(width, arguments.layers):
    writer.add_tensor(name, weights)
  writer.write_header_to_file()
  writer.write_kv_data_to_file()
  writer.write_tensors_to_file()
  writer.close()
  os.replace(unfinished, arguments.out)
  print(f"{arguments.out}: {os.path.getsize(arguments.out)} bytes, {len(tokens)} tokens, width {width}")


if __name__ == "__main__":
  main()
