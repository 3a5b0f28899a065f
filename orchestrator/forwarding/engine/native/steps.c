/* What a group of next hops does where nothing branches, known ahead; and walks that follow such steps while sweeping. */
#include "walk.h"

#define PASS_FILTER 0 /* OperationKind of network.py */

/* The filter among a port's operations (NOBODY: none), for packets that entered by an unnamed port; false: there is more. */
static bool only_filter(const Engine *e, const int32_t *first, const int32_t *kind, const int32_t *index, int32_t port,
                        int32_t *variant) {
    int32_t row = first[port], count = first[port + 1] - row;
    bool one = count == 1 && kind[row] == PASS_FILTER;
    *variant = one ? variant_of(e, index[row], 0) : NOBODY;
    return one || !count;
}

/* All goes out by one port that is up: into another table, to a zone, or nowhere. */
static void refresh_port(Engine *e, Fast *fast, int32_t port) {
    const Input *in = &e->in;
    int32_t peer = in->port_peer[port], out, into;
    bool bare = in->egress_first[port] == in->egress_first[port + 1];
    if (peer < 0 || !e->up[peer]) {
        bool zone = peer < 0 && in->port_zone[port] >= 0;
        if (bare) fast->node = zone ? node_make(e, DELIVER, in->port_zone[port], NULL, 0) : DROP;
    } else if (bare && in->ingress_first[peer] == in->ingress_first[peer + 1]) {
        fast->next = in->port_table[peer];
        fast->context = in->port_context[peer];
    } else if (!in->port_context[peer] &&
               only_filter(e, in->egress_first, in->egress_kind, in->egress_index, port, &out) &&
               only_filter(e, in->ingress_first, in->ingress_kind, in->ingress_index, peer, &into)) {
        fast->behind = in->port_table[peer];
        fast->out = out;
        fast->in = into;
    }
}

static Fast does(Engine *e, int32_t kind, int32_t target) {
    Fast fast = {NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, false};
    if (kind == 1) fast.next = target;
    if (kind == 2 || (kind == 0 && !e->up[target])) fast.node = DROP;
    if (kind == 3) fast.node = node_make(e, UNKNOWN, target, NULL, 0);
    if (kind == 0 && e->up[target]) refresh_port(e, &fast, target);
    return fast;
}

static bool bare(const Fast *fast) { return fast->node >= 0 || fast->behind >= 0 || (fast->next >= 0 && fast->context <= 0); }

/* What a group's hops do, and the group where it does not branch or only splits. */
void group_refresh(Engine *e, int32_t group) {
    int32_t first = e->group_first.at[group], end = e->group_first.at[group + 1];
    bool splits = end - first > 1;
    for (int32_t hop = first; hop < end; hop++) {
        e->hop_fast[hop] = does(e, e->hop_kind.at[hop], e->hop_target.at[hop]);
        splits = splits && bare(&e->hop_fast[hop]);
    }
    int32_t node = first == end ? DROP : NOBODY;
    e->fast[group] = end - first == 1 ? e->hop_fast[first] : (Fast){NOBODY, NOBODY, node, NOBODY, NOBODY, NOBODY, splits};
}

/* A table's step while sweeping, for packets that entered by no named port. */
int32_t step_of(const Engine *e, int32_t group) {
    if (group < 0) return -1 - DROP;
    const Fast *fast = &e->fast[group];
    if (fast->next >= 0) return fast->context > 0 ? BRANCHES : fast->next;
    if (fast->behind >= 0) return FILTERED;
    if (fast->splits) return SPLITS;
    return fast->node >= 0 ? -1 - fast->node : BRANCHES;
}

/* An outcome behind the filters of a hop. */
int32_t behind_filters(Engine *e, const Fast *fast, int32_t node) {
    if (fast->in >= 0) node = node_make(e, FILTER, fast->in, &node, 1);
    if (fast->out >= 0) node = node_make(e, FILTER, fast->out, &node, 1);
    return node;
}

/* Tables on the way whose steps have been followed, in e->chain from `first` on; `filtered`: how many of them lead
 * through filters. A chain that begins behind a split goes on from those before it. */
typedef struct Chain {
    int32_t first, count, filtered;
} Chain;

static int32_t outcome_of(Engine *e, int32_t first, int32_t table, bool *apart);

/* Nothing is known of the tables of a chain: they are walked with care. */
static int32_t give_up(Engine *e, const Chain *chain, bool *apart) {
    for (int32_t i = 0; i < chain->count; i++) e->mark[e->chain[chain->first + i]].stamp = 0;
    *apart = true;
    return DROP;
}

/* All hops of a group that splits, behind the chain. */
static int32_t split(Engine *e, const Chain *chain, int32_t group, bool *apart) {
    int64_t base = e->scratch.count;
    int32_t end = e->group_first.at[group + 1], last = NOBODY;
    if (++e->depth > DEEPEST) e->error = TOO_DEEP;
    for (int32_t hop = e->group_first.at[group]; hop < end && !e->error && !*apart; hop++) {
        const Fast *fast = &e->hop_fast[hop];
        int32_t node = fast->node;
        if (node < 0) node = outcome_of(e, chain->first + chain->count, fast->next >= 0 ? fast->next : fast->behind, apart);
        if (fast->behind >= 0 && !*apart) node = behind_filters(e, fast, node);
        if (node != last) add_outcome(e, base, node);
        last = node;
    }
    e->depth--;
    if (*apart) e->scratch.count = base;
    return *apart ? DROP : either_of(e, base);
}

/* Follow steps from a table as long as nothing branches; what the last one ends in. `apart`: the chain's tables may have
 * outcomes of their own, a loop or more than the destination is about. */
static int32_t follow(Engine *e, Chain *chain, int32_t table, bool *apart) {
    for (;;) {
        Mark *mark = &e->mark[table];
        if (mark->stamp == e->stamp) {
            if (mark->node != NOBODY) return mark->node;
            *apart = chain->first || chain->filtered; /* else a chain that bites its own tail: all of it goes round */
            return LOOP;
        }
        const Slot *slot = &e->slot[table];
        if (slot->stamp == e->stamp && slot->node != NOBODY && !slot->state) { /* it has been walked with care */
            *apart = (slot->passes & MET_A_LOOP) != 0;
            return slot->node;
        }
        int32_t step = e->step[table];
        if (step == BRANCHES) {
            int32_t low = NEVER, node = walk_place(e, table, 0, 0, e->here, &low);
            *apart = (e->passes & MET_A_LOOP) != 0;
            if (!*apart) *mark = (Mark){e->stamp, node};
            return node;
        }
        *mark = (Mark){e->stamp, NOBODY};
        e->chain[chain->first + chain->count++] = table;
        if (step == SPLITS) return split(e, chain, e->current[table], apart);
        if (step == FILTERED) {
            step = e->fast[e->current[table]].behind;
            if (++chain->filtered > DEEPEST) e->error = TOO_DEEP;
        } else if (step < 0) {
            return -1 - step;
        }
        if (e->error) return DROP;
        table = step;
    }
}

/* The outcome of a table whose chain stands in e->chain from `first` on. */
static int32_t outcome_of(Engine *e, int32_t first, int32_t table, bool *apart) {
    Chain chain = {first, 0, 0};
    int32_t node = follow(e, &chain, table, apart);
    if (*apart) return give_up(e, &chain, apart);
    for (int32_t i = chain.count - 1; i >= 0; i--) {
        int32_t at = e->chain[first + i];
        if (e->step[at] == FILTERED) node = behind_filters(e, &e->fast[e->current[at]], node);
        e->mark[at].node = node;
    }
    if (e->seeing)
        for (int32_t i = first; i < first + chain.count; i++)
            if (ints_push(&e->seen, e->chain[i]) || ints_push(&e->seen, e->current[e->chain[i]])) e->error = NO_MEMORY;
    e->work += chain.count;
    return node;
}

/* The outcome of a table that nothing led to yet, while sweeping. */
int32_t walk_steps(Engine *e, int32_t table) {
    bool apart = false;
    int32_t low = NEVER, node = outcome_of(e, 0, table, &apart);
    return apart ? walk_place(e, table, 0, 0, e->here, &low) : node;
}
