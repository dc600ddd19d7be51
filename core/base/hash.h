/* A 64-bit hash for state digests: fixed for all hosts and builds, not cryptographic. */
#ifndef CORE_BASE_HASH_H
#define CORE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Continues @seed over @n bytes; the empty run returns the seed unchanged. */
uint64_t hash_bytes(uint64_t seed, const void *p, size_t n);

#endif
