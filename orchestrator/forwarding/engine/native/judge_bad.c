/* Stretches of attachments' answers that lead to forbidden zones: ascending and apart, as the caller found them. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

/* The place of the first bad stretch of an attachment that ends behind `low`. */
static int64_t bad_at(const Bad *bad, int64_t low) {
    int64_t from = 0, to = bad->count;
    while (from < to) {
        int64_t middle = (from + to) / 2;
        if (bad->stretch[middle].high <= low)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Whether a bad stretch of an attachment has a part of [low, high). */
bool was_bad(const Judge *judge, int32_t attachment, int64_t low, int64_t high) {
    const Bad *bad = &judge->bad[attachment];
    int64_t at = bad_at(bad, low);
    return at < bad->count && bad->stretch[at].low < high;
}

/* A stretch leads to a forbidden zone for certain: it is bad from now on. False: it is in part already, or memory lacks. */
bool add_bad(Judge *judge, int32_t attachment, Reach one) {
    Bad *bad = &judge->bad[attachment];
    int64_t at = bad_at(bad, one.low);
    if (at < bad->count && bad->stretch[at].low < one.high) {
        const Reach *there = &bad->stretch[at];
        return there->low == one.low && there->high == one.high && there->at == one.at;
    }
    Reach *more = realloc(bad->stretch, ((size_t)bad->count + 1) * sizeof *more);
    if (!more) return false;
    memmove(more + at + 1, more + at, (size_t)(bad->count - at) * sizeof *more);
    more[at] = one;
    *bad = (Bad){bad->count + 1, more};
    return true;
}

/* An attachment's stretches that lead to forbidden zones, instead of those it had. OK or NO_MEMORY. */
int32_t judge_bad(Judge *judge, int32_t attachment, int64_t count, const Reach *stretch) {
    Bad *bad = &judge->bad[attachment];
    Reach *copy = malloc(((size_t)count + 1) * sizeof *copy);
    if (!copy) return NO_MEMORY;
    if (count) memcpy(copy, stretch, (size_t)count * sizeof *copy);
    free(bad->stretch);
    *bad = (Bad){count, copy};
    return OK;
}
