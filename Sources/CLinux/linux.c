#define _GNU_SOURCE
#include "CLinux.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int pm_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int pm_epoll_control(int epoll, int op, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(epoll, op, fd, &event) == 0 ? 0 : -errno;
}

int pm_epoll_wait(int epoll, pm_event *events, int capacity, int64_t timeout_ns) {
  struct epoll_event got[256];
  if (capacity > 256) capacity = 256;
  struct timespec wait = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  int count = epoll_pwait2(epoll, got, capacity, timeout_ns < 0 ? NULL : &wait, NULL);
  if (count < 0 && errno == ENOSYS) { // kernels before 5.11: millisecond steps, rounded up
    int64_t ms = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
    count = epoll_wait(epoll, got, capacity, ms > 1000000 ? 1000000 : (int)ms);
  }
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < count; i++) {
    events[i].token = got[i].data.u64;
    events[i].events = got[i].events;
  }
  return count;
}

int pm_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

/// A new non-blocking socket for a literal address; 0 or -errno.
static int make_socket(const char *host, uint16_t port, struct sockaddr_storage *address, socklen_t *length) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
  memset(address, 0, sizeof *address);
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *length = sizeof *v4;
  } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *length = sizeof *v6;
  } else {
    return -EINVAL;
  }
  int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
}

int pm_check_free(const char *host, uint16_t port) {
  struct sockaddr_storage address;
  socklen_t length;
  int on = 1, fd = make_socket(host, port, &address, &length);
  if (fd < 0) return fd;
  int failed = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
               bind(fd, (struct sockaddr *)&address, length) < 0;
  int error = failed ? errno : 0;
  close(fd);
  return -error;
}

int pm_listen(const char *host, uint16_t port, int backlog) {
  struct sockaddr_storage address;
  socklen_t length;
  int fd = make_socket(host, port, &address, &length);
  if (fd < 0) return fd;
  int on = 1, idle = 15, interval = 5, probes = 3;
  unsigned int unacknowledged_ms = 60000;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms) < 0 ||
      bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, backlog) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int pm_local_port(int fd) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
  if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int pm_accept(int fd) {
  int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return client < 0 ? -errno : client;
}

void pm_close(int fd) { close(fd); }

ssize_t pm_read(int fd, void *into, size_t count) {
  ssize_t got;
  do got = read(fd, into, count);
  while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

ssize_t pm_write(int fd, const void *from, size_t count) {
  ssize_t put;
  do put = write(fd, from, count);
  while (put < 0 && errno == EINTR);
  return put < 0 ? -errno : put;
}

ssize_t pm_send(int fd, const void *from, size_t count) {
  ssize_t put;
  do put = send(fd, from, count, MSG_NOSIGNAL);
  while (put < 0 && errno == EINTR);
  return put < 0 ? -errno : put;
}

void pm_shutdown_write(int fd) { shutdown(fd, SHUT_WR); }

void pm_reset_close(int fd) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}

void pm_watch_peer(int fd) {
  int on = 1, idle = 5, probes = 3;
  unsigned int unacknowledged_ms = 10000;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

int pm_open_append(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  return fd < 0 ? -errno : fd;
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
uint64_t pm_monotonic_ns(void) { return read_clock(CLOCK_MONOTONIC); }
uint64_t pm_wall_ns(void) { return read_clock(CLOCK_REALTIME); }

const void *pm_find(const void *in, size_t count, const void *what, size_t what_count) {
  return memmem(in, count, what, what_count);
}

void pm_keep_freed_memory(void) {
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
  // A thread's heap, of 64 MiB at most, grows by a call of mprotect(2) for each few pages otherwise.
  mallopt(M_TOP_PAD, 48 << 20);
}

int pm_thread_nice(int value) {
  return setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), value) == 0 ? 0 : -errno;
}

int pm_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }

int pm_resolve(const char *host, char *into, int capacity, const char **error) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
  int code = getaddrinfo(host, NULL, &hints, &found);
  if (code != 0) {
    *error = gai_strerror(code);
    return -1;
  }
  int count = 0;
  for (struct addrinfo *a = found; a && count < capacity; a = a->ai_next)
    if (getnameinfo(a->ai_addr, a->ai_addrlen, into + 64 * count, 64, NULL, 0, NI_NUMERICHOST) == 0) count++;
  freeaddrinfo(found);
  return count;
}
