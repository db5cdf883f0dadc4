// Reads and judges answers: HTTP framing, then server-sent events or one JSON object. Any failure ends the connection.

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static void keep(struct connection *c, const char *bytes, size_t length) {
  if (c->inLength + length > c->inCapacity) {
    c->inCapacity = (c->inLength + length) * 3 / 2;
    c->in = realloc(c->in, c->inCapacity);
    if (!c->in) fail("realloc");
  }
  memcpy(c->in + c->inLength, bytes, length);
  c->inLength += length;
}

static const char *find(const char *in, size_t length, const char *what) {
  return memmem(in, length, what, strlen(what));
}

// The value after `"key"`, a colon and spaces: serialisers differ in the spaces.
static const char *value(const char *json, size_t length, const char *key) {
  const char *at = find(json, length, key), *end = json + length;
  if (!at) return NULL;
  for (at += strlen(key); at < end && (*at == ':' || *at == ' ');) at++;
  return at < end ? at : NULL;
}

static int hasFinish(const char *json, size_t length) {
  const char *finish = value(json, length, "\"finish_reason\"");
  return finish && json + length - finish >= 6 && !memcmp(finish, "\"stop\"", 6);
}

// True when the braces and brackets outside strings close at the last byte and not before: what a bad splice breaks.
static int isWholeObject(const char *json, size_t length) {
  long depth = 0;
  int inString = 0;
  if (!length || *json != '{') return 0;
  for (size_t i = 0; i < length; i++) {
    char letter = json[i];
    if (inString) {
      if (letter == '\\') i++;
      else if (letter == '"') inString = 0;
    } else if (letter == '"') inString = 1;
    else if (letter == '{' || letter == '[') depth++;
    else if ((letter == '}' || letter == ']') && --depth == 0) return i + 1 == length;
  }
  return 0;
}

// Reads "[#N ID T]". Returns 0 when there is none.
static int readStamp(const char *json, size_t length, long *number, uint64_t *id, uint64_t *time) {
  const char *at = find(json, length, "[#");
  if (!at || json + length - at < 16) return 0;
  char *end;
  *number = strtol(at + 2, &end, 10);
  *id = strtoull(end, &end, 10);
  *time = strtoull(end, &end, 10);
  return *end == ']';
}

// One `data:` line. Returns what is wrong with it, or NULL.
static const char *takeEvent(struct connection *c, const char *json, size_t length, uint64_t time) {
  while (length && *json == ' ') json++, length--;
  if (c->done) return "an event after [DONE]";
  if (length == 6 && !memcmp(json, "[DONE]", 6)) {
    c->done = 1;
    return NULL;
  }
  if (!isWholeObject(json, length)) return "an event that is no JSON object";
  if (!find(json, length, "\"chat.completion.chunk\"") || !find(json, length, "\"choices\""))
    return "an event that is no chat.completion.chunk";
  long number;
  uint64_t id, stamp;
  if (readStamp(json, length, &number, &id, &stamp)) {
    if (id != c->id) return "an event of another request";
    if (number != c->events) return "an event out of order";
    if (c->finished) return "content after the finish event";
    if (!c->events++) {
      add(&tally.firstEvent, time - c->start);
      tally.streamsBegun++;
    }
    add(&tally.eventDelay, time - stamp);
  }
  if (hasFinish(json, length)) c->finished = 1;
  const char *count = value(json, length, "\"completion_tokens\"");
  if (count) {
    if (atol(count) != option.events) return "a usage with a wrong count";
    c->usageSeen = 1;
  }
  return NULL;
}

static const char *takeLines(struct connection *c, uint64_t time) {
  char *at = c->in, *end = c->in + c->inLength;
  for (char *line; (line = memchr(at, '\n', (size_t)(end - at)));) {
    size_t length = (size_t)(line - at);
    if (length && at[length - 1] == '\r') length--;
    if (length > 5 && !memcmp(at, "data:", 5)) {
      const char *wrong = takeEvent(c, at + 5, length - 5, time);
      if (wrong) return wrong;
    }
    at = line + 1;
  }
  memmove(c->in, at, (size_t)(end - at));
  c->inLength = (size_t)(end - at);
  return NULL;
}

static const char *judge(struct connection *c) {
  size_t low = option.stream ? (size_t)option.events * 100 : 700;
  size_t high = option.stream ? (size_t)option.events * 1500 + 8192 : 4096;
  if (c->bodyBytes < low || c->bodyBytes > high) return "an answer of an implausible length";
  if (option.stream) {
    if (c->events != option.events) return "events are missing";
    if (!c->finished) return "no finish event";
    if (!c->usageSeen) return "no usage chunk";
    if (!c->done) return "no [DONE]";
    if (c->inLength) return "bytes after the last line";
    return NULL;
  }
  long number;
  uint64_t id, stamp;
  if (!isWholeObject(c->in, c->inLength)) return "no JSON object";
  if (!find(c->in, c->inLength, "\"chat.completion\"") || !find(c->in, c->inLength, "\"choices\""))
    return "no chat.completion";
  if (!hasFinish(c->in, c->inLength)) return "no finish_reason";
  const char *count = value(c->in, c->inLength, "\"completion_tokens\"");
  if (!count || atol(count) != 200) return "no usage";
  if (!readStamp(c->in, c->inLength, &number, &id, &stamp)) return "no stamp in the content";
  if (id != c->id) return "the answer to another request";
  return NULL;
}

static const char *answered(struct connection *c, uint64_t time) {
  const char *wrong = judge(c);
  if (wrong) return wrong;
  add(&tally.latency, time - c->start);
  tally.completed++;
  tally.openNow--;
  tally.ended = time;
  c->inLength = 0;
  c->state = idle;
  return NULL;
}

static const char *takeHead(struct connection *c) {
  c->in[c->inLength - 1] = 0;   // the last line feed: room for an end
  if (strncmp(c->in, "HTTP/1.1 200", 12)) return "status";
  c->state = body;
  c->left = -1;
  for (char *line = strchr(c->in, '\n'); line; line = strchr(line, '\n')) {
    line++;
    if (!strncasecmp(line, "content-length:", 15)) c->left = atol(line + 15);
    else if (!strncasecmp(line, "transfer-encoding: chunked", 26)) c->state = chunkSize;
    else if (!strncasecmp(line, "connection: close", 17)) c->serverCloses = 1;
  }
  if (c->state == body && c->left <= 0) return "no framing";
  c->inLength = 0;
  return NULL;
}

static const char *takeBody(struct connection *c, const char *bytes, size_t length) {
  c->bodyBytes += length;
  if (c->bodyBytes > (16u << 20)) return "an endless answer";
  keep(c, bytes, length);
  return NULL;
}

const char *take(struct connection *c, const char *at, size_t length, uint64_t time) {
  const char *end = at + length, *wrong;
  while (at < end) {
    if (c->state == head) {
      // The head is looked for in what is kept and what is new, its end may lie across both.
      size_t before = c->inLength > 3 ? c->inLength - 3 : 0;
      keep(c, at, (size_t)(end - at));
      char *blank = memmem(c->in + before, c->inLength - before, "\r\n\r\n", 4);
      if (!blank) return c->inLength > 65536 ? "an endless head" : NULL;
      size_t rest = c->inLength - (size_t)(blank + 4 - c->in);
      c->inLength -= rest;
      at = end - rest;
      if ((wrong = takeHead(c))) return wrong;
    } else if (c->state == body || c->state == chunkData) {
      size_t n = (size_t)(end - at) < (size_t)c->left ? (size_t)(end - at) : (size_t)c->left;
      if ((wrong = takeBody(c, at, n))) return wrong;
      at += n;
      c->left -= (long)n;
      if (c->left) break;
      if (c->state == chunkData) {
        c->state = chunkEnd;
      } else {
        if (option.stream && (wrong = takeLines(c, time))) return wrong;
        if (at < end) return "bytes after the answer";
        return answered(c, time);
      }
    } else if (c->state == chunkEnd) {
      char letter = *at++;
      if (letter != '\r' && letter != '\n') return "a chunk longer than it says";
      if (letter == '\n') c->state = chunkSize;
    } else if (c->state == chunkSize) {
      char letter = *at++;
      int digit = letter >= '0' && letter <= '9' ? letter - '0' : (letter | 32) >= 'a' && (letter | 32) <= 'f'
        ? (letter | 32) - 'a' + 10 : -1;
      if (c->left < 0) c->left = 0;
      if (digit >= 0) c->left = c->left * 16 + digit;
      else if (letter != '\r' && letter != '\n') return "a broken chunk size";
      if (c->left > (16 << 20)) return "an endless chunk";
      if (letter == '\n') {
        c->state = c->left ? chunkData : trailer;
        c->offset = 0;   // now counts the trailer's line
      }
    } else if (c->state == trailer) {
      char letter = *at++;
      if (letter == '\n' && !c->offset) {
        if (option.stream && (wrong = takeLines(c, time))) return wrong;
        if (at < end) return "bytes after the answer";
        return answered(c, time);
      }
      if (letter == '\n') c->offset = 0;
      else if (letter != '\r') c->offset++;
    } else {
      return "bytes that nobody asked for";
    }
  }
  return option.stream && c->state >= body ? takeLines(c, time) : NULL;
}
