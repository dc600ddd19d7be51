/*
 * Floating point: the x87 kernels compute in long double, which is the x87 in every mode; the
 * others in double and float with SSE2. Sums are exact on every processor: only + - * / and square
 * roots.
 */
#include "kernel.h"

static inline long double x87_sqrt(long double val)
{
    __asm__("fsqrt" : "+t"(val));
    return val;
}

static inline double sse_sqrt(double val)
{
    __asm__("sqrtsd %0, %0" : "+x"(val));
    return val;
}

#define MANDEL(name, real, width, limit)                                                           \
    uint32_t name(void)                                                                            \
    {                                                                                              \
        uint32_t sum = 0;                                                                          \
        for (int py = 0; py < (width); py++) {                                                     \
            for (int px = 0; px < (width); px++) {                                                 \
                real cx = (real)px * (real)2.5 / (width) - 2, cy = (real)py * 2 / (width) - 1;     \
                real x = 0, y = 0;                                                                 \
                int n = 0;                                                                         \
                while (n < (limit) && x * x + y * y < 4) {                                         \
                    real next = x * x - y * y + cx;                                                \
                    y = 2 * x * y + cy;                                                            \
                    x = next;                                                                      \
                    n++;                                                                           \
                }                                                                                  \
                sum = mix(sum, (uint32_t)n);                                                       \
            }                                                                                      \
        }                                                                                          \
        return sum;                                                                                \
    }

MANDEL(run_x87_mandel, long double, 200, 300)
MANDEL(run_sse_mandel, double, 300, 300)

/* As programs of Delphi run: invalid operands, division by zero and overflow fault. */
uint32_t run_x87_unmasked(void)
{
    uint16_t before, unmasked = 0x372;
    __asm__ volatile("fnstcw %0; fldcw %1" : "=m"(before) : "m"(unmasked));
    uint32_t sum = run_x87_mandel();
    __asm__ volatile("fldcw %0" : : "m"(before));
    return sum;
}

/* ---- bodies that attract each other ---- */

#define BODIES 5

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static void place(struct body *b)
{
    for (int i = 0; i < BODIES; i++) {
        b[i] = (struct body){i * 1.5,        i * i * 0.25 - 1, i * -0.75,    i * 0.125,
                             0.5 - i * 0.25, 0.0625 * i,       i ? 0.01 : 40};
    }
}

static uint32_t positions(const struct body *b)
{
    uint32_t sum = 0;
    for (int i = 0; i < BODIES; i++) {
        union { double val; uint32_t word[2]; } u = {b[i].x};
        sum = mix(mix(sum, u.word[0]), u.word[1]);
    }
    return sum;
}

#define STEP(name, real, root)                                                                     \
    static void name(struct body *b, double by)                                                    \
    {                                                                                              \
        for (int i = 0; i < BODIES; i++) {                                                         \
            for (int k = i + 1; k < BODIES; k++) {                                                 \
                real dx = (real)b[i].x - b[k].x, dy = (real)b[i].y - b[k].y;                       \
                real dz = (real)b[i].z - b[k].z, square = dx * dx + dy * dy + dz * dz + (real)0.01;\
                real pull = (real)by / (square * root(square));                                    \
                b[i].vx = (double)(b[i].vx - dx * b[k].mass * pull);                               \
                b[i].vy = (double)(b[i].vy - dy * b[k].mass * pull);                               \
                b[i].vz = (double)(b[i].vz - dz * b[k].mass * pull);                               \
                b[k].vx = (double)(b[k].vx + dx * b[i].mass * pull);                               \
                b[k].vy = (double)(b[k].vy + dy * b[i].mass * pull);                               \
                b[k].vz = (double)(b[k].vz + dz * b[i].mass * pull);                               \
            }                                                                                      \
        }                                                                                          \
        for (int i = 0; i < BODIES; i++) {                                                         \
            b[i].x = (double)(b[i].x + (real)by * b[i].vx);                                        \
            b[i].y = (double)(b[i].y + (real)by * b[i].vy);                                        \
            b[i].z = (double)(b[i].z + (real)by * b[i].vz);                                        \
        }                                                                                          \
    }

STEP(x87_step, long double, x87_sqrt)
STEP(sse_step, double, sse_sqrt)

uint32_t run_x87_bodies(void)
{
    struct body b[BODIES];
    place(b);
    for (int i = 0; i < 150000; i++) {
        x87_step(b, 0.001);
    }
    return positions(b);
}

uint32_t run_sse_bodies(void)
{
    struct body b[BODIES];
    place(b);
    for (int i = 0; i < 400000; i++) {
        sse_step(b, 0.001);
    }
    return positions(b);
}

static uint32_t halves(double val)
{
    union { double val; uint32_t word[2]; } u = {val};
    return u.word[0] ^ u.word[1];
}

uint32_t run_x87_dot(void)
{
    double *a = (double *)arena, *b = a + 4096;
    uint32_t sum = 0;
    for (int i = 0; i < 4096; i++) {
        a[i] = i * 0.5;
        b[i] = 1 - i * 0.25;
    }
    for (int round = 0; round < 4000; round++) {
        long double dot = 0;
        for (int i = 0; i < 4096; i++) {
            dot += (long double)a[i] * b[i];
        }
        a[round] = (double)(dot / 1048576);
        sum = mix(sum, halves(a[round]));
    }
    return sum;
}

uint32_t run_sse_matrix(void)
{
    enum { N = 128 };
    double (*a)[N] = (double (*)[N])arena, (*b)[N] = a + N, (*c)[N] = b + N;
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < N; k++) {
            a[i][k] = i - k * 0.5;
            b[i][k] = k * 0.25 + i;
        }
    }
    uint32_t sum = 0;
    for (int round = 0; round < 16; round++) {
        for (int i = 0; i < N; i++) {
            for (int k = 0; k < N; k++) {
                double dot = 0;
                for (int n = 0; n < N; n++) {
                    dot += a[i][n] * b[n][k];
                }
                c[i][k] = dot;
            }
        }
        sum = mix(sum, halves(c[round][N - 1 - round]));
        a[round][0] = c[round][1] / 65536;
    }
    return sum;
}

typedef float float4 __attribute__((vector_size(16)));
typedef uint32_t word4 __attribute__((vector_size(16)));

uint32_t run_sse_packed(void)
{
    float4 *at = (float4 *)arena;
    for (unsigned i = 0; i < 4096; i++) {
        at[i] = (float4){(float)i, 1, 0.5f, (float)(i & 7)};
    }
    for (int round = 0; round < 1500; round++) {
        float4 scale = {0.5f, 0.25f, 0.75f, 0.125f}, one = {1, 1, 1, 1};
        for (unsigned i = 0; i < 4096; i++) {
            at[i] = at[i] * scale + one;
            at[i] /= one + scale * at[i];
        }
    }
    union { float4 val; uint32_t word[4]; } u = {at[4095]};
    return mix(mix(u.word[0], u.word[1]), mix(u.word[2], u.word[3]));
}

uint32_t run_sse_int(void)
{
    word4 *at = (word4 *)arena, sum = {1, 2, 3, 4};
    for (uint32_t i = 0; i < 4096; i++) {
        at[i] = (word4){i, i * 3, i * 5, i * 7};
    }
    for (int round = 0; round < 5000; round++) {
        for (unsigned i = 0; i < 4096; i++) {
            sum = (sum << 3 | sum >> 29) ^ at[i];
            at[i] += sum & (word4){0xff00ff, 0xff00ff, 0xff00ff, 0xff00ff};
        }
    }
    return mix(mix(sum[0], sum[1]), mix(sum[2], sum[3]));
}
