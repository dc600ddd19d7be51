#include "core/accel/idle.h"

#define FEW_INSNS 20000 /* a DOS prompt's loop through its drivers takes some thousand */
#define PATIENCE  24    /* polls in a row before the first rest */

bool idle_is_poll(unsigned vector, unsigned ax)
{
    unsigned ah = ax >> 8;
    switch (vector) {
    case 0x16: return ah == 0x01 || ah == 0x11;
    case 0x1a: return ah == 0x00;
    case 0x28: return true;
    case 0x2f: return ax == 0x1680;
    default: return false;
    }
}

bool idle_poll(struct idle *i, uint64_t icount, uint64_t accesses)
{
    bool quiet = icount - i->icount <= FEW_INSNS && accesses == i->accesses;
    i->icount = icount;
    i->accesses = accesses;
    i->streak = quiet ? i->streak + (i->streak < PATIENCE) : 0;
    return i->streak >= PATIENCE;
}
