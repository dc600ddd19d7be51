/*
 * core/accel/kvm: registers as structures, memory slots of a view, CPUID, what is remembered of the
 * host.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/accel/kvm/remember.h"
#include "core/base/bytes.h"
#include "core/device/state.h"
#include "core/cpu/cpuid.h"
#include "unit/kvm_fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- registers ------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct x86_seg random_segment(void)
{
    struct x86_seg s = {.sel = (uint16_t)rnd(), .limit = (uint32_t)rnd(), .base = rnd()};
    s.attr = rnd() % 4 == 0 ? AR_UNUSABLE | (uint32_t)(rnd() & AR_DPL)
                            : ((uint32_t)rnd() & 0xf07f) | AR_P;
    return s;
}

static void random_fpu(struct x86_state *s)
{
    s->fcw = (uint16_t)rnd();
    s->fsw = (uint16_t)rnd();
    s->ftag = (uint8_t)rnd();
    s->fop = (uint16_t)(rnd() & 0x7ff);
    s->fip = rnd();
    s->fdp = rnd();
    s->mxcsr = (uint32_t)(rnd() & 0xffff);
    for (unsigned i = 0; i < 8; i++) {
        s->fpr[i] = (struct x86_fpr){.mant = rnd(), .se = (uint16_t)rnd()};
    }
    for (unsigned i = 0; i < sizeof(s->ymm); i++) {
        ((uint8_t *)s->ymm)[i] = (uint8_t)rnd();
    }
}

/* A state with something in every field that KVM can hold. */
static void random_state(struct x86_state *s)
{
    uint32_t index;
    uint64_t *field;
    x86_state_reset(s, 0x543, false);
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = rnd();
    }
    s->rip = rnd();
    s->rflags = (rnd() & 0x3f7fd5) | FL_1;
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i] = random_segment();
    }
    s->ldtr = random_segment();
    s->tr = random_segment();
    s->gdtr = (struct x86_dtr){.base = rnd(), .limit = (uint16_t)rnd()};
    s->idtr = (struct x86_dtr){.base = rnd(), .limit = (uint16_t)rnd()};
    s->cr0 = rnd() & 0xe005003f;
    s->cr2 = rnd();
    s->cr3 = rnd();
    s->cr4 = rnd() & 0x3ff;
    s->cr8 = rnd() & 15;
    s->efer = rnd() & 0xd01;
    if ((s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !(s->efer & EFER_LMA)) {
        for (unsigned i = 0; i < 4; i++) {
            s->pdpte[i] = rnd();
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        s->dr[i] = i < 4 ? rnd() : i >= 6 ? (uint32_t)rnd() : 0;
    }
    s->xcr0 = 7;
    random_fpu(s);
    for (unsigned i = 0; kvm_state_msr(s, i, &index, &field); i++) {
        *field = rnd();
    }
    s->tsc_offset = rnd();
    s->apic_base = 0xfee00900;
    s->nmi_blocked = rnd() & 1;
    s->shadow = (uint8_t)(rnd() % 4);
    s->inject_valid = rnd() & 1;
    if (s->inject_valid) {
        static const uint8_t types[] = {0, 2, 3, 4};
        s->inject_type = types[rnd() % 4];
        s->inject_vector = s->inject_type == 2 ? 2 : (uint8_t)rnd();
        s->inject_has_error = s->inject_type == 3 && (rnd() & 1);
        s->inject_error = s->inject_has_error ? (uint32_t)rnd() : 0;
    }
}

struct rig {
    struct machine m;
    struct vcpu cpu;
};

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    assert_true(machine_init(&r->m, CLOCK_HOST_DRIVEN, 0, NULL));
    assert_true(machine_ram_init(&r->m, 2 * MiB, MACHINE_LOW_MAX, NULL));
    machine_map_ram(&r->m);
    machine_commit(&r->m);
    assert_true(fake_start(&r->m, &r->cpu));
}

static void rig_fini(struct rig *r)
{
    fake_stop(&r->m, &r->cpu);
    machine_fini(&r->m);
}

/* What the kernel's images have no room for. */
static void forget(struct x86_state *s)
{
    s->fcs = s->fds = 0;
}

static void same_state(const struct x86_state *a, const struct x86_state *b)
{
    struct state_buf x = {0}, y = {0};
    state_save(&x, x86_state_fields, a, NULL);
    state_save(&y, x86_state_fields, b, NULL);
    const char *field = state_differs(x86_state_fields, x.data, y.data, true);
    if (field != NULL) {
        fail_msg("%s differs", field);
    }
    state_buf_free(&x);
    state_buf_free(&y);
}

static void a_state_comes_back_as_it_went_in(void **state)
{
    struct rig r;
    fake_reset();
    rig_init(&r);
    for (seed = 1; seed < 500; seed = seed * 3 + 1) {
        struct x86_state in, out;
        uint64_t first = seed;
        random_state(&in);
        kvm_set_state(&r.cpu, &in);
        kvm_get_state(&r.cpu, &out);
        forget(&in);
        same_state(&in, &out);
        seed = first;
    }
    rig_fini(&r);
}

static void older_kernels_keep_what_they_can(void **state)
{
    static const int absent[] = {KVM_CAP_SREGS2, KVM_CAP_XSAVE, KVM_CAP_XCRS, KVM_CAP_MP_STATE};
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        struct rig r;
        struct x86_state in, out;
        fake_reset();
        fake.absent_cap = absent[i];
        rig_init(&r);
        seed = 77 + i;
        random_state(&in);
        kvm_set_state(&r.cpu, &in);
        kvm_get_state(&r.cpu, &out);
        forget(&in);
        same_state(&in, &out);
        rig_fini(&r);
    }
}

/* The state that a BIOS leaves to a boot sector, out of the software CPU, into KVM and back. */
static void at_a_boot_sector_the_hosts_own_kvm_gives_back_what_it_got(void **state)
{
    struct rig r;
    struct x86_state in, out, once;
    kvm_sys = &kvm_sys_linux;
    if (!kvm_probe(NULL)) {
        skip();
    }
    alarm(20); /* an imitation may hang */
    rig_init(&r);
    x86_state_reset(&in, x86_model_default()->signature, false);
    in.cr0 = CR0_ET;
    in.seg[S_CS].sel = 0;
    in.seg[S_CS].base = 0;
    in.rip = 0x7c00;
    in.gpr[R_SP] = 0x7000;
    in.gpr[R_AX] = 0xaa55;
    in.gpr[R_DX] = 0;
    in.rflags = FL_1 | FL_IF;
    in.idtr.limit = 0x3ff;
    in.gdtr = (struct x86_dtr){.base = 0xf6120, .limit = 0x37};
    kvm_set_state(&r.cpu, &in);
    kvm_get_state(&r.cpu, &once);
    kvm_set_state(&r.cpu, &once);
    kvm_get_state(&r.cpu, &out);
    assert_string_equal(kvm_vcpu_of(&r.cpu)->failure, "");
    same_state(&once, &out);
    same_state(&in, &out);
    rig_fini(&r);
    alarm(0);
}

static void an_msr_that_is_not_taken_leaves_the_others(void **state)
{
    struct rig r;
    struct x86_state in, out;
    fake_reset();
    rig_init(&r);
    fake.refused_msr = 0x1a0;
    x86_state_reset(&in, 0x543, false);
    in.star = 5;
    in.mtrr_def = 0xc00;
    in.misc_enable = 0xbad;
    kvm_set_state(&r.cpu, &in);
    kvm_get_state(&r.cpu, &out);
    assert_int_equal(out.star, 5);
    assert_int_equal(out.mtrr_def, 0xc00);
    assert_int_not_equal(out.misc_enable, 0xbad);
    rig_fini(&r);
}

static void physical_registers_turn_with_top(void **state)
{
    struct x86_state s;
    struct kvm_xsave x;
    x86_state_reset(&s, 0x543, false);
    s.fsw = 3 << 11;
    for (unsigned i = 0; i < 8; i++) {
        s.fpr[i].mant = 100 + i;
    }
    kvm_put_xsave(&x, &s);
    assert_int_equal(ld64le((uint8_t *)x.region + 32), 103);      /* ST(0) */
    assert_int_equal(ld64le((uint8_t *)x.region + 32 + 6 * 16), 101); /* ST(6) */
}

static void a_component_that_xsave_leaves_out_is_initial(void **state)
{
    struct x86_state s;
    struct kvm_xsave x;
    seed = 9;
    random_state(&s);
    memset(&x, 0xee, sizeof(x));
    st64le((uint8_t *)x.region + 512, 0);
    kvm_take_xsave(&s, &x);
    assert_int_equal(s.fcw, 0x37f);
    assert_int_equal(s.ftag, 0);
    assert_int_equal(s.mxcsr, 0x1f80);
    for (unsigned i = 0; i < sizeof(s.ymm); i++) {
        assert_int_equal(((uint8_t *)s.ymm)[i], 0);
    }
}

static void an_nmi_that_the_guest_did_not_take_stays_pending(void **state)
{
    struct rig r;
    struct x86_state s;
    fake_reset();
    rig_init(&r);
    fake.events.nmi.pending = 1;
    kvm_get_state(&r.cpu, &s);
    assert_true(atomic_load(&r.cpu.pending) & PEND_NMI);
    assert_int_equal(fake.events.nmi.pending, 0); /* it would come twice */
    rig_fini(&r);
}

/* ---- memory slots ---------------------------------------------------------------------------- */

struct map {
    struct machine m;
    struct ram_block rom;
    struct region rom_map, io, pam[2], pci;
};

static const struct region_ops no_ops = {.width = 4};

static void map_init(struct map *t)
{
    memset(t, 0, sizeof(*t));
    assert_true(machine_init(&t->m, CLOCK_HOST_DRIVEN, 0, NULL));
    assert_true(machine_ram_init(&t->m, 4 * MiB, MACHINE_LOW_MAX, NULL));
    machine_map_ram(&t->m);
    assert_true(ram_block_new(&t->m.arena, &t->rom, "rom", 64 * KiB, NULL));
    region_container(&t->pci, "pci", 1ull << 32);
    region_rom(&t->rom_map, "rom", &t->rom);
    region_map(&t->pci, &t->rom_map, 0xf0000, 0);
    region_io(&t->io, "io", &no_ops, NULL, 0x20000);
    region_map(&t->m.mem.root, &t->io, 0xa0000, 1);
    region_route(&t->pam[0], "pam", &t->pci, &t->pci, 0xf0000, 0x10000);
    region_map(&t->m.mem.root, &t->pam[0], 0xf0000, 1);
    machine_commit(&t->m);
}

static const struct kvm_slot *slot_at(const struct kvm_slot *slots, unsigned n, uint64_t addr)
{
    for (unsigned i = 0; i < n; i++) {
        if (addr >= slots[i].addr && addr < slots[i].addr + slots[i].bytes) {
            return &slots[i];
        }
    }
    return NULL;
}

static void slots_follow_the_four_settings_of_pam(void **state)
{
    struct map t;
    struct kvm_slot slots[16];
    map_init(&t);
    struct region *dram = &t.m.ram_low_map, *pci = &t.pci;
    const struct {
        struct region *rd, *wr;
        bool rom, read_only;
    } cases[] = {
        {pci, pci, true, true},
        {dram, pci, false, true},
        {pci, dram, true, true},
        {dram, dram, false, false},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        region_set_route(&t.pam[0], cases[i].rd, cases[i].wr);
        machine_commit(&t.m);
        unsigned n = kvm_slots_of_view(t.m.mem.view, slots, 16);
        const struct kvm_slot *s = slot_at(slots, n, 0xf8000), *high = slot_at(slots, n, 0x100000);
        assert_non_null(s);
        assert_int_equal(s->ram + (0xf8000 - s->addr),
                         cases[i].rom ? t.rom.addr + 0x8000 : 0xf8000);
        assert_int_equal(s->read_only, cases[i].read_only);
        assert_null(slot_at(slots, n, 0xb8000));
        assert_int_equal(high->addr, 0x100000); /* never part of what PAM changes */
        assert_int_equal(high->bytes, 3 * MiB);
    }
    machine_fini(&t.m);
}

static void parts_of_pages_are_no_slots(void **state)
{
    struct map t;
    struct kvm_slot slots[16];
    struct region small;
    map_init(&t);
    region_io(&small, "small", &no_ops, NULL, 0x10);
    region_map(&t.m.mem.root, &small, 0x200810, 5);
    machine_commit(&t.m);
    unsigned n = kvm_slots_of_view(t.m.mem.view, slots, 16);
    assert_null(slot_at(slots, n, 0x200000));
    assert_null(slot_at(slots, n, 0x200fff));
    assert_non_null(slot_at(slots, n, 0x1fffff));
    assert_non_null(slot_at(slots, n, 0x201000));
    machine_fini(&t.m);
}

static void a_change_of_the_map_never_overlaps_slots(void **state)
{
    struct map t;
    fake_reset();
    map_init(&t);
    t.m.accel = &kvm_accel;
    t.m.cpu_model = x86_model_default();
    assert_true(kvm_vm_init(&t.m, NULL));
    struct region *ways[] = {&t.pci, &t.m.ram_low_map, NULL};
    kvm_slots_follow(&t.m, t.m.mem.view);
    for (unsigned i = 0; i < 100; i++) {
        region_set_route(&t.pam[0], ways[i % 3], ways[i / 3 % 3]);
        region_enable(&t.io, i % 5 != 0);
        machine_commit(&t.m);
        kvm_slots_follow(&t.m, t.m.mem.view);
        assert_string_equal(kvm_vm_of(&t.m)->failure, "");
    }
    assert_int_equal(fake.overlaps, 0);
    kvm_vm_fini(&t.m);
    machine_fini(&t.m);
}

static void posted_regions_are_zones_while_they_are_there(void **state)
{
    struct map t;
    fake_reset();
    map_init(&t);
    t.m.accel = &kvm_accel;
    t.m.cpu_model = x86_model_default();
    assert_true(kvm_vm_init(&t.m, NULL));
    struct kvm_vm *vm = kvm_vm_of(&t.m);
    vm->caps.coalesced_page = 2;
    t.io.posted = true;
    for (unsigned i = 0; i < 5; i++) {
        region_enable(&t.io, i % 2 == 0);
        machine_commit(&t.m);
        kvm_zones_follow(&t.m, t.m.mem.view, false);
        assert_int_equal(vm->zones[0].addr, 0xa0000);
        assert_int_equal(vm->zones[0].size, i % 2 == 0 ? 0x20000 : 0);
        assert_int_equal(vm->zones[1].size, 0);
    }
    kvm_vm_fini(&t.m);
    machine_fini(&t.m);
}

/* ---- CPUID ----------------------------------------------------------------------------------- */

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *list, uint32_t function)
{
    for (unsigned i = 0; i < list->nent; i++) {
        if (list->entries[i].function == function) {
            return &list->entries[i];
        }
    }
    return NULL;
}

static void a_model_shows_itself_without_what_the_host_lacks(void **state)
{
    struct machine m = {.cpu_model = x86_model_find("pentium")};
    fake_reset();
    fake.cpuid[1].edx &= ~BIT(X86_F_VME % 32);
    struct kvm_cpuid2 *list = kvm_cpuid_for(&m, FAKE_KVM, NULL);
    const struct kvm_cpuid_entry2 *one = leaf(list, 1);
    assert_int_equal(one->eax, m.cpu_model->signature);
    assert_false(one->edx & BIT(X86_F_VME % 32));
    assert_true(one->edx & BIT(X86_F_TSC % 32));
    assert_false(one->edx & BIT(X86_F_SSE2 % 32));
    assert_int_equal(leaf(list, 0)->ebx, 0x756e6547);
    free(list);
}

static void the_hosts_processor_is_without_an_in_kernel_apic(void **state)
{
    struct machine m = {0};
    fake_reset();
    m.cpu_model = kvm_host_model(NULL);
    assert_non_null(m.cpu_model);
    assert_int_equal(m.cpu_model->signature, 0x306c3);
    assert_string_equal(m.cpu_model->vendor, "GenuineIntel");
    struct kvm_cpuid2 *list = kvm_cpuid_for(&m, FAKE_KVM, NULL);
    assert_false(leaf(list, 1)->ecx & (BIT(X86_F_X2APIC % 32) | BIT(X86_F_TSC_DEADLINE % 32)));
    assert_int_equal(leaf(list, 1)->ebx >> 24, 0);
    assert_true(leaf(list, 1)->ecx & BIT(X86_F_SSE3 % 32));
    free(list);
    assert_int_equal(fake.opened, fake.closed);
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static char folder[] = "/tmp/coldboot-test-XXXXXX";
static char file[64];

static int make_folder(void **state)
{
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(file, sizeof(file), "%s/coldboot-kvm", folder);
    return setenv("XDG_RUNTIME_DIR", folder, 1);
}

static int remove_folder(void **state)
{
    unlink(file);
    return rmdir(folder);
}

static const struct kvm_answer measured = {
    .kind = KVM_MEASURED, .insn_ps = 412000, .exit_ns = 7600};

static void an_answer_is_remembered(void **state)
{
    struct kvm_answer a;
    assert_false(kvm_recall(&a));
    kvm_remember(&measured);
    assert_true(kvm_recall(&a));
    assert_memory_equal(&a, &measured, sizeof(a));
}

static void another_boot_forgets(void **state)
{
    struct kvm_answer a;
    FILE *f = fopen(file, "w");
    fprintf(f, "coldboot-kvm-1 00000000-1111-2222-3333-444444444444 0 1 1\n");
    fclose(f);
    assert_false(kvm_recall(&a));
}

static void a_link_is_neither_read_nor_written_through(void **state)
{
    struct kvm_answer a;
    char victim[80], text[8] = "";
    snprintf(victim, sizeof(victim), "%s/victim", folder);
    FILE *f = fopen(victim, "w");
    fputs("kept", f);
    fclose(f);
    assert_int_equal(symlink(victim, file), 0);
    assert_false(kvm_recall(&a));
    kvm_remember(&measured);
    f = fopen(victim, "r");
    assert_non_null(fgets(text, sizeof(text), f));
    fclose(f);
    assert_string_equal(text, "kept");
    assert_true(kvm_recall(&a)); /* a file of our own stands in the link's place */
    unlink(victim);
}

static void a_file_that_others_may_write_is_not_believed(void **state)
{
    struct kvm_answer a;
    kvm_remember(&measured);
    assert_int_equal(chmod(file, 0666), 0);
    assert_false(kvm_recall(&a));
}

static void nonsense_in_the_file_is_not_believed(void **state)
{
    static const char *const texts[] = {"", "\n", "coldboot-kvm-1", "coldboot-kvm-2 x 0 1 1\n",
                                        "%s%n%d"};
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        struct kvm_answer a;
        FILE *f = fopen(file, "w");
        fputs(texts[i], f);
        fclose(f);
        assert_false(kvm_recall(&a));
    }
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0); /* must not wait for a writer */
    assert_false(kvm_recall(&(struct kvm_answer){0}));
}

#define REMEMBER_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_comes_back_as_it_went_in),
        cmocka_unit_test(older_kernels_keep_what_they_can),
        cmocka_unit_test(at_a_boot_sector_the_hosts_own_kvm_gives_back_what_it_got),
        cmocka_unit_test(an_msr_that_is_not_taken_leaves_the_others),
        cmocka_unit_test(physical_registers_turn_with_top),
        cmocka_unit_test(a_component_that_xsave_leaves_out_is_initial),
        cmocka_unit_test(an_nmi_that_the_guest_did_not_take_stays_pending),
        cmocka_unit_test(slots_follow_the_four_settings_of_pam),
        cmocka_unit_test(parts_of_pages_are_no_slots),
        cmocka_unit_test(a_change_of_the_map_never_overlaps_slots),
        cmocka_unit_test(posted_regions_are_zones_while_they_are_there),
        cmocka_unit_test(a_model_shows_itself_without_what_the_host_lacks),
        cmocka_unit_test(the_hosts_processor_is_without_an_in_kernel_apic),
        REMEMBER_TEST(an_answer_is_remembered),
        REMEMBER_TEST(another_boot_forgets),
        REMEMBER_TEST(a_link_is_neither_read_nor_written_through),
        REMEMBER_TEST(a_file_that_others_may_write_is_not_believed),
        REMEMBER_TEST(nonsense_in_the_file_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
