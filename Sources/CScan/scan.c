#include "CScan.h"
#include <string.h>

/// What stands where in 64 bytes: bit n is byte n.
typedef struct {
  uint64_t backslash;
  /// Quotes, control characters and bytes above ASCII.
  uint64_t stop;
} masks;

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#include <immintrin.h>

INLINE uint64_t joined(const uint64_t part[4]) { return part[0] | part[1] << 16 | part[2] << 32 | part[3] << 48; }

INLINE masks look(const uint8_t *block) {
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
INLINE uint64_t simple(const uint8_t *block) {
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

// The same for processors that have AVX2, 32 bytes in a register.
#define AVX2 __attribute__((target("avx2")))

static inline AVX2 masks look_avx2(const uint8_t *block) {
  const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\'), control = _mm256_set1_epi8(0x1f);
  masks found = {0, 0};
  for (int i = 0; i < 2; i++) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(block + 32 * i));
    __m256i stops = _mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(_mm256_max_epu8(v, control), control));
    found.backslash |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, slash)) << 32 * i;
    found.stop |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_or_si256(stops, v)) << 32 * i;
  }
  return found;
}

/// The eight characters differ in their low four bits, except `"`, `b` and `r`, so each high half has a bit of its own
/// in `low`, and a character is one of them when both tables share a bit.
static inline AVX2 uint64_t simple_avx2(const uint8_t *block) {
  enum { TWO = 1, FIVE = 2, SIX = 4, SEVEN = 8 };
  const __m256i low = _mm256_broadcastsi128_si256(_mm_setr_epi8(
      0, 0, TWO | SIX | SEVEN, 0, SEVEN, 0, SIX, 0, 0, 0, 0, 0, FIVE, 0, SIX, TWO));
  const __m256i high = _mm256_broadcastsi128_si256(_mm_setr_epi8(
      0, 0, TWO, 0, 0, FIVE, SIX, SEVEN, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i nibble = _mm256_set1_epi8(15);
  uint64_t other = 0;
  for (int i = 0; i < 2; i++) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(block + 32 * i));
    __m256i shared = _mm256_and_si256(
        _mm256_shuffle_epi8(low, _mm256_and_si256(v, nibble)),
        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble)));
    __m256i none = _mm256_cmpeq_epi8(shared, _mm256_setzero_si256());
    other |= (uint64_t)(uint32_t)_mm256_movemask_epi8(none) << 32 * i;
  }
  return ~other;
}
#else
INLINE masks look(const uint8_t *block) {
  masks found = {0, 0};
  for (int i = 0; i < 64; i++) {
    found.backslash |= (uint64_t)(block[i] == '\\') << i;
    found.stop |= (uint64_t)(block[i] == '"' || block[i] < 0x20 || block[i] >= 0x80) << i;
  }
  return found;
}

INLINE uint64_t simple(const uint8_t *block) {
  uint64_t found = 0;
  for (int i = 0; i < 64; i++) found |= (uint64_t)(block[i] && strchr("\"\\/bfnrt", block[i]) != NULL) << i;
  return found;
}
#endif

/// Which bytes are escaped: those behind an odd run of backslashes. `carry` is 1 when the first byte is, because of the
/// block before. The addition lets each run that begins at an odd place ripple to its end (as simdjson describes it:
/// Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019, section 3.1.1).
INLINE uint64_t escaped_bytes(uint64_t backslash, uint64_t *carry) {
  const uint64_t even = 0x5555555555555555u;
  backslash &= ~*carry;
  uint64_t follows = backslash << 1 | *carry;
  uint64_t odd_starts = backslash & ~even & ~follows;
  uint64_t sum;
  *carry = __builtin_add_overflow(odd_starts, backslash, &sum);
  return (even ^ sum << 1) & follows;
}

INLINE size_t walk(
    const uint8_t *bytes, size_t from, size_t count, int *escaped, masks (*look)(const uint8_t *),
    uint64_t (*simple)(const uint8_t *)) {
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

#if defined(__x86_64__)
static AVX2 size_t walk_avx2(const uint8_t *bytes, size_t from, size_t count, int *escaped) {
  return walk(bytes, from, count, escaped, look_avx2, simple_avx2);
}
#endif

size_t pm_string_stop_anywhere(const uint8_t *bytes, size_t from, size_t count, int *escaped) {
  return walk(bytes, from, count, escaped, look, simple);
}

size_t pm_string_stop(const uint8_t *bytes, size_t from, size_t count, int *escaped) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return walk_avx2(bytes, from, count, escaped);
#endif
  return pm_string_stop_anywhere(bytes, from, count, escaped);
}
