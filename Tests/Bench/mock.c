// An in-memory upstream that costs less than any proxy in front of it.
//
// One epoll a thread, HTTP/1.1 with keep-alive. It answers
//   POST /v1/chat/completions   one JSON object of about 1 KB, or server-sent events when "stream" is true
//   GET  /v1/models             the one model, "mock"
//   GET  /stats                 {"requests":…,"open":…,"aborted":…}: completions asked for, streams open and left early
//   GET  anything else          200 with an empty object, so that health probes are content
//
// What a completion does stands in its prompt, since that is the one part of a request that no proxy rewrites:
//   bench:ID:EVENTS:INTERVAL;   ID = ten digits, echoed; EVENTS content events, one every INTERVAL µs
// INTERVAL 0: without a pause, each event in a write of its own, as engines do it; -1: all in one write.
// Without the marker: 64 events without a pause. Every content event holds "[#N ID T]": its number, the request's ID
// and the CLOCK_MONOTONIC nanoseconds at which it was written, so that the client can tell order, owner and delay.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "socket.h"

enum { maxBody = 64 << 20, maxEvents = 4096, eventBytes = 512 };

struct connection {
  int fd;
  SSL *tls;
  char *in;             // what was read and not yet answered
  size_t inLength, inCapacity;
  size_t headLength;    // 0 until the blank line was seen
  long bodyLength;      // -1: chunked
  char *out;            // what the socket did not take yet
  size_t outLength, outOffset;
  int streaming, wantsUsage, closes;
  int eventCount, eventsSent;
  long interval;        // µs, see above
  uint64_t due;
  size_t heapIndex;     // 0: no timer
  char id[11];
};

struct server {
  int epoll, listener;
  struct connection **heap;   // 1-based minimum heap on `due`
  size_t heapLength, heapCapacity;
  char *scratch;
};

static atomic_long requestCount, openStreams, abortedStreams;
static SSL_CTX *tlsContext;
static const char *address = "127.0.0.1";
static int port = 9000, threadCount = 1;
static char filler[800];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// MARK: timers

static void heapPlace(struct server *s, size_t i, struct connection *c) {
  s->heap[i] = c;
  c->heapIndex = i;
}

static void heapUp(struct server *s, size_t i, struct connection *c) {
  while (i > 1 && s->heap[i / 2]->due > c->due) {
    heapPlace(s, i, s->heap[i / 2]);
    i /= 2;
  }
  heapPlace(s, i, c);
}

static void heapDown(struct server *s, size_t i, struct connection *c) {
  for (;;) {
    size_t child = i * 2;
    if (child > s->heapLength) break;
    if (child < s->heapLength && s->heap[child + 1]->due < s->heap[child]->due) child++;
    if (s->heap[child]->due >= c->due) break;
    heapPlace(s, i, s->heap[child]);
    i = child;
  }
  heapPlace(s, i, c);
}

static void timerSet(struct server *s, struct connection *c, uint64_t due) {
  if (c->heapIndex) {   // only ever moved later
    c->due = due;
    heapDown(s, c->heapIndex, c);
    return;
  }
  if (s->heapLength + 2 > s->heapCapacity) {
    s->heapCapacity = s->heapCapacity ? s->heapCapacity * 2 : 1024;
    s->heap = realloc(s->heap, s->heapCapacity * sizeof *s->heap);
    if (!s->heap) fail("realloc");
  }
  c->due = due;
  heapUp(s, ++s->heapLength, c);
}

static void timerClear(struct server *s, struct connection *c) {
  size_t i = c->heapIndex;
  if (!i) return;
  c->heapIndex = 0;
  struct connection *last = s->heap[s->heapLength--];
  if (last == c) return;
  if (i > 1 && s->heap[i / 2]->due > last->due) heapUp(s, i, last);
  else heapDown(s, i, last);
}

// MARK: sockets

static void watch(struct server *s, struct connection *c, int change) {
  struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | (c->outLength ? EPOLLOUT : 0u), .data.ptr = c};
  epoll_ctl(s->epoll, change, c->fd, &e);
}

static void disconnect(struct server *s, struct connection *c) {
  timerClear(s, c);
  if (c->streaming) {
    atomic_fetch_sub(&openStreams, 1);
    atomic_fetch_add(&abortedStreams, 1);
  }
  if (c->tls) SSL_free(c->tls);
  close(c->fd);
  free(c->in);
  free(c->out);
  free(c);
}

// Sends, and keeps what the socket does not take. Returns 0 when the connection is broken.
static int put(struct server *s, struct connection *c, const char *bytes, size_t length) {
  if (!c->outLength) {
    while (length) {
      ssize_t n = transmit(c->fd, c->tls, bytes, length);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n <= 0) return 0;
      bytes += n;
      length -= (size_t)n;
    }
    if (!length) return 1;
  }
  char *grown = realloc(c->out, c->outLength + length);
  if (!grown) return 0;
  memcpy(grown + c->outLength, bytes, length);
  int wasEmpty = !c->outLength;
  c->out = grown;
  c->outLength += length;
  if (wasEmpty) watch(s, c, EPOLL_CTL_MOD);
  return 1;
}

static int flush(struct server *s, struct connection *c) {
  while (c->outOffset < c->outLength) {
    ssize_t n = transmit(c->fd, c->tls, c->out + c->outOffset, c->outLength - c->outOffset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return 1;
    if (n <= 0) return 0;
    c->outOffset += (size_t)n;
  }
  free(c->out);
  c->out = NULL;
  c->outLength = c->outOffset = 0;
  watch(s, c, EPOLL_CTL_MOD);
  return 1;
}

// MARK: answers

// One HTTP chunk that holds one event.
static char *putEvent(char *at, const struct connection *c, const char *choices, const char *usage) {
  char *body = at + 5;   // three hexadecimal digits and CRLF
  int n = snprintf(body, eventBytes,
    "data: {\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"mock\","
    "\"system_fingerprint\":\"fp_mock\",\"choices\":[%s]%s}\n\n", c->id, choices, usage);
  char size[6];
  snprintf(size, sizeof size, "%03x\r\n", (unsigned)n & 0xfff);
  memcpy(at, size, 5);
  memcpy(body + n, "\r\n", 2);
  return body + n + 2;
}

static char *putContent(char *at, struct connection *c, uint64_t time) {
  char choice[200];
  snprintf(choice, sizeof choice,
    "{\"index\":0,\"delta\":{\"content\":\"[#%d %s %llu]\"},\"logprobs\":null,\"finish_reason\":null}",
    c->eventsSent++, c->id, (unsigned long long)time);
  return putEvent(at, c, choice, "");
}

static char *putEnd(char *at, struct connection *c) {
  at = putEvent(at, c, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}", "");
  if (c->wantsUsage) {
    char usage[160];
    snprintf(usage, sizeof usage, ",\"usage\":{\"prompt_tokens\":200,\"completion_tokens\":%d,\"total_tokens\":%d,"
      "\"prompt_tokens_details\":{\"cached_tokens\":0}}", c->eventCount, 200 + c->eventCount);
    at = putEvent(at, c, "", usage);
  }
  static const char done[] = "00e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
  memcpy(at, done, sizeof done - 1);
  return at + sizeof done - 1;
}

static void endStream(struct server *s, struct connection *c) {
  timerClear(s, c);
  c->streaming = 0;
  atomic_fetch_sub(&openStreams, 1);
}

static int beginStream(struct server *s, struct connection *c) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
  char *at = s->scratch;
  memcpy(at, head, sizeof head - 1);
  at += sizeof head - 1;
  at = putEvent(at, c, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
    "\"finish_reason\":null}", "");
  c->streaming = 1;
  atomic_fetch_add(&openStreams, 1);
  uint64_t time = now();
  int first = c->interval > 0 ? 1 : c->eventCount;
  while (c->eventsSent < first) {
    at = putContent(at, c, time);
    if (c->interval || c->eventsSent == c->eventCount) continue;   // the end goes with the last event
    if (!put(s, c, s->scratch, (size_t)(at - s->scratch))) return 0;
    at = s->scratch;
    time = now();
  }
  if (c->eventsSent == c->eventCount) {
    at = putEnd(at, c);
    endStream(s, c);
  } else {
    timerSet(s, c, time + (uint64_t)c->interval * 1000u);
  }
  return put(s, c, s->scratch, (size_t)(at - s->scratch));
}

// One due event of a paced stream, the end together with the last. Returns 1 when the stream has ended, -1 when broken.
static int continueStream(struct server *s, struct connection *c) {
  char *at = putContent(s->scratch, c, now());
  int ends = c->eventsSent == c->eventCount;
  if (ends) {
    at = putEnd(at, c);
    endStream(s, c);
  } else {
    timerSet(s, c, c->due + (uint64_t)c->interval * 1000u);
  }
  if (!put(s, c, s->scratch, (size_t)(at - s->scratch))) return -1;
  return ends;
}

static int answerJSON(struct server *s, struct connection *c, const char *json, size_t length) {
  int n = snprintf(s->scratch, 256, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
    length);
  memcpy(s->scratch + n, json, length);
  return put(s, c, s->scratch, (size_t)n + length);
}

static int answerCompletion(struct server *s, struct connection *c) {
  char json[1400];
  int n = snprintf(json, sizeof json,
    "{\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"mock\",\"choices\":[{"
    "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"[#0 %s %llu] %s\"},\"logprobs\":null,"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":200,\"completion_tokens\":200,\"total_tokens\":400,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0}},\"system_fingerprint\":\"fp_mock\"}",
    c->id, c->id, (unsigned long long)now(), filler);
  return answerJSON(s, c, json, (size_t)n);
}

// True when `key` is followed by `:` and `true`, with or without spaces: what serialisers differ in.
static int isTrue(const char *body, size_t length, const char *key) {
  const char *end = body + length, *at = memmem(body, length, key, strlen(key));
  if (!at) return 0;
  at += strlen(key);
  while (at < end && (*at == ' ' || *at == ':')) at++;
  return end - at >= 4 && !memcmp(at, "true", 4);
}

static int complete(struct server *s, struct connection *c, const char *body, size_t length) {
  atomic_fetch_add(&requestCount, 1);
  int events = 64;
  long interval = 0;
  strcpy(c->id, "0000000000");
  const char *marker = memmem(body, length, "bench:", 6);
  if (marker && body + length - marker > 48) {
    char text[49];
    memcpy(text, marker, 48);
    text[48] = 0;
    sscanf(text, "bench:%10[0-9]:%d:%ld;", c->id, &events, &interval);
  }
  c->eventCount = events < 1 ? 1 : events > maxEvents ? maxEvents : events;
  c->eventsSent = 0;
  c->interval = interval < -1 ? 0 : interval > 60000000 ? 60000000 : interval;
  // The settings stand before or after a long prompt: look at both ends, so that 200 KB cost nothing here.
  size_t window = length < 1024 ? length : 1024;
  const char *tail = body + length - window;
  int streams = isTrue(body, window, "\"stream\"") || isTrue(tail, window, "\"stream\"");
  c->wantsUsage = isTrue(body, window, "\"include_usage\"") || isTrue(tail, window, "\"include_usage\"");
  return streams ? beginStream(s, c) : answerCompletion(s, c);
}

static int answer(struct server *s, struct connection *c, const char *body, size_t length) {
  if (!strncmp(c->in, "POST ", 5)) return complete(s, c, body, length);
  char json[200] = "{}";
  if (!strncmp(c->in, "GET /v1/models ", 15))
    strcpy(json, "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"created\":1760000000,"
      "\"owned_by\":\"bench\"}]}");
  else if (!strncmp(c->in, "GET /stats ", 11))
    snprintf(json, sizeof json, "{\"requests\":%ld,\"open\":%ld,\"aborted\":%ld}", atomic_load(&requestCount),
      atomic_load(&openStreams), atomic_load(&abortedStreams));
  return answerJSON(s, c, json, strlen(json));
}

// MARK: requests

static const char *headerValue(const char *head, size_t length, const char *name) {
  size_t nameLength = strlen(name);
  const char *end = head + length, *line = memchr(head, '\n', length);
  while (line && ++line < end) {
    if ((size_t)(end - line) > nameLength && !strncasecmp(line, name, nameLength) && line[nameLength] == ':') {
      line += nameLength + 1;
      while (line < end && *line == ' ') line++;
      return line;
    }
    line = memchr(line, '\n', (size_t)(end - line));
  }
  return NULL;
}

// Undoes chunked coding in place. Returns the bytes taken from `at`, 0 when more must come, -1 when it is broken.
static long dechunk(char *at, size_t length, size_t *decoded) {
  size_t from = 0, to = 0;
  for (int pass = 0; pass < 2; pass++) {   // first look whether all of it is here, then move
    from = to = 0;
    for (;;) {
      char *line = memchr(at + from, '\n', length - from);
      if (!line) return 0;
      size_t size = strtoul(at + from, NULL, 16), data = (size_t)(line + 1 - at);
      if (size > maxBody) return -1;
      if (data + size + 2 > length) return 0;
      if (pass) memmove(at + to, at + data, size);
      to += size;
      from = data + size + 2;
      if (!size) break;
    }
  }
  *decoded = to;
  return (long)from;
}

// Answers every whole request that has come. Returns 0 when the connection must go.
static int serve(struct server *s, struct connection *c) {
  while (!c->streaming && c->inLength) {
    if (!c->headLength) {
      char *blank = memmem(c->in, c->inLength, "\r\n\r\n", 4);
      if (!blank) return c->inLength < 65536;
      c->headLength = (size_t)(blank + 4 - c->in);
      const char *value = headerValue(c->in, c->headLength, "content-length");
      c->bodyLength = value ? atol(value) : 0;
      if (!value && headerValue(c->in, c->headLength, "transfer-encoding")) c->bodyLength = -1;
      if (c->bodyLength > maxBody) return 0;
      value = headerValue(c->in, c->headLength, "connection");
      c->closes = value && !strncasecmp(value, "close", 5);
    }
    char *body = c->in + c->headLength;
    size_t have = c->inLength - c->headLength, length = 0;
    long taken;
    if (c->bodyLength >= 0) {
      if (have < (size_t)c->bodyLength) return 1;
      length = (size_t)c->bodyLength;
      taken = c->bodyLength;
    } else {
      taken = dechunk(body, have, &length);
      if (taken <= 0) return taken == 0 && have <= maxBody;
    }
    if (!answer(s, c, body, length)) return 0;
    size_t used = c->headLength + (size_t)taken;
    memmove(c->in, c->in + used, c->inLength - used);
    c->inLength -= used;
    c->headLength = 0;
    if (c->closes && !c->streaming && !c->outLength) return 0;
  }
  return 1;
}

static int readable(struct server *s, struct connection *c) {
  for (;;) {
    size_t wanted = 2048;
    if (c->headLength && c->bodyLength > 0) wanted = c->headLength + (size_t)c->bodyLength;
    if (c->inCapacity < wanted || c->inCapacity - c->inLength < 1024) {
      size_t capacity = c->inCapacity * 2 > wanted ? c->inCapacity * 2 : wanted;
      char *grown = capacity > 2 * maxBody ? NULL : realloc(c->in, capacity);
      if (!grown) return 0;
      c->in = grown;
      c->inCapacity = capacity;
    }
    size_t space = c->inCapacity - c->inLength;
    ssize_t n = receive(c->fd, c->tls, c->in + c->inLength, space);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return 1;
    if (n <= 0) return 0;
    c->inLength += (size_t)n;
    if (!serve(s, c)) return 0;
    if (!c->tls && (size_t)n < space) return 1;
  }
}

static void acceptAll(struct server *s) {
  for (;;) {
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    if (!c) fail("calloc");
    c->fd = fd;
    if (tlsContext) {
      c->tls = SSL_new(tlsContext);
      SSL_set_fd(c->tls, fd);
      SSL_set_accept_state(c->tls);
    }
    watch(s, c, EPOLL_CTL_ADD);
  }
}

static void *run(void *unused) {
  (void)unused;
  struct server server = {.epoll = epoll_create1(EPOLL_CLOEXEC)}, *s = &server;
  s->scratch = malloc((size_t)maxEvents * eventBytes + 8192);
  s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(s->listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, address, &where.sin_addr);
  if (bind(s->listener, (struct sockaddr *)&where, sizeof where) || listen(s->listener, 4096)) fail("listen");
  struct epoll_event e = {.events = EPOLLIN};
  epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e);
  prctl(PR_SET_TIMERSLACK, 1000);

  struct epoll_event events[512];
  for (;;) {
    struct timespec wait, *timeout = NULL;
    if (s->heapLength) {
      uint64_t time = now(), due = s->heap[1]->due, left = due > time ? due - time : 0;
      wait = (struct timespec){.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
      timeout = &wait;
    }
    int count = epoll_pwait2(s->epoll, events, 512, timeout, NULL);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) {
        acceptAll(s);
        continue;
      }
      int alive = !(events[i].events & (EPOLLERR | EPOLLHUP));
      if (alive && events[i].events & EPOLLOUT) alive = flush(s, c);
      if (alive && events[i].events & EPOLLIN) alive = readable(s, c);
      else if (events[i].events & EPOLLRDHUP) alive = 0;
      if (!alive) disconnect(s, c);
    }
    uint64_t time = now();
    while (s->heapLength && s->heap[1]->due <= time) {
      struct connection *c = s->heap[1];
      int state = continueStream(s, c);
      if (state < 0 || (state == 1 && (!serve(s, c) || (c->closes && !c->outLength)))) disconnect(s, c);
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  const char *certificate = NULL, *key = NULL;
  static const struct option options[] = {{"listen", 1, 0, 'l'}, {"port", 1, 0, 'p'}, {"threads", 1, 0, 't'},
    {"certificate", 1, 0, 'c'}, {"key", 1, 0, 'k'}, {0, 0, 0, 0}};
  for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (o == 'l') address = optarg;
    else if (o == 'p') port = atoi(optarg);
    else if (o == 't') threadCount = atoi(optarg);
    else if (o == 'c') certificate = optarg;
    else if (o == 'k') key = optarg;
    else {
      fprintf(stderr, "usage: mock [--listen ADDRESS] [--port N] [--threads N] [--certificate PEM --key PEM]\n");
      return 2;
    }
  }
  if (certificate) {
    tlsContext = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(tlsContext, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_chain_file(tlsContext, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tlsContext, key ? key : certificate, SSL_FILETYPE_PEM) != 1) {
      fprintf(stderr, "mock: cannot use %s with its key\n", certificate);
      return 1;
    }
  }
  signal(SIGPIPE, SIG_IGN);
  static const char words[] = "the points are set and the signal is green ";
  for (size_t i = 0; i < sizeof filler - 1; i++) filler[i] = words[i % (sizeof words - 1)];
  for (int i = 1; i < threadCount; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL)) fail("pthread_create");
  }
  run(NULL);
}
