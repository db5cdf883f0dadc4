#include "CScan.h"
#include <string.h>

static inline uint64_t word(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

/// Both halves of the product of two numbers, folded into one.
static inline uint64_t fold(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Numbers without a pattern: the fractions of the square roots of the first primes. Each place has its own: with one used
// twice, two chains over the same text would cancel each other out.
static const uint64_t keys[8] = {0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
                                 0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u};

uint64_t pm_hash(const uint8_t *bytes, size_t count, uint64_t seed) {
  uint64_t a = seed ^ keys[0], b = seed ^ keys[1];
  size_t at = 0;
  if (count >= 64) {
    // Four chains, so that no product waits for the one before it.
    uint64_t c = seed ^ keys[2], d = seed ^ keys[3];
    for (; count - at >= 64; at += 64) {
      a = fold(word(bytes + at) ^ keys[4], word(bytes + at + 8) ^ a);
      b = fold(word(bytes + at + 16) ^ keys[5], word(bytes + at + 24) ^ b);
      c = fold(word(bytes + at + 32) ^ keys[6], word(bytes + at + 40) ^ c);
      d = fold(word(bytes + at + 48) ^ keys[7], word(bytes + at + 56) ^ d);
    }
    a ^= c << 23 | c >> 41;
    b ^= d << 29 | d >> 35;
  }
  while (count > at) {
    uint8_t rest[16] = {0};
    size_t length = count - at < 16 ? count - at : 16;
    memcpy(rest, bytes + at, length);
    uint64_t next = fold(word(rest) ^ keys[4], word(rest + 8) ^ a);
    a = b;
    b = next;
    at += length;
  }
  return fold(a ^ count ^ keys[2], b ^ keys[3]);
}
