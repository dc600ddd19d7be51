/* The board as a whole: which ports answer, how pins are joined, reset and state of all chips
 * (hw/pc/pc). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "core/accel/vcpu.h"
#include "core/block/drivers.h"
#include "core/cpu/cpuid.h"
#include "core/ui/input.h"
#include "hw/pc/pc.h"

/* A processor that is never run: tests drive the ports themselves. */
static bool idle_init(struct vcpu *cpu, struct error **err)
{
    return true;
}

static void idle_fini(struct vcpu *cpu)
{
}

static void idle_run(struct vcpu *cpu, struct vcpu_exit *exit)
{
    exit->reason = EXIT_KICKED;
}

static uint64_t idle_icount(struct vcpu *cpu)
{
    return 0;
}

static void idle_get(struct vcpu *cpu, struct x86_state *out)
{
    memset(out, 0, sizeof(*out));
}

static void idle_set(struct vcpu *cpu, const struct x86_state *in)
{
}

static const struct accel idle_accel = {
    .name = "idle", .counts_insns = true, .vcpu_init = idle_init, .vcpu_fini = idle_fini,
    .run = idle_run, .kick = idle_fini, .icount = idle_icount, .get_state = idle_get,
    .set_state = idle_set,
};

struct rig {
    struct bench b;
    struct pc_config cfg;
    struct pc *pc;
};

static uint8_t bios[64 * KiB];

static void rig_begin(struct rig *r)
{
    struct error *err = NULL;

    memset(&r->b, 0, sizeof(r->b));
    r->b.random = 1;
    if (!machine_init(&r->b.m, CLOCK_VIRTUAL, BENCH_WALL_NS, &err)) {
        fail_msg("%s", error_text(err));
    }
    r->b.m.accel = &idle_accel;
    r->b.m.cpu_model = x86_model_default();
    pc_config_init(&r->cfg);
    r->cfg.ram_bytes = 2 * MiB;
    r->cfg.bios = (struct firmware){.data = bios, .bytes = sizeof(bios)};
    r->cfg.vga = PC_VGA_NONE;
}

static void rig_build(struct rig *r)
{
    struct error *err = NULL;

    r->pc = pc_init(&r->b.m, &r->cfg, &err);
    if (r->pc == NULL) {
        fail_msg("%s", error_text(err));
    }
    bench_power_on(&r->b);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    rig_begin(r);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    machine_fini(&r->b.m);
    free(r);
    return 0;
}

/* ---- ports ---- */

/* The ports that answer, as "first-last" in hexadecimal, neighbours joined. */
static void claimed_ports(struct rig *r, char *out, size_t size)
{
    const struct view *v = r->b.m.ports.view;
    size_t len = 0;
    uint64_t start = 0, end = 0;

    out[0] = '\0';
    for (unsigned i = 0; i <= v->n; i++) {
        const struct view_range *range = i < v->n ? &v->ranges[i] : NULL;
        if (range != NULL && range->rd.region == NULL && range->wr.region == NULL) {
            continue;
        }
        if (range != NULL && range->start == end) {
            end = range->end;
            continue;
        }
        if (end != start) {
            len += (size_t)snprintf(out + len, size - len, "%s%llx-%llx", len != 0 ? " " : "",
                                    (unsigned long long)start, (unsigned long long)end - 1);
        }
        if (range != NULL) {
            start = range->start;
            end = range->end;
        }
    }
}

static void the_default_board_claims_these_ports(void **state)
{
    struct rig *r = *state;
    char ports[1024];

    rig_build(r);
    claimed_ports(r, ports, sizeof(ports));
    assert_string_equal(ports,
                        "0-f 20-21 40-43 60-61 64-64 70-71 80-83 87-87 89-8b 8f-8f 92-92 "
                        "a0-a1 b2-b3 c0-df f0-f0 378-37f 3f0-3f5 3f7-3ff 4d0-4d1 510-511 514-51b "
                        "cf8-cff afe0-afe3 b100-b13f");
}

static void a_part_that_is_left_out_claims_nothing(void **state)
{
    struct rig *r = *state;

    r->cfg.fdc = false;
    r->cfg.acpi = false;
    r->cfg.com_present[0] = false;
    rig_build(r);
    assert_int_equal(bench_in8(&r->b, 0x3f4), 0xff);
    assert_int_equal(bench_in8(&r->b, 0x3fd), 0xff);
    assert_int_equal(bench_in8(&r->b, 0xb2), 0xff);
    bench_out32(&r->b, 0xcf8, 0x80000b00);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0xffffffff);
    assert_false(pc_insert_floppy(r->pc, 0, NULL, NULL));
    pc_power_button(r->pc);
}

/* ---- pins ---- */

static const uint8_t pic_words[][2] = {
    {0x20, 0x11}, {0x21, 0x20}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0xfb},
    {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 0x02}, {0xa1, 0x01}, {0xa1, 0xff},
};

static void apic_write(struct rig *r, unsigned reg, uint32_t val)
{
    struct vcpu *cpu = r->b.m.vcpus[0];
    cpu->apic_ops->write(cpu->apic, reg, val, 4);
}

/* The 8259s, and LINT0 as ExtINT as firmware leaves it. */
static void pic_setup(struct rig *r)
{
    if (r->b.m.vcpus[0]->apic_ops != NULL) {
        apic_write(r, 0xf0, 0x1ff);
        apic_write(r, 0x350, 0x8700);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(pic_words); i++) {
        bench_out8(&r->b, pic_words[i][0], pic_words[i][1]);
    }
}

/* Opens interrupt @irq alone and answers it as the CPU would; -1: no interrupt. */
static int take_irq(struct rig *r, unsigned irq)
{
    struct vcpu *cpu = r->b.m.vcpus[0];
    uint16_t mask = (uint16_t)~(BIT(irq) | BIT(2));

    bench_out8(&r->b, 0x21, (uint8_t)mask);
    bench_out8(&r->b, 0xa1, (uint8_t)(mask >> 8));
    return atomic_load(&cpu->pending) & PEND_INTR ? cpu->inta(cpu->inta_opaque) : -1;
}

static void counter_0_interrupts_on_irq_0(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    bench_out8(&r->b, 0x43, 0x30);
    bench_out8(&r->b, 0x40, 0x10);
    bench_out8(&r->b, 0x40, 0x00);
    assert_int_equal(take_irq(r, 0), -1);
    bench_advance(&r->b, NS_PER_MS);
    assert_int_equal(take_irq(r, 0), 0x20);
}

static void the_clock_interrupts_on_irq_8(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    bench_out8(&r->b, 0x70, 0x0b);
    bench_out8(&r->b, 0x71, 0x42); /* periodic interrupt, 24 hours */
    bench_advance(&r->b, 2 * NS_PER_MS);
    assert_int_equal(take_irq(r, 8), 0x28);
}

static void a_key_interrupts_on_irq_1(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    bench_advance(&r->b, NS_PER_SEC);
    while (bench_in8(&r->b, 0x64) & 1) { /* the keyboard's self test report */
        bench_in8(&r->b, 0x60);
        bench_advance(&r->b, 10 * NS_PER_MS);
    }
    bench_out8(&r->b, 0x64, 0x60);
    bench_out8(&r->b, 0x60, 0x41); /* translate, interrupt */
    r->b.m.keyboard->key(r->b.m.keyboard->dev, 0x1e, true);
    bench_advance(&r->b, 10 * NS_PER_MS);
    assert_int_equal(take_irq(r, 1), 0x21);
    assert_int_equal(bench_in8(&r->b, 0x60), 0x1e);
}

static void the_floppy_controller_interrupts_on_irq_6(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    bench_out8(&r->b, 0x3f2, 0x00);
    bench_out8(&r->b, 0x3f2, 0x0c);
    bench_advance(&r->b, NS_PER_MS);
    assert_int_equal(take_irq(r, 6), 0x26);
}

static void com1_interrupts_on_irq_4(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    bench_out8(&r->b, 0x3fc, 0x08); /* OUT2 */
    bench_out8(&r->b, 0x3f9, 0x02); /* transmitter empty */
    assert_int_equal(take_irq(r, 4), 0x24);
}

static void the_printer_interrupts_on_irq_7(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    bench_out8(&r->b, 0x37a, 0x1d); /* strobe, interrupt */
    bench_advance(&r->b, NS_PER_MS);
    assert_int_equal(take_irq(r, 7), 0x27);
}

static void the_mouse_interrupts_on_irq_12(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    bench_out8(&r->b, 0x64, 0xd4);
    bench_out8(&r->b, 0x60, 0xf4);
    bench_advance(&r->b, NS_PER_MS);
    assert_int_equal(bench_in8(&r->b, 0x60), 0xfa);
    r->b.m.pointer->move(r->b.m.pointer->dev, 1, 0, 0);
    bench_advance(&r->b, NS_PER_MS);
    assert_int_equal(take_irq(r, 12), 0x2c);
    assert_int_equal(bench_in8(&r->b, 0x60), 0x08);
}

static void com_ports_are_where_they_are_asked_for(void **state)
{
    struct rig *r = *state;
    r->cfg.com_present[1] = r->cfg.com_present[2] = r->cfg.com_present[3] = true;
    r->cfg.lpt_present = false;
    rig_build(r);
    static const uint16_t base[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(bench_in8(&r->b, base[i] + 5), 0x60);
        assert_int_equal(bench_in8(&r->b, base[i] + 6), 0xb0);
    }
    assert_int_equal(bench_in8(&r->b, 0x379), 0xff);
    bench_out32(&r->b, 0xcf8, 0x80000b64);
    assert_int_equal(bench_in8(&r->b, 0xcff), 0x98); /* 67h tells of COM1 and COM2 */
    bench_out32(&r->b, 0xcf8, 0x80000b5c);
    assert_int_equal(bench_in8(&r->b, 0xcff), 0x10); /* 5Fh: no parallel port */
}

static void test_devices_answer_where_they_are_asked_for(void **state)
{
    struct rig *r = *state;
    r->cfg.pc_testdev = r->cfg.pci_testdev = r->cfg.pvpanic = true;
    r->cfg.pvpanic_port = 0x505;
    r->cfg.pvpanic_events = 3;
    r->cfg.vga = PC_VGA_NONE;
    rig_build(r);
    pic_setup(r);
    bench_out32(&r->b, 0xe0, 0x12345678);
    assert_int_equal(bench_in16(&r->b, 0xe1), 0x3456);
    assert_int_equal(bench_in32(&r->b, 0xe8), 0x12345678);
    bench_out8(&r->b, 0xea, 0xff);
    assert_int_equal(bench_in32(&r->b, 0xe0), 0x12ff5678);
    bench_out32(&r->b, 0x2005, 1);
    assert_int_equal(take_irq(r, 5), 0x25);
    bench_out32(&r->b, 0x2005, 0);
    bench_out8(&r->b, 0x2017, 1); /* a line that leads nowhere */
    space_write(&r->b.m.mem, 0xff00fff8, 0x1122334455667788, 8);
    assert_int_equal(space_read(&r->b.m.mem, 0xff00fff9, 1), 0x77);
    assert_int_equal(bench_in8(&r->b, 0x505), 3);
    bench_out8(&r->b, 0x505, 2);
    assert_int_equal(r->b.m.stop_request, CAUSE_NONE);
    bench_out8(&r->b, 0x505, 1);
    assert_int_equal(r->b.m.stop_request, CAUSE_GUEST_PANIC);
    bench_out32(&r->b, 0xcf8, 0x80001000);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x00051b36);
}

static void the_pci_test_device_counts_writes_of_its_first_test(void **state)
{
    struct rig *r = *state;
    r->cfg.pci_testdev = true;
    r->cfg.vga = PC_VGA_NONE;
    rig_build(r);
    bench_out32(&r->b, 0xcf8, 0x80001014);
    bench_out32(&r->b, 0xcfc, 0xc000);
    bench_out32(&r->b, 0xcf8, 0x80001004);
    bench_out32(&r->b, 0xcfc, 1);
    assert_int_equal(bench_in8(&r->b, 0xc001), 0); /* none is chosen */
    bench_out8(&r->b, 0xc000, 0);
    assert_int_equal(bench_in32(&r->b, 0xc000), 0x0103);
    assert_int_equal(bench_in32(&r->b, 0xc004), 0x83);
    assert_int_equal(bench_in8(&r->b, 0xc008), 0xfa);
    bench_out8(&r->b, 0xc083, 0xfa);
    bench_out8(&r->b, 0xc083, 0xfb);
    bench_out8(&r->b, 0xc082, 0xfa);
    assert_int_equal(bench_in32(&r->b, 0xc00c), 1);
    assert_int_equal(bench_in32(&r->b, 0xc010), 0x74726f70); /* "port" */
    bench_out8(&r->b, 0xc000, 3);
    assert_int_equal(bench_in32(&r->b, 0xc000), 0);
}

static void the_sci_is_irq_9(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    bench_out32(&r->b, 0xcf8, 0x80000b40);
    bench_out32(&r->b, 0xcfc, 0x601);
    bench_out32(&r->b, 0xcf8, 0x80000b80);
    bench_out32(&r->b, 0xcfc, 1);
    bench_out16(&r->b, 0x602, 0x0100);
    bench_out8(&r->b, 0xb2, 0xf1);
    pc_power_button(r->pc);
    assert_int_equal(take_irq(r, 9), 0x29);
}

static void the_fpus_error_pin_is_irq_13(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    irq_set(r->b.m.vcpus[0]->ferr, true);
    assert_int_equal(take_irq(r, 13), 0x2d);
}

static void without_a_local_apic_the_8259s_drive_intr(void **state)
{
    struct rig *r = *state;
    r->b.m.cpu_model = x86_model_find("486");
    rig_build(r);
    assert_null(r->b.m.vcpus[0]->apic_ops);
    pic_setup(r);
    irq_set(r->b.m.vcpus[0]->ferr, true);
    assert_int_equal(take_irq(r, 13), 0x2d);
    assert_int_equal(space_read(&r->b.m.mem, 0xfec00000, 4), 0xffffffff);
}

static void redirect(struct rig *r, unsigned pin, uint32_t entry)
{
    space_write(&r->b.m.mem, 0xfec00000, 0x10 + 2 * pin, 4);
    space_write(&r->b.m.mem, 0xfec00010, entry, 4);
}

static int taken(struct rig *r)
{
    struct vcpu *cpu = r->b.m.vcpus[0];
    return atomic_load(&cpu->pending) & PEND_INTR ? cpu->inta(cpu->inta_opaque) : -1;
}

static void isa_lines_are_inputs_of_the_io_apic(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    apic_write(r, 0xf0, 0x1ff);
    redirect(r, 4, 0x54);
    redirect(r, 13, 0x8063);
    bench_out8(&r->b, 0x3fc, 0x08);
    bench_out8(&r->b, 0x3f9, 0x02);
    assert_int_equal(taken(r), 0x54);
    irq_set(r->b.m.vcpus[0]->ferr, true);
    assert_int_equal(taken(r), 0x63);
    assert_int_equal(taken(r), -1);
}

static void irq_0_is_input_2_of_the_io_apic(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    apic_write(r, 0xf0, 0x1ff);
    redirect(r, 0, 0x50);
    redirect(r, 2, 0x52);
    bench_out8(&r->b, 0x43, 0x34);
    bench_out8(&r->b, 0x40, 0x10);
    bench_out8(&r->b, 0x40, 0x00);
    bench_advance(&r->b, NS_PER_MS);
    assert_int_equal(taken(r), 0x52);
    assert_int_equal(taken(r), -1);
}

static void the_hpet_replaces_the_timer(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pic_setup(r);
    space_write(&r->b.m.mem, 0xfed00108, 1000, 8);
    space_write(&r->b.m.mem, 0xfed00100, 0x4, 4);
    space_write(&r->b.m.mem, 0xfed00010, 3, 4);
    bench_advance(&r->b, 9999);
    assert_int_equal(take_irq(r, 0), -1);
    bench_advance(&r->b, 1);
    assert_int_equal(take_irq(r, 0), 0x20);
}

static void without_hpet_nobody_answers_there(void **state)
{
    struct rig *r = *state;
    r->cfg.hpet = false;
    rig_build(r);
    assert_int_equal(space_read(&r->b.m.mem, 0xfed00000, 4), 0xffffffff);
}

static void an_nmi_comes_by_lint1(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    pc_nmi(r->pc);
    assert_false(atomic_load(&r->b.m.vcpus[0]->pending) & PEND_NMI); /* still masked */
    apic_write(r, 0xf0, 0x1ff);
    apic_write(r, 0x360, 0x400);
    pc_nmi(r->pc);
    assert_true(atomic_load(&r->b.m.vcpus[0]->pending) & PEND_NMI);
}

static void apm_commands_reach_smi(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    bench_out32(&r->b, 0xcf8, 0x80000b58);
    bench_out32(&r->b, 0xcfc, 0x02000000);
    assert_false(atomic_load(&r->b.m.vcpus[0]->pending) & PEND_SMI);
    bench_out8(&r->b, 0xb2, 0x00);
    assert_true(atomic_load(&r->b.m.vcpus[0]->pending) & PEND_SMI);
}

static void both_a20_gates_reach_the_cpu(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    assert_true(r->b.m.vcpus[0]->a20);
    bench_out8(&r->b, 0x64, 0xd1);
    bench_out8(&r->b, 0x60, 0xdd); /* output port with bit 1 low */
    assert_false(r->b.m.vcpus[0]->a20);
    bench_out8(&r->b, 0x92, 0x02);
    assert_true(r->b.m.vcpus[0]->a20);
}

static void three_ports_ask_for_a_reset(void **state)
{
    static const struct {
        uint16_t port;
        uint8_t val;
    } ways[] = {{0x92, 0x01}, {0xcf9, 0x06}, {0x64, 0xfe}};
    struct rig *r = *state;

    rig_build(r);
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        r->b.m.reset_request = CAUSE_NONE;
        bench_out8(&r->b, ways[i].port, ways[i].val);
        bench_advance(&r->b, NS_PER_MS);
        assert_int_equal(r->b.m.reset_request, CAUSE_GUEST_RESET);
    }
}

/* ---- extras ---- */

static void exit_devices_choose_the_status(void **state)
{
    static const struct {
        uint16_t port;
        uint8_t val;
        int status;
    } cases[] = {
        {0x501, 0x00, 1}, {0x501, 0x03, 7}, {0x501, 0x10, 33}, {0x501, 0x80, 1},
        {0xf4, 0x00, 0}, {0xf7, 0x2a, 42},
    };
    struct rig *r = *state;

    r->cfg.exits[0] = (struct pc_exit){.port = 0x501, .bytes = 2};
    r->cfg.exits[1] = (struct pc_exit){.port = 0xf4, .bytes = 4, .plain = true};
    r->cfg.n_exits = 2;
    rig_build(r);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        r->b.m.stop_request = CAUSE_NONE;
        bench_out8(&r->b, cases[i].port, cases[i].val);
        assert_int_equal(r->b.m.stop_request, CAUSE_GUEST_EXIT);
        assert_int_equal(r->b.m.stop_status, cases[i].status);
    }
}

struct heard {
    struct chardev_tap tap;
    uint8_t bytes[8];
    size_t n;
};

static void hear(void *opaque, const uint8_t *buf, size_t len)
{
    struct heard *h = opaque;
    for (size_t i = 0; i < len && h->n < sizeof(h->bytes); i++) {
        h->bytes[h->n++] = buf[i];
    }
}

static void a_debug_console_passes_bytes_on(void **state)
{
    struct rig *r = *state;
    struct heard heard = {.tap = {.seen = hear, .opaque = &heard}};
    struct chardev *null = chardev_new("null", &r->b.m.loop, NULL);

    chardev_tap(null, &heard.tap);
    r->cfg.debugcons[0] = (struct pc_debugcon){.port = 0x402, .read_value = 0xe9, .chardev = null};
    r->cfg.n_debugcons = 1;
    rig_build(r);
    assert_int_equal(bench_in8(&r->b, 0x402), 0xe9);
    bench_out8(&r->b, 0x402, 'o');
    bench_out8(&r->b, 0x402, 'k');
    assert_int_equal(heard.n, 2);
    assert_memory_equal(heard.bytes, "ok", 2);
    chardev_free(null);
}

static void the_post_code_can_be_asked_for(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    bench_out8(&r->b, 0x80, 0x42);
    assert_int_equal(pc_post_code(r->pc), 0x42);
}

static void a_bios_of_the_wrong_size_is_refused(void **state)
{
    struct rig *r = *state;
    struct error *err = NULL;

    r->cfg.bios.bytes = 1000;
    assert_null(pc_init(&r->b.m, &r->cfg, &err));
    assert_non_null(strstr(error_text(err), "1000 bytes"));
    error_free(err);
}

/* ---- all chips together ---- */

#define MAX_DEVICES 48

/* The whole board: VGA, two drives on each IDE channel, four serial ports, the test devices. */
static uint8_t disk_bytes[64 * KiB];

static bool ram_disk_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    memcpy(buf, disk_bytes + off, len);
    return true;
}

static bool ram_disk_write(struct block *b, uint64_t off, const void *buf, size_t len,
                           struct error **err)
{
    memcpy(disk_bytes + off, buf, len);
    return true;
}

static bool ram_disk_flush(struct block *b, struct error **err)
{
    return true;
}

static const struct block_ops ram_disk_ops = {
    .name = "ram", .read = ram_disk_read, .write = ram_disk_write, .flush = ram_disk_flush,
};

static void build_all(struct rig *r, struct block *disk)
{
    static char path[] = "ram";
    *disk = (struct block){.ops = &ram_disk_ops, .path = path, .bytes = sizeof(disk_bytes)};
    r->cfg.vga = PC_VGA_STD;
    for (unsigned i = 0; i < PC_DISKS; i++) {
        r->cfg.disks[i] = (struct pc_disk){.present = true, .cd = i % 2 == 1, .image = disk};
    }
    for (unsigned i = 0; i < PC_COMS; i++) {
        r->cfg.com_present[i] = true;
    }
    r->cfg.lpt_present = r->cfg.pvpanic = r->cfg.pc_testdev = r->cfg.pci_testdev = true;
    rig_build(r);
}

/* Writes of all widths to all registers of all functions, often all ones or all zeros. */
static void fuzz_configuration(struct rig *r, unsigned n)
{
    static const uint8_t functions[] = {0x00, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x18, 0x20};
    for (unsigned i = 0; i < n; i++) {
        uint32_t x = bench_random(&r->b), val = bench_random(&r->b);
        unsigned reg = (x >> 8) & 0xfc, lane = (x >> 16) & 3;
        val = x & 0x80000000 ? val : x & 0x40000000 ? 0xffffffff : 0;
        bench_out32(&r->b, 0xcf8, 0x80000000u | (uint32_t)functions[x & 7] << 8 | reg);
        switch (x >> 20 & 3) {
        case 0:
            bench_out32(&r->b, 0xcfc, val);
            break;
        case 1:
            bench_out16(&r->b, (uint16_t)(0xcfc + (lane & 2)), (uint16_t)val);
            break;
        default:
            bench_out8(&r->b, (uint16_t)(0xcfc + lane), (uint8_t)val);
            break;
        }
        bench_in32(&r->b, 0xcfc);
    }
}

/* Each range that answers, as it lies now: configuration space moves some of them. */
static void fuzz_claimed_ports(struct rig *r, unsigned n)
{
    struct {
        uint16_t first, count;
    } range[128];
    const struct view *v = r->b.m.ports.view;
    unsigned ranges = 0;
    for (unsigned i = 0; i < v->n && ranges < ARRAY_SIZE(range); i++) {
        if (v->ranges[i].rd.region != NULL || v->ranges[i].wr.region != NULL) {
            range[ranges].first = (uint16_t)v->ranges[i].start;
            range[ranges++].count = (uint16_t)(v->ranges[i].end - v->ranges[i].start);
        }
    }
    assert_in_range(ranges, 25, ARRAY_SIZE(range) - 1);
    for (unsigned i = 0; i < ranges; i++) {
        bench_fuzz_ports(&r->b, range[i].first, range[i].count, n, 100000);
    }
}

static void any_use_of_ports_and_configuration_space_does_no_harm(void **state)
{
    struct rig *r = *state;
    struct block disk;
    build_all(r, &disk);
    for (unsigned i = 0; i < 20; i++) {
        fuzz_configuration(r, 500);
        fuzz_claimed_ports(r, 60);
        for (unsigned k = 0; k < 200; k++) { /* and what the windows show */
            uint64_t at = bench_random(&r->b) & 1 ? bench_random(&r->b) : bench_random(&r->b) % MiB;
            space_write(&r->b.m.mem, at, bench_random(&r->b), 4);
            space_read(&r->b.m.mem, at, 4);
            machine_commit(&r->b.m);
        }
        bench_check_state(&r->b);
    }
    bench_reset(&r->b);
    bench_out32(&r->b, 0xcf8, 0x80000000);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x12378086);
    bench_check_reset(&r->b);
    machine_fini(&r->b.m); /* the drives first: the image is on this stack */
    block_worker_stop(&disk);
}

static void reset_gives_the_state_of_a_first_start(void **state)
{
    struct rig *r = *state;
    struct state_buf first[MAX_DEVICES];
    unsigned n = 0;

    rig_build(r);
    for (struct device *d = r->b.m.devices; d != NULL; d = d->next) {
        assert_true(n < MAX_DEVICES);
        bench_save(&r->b, d, &first[n++]);
    }
    bench_fuzz_ports(&r->b, 0x00, 0x100, 3000, 10000);
    bench_fuzz_ports(&r->b, 0x3f0, 16, 500, 10000);
    bench_fuzz_ports(&r->b, 0xcf8, 8, 2000, 10000);
    bench_reset(&r->b);
    n = 0;
    for (struct device *d = r->b.m.devices; d != NULL; d = d->next) {
        struct state_buf now;
        bench_save(&r->b, d, &now);
        bench_assert_same(d, &first[n], &now, false, "reset is not a first start");
        state_buf_free(&now);
        state_buf_free(&first[n++]);
    }
    bench_check_reset(&r->b);
}

static void every_chip_loads_what_it_saved(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    bench_advance(&r->b, 123 * NS_PER_MS);
    bench_check_state(&r->b);
}

static void random_accesses_to_all_ports_do_no_harm(void **state)
{
    struct rig *r = *state;
    rig_build(r);
    bench_fuzz_ports(&r->b, 0x000, 0x400, 20000, 20000);
    bench_fuzz_ports(&r->b, 0xcf8, 8, 5000, 0);
    bench_fuzz_ports(&r->b, 0x000, 0xffff, 20000, 0);
    bench_reset(&r->b);
    bench_out32(&r->b, 0xcf8, 0x80000000);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x12378086);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_default_board_claims_these_ports),
        T(a_part_that_is_left_out_claims_nothing),
        T(counter_0_interrupts_on_irq_0),
        T(the_clock_interrupts_on_irq_8),
        T(a_key_interrupts_on_irq_1),
        T(the_floppy_controller_interrupts_on_irq_6),
        T(com1_interrupts_on_irq_4),
        T(the_printer_interrupts_on_irq_7),
        T(the_mouse_interrupts_on_irq_12),
        T(com_ports_are_where_they_are_asked_for),
        T(test_devices_answer_where_they_are_asked_for),
        T(the_pci_test_device_counts_writes_of_its_first_test),
        T(the_sci_is_irq_9),
        T(the_fpus_error_pin_is_irq_13),
        T(without_a_local_apic_the_8259s_drive_intr),
        T(isa_lines_are_inputs_of_the_io_apic),
        T(irq_0_is_input_2_of_the_io_apic),
        T(the_hpet_replaces_the_timer),
        T(without_hpet_nobody_answers_there),
        T(an_nmi_comes_by_lint1),
        T(apm_commands_reach_smi),
        T(both_a20_gates_reach_the_cpu),
        T(three_ports_ask_for_a_reset),
        T(exit_devices_choose_the_status),
        T(a_debug_console_passes_bytes_on),
        T(the_post_code_can_be_asked_for),
        T(a_bios_of_the_wrong_size_is_refused),
        T(reset_gives_the_state_of_a_first_start),
        T(every_chip_loads_what_it_saved),
        T(random_accesses_to_all_ports_do_no_harm),
        T(any_use_of_ports_and_configuration_space_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
