#include "CScan.h"
#include <string.h>

/// What stands where in 64 bytes: bit n is byte n.
typedef struct {
  uint64_t backslash;
  /// Quotes, control characters and bytes above ASCII.
  uint64_t stop;
} masks;

#if defined(__SSE2__)
#include <emmintrin.h>

static inline uint64_t joined(const uint64_t part[4]) {
  return part[0] | part[1] << 16 | part[2] << 32 | part[3] << 48;
}

static inline masks look(const uint8_t *block) {
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
  uint64_t backslash[4], stop[4];
  for (int i = 0; i < 4; i++) {
    __m128i v = _mm_loadu_si128((const __m128i *)(block + 16 * i));
    __m128i stops = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(_mm_max_epu8(v, control), control));
    backslash[i] = (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, slash));
    // A byte above ASCII has its sign bit, which is all that a mask takes.
    stop[i] = (uint64_t)_mm_movemask_epi8(_mm_or_si128(stops, v));
  }
  return (masks){joined(backslash), joined(stop)};
}

/// Where a character stands that may follow a backslash and is no `u`.
static inline uint64_t simple(const uint8_t *block) {
  static const char which[] = "\"\\/bfnrt";
  uint64_t found[4];
  for (int i = 0; i < 4; i++) {
    __m128i v = _mm_loadu_si128((const __m128i *)(block + 16 * i));
    __m128i any = _mm_setzero_si128();
    for (int c = 0; c < 8; c++) any = _mm_or_si128(any, _mm_cmpeq_epi8(v, _mm_set1_epi8(which[c])));
    found[i] = (uint64_t)_mm_movemask_epi8(any);
  }
  return joined(found);
}
#else
static inline masks look(const uint8_t *block) {
  masks found = {0, 0};
  for (int i = 0; i < 64; i++) {
    found.backslash |= (uint64_t)(block[i] == '\\') << i;
    found.stop |= (uint64_t)(block[i] == '"' || block[i] < 0x20 || block[i] >= 0x80) << i;
  }
  return found;
}

static inline uint64_t simple(const uint8_t *block) {
  uint64_t found = 0;
  for (int i = 0; i < 64; i++) found |= (uint64_t)(block[i] && strchr("\"\\/bfnrt", block[i]) != NULL) << i;
  return found;
}
#endif

/// Which bytes are escaped: those behind an odd run of backslashes. `carry` is 1 when the first byte is, because of the
/// block before. The addition lets each run that begins at an odd place ripple to its end (as simdjson describes it:
/// Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019, section 3.1.1).
static inline uint64_t escaped_bytes(uint64_t backslash, uint64_t *carry) {
  const uint64_t even = 0x5555555555555555u;
  backslash &= ~*carry;
  uint64_t follows = backslash << 1 | *carry;
  uint64_t odd_starts = backslash & ~even & ~follows;
  uint64_t sum;
  *carry = __builtin_add_overflow(odd_starts, backslash, &sum);
  return (even ^ sum << 1) & follows;
}

size_t pm_string_stop(const uint8_t *bytes, size_t from, size_t count, int *escaped) {
  uint64_t carry = 0;
  uint8_t rest[64];
  for (size_t at = from; at < count; at += 64) {
    const uint8_t *block = bytes + at;
    size_t length = count - at;
    if (length < 64) {
      // Filled up with letters, which stop nothing and are no escape.
      memset(rest, 'x', sizeof rest);
      memcpy(rest, block, length);
      block = rest;
    }
    masks found = look(block);
    uint64_t stops = found.stop;
    if (found.backslash | carry) {
      uint64_t behind = escaped_bytes(found.backslash, &carry);
      uint64_t bad = behind & ~simple(block);
      stops &= ~behind;
      if (bad && (!stops || __builtin_ctzll(bad) < __builtin_ctzll(stops))) {
        size_t place = (size_t)__builtin_ctzll(bad);
        if (behind & ((1ull << place) - 1)) *escaped = 1;
        return at + place - 1;
      }
      uint64_t passed = stops ? behind & ((stops & -stops) - 1) : behind;
      if (passed) *escaped = 1;
    }
    if (stops) return at + (size_t)__builtin_ctzll(stops);
    // A backslash that ends the bytes escapes nothing that is there.
    if (carry && at + 64 >= count) return count - 1;
  }
  return count;
}
