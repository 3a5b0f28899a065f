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

/* What a group does when it does not branch, and no more than a filter at each port is on its way. */
void group_refresh(Engine *e, int32_t group) {
    Fast *fast = &e->fast[group];
    int32_t first = e->group_first.at[group], count = e->group_first.at[group + 1] - first;
    *fast = (Fast){NOBODY, NOBODY, count ? NOBODY : DROP, NOBODY, NOBODY, NOBODY};
    if (count != 1) return;
    int32_t kind = e->hop_kind.at[first], target = e->hop_target.at[first];
    if (kind == 1) fast->next = target;
    if (kind == 2 || (kind == 0 && !e->up[target])) fast->node = DROP;
    if (kind == 3) fast->node = node_make(e, UNKNOWN, target, NULL, 0);
    if (kind == 0 && e->up[target]) refresh_port(e, fast, target);
}

/* A table's step while sweeping, for packets that entered by no named port. */
int32_t step_of(const Engine *e, int32_t group) {
    if (group < 0) return -1 - DROP;
    const Fast *fast = &e->fast[group];
    if (fast->next >= 0) return fast->context > 0 ? BRANCHES : fast->next;
    if (fast->behind >= 0) return FILTERED;
    return fast->node >= 0 ? -1 - fast->node : BRANCHES;
}

/* Tables on the way whose steps have been followed; `filtered`: how many of them lead through filters. */
typedef struct Chain {
    int32_t count, filtered;
} Chain;

/* The chain has to be walked with care: a loop is on it, and its tables may have outcomes of their own. */
static int32_t walk_again(Engine *e, const Chain *chain, int32_t table) {
    int32_t low = NEVER;
    for (int32_t i = 0; i < chain->count; i++) e->mark[e->chain[i]].stamp = 0;
    return walk_place(e, chain->count ? e->chain[0] : table, 0, 0, e->here, &low);
}

/* Follow steps from a table as long as nothing branches; what the last one ends in. `apart`: the chain's tables may have
 * outcomes of their own, and that is what becomes of the first. */
static int32_t follow(Engine *e, Chain *chain, int32_t table, bool *apart) {
    for (;;) {
        Mark *mark = &e->mark[table];
        if (mark->stamp == e->stamp) {
            if (mark->node != NOBODY) return mark->node;
            *apart = chain->filtered > 0; /* a chain that bites its own tail: all of it goes round */
            return *apart ? walk_again(e, chain, table) : LOOP;
        }
        int32_t step = e->step[table];
        if (step == BRANCHES) {
            int32_t low = NEVER, node = walk_place(e, table, 0, 0, e->here, &low);
            *apart = (e->passes & MET_A_LOOP) != 0;
            if (*apart) return chain->count ? walk_again(e, chain, table) : node;
            *mark = (Mark){e->stamp, node};
            return node;
        }
        *mark = (Mark){e->stamp, NOBODY};
        e->chain[chain->count++] = table;
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

/* The outcome of a table that nothing led to yet, while sweeping. */
int32_t walk_steps(Engine *e, int32_t table) {
    Chain chain = {0, 0};
    bool apart = false;
    int32_t node = follow(e, &chain, table, &apart);
    if (apart) return node;
    for (int32_t i = chain.count - 1; i >= 0; i--) {
        int32_t at = e->chain[i];
        if (e->step[at] == FILTERED) {
            const Fast *fast = &e->fast[e->current[at]];
            if (fast->in >= 0) node = node_make(e, FILTER, fast->in, &node, 1);
            if (fast->out >= 0) node = node_make(e, FILTER, fast->out, &node, 1);
        }
        e->mark[at].node = node;
    }
    if (e->seeing)
        for (int32_t i = 0; i < chain.count; i++)
            if (ints_push(&e->seen, e->chain[i]) || ints_push(&e->seen, e->current[e->chain[i]])) e->error = NO_MEMORY;
    e->work += chain.count;
    return node;
}
