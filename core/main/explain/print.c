/* The report of explain as text for a person and as one JSON object a file. */
#include "core/base/bits.h"
#include "core/base/json_out.h"
#include "core/main/explain/explain.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const way_names[EXPLAIN_WAYS] = {
    [AS_FLOPPY] = "floppy",
    [AS_DISK] = "disk",
    [AS_CD] = "cd",
    [AS_KERNEL] = "kernel",
};

/* ---- text ------------------------------------------------------------------------------------ */

/* "1.4 MiB"; in a buffer of the caller. */
static const char *readable(uint64_t bytes, char *buf, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(buf, size, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buf;
}

static void put_fs(struct text *out, const struct explain_fs *fs)
{
    char size[32];
    text_puts(out, fs->type);
    if (fs->label[0] != '\0') {
        text_printf(out, " \"%s\"", fs->label);
    }
    if (fs->bytes != 0) {
        text_printf(out, ", %s", readable(fs->bytes, size, sizeof(size)));
    }
}

static void put_head(struct text *out, const struct explained *x)
{
    char size[32];
    text_printf(out, "%s: %" PRIu64 " bytes\n", x->path, x->bytes);
    text_printf(out, "  format       %s%s%s", x->format.name,
                x->format.detail[0] != '\0' ? ", " : "", x->format.detail);
    if (x->format.disk_bytes != 0) {
        text_printf(out, ", a disk of %" PRIu64 " bytes (%s)", x->format.disk_bytes,
                    readable(x->format.disk_bytes, size, sizeof(size)));
    }
    text_putc(out, '\n');
}

static void put_sector(struct text *out, const struct explained *x)
{
    const struct explain_boot_sector *s = &x->sector;
    const struct explain_bpb *p = &x->bpb;
    if (s->present) {
        text_printf(out, "  boot sector  %s %02X %02X%s%s%s%s\n",
                    s->signature ? "signature" : "no signature but", s->last[0], s->last[1],
                    s->empty ? ", no code" : "", s->oem[0] != '\0' ? ", made by \"" : "", s->oem,
                    s->oem[0] != '\0' ? "\"" : "");
    }
    if (p->present) {
        text_printf(
            out,
            "  BPB          %u sectors of %u bytes, %u heads of %u sectors, media %02X; %u FATs "
            "of %u, %u a cluster, %u clusters, %u root entries\n",
            p->sectors, p->bytes_per_sector, p->heads, p->sectors_per_track, p->media, p->fats,
            p->fat_sectors, p->sectors_per_cluster, p->clusters, p->root_entries);
    }
    if (x->fs.type != NULL) {
        text_puts(out, "  file system  ");
        put_fs(out, &x->fs);
        text_putc(out, '\n');
    }
    if (x->geometry.known) {
        text_printf(out, "  geometry     %u cylinders, %u heads, %u sectors (%s%s%s)\n",
                    x->geometry.cylinders, x->geometry.heads, x->geometry.sectors, x->geometry.from,
                    x->geometry.floppy != NULL ? " " : "",
                    x->geometry.floppy != NULL ? x->geometry.floppy : "");
    }
}

static void put_partitions(struct text *out, const struct explain_table *t)
{
    char size[32];
    if (t->kind == NULL) {
        return;
    }
    text_printf(out, "  partitions   %s%s%s\n", t->kind, t->problem[0] != '\0' ? ": " : "",
                t->problem);
    for (unsigned i = 0; i < t->n; i++) {
        const struct explain_partition *p = &t->list[i];
        text_printf(out, "    %2u%s %s from sector %" PRIu64 ", %s%s%s%s", p->number,
                    p->active ? "*" : " ", p->type, p->start / 512,
                    readable(p->bytes, size, sizeof(size)), p->name[0] != '\0' ? ", \"" : "",
                    p->name, p->name[0] != '\0' ? "\"" : "");
        if (p->fs.type != NULL) {
            text_puts(out, ": ");
            put_fs(out, &p->fs);
        }
        text_puts(out, p->outside ? " (reaches past the end)\n" : "\n");
    }
    if (t->more != 0) {
        text_printf(out, "    and %u more\n", t->more);
    }
}

static void put_cd(struct text *out, const struct explain_cd *cd)
{
    if (!cd->record) {
        return;
    }
    text_printf(out, "  El Torito    catalogue in CD sector %u%s%s\n", cd->catalogue_lba,
                cd->problem[0] != '\0' ? ": " : "", cd->problem);
    for (unsigned i = 0; i < cd->n; i++) {
        const struct explain_cd_entry *e = &cd->list[i];
        text_printf(out, "    %2u  %s, %s, %u sectors from CD sector %u%s\n", i, e->platform,
                    e->media, e->sectors, e->lba, e->bootable ? "" : ", not bootable");
    }
}

void explain_text(const struct explained *x, struct text *out)
{
    static const char *const labels[EXPLAIN_WAYS] = {
        [AS_FLOPPY] = "as floppy",
        [AS_DISK] = "as disk",
        [AS_CD] = "as CD",
        [AS_KERNEL] = "as kernel",
    };
    put_head(out, x);
    put_sector(out, x);
    put_partitions(out, &x->table);
    put_cd(out, &x->cd);
    for (unsigned i = 0; i < EXPLAIN_WAYS; i++) {
        text_printf(out, "  %-12s %s: %s\n", labels[i],
                    x->ways[i].boots ? "boots" : "does not boot", x->ways[i].why);
    }
    if (x->unusable[0] != '\0') {
        text_printf(out, "  cannot be used as it is: %s\n", x->unusable);
    }
    if (x->goes_to != NULL) {
        text_printf(out, "  `coldboot FILE` puts it into %s\n", x->goes_to);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_fs(struct json_out *j, const struct explain_fs *fs)
{
    if (fs->type == NULL) {
        jout_null(j, "filesystem");
        return;
    }
    jout_object(j, "filesystem");
    jout_string(j, "type", fs->type);
    jout_string(j, "label", fs->label);
    jout_u64(j, "bytes", fs->bytes);
    jout_end(j);
}

static void json_format(struct json_out *j, const struct explained *x)
{
    jout_object(j, "format");
    jout_string(j, "name", x->format.name);
    jout_string(j, "detail", x->format.detail);
    jout_u64(j, "disk-bytes", x->format.disk_bytes);
    jout_end(j);
}

static void json_sector(struct json_out *j, const struct explained *x)
{
    const struct explain_bpb *p = &x->bpb;
    if (x->sector.present) {
        jout_object(j, "boot-sector");
        jout_bool(j, "signature", x->sector.signature);
        jout_bool(j, "empty", x->sector.empty);
        jout_string(j, "oem", x->sector.oem);
        jout_end(j);
    }
    if (p->present) {
        jout_object(j, "bpb");
        jout_u64(j, "bytes-per-sector", p->bytes_per_sector);
        jout_u64(j, "sectors-per-cluster", p->sectors_per_cluster);
        jout_u64(j, "reserved", p->reserved);
        jout_u64(j, "fats", p->fats);
        jout_u64(j, "root-entries", p->root_entries);
        jout_u64(j, "sectors", p->sectors);
        jout_u64(j, "media", p->media);
        jout_u64(j, "fat-sectors", p->fat_sectors);
        jout_u64(j, "sectors-per-track", p->sectors_per_track);
        jout_u64(j, "heads", p->heads);
        jout_u64(j, "hidden", p->hidden);
        jout_u64(j, "clusters", p->clusters);
        jout_end(j);
    }
    if (x->geometry.known) {
        jout_object(j, "geometry");
        jout_u64(j, "cylinders", x->geometry.cylinders);
        jout_u64(j, "heads", x->geometry.heads);
        jout_u64(j, "sectors", x->geometry.sectors);
        jout_string(j, "from", x->geometry.from);
        jout_end(j);
    }
}

static void json_partitions(struct json_out *j, const struct explain_table *t)
{
    if (t->kind == NULL) {
        return;
    }
    jout_object(j, "partition-table");
    jout_string(j, "kind", t->kind);
    jout_string(j, "problem", t->problem);
    jout_u64(j, "not-listed", t->more);
    jout_array(j, "partitions");
    for (unsigned i = 0; i < t->n; i++) {
        const struct explain_partition *p = &t->list[i];
        jout_object(j, NULL);
        jout_u64(j, "number", p->number);
        jout_string(j, "scheme", p->scheme);
        jout_string(j, "type", p->type);
        jout_string(j, "name", p->name);
        jout_bool(j, "active", p->active);
        jout_u64(j, "start", p->start);
        jout_u64(j, "bytes", p->bytes);
        jout_bool(j, "past-the-end", p->outside);
        json_fs(j, &p->fs);
        jout_end(j);
    }
    jout_end(j);
    jout_end(j);
}

static void json_cd(struct json_out *j, const struct explain_cd *cd)
{
    if (!cd->record) {
        return;
    }
    jout_object(j, "el-torito");
    jout_u64(j, "catalogue", cd->catalogue_lba);
    jout_string(j, "problem", cd->problem);
    jout_array(j, "entries");
    for (unsigned i = 0; i < cd->n; i++) {
        const struct explain_cd_entry *e = &cd->list[i];
        jout_object(j, NULL);
        jout_string(j, "platform", e->platform);
        jout_string(j, "media", e->media);
        jout_bool(j, "bootable", e->bootable);
        jout_u64(j, "segment", e->segment);
        jout_u64(j, "sectors", e->sectors);
        jout_u64(j, "lba", e->lba);
        jout_end(j);
    }
    jout_end(j);
    jout_end(j);
}

void explain_json(const struct explained *x, struct text *out)
{
    struct json_out j = {.text = *out};
    jout_object(&j, NULL);
    jout_string(&j, "file", x->path);
    jout_u64(&j, "bytes", x->bytes);
    json_format(&j, x);
    json_sector(&j, x);
    json_fs(&j, &x->fs);
    json_partitions(&j, &x->table);
    json_cd(&j, &x->cd);
    jout_object(&j, "boots");
    for (unsigned i = 0; i < EXPLAIN_WAYS; i++) {
        jout_object(&j, way_names[i]);
        jout_bool(&j, "boots", x->ways[i].boots);
        jout_string(&j, "why", x->ways[i].why);
        jout_end(&j);
    }
    jout_end(&j);
    jout_string(&j, "unusable", x->unusable);
    if (x->goes_to != NULL) {
        jout_string(&j, "goes-to", x->goes_to);
    }
    jout_end(&j);
    *out = j.text;
    text_putc(out, '\n');
}
