// Walking over the inside of JSON strings, 64 bytes at a time, and hashing.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The first offset at or behind `from` where a string cannot just run on: its closing quote, a control character, a byte
/// above ASCII, or a backslash that does not begin one of the two-character escapes of RFC 8259 (a `\u`, an invalid one, or
/// one whose second character lies beyond `count`). `count` when there is none.
///
/// `from` is at the start of a character. Sets `*escaped` when an escape was passed, and leaves it alone otherwise. Reads
/// nothing outside `from..<count`.
size_t pm_string_stop(const uint8_t *bytes, size_t from, size_t count, int *escaped);

/// The same on any processor: `pm_string_stop` goes 32 bytes at a step where there is AVX2.
size_t pm_string_stop_anywhere(const uint8_t *bytes, size_t from, size_t count, int *escaped);

/// A hash of 64 bits, the same in every process; no defence against one who looks for collisions.
uint64_t pm_hash(const uint8_t *bytes, size_t count, uint64_t seed);
