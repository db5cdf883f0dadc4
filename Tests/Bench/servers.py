"""The mock upstream and what stands before it: nginx or HAProxy as the floor, and Pointsman with everything on."""

import hashlib
import http.client
import json
import os
import resource
import shutil
import socket
import ssl
import subprocess
import time


class NotStarted(Exception):
    """Why a server could not be measured; the run goes on without it."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process on a port of the loopback. Subclasses say what to write and which command to run."""

    name = "server"
    patience = 20.0   # seconds until it must answer

    def __init__(self, setting, upstream=None):
        self.setting = setting          # scratch folder, certificate, what the scenario asks for
        self.upstream = upstream
        self.port = free_port()
        self.tls = False
        self.key = "sk-bench"
        self.process = None
        self.log = os.path.join(setting.scratch, f"{self.name}.log")

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def launch(self, command, environment=None):
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.setting.scratch,
                                            env={**os.environ, **(environment or {})})

    def start(self):
        self.command()
        end = time.monotonic() + self.patience
        while True:
            try:
                self.probe()
                return self
            except (OSError, http.client.HTTPException, ValueError, KeyError, AssertionError) as error:
                ended = self.process.poll() is not None
                if ended or time.monotonic() > end:
                    self.stop()
                    reason = f"{type(error).__name__}: {error}; last line of its log: {self.last_line()}"
                    raise NotStarted(reason) from None
                time.sleep(0.2)

    def last_line(self):
        with open(self.log, errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return lines[-1][:300] if lines else "(empty)"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def ask(self, stream):
        """One completion: its body, and its status."""
        context = ssl._create_unverified_context()
        connection = (http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context) if self.tls
                      else http.client.HTTPConnection("127.0.0.1", self.port, timeout=10))
        prompt = "bench:0000000000:8:0; say what a proxy is for, in eight words"
        body = {"model": "mock", "messages": [{"role": "user", "content": prompt}]}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {text[:200]}")
        return text

    def probe(self):
        """Both forms once, every byte of JSON parsed: the load generator only looks at the parts that matter."""
        answer = json.loads(self.ask(stream=False))
        assert answer["object"] == "chat.completion" and answer["usage"]["completion_tokens"] == 200, answer
        assert answer["choices"][0]["message"]["content"].startswith("[#0 "), answer
        events = [line[5:].strip() for line in self.ask(stream=True).splitlines() if line.startswith("data:")]
        assert events[-1] == "[DONE]", events[-1]
        chunks = [json.loads(event) for event in events[:-1]]
        texts = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
        assert sum(text.startswith("[#") for text in texts) == 8, texts
        assert any((chunk.get("usage") or {}).get("completion_tokens") == 8 for chunk in chunks), chunks[-1]


class Mock(Server):
    name = "mock"

    def command(self):
        command = [self.setting.mock, "--port", str(self.port)]
        if self.setting.scenario.tls_upstream:
            self.tls = True
            command += ["--certificate", self.setting.certificate, "--key", self.setting.certificate_key]
        self.launch(command)

    def stats(self):
        """Requests that reached the upstream, streams open, streams that were left early."""
        connection = (http.client.HTTPSConnection("127.0.0.1", self.port, context=ssl._create_unverified_context())
                      if self.tls else http.client.HTTPConnection("127.0.0.1", self.port))
        connection.request("GET", "/stats")
        stats = json.loads(connection.getresponse().read())
        connection.close()
        return stats


class NginxProcess(Server):
    """nginx with one server block, set up as one would for this work: a naive one would flatter everybody else."""

    def serve(self, listen, location, tls):
        if not shutil.which("nginx"):
            raise NotStarted("nginx is not installed (Debian: nginx-light)")
        folder = os.path.join(self.setting.scratch, self.name)
        os.makedirs(folder, exist_ok=True)
        certificate = (f"ssl_certificate {self.setting.certificate};"
                       f" ssl_certificate_key {self.setting.certificate_key};"
                       " ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:bench:1m;" if tls else "")
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        user = "user root;" if os.geteuid() == 0 else ""
        with open(os.path.join(folder, "nginx.conf"), "w") as file:
            file.write(f"""
daemon off; {user} worker_processes 2; worker_rlimit_nofile {descriptors};
pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections {descriptors}; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 300s; client_max_body_size 64m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/1; uwsgi_temp_path {folder}/2; scgi_temp_path {folder}/3;
  upstream mock {{ server 127.0.0.1:{self.upstream.port}; keepalive 4096; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{self.port} {listen} reuseport backlog=4096; {certificate}
    location / {{
      {location}
      proxy_pass {'https' if self.upstream.tls else 'http'}://mock; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_buffering off; client_body_buffer_size 1m; proxy_read_timeout 300s;
    }}
  }}
}}
""")
        self.launch(["nginx", "-p", folder, "-c", os.path.join(folder, "nginx.conf")])


class Nginx(NginxProcess):
    """The floor."""

    name = "nginx"

    def command(self):
        self.tls = self.setting.scenario.tls_client
        self.serve("ssl" if self.tls else "", "", self.tls)


class HTTP2Upstream(NginxProcess):
    """nginx that gives the mock HTTP/2 over TLS; its CPU counts for nobody.

    It refuses every other protocol, so an answer proves that its request came by HTTP/2.
    """

    name = "http2-upstream"

    def command(self):
        self.tls = True
        self.serve("ssl http2", 'if ($server_protocol != "HTTP/2.0") { return 505; }', True)

    def probe(self):
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", self.port), 5) as plain, context.wrap_socket(plain) as secured:
            assert secured.selected_alpn_protocol() == "h2", secured.selected_alpn_protocol()


class HAProxy(Server):
    """The floor where the upstream speaks HTTP/2, which nginx does not do on that side."""

    name = "HAProxy"

    def command(self):
        if not shutil.which("haproxy"):
            raise NotStarted("HAProxy is not installed (Debian: haproxy)")
        config = os.path.join(self.setting.scratch, "haproxy.cfg")
        with open(config, "w") as file:
            file.write(f"""
global
  nbthread 2
  maxconn 4096
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend clients
  bind 127.0.0.1:{self.port} backlog 4096
  default_backend upstream
backend upstream
  server upstream 127.0.0.1:{self.upstream.port} ssl verify required ca-file {self.setting.certificate} alpn h2
""")
        self.launch(["haproxy", "-db", "-f", config])


class Pointsman(Server):
    """Everything on: client keys, a route with three candidates, splices, ledger, metrics, deadlines."""

    name = "Pointsman"

    def command(self):
        binary = self.setting.pointsman
        if not os.access(binary, os.X_OK):
            raise NotStarted(f"no binary at {binary}: swift build -c release, or set POINTSMAN_BINARY")
        folder = os.path.join(self.setting.scratch, "pointsman")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.tls = self.setting.scenario.tls_client
        self.admin_port = free_port()
        routes = os.path.join(folder, "routes.yaml")
        with open(routes, "w") as file:
            file.write(self.routes())
        self.launch([binary, "serve", "--config", routes, "--data", os.path.join(folder, "data"),
                     "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin_port}"],
                    {"BENCH_UPSTREAM_KEY": "sk-upstream"})

    def routes(self):
        prices = {"a": "0.10", "b": "0.12", "c": "0.15"}
        lines = ["providers:"]
        for name in prices:
            lines += [f"  mock-{name}:", f"    base_url: {self.upstream.url}/v1", "    api_key: ${BENCH_UPSTREAM_KEY}"]
            if self.setting.scenario.http2_upstream:
                lines.append("    http: 2")
            if self.upstream.tls:
                lines.append(f"    tls: {{ ca_file: {self.setting.certificate} }}")
        lines += ["models:", "  bench/mock:", "    endpoints:"]
        for name, price in prices.items():
            lines += [f"      - provider: mock-{name}", "        model: mock",
                      f"        price: {{ input: {price}, cached_input: 0.05, output: 0.40 }}",
                      "        context: 1000000"]
        digest = hashlib.sha256(self.key.encode()).hexdigest()
        lines += ["routes:", "  mock:", "    models: [bench/mock]", "    policy: default",
                  "keys:", f"  bench: {{ sha256: {digest} }}"]
        if self.tls:
            lines += ["listeners:", "  public:", "    tls:", f"      certificate: {self.setting.certificate}",
                      f"      key: {self.setting.certificate_key}"]
        return "\n".join(lines) + "\n"
