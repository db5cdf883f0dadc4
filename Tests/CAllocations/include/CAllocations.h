// Counts the calls to the allocator, by thread. Whatever links this target has its malloc, calloc, realloc, free and
// their aligned kin replaced by ones that count and then do what glibc's do.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  /// Pieces of memory asked for; a reallocation is one, and frees one.
  uint64_t allocations;
  uint64_t frees;
  /// Those of `allocations` that libcurl asked for.
  uint64_t by_curl;
} allocation_counts;

/// One thread's counters.
typedef struct allocation_counter allocation_counter;

/// False where nothing is counted: under a sanitizer, which has an allocator of its own, and without glibc.
bool allocations_are_counted(void);
/// The counters of the calling thread, which any thread may read for as long as that thread lives.
const allocation_counter *allocations_of_this_thread(void);
allocation_counts allocations_read(const allocation_counter *counter);
