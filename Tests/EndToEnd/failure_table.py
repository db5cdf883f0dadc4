"""Reads failures.table, which says itself how it is to be read."""
import dataclasses
import itertools
import re
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("failures.table")


class View(NamedTuple):
  """What the client sees: a whole answer of somebody, an error body, or a stream that ends in an error event."""
  words: str
  server: str | None = None
  finish: str | None = None
  status: int = 200
  code: str | None = None
  retry_after: range | None = None

  @property
  def is_cut(self):
    return self.words == "error event"


class Step(NamedTuple):
  """One attempt. `failures` are the names that may stand in the ledger; none for one that completed."""
  provider: str
  outcome: str
  failures: tuple
  reason: str


class Expected(NamedTuple):
  line: str
  view: View
  steps: list
  seconds: float


@dataclasses.dataclass
class Failure:
  number: str
  words: str
  model: str | None
  setting: str
  lines: list = dataclasses.field(default_factory=list)
  tests: list = dataclasses.field(default_factory=list)


class Case(NamedTuple):
  name: str
  failure: Failure
  is_streamed: bool
  has_other: bool
  first: Expected
  # Of the same request, once more.
  then: Expected | None = None


class Line(NamedTuple):
  is_then: bool
  form: str | None
  others: str | None
  expected: Expected

  def fits(self, form, others):
    return self.form in (None, form) and self.others in (None, others)


def read():
  """The failures of the file, in its order."""
  failures = []
  for number, text in enumerate(FILE.read_text().splitlines(), 1):
    if not text.strip() or text.startswith("#"):
      continue
    try:
      if not text.startswith(" "):
        failures.append(failure_of(text))
      elif text.split()[0] == "see":
        failures[-1].tests.append(text.split()[1])
      else:
        failures[-1].lines.append(line_of(text))
    except (ValueError, LookupError, AttributeError) as error:
      raise ValueError(f"{FILE.name}:{number}: {error}: {text}") from error
  return failures


def cells_of(text, least, most):
  cells = [cell.strip() for cell in text.split("|")]
  if not least <= len(cells) <= most:
    raise ValueError(f"{len(cells)} cells, not {least} to {most}")
  return cells + [""] * (most - len(cells))


def failure_of(text):
  number, words, model, setting = cells_of(text, 2, 4)
  return Failure(number, words, model or None, setting)


def line_of(text):
  when, view, steps, seconds = cells_of(text, 3, 4)
  words = when.removeprefix("then").strip(", ").split(", ")
  form = next((word for word in words if word in ("streamed", "whole")), None)
  others = next((word for word in words if word in ("with fallback", "alone")), None)
  if set(words) - {form, others, ""}:
    raise ValueError(f"{when} is no case")
  steps = [] if steps == "none" else [step_of(step) for step in steps.split()]
  return Line(when.startswith("then"), form, others,
              Expected(text.strip(), view_of(view), steps, float(seconds.removesuffix(" s") or 0)))


def view_of(text):
  if text == "error event":
    return View(text)
  if found := re.fullmatch(r"answer of (\w+)(?:, finish (\w+))?", text):
    finish = found[2] or "stop"
    return View(text, server=found[1], finish=None if finish == "null" else finish)
  found = re.fullmatch(r"(\d{3}) (\w+)(?:, retry after (\d+)(?: to (\d+))?)?", text)
  after = range(int(found[3]), int(found[4] or found[3]) + 1) if found[3] else None
  return View(text, status=int(found[1]), code=found[2], retry_after=after)


def step_of(text):
  found = re.fullmatch(r"(\w+):(interrupted/)?([\w-]+)(?:\((\w+)\))?", text)
  provider, interrupted, name, reason = found.groups()
  if name == "completed":
    outcome, failures = "completed", ()
  else:
    outcome, failures = "interrupted" if interrupted else "failed", tuple(name.split("-or-"))
  return Step(provider, outcome, failures, reason or "first")


def cases_of(failures):
  """Every case that is asked for, by its name: each failure streamed and whole, with a fallback and alone."""
  cases = {}
  for failure in failures:
    for form, others in itertools.product(["streamed", "whole"], ["with fallback", "alone"]) if failure.lines else []:
      name = "-".join([f"{failure.number:0>2}".replace("0+", "more"), failure.model.removeprefix("sim-"),
                       *re.findall(r"\w+", failure.setting), form, others.split()[-1]])
      fitting = [line for line in failure.lines if line.fits(form, others)]
      first, later = ([line.expected for line in fitting if line.is_then is is_then] for is_then in (False, True))
      if name in cases or len(first) != 1 or len(later) > 1:
        raise ValueError(f"{FILE.name}: {failure.words}: one line is wanted for {form}, {others}")
      cases[name] = Case(name, failure, form == "streamed", others == "with fallback", first[0], *later)
  return cases
