/* The arena: reserved once, touched lazily, with a map of marks of one byte a line. It is a file
 * without a name, so that it can be mapped again elsewhere. */
#include "core/mem/ram.h"

#include "core/base/bits.h"
#include "core/base/hash.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define HUGE_BYTES 0x200000u

/* Memory of file @fd; -1: of no file. */
static void *reserve(uint64_t bytes, int fd, struct error **err)
{
    int kind = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, kind | MAP_NORESERVE, fd, 0);
    if (p == MAP_FAILED) {
        error_errno(err, errno, "reserve %llu MiB of address space for guest memory",
                    (unsigned long long)(bytes >> 20));
        return NULL;
    }
    /* A touched page shall cost a page, not 2 MiB: a small guest stays small in the host. */
    madvise(p, bytes, MADV_NOHUGEPAGE);
    return p;
}

/* A guest that uses memory in bulk gets it in huge pages, where the host gives such to files:
 * random accesses to small ones wait for the host's page walks. The first and the last 2 MiB of a
 * block, where firmware and small guests live, are left in small ones. */
static void allow_huge_pages(struct ram_arena *a, uint64_t addr, uint64_t bytes)
{
    uintptr_t base = (uintptr_t)a->base + addr;
    uintptr_t start = align_up(base + HUGE_BYTES, HUGE_BYTES);
    uintptr_t end = (base + bytes) / HUGE_BYTES * HUGE_BYTES - HUGE_BYTES;
    if (start < end) {
        madvise((void *)start, end - start, MADV_HUGEPAGE);
    }
}

static int make_file(uint64_t bytes, struct error **err)
{
    int fd = memfd_create("coldboot-memory", MFD_CLOEXEC);
    if (fd < 0 || bytes > INT64_MAX || ftruncate(fd, (off_t)bytes) < 0) {
        int why = bytes > INT64_MAX ? EFBIG : errno;
        error_errno(err, why, "reserve %llu MiB of guest memory",
                    (unsigned long long)(bytes >> 20));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static uint64_t marks_bytes(uint64_t bytes)
{
    return align_up((bytes >> RAM_LINE_SHIFT) + 1, PAGE_BYTES);
}

static uint64_t open_bytes(uint64_t bytes)
{
    return align_up(bytes >> RAM_PAGE_SHIFT, PAGE_BYTES);
}

static uint64_t held_bytes(uint64_t bytes)
{
    return align_up(bytes / PAGE_BYTES / 8 + 8, PAGE_BYTES);
}

bool ram_arena_init(struct ram_arena *a, uint64_t bytes, struct error **err)
{
    *a = (struct ram_arena){0};
    bytes = align_up(bytes, PAGE_BYTES);
    int fd = make_file(bytes, err);
    if (fd < 0) {
        return false;
    }
    uint8_t *base = reserve(bytes, fd, err);
    if (base == NULL) {
        goto close_fd;
    }
    uint8_t *marks = reserve(marks_bytes(bytes), -1, err);
    if (marks == NULL) {
        goto unmap_base;
    }
    uint8_t *open = reserve(open_bytes(bytes), -1, err);
    if (open == NULL) {
        goto unmap_marks;
    }
    void *held = reserve(held_bytes(bytes), -1, err);
    if (held == NULL) {
        goto unmap_open;
    }
    pthread_mutex_init(&a->held_lock, NULL);
    a->fd = fd;
    a->base = base;
    a->marks = marks;
    a->open = open;
    a->held = held;
    a->bytes = bytes;
    return true;
unmap_open:
    munmap(open, open_bytes(bytes));
unmap_marks:
    munmap(marks, marks_bytes(bytes));
unmap_base:
    munmap(base, bytes);
close_fd:
    close(fd);
    return false;
}

void ram_arena_fini(struct ram_arena *a)
{
    if (a->base != NULL) {
        munmap((void *)a->held, held_bytes(a->bytes));
        munmap(a->open, open_bytes(a->bytes));
        munmap(a->marks, marks_bytes(a->bytes));
        munmap(a->base, a->bytes);
        close(a->fd);
        pthread_mutex_destroy(&a->held_lock);
    }
    *a = (struct ram_arena){0};
}

bool ram_block_at(struct ram_arena *a, struct ram_block *b, const char *name, uint64_t addr,
                  uint64_t bytes, struct error **err)
{
    assert(addr % PAGE_BYTES == 0);
    uint64_t taken = align_up(bytes, PAGE_BYTES);
    if (bytes == 0 || taken < bytes || addr > a->bytes || taken > a->bytes - addr ||
        a->n_blocks == RAM_MAX_BLOCKS) {
        return error_set(err, "%s: no room for %llu bytes of memory", name,
                         (unsigned long long)bytes);
    }
    for (unsigned i = 0; i < a->n_blocks; i++) {
        assert(addr + taken <= a->blocks[i].addr || addr >= a->blocks[i].addr + a->blocks[i].bytes);
    }
    *b = (struct ram_block){.arena = a, .name = name, .addr = addr, .bytes = bytes};
    a->blocks[a->n_blocks++] = (struct ram_span){.addr = addr, .bytes = taken};
    a->next = max_u64(a->next, addr + taken);
    allow_huge_pages(a, addr, taken);
    return true;
}

bool ram_block_new(struct ram_arena *a, struct ram_block *b, const char *name, uint64_t bytes,
                   struct error **err)
{
    return ram_block_at(a, b, name, a->next, bytes, err);
}

void ram_add_listener(struct ram_arena *a, const struct ram_listener *l)
{
    assert(a->n_listeners < ARRAY_SIZE(a->listeners));
    a->listeners[a->n_listeners++] = *l;
}

void ram_touched(struct ram_arena *a, uint64_t addr, uint64_t len)
{
    for (unsigned i = 0; i < a->n_listeners; i++) {
        a->listeners[i].touched(a->listeners[i].opaque, addr, len);
    }
}

static bool page_is_marked(const struct ram_arena *a, uint64_t addr)
{
    const uint8_t *marks = &a->marks[(addr & ~(uint64_t)(PAGE_BYTES - 1)) >> RAM_LINE_SHIFT];
    uint64_t any = 0;
    for (unsigned i = 0; i < PAGE_BYTES >> RAM_LINE_SHIFT; i += 8) {
        any |= __atomic_load_n((const uint64_t *)(const void *)(marks + i), __ATOMIC_RELAXED);
    }
    return any != 0;
}

bool ram_open_page(struct ram_arena *a, uint64_t addr)
{
    if (!ram_is_open(a, addr)) {
        if (page_is_marked(a, addr)) {
            return false;
        }
        __atomic_store_n(&a->open[addr >> RAM_PAGE_SHIFT], 1, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);        /* who marks a line unseen finds this */
    }
    return !page_is_marked(a, addr);
}

void ram_hold(struct ram_arena *a, uint64_t addr, uint64_t len)
{
    uint64_t first = addr / PAGE_BYTES, end = (addr + len - 1) / PAGE_BYTES + 1;
    while (first < end && ram_held(a, first)) {
        first++;
    }
    if (first == end) {
        return;
    }
    pthread_mutex_lock(&a->held_lock);
    for (uint64_t page = first; page < end; page++) {
        atomic_fetch_or(&a->held[page / 64], BIT64(page % 64));
    }
    if (a->holder.held != NULL) {
        a->holder.held(a->holder.opaque, first * PAGE_BYTES, (end - first) * PAGE_BYTES);
    }
    pthread_mutex_unlock(&a->held_lock);
}

bool ram_let_go(struct ram_arena *a, uint64_t page)
{
    /* Whoever sets a mark now either is seen here, or finds the page not held. */
    atomic_fetch_and(&a->held[page / 64], ~BIT64(page % 64));
    atomic_thread_fence(memory_order_seq_cst);
    if (page_is_marked(a, page * PAGE_BYTES)) {
        atomic_fetch_or(&a->held[page / 64], BIT64(page % 64));
        return false;
    }
    return true;
}

/* --- hashing ---------------------------------------------------------------------------------- */

static bool all_zero(const uint8_t *p)
{
    return p[0] == 0 && memcmp(p, p + 1, PAGE_BYTES - 1) == 0;
}

/* What was never touched is a hole in the file, and is not read. */
static uint64_t hash_span(const struct ram_arena *a, const struct ram_span *s, uint64_t seed)
{
    off_t end = (off_t)(s->addr + s->bytes), at = (off_t)s->addr;
    while (at < end && (at = lseek(a->fd, at, SEEK_DATA)) >= 0 && at < end) {
        off_t hole = lseek(a->fd, at, SEEK_HOLE);
        for (hole = hole < 0 || hole > end ? end : hole; at < hole; at += PAGE_BYTES) {
            uint64_t addr = (uint64_t)at;
            if (!all_zero(a->base + addr)) {
                seed = hash_bytes(hash_bytes(seed, &addr, sizeof(addr)), a->base + addr,
                                  PAGE_BYTES);
            }
        }
    }
    return hash_bytes(seed, s, sizeof(*s));
}

uint64_t ram_hash(const struct ram_arena *a, uint64_t seed)
{
    for (unsigned i = 0; i < a->n_blocks; i++) {
        seed = hash_span(a, &a->blocks[i], seed);
    }
    return seed;
}
