/*
 * SIMD arithmetic that the host does not do for us: the same on every host. Pure functions of bit
 * patterns; *flags collects MXCSR exception flags (bits 5:0), @mxcsr gives rounding, DAZ and FTZ.
 */
#ifndef CORE_CPU_SIMD_H
#define CORE_CPU_SIMD_H

#include <stdbool.h>
#include <stdint.h>

/* Approximations with a relative error below 1.5 * 2^-12; MXCSR plays no part. */
uint32_t simd_rcp(uint32_t a);
uint32_t simd_rsqrt(uint32_t a);

/* To an integral value: @imm as in ROUNDPS. */
uint32_t simd_round32(uint32_t a, unsigned imm, uint32_t mxcsr, uint32_t *flags);
uint64_t simd_round64(uint64_t a, unsigned imm, uint32_t mxcsr, uint32_t *flags);

/* a * b + c, rounded once. @negate: of the product; @subtract c. */
uint32_t simd_fma32(uint32_t a, uint32_t b, uint32_t c, bool negate, bool subtract, uint32_t mxcsr,
                    uint32_t *flags);
uint64_t simd_fma64(uint64_t a, uint64_t b, uint64_t c, bool negate, bool subtract, uint32_t mxcsr,
                    uint32_t *flags);

/* Half precision. DAZ and FTZ play no part, but denormal singles count as zero with DAZ. */
uint32_t simd_from_half(uint16_t a, uint32_t *flags);
uint16_t simd_to_half(uint32_t a, unsigned imm, uint32_t mxcsr, uint32_t *flags);

/* ---- AES, SHA and others work on 16 bytes ---- */

void simd_aes_round(uint8_t r[16], const uint8_t state[16], const uint8_t key[16], bool last);
void simd_aes_inverse_round(uint8_t r[16], const uint8_t state[16], const uint8_t key[16],
                            bool last);
void simd_aes_inverse_mix(uint8_t r[16], const uint8_t a[16]);
uint8_t simd_aes_sbox(uint8_t v);
void simd_clmul(uint64_t a, uint64_t b, uint64_t r[2]);
/* CRC-32C of @bytes bytes of @v on top of @crc, as the CRC32 instruction. */
uint32_t simd_crc32c(uint32_t crc, uint64_t v, unsigned bytes);

#endif
