#include "CAllocations.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// Written by its own thread alone, so a load and a store do for an addition; atomic, as others read.
struct allocation_counter {
  _Atomic uint64_t allocations, frees, by_curl;
};

static _Thread_local struct allocation_counter mine;

static inline void count(_Atomic uint64_t *counter) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

const allocation_counter *allocations_of_this_thread(void) { return &mine; }

allocation_counts allocations_read(const allocation_counter *counter) {
  return (allocation_counts){
    .allocations = atomic_load_explicit(&counter->allocations, memory_order_relaxed),
    .frees = atomic_load_explicit(&counter->frees, memory_order_relaxed),
    .by_curl = atomic_load_explicit(&counter->by_curl, memory_order_relaxed),
  };
}

#if defined(__GLIBC__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && \
  !__has_feature(memory_sanitizer)

bool allocations_are_counted(void) { return true; }

// What glibc's own malloc and its kin are aliases of.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *piece, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *piece);

// A symbol of the executable goes before that of any shared library, for the libraries too.

void *malloc(size_t size) {
  count(&mine.allocations);
  return __libc_malloc(size);
}

void *calloc(size_t pieces, size_t size) {
  count(&mine.allocations);
  return __libc_calloc(pieces, size);
}

void *realloc(void *piece, size_t size) {
  count(&mine.allocations);
  if (piece) count(&mine.frees);
  return __libc_realloc(piece, size);
}

void free(void *piece) {
  if (piece) count(&mine.frees);
  __libc_free(piece);
}

void *memalign(size_t alignment, size_t size) {
  count(&mine.allocations);
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count(&mine.allocations);
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **piece, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) || !alignment || alignment & (alignment - 1)) return EINVAL;
  count(&mine.allocations);
  void *made = __libc_memalign(alignment, size);
  if (!made) return ENOMEM;
  *piece = made;
  return 0;
}

// libcurl's share: it asks through these.

static void *curl_malloc(size_t size) {
  count(&mine.by_curl);
  return malloc(size);
}

static void *curl_calloc(size_t pieces, size_t size) {
  count(&mine.by_curl);
  return calloc(pieces, size);
}

static void *curl_realloc(void *piece, size_t size) {
  count(&mine.by_curl);
  return realloc(piece, size);
}

static char *curl_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  void *copy = curl_malloc(size);
  return copy ? memcpy(copy, text, size) : NULL;
}

// Only the first initialisation of libcurl in a process can say where it allocates: this one is before main.
__attribute__((constructor)) static void count_curl(void) {
  curl_global_init_mem(CURL_GLOBAL_ALL, curl_malloc, free, curl_realloc, curl_strdup, curl_calloc);
}

#else

bool allocations_are_counted(void) { return false; }

#endif
