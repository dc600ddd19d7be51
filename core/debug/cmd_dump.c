/*
 * dump-guest-memory: the machine's memory and registers as a core file, for gdb and crash.
 *
 * Source: [ELF] "ELF Header", "Program Header", "Note Section"; the layout of Linux's elf_prstatus
 *         for x86-64.
 * Model:  physical memory: a segment for what is below 4 GiB and one for what is above; a note of
 *         the registers of each vCPU.
 */
#include "core/base/bytes.h"
#include "core/debug/commands.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_PROTOCOL "file:"

enum { PRSTATUS_BYTES = 336, PRSTATUS_PID = 32, PRSTATUS_REGS = 112, CORE_NAME = 8 };
enum { NOTE_BYTES = sizeof(Elf64_Nhdr) + CORE_NAME + PRSTATUS_BYTES };

static void put_registers(uint8_t *to, const struct x86_state *s)
{
    const uint64_t regs[] = {
        s->gpr[R_15],     s->gpr[R_14],      s->gpr[R_13],      s->gpr[R_12],
        s->gpr[R_BP],     s->gpr[R_BX],      s->gpr[R_11],      s->gpr[R_10],
        s->gpr[R_9],      s->gpr[R_8],       s->gpr[R_AX],      s->gpr[R_CX],
        s->gpr[R_DX],     s->gpr[R_SI],      s->gpr[R_DI],      0,
        s->rip,           s->seg[S_CS].sel,  s->rflags,         s->gpr[R_SP],
        s->seg[S_SS].sel, s->seg[S_FS].base, s->seg[S_GS].base, s->seg[S_DS].sel,
        s->seg[S_ES].sel, s->seg[S_FS].sel,  s->seg[S_GS].sel,
    };
    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        st64le(to + 8 * i, regs[i]);
    }
}

static bool write_notes(struct command_call *c, FILE *f)
{
    for (unsigned i = 0; i < c->debug->machine->n_vcpus; i++) {
        uint8_t note[NOTE_BYTES] = {0};
        const Elf64_Nhdr head = {.n_namesz = 5, .n_descsz = PRSTATUS_BYTES, .n_type = NT_PRSTATUS};
        uint8_t *status = note + sizeof(head) + CORE_NAME;
        memcpy(note, &head, sizeof(head));
        memcpy(note + sizeof(head), "CORE", 5);
        st32le(status + PRSTATUS_PID, i + 1);
        put_registers(status + PRSTATUS_REGS, debug_state(c->debug, i));
        if (fwrite(note, sizeof(note), 1, f) != 1) {
            return false;
        }
    }
    return true;
}

static bool write_core(struct command_call *c, FILE *f)
{
    const struct machine *m = c->debug->machine;
    const struct ram_block *ram[] = {&m->ram_low, &m->ram_high};
    const uint64_t at[] = {0, 1ull << 32};
    unsigned n = m->ram_high.bytes != 0 ? 2 : 1;
    Elf64_Ehdr head = {
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(head),
        .e_ehsize = sizeof(head),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = (Elf64_Half)(n + 1),
    };
    Elf64_Phdr parts[3] = {{
        .p_type = PT_NOTE,
        .p_offset = sizeof(head) + (n + 1) * sizeof(parts[0]),
        .p_filesz = (uint64_t)m->n_vcpus * NOTE_BYTES,
    }};
    memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_ident[EI_DATA] = ELFDATA2LSB;
    head.e_ident[EI_VERSION] = EV_CURRENT;
    for (unsigned i = 0; i < n; i++) {
        parts[i + 1] = (Elf64_Phdr){
            .p_type = PT_LOAD,
            .p_offset = parts[i].p_offset + parts[i].p_filesz,
            .p_vaddr = at[i],
            .p_paddr = at[i],
            .p_filesz = ram[i]->bytes,
            .p_memsz = ram[i]->bytes,
        };
    }
    bool ok = fwrite(&head, sizeof(head), 1, f) == 1 &&
              fwrite(parts, sizeof(parts[0]), n + 1, f) == n + 1 && write_notes(c, f);
    for (unsigned i = 0; ok && i < n; i++) {
        ok = fwrite(ram_host(ram[i]), 1, ram[i]->bytes, f) == ram[i]->bytes;
    }
    return ok;
}

static bool dump_to(struct command_call *c, const char *path, struct error **err)
{
    debug_freeze(c->debug);
    /* Not waiting: a FIFO that nobody reads would hold the whole machine up. */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (f == NULL) {
        error_errno(err, errno, "Could not open '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    bool ok = write_core(c, f);
    ok = fclose(f) == 0 && ok;
    if (!ok) {
        error_errno(err, errno, "write '%s'", path);
    }
    return ok;
}

COMMAND(cmd_dump)
{
    return dump_to(c, command_text(c, "filename"), err);
}

COMMAND(cmd_dump_protocol)
{
    const char *path = command_text(c, "protocol");
    if (strncmp(path, FILE_PROTOCOL, strlen(FILE_PROTOCOL)) != 0) {
        return error_set(err, "Parameter 'protocol' expects file:NAME");
    }
    if (command_arg(c, "paging")->on) {
        return error_set(err, "only physical memory can be dumped");
    }
    return dump_to(c, path + strlen(FILE_PROTOCOL), err);
}
