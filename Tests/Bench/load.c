// A load generator that checks every answer. One thread, one epoll, HTTP/1.1 with keep-alive.
//
// Closed loop (default): each of --concurrency connections sends its next request when its answer is complete.
// Open loop (--rate R): R requests a second whatever happens, over as many connections as it takes up to --concurrency.
// Ends after --requests or --seconds, whichever comes first, then waits for what is open. Prints one JSON object.
//
// Every request has a body of its own: "bench:ID:EVENTS:INTERVAL;" (see mock.c) with a new ID. An answer is good when
// its status is 200, its framing and its JSON are whole, its content carries the same ID, and, unstreamed, it is a
// chat.completion of plausible length; streamed: all events in order, a finish event, a usage chunk with the right
// count, [DONE], and nothing after it (answer.c).

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load.h"

struct options option = {.host = "127.0.0.1", .key = "sk-bench", .model = "mock", .port = 9000,
  .concurrency = 64, .requests = 1000, .bodyBytes = 1024, .timeout = 60};
struct tally tally;

static int epoll;
static struct connection *all;
static char *request;             // head and body, the same for all but the digits of the ID
static size_t requestLength, idAt;
static SSL_CTX *tlsContext;
static uint64_t nextID;
static char firstFailure[300];
static int freeList = -1, connectionCount;

void fail(const char *what) {
  perror(what);
  exit(1);
}

void add(struct samples *s, uint64_t value) {
  if (s->count == s->capacity) {
    s->capacity = s->capacity ? s->capacity * 2 : 4096;
    s->value = realloc(s->value, s->capacity * sizeof *s->value);
    if (!s->value) fail("realloc");
  }
  s->value[s->count++] = value;
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void printSamples(const char *name, struct samples *s) {
  if (!s->count) return;
  qsort(s->value, s->count, sizeof *s->value, ascending);
  size_t last = s->count - 1;
  printf(", \"%s\": {\"count\": %zu, \"min\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f}", name,
    s->count, s->value[0] / 1e3, s->value[last / 2] / 1e3, s->value[last * 90 / 100] / 1e3,
    s->value[last * 99 / 100] / 1e3, s->value[last] / 1e3);
}

// MARK: the request

static void makeRequest(void) {
  char tail[100] = "\"}]";
  if (option.stream) strcat(tail, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
  strcat(tail, "}");
  char start[400];
  int n = snprintf(start, sizeof start, "{\"model\":\"%s\",\"max_tokens\":1000,\"temperature\":0.7,\"messages\":["
    "{\"role\":\"system\",\"content\":\"You are brief.\"},{\"role\":\"user\",\"content\":\"bench:", option.model);
  char marker[100];
  int m = snprintf(marker, sizeof marker, "0000000000:%d:%ld; ", option.events, option.interval);
  long padding = option.bodyBytes - n - m - (long)strlen(tail);
  if (padding < 48) padding = 48;
  size_t bodyLength = (size_t)(n + m + padding) + strlen(tail);
  request = malloc(bodyLength + 1024);
  if (!request) fail("malloc");
  int h = snprintf(request, 1024, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: Bearer %s\r\n"
    "User-Agent: bench/1\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
    option.host, option.port, option.key, bodyLength);
  char *at = request + h;
  memcpy(at, start, (size_t)n);
  idAt = (size_t)(h + n);
  at += n;
  memcpy(at, marker, (size_t)m);
  at += m;
  static const char words[] = "Say what the quick \\\"brown\\\" fox did next, line by line.\\nThen stop. ";
  for (long i = 0; i < padding;) {   // whole phrases, then spaces: an escape must not be cut
    long length = (long)sizeof words - 1;
    if (padding - i >= length) memcpy(at + i, words, (size_t)length);
    else memset(at + i, ' ', (size_t)(length = padding - i));
    i += length;
  }
  memcpy(at + padding, tail, strlen(tail));
  requestLength = (size_t)h + bodyLength;
}

// MARK: connections

static void watch(struct connection *c, uint32_t interest) {
  if (c->interest == interest) return;
  struct epoll_event e = {.events = interest, .data.ptr = c};
  epoll_ctl(epoll, c->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e);
  c->interest = interest;
}

static void disconnect(struct connection *c) {
  if (c->tls) SSL_free(c->tls);
  if (c->fd >= 0) close(c->fd);
  free(c->in);
  c->tls = NULL;
  c->in = NULL;
  c->fd = -1;
  c->inLength = c->inCapacity = 0;
  c->interest = 0;
  c->state = closed;
}

static int underway(const struct connection *c) {
  return c->state != closed && c->state != idle;
}

__attribute__((format(printf, 2, 3))) static void bad(struct connection *c, const char *format, ...) {
  tally.failures++;
  tally.openNow--;
  if (!firstFailure[0]) {
    va_list arguments;
    va_start(arguments, format);
    int n = snprintf(firstFailure, sizeof firstFailure, "request %llu: ", (unsigned long long)c->id);
    vsnprintf(firstFailure + n, sizeof firstFailure - (size_t)n, format, arguments);
    va_end(arguments);
    for (char *p = firstFailure; *p; p++)
      if (*p == '"' || *p == '\\' || (unsigned char)*p < 32) *p = '\'';
  }
  disconnect(c);
}

static void sendMore(struct connection *c) {
  char digits[11];
  snprintf(digits, sizeof digits, "%010llu", (unsigned long long)(c->id % 10000000000u));
  memcpy(request + idAt, digits, 10);
  while (c->offset < requestLength) {
    ssize_t n = transmit(c->fd, c->tls, request + c->offset, requestLength - c->offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      watch(c, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
      return;
    }
    if (n <= 0) {
      bad(c, "the connection broke while sending");
      return;
    }
    c->offset += (size_t)n;
  }
  c->state = head;
  watch(c, EPOLLIN | EPOLLRDHUP);
}

static void issue(struct connection *c, uint64_t start) {
  c->id = nextID++;
  c->start = start;
  c->offset = c->inLength = c->bodyBytes = 0;
  c->events = c->finished = c->usageSeen = c->done = c->serverCloses = 0;
  tally.issued++;
  tally.openNow++;
  if (c->state == idle) {
    c->state = sending;
    sendMore(c);
    return;
  }
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) fail("socket");
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)option.port)};
  inet_pton(AF_INET, option.host, &where.sin_addr);
  c->state = connecting;
  tally.connects++;
  if (connect(c->fd, (struct sockaddr *)&where, sizeof where) && errno != EINPROGRESS) {
    bad(c, "connect: %s", strerror(errno));
    return;
  }
  if (tlsContext) {
    c->tls = SSL_new(tlsContext);
    SSL_set_fd(c->tls, c->fd);
    SSL_set_connect_state(c->tls);
  }
  watch(c, EPOLLOUT);
}

static void connected(struct connection *c) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) {
    bad(c, "connect: %s", strerror(error));
    return;
  }
  if (c->tls) {
    int n = SSL_do_handshake(c->tls);
    if (n != 1) {
      int reason = SSL_get_error(c->tls, n);
      if (reason == SSL_ERROR_WANT_READ) watch(c, EPOLLIN | EPOLLRDHUP);
      else if (reason == SSL_ERROR_WANT_WRITE) watch(c, EPOLLOUT);
      else bad(c, "the TLS handshake failed");
      return;
    }
  }
  c->state = sending;
  sendMore(c);
}

static void readable(struct connection *c) {
  static char buffer[256 << 10];
  for (;;) {
    ssize_t n = receive(c->fd, c->tls, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      if (c->state == idle) disconnect(c);   // a server may close a connection that rests
      else bad(c, "the connection ended early (%d events, %zu bytes)", c->events, c->bodyBytes);
      return;
    }
    uint64_t time = now();
    tally.bytesIn += (uint64_t)n;
    const char *wrong = take(c, buffer, (size_t)n, time);
    if (wrong) {
      bad(c, "%s (%d events, %zu bytes): %.*s", wrong, c->events, c->bodyBytes, n < 160 ? (int)n : 160, buffer);
      return;
    }
    if (c->state == idle && c->serverCloses) disconnect(c);
    if (!underway(c)) return;
    if (!c->tls && (size_t)n < sizeof buffer) return;
  }
}

// MARK: pacing

static int mayGoOn(uint64_t time) {
  return tally.issued < option.requests && (option.seconds <= 0 || (double)(time - tally.began) < option.seconds * 1e9);
}

static void mayIssue(struct connection *c, uint64_t time) {
  if (!underway(c) && time >= c->due && mayGoOn(time)) issue(c, time);
}

static void release(struct connection *c) {
  c->nextFree = freeList;
  freeList = (int)(c - all);
}

// Open loop: everything that is due now, over the connection used last. Returns when the next one is due.
static uint64_t issueDue(uint64_t time) {
  for (;;) {
    uint64_t due = tally.began + (uint64_t)((double)tally.issued / option.rate * 1e9);
    if (!mayGoOn(time) || due > time) return due;
    struct connection *c;
    uint64_t start = time;
    if (freeList >= 0) {
      c = all + freeList;
      freeList = c->nextFree;
    } else if (connectionCount < option.concurrency) {
      c = all + connectionCount++;
    } else {
      return time + 100000;   // all busy: it is late, and will be counted from when it was due
    }
    if (time - due > 5000000) start = due;
    issue(c, start);
    if (!underway(c)) release(c);
  }
}

static void await(uint64_t until, struct epoll_event *events, int *count) {
  uint64_t time = now(), left = until > time ? until - time : 0;
  struct timespec wait = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
  *count = epoll_pwait2(epoll, events, 1024, &wait, NULL);
}

static void loop(void) {
  struct epoll_event events[1024];
  uint64_t deadline = 0, nextStart = 0;
  int started = 0, announced = 0;
  for (;;) {
    uint64_t time = now(), until = time + 100000000;
    if (option.rate > 0) {
      uint64_t due = issueDue(time);
      if (due < until) until = due;
    } else {   // the first request of each connection, spread over the ramp
      while (started < option.concurrency && (nextStart = all[started].due) <= time) mayIssue(all + started++, time);
      if (started < option.concurrency && nextStart < until) until = nextStart;
    }
    if (!announced && tally.streamsBegun >= option.concurrency && option.stream) {
      announced = 1;
      fprintf(stderr, "open\n");   // every stream has had its first event
    }
    if (!mayGoOn(time)) {
      if (!tally.openNow) return;
      if (!deadline) deadline = time + (uint64_t)(option.timeout * 1e9);
      if (time > deadline) break;
    }
    if (tally.failures > 1000 && tally.failures > tally.completed) break;
    int count;
    await(until, events, &count);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      int was = underway(c);
      if (c->state == connecting) connected(c);
      else {
        if (c->state == sending && events[i].events & EPOLLOUT) sendMore(c);
        if (c->state != closed && events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable(c);
      }
      if (!was || underway(c)) continue;
      if (option.rate > 0) release(c);
      else mayIssue(c, now());
    }
  }
  for (int i = 0; i < option.concurrency; i++)
    if (underway(all + i)) bad(all + i, "no end in time (%d events, %zu bytes)", all[i].events, all[i].bodyBytes);
}

static const char usage[] =
  "usage: load [options]      checks every answer, prints one JSON object; times in µs\n"
  "  --host A --port N        where to (127.0.0.1, 9000)\n"
  "  --key K --model M        Authorization: Bearer K; the model's name\n"
  "  --concurrency C          connections (64)\n"
  "  --requests N             at most so many (1000)\n"
  "  --seconds S              no new request after S seconds\n"
  "  --rate R                 open loop: R requests a second\n"
  "  --bytes N                length of a request body (1024)\n"
  "  --events N --interval U  stream N content events, one every U µs (0: without a pause, -1: in one write)\n"
  "  --ramp MS                spread the first requests over MS milliseconds\n"
  "  --timeout S              wait so long for what is open at the end (60)\n"
  "  --first-id N             ID of the first request\n"
  "  --tls                    TLS to the server, without looking at its certificate\n";

int main(int argc, char **argv) {
  static const struct option options[] = {
    {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'}, {"key", 1, 0, 'k'}, {"model", 1, 0, 'm'}, {"concurrency", 1, 0, 'c'},
    {"requests", 1, 0, 'n'}, {"seconds", 1, 0, 's'}, {"rate", 1, 0, 'r'}, {"bytes", 1, 0, 'b'}, {"events", 1, 0, 'e'},
    {"interval", 1, 0, 'i'}, {"ramp", 1, 0, 'R'}, {"timeout", 1, 0, 'T'}, {"first-id", 1, 0, 'f'}, {"tls", 0, 0, 't'},
    {0, 0, 0, 0}};
  for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (o) {
    case 'h': option.host = optarg; break;
    case 'p': option.port = atoi(optarg); break;
    case 'k': option.key = optarg; break;
    case 'm': option.model = optarg; break;
    case 'c': option.concurrency = atoi(optarg); break;
    case 'n': option.requests = atol(optarg); break;
    case 's': option.seconds = atof(optarg); break;
    case 'r': option.rate = atof(optarg); break;
    case 'b': option.bodyBytes = atol(optarg); break;
    case 'e': option.events = atoi(optarg); option.stream = 1; break;
    case 'i': option.interval = atol(optarg); break;
    case 'R': option.ramp = strtoul(optarg, NULL, 10); break;
    case 'T': option.timeout = atof(optarg); break;
    case 'f': nextID = strtoull(optarg, NULL, 10); break;
    case 't': option.tls = 1; break;
    default: fputs(usage, stderr); return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1000);
  if (option.tls) {
    tlsContext = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tlsContext, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  makeRequest();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  all = calloc((size_t)option.concurrency, sizeof *all);
  if (!all) fail("calloc");
  tally.began = tally.ended = now();
  for (int i = 0; i < option.concurrency; i++) {
    all[i].fd = -1;
    all[i].due = tally.began + (uint64_t)option.ramp * 1000000u * (uint64_t)i / (uint64_t)option.concurrency;
  }
  loop();
  double wall = (double)(tally.ended - tally.began) / 1e9;
  printf("{\"requests\": %ld, \"completed\": %ld, \"failures\": %ld, \"first_failure\": \"%s\"", tally.issued,
    tally.completed, tally.failures, firstFailure);
  printf(", \"connects\": %ld, \"wall\": %.4f, \"throughput\": %.1f, \"bytes_in\": %llu", tally.connects, wall,
    wall > 0 ? (double)tally.completed / wall : 0, (unsigned long long)tally.bytesIn);
  printSamples("latency", &tally.latency);
  printSamples("first_event", &tally.firstEvent);
  printSamples("event_delay", &tally.eventDelay);
  printf("}\n");
  return tally.failures || !tally.completed;
}
