"""What a server process costs: CPU time, memory, and what the load generator saw meanwhile."""

import json
import os
import subprocess
import threading
import time


def tree(root):
    """The process and everything below it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    parents[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_ns(root):
    """User and system time of a process tree in ns, threads that have ended included.

    The CPU clock of a process has the scheduler's precision, /proc/PID/stat only ticks of 10 ms.
    Its number is made from the pid as in the kernel's posix-timers.h: CPUCLOCK_SCHED is 2.
    """
    total = 0
    for pid in tree(root):
        try:
            total += time.clock_gettime_ns((~pid << 3) | 2)
        except OSError:
            continue
    return total


def thread_cpu_ns(root):
    """CPU time in ns by thread name: shows what is spent beside the request path."""
    names = {}
    for pid in tree(root):
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/comm") as comm, open(f"/proc/{pid}/task/{task}/schedstat") as stat:
                    name = comm.read().strip()
                    names[name] = names.get(name, 0) + int(stat.read().split()[0])
        except OSError:
            continue
    return names


def memory_kib(root):
    """Memory of a process tree in KiB as {"rss", "pss"}; PSS counts a page that workers share once."""
    total = {"rss": 0, "pss": 0}
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                for line in rollup:
                    if line.startswith(("Rss:", "Pss:")):
                        total[line[:3].lower()] += int(line.split()[1])
        except OSError:
            continue
    return total


def settle(root, patience=4.0):
    """Waits until a server has done its after-work (ledger, roll-ups): that belongs to the requests before."""
    end = time.monotonic() + patience
    before = cpu_ns(root)
    while time.monotonic() < end:
        time.sleep(0.25)
        after = cpu_ns(root)
        if after - before < 2_500_000:   # below 1 % of a core
            return
        before = after


class Load:
    """The load generator; every run has IDs of its own, so that an answer of another run cannot pass."""

    def __init__(self, binary):
        self.binary = binary
        self.next_id = 1

    def run(self, port, arguments, tls=False, key="sk-bench", when_open=None):
        """Runs to the end and returns its report. `when_open` is called once when all streams have begun."""
        command = [self.binary, "--port", port, "--key", key, "--first-id", self.next_id, *arguments]
        if tls:
            command.append("--tls")
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def listen():
            for line in process.stderr:
                if line.strip() == "open" and when_open:
                    when_open()

        listener = threading.Thread(target=listen)
        listener.start()
        output = process.stdout.read()
        process.wait()
        listener.join()
        try:
            report = json.loads(output)
        except json.JSONDecodeError:
            report = {"requests": 0, "completed": 0, "failures": 1, "first_failure": "the load generator died"}
        self.next_id += report["requests"]
        return report


def measured_run(load, server, arguments, sample_memory):
    """One run against a server: the load generator's report with the server's CPU and memory beside it."""
    opened = []

    def when_open():
        time.sleep(0.3)
        opened.append(memory_kib(server.pid))

    before_memory = memory_kib(server.pid)
    threads_before, before = thread_cpu_ns(server.pid), cpu_ns(server.pid)
    report = load.run(server.port, arguments, server.tls, server.key, when_open if sample_memory else None)
    settle(server.pid)
    spent = cpu_ns(server.pid) - before
    threads = {name: value - threads_before.get(name, 0) for name, value in thread_cpu_ns(server.pid).items()}
    completed = max(report["completed"], 1)
    report["cpu_us"] = spent / 1e3 / completed
    report["thread_cpu_us"] = {name: round(value / 1e3 / completed, 2) for name, value in threads.items() if value > 0}
    report["memory_before"], report["memory_after"] = before_memory, memory_kib(server.pid)
    if opened:
        report["memory_open"] = opened[0]
    return report
