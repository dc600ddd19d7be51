/*
 * Memory slots: what the guest reaches without an exit. They follow the committed view of memory.
 *
 * A range that reads from RAM or ROM is a slot; it is read only unless writes go to the same bytes.
 * All else is no slot, so accesses exit as MMIO and go through the space, which knows both ways:
 * writes to ROM, PAM's "read DRAM, write PCI" and its opposite, devices, gaps.
 *
 * The pages that the guest writes are logged where somebody asks (core/mem/dirty.h).
 *
 * Source: [KVM] KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG.
 * Left out: execution from a range that is no slot, which KVM cannot do (it reports an emulation
 *         failure); a page that only part of a region covers is such a range.
 */
#include "core/accel/kvm/kvm.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/mem/dirty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ull

static bool is_memory(const struct view_target *t)
{
    return t->region != NULL && (t->region->kind == REGION_RAM || t->region->kind == REGION_ROM);
}

static uint64_t ram_address(const struct view_target *t)
{
    return t->region->ram->addr + t->off;
}

static bool is_writable(const struct view_range *r)
{
    return r->wr.region != NULL && r->wr.region->kind == REGION_RAM &&
           ram_address(&r->wr) == ram_address(&r->rd);
}

/* The slot of the part [start, end) of a range; bytes 0 if no whole page is left of it. */
static struct kvm_slot slot_of(const struct view_range *r, uint64_t start, uint64_t end)
{
    struct kvm_slot slot = {0};
    start = align_up(start, PAGE);
    end &= ~(PAGE - 1);
    if (start < end) {
        slot.addr = start;
        slot.bytes = end - start;
        slot.ram = ram_address(&r->rd) + (start - r->start);
        slot.read_only = !is_writable(r);
        slot.logged = !slot.read_only && r->rd.region->ram->dirty ? r->rd.region->ram : NULL;
    }
    return slot;
}

unsigned kvm_slots_of_view(const struct view *view, struct kvm_slot *slots, unsigned max)
{
    unsigned n = 0;
    for (unsigned i = 0; i < view->n && n < max; i++) {
        const struct view_range *r = &view->ranges[i];
        if (!is_memory(&r->rd)) {
            continue;
        }
        /* Cut at 1 MiB: what PAM does below it leaves the large slot above alone. */
        uint64_t cut = r->start < MiB && r->end > MiB ? MiB : r->end;
        struct kvm_slot low = slot_of(r, r->start, cut), high = slot_of(r, cut, r->end);
        if (low.bytes != 0) {
            slots[n++] = low;
        }
        if (high.bytes != 0 && n < max) {
            slots[n++] = high;
        }
    }
    return n;
}

static bool same_slot(const struct kvm_slot *a, const struct kvm_slot *b)
{
    return a->addr == b->addr && a->bytes == b->bytes && a->ram == b->ram &&
           a->read_only == b->read_only && a->logged == b->logged;
}

static const struct kvm_slot *find_slot(const struct kvm_slot *slots, unsigned n,
                                        const struct kvm_slot *s)
{
    for (unsigned i = 0; i < n; i++) {
        if (slots[i].bytes != 0 && same_slot(&slots[i], s)) {
            return &slots[i];
        }
    }
    return NULL;
}

static void set_slot(struct machine *m, unsigned number, const struct kvm_slot *slot,
                     uint64_t bytes)
{
    struct kvm_vm *vm = kvm_vm_of(m);
    struct kvm_userspace_memory_region region = {
        .slot = number,
        .flags = (slot->read_only ? KVM_MEM_READONLY : 0) |
                 (slot->logged != NULL ? KVM_MEM_LOG_DIRTY_PAGES : 0),
        .guest_phys_addr = slot->addr,
        .memory_size = bytes,
        .userspace_addr = (uintptr_t)(m->arena.base + slot->ram),
    };
    if (kvm_sys->ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 && !vm->broken) {
        vm->broken = true;
        snprintf(vm->failure, sizeof(vm->failure),
                 "KVM_SET_USER_MEMORY_REGION slot %u, address 0x%llx, 0x%llx bytes: %s", number,
                 (unsigned long long)slot->addr, (unsigned long long)bytes, strerror(errno));
    }
}

static void add_slot(struct machine *m, const struct kvm_slot *slot)
{
    struct kvm_vm *vm = kvm_vm_of(m);
    for (unsigned i = 0; i < vm->caps.slots; i++) {
        if (vm->slots[i].bytes == 0) {
            vm->slots[i] = *slot;
            set_slot(m, i, slot, slot->bytes);
            return;
        }
    }
    vm->broken = true;
    snprintf(vm->failure, sizeof(vm->failure), "the memory map needs more than %u memory slots",
             vm->caps.slots);
}

/* All of a logged slot counts as written: what its log had is gone, or cannot be had. */
static void mark_slot(const struct kvm_slot *slot)
{
    ram_dirty_mark(slot->logged, slot->ram - slot->logged->addr, slot->bytes);
}

static void fetch_slot(struct kvm_vm *vm, unsigned number)
{
    const struct kvm_slot *slot = &vm->slots[number];
    uint64_t pages = slot->bytes / PAGE, words = align_up(pages, 64) / 64;
    uint64_t *bits = NEW_ARRAY(uint64_t, words);
    struct kvm_dirty_log log = {.slot = number, .dirty_bitmap = bits};
    if (kvm_sys->ioctl(vm->vm, KVM_GET_DIRTY_LOG, &log) < 0) {
        mark_slot(slot);
        words = 0;
    }
    for (uint64_t i = 0; i < words; i++) {
        for (uint64_t left = bits[i]; left != 0; left &= left - 1) {
            uint64_t page = i * 64 + (unsigned)__builtin_ctzll(left);
            ram_dirty_mark(slot->logged, slot->ram - slot->logged->addr + page * PAGE, PAGE);
        }
    }
    free(bits);
}

static void fetch_log(void *machine, struct ram_block *b)
{
    struct kvm_vm *vm = kvm_vm_of(machine);
    for (unsigned i = 0; i < vm->caps.slots; i++) {
        if (vm->slots[i].bytes != 0 && vm->slots[i].logged == b) {
            fetch_slot(vm, i);
        }
    }
}

void kvm_slots_log(struct machine *m)
{
    m->arena.log = (struct ram_log){.fetch = fetch_log, .opaque = m};
}

/* Another accelerator may go on. When the VM goes, the devices that the blocks belong to may be
 * gone. */
void kvm_slots_log_end(struct machine *m)
{
    struct kvm_vm *vm = kvm_vm_of(m);
    for (unsigned i = 0; i < KVM_MAX_SLOTS; i++) {
        if (vm->slots[i].bytes != 0 && vm->slots[i].logged != NULL) {
            mark_slot(&vm->slots[i]);
            vm->slots[i].logged = NULL;
        }
    }
    m->arena.log = (struct ram_log){0};
}

/* Slots must not overlap and cannot change their memory or flags, so what is not as before goes
 * first. */
void kvm_slots_follow(struct machine *m, const struct view *view)
{
    struct kvm_vm *vm = kvm_vm_of(m);
    struct kvm_slot wanted[KVM_MAX_SLOTS + 1];
    unsigned n = kvm_slots_of_view(view, wanted, KVM_MAX_SLOTS + 1);
    for (unsigned i = 0; i < vm->caps.slots; i++) {
        if (vm->slots[i].bytes != 0 && find_slot(wanted, n, &vm->slots[i]) == NULL) {
            set_slot(m, i, &vm->slots[i], 0);
            if (vm->slots[i].logged != NULL) {
                mark_slot(&vm->slots[i]);
            }
            vm->slots[i].bytes = 0;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (find_slot(vm->slots, vm->caps.slots, &wanted[i]) == NULL) {
            add_slot(m, &wanted[i]);
        }
    }
}
