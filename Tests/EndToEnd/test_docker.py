"""The container's parts, as far as they can run without a container engine."""
import fnmatch
import hashlib
import os
import re
import shlex
import subprocess

import httpx
import pytest
from conftest import HERE, Program, free_port, wait_until
from raw_http import events_of

REPOSITORY = HERE.parents[1]
DOCKER = REPOSITORY / "Docker"
# Where Debian 12 has the libraries that the program is linked with; Swift's own are linked in.
PACKAGE_OF = {
  "libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3", "libsqlite3.so.0": "libsqlite3-0",
  "liblz4.so.1": "liblz4-1", "libstdc++.so.6": "libstdc++6",
}
ALWAYS_THERE = re.compile(r"(libc|libm|libgcc_s|ld-linux-.*|libdl|libpthread|librt|libutil)\.so\.\d+")
SWIFTS_OWN = re.compile(r"lib(swift|_|Foundation|dispatch|BlocksRuntime).*\.so")


@pytest.fixture(scope="module")
def stages():
  """The Dockerfile's instructions, (word, argument), by stage; continued lines are put together."""
  text = re.sub(r"^\s*#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
  stages = []
  for line in text.replace("\\\n", " ").splitlines():
    if line.strip():
      word, argument = line.strip().split(maxsplit=1)
      if word == "FROM":
        stages.append([])
      stages[-1].append((word, argument))
  return stages


def arguments(stage, word):
  return [argument for known, argument in stage if known == word]


def installed(stage):
  """The packages of all `apt-get install` of a stage."""
  words = [shlex.split(run.split("apt-get install", 1)[1].split("&&")[0]) for run in arguments(stage, "RUN")
           if "apt-get install" in run]
  return {word for each in words for word in each if not word.startswith("-")}


def test_there_is_a_build_stage_and_a_slim_run_stage(stages):
  build, run = stages
  assert arguments(build, "FROM") == ["swift:6.3-bookworm AS build"]
  assert arguments(run, "FROM") == ["debian:bookworm-slim"], "the same Debian as the one that it is built on"
  assert any("--static-swift-stdlib" in each for each in arguments(build, "RUN"))


def test_everything_that_is_copied_is_there_and_is_let_into_the_build(stages):
  allowed = [line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
  copied = 0
  for stage in stages:
    for argument in arguments(stage, "COPY"):
      words = [word for word in argument.split() if not word.startswith("--")]
      if "--from=build" in argument:
        assert any("/out/pointsman" in run for run in arguments(stages[0], "RUN")) and words[0] == "/out/pointsman"
        continue
      for source in words[:-1]:
        copied += 1
        assert (REPOSITORY / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed), f"{source} is ignored"
  assert copied >= 5
  for each in allowed:
    assert (REPOSITORY / each).exists(), each


def test_every_step_is_a_proper_shell_command(stages):
  for stage in stages:
    for run in arguments(stage, "RUN"):
      checked = subprocess.run(["sh", "-n", "-c", run], capture_output=True, text=True)
      assert checked.returncode == 0, f"{run}: {checked.stderr}"
      assert "apt-get install" not in run or run.startswith("apt-get update") and "rm -rf /var/lib/apt/lists" in run
  assert subprocess.run(["sh", "-n", DOCKER / "entrypoint"]).returncode == 0
  assert os.access(DOCKER / "entrypoint", os.X_OK)


def test_the_build_stage_has_the_libraries_that_make_installs(stages):
  makefile = (REPOSITORY / "Makefile").read_text()
  wanted = re.search(r"^PACKAGES := (.*)$", makefile, re.MULTILINE)[1].split()
  assert {name for name in wanted if name.startswith("lib")} == {
    name for name in installed(stages[0]) if name.startswith("lib")}


def test_the_run_stage_has_every_library_that_the_program_is_linked_with(stages, binary):
  header = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True).stdout
  needed = [name for name in re.findall(r"\(NEEDED\).*\[(.+)\]", header)
            if not ALWAYS_THERE.fullmatch(name) and not SWIFTS_OWN.match(name)]
  assert "libcurl.so.4" in needed
  for name in needed:
    assert PACKAGE_OF[name] in installed(stages[1]), name


def test_it_runs_as_nobody_special_and_tells_its_health(stages):
  run = stages[1]
  [user] = arguments(run, "USER")
  assert user not in ("root", "0")
  assert any(re.search(rf"useradd .* {user} ", each) for each in arguments(run, "RUN"))
  assert arguments(run, "VOLUME") == ["/data"] and arguments(run, "WORKDIR") == ["/data"]
  [health] = arguments(run, "HEALTHCHECK")
  assert "http://127.0.0.1:8410/livez" in health
  assert "curl" in installed(run)
  words = [word for word, _ in run]
  assert words.index("USER") > max(place for place, word in enumerate(words) if word in ("RUN", "COPY"))
  assert arguments(run, "ENTRYPOINT") == ['["entrypoint"]']


def test_compose_keeps_the_folder_and_opens_both_ports_to_this_machine_only():
  text = (DOCKER / "compose.yaml").read_text()
  assert "- data:/data" in text and "dockerfile: Docker/Dockerfile" in text and "context: .." in text
  assert re.findall(r'- "(.*:.*:.*)"', text) == ["127.0.0.1:8410:8410", "127.0.0.1:8411:8411"]
  keys = set(re.findall(r"\$\{([A-Z_]+_API_KEY)\}", (REPOSITORY / "routes.yaml").read_text()))
  assert keys == set(re.findall(r"- ([A-Z_]+_API_KEY)$", text, re.MULTILINE)), "the keys that routes.yaml reads"


# The entrypoint.

class Container(Program):
  """The entrypoint with a folder of its own, on loopback ports."""

  def __init__(self, binary, folder, name="container"):
    super().__init__(name, folder)
    self.folder = folder / "data"
    self.folder.mkdir(exist_ok=True)
    self.port, self.admin_port = free_port(), free_port()
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    if not (programs / "pointsman").exists():
      (programs / "pointsman").symlink_to(binary)
    self.environment = {
      "PATH": f"{programs}:{os.environ['PATH']}", "POINTSMAN_FOLDER": str(self.folder),
      "POINTSMAN_DEFAULT_ROUTES": str(REPOSITORY / "routes.yaml"), "XDG_DATA_HOME": str(self.folder),
    }

  def start(self):
    self.launch([DOCKER / "entrypoint", "serve"], self.environment | {
      "POINTSMAN_LISTEN": f"127.0.0.1:{self.port}", "POINTSMAN_ADMIN": f"127.0.0.1:{self.admin_port}"})
    self.await_answer(f"http://127.0.0.1:{self.port}/livez", 20)
    wait_until(lambda: "curl" in self.printed, "it does not say that it listens", 10)
    return self

  def run(self, *command):
    return subprocess.run(
      [DOCKER / "entrypoint", *command], capture_output=True, text=True, timeout=30, env=self.environment,
      cwd=self.folder)

  @property
  def printed(self):
    return self.log.read_text()

  @property
  def secrets(self):
    return re.findall(r"^  ([0-9a-f]{64})$", self.printed, re.MULTILINE)

  def ask(self, secret=None, host="router.example", stream=False):
    fields = {"Host": host} | ({"Authorization": f"Bearer {secret}"} if secret else {})
    return httpx.post(f"http://127.0.0.1:{self.port}/v1/chat/completions", headers=fields, trust_env=False, timeout=20,
                      json={"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]})

  def metrics(self, secret=None):
    fields = {"Host": "router.example"} | ({"Authorization": f"Bearer {secret}"} if secret else {})
    return httpx.get(f"http://127.0.0.1:{self.admin_port}/metrics", headers=fields, trust_env=False).status_code


def test_the_first_start_makes_a_key_and_a_token_and_later_ones_tell_neither(binary, tmp_path):
  first = Container(binary, tmp_path, "first")
  try:
    first.start()
    token, key = first.secrets
    assert token != key
    answer = first.ask(key, stream=True)
    assert answer.status_code == 200 and events_of(answer.content)[-1] == "[DONE]"
    assert first.ask().status_code == 401 and first.ask(token).status_code == 401
    assert [first.metrics(secret) for secret in (token, key, None)] == [200, 401, 401]
    assert httpx.get(f"http://127.0.0.1:{first.admin_port}/livez", trust_env=False).status_code == 200
    assert first.stop() == 0
  finally:
    first.stop()

  routes, kept = first.folder / "routes.yaml", first.folder / "admin-token"
  assert hashlib.sha256(key.encode()).hexdigest() in routes.read_text()
  assert kept.read_text() == f"{token}\n"
  files = [path for path in first.folder.rglob("*") if path.is_file()]
  assert {path.name for path in files} >= {"routes.yaml", "admin-token", "ledger.sqlite"}
  for path in files:
    assert path.stat().st_mode & 0o077 == 0, f"{path} is open to others"
    assert key.encode() not in path.read_bytes(), f"the key itself is in {path}"
  assert first.run("check", str(routes)).returncode == 0

  before = routes.read_bytes()
  second = Container(binary, tmp_path, "second")
  try:
    second.start()
    assert not second.secrets
    assert key not in second.printed and token not in second.printed
    assert second.ask(key).status_code == 200 and second.metrics(token) == 200
    usage = second.run("usage", "--json", "--rows")
    assert usage.returncode == 0, usage.stderr
    assert '"key":"first"' in usage.stdout
  finally:
    second.stop()
  assert routes.read_bytes() == before


def test_a_file_of_ones_own_stays_as_it_is(binary, tmp_path):
  container = Container(binary, tmp_path)
  own = (REPOSITORY / "routes.yaml").read_text().replace(
    "keys: {}", f"keys: {{ mine: {{ sha256: {hashlib.sha256(b'my-key').hexdigest()} }} }}")
  (container.folder / "routes.yaml").write_text(own)
  try:
    container.start()
    assert len(container.secrets) == 1, "the token alone is made"
    assert container.ask("my-key", host="localhost").status_code == 200
  finally:
    container.stop()
  assert (container.folder / "routes.yaml").read_text() == own


def test_both_listeners_are_open_to_the_network_by_default(tmp_path):
  """A program that only says how it was called stands for the router."""
  container = Container("/bin/echo", tmp_path)
  words = container.run("serve", "--grace", "5").stdout.splitlines()[-1].split()
  assert words[0] == "serve" and words[-2:] == ["--grace", "5"]
  options = dict(zip(words[1::2], words[2::2]))
  assert (options["--listen"], options["--admin"]) == ("0.0.0.0:8410", "0.0.0.0:8411")
  assert options["--admin-token-file"] == str(container.folder / "admin-token")
  assert container.run().stdout.startswith("serve "), "no secret is told again"
  assert container.run("check", "--json").stdout == "check --json\n"


def test_a_default_file_that_cannot_be_closed_to_strangers_is_refused(tmp_path):
  container = Container("/bin/echo", tmp_path)
  odd = tmp_path / "odd.yaml"
  odd.write_text("routes: {}\n")
  container.environment["POINTSMAN_DEFAULT_ROUTES"] = str(odd)
  answer = container.run("serve")
  assert answer.returncode == 1 and "keys: {}" in answer.stderr
  assert not (container.folder / "routes.yaml").exists()
