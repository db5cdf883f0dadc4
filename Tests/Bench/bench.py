#!/usr/bin/env python3
"""Pointsman beside nginx, and on request beside its peers: what a request costs, in one table.

Builds mock.c and load.c, starts the mock upstream and each server, and runs every scenario in interleaved rounds
(A B A B), so that a machine that is slow for a minute is slow for all. Every answer is checked; a run with one failed
answer gets no ratio and makes the exit code 1. Where the upstream speaks HTTP/2, HAProxy takes nginx's place. CPU is
user + system time of the server's processes, with the work they do after the last answer. "Added" is over the mock
itself, asked directly in the same round: at 200 requests/s for whole answers, per event for paced streams. Cells are
minimum / median / maximum of the rounds.
"""

import argparse
import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True   # nothing is left in the source folder

from measure import Load, measured_run, memory_kib
from peers import PEERS, install
from servers import HAProxy, HTTP2Upstream, Mock, Nginx, NotStarted, Pointsman

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    load: tuple                  # arguments of the load generator
    seconds: float = 0           # no new request after this
    rate: bool = False           # measure added latency at 200 requests/s as well
    paced: bool = False          # measure the delay that each event gains
    memory: bool = False         # sample memory while all streams are open
    fresh: bool = False          # new processes for every round: growth is only seen the first time
    tls_upstream: bool = False
    tls_client: bool = False
    http2_upstream: bool = False

    @property
    def floor(self):
        """Whose CPU the others' is a multiple of. nginx speaks no HTTP/2 to an upstream."""
        return HAProxy if self.http2_upstream else Nginx

    @property
    def streams(self):
        return self.load[self.load.index("--concurrency") + 1]


STREAM = ("--events", 64)
SCENARIOS = {s.name: s for s in (
    Scenario("1k", "request and answer of 1 KB, not streamed, 64 connections",
             ("--concurrency", 64, "--bytes", 1024), 3, rate=True),
    Scenario("200k", "request of 200 KB, answer of 1 KB, not streamed, 64 connections",
             ("--concurrency", 64, "--bytes", 204800), 3, rate=True),
    Scenario("64-at-once", "stream of 64 events without a pause, each in a write of its own, 64 connections",
             ("--concurrency", 64, *STREAM), 3, rate=True),
    Scenario("64-one-write", "stream of 64 events in one write, 64 connections",
             ("--concurrency", 64, *STREAM, "--interval", -1), 3, rate=True),
    Scenario("64-2ms", "stream of 64 events, one each 2 ms, 16 streams",
             ("--concurrency", 16, *STREAM, "--interval", 2000, "--ramp", 130), 3, paced=True),
    Scenario("64-20ms-1000", "stream of 64 events, one each 20 ms, 1,000 streams open",
             ("--concurrency", 1000, *STREAM, "--interval", 20000, "--ramp", 1300, "--requests", 4000),
             paced=True, memory=True),
    Scenario("idle-8000", "8,000 streams open, one event each 4 s",
             ("--concurrency", 8000, "--requests", 8000, "--events", 5, "--interval", 4000000, "--ramp", 5000),
             memory=True, fresh=True),
    Scenario("tls-upstream", "1k with TLS to the upstream",
             ("--concurrency", 64, "--bytes", 1024), 3, rate=True, tls_upstream=True),
    Scenario("tls-client", "1k with TLS to the client",
             ("--concurrency", 64, "--bytes", 1024), 3, rate=True, tls_client=True),
    Scenario("http2-upstream", "1k with HTTP/2 over TLS to the upstream: an nginx before the mock, counted for nobody",
             ("--concurrency", 64, "--bytes", 1024), 3, http2_upstream=True),
)}
SHORT = ("1k", "200k", "64-at-once", "64-2ms")


@dataclasses.dataclass
class Setting:
    scratch: str
    mock: str
    certificate: str
    certificate_key: str
    pointsman: str
    scenario: Scenario = None


def build(scratch):
    """Compiles both C programs and makes a certificate for 127.0.0.1, in the scratch folder."""
    os.makedirs(scratch, exist_ok=True)
    compiler = os.environ.get("CC") or "cc"
    for program, sources in {"mock": ["mock.c"], "load": ["load.c", "answer.c"]}.items():
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", os.path.join(scratch, program),
                        *(os.path.join(HERE, source) for source in sources), "-lssl", "-lcrypto", "-lpthread"],
                       check=True)
    certificate, key = os.path.join(scratch, "certificate.pem"), os.path.join(scratch, "key.pem")
    if not os.path.exists(certificate):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-keyout", key, "-out", certificate, "-days", "365", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return certificate, key


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return ((done.stdout + done.stderr).strip().splitlines() or ["?"])[0]
    except (OSError, subprocess.TimeoutExpired):
        return "not here"


def machine():
    with open("/proc/cpuinfo") as cpuinfo:
        model = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), "?")
    with open("/proc/meminfo") as meminfo:
        memory = int(meminfo.readline().split()[1]) / 2**20
    return {"cores": os.cpu_count(), "cpu": model, "memory": f"{memory:.0f} GiB",
            "kernel": platform.release(), "load": os.getloadavg()[0],
            "nginx": first_line("nginx", "-v").split("/")[-1],
            "haproxy": first_line("haproxy", "-v").removeprefix("HAProxy version ").split("-")[0],
            "curl": first_line("curl", "--version").split(" (")[0],
            "openssl": first_line("openssl", "version").split(" (")[0],
            "compiler": first_line(os.environ.get("CC") or "cc", "--version")}


def note(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options, setting):
        self.options, self.setting = options, setting
        self.load = Load(os.path.join(setting.scratch, "load"))
        self.running = []
        self.peers = [PEERS[name] for name in options.peers]

    def start(self, scenario):
        """The mock and every server that the scenario can be asked of; and why the others are missing."""
        mock, servers, missing = self.run_process(Mock(self.setting)), [], {}
        upstream = self.run_process(HTTP2Upstream(self.setting, mock)) if scenario.http2_upstream else mock
        for kind in [scenario.floor, Pointsman, *self.peers]:
            try:
                servers.append(self.run_process(kind(self.setting, upstream)))
            except NotStarted as reason:
                missing[kind.name] = str(reason)
        return mock, servers, missing

    def run_process(self, server):
        self.running.append(server)
        return server.start()

    def stop(self):
        while self.running:
            self.running.pop().stop()

    def arguments(self, scenario):
        arguments = list(scenario.load)
        if "--requests" not in arguments:
            arguments += ["--requests", 100000000]
        if scenario.seconds:
            arguments += ["--seconds", scenario.seconds * (0.7 if self.options.short else 1)]
        return arguments

    def at_rate(self, scenario, server):
        seconds = 2 if self.options.short else 5
        shape = [*scenario.load, "--requests", 100000000, "--rate", 200, "--seconds", seconds]
        return self.load.run(server.port, shape, server.tls, server.key)

    def one_round(self, scenario, mock, servers):
        result = {}
        if scenario.rate:
            result["mock"] = {"at_rate": self.at_rate(scenario, mock)}
        elif scenario.paced:
            result["mock"] = self.load.run(mock.port, self.arguments(scenario), mock.tls)
        for server in servers:
            before = mock.stats()
            report = measured_run(self.load, server, self.arguments(scenario), scenario.memory)
            after = mock.stats()
            report["upstream_requests"] = after["requests"] - before["requests"]
            report["upstream_aborted"] = after["aborted"] - before["aborted"]
            if scenario.rate:
                report["at_rate"] = self.at_rate(scenario, server)
            result[server.name] = report
            note(f"    {server.name}: {report['cpu_us']:.1f} µs CPU, {report['completed']} answers"
                 + (f", {report['failures']} FAILED: {report['first_failure']}" if report["failures"] else ""))
        return result

    def run(self, scenario):
        self.setting.scenario = scenario
        note(f"{scenario.name}: {scenario.what}")
        rounds, idle, missing = [], {}, {}
        try:
            for number in range(self.options.rounds):
                if number == 0 or scenario.fresh:
                    self.stop()
                    mock, servers, missing = self.start(scenario)
                    idle = idle or {server.name: memory_kib(server.pid) for server in servers}
                    if not scenario.fresh:   # pools filled, caches warm, not counted
                        for server in servers:
                            self.load.run(server.port, [*self.arguments(scenario), "--seconds", 0.5], server.tls,
                                          server.key)
                note(f"  round {number + 1} of {self.options.rounds}")
                rounds.append(self.one_round(scenario, mock, servers))
        finally:
            self.stop()
        for name, reason in missing.items():
            note(f"    {name} is missing: {reason}")
        return {"what": scenario.what, "floor": scenario.floor.name, "streams": scenario.streams, "rounds": rounds,
                "idle": idle, "missing": missing}


def spread(values, digits=1):
    """minimum / median / maximum, or a dash."""
    if not values:
        return "–"
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def failed(report):
    return report.get("failures", 0) + report.get("at_rate", {}).get("failures", 0)


def added(rounds, server, quantile):
    """Latency, or delay per event, over the mock itself in the same round, in µs."""
    values = []
    for r in rounds:
        mine, mocks, what = r[server], r.get("mock", {}), "event_delay"
        if "at_rate" in mocks:
            mine, mocks, what = mine["at_rate"], mocks["at_rate"], "latency"
            if mine["completed"] < 0.9 * mocks["completed"] or mine["throughput"] < 0.9 * mocks["throughput"]:
                return "overloaded"
        if what in mine and what in mocks:
            values.append(mine[what][quantile] - mocks[what][quantile])
    return spread(values, 0)


def row(server, result):
    rounds = result["rounds"]
    reports = [r[server] for r in rounds]
    failures = sum(map(failed, reports))
    floor = result["floor"]
    clean = all(floor in r and not failed(r[floor]) for r in rounds)
    ratios = [r[server]["cpu_us"] / r[floor]["cpu_us"] for r in rounds] if clean else []
    growth = [(report["memory_open"]["pss"] - result["idle"][server]["pss"]) / result["streams"]
              for report in reports if "memory_open" in report]
    return [server, spread([report["cpu_us"] for report in reports]),
            f"{failures} failed" if failures else spread(ratios, 2),
            spread([report.get("throughput", 0) for report in reports], 0),
            added(rounds, server, "p50"), added(rounds, server, "p99"),
            f"{result['idle'][server]['pss'] / 1024:.1f}", spread(growth),
            f"{reports[-1]['memory_after']['pss'] / 1024:.1f}"]


HEADER = ["", "CPU µs/request", "× {floor}", "requests/s", "added p50 µs", "added p99 µs", "idle MiB", "KiB/stream",
          "after MiB"]


def print_scenario(name, result):
    """One table, and what does not fit into its cells."""
    print(f"\n**{name}**: {result['what']}\n")
    table = [[cell.format(floor=result["floor"]) for cell in HEADER]]
    table += [row(server, result) for server in result["idle"]]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEADER))]
    for i, line in enumerate(table):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
        if i == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for server, reason in result["missing"].items():
        print(f"\n{server} was not measured: {reason}")
    for server in result["idle"]:
        for report in (r[server] for r in result["rounds"]):
            if failed(report):
                print(f"\n{server}: {report['first_failure'] or report['at_rate']['first_failure']}")
                break
            if report["upstream_requests"] != report["requests"] or report["upstream_aborted"]:
                print(f"\n{server}: the upstream saw {report['upstream_requests']} requests for {report['requests']}, "
                      f"{report['upstream_aborted']} of them left early")
                break


def is_bad(result):
    """Whether an answer failed, or one of the two that matter is missing; HAProxy need not be here."""
    complete = {"nginx", "Pointsman"} <= {"nginx" if result["floor"] == HAProxy.name else "", *result["idle"]}
    return not complete or any(failed(r[server]) for r in result["rounds"] for server in r)


def print_machine(facts, rounds):
    print(f"\n{rounds} rounds, minimum / median / maximum; memory is PSS. {facts['cores']} cores of {facts['cpu']}, "
          f"{facts['memory']}, Linux {facts['kernel']}; nginx {facts['nginx']}, HAProxy {facts['haproxy']}, "
          f"{facts['curl']}, {facts['openssl']}, {facts['compiler']}.")
    if facts["load"] > 0.5:
        print(f"The machine was busy when this began (load average {facts['load']:.1f}): not for quoting.")


def main():
    parser = argparse.ArgumentParser(
        prog="bench.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="scenarios:\n" + "\n".join(f"  {s.name:14} {s.what}" for s in SCENARIOS.values()))
    parser.add_argument("--short", action="store_true", help=f"under 3 minutes: {', '.join(SHORT)}, three rounds")
    parser.add_argument("--scenario", action="append", metavar="NAME", choices=SCENARIOS,
                        help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each scenario (5; 3 with --short)")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=[], metavar="A,B",
                        help=f"also measure these, installed from PyPI on request: {','.join(PEERS)}")
    parser.add_argument("--json", metavar="FILE", help="write every figure of every round here")
    parser.add_argument("--scratch", metavar="DIR", default=os.path.join(ROOT, ".build", "bench"),
                        help="where programs, logs and peers go (.build/bench)")
    options = parser.parse_args()
    unknown = set(options.peers) - set(PEERS)
    if unknown:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    options.rounds = options.rounds or (3 if options.short else 5)
    scratch = os.path.abspath(options.scratch)
    certificate, key = build(scratch)
    for peer in options.peers:
        install(peer, scratch, note)
    binary = os.environ.get("POINTSMAN_BINARY") or os.path.join(ROOT, ".build", "release", "pointsman")
    setting = Setting(scratch, os.path.join(scratch, "mock"), certificate, key, os.path.abspath(binary))
    facts = machine()
    bench = Bench(options, setting)
    names = options.scenario or (SHORT if options.short else [*SCENARIOS])
    results = {name: bench.run(SCENARIOS[name]) for name in names}
    for name, result in results.items():
        print_scenario(name, result)
    print_machine(facts, options.rounds)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": facts, "results": results}, file, indent=1)
    return 1 if any(map(is_bad, results.values())) else 0


if __name__ == "__main__":
    sys.exit(main())
