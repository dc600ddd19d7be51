# coldboot: `make run` boots, `make test` tests; `make` only builds. See README.md.

MAKEFLAGS += --no-builtin-rules
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?= 0
DEBUG   ?= 0
NOTRACE ?= 0
BUILD   ?= build$(if $(filter 1,$(SAN)),/san)$(if $(filter 1,$(DEBUG)),/debug)$(if $(filter 1,$(NOTRACE)),/notrace)
AWK     ?= awk
NASM    ?= nasm
# One short line a command; `make V=1` shows the commands.
V       ?= 0
ifneq ($(V),1)
Q       := @
note     = @printf '  %-7s %s\n' $(1) $@
endif

# Folders to build from; a chip's author may name fewer: make DIRS="core/base hw/chips" lib
DIRS    ?= core hw
SRCS    := $(sort $(shell find $(DIRS) -name '*.c'))
OBJS    := $(SRCS:%.c=$(BUILD)/obj/%.o)
TRACES  := $(sort $(shell find core hw -name trace.def))
TRACE_H := $(foreach t,$(TRACES),$(BUILD)/gen/trace/$(subst /,_,$(patsubst %/trace.def,%,$(t))).h)

# Optional libraries: absent ones cost the feature that uses them, never the build.
have     = $(shell pkg-config --exists $(1) 2>/dev/null && echo 1)
OPTLIBS := $(foreach l,libpng jansson,$(if $(call have,$(l)),$(l)))
OPTDEFS := $(foreach l,$(OPTLIBS),-DHAVE_$(shell echo $(l) | tr a-z A-Z))
# Debian's Zydis comes without a file for pkg-config.
ifneq ($(shell echo '\#include <Zydis/Zydis.h>' | $(CC) -E - >/dev/null 2>&1 && echo 1),)
OPTDEFS += -DHAVE_ZYDIS
ZYDIS   := -lZydis
endif

CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE $(OPTDEFS)
# Without any trace point, to see what they cost when they are off (tests/bench/trace_cost).
ifeq ($(NOTRACE),1)
CPPFLAGS += -DCOLDBOOT_NO_TRACE
endif
WARN     := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef \
            -Wwrite-strings -Wno-unused-parameter
CFLAGS   ?= -g
CFLAGS   += -std=gnu11 $(WARN) -fno-strict-aliasing -fno-common -pthread
ifeq ($(SAN),1)
CFLAGS   += -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=address,undefined
else ifeq ($(DEBUG),1)
CFLAGS   += -O0
else
CFLAGS   += -O2
endif
LDFLAGS  += -Wl,--as-needed
LDLIBS   += -pthread -lz -lm $(if $(OPTLIBS),$(shell pkg-config --libs $(OPTLIBS))) $(ZYDIS)

.PHONY: all lib unit tests demos run test prove bench fuzz print-libs check-layers install clean
all: $(BUILD)/coldboot
lib: $(BUILD)/libcoldboot.a

$(BUILD)/coldboot: $(BUILD)/obj/core/main/main.o $(BUILD)/libcoldboot.a
	$(call note,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The built-in boot image goes where core/main goes, the kernel starter where hw/pc goes.
EMBED   := $(if $(filter core/main/%,$(SRCS)),$(BUILD)/obj/images/embed.o) \
           $(if $(filter hw/pc/%,$(SRCS)),$(BUILD)/obj/bios/embed.o)

$(BUILD)/libcoldboot.a: $(filter-out $(BUILD)/obj/core/main/main.o,$(OBJS)) $(BUILD)/gen/trace_table.o $(EMBED)
	@rm -f $@
	$(call note,AR)
	$(Q)ar qcs $@ $^

$(BUILD)/obj/%.o: %.c | $(TRACE_H)
	@mkdir -p $(@D)
	$(call note,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Trace points
define trace_rule
$(BUILD)/gen/trace/$(subst /,_,$(patsubst %/trace.def,%,$(1))).h: $(1) scripts/gen-trace
	@mkdir -p $$(@D)
	$(Q)$(AWK) -f scripts/gen-trace -v mode=header $$< > $$@
endef
$(foreach t,$(TRACES),$(eval $(call trace_rule,$(t))))
$(BUILD)/gen/trace_table.c: $(TRACES) scripts/gen-trace
	@mkdir -p $(@D)
	$(Q)$(AWK) -f scripts/gen-trace -v mode=table $(TRACES) /dev/null > $@
$(BUILD)/gen/trace_table.o: $(BUILD)/gen/trace_table.c
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The built-in boot image: a boot sector, and behind it the program that it loads.
IMAGES  := $(BUILD)/images
$(IMAGES)/machine.bin: images/machine.asm $(addprefix images/,screen.inc collect.inc pages.inc)
	@mkdir -p $(@D)
	$(call note,NASM)
	$(Q)$(NASM) -w+all -f bin -I images/ -o $@ $<
$(IMAGES)/builtin.img: images/boot.asm $(IMAGES)/machine.bin
	$(call note,IMAGE)
	$(Q)sectors=$$(( ($$(wc -c < $(IMAGES)/machine.bin) + 511) / 512 )) && \
	$(NASM) -w+all -f bin -DPROGRAM_SECTORS=$$sectors -o $(IMAGES)/boot.bin $< && \
	cat $(IMAGES)/boot.bin $(IMAGES)/machine.bin > $@ && truncate -s %512 $@
$(BUILD)/obj/images/embed.o: images/embed.asm $(IMAGES)/builtin.img
	@mkdir -p $(@D)
	$(Q)$(NASM) -w+all -f elf64 -I $(IMAGES)/ -o $@ $<

# The option ROM that starts kernels.
$(BUILD)/bios/kernelboot.bin: bios/kernelboot.asm
	@mkdir -p $(@D)
	$(call note,NASM)
	$(Q)$(NASM) -w+all -f bin -o $@ $<
$(BUILD)/obj/bios/embed.o: bios/embed.asm $(BUILD)/bios/kernelboot.bin
	@mkdir -p $(@D)
	$(Q)$(NASM) -w+all -f elf64 -I $(BUILD)/bios/ -o $@ $<

# Programs that need no firmware (docs/demos.md); `make demos` runs them, on ACCEL=kvm or interp.
ACCEL   ?= auto
DEMOS   := $(patsubst images/demos/%.asm,$(IMAGES)/demos/%.bin,$(sort $(wildcard images/demos/*.asm)))
$(IMAGES)/demos/%.bin: images/demos/%.asm
	@mkdir -p $(@D)
	$(call note,NASM)
	$(Q)$(NASM) -w+all -f bin -o $@ $<
demos: all $(DEMOS)
	@scripts/demos $(BUILD)/coldboot $(ACCEL) $(IMAGES)/demos

# Tests: a cmocka program a file, linked with the library; guest programs are flat binaries.
TEST_DIRS := unit insn guest fuzz
TEST_SRCS := $(sort $(wildcard $(TEST_DIRS:%=tests/%/test_*.c)))
TESTS   := $(TEST_SRCS:tests/%.c=$(BUILD)/tests/%)
UNIT    := $(filter $(BUILD)/tests/unit/%,$(TESTS))
GUESTS  := $(patsubst tests/guest/%.asm,$(BUILD)/tests/guest/%.bin,$(sort $(wildcard tests/guest/*.asm)))
unit: $(UNIT)
tests: $(TESTS) $(GUESTS) $(DEMOS)
$(TESTS): $(BUILD)/tests/%: tests/%.c $(BUILD)/libcoldboot.a
	@mkdir -p $(@D)
	$(call note,TEST)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libcoldboot.a $(LDFLAGS) -lcmocka $(LDLIBS)
$(BUILD)/tests/guest/%.bin: tests/guest/%.asm $(wildcard tests/guest/*.inc)
	@mkdir -p $(@D)
	$(call note,NASM)
	$(Q)$(NASM) -f bin -I tests/guest/ -o $@ $<

# For users. `run` and `test` install missing Debian packages and say so; nothing else does. IMAGE: what
# to boot; ALSO: folders of other builds whose tests count, too.
IMAGE   ?=
ALSO    ?=
JOBS    := -j$(shell nproc 2>/dev/null || echo 1)
SUB     := $(MAKE) --no-print-directory $(if $(filter 1,$(V)),,-s) BUILD=$(BUILD)
run:
	@scripts/install-deps build
	@$(SUB) $(JOBS) all
	@scripts/run-image $(BUILD)/coldboot "$(IMAGE)"

test:
	@scripts/install-deps build test
	@$(SUB) $(JOBS) all tests
	@scripts/run-tests $(if $(filter 1,$(SAN)),--reduced) $(ALSO:%=--also %) $(BUILD)

BENCHES := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/bench/*.c)))
$(BENCHES): $(BUILD)/tests/%: tests/%.c $(BUILD)/libcoldboot.a
	@mkdir -p $(@D)
	$(call note,BENCH)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libcoldboot.a $(LDFLAGS) $(LDLIBS)
bench: all $(BENCHES)
	@tests/bench/measure $(BUILD)
	@$(SUB) BUILD=$(BUILD)/notrace NOTRACE=1 all
	@tests/bench/trace_cost $(BUILD) $(BUILD)/notrace

# The long proofs of the software CPU (docs/cpu-proof.md): CASES a row and mode for each of SEEDS.
CASES   ?= 2000
SEEDS   ?= 1 2 3
prove: all tests
	@scripts/prove $(BUILD) $(CASES) $(SEEDS)

# Guided by what code they reach; needs clang. SECONDS: how long.
SECONDS ?= 60
fuzz:
	@scripts/fuzz $(SECONDS)
print-libs:
	@echo $(LDLIBS)

check-layers:
	@scripts/check-layers

PREFIX  ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BUILD)/coldboot $(DESTDIR)$(PREFIX)/bin/coldboot
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(BUILD)/coldboot -help-man > $(DESTDIR)$(PREFIX)/share/man/man1/coldboot.1
	$(BUILD)/coldboot -help-completion > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/coldboot

clean:
	rm -rf build

-include $(OBJS:.o=.d) $(TESTS:=.d)
