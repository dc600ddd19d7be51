#include "core/accel/idle.h"

#define FEW_INSNS 20000 /* a DOS prompt's loop through its drivers takes some thousand */
#define PATIENCE  24    /* polls in a row before the first rest */

#define SPIN_INSNS    64     /* a turn of a loop that looks at the time-stamp counter takes 20 */
#define SPIN_PATIENCE 16     /* PAUSEs in a row that make a loop */
#define SPIN_NS       250000 /* a rest takes tens of microseconds at least: not before */
#define SPIN_PART     8
#define SPIN_REST_NS  100000 /* the longest one */

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

bool idle_spin(struct idle_spin *s, uint64_t icount, uint64_t accesses, bool waits)
{
    bool again = waits && icount - s->icount <= SPIN_INSNS && accesses == s->accesses;
    s->icount = icount;
    s->accesses = accesses;
    s->streak = again ? s->streak + (s->streak <= SPIN_PATIENCE) : 0;
    return s->streak >= SPIN_PATIENCE;
}

int64_t idle_spin_rest(struct idle_spin *s, int64_t now_ns)
{
    if (s->streak == SPIN_PATIENCE) {
        s->since_ns = now_ns;
    }
    int64_t waited = now_ns - s->since_ns, part = waited / SPIN_PART;
    if (waited < SPIN_NS) {
        return 0;
    }
    return part < SPIN_REST_NS ? part : SPIN_REST_NS;
}
