/* Cells: services that some packet between two classes has that passes a filter, and services that pass between all
   their addresses. A cell is decided when it is first asked for. */
#ifndef ONEFOLD_FILTERS_MATRIX_CELLS_H
#define ONEFOLD_FILTERS_MATRIX_CELLS_H

#include "filters_matrix_inside.h"

static inline uint64_t first_match(const variant_table *t, uint64_t mask)
{
    uint64_t rest = SERVICES, through = 0;
    while (mask && rest) {
        int entry = __builtin_ctzll(mask);
        mask &= mask - 1;
        uint64_t hit = rest & t->hit[entry];
        through |= t->through[entry] ? hit : 0;
        rest &= ~hit;
    }
    return t->otherwise ? through | rest : through;
}

static __attribute__((noinline)) uint64_t fill(const variant_table *t, int64_t from, int64_t to)
{
    uint64_t some = 0, every = SERVICES;
    for (int64_t i = t->source.first[from]; i < t->source.first[from + 1]; i++)
        for (int64_t j = t->destination.first[to]; j < t->destination.first[to + 1]; j++) {
            uint64_t through = first_match(t, t->source.masks[i] & t->destination.masks[j]);
            some |= through;
            every &= through;
        }
    every &= some;
    int64_t cell = to * t->source.count + from;
    uint64_t value = some | KNOWN | (some != every ? VARIES : 0);
    /* two threads may both get here: they write the same, and `every` before the word that says that it is there */
    if (value & VARIES)
        __atomic_store_n(&t->every[cell], every, __ATOMIC_RELAXED);
    __atomic_store_n(&t->some[cell], value, __ATOMIC_RELEASE);
    return value;
}

static inline uint64_t cell_of(const variant_table *t, int64_t from, int64_t to, uint64_t *every)
{
    int64_t cell = to * t->source.count + from;
    uint64_t value = __atomic_load_n(&t->some[cell], __ATOMIC_ACQUIRE);
    if (__builtin_expect(!value, 0))
        value = fill(t, from, to);
    *every = value & VARIES ? __atomic_load_n(&t->every[cell], __ATOMIC_RELAXED) : value & SERVICES;
    return value;
}

/* The way from some places of sources to one of destinations, beginning at a node, lane by lane. Returns a bit for each
   lane that needs a closer look: one service varies within its addresses in two filters. */
static inline __attribute__((always_inline)) uint32_t walk_lanes(const matrix *m, int32_t node, const int32_t *sources,
                                                                 int64_t target, const int lanes, uint64_t services,
                                                                 uint64_t *some, uint64_t *every)
{
    uint64_t varying[LANES] = {0}, conflict[LANES] = {0};
    uint32_t closer = 0;
    for (int k = 0; k < lanes; k++)
        some[k] = every[k] = services;
    for (step s = m->steps[node]; s.variant != CHAIN_END; s = m->steps[s.child]) {
        const hot *h = &m->hots[s.variant];
        const int64_t to = h->to[target], cells = to * h->count;
        uint64_t open = 0;
        for (int k = 0; k < lanes; k++) {
            int64_t from = h->from[sources[k]];
            uint64_t value = __atomic_load_n(&h->some[cells + from], __ATOMIC_ACQUIRE);
            if (__builtin_expect(!value, 0))
                value = fill(&m->tables[s.variant], from, to);
            some[k] &= value;
            open |= some[k];
            if (__builtin_expect(!(value & VARIES), 1)) {
                every[k] &= value;
                continue;
            }
            uint64_t each = __atomic_load_n(&m->tables[s.variant].every[cells + from], __ATOMIC_RELAXED);
            uint64_t vary = value & ~each & SERVICES;
            every[k] &= each;
            conflict[k] |= vary & varying[k];
            varying[k] |= vary;
        }
        if (!open)
            break;
    }
    for (int k = 0; k < lanes; k++) {
        closer |= (uint32_t)((conflict[k] & some[k]) != 0) << k;
        every[k] = some[k] ? every[k] : 0;
    }
    return closer;
}

static inline uint32_t walk(const matrix *m, int32_t node, const int32_t *sources, int64_t target, int64_t lanes,
                            uint64_t services, uint64_t *some, uint64_t *every)
{
    switch (lanes) { /* the compiler makes each of these a loop without a loop */
    case 1:
        return walk_lanes(m, node, sources, target, 1, services, some, every);
    case 2:
        return walk_lanes(m, node, sources, target, 2, services, some, every);
    case 3:
        return walk_lanes(m, node, sources, target, 3, services, some, every);
    default:
        return walk_lanes(m, node, sources, target, LANES, services, some, every);
    }
}

#endif
