// What both ends of the benchmark share: a clock, and a socket with or without TLS.

#pragma once

#include <errno.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

// CLOCK_MONOTONIC in ns: the same for all processes of a machine.
static inline uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// As recv: bytes, 0 at the end, -1 with errno (EAGAIN when it must wait). `tls` may be NULL.
static inline ssize_t receive(int fd, SSL *tls, char *into, size_t length) {
  if (!tls) return recv(fd, into, length, 0);
  int n = SSL_read(tls, into, (int)length);
  if (n > 0) return n;
  int error = SSL_get_error(tls, n);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
  return -1;
}

// As send, without SIGPIPE. `tls` may be NULL.
static inline ssize_t transmit(int fd, SSL *tls, const char *from, size_t length) {
  if (!tls) return send(fd, from, length, MSG_NOSIGNAL);
  int n = SSL_write(tls, from, (int)length);
  if (n > 0) return n;
  int error = SSL_get_error(tls, n);
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
  return -1;
}
