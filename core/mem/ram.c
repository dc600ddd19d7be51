/* The arena: reserved once, touched lazily, with a map of marks of one byte a line. */
#include "core/mem/ram.h"

#include "core/base/bits.h"
#include "core/base/hash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define HUGE_BYTES 0x200000u

static void *reserve(uint64_t bytes, struct error **err)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) {
        error_errno(err, errno, "reserve %llu MiB of address space for guest memory",
                    (unsigned long long)(bytes >> 20));
        return NULL;
    }
    /* A touched page shall cost a page, not 2 MiB: a small guest stays small in the host. */
    madvise(p, bytes, MADV_NOHUGEPAGE);
    return p;
}

/* A guest that uses memory in bulk gets it in huge pages: random accesses to small ones wait for
 * the host's page walks. The first and the last 2 MiB of a block, where firmware and small guests
 * live, are left in small ones. */
static void allow_huge_pages(struct ram_arena *a, uint64_t addr, uint64_t bytes)
{
    uintptr_t base = (uintptr_t)a->base + addr;
    uintptr_t start = align_up(base + HUGE_BYTES, HUGE_BYTES);
    uintptr_t end = (base + bytes) / HUGE_BYTES * HUGE_BYTES - HUGE_BYTES;
    if (start < end) {
        madvise((void *)start, end - start, MADV_HUGEPAGE);
    }
}

static uint64_t marks_bytes(uint64_t bytes)
{
    return align_up((bytes >> RAM_LINE_SHIFT) + 1, PAGE_BYTES);
}

static uint64_t open_bytes(uint64_t bytes)
{
    return align_up(bytes >> RAM_PAGE_SHIFT, PAGE_BYTES);
}

bool ram_arena_init(struct ram_arena *a, uint64_t bytes, struct error **err)
{
    *a = (struct ram_arena){0};
    bytes = align_up(bytes, PAGE_BYTES);
    uint8_t *base = reserve(bytes, err);
    if (base == NULL) {
        return false;
    }
    uint8_t *marks = reserve(marks_bytes(bytes), err);
    if (marks == NULL) {
        goto unmap_base;
    }
    uint8_t *open = reserve(open_bytes(bytes), err);
    if (open == NULL) {
        goto unmap_marks;
    }
    a->base = base;
    a->marks = marks;
    a->open = open;
    a->bytes = bytes;
    return true;
unmap_marks:
    munmap(marks, marks_bytes(bytes));
unmap_base:
    munmap(base, bytes);
    return false;
}

void ram_arena_fini(struct ram_arena *a)
{
    if (a->base != NULL) {
        munmap(a->marks, marks_bytes(a->bytes));
        munmap(a->open, open_bytes(a->bytes));
        munmap(a->base, a->bytes);
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

/* --- hashing ---------------------------------------------------------------------------------- */

static bool all_zero(const uint8_t *p)
{
    return p[0] == 0 && memcmp(p, p + 1, PAGE_BYTES - 1) == 0;
}

/* Bits of a /proc/self/pagemap entry (Linux, Documentation/admin-guide/mm/pagemap.rst) */
#define PAGEMAP_PRESENT BIT64(63)
#define PAGEMAP_SWAPPED BIT64(62)

/* Fills @entries for the @n pages from @host on; all "present" where the host does not tell. */
static void page_entries(int fd, const uint8_t *host, uint64_t *entries, size_t n)
{
    size_t want = n * sizeof(*entries);
    off_t at = (off_t)((uintptr_t)host / PAGE_BYTES * sizeof(*entries));
    if (fd < 0 || pread(fd, entries, want, at) != (ssize_t)want) {
        memset(entries, 0xff, want);
    }
}

/* A page that was never touched is not read either, since reading makes the host map it. */
static uint64_t hash_span(const struct ram_arena *a, const struct ram_span *s, int fd,
                          uint64_t seed)
{
    uint64_t entries[512];
    for (uint64_t at = 0; at < s->bytes;) {
        const uint8_t *host = a->base + s->addr + at;
        size_t n = min_u64(ARRAY_SIZE(entries), (s->bytes - at) / PAGE_BYTES);
        page_entries(fd, host, entries, n);
        for (size_t i = 0; i < n; i++, host += PAGE_BYTES) {
            if ((entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) != 0 && !all_zero(host)) {
                uint64_t addr = s->addr + at + i * PAGE_BYTES;
                seed = hash_bytes(hash_bytes(seed, &addr, sizeof(addr)), host, PAGE_BYTES);
            }
        }
        at += n * PAGE_BYTES;
    }
    return hash_bytes(seed, s, sizeof(*s));
}

uint64_t ram_hash(const struct ram_arena *a, uint64_t seed)
{
    /* Entries are a host page each: only with pages of our size do they fit. */
    bool fits = sysconf(_SC_PAGESIZE) == PAGE_BYTES;
    int fd = fits ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
    for (unsigned i = 0; i < a->n_blocks; i++) {
        seed = hash_span(a, &a->blocks[i], fd, seed);
    }
    if (fd >= 0) {
        close(fd);
    }
    return seed;
}
