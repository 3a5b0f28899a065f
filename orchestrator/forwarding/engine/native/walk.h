/* What the parts of a walk share: ports.c through ports, steps.c while sweeping, walk.c the rest. */
#ifndef ONEFOLD_WALK_H
#define ONEFOLD_WALK_H

#include "core.h"

#define DEEPEST 4000
#define NEVER INT32_MAX

int32_t walk_place(Engine *e, int32_t table, int32_t context, int32_t state, int64_t label, int32_t *low);
int32_t walk_group(Engine *e, int32_t group, int32_t context, int32_t state, int64_t label, int32_t *low);
int32_t walk_hop(Engine *e, int32_t hop, int32_t context, int32_t state, int64_t label, int32_t *low);
int32_t walk_in(Engine *e, int32_t port, int32_t at, int32_t state, int64_t label, int32_t *low);
int32_t walk_enter(Engine *e, int32_t port, int32_t state, int64_t label, int32_t *low);
int32_t walk_steps(Engine *e, int32_t table);
int32_t behind_filters(Engine *e, const Fast *fast, int32_t node);
void add_outcome(Engine *e, int64_t base, int32_t node);
int32_t either_of(Engine *e, int64_t base);
int32_t variant_of(const Engine *e, int32_t filter, int32_t context);

/* The group that a table has for a label; narrows `end` when it is the label at hand. */
static inline int32_t lookup(Engine *e, int32_t table, int64_t label) {
    e->work++;
    int64_t unused = LABEL_END;
    if (label != e->here) return group_at(e, table, label, &unused);
    int32_t group = e->override_group;
    if (table != e->override_table)
        group = e->sweeping ? e->current[table] : group_at(e, table, label, table == e->apart ? &unused : &e->end);
    if (e->seeing && (ints_push(&e->seen, table) || ints_push(&e->seen, group))) e->error = NO_MEMORY;
    return group;
}

#endif
