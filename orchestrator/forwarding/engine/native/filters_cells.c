/* One set of candidates is decided once: first match over sets of services, then the graph from its leaves on. */
#include "filters_inside.h"

int take(const filter_view *v, int32_t match, uint64_t *rest, uint64_t *into)
{
    /* moves what the match holds of `rest` to `into` (may be NULL); whether anything is left */
    uint64_t left = 0;
    if (v->words) {
        const uint64_t *words = v->words + (int64_t)match * v->width;
        for (int64_t w = 0; w < v->width; w++) {
            if (into)
                into[w] |= rest[w] & words[w];
            rest[w] &= ~words[w];
            left |= rest[w];
        }
        return left != 0;
    }
    for (int64_t run = v->run_first[match]; run < v->run_first[match + 1]; run++) {
        int64_t low = v->runs[2 * run], high = v->runs[2 * run + 1];
        for (int64_t w = low / 64; w <= (high - 1) / 64; w++) {
            uint64_t mask = ~(uint64_t)0;
            if (w == low / 64)
                mask &= ~(uint64_t)0 << (low % 64);
            if (w == (high - 1) / 64)
                mask &= ~(uint64_t)0 >> (63 - (high - 1) % 64);
            if (into)
                into[w] |= rest[w] & mask;
            rest[w] &= ~mask;
        }
    }
    for (int64_t w = 0; w < v->width; w++)
        left |= rest[w];
    return left != 0;
}

/* The first word from `w` on with a bit set, or `words`. */
static int64_t next_word(const uint64_t *row_words, int64_t w, int64_t words)
{
    for (int64_t block = w / 64; block * 64 < words; block++) {
        uint64_t bits = row_words[block];
        if (block == w / 64)
            bits &= ~(uint64_t)0 << (w % 64);
        if (bits)
            return block * 64 + __builtin_ctzll(bits);
    }
    return words;
}

/* The services that the active entries of a slot permit, and of which nobody can tell. */
static void first_match(scratch *s, int64_t slot, const uint64_t *active, uint64_t *permitted, uint64_t *unknown)
{
    const filter_view *v = s->view;
    size_t size = (size_t)v->width * sizeof *permitted;
    memset(permitted, 0, size);
    memset(unknown, 0, size);
    memcpy(s->rest, v->everything, size);
    int64_t begin = s->slot_first[slot], end = s->slot_first[slot + 1];
    int64_t words = (end + 63) / 64;
    for (int64_t w = next_word(s->row_words, begin / 64, words); w < words; w = next_word(s->row_words, w + 1, words)) {
        uint64_t bits = active[w];
        if (w == begin / 64)
            bits &= ~(uint64_t)0 << (begin % 64);
        while (bits) {
            int64_t c = w * 64 + __builtin_ctzll(bits);
            bits &= bits - 1;
            if (c >= end)
                return;
            int64_t e = s->candidate[c];
            int32_t action = v->action[e];
            uint64_t *into = action == ACTION_PERMIT ? permitted : action == ACTION_UNKNOWN ? unknown : NULL;
            if (!take(v, v->match[e], s->rest, into))
                return;
        }
    }
}

static void default_action(scratch *s, int64_t slot, uint64_t *permitted, uint64_t *unknown)
{
    int32_t action = s->view->otherwise[s->view->variant_filter[s->slot_variant[slot]]];
    uint64_t *into = action == ACTION_PERMIT ? permitted : action == ACTION_UNKNOWN ? unknown : NULL;
    for (int64_t w = 0; into && w < s->view->width; w++)
        into[w] |= s->rest[w];
}

/* Whether a node without children is where the packets that are asked for end. */
static int ends_as_asked(const scratch *s, const local_node *node)
{
    switch (node->kind) {
    case NODE_UNKNOWN:
        return s->zone == NO_ANSWER || (s->flags & FILTERS_UPPER) != 0;
    case NODE_DELIVER:
        return s->zone == ANY_ZONE || node->zone == s->zone;
    case NODE_LOOP:
        return s->zone == GOES_ROUND;
    default:
        return 0;
    }
}

static void decide_node(scratch *s, int64_t number)
{
    const local_node *node = &s->locals[number];
    int64_t width = s->view->width;
    uint64_t *value = s->node_values + number * width;
    const int32_t *child = s->child_list + node->first;
    int seek = s->zone == NO_ANSWER; /* then whatever is unknown counts as found, and goes no further */
    int upper = (s->flags & FILTERS_UPPER) != 0, every = (s->flags & FILTERS_EVERY_PATH) != 0;
    size_t size = (size_t)width * sizeof *value;
    const uint64_t *yes = node->count > 0 ? s->node_values + child[0] * width : NULL;
    const uint64_t *no = node->count > 1 ? s->node_values + child[1] * width : NULL;
    const uint64_t *permitted = node->slot >= 0 ? s->slot_values + 2 * node->slot * width : NULL;
    const uint64_t *unknown = node->slot >= 0 ? permitted + width : NULL;
    const uint64_t *everything = s->view->everything;
    switch (node->kind) {
    case NODE_FILTER:
        for (int64_t w = 0; w < width; w++) {
            uint64_t through = permitted[w] | (upper ? unknown[w] : 0);
            value[w] = (through & yes[w]) | (seek ? unknown[w] : 0);
        }
        break;
    case NODE_EITHER:
        memcpy(value, yes, size);
        for (int32_t c = 1; c < node->count; c++) {
            const uint64_t *other = s->node_values + child[c] * width;
            for (int64_t w = 0; w < width; w++)
                value[w] = every ? value[w] & other[w] : value[w] | other[w];
        }
        break;
    case NODE_BRANCH_FILTER:
    case NODE_BRANCH_RULE:
        for (int64_t w = 0; w < width; w++) {
            uint64_t refused = everything[w] & ~permitted[w] & ~unknown[w];
            uint64_t open = seek ? unknown[w] : upper ? unknown[w] & (yes[w] | no[w]) : 0;
            value[w] = (permitted[w] & yes[w]) | (refused & no[w]) | open;
        }
        break;
    default:
        if (ends_as_asked(s, node))
            memcpy(value, everything, size);
        else
            memset(value, 0, size);
    }
}

const uint64_t *decide(scratch *s, const uint64_t *active)
{
    int64_t width = s->view->width;
    if (s->inspected >= 0) {
        inspect(s, active);
        return s->any;
    }
    for (int64_t slot = 0; slot < s->slots; slot++) {
        uint64_t *permitted = s->slot_values + 2 * slot * width;
        first_match(s, slot, active, permitted, permitted + width);
        default_action(s, slot, permitted, permitted + width);
    }
    for (int64_t i = 0; i < s->order_count; i++)
        decide_node(s, i);
    return s->node_values + (s->order_count - 1) * width;
}
