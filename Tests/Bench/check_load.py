#!/usr/bin/env python3
"""Shows that the load generator fails every answer that it must fail: check_load.py PATH-OF-LOAD."""

import http.server
import json
import re
import subprocess
import sys
import threading

EVENTS = 4


def chunk(choices, **more):
    event = {"id": "x" * 60, "object": "chat.completion.chunk", "choices": choices, **more}
    return f"data: {json.dumps(event)}\n\n"


def stream(request_id):
    """A good stream as a list of its events."""
    content = [chunk([{"index": 0, "delta": {"content": f"[#{n} {request_id} 1]"}, "finish_reason": None}])
               for n in range(EVENTS)]
    finish = chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    usage = chunk([], usage={"completion_tokens": EVENTS})
    return [*content, finish, usage, "data: [DONE]\n\n"]


def whole(request_id, reason="stop", tokens=200, kind="chat.completion"):
    return json.dumps({"object": kind, "choices": [{"message": {"content": f"[#0 {request_id} 1]" + "x" * 800},
                                                    "finish_reason": reason}], "usage": {"completion_tokens": tokens}})


def without(events, index):
    return events[:index] + events[index + 1:]


# What is wrong → how the events of a good stream are changed.
STREAMS = {
    "nothing": lambda e: e,
    "nothing, with comments and CRLF": lambda e: [": keep-alive\n\n", *(x.replace("\n", "\r\n") for x in e)],
    "an event is missing": lambda e: without(e, 2),
    "an event comes twice": lambda e: [e[0], *e],
    "two events are swapped": lambda e: [e[1], e[0], *e[2:]],
    "an event of another request": lambda e: [e[0], re.sub(r"\[#1 \d+", "[#1 0000099999", e[1]), *e[2:]],
    "no finish event": lambda e: without(e, EVENTS),
    "an error for a finish": lambda e: [*e[:EVENTS], e[EVENTS].replace('"stop"', '"error"'), *e[EVENTS + 1:]],
    "no usage": lambda e: without(e, EVENTS + 1),
    "a wrong count": lambda e: [x.replace(f'"completion_tokens": {EVENTS}', '"completion_tokens": 3') for x in e],
    "no [DONE]": lambda e: e[:-1],
    "an event after [DONE]": lambda e: [*e, e[-1]],
    "content after the finish event": lambda e: [*e[:3], e[EVENTS], e[3], *e[EVENTS + 1:]],
    "a torn event": lambda e: [e[0][:-9] + "\n\n", *e[1:]],
    "half a line at the end": lambda e: [*e, "data: "],
}
WHOLES = {
    "nothing": whole,
    "another request's answer": lambda i: whole("0000099999"),
    "a wrong finish": lambda i: whole(i, reason="error"),
    "a wrong count": lambda i: whole(i, tokens=7),
    "an error object": lambda i: json.dumps({"error": {"message": "x" * 900}}),
    "a short answer": lambda i: whole(i).replace("x" * 800, ""),
    "a torn object": lambda i: whole(i)[:-1],
}
# What is wrong → how the bytes of a good chunked answer are changed.
FRAMINGS = {
    "a status of 500": lambda b: b.replace(b"200 OK", b"500 No"),
    "cut before the last chunk": lambda b: b[:-5],
    "a chunk longer than it says": lambda b: re.sub(rb"\r\n\r\n([0-9a-f]+)\r\n", lambda m: b"\r\n\r\n%x\r\n"
                                                    % (int(m[1], 16) - 3), b, count=1),
    "bytes after the answer": lambda b: b + b"x",
}


def serve(answer):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self.wfile.write(answer(re.search(r"bench:(\d{10}):", body)[1]))
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def chunked(events):
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(e), e.encode()) for e in events) + b"0\r\n\r\n"


def sized(text):
    return f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


def main():
    streamed = ["--events", EVENTS]
    cases = [(f"stream, {what}", lambda i, f=f: chunked(f(stream(i))), streamed) for what, f in STREAMS.items()]
    cases += [(f"framing, {what}", lambda i, f=f: f(chunked(stream(i))), streamed) for what, f in FRAMINGS.items()]
    cases += [(f"whole, {what}", lambda i, f=f: sized(f(i)), []) for what, f in WHOLES.items()]
    wrong = 0
    for what, answer, arguments in cases:
        server = serve(answer)
        command = [sys.argv[1], "--port", server.server_port, "--requests", 1, "--concurrency", 1, "--timeout", 2,
                   "--first-id", 41, *arguments]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True)
        server.shutdown()
        report = json.loads(done.stdout)
        good = report["completed"] == 1 and not report["failures"] and done.returncode == 0
        right = good == (", nothing" in what)
        wrong += not right
        print(f"{'ok  ' if right else 'BAD '} {what}: {report['first_failure'][:90] or 'accepted'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
