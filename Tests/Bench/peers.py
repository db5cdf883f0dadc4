"""Other routers, from PyPI, each in a virtual environment of its own, set up so that they show their best here."""

import os
import subprocess
import venv

from servers import NotStarted, Server, free_port


class Peer(Server):
    package = ""
    patience = 90.0

    @property
    def folder(self):
        return os.path.join(self.setting.scratch, "peers", self.name)

    def command(self):
        scenario = self.setting.scenario
        if scenario.tls_upstream or scenario.tls_client or scenario.http2_upstream:
            raise NotStarted("measured without TLS only")
        self.launch(*self.invocation())


class LiteLLM(Peer):
    name, package = "litellm", "litellm[proxy]"

    def invocation(self):
        config = os.path.join(self.folder, "config.yaml")
        with open(config, "w") as file:
            file.write("model_list:\n")
            for _ in range(3):
                file.write(f"  - model_name: mock\n    litellm_params:\n      model: openai/mock\n"
                           f"      api_base: {self.upstream.url}/v1\n      api_key: sk-upstream\n")
        return ([os.path.join(self.folder, "bin", "litellm"), "--config", config, "--host", "127.0.0.1", "--port",
                 str(self.port), "--num_workers", "2", "--telemetry", "False",
                 # A worker that is still importing after 5 s is replaced, for ever, on a slow machine.
                 "--timeout_worker_healthcheck", "120"],
                # Without a key it starts only when told so; offline it must not fetch its price list.
                {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"})


class RustRouter(Peer):
    """Three of one family: a Python launcher around a Rust router. SMG wants the model's name in the mock's /v1/models.

    sglang-router drops unknown fields when it serialises again and leaves Nagle's algorithm on: its first token takes
    40 ms, which is no gain of ours.
    """

    module, log_level = "", "warn"

    def invocation(self):
        return ([os.path.join(self.folder, "bin", "python"), "-m", self.module, "--worker-urls", self.upstream.url,
                 "--host", "127.0.0.1", "--port", str(self.port), "--policy", "round_robin",
                 "--max-concurrent-requests", "16384",   # SMG's own limit turns 8,000 open streams away
                 "--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_port()),
                 "--log-level", self.log_level], {})


class SMG(RustRouter):
    name, package, module = "smg", "smg", "smg.launch_router"


class SGLangRouter(RustRouter):
    name, package, module = "sglang-router", "sglang-router", "sglang_router.launch_router"


class VLLMRouter(RustRouter):
    name, package, module, log_level = "vllm-router", "vllm-router", "vllm_router.launch_router", "warning"


PEERS = {kind.name: kind for kind in (LiteLLM, SMG, SGLangRouter, VLLMRouter)}


def install(name, scratch, note):
    """Installs a peer once. Its version stays until the folder is removed."""
    folder = os.path.join(scratch, "peers", name)
    ready = os.path.join(folder, "ready")
    if os.path.exists(ready):
        return
    note(f"installing {PEERS[name].package}")
    venv.create(folder, with_pip=True)
    subprocess.run([os.path.join(folder, "bin", "pip"), "install", "-q", PEERS[name].package], check=True)
    open(ready, "w").close()
