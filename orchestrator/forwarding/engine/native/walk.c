/* From a place and a label to an outcome: depth first, memoised per label, loops recognised.
 *
 * A place is (table, the named port by which the device was entered, what translations did to the header, label). A
 * place on the way that is met again closes a loop (`low`: the highest such place). A chain of single next hops that
 * bites its own tail is a loop for all of it; places of a loop that branches stay open until its highest place is done,
 * then they are settled together. Ports with policies are places too: policies forward without a lookup.
 */
#include "walk.h"

#include <stdlib.h>
#include <string.h>


/* The segment of a label. While labels ascend it is mostly where the table's last one was, or next to it. */
static Cursor segment_at(const Engine *e, int32_t table, int64_t label) {
    const List *list = &e->table[table];
    return e->ascending ? (e->hint[table] = list_near(list, e->hint[table], label)) : list_find(list, label);
}

int32_t group_at(const Engine *e, int32_t table, int64_t label, int64_t *end) {
    Cursor at = segment_at(e, table, label);
    Chunk *chunk = list_chunk(&e->table[table], at.chunk);
    const int32_t *value = chunk_value(chunk);
    int32_t group = value[at.at], last = at.at;
    while (last + 1 < chunk->count && value[last + 1] == group) last++;
    at.at = last;
    int64_t found = last + 1 < chunk->count ? chunk->start[last + 1] : list_end(&e->table[table], at);
    if (found < *end) *end = found;
    return group;
}

static void add_child(Engine *e, int64_t base, int32_t node) {
    Ints *children = &e->scratch;
    int64_t at = base;
    while (at < children->count && children->at[at] < node) at++;
    if (at < children->count && children->at[at] == node) return;
    if (ints_push(children, 0)) {
        e->error = NO_MEMORY;
        return;
    }
    memmove(children->at + at + 1, children->at + at, (size_t)(children->count - 1 - at) * sizeof(int32_t));
    children->at[at] = node;
}

/* One more outcome of several, from `base` of the scratch on; those of an EITHER count each. */
void add_outcome(Engine *e, int64_t base, int32_t node) {
    if (e->nodes.kind.at[node] != EITHER) {
        add_child(e, base, node);
        return;
    }
    for (int32_t i = e->nodes.first.at[node]; i < e->nodes.first.at[node + 1]; i++) add_child(e, base, e->nodes.children.at[i]);
}

/* What has been added from `base` on, as one outcome. */
int32_t either_of(Engine *e, int64_t base) {
    int32_t count = (int32_t)(e->scratch.count - base), node = DROP;
    if (count == 1) node = e->scratch.at[base];
    if (count > 1) node = node_make(e, EITHER, 0, e->scratch.at + base, count);
    e->scratch.count = base;
    return node;
}

/* All next hops of a group: one outcome, or EITHER of several. */
int32_t walk_group(Engine *e, int32_t group, int32_t context, int32_t state, int64_t label, int32_t *low) {
    if (group < 0) return DROP;
    const Fast *fast = &e->fast[group];
    if (fast->node >= 0) return fast->node;
    int64_t base = e->scratch.count;
    int32_t last = NOBODY;
    for (int32_t hop = e->group_first.at[group]; hop < e->group_first.at[group + 1] && !e->error; hop++) {
        int32_t child = walk_hop(e, hop, context, state, label, low);
        if (child != last) add_outcome(e, base, child);
        last = child;
    }
    return either_of(e, base);
}

/* ---- the way ---- */
static bool too_far(Engine *e) {
    if (e->work > e->limit) e->error = TOO_MANY_WAYS;
    if (e->depth > DEEPEST) e->error = TOO_DEEP;
    return e->error != OK;
}

static void settle(Engine *e, int32_t at, int32_t node, uint64_t passes) {
    e->slot[at].node = node;
    e->slot[at].passes = passes;
}

static Place place_of(const Engine *e, int32_t at) {
    int64_t base = e->in.tables + e->in.ports;
    Place place = {e->here, at, 0, 0};
    if (at >= base) place = e->place[at - base];
    if (place.table >= e->in.tables) place.context = e->in.port_context[place.table - e->in.tables];
    place.state = e->slot[at].state;
    return place;
}

/* The outcome of one step from a place, given those of the places it leads to. */
static int32_t expand(Engine *e, Place p, int32_t *low) {
    if (too_far(e)) return DROP;
    if (p.table >= e->in.tables) return walk_in(e, p.table - (int32_t)e->in.tables, 0, p.state, p.label, low);
    int32_t group = lookup(e, p.table, p.label);
    if (group < 0) return DROP;
    const Fast *fast = &e->fast[group];
    if (fast->next < 0) return walk_group(e, group, p.context, p.state, p.label, low);
    int32_t next = fast->next, context = fast->context >= 0 ? fast->context : p.context;
    return walk_place(e, next, context, p.state, p.label, low);
}

/* A loop that branches is closed: e->open from `first` on are its places. A packet that stays in it for as many steps as
 * it has places has been somewhere twice; one that leaves it, leaves within so many. So this often every place is given
 * its outcome by those of the places it leads to, beginning with LOOP; less often when nothing changes any more. */
static void close_loop(Engine *e, int64_t first, uint64_t passes) {
    int64_t count = e->open.count - first, base = e->scratch.count;
    bool seeing = e->seeing, changes = true;
    e->seeing = false; /* all of it was seen on the way in */
    for (int64_t i = 0; i < count; i++) settle(e, e->open.at[first + i], LOOP, passes | MET_A_LOOP);
    if (ints_room(&e->scratch, count)) e->error = NO_MEMORY;
    for (int64_t round = 0; round < count && changes && !e->error; round++) {
        changes = false;
        e->scratch.count = base;
        for (int64_t i = 0; i < count && !e->error; i++) {
            int32_t low = NEVER;
            int32_t node = expand(e, place_of(e, e->open.at[first + i]), &low);
            if (ints_push(&e->scratch, node)) e->error = NO_MEMORY;
        }
        for (int64_t i = 0; i < count && !e->error; i++) {
            Slot *slot = &e->slot[e->open.at[first + i]];
            changes = changes || slot->node != e->scratch.at[base + i];
            slot->node = e->scratch.at[base + i];
        }
    }
    e->scratch.count = base;
    e->open.count = first;
    e->seeing = seeing;
}

/* The way from `base` on has been followed. Places that `low`, a place further up the way, closes a loop with stay open
 * until that one is done; when it is on this part of the way, the loop is closed here. Returns the outcome. */
static int32_t remember(Engine *e, int64_t base, int64_t opened, int32_t low, int32_t node,
                        uint64_t passes) {
    int64_t loop = low == NEVER ? e->way.count : low < base ? base : low;
    for (int64_t i = loop; i < e->way.count; i++)
        if (ints_push(&e->open, e->way.at[i])) e->error = NO_MEMORY;
    if (low < base) /* those that waited for a place of this part of the way wait with it, further up */
        for (int64_t i = opened; i < e->open.count; i++) e->slot[e->open.at[i]].position = low;
    if (low != NEVER && low >= base && !e->error) {
        int32_t root = e->way.at[low];
        int64_t kept = e->way.count;
        close_loop(e, opened, passes);
        e->way.count = kept;
        node = e->slot[root].node;
    }
    for (int64_t i = base; i < loop; i++) settle(e, e->way.at[i], node, passes);
    e->way.count = base;
    return node;
}

/* Places are shared by all header states until one is met again with another state, or its answer holds a loop. */
static int32_t slot_for(Engine *e, int32_t table, int32_t context, int32_t state, int64_t label) {
    bool gate = table >= e->in.tables; /* a port with policies: its context is its own */
    bool plain = label == e->here && (gate || !context);
    int32_t at = plain ? table : place_slot(e, (Place){label, table, context, NOBODY});
    const Slot *slot = &e->slot[at];
    if (slot->stamp != e->stamp || slot->state == state) return at;
    bool open = slot->node == NOBODY || (slot->passes & MET_A_LOOP);
    return open ? place_slot(e, (Place){label, table, context, state}) : at;
}

/* The hub that a place is, where walks read what is known of hubs; else NOBODY. */
static inline int32_t hub_of(const Engine *e, int32_t table, int32_t context) {
    return e->hubs.on && !context && table < e->in.tables ? e->hubs.of[table] : NOBODY;
}

int32_t walk_place(Engine *e, int32_t table, int32_t context, int32_t state, int64_t label, int32_t *low) {
    int64_t base = e->way.count, opened = e->open.count;
    uint64_t above = e->passes;
    int32_t mine = NEVER, node, hub = hub_of(e, table, context);
    e->passes = 0;
    for (;;) {
        int32_t at = slot_for(e, table, context, state, label);
        Slot *slot = &e->slot[at];
        if (slot->stamp == e->stamp) {
            if (slot->node != NOBODY) {
                node = slot->node;
                e->passes |= slot->passes;
            } else {
                node = LOOP;
                e->passes |= table == e->apart ? MET_A_LOOP | MET_APART : MET_A_LOOP;
                if (slot->position < base) mine = slot->position; /* else a chain that bites its own tail */
            }
            if (e->way.count == base) hub = NOBODY; /* it is known, or not done yet */
            break;
        }
        slot->stamp = e->stamp;
        if (hub >= 0 && e->way.count == base) {
            node = slot->node = hub_read(e, hub);
            if (node >= 0) {
                slot->passes = e->passes;
                slot->state = state;
                hub = NOBODY;
                break;
            }
            e->passes |= hub_bit(hub);
        }
        if (table == e->apart) e->passes |= PASSES_APART;
        slot->node = NOBODY;
        slot->position = (int32_t)e->way.count;
        slot->state = state;
        if (ints_push(&e->way, at)) e->error = NO_MEMORY;
        if (e->error) {
            node = DROP;
            break;
        }
        if (table == e->watched) {
            e->passes |= PASSES_WATCHED;
            node = e->watched_node;
            if (node >= 0) break;
        }
        int32_t group = NOBODY;
        if (table < e->in.tables) {
            group = lookup(e, table, label);
            node = group < 0 ? DROP : e->fast[group].node;
            if (node >= 0) break;
            int32_t next = e->fast[group].next;
            if (next >= 0) {
                if (e->fast[group].context >= 0) context = e->fast[group].context;
                if (hub_of(e, next, context) < 0) {
                    table = next;
                    continue;
                }
            }
        }
        e->depth++;
        if (too_far(e))
            node = DROP;
        else if (table >= e->in.tables)
            node = walk_in(e, table - (int32_t)e->in.tables, 0, state, label, &mine);
        else
            node = walk_group(e, group, context, state, label, &mine);
        e->depth--;
        break;
    }
    node = remember(e, base, opened, mine, node, e->passes);
    if (hub >= 0 && mine >= base) hub_keep(e, hub, node, e->passes);
    if (mine < base && mine < *low) *low = mine;
    e->passes |= above;
    return node;
}

/* Allocate what walks need. */
int walk_start(Engine *e) {
    int64_t base = e->in.tables + e->in.ports;
    e->slots = e->slot_room = base;
    e->slot = calloc((size_t)(base + 1), sizeof *e->slot);
    e->state_after_start = calloc((size_t)e->in.rules + 1, sizeof *e->state_after_start);
    e->step = malloc(((size_t)e->in.tables + 1) * sizeof *e->step);
    e->chain = malloc(((size_t)e->in.tables + 1) * sizeof *e->chain);
    e->mark = calloc((size_t)e->in.tables + 1, sizeof *e->mark);
    e->hint = calloc((size_t)e->in.tables + 1, sizeof *e->hint);
    if (!e->hint || !e->step || !e->chain || !e->mark) return e->error = NO_MEMORY;
    State start = {0, NOBODY, {0}};
    if (!e->slot || !e->state_after_start) return e->error = NO_MEMORY;
    state_find(e, &start);
    e->watched = e->watched_node = e->apart = e->override_table = e->flipped = NOBODY;
    return e->error;
}

void walk_begin(Engine *e, int64_t label) {
    int64_t base = e->in.tables + e->in.ports;
    if (e->slots > base) { /* forget places off the plain way */
        for (int64_t i = 0; i < e->slots - base; i++) e->slot[base + i].stamp = 0;
        memset(e->place_table, 0, (size_t)e->place_slots * sizeof *e->place_table);
        e->slots = base;
    }
    if (!++e->stamp) {
        for (int64_t i = 0; i < e->slot_room; i++) e->slot[i].stamp = 0;
        for (int64_t i = 0; i < e->in.tables; i++) e->mark[i].stamp = 0;
        e->stamp = 1;
    }
    e->way.count = e->open.count = 0;
    e->here = label;
    e->end = LABEL_END;
    e->limit = e->work + 2000000 + 64 * e->in.tables;
}

int32_t walk_attachment(Engine *e, int32_t attachment, int64_t label) {
    int32_t low = NEVER, port = e->in.attachment_port[attachment];
    e->passes = 0;
    return e->up[port] ? walk_enter(e, port, 0, label, &low) : DROP;
}

int32_t walk_table(Engine *e, int32_t table, int64_t label) {
    int32_t low = NEVER;
    e->passes = 0;
    return walk_place(e, table, 0, 0, label, &low);
}
