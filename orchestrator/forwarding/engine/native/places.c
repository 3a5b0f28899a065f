/* Where a walk keeps what it knows of places off the plain way, and what translations have done to a header so far. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

/* ---- slots ---- */
static uint64_t place_hash(Place p) {
    uint64_t hash = (uint64_t)p.label * 0x9e3779b97f4a7c15u;
    hash ^= ((uint64_t)(uint32_t)p.table << 32 | (uint32_t)p.context) * 0xd1b54a32d192ed03u;
    hash ^= (uint64_t)(uint32_t)p.state * 0xbf58476d1ce4e5b9u;
    return hash ^ (hash >> 29);
}

static int places_grow(Engine *e, int64_t count) {
    int64_t slots = e->place_slots ? e->place_slots * 2 : 1024;
    int32_t *table = calloc((size_t)slots, sizeof *table);
    if (!table) return NO_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = (int64_t)(place_hash(e->place[i]) & (uint64_t)(slots - 1));
        while (table[at]) at = (at + 1) & (slots - 1);
        table[at] = (int32_t)i + 1;
    }
    free(e->place_table);
    e->place_table = table;
    e->place_slots = slots;
    return OK;
}

static int slot_room(Engine *e) {
    if (e->slots < e->slot_room) return OK;
    int64_t base = e->in.tables + e->in.ports, room = e->slot_room * 2 - base + 64;
    Place *place = realloc(e->place, (size_t)room * sizeof *place);
    if (!place) return NO_MEMORY;
    e->place = place;
    Slot *slot = realloc(e->slot, (size_t)(base + room) * sizeof *slot);
    if (!slot) return NO_MEMORY;
    memset(slot + e->slot_room, 0, (size_t)(base + room - e->slot_room) * sizeof *slot);
    e->slot = slot;
    e->slot_room = base + room;
    return OK;
}

/* The slot of a place off the plain way. State NOBODY: whatever translations did to the header before. */
int32_t place_slot(Engine *e, Place place) {
    int64_t base = e->in.tables + e->in.ports;
    int64_t count = e->slots - base;
    if (count * 2 >= e->place_slots && places_grow(e, count)) goto memory;
    int64_t at = (int64_t)(place_hash(place) & (uint64_t)(e->place_slots - 1));
    for (; e->place_table[at]; at = (at + 1) & (e->place_slots - 1)) {
        const Place *other = &e->place[e->place_table[at] - 1];
        if (other->label == place.label && other->table == place.table && other->context == place.context &&
            other->state == place.state)
            return (int32_t)base + e->place_table[at] - 1;
    }
    if (slot_room(e)) goto memory;
    e->place[count] = place;
    e->place_table[at] = (int32_t)count + 1;
    return (int32_t)e->slots++;
memory:
    e->error = NO_MEMORY;
    return 0;
}

/* ---- what translations did to a header ---- */
int64_t state_find(Engine *e, const State *wanted) {
    for (int64_t i = 0; i < e->states; i++) {
        const State *s = &e->state[i];
        if (s->count == wanted->count && s->to_port == wanted->to_port &&
            !memcmp(s->rule, wanted->rule, (size_t)s->count * sizeof(int32_t)))
            return i;
    }
    if (e->states == e->state_room) {
        int64_t room = e->state_room * 2 + 8;
        State *more = realloc(e->state, (size_t)room * sizeof *more);
        if (!more) {
            e->error = NO_MEMORY;
            return 0;
        }
        e->state = more;
        e->state_room = room;
    }
    e->state[e->states] = *wanted;
    return e->states++;
}

/* The state after a rule. A source rewritten by a longer prefix later on forgets the shorter one before it: only what still shows is kept. */
int32_t state_after(Engine *e, int32_t state, int32_t rule) {
    if (!state && e->state_after_start[rule]) return e->state_after_start[rule] - 1;
    State next = e->state[state];
    if (e->in.rule_to_port[rule] != NOBODY) next.to_port = e->in.rule_to_port[rule];
    if (e->in.rule_kind[rule] == 0) {
        int32_t length = e->in.rule_length[rule];
        while (next.count && e->in.rule_length[next.rule[next.count - 1]] <= length) next.count--;
        next.rule[next.count++] = rule;
    }
    int32_t found = (int32_t)state_find(e, &next);
    if (!state) e->state_after_start[rule] = found + 1;
    return found;
}
