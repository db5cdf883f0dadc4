"""`pointsman check` names every mistake of a file at once, each with its line and column."""
import json
import re
import subprocess

import pytest
from conftest import HERE

REPOSITORY = HERE.parents[1]

# Each § marks the place of one mistake and is no part of the file. They are of every kind that there is: spelling,
# values, and names that lead nowhere.
MISTAKEN = """\
providers:
  alpha:
    base_url: §ftp://alpha.example/v1
  beta:
    §base_ulr: https://beta.example/v1
    base_url: https://beta.example/v1
    timeouts: { headers: §soon }
    http: §3
models:
  small:
    endpoints:
      - provider: §gamma
      - { provider: beta, price: { input: §-1, output: 2 } }
routes:
  chat:
    models: [small, §smal]
    policy: §defautl
keys:
  app: { sha256: §secret }
listeners:
  public: { hosts: [§"https://example.org/"] }
"""
COUNT = 10


@pytest.fixture
def check(binary, tmp_path):
  def run(*arguments, folder=tmp_path):
    return subprocess.run(
      [binary, "check", *map(str, arguments)], capture_output=True, text=True, timeout=30, cwd=folder, env={})
  return run


@pytest.fixture
def mistaken(tmp_path):
  """The file, and the places of its mistakes."""
  places = []
  for number, line in enumerate(MISTAKEN.splitlines(), 1):
    while (column := line.find("§")) >= 0:
      places.append((number, column + 1))
      line = line.replace("§", "", 1)
  assert len(places) == COUNT
  file = tmp_path / "mistaken.yaml"
  file.write_text(MISTAKEN.replace("§", ""))
  return file, places


def test_ten_mistakes_are_named_at_once_with_their_places(check, mistaken):
  file, places = mistaken
  answer = check(file)
  assert answer.returncode == 1
  found = re.findall(rf"^{re.escape(str(file))}:(\d+):(\d+): error: (.+)$", answer.stdout, re.MULTILINE)
  assert [(int(line), int(column)) for line, column, _ in found] == places, answer.stdout
  assert all(len(message) > 20 for *_, message in found)
  assert f"{COUNT} errors" in answer.stdout.splitlines()[-1]


def test_a_message_says_what_to_write_instead(check, mistaken):
  answer = check(mistaken[0])
  for advice in ["base_url", "http", "small", "default", "500ms", "64 hexadecimal"]:
    assert advice in answer.stdout
  assert "secret" not in answer.stdout, "what stands in a secret's place is not repeated"


def test_the_same_as_json(check, mistaken):
  file, places = mistaken
  answer = check("--json", "--config", file)
  assert answer.returncode == 1
  findings = json.loads(answer.stdout)
  assert [(each["line"], each["column"]) for each in findings if each["severity"] == "error"] == places
  assert {each["file"] for each in findings} == {str(file)}
  assert all(each["message"] for each in findings)


def test_the_default_file_is_right(check):
  answer = check(folder=REPOSITORY)
  assert answer.returncode == 0, answer.stdout
  assert "0 errors, 0 warnings" in answer.stdout
  assert re.search(r"^\d+ optional providers left out \(no key, or not asked\): .*\bopenrouter\b", answer.stdout, re.M)
  named = check("--json", REPOSITORY / "routes.yaml")
  assert (named.returncode, json.loads(named.stdout)) == (0, [])


def test_a_secret_in_plain_text_is_a_warning_only(check, tmp_path):
  file = tmp_path / "plain.yaml"
  provider = "providers: { a: { base_url: https://a.example/v1, api_key: sk-plain-text } }\n"
  file.write_text(provider + "models: { m: { endpoints: [{ provider: a }] } }\nroutes: { chat: { models: [m] } }\n")
  answer = check(file)
  assert answer.returncode == 0
  assert f"{file}:1:{provider.index('sk-plain') + 1}: warning: " in answer.stdout
  assert re.search(r": 1 provider, 1 model, 1 endpoint, 1 route; 0 errors, (1 warning|\d+ warnings)$", answer.stdout, re.M)
  assert "sk-plain-text" not in answer.stdout + answer.stderr


@pytest.mark.parametrize("text", ["", "providers: [", "a: b: c", "- 1\n- 2", "\t", "providers: 5", "a: &a [*a]", "\x00"])
def test_a_file_that_is_no_routes_file_is_one_with_mistakes(check, tmp_path, text):
  file = tmp_path / "odd.yaml"
  file.write_text(text)
  answer = check(file)
  assert answer.returncode == 1
  assert re.search(rf"^{re.escape(str(file))}:\d+:\d+: error: ", answer.stdout, re.MULTILINE), answer.stdout


def test_a_file_that_is_not_there_is_said(check, tmp_path):
  answer = check(tmp_path / "nowhere.yaml")
  assert answer.returncode == 1
  assert "nowhere.yaml:1:1: error: cannot be read: No such file or directory\n1 error, 0 warnings" in answer.stdout
  assert ".:1:1: error: cannot be read: Is a directory\n" in check(".").stdout


def test_wrong_use_is_2_and_help_is_0(check):
  for arguments in (["--nonsense"], ["a.yaml", "b.yaml"], ["--config"]):
    answer = check(*arguments)
    assert answer.returncode == 2 and "usage" in answer.stderr.lower()
  assert check("--help").returncode == 0


def test_an_address_and_a_number_of_threads_are_checked_and_shown_as_they_are_typed(binary):
  def run(*arguments):
    return subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=30, env={})
  for threads in ["0", "65", "-1", "x"]:
    assert run("simulate", "--threads", threads).returncode == 2
  assert run("serve", "--listen", "127.0.0.1:8410", "--admin", "127.0.0.1:8410").returncode == 2
  shown = run("serve", "--help").stdout
  assert "<host:port>" in shown and "127.0.0.1:8410" in shown and "ListenAddress" not in shown


def test_serve_refuses_the_same_file(binary, mistaken, tmp_path):
  file, places = mistaken
  answer = subprocess.run(
    [binary, "serve", "--config", file, "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--admin",
     "127.0.0.1:0"], capture_output=True, text=True, timeout=30)
  assert answer.returncode == 1
  line, column = places[0]
  assert f"{file}:{line}:{column}: error: " in answer.stderr
