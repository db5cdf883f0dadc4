// Linux calls that Swift's Glibc module lacks, or imports badly (variadic, packed or macro).
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// One readiness event: the registration's 64-bit token and the EPOLL* bits.
typedef struct {
  uint64_t token;
  uint32_t events;
} pm_event;

enum { PM_READ = 0x001, PM_WRITE = 0x004, PM_ERROR = 0x008, PM_HANGUP = 0x010, PM_PEER_CLOSED = 0x2000 };

int pm_epoll_create(void);
/// op: 1 add, 2 remove, 3 change.
int pm_epoll_control(int epoll, int op, int fd, uint32_t events, uint64_t token);
/// Waits at most `timeout_ns` nanoseconds (negative: for ever); EINTR counts as no event.
int pm_epoll_wait(int epoll, pm_event *events, int capacity, int64_t timeout_ns);

int pm_eventfd(void);
/// Opens a non-blocking listening socket with SO_REUSEADDR and SO_REUSEPORT; host is a literal address. What it accepts
/// inherits TCP_NODELAY, keep-alive probes (after 15 s of silence, every 5 s) and a TCP_USER_TIMEOUT of 60 s: a client
/// that vanished without a FIN is noticed within about a minute, whether it is owed an answer or is being sent one.
/// Returns the descriptor or -errno.
int pm_listen(const char *host, uint16_t port, int backlog);
/// 0 when nobody listens on the address, else -errno: SO_REUSEPORT alone would share a port with a stranger unnoticed.
int pm_check_free(const char *host, uint16_t port);
/// The port that a listening socket got.
int pm_local_port(int fd);
/// Accepts without blocking and with close-on-exec; TCP_NODELAY comes from the listener. Returns the descriptor or
/// -errno.
int pm_accept(int fd);
void pm_close(int fd);
ssize_t pm_read(int fd, void *into, size_t count);
ssize_t pm_write(int fd, const void *from, size_t count);
/// Like pm_write, for a socket: a peer that is gone is -EPIPE and never a SIGPIPE.
ssize_t pm_send(int fd, const void *from, size_t count);
/// Sends a FIN and leaves the reading side open.
void pm_shutdown_write(int fd);
/// Ends a connection with a reset instead of a FIN.
void pm_reset_close(int fd);
/// Keep-alive probes (5 s, 3 probes) and TCP_USER_TIMEOUT 10 s: a peer that vanished without a FIN is noticed.
void pm_watch_peer(int fd);
int pm_open_append(const char *path);
uint64_t pm_monotonic_ns(void);
uint64_t pm_wall_ns(void);
const void *pm_find(const void *in, size_t count, const void *what, size_t what_count);
/// Sets glibc's allocator to keep freed memory up to 32 MiB per arena and to map only pieces above 4 MiB: a request body
/// of 200 KB would otherwise be mapped, faulted in page by page and unmapped each time. Address space for an arena's growth
/// is made usable 48 MiB at a time; it takes no memory before it is touched.
void pm_keep_freed_memory(void);
/// Sets the nice value of the calling thread alone.
int pm_thread_nice(int value);
int pm_name_thread(const char *name);
/// Resolves a name to numeric addresses (blocking; never on a loop): writes up to `capacity` texts of 64 bytes.
/// Returns how many, or -1 with a static error text in *error.
int pm_resolve(const char *host, char *into, int capacity, const char **error);
