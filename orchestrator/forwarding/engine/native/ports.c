/* Through ports: what filters, translations and policies on the way in and out make of an outcome behind them. */
#include "walk.h"

int32_t variant_of(const Engine *e, int32_t filter, int32_t context) {
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

static int32_t walk_out(Engine *e, int32_t port, int32_t at, int32_t context, int32_t state, int64_t label, int32_t *low);

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
    return node_make(e, FILTER, variant_of(e, filter, context), &child, 1);
}

static int32_t walk_policy(Engine *e, int32_t policy, int32_t port, int32_t at, int32_t state, int64_t label, int32_t *low) {
    int32_t context = e->in.port_context[port], node = walk_in(e, port, at + 1, state, label, low);
    for (int32_t row = e->in.policy_first[policy + 1] - 1; row >= e->in.policy_first[policy]; row--) {
        int32_t pair[2] = {walk_group(e, e->in.policy_group[row], context, state, label, low), node};
        node = node_make(e, BRANCH_FILTER, variant_of(e, e->in.policy_filter[row], context), pair, 2);
    }
    return node;
}

/* A packet enters by a port and has passed the first `at` of its ingress operations. */
int32_t walk_in(Engine *e, int32_t port, int32_t at, int32_t state, int64_t label, int32_t *low) {
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

int32_t walk_enter(Engine *e, int32_t port, int32_t state, int64_t label, int32_t *low) {
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

int32_t walk_hop(Engine *e, int32_t hop, int32_t context, int32_t state, int64_t label, int32_t *low) {
    const Fast fast = e->hop_fast[hop]; /* known ahead for most hops */
    if (fast.node >= 0) return fast.node;
    if (fast.next >= 0) return walk_place(e, fast.next, fast.context >= 0 ? fast.context : context, state, label, low);
    if (fast.behind >= 0 && !context)
        return behind_filters(e, &fast, walk_place(e, fast.behind, 0, state, label, low));
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
