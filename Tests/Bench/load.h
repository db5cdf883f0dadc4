// What load.c (sending, pacing) and answer.c (reading, judging) share.

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "socket.h"

enum state { closed, connecting, idle, sending, head, body, chunkSize, chunkData, chunkEnd, trailer };

struct connection {
  int fd;
  enum state state;
  SSL *tls;
  uint32_t interest;          // what epoll watches now
  char *in;                   // head, chunk line or undelivered body bytes
  size_t inLength, inCapacity;
  size_t offset;              // of the request, sent
  long left;                  // of the body or the chunk
  size_t bodyBytes;
  uint64_t id, start, due;    // due: not before this, when the start is spread
  int events, finished, usageSeen, done, serverCloses;
  int nextFree;
};

struct samples {
  uint64_t *value;
  size_t count, capacity;
};

struct options {
  const char *host, *key, *model;
  int port, concurrency, events, stream, tls;
  long requests, bodyBytes;
  double rate, seconds, timeout;
  long interval;          // µs
  unsigned long ramp;     // ms
};

struct tally {
  long issued, completed, failures, connects, openNow, streamsBegun;
  uint64_t bytesIn, began, ended;
  struct samples latency, firstEvent, eventDelay;
};

extern struct options option;
extern struct tally tally;

void fail(const char *what);
void add(struct samples *s, uint64_t value);

// Consumes what was read at `time`. Returns what is wrong with it, or NULL; sets `state` to idle when the answer is
// complete and good.
const char *take(struct connection *c, const char *at, size_t length, uint64_t time);
