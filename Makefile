# coldboot: `make run` boots, `make test` tests; `make` only builds. See README.md.

MAKEFLAGS += --no-builtin-rules
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?= 0
DEBUG   ?= 0
BUILD   ?= build$(if $(filter 1,$(SAN)),/san)$(if $(filter 1,$(DEBUG)),/debug)
AWK     ?= awk
NASM    ?= nasm

# Folders to build from; a chip's author may name fewer: make DIRS="core/base hw/chips" lib
DIRS    ?= core hw
SRCS    := $(sort $(shell find $(DIRS) -name '*.c'))
OBJS    := $(SRCS:%.c=$(BUILD)/obj/%.o)
TRACES  := $(sort $(shell find core hw -name trace.def))
TRACE_H := $(foreach t,$(TRACES),$(BUILD)/gen/trace/$(subst /,_,$(patsubst %/trace.def,%,$(t))).h)

# Optional libraries: absent ones cost the feature that uses them, never the build.
have     = $(shell pkg-config --exists $(1) 2>/dev/null && echo 1)
OPTLIBS := $(foreach l,libpng zydis,$(if $(call have,$(l)),$(l)))
OPTDEFS := $(foreach l,$(OPTLIBS),-DHAVE_$(shell echo $(l) | tr a-z A-Z))

CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE $(OPTDEFS)
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
LDLIBS   += -pthread -lz -lm $(if $(OPTLIBS),$(shell pkg-config --libs $(OPTLIBS)))

.PHONY: all lib clean unit
all: $(BUILD)/coldboot
lib: $(BUILD)/libcoldboot.a

$(BUILD)/coldboot: $(BUILD)/obj/core/main/main.o $(BUILD)/libcoldboot.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libcoldboot.a: $(filter-out $(BUILD)/obj/core/main/main.o,$(OBJS)) $(BUILD)/gen/trace_table.o
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/obj/%.o: %.c | $(TRACE_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Trace points
define trace_rule
$(BUILD)/gen/trace/$(subst /,_,$(patsubst %/trace.def,%,$(1))).h: $(1) scripts/gen-trace
	@mkdir -p $$(@D)
	$(AWK) -f scripts/gen-trace -v mode=header $$< > $$@
endef
$(foreach t,$(TRACES),$(eval $(call trace_rule,$(t))))
$(BUILD)/gen/trace_table.c: $(TRACES) scripts/gen-trace
	@mkdir -p $(@D)
	$(AWK) -f scripts/gen-trace -v mode=table $(TRACES) /dev/null > $@
$(BUILD)/gen/trace_table.o: $(BUILD)/gen/trace_table.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Unit tests: one program a file, linked with the library.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
unit: $(UNIT)
$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/libcoldboot.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libcoldboot.a $(LDFLAGS) -lcmocka $(LDLIBS)

clean:
	rm -rf build

-include $(OBJS:.o=.d) $(UNIT:=.d)
