/* From a place and a label to an outcome: depth first, memoised per label, loops recognised.
 *
 * A place is (table, the named port by which the device was entered, what translations did to the header, label). A
 * place on the way that is met again closes a loop (`low`: the highest such place). A chain of single next hops that
 * bites its own tail is a loop for all of it; places of a loop that branches stay open until its highest place is done,
 * then they are settled together. Ports with policies are places too: policies forward without a lookup.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define DEEPEST 4000
#define NEVER INT32_MAX

static int32_t walk_place(Engine *e, int32_t table, int32_t context, int32_t state, int64_t label, int32_t *low);
static int32_t walk_steps(Engine *e, int32_t table);
static int32_t walk_in(Engine *e, int32_t port, int32_t at, int32_t state, int64_t label, int32_t *low);
static int32_t walk_out(Engine *e, int32_t port, int32_t at, int32_t context, int32_t state, int64_t label, int32_t *low);

/* The segment of a label. While labels ascend it is mostly where the table's last one was, or next to it. */
static Cursor segment_at(const Engine *e, int32_t table, int64_t label) {
    const List *list = &e->table[table];
    Cursor at = e->hint[table];
    if (!e->ascending) return list_find(list, label);
    bool near = at.chunk < list->count && at.at < list_chunk(list, at.chunk)->count &&
                list_chunk(list, at.chunk)->start[at.at] <= label;
    for (int tries = 0; near && label >= list_end(list, at); tries++) near = tries < 3 && list_next(list, &at);
    if (!near) at = list_find(list, label);
    e->hint[table] = at;
    return at;
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

/* The group that a table has for a label; narrows `end` when it is the label at hand. */
static inline int32_t lookup(Engine *e, int32_t table, int64_t label) {
    e->work++;
    if (label != e->here) {
        int64_t unused = LABEL_END;
        return group_at(e, table, label, &unused);
    }
    int64_t *end = table == e->apart ? &e->apart_end : &e->end;
    int32_t group = e->sweeping ? e->current[table] : group_at(e, table, label, end);
    if (table == e->override_table) group = e->override_group;
    if (e->seeing && (ints_push(&e->seen, table) || ints_push(&e->seen, group))) e->error = NO_MEMORY;
    return group;
}

/* ---- ports ---- */
static int32_t variant(const Engine *e, int32_t filter, int32_t context) {
    int32_t from = e->in.named_first[filter], to = e->in.named_first[filter + 1];
    for (int32_t i = from; i < to; i++)
        if (e->in.named[i] == context) return e->in.variant_first[filter] + 1 + i - from;
    return e->in.variant_first[filter];
}

static int64_t rewritten(Engine *e, int32_t rule, int64_t label) {
    int64_t from = e->in.map_first[rule], to = e->in.map_first[rule + 1];
    while (to - from > 1) {
        int64_t middle = (from + to) / 2;
        if (e->in.map_start[middle] <= label)
            from = middle;
        else
            to = middle;
    }
    if (label == e->here && from + 1 < e->in.map_first[rule + 1] && e->in.map_start[from + 1] < e->end)
        e->end = e->in.map_start[from + 1];
    return e->in.map_target[from];
}

static bool may_match(Engine *e, int32_t rule, int32_t context, int64_t label) {
    int32_t named = e->in.rule_context[rule];
    if (named && named != context) return false;
    int64_t low = e->in.rule_low[rule], high = e->in.rule_high[rule];
    int32_t column = (int32_t)e->in.tables + rule;
    if (e->seeing && label == e->here && (ints_push(&e->seen, column) || ints_push(&e->seen, e->current[column])))
        e->error = NO_MEMORY;
    if (label == e->here) { /* the answer holds as long as the label stays on its side of the rule's range */
        if (label < low && low < e->end) e->end = low;
        if (label >= low && label < high && high < e->end) e->end = high;
    }
    return label >= low && label < high;
}

static int32_t walk_side(Engine *e, bool in, int32_t port, int32_t at, const Place *place, int32_t *low) {
    if (in) return walk_in(e, port, at, place->state, place->label, low);
    return walk_out(e, port, at, place->context, place->state, place->label, low);
}

static int32_t walk_rules(Engine *e, int32_t translation, bool in, int32_t port, int32_t at, Place place, int32_t *low) {
    int32_t from = e->in.translation_first[translation], to = e->in.translation_first[translation + 1];
    int64_t base = e->scratch.count;
    for (int32_t rule = from; rule < to; rule++)
        if (may_match(e, rule, place.context, place.label) && ints_push(&e->scratch, rule)) e->error = NO_MEMORY;
    int32_t node = walk_side(e, in, port, at, &place, low); /* nothing matches */
    while (e->scratch.count > base) {                       /* the last rule first: each wraps what follows it */
        int32_t rule = e->scratch.at[--e->scratch.count];
        Place after = place;
        after.state = state_after(e, place.state, rule);
        if (e->in.rule_kind[rule]) after.label = rewritten(e, rule, place.label);
        int32_t child = walk_side(e, in, port, at, &after, low);
        int32_t pair[2] = {node_make(e, REWRITE, rule, &child, 1), node};
        node = node_make(e, BRANCH_RULE, rule, pair, 2);
    }
    return node;
}

static int32_t walk_filter(Engine *e, int32_t filter, int32_t context, int32_t child) {
    return node_make(e, FILTER, variant(e, filter, context), &child, 1);
}

static int32_t walk_group(Engine *e, int32_t group, int32_t context, int32_t state, int64_t label, int32_t *low);

static int32_t walk_policy(Engine *e, int32_t policy, int32_t port, int32_t at, int32_t state, int64_t label, int32_t *low) {
    int32_t context = e->in.port_context[port], node = walk_in(e, port, at + 1, state, label, low);
    for (int32_t row = e->in.policy_first[policy + 1] - 1; row >= e->in.policy_first[policy]; row--) {
        int32_t pair[2] = {walk_group(e, e->in.policy_group[row], context, state, label, low), node};
        node = node_make(e, BRANCH_FILTER, variant(e, e->in.policy_filter[row], context), pair, 2);
    }
    return node;
}

/* A packet enters by a port and has passed the first `at` of its ingress operations. */
static int32_t walk_in(Engine *e, int32_t port, int32_t at, int32_t state, int64_t label, int32_t *low) {
    int32_t table = e->in.port_table[port], context = e->in.port_context[port];
    int32_t row = e->in.ingress_first[port] + at;
    if (row == e->in.ingress_first[port + 1]) {
        bool first = e->sweeping && !e->way.count && !context && !state && label == e->here;
        return first ? walk_steps(e, table) : walk_place(e, table, context, state, label, low);
    }
    int32_t index = e->in.ingress_index[row], kind = e->in.ingress_kind[row];
    if (kind == 0) return walk_filter(e, index, context, walk_in(e, port, at + 1, state, label, low));
    if (kind == 1) return walk_rules(e, index, true, port, at + 1, (Place){label, table, context, state}, low);
    return walk_policy(e, index, port, at, state, label, low);
}

static bool has_policy(const Engine *e, int32_t port) {
    for (int32_t row = e->in.ingress_first[port]; row < e->in.ingress_first[port + 1]; row++)
        if (e->in.ingress_kind[row] == 2) return true;
    return false;
}

static int32_t walk_enter(Engine *e, int32_t port, int32_t state, int64_t label, int32_t *low) {
    if (!has_policy(e, port)) return walk_in(e, port, 0, state, label, low);
    return walk_place(e, (int32_t)e->in.tables + port, e->in.port_context[port], state, label, low);
}

/* A packet leaves by a port and has passed the first `at` of its egress operations. */
static int32_t walk_out(Engine *e, int32_t port, int32_t at, int32_t context, int32_t state, int64_t label, int32_t *low) {
    int32_t row = e->in.egress_first[port] + at;
    if (row == e->in.egress_first[port + 1]) {
        int32_t peer = e->in.port_peer[port];
        if (peer >= 0) return e->up[peer] ? walk_enter(e, peer, state, label, low) : DROP;
        return e->in.port_zone[port] >= 0 ? node_make(e, DELIVER, e->in.port_zone[port], NULL, 0) : DROP;
    }
    int32_t index = e->in.egress_index[row];
    if (e->in.egress_kind[row] == 1)
        return walk_rules(e, index, false, port, at + 1, (Place){label, NOBODY, context, state}, low);
    return walk_filter(e, index, context, walk_out(e, port, at + 1, context, state, label, low));
}

static int32_t walk_hop(Engine *e, int32_t hop, int32_t context, int32_t state, int64_t label, int32_t *low) {
    int32_t target = e->hop_target.at[hop];
    switch (e->hop_kind.at[hop]) {
    case 0:
        return e->up[target] ? walk_out(e, target, 0, context, state, label, low) : DROP;
    case 1:
        return walk_place(e, target, context, state, label, low);
    case 2:
        return DROP;
    default:
        return node_make(e, UNKNOWN, target, NULL, 0);
    }
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

/* All next hops of a group: one outcome, or EITHER of several (those of an EITHER below count as our own). */
static int32_t walk_group(Engine *e, int32_t group, int32_t context, int32_t state, int64_t label, int32_t *low) {
    if (group < 0) return DROP;
    const Fast *fast = &e->fast[group];
    if (fast->node >= 0) return fast->node;
    int64_t base = e->scratch.count;
    int32_t last = NOBODY;
    for (int32_t hop = e->group_first.at[group]; hop < e->group_first.at[group + 1] && !e->error; hop++) {
        int32_t child = walk_hop(e, hop, context, state, label, low);
        if (child == last) continue;
        last = child;
        if (e->nodes.kind.at[child] != EITHER) {
            add_child(e, base, child);
            continue;
        }
        for (int32_t i = e->nodes.first.at[child]; i < e->nodes.first.at[child + 1]; i++)
            add_child(e, base, e->nodes.children.at[i]);
    }
    int32_t count = (int32_t)(e->scratch.count - base), node = DROP;
    if (count == 1) node = e->scratch.at[base];
    if (count > 1) node = node_make(e, EITHER, 0, e->scratch.at + base, count);
    e->scratch.count = base;
    return node;
}

/* What a group does when it does not branch and no operation is on its way. */
void group_refresh(Engine *e, int32_t group) {
    Fast *fast = &e->fast[group];
    int32_t first = e->group_first.at[group], count = e->group_first.at[group + 1] - first;
    *fast = (Fast){NOBODY, NOBODY, count ? NOBODY : DROP};
    if (count != 1) return;
    int32_t kind = e->hop_kind.at[first], target = e->hop_target.at[first];
    if (kind == 1) fast->next = target;
    if (kind == 2) fast->node = DROP;
    if (kind == 3) fast->node = node_make(e, UNKNOWN, target, NULL, 0);
    if (kind) return;
    int32_t peer = e->in.port_peer[target];
    if (!e->up[target]) {
        fast->node = DROP;
    } else if (e->in.egress_first[target] == e->in.egress_first[target + 1]) {
        if (peer >= 0 && !e->up[peer]) {
            fast->node = DROP;
        } else if (peer < 0) {
            int32_t zone = e->in.port_zone[target];
            fast->node = zone >= 0 ? node_make(e, DELIVER, zone, NULL, 0) : DROP;
        } else if (e->in.ingress_first[peer] == e->in.ingress_first[peer + 1]) {
            fast->next = e->in.port_table[peer];
            fast->context = e->in.port_context[peer];
        }
    }
}

/* ---- the way ---- */
static bool too_far(Engine *e) {
    if (e->work > e->limit) e->error = TOO_MANY_WAYS;
    if (e->depth > DEEPEST) e->error = TOO_DEEP;
    return e->error != OK;
}

static void settle(Engine *e, int32_t at, int32_t node, int32_t passes) {
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
static void close_loop(Engine *e, int64_t first, int32_t passes) {
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
static int32_t remember(Engine *e, int64_t base, int64_t opened, int32_t low, int32_t node, int32_t passes) {
    int64_t loop = low == NEVER ? e->way.count : low < base ? base : low;
    for (int64_t i = loop; i < e->way.count; i++) {
        e->slot[e->way.at[i]].position = low;
        if (ints_push(&e->open, e->way.at[i])) e->error = NO_MEMORY;
    }
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

static int32_t walk_place(Engine *e, int32_t table, int32_t context, int32_t state, int64_t label, int32_t *low) {
    int64_t base = e->way.count, opened = e->open.count;
    int32_t above = e->passes, mine = NEVER, node;
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
                e->passes |= MET_A_LOOP;
                if (slot->position < base) mine = slot->position; /* else a chain that bites its own tail */
            }
            break;
        }
        slot->stamp = e->stamp;
        slot->node = NOBODY;
        slot->position = (int32_t)e->way.count;
        slot->state = state;
        if (ints_push(&e->way, at)) e->error = NO_MEMORY;
        if (e->error) {
            node = DROP;
            break;
        }
        if (table == e->watched) e->passes |= PASSES_WATCHED;
        int32_t group = NOBODY;
        if (table < e->in.tables) {
            group = lookup(e, table, label);
            node = group < 0 ? DROP : e->fast[group].node;
            if (node >= 0) break;
            if (e->fast[group].next >= 0) {
                table = e->fast[group].next;
                if (e->fast[group].context >= 0) context = e->fast[group].context;
                continue;
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
    if (mine < base && mine < *low) *low = mine;
    e->passes |= above;
    return node;
}

/* A table's step while sweeping, for packets that entered by no named port. */
int32_t step_of(const Engine *e, int32_t group) {
    if (group < 0) return -1 - DROP;
    const Fast *fast = &e->fast[group];
    if (fast->next >= 0) return fast->context > 0 ? BRANCHES : fast->next;
    return fast->node >= 0 ? -1 - fast->node : BRANCHES;
}

/* The outcome of a table that nothing led to yet, while sweeping: follow steps as long as nothing branches. */
static int32_t walk_steps(Engine *e, int32_t table) {
    int32_t *chain = e->chain, count = 0, node;
    for (;;) {
        Mark *mark = &e->mark[table];
        if (mark->stamp == e->stamp) {
            node = mark->node == NOBODY ? LOOP : mark->node;
            break;
        }
        int32_t step = e->step[table];
        if (step == BRANCHES) {
            int32_t low = NEVER;
            node = walk_place(e, table, 0, 0, e->here, &low);
            if (e->passes & MET_A_LOOP) { /* the chain may be part of that loop, and then has an outcome of its own */
                for (int32_t i = 0; i < count; i++) e->mark[chain[i]].stamp = 0;
                return count ? walk_place(e, chain[0], 0, 0, e->here, &low) : node;
            }
            *mark = (Mark){e->stamp, node};
            break;
        }
        *mark = (Mark){e->stamp, NOBODY};
        chain[count++] = table;
        if (step < 0) {
            node = -1 - step;
            break;
        }
        table = step;
    }
    for (int32_t i = 0; i < count; i++) e->mark[chain[i]].node = node;
    if (e->seeing)
        for (int32_t i = 0; i < count; i++)
            if (ints_push(&e->seen, chain[i]) || ints_push(&e->seen, e->current[chain[i]])) e->error = NO_MEMORY;
    e->work += count;
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
    e->watched = e->apart = e->override_table = e->flipped = NOBODY;
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
