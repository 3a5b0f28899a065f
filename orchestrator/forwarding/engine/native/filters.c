/* Which packets of (sources x destinations) get through a graph of decisions, exactly.

   For one product only the entries that overlap it count. Destinations are swept over the ends of those entries; each
   distinct set of entries met (compared word by word) gets one sweep over the sources; each distinct set there is
   decided once: first match over sets of service atoms, then the graph bottom up. Nothing is kept between keys except
   the list of entries that overlap the sources, which neighbouring keys share. */
#include "filters.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int grow(void *pointer, int64_t *room, int64_t need, size_t size)
{
    if (need <= *room)
        return 1;
    int64_t next = *room < 32 ? 32 : *room;
    while (next < need)
        next += next / 2;
    void *old;
    memcpy(&old, pointer, sizeof old);
    void *moved = realloc(old, (size_t)next * size);
    if (!moved)
        return 0;
    memcpy(pointer, &moved, sizeof moved);
    *room = next;
    return 1;
}

static uint64_t digest(const uint64_t *words, int64_t count)
{
    uint64_t value = 0x9E3779B97F4A7C15u;
    for (int64_t i = 0; i < count; i++) {
        value = (value ^ words[i]) * 0xD6E8FEB86659FD93u;
        value ^= value >> 32;
    }
    return value ^ value >> 29;
}

/* ---- distinct sets of services ---- */

struct bitsets {
    int64_t width, count, room, buckets;
    uint64_t *words;
    int32_t *table;
    pthread_mutex_t lock;
};

bitsets *bitsets_new(int64_t width, const uint64_t *everything)
{
    bitsets *sets = calloc(1, sizeof *sets);
    if (!sets)
        return NULL;
    sets->width = width;
    sets->buckets = 1024;
    sets->table = malloc(sizeof *sets->table * (size_t)sets->buckets);
    uint64_t *nothing = calloc((size_t)width, sizeof *nothing);
    if (!sets->table || !nothing || pthread_mutex_init(&sets->lock, NULL)) {
        free(sets->table);
        free(nothing);
        free(sets);
        return NULL;
    }
    for (int64_t i = 0; i < sets->buckets; i++)
        sets->table[i] = -1;
    if (bitsets_intern(sets, nothing) != 0 || bitsets_intern(sets, everything) < 0) {
        bitsets_free(sets);
        sets = NULL;
    }
    free(nothing);
    return sets;
}

void bitsets_free(bitsets *sets)
{
    if (!sets)
        return;
    pthread_mutex_destroy(&sets->lock);
    free(sets->words);
    free(sets->table);
    free(sets);
}

int64_t bitsets_count(const bitsets *sets) { return sets->count; }
const uint64_t *bitsets_words(const bitsets *sets) { return sets->words; }

static int rehash(bitsets *sets)
{
    int64_t buckets = sets->buckets * 2;
    int32_t *table = malloc(sizeof *table * (size_t)buckets);
    if (!table)
        return 0;
    for (int64_t i = 0; i < buckets; i++)
        table[i] = -1;
    for (int64_t id = 0; id < sets->count; id++) {
        uint64_t place = digest(sets->words + id * sets->width, sets->width) & (uint64_t)(buckets - 1);
        while (table[place] >= 0)
            place = (place + 1) & (uint64_t)(buckets - 1);
        table[place] = (int32_t)id;
    }
    free(sets->table);
    sets->table = table;
    sets->buckets = buckets;
    return 1;
}

static int32_t intern_locked(bitsets *sets, const uint64_t *words)
{
    size_t size = sizeof(uint64_t) * (size_t)sets->width;
    uint64_t place = digest(words, sets->width) & (uint64_t)(sets->buckets - 1);
    while (sets->table[place] >= 0) {
        if (!memcmp(sets->words + (int64_t)sets->table[place] * sets->width, words, size))
            return sets->table[place];
        place = (place + 1) & (uint64_t)(sets->buckets - 1);
    }
    if (sets->count >= INT32_MAX || !grow(&sets->words, &sets->room, sets->count + 1, size))
        return -1;
    memcpy(sets->words + sets->count * sets->width, words, size);
    sets->table[place] = (int32_t)sets->count++;
    int32_t id = (int32_t)(sets->count - 1);
    if (sets->count * 2 > sets->buckets && !rehash(sets))
        return -1;
    return id;
}

int32_t bitsets_intern(bitsets *sets, const uint64_t *words)
{
    pthread_mutex_lock(&sets->lock);
    int32_t id = intern_locked(sets, words);
    pthread_mutex_unlock(&sets->lock);
    return id;
}

uint64_t bitsets_word(bitsets *sets, int32_t id)
{
    pthread_mutex_lock(&sets->lock);
    uint64_t word = sets->words[(int64_t)id * sets->width];
    pthread_mutex_unlock(&sets->lock);
    return word;
}

/* ---- scratch of one thread ---- */

typedef struct {
    int64_t value;
    int64_t who;
} event;

typedef struct {
    int32_t kind, slot, first, count, zone; /* children: locals[first .. first + count) of child_list */
} local_node;

typedef struct {
    const filter_view *view;
    const graph_view *graph;
    uint32_t flags;
    int32_t zone;
    /* the sources, and per filter the entries that overlap them */
    int64_t sources, destinations;
    const int64_t *source_low, *source_high, *low, *high;
    int64_t stamp;
    int64_t *list_stamp, *list_start, *list_count; /* per filter */
    int64_t *list;
    uint8_t *list_whole; /* entry covers all sources */
    int64_t list_room, list_whole_room, list_used;
    /* the part of the graph below the root */
    int32_t *mark; /* per node: local number + 1 when node_stamp says so */
    int64_t *node_stamp, walk;
    int32_t *order;
    int64_t order_room, order_count;
    int32_t *stack;
    int64_t stack_room;
    local_node *locals;
    int64_t local_room;
    int32_t *child_list;
    int64_t child_room, child_count;
    int32_t *slot_variant;
    int64_t slot_room, slots;
    int64_t *slot_first; /* candidates of slot s: slot_first[s] .. slot_first[s + 1] */
    int64_t slot_first_room;
    /* candidates: entries that overlap the product */
    int64_t *candidate;
    uint8_t *candidate_flags; /* 1: all sources, 2: all destinations */
    int64_t candidate_room, candidate_flags_room, candidates;
    event *starts, *ends, *row_starts, *row_ends;
    int64_t starts_room, ends_room, row_starts_room, row_ends_room;
    uint64_t *active, *row_active, *row_words; /* row_words: which words of row_active are not zero */
    int64_t active_room, row_active_room, row_words_room;
    /* distinct sets of candidates along the destinations */
    uint64_t *seen;
    int64_t seen_room, seen_count;
    int32_t *seen_table;
    int64_t seen_buckets;
    /* values, `width` words each */
    uint64_t *slot_values, *node_values, *rest, *hit, *any, *all, *last;
    int64_t slot_values_room, node_values_room;
    slice_result *emit;
    int32_t status;
    /* inspecting one entry instead of deciding */
    int64_t inspected; /* candidate, or -1 */
    int64_t looked_at; /* its row, or -1 */
    const uint64_t *inspected_services;
    int met, spare;
    int32_t *takers;
} scratch;

static void scratch_free(scratch *s)
{
    void *all[] = {s->list_stamp, s->list_start, s->list_count, s->list, s->list_whole, s->mark, s->node_stamp,
                   s->order, s->stack, s->locals, s->child_list, s->slot_variant, s->slot_first, s->candidate,
                   s->candidate_flags, s->starts, s->ends, s->row_starts, s->row_ends, s->active, s->row_active, s->row_words,
                   s->seen, s->seen_table, s->slot_values, s->node_values, s->rest, s->hit, s->any, s->all, s->last};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static int scratch_init(scratch *s, const filter_view *view, const graph_view *graph, uint32_t flags)
{
    memset(s, 0, sizeof *s);
    s->view = view;
    s->graph = graph;
    s->flags = flags;
    s->inspected = s->looked_at = -1;
    size_t filters = (size_t)view->filters + 1, nodes = (size_t)graph->nodes + 1, width = (size_t)view->width;
    s->list_stamp = calloc(filters, sizeof *s->list_stamp);
    s->list_start = calloc(filters, sizeof *s->list_start);
    s->list_count = calloc(filters, sizeof *s->list_count);
    s->mark = calloc(nodes, sizeof *s->mark);
    s->node_stamp = calloc(nodes, sizeof *s->node_stamp);
    s->rest = calloc(width, sizeof *s->rest);
    s->hit = calloc(width, sizeof *s->hit);
    s->any = calloc(width, sizeof *s->any);
    s->all = calloc(width, sizeof *s->all);
    s->last = calloc(width, sizeof *s->last);
    return s->list_stamp && s->list_start && s->list_count && s->mark && s->node_stamp && s->rest && s->hit &&
           s->any && s->all && s->last;
}

/* ---- the graph below a root ---- */

static int by_number(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static int32_t slot_of(scratch *s, int32_t variant)
{
    for (int64_t i = 0; i < s->slots; i++)
        if (s->slot_variant[i] == variant)
            return (int32_t)i;
    if (!grow(&s->slot_variant, &s->slot_room, s->slots + 1, sizeof *s->slot_variant))
        return -1;
    s->slot_variant[s->slots] = variant;
    return (int32_t)s->slots++;
}

static int collect(scratch *s, int32_t root)
{
    const graph_view *g = s->graph;
    int64_t depth = 0;
    s->walk++;
    s->order_count = 0;
    if (!grow(&s->stack, &s->stack_room, 1, sizeof *s->stack))
        return FILTERS_NO_MEMORY;
    s->stack[depth++] = root;
    s->node_stamp[root] = s->walk;
    while (depth) {
        int32_t node = s->stack[--depth];
        if (g->kind[node] == NODE_REWRITE)
            return FILTERS_REWRITES;
        if (!grow(&s->order, &s->order_room, s->order_count + 1, sizeof *s->order))
            return FILTERS_NO_MEMORY;
        s->order[s->order_count++] = node;
        for (int32_t c = g->first[node]; c < g->first[node + 1]; c++) {
            int32_t child = g->children[c];
            if (s->node_stamp[child] == s->walk)
                continue;
            s->node_stamp[child] = s->walk;
            if (!grow(&s->stack, &s->stack_room, depth + 1, sizeof *s->stack))
                return FILTERS_NO_MEMORY;
            s->stack[depth++] = child;
        }
    }
    qsort(s->order, (size_t)s->order_count, sizeof *s->order, by_number); /* children stand before parents */
    if (!grow(&s->locals, &s->local_room, s->order_count, sizeof *s->locals))
        return FILTERS_NO_MEMORY;
    s->slots = 0;
    s->child_count = 0;
    for (int64_t i = 0; i < s->order_count; i++) {
        int32_t node = s->order[i];
        local_node *local = &s->locals[i];
        s->mark[node] = (int32_t)i;
        local->kind = g->kind[node];
        local->zone = g->a[node];
        local->slot = -1;
        local->first = (int32_t)s->child_count;
        local->count = g->first[node + 1] - g->first[node];
        if (local->kind == NODE_FILTER || local->kind == NODE_BRANCH_FILTER || local->kind == NODE_BRANCH_RULE) {
            int64_t variant = g->a[node] + (local->kind == NODE_BRANCH_RULE ? s->view->rule_base : 0);
            local->slot = slot_of(s, (int32_t)variant);
            if (local->slot < 0)
                return FILTERS_NO_MEMORY;
        }
        if (!grow(&s->child_list, &s->child_room, s->child_count + local->count, sizeof *s->child_list))
            return FILTERS_NO_MEMORY;
        for (int32_t c = g->first[node]; c < g->first[node + 1]; c++)
            s->child_list[s->child_count++] = s->mark[g->children[c]];
    }
    return FILTERS_FINE;
}

/* One filter by itself: what it permits is delivered (to ANY_ZONE). */
static int collect_variant(scratch *s, int32_t variant)
{
    if (!grow(&s->locals, &s->local_room, 2, sizeof *s->locals) ||
        !grow(&s->child_list, &s->child_room, 1, sizeof *s->child_list))
        return FILTERS_NO_MEMORY;
    s->slots = 0;
    s->order_count = 2;
    s->child_list[0] = 0;
    s->locals[0] = (local_node){NODE_DELIVER, -1, 0, 0, 0};
    s->locals[1] = (local_node){NODE_FILTER, slot_of(s, variant), 0, 1, 0};
    return s->locals[1].slot < 0 ? FILTERS_NO_MEMORY : FILTERS_FINE;
}

/* ---- the entries that overlap the product ---- */

/* 0: no overlap; 1: some; 2: [low, high) holds all of the intervals */
static int meets(int64_t count, const int64_t *lows, const int64_t *highs, int64_t low, int64_t high)
{
    if (low <= lows[0] && high >= highs[count - 1])
        return 2;
    int64_t left = 0, right = count; /* first interval that ends after low */
    while (left < right) {
        int64_t middle = (left + right) / 2;
        if (highs[middle] <= low)
            left = middle + 1;
        else
            right = middle;
    }
    return left < count && lows[left] < high;
}

static int list_entries(scratch *s, int32_t filter)
{
    const filter_view *v = s->view;
    if (s->list_stamp[filter] == s->stamp)
        return 1;
    int64_t begin = v->start[filter], end = begin + v->count[filter];
    if (!grow(&s->list, &s->list_room, s->list_used + end - begin, sizeof *s->list) ||
        !grow(&s->list_whole, &s->list_whole_room, s->list_used + end - begin, 1))
        return 0;
    s->list_stamp[filter] = s->stamp;
    s->list_start[filter] = s->list_used;
    int64_t first_low = s->source_low[0], last_high = s->source_high[s->sources - 1];
    for (int64_t e = begin; e < end; e++) {
        if (v->source_high[e] <= first_low || v->source_low[e] >= last_high)
            continue;
        int how = meets(s->sources, s->source_low, s->source_high, v->source_low[e], v->source_high[e]);
        if (!how)
            continue;
        s->list[s->list_used] = e;
        s->list_whole[s->list_used++] = how == 2;
    }
    s->list_count[filter] = s->list_used - s->list_start[filter];
    return 1;
}

static int gather(scratch *s)
{
    const filter_view *v = s->view;
    s->candidates = 0;
    if (!grow(&s->slot_first, &s->slot_first_room, s->slots + 1, sizeof *s->slot_first))
        return 0;
    int64_t first_low = s->low[0], last_high = s->high[s->destinations - 1];
    for (int64_t slot = 0; slot < s->slots; slot++) {
        int32_t variant = s->slot_variant[slot], filter = v->variant_filter[variant];
        s->slot_first[slot] = s->candidates;
        if (!list_entries(s, filter))
            return 0;
        const int64_t *list = s->list + s->list_start[filter];
        const uint8_t *whole = s->list_whole + s->list_start[filter];
        int64_t count = s->list_count[filter];
        for (int64_t i = 0; i < count; i++) {
            int64_t e = list[i];
            if (v->destination_high[e] <= first_low || v->destination_low[e] >= last_high)
                continue;
            if (v->in_port[e] >= 0 && v->in_port[e] != v->variant_port[variant])
                continue;
            int how = meets(s->destinations, s->low, s->high, v->destination_low[e], v->destination_high[e]);
            if (!how)
                continue;
            if (!grow(&s->candidate, &s->candidate_room, s->candidates + 1, sizeof *s->candidate) ||
                !grow(&s->candidate_flags, &s->candidate_flags_room, s->candidates + 1, 1))
                return 0;
            s->candidate[s->candidates] = e;
            s->candidate_flags[s->candidates++] = (uint8_t)((whole[i] ? 1 : 0) | (how == 2 ? 2 : 0));
            if (whole[i] && how == 2 && v->whole[v->match[e]] && e != s->looked_at)
                break; /* nothing behind it is ever met */
        }
    }
    s->slot_first[s->slots] = s->candidates;
    return 1;
}

/* ---- deciding one set of candidates ---- */

static int take(const filter_view *v, int32_t match, uint64_t *rest, uint64_t *into)
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
    case NODE_UNKNOWN:
        if (upper || seek)
            memcpy(value, everything, size);
        else
            memset(value, 0, size);
        break;
    case NODE_DELIVER:
        if (s->zone == ANY_ZONE || node->zone == s->zone)
            memcpy(value, everything, size);
        else
            memset(value, 0, size);
        break;
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
        memset(value, 0, size);
    }
}

static int some_bit(const uint64_t *words, int64_t count)
{
    uint64_t all = 0;
    for (int64_t w = 0; w < count; w++)
        all |= words[w];
    return all != 0;
}

static void note_taker(scratch *s, int32_t position)
{
    for (int i = 0; i < INSPECTED; i++) {
        if (s->takers[i] == position)
            return;
        if (s->takers[i] < 0) {
            s->takers[i] = position;
            return;
        }
    }
}

/* What becomes of the inspected entry's packets in one cell: taken before it, or by what comes behind it. */
static void inspect(scratch *s, const uint64_t *active)
{
    const filter_view *v = s->view;
    int32_t filter = v->variant_filter[s->slot_variant[0]], own = v->action[s->candidate[s->inspected]];
    memcpy(s->rest, s->inspected_services, (size_t)v->width * sizeof *s->rest);
    for (int64_t c = 0; c < s->candidates; c++) {
        if (c == s->inspected) {
            s->met = 1;
            continue;
        }
        if (!(active[c / 64] >> (c % 64) & 1))
            continue;
        int64_t e = s->candidate[c];
        memset(s->hit, 0, (size_t)v->width * sizeof *s->hit);
        int left = take(v, v->match[e], s->rest, s->hit);
        if (c < s->inspected && some_bit(s->hit, v->width))
            note_taker(s, (int32_t)(e - v->start[filter]));
        if (c > s->inspected && v->action[e] != own && some_bit(s->hit, v->width))
            s->spare = 0;
        if (!left)
            return;
    }
    if (v->otherwise[filter] != own)
        s->spare = 0;
}

static const uint64_t *decide(scratch *s, const uint64_t *active)
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

static void account(scratch *s, const uint64_t *value)
{
    for (int64_t w = 0; w < s->view->width; w++) {
        s->any[w] |= value[w];
        s->all[w] &= value[w];
    }
}

/* ---- sweeps ---- */

static int by_value(const void *left, const void *right)
{
    int64_t a = ((const event *)left)->value, b = ((const event *)right)->value;
    return (a > b) - (a < b);
}

static void sort_events(event *events, int64_t count)
{
    if (count > 24) {
        qsort(events, (size_t)count, sizeof *events, by_value);
        return;
    }
    for (int64_t i = 1; i < count; i++) {
        event one = events[i];
        int64_t j = i;
        for (; j && events[j - 1].value > one.value; j--)
            events[j] = events[j - 1];
        events[j] = one;
    }
}

static int put_cell(scratch *s, int64_t low, int64_t high, const uint64_t *value)
{
    slice_result *r = s->emit;
    int64_t width = s->view->width, row = r->row_first[r->rows - 1];
    uint64_t some = 0;
    for (int64_t w = 0; w < width; w++)
        some |= value[w];
    if (!some)
        return FILTERS_FINE;
    size_t size = (size_t)width * sizeof *value;
    if (r->cells > row && r->source_high[r->cells - 1] == low &&
        !memcmp(r->services + (r->cells - 1) * width, value, size)) {
        r->source_high[r->cells - 1] = high;
        return FILTERS_FINE;
    }
    if ((r->cells + 1) * (width + 2) > r->limit)
        return FILTERS_TOO_LARGE;
    int64_t low_room = r->cell_room, high_room = r->cell_room, value_room = r->cell_room;
    if (!grow(&r->source_low, &low_room, r->cells + 1, sizeof *r->source_low) ||
        !grow(&r->source_high, &high_room, r->cells + 1, sizeof *r->source_high) ||
        !grow(&r->services, &value_room, r->cells + 1, size))
        return FILTERS_NO_MEMORY;
    r->cell_room = value_room;
    r->source_low[r->cells] = low;
    r->source_high[r->cells] = high;
    memcpy(r->services + r->cells * width, value, size);
    r->cells++;
    return FILTERS_FINE;
}

static int begin_row(slice_result *r)
{
    if (!grow(&r->row_first, &r->row_room, r->rows + 2, sizeof *r->row_first))
        return FILTERS_NO_MEMORY;
    r->row_first[r->rows++] = r->cells;
    r->row_first[r->rows] = r->cells;
    return FILTERS_FINE;
}

static int put_piece(slice_result *r, int64_t low, int64_t high, int64_t row)
{
    if (r->pieces && r->high[r->pieces - 1] == low && r->row[r->pieces - 1] == row) {
        r->high[r->pieces - 1] = high;
        return FILTERS_FINE;
    }
    int64_t low_room = r->piece_room, high_room = r->piece_room, row_room = r->piece_room;
    if (!grow(&r->low, &low_room, r->pieces + 1, sizeof *r->low) ||
        !grow(&r->high, &high_room, r->pieces + 1, sizeof *r->high) ||
        !grow(&r->row, &row_room, r->pieces + 1, sizeof *r->row))
        return FILTERS_NO_MEMORY;
    r->piece_room = row_room;
    r->low[r->pieces] = low;
    r->high[r->pieces] = high;
    r->row[r->pieces++] = row;
    return FILTERS_FINE;
}

static int visit(scratch *s, int64_t low, int64_t high, const uint64_t *value)
{
    if (!s->emit) {
        account(s, value);
        return FILTERS_FINE;
    }
    return put_cell(s, low, high, value);
}

static void set_bit(uint64_t *bits, int64_t place) { bits[place / 64] |= (uint64_t)1 << (place % 64); }
static void clear_bit(uint64_t *bits, int64_t place) { bits[place / 64] &= ~((uint64_t)1 << (place % 64)); }

static void begin_entry(scratch *s, int64_t place)
{
    set_bit(s->row_active, place);
    set_bit(s->row_words, place / 64);
}

static void end_entry(scratch *s, int64_t place)
{
    clear_bit(s->row_active, place);
    if (!s->row_active[place / 64])
        clear_bit(s->row_words, place / 64);
}

/* The sources under one set of candidates (`active`): each distinct set is decided. */
static int sweep_row(scratch *s, const uint64_t *active)
{
    const filter_view *v = s->view;
    int64_t words = (s->candidates + 63) / 64, count = 0;
    if (s->emit && begin_row(s->emit))
        return FILTERS_NO_MEMORY;
    memset(s->row_words, 0, (size_t)(words / 64 + 1) * sizeof *s->row_words);
    for (int64_t w = 0; w < words; w++) {
        uint64_t bits = active[w];
        s->row_active[w] = bits;
        while (bits) {
            int64_t c = w * 64 + __builtin_ctzll(bits);
            bits &= bits - 1;
            if (s->candidate_flags[c] & 1)
                continue;
            s->row_active[w] &= ~((uint64_t)1 << (c % 64));
            if (!grow(&s->row_starts, &s->row_starts_room, count + 1, sizeof *s->row_starts) ||
                !grow(&s->row_ends, &s->row_ends_room, count + 1, sizeof *s->row_ends))
                return FILTERS_NO_MEMORY;
            int64_t e = s->candidate[c];
            s->row_starts[count] = (event){v->source_low[e], c};
            s->row_ends[count++] = (event){v->source_high[e], c};
        }
        if (s->row_active[w])
            set_bit(s->row_words, w);
    }
    sort_events(s->row_starts, count);
    sort_events(s->row_ends, count);
    int64_t starting = 0, ending = 0;
    const uint64_t *value = NULL;
    for (int64_t i = 0; i < s->sources; i++) {
        int64_t place = s->source_low[i], stop = s->source_high[i];
        while (place < stop) {
            int changed = value == NULL;
            for (; starting < count && s->row_starts[starting].value <= place; starting++, changed = 1)
                begin_entry(s, s->row_starts[starting].who);
            for (; ending < count && s->row_ends[ending].value <= place; ending++, changed = 1)
                end_entry(s, s->row_ends[ending].who);
            int64_t next = stop;
            if (starting < count && s->row_starts[starting].value < next)
                next = s->row_starts[starting].value;
            if (ending < count && s->row_ends[ending].value < next)
                next = s->row_ends[ending].value;
            if (changed)
                value = decide(s, s->row_active);
            if (changed || s->emit) {
                int status = visit(s, place, next, value);
                if (status)
                    return status;
            }
            place = next;
        }
    }
    if (s->emit)
        s->emit->row_first[s->emit->rows] = s->emit->cells;
    return FILTERS_FINE;
}

/* The number of this set of candidates among those met; a new one is swept over the sources. -1: see status. */
static int64_t row_of(scratch *s)
{
    int64_t words = (s->candidates + 63) / 64;
    size_t size = (size_t)words * sizeof *s->seen;
    if ((s->seen_count + 1) * 2 > s->seen_buckets) {
        int64_t buckets = s->seen_buckets ? s->seen_buckets * 2 : 64;
        int32_t *table = realloc(s->seen_table, (size_t)buckets * sizeof *table);
        if (!table)
            return s->status = FILTERS_NO_MEMORY, -1;
        s->seen_table = table;
        s->seen_buckets = buckets;
        memset(table, -1, (size_t)buckets * sizeof *table);
        for (int64_t i = 0; i < s->seen_count; i++) {
            uint64_t place = digest(s->seen + i * words, words) & (uint64_t)(buckets - 1);
            while (table[place] >= 0)
                place = (place + 1) & (uint64_t)(buckets - 1);
            table[place] = (int32_t)i;
        }
    }
    uint64_t place = digest(s->active, words) & (uint64_t)(s->seen_buckets - 1);
    while (s->seen_table[place] >= 0) {
        if (!memcmp(s->seen + s->seen_table[place] * words, s->active, size))
            return s->seen_table[place];
        place = (place + 1) & (uint64_t)(s->seen_buckets - 1);
    }
    if (s->seen_count >= INT32_MAX || (s->seen_count + 1) * words > ((int64_t)1 << 28))
        return s->status = FILTERS_TOO_LARGE, -1;
    if (!grow(&s->seen, &s->seen_room, (s->seen_count + 1) * words + 1, sizeof *s->seen))
        return s->status = FILTERS_NO_MEMORY, -1;
    memcpy(s->seen + s->seen_count * words, s->active, size);
    s->seen_table[place] = (int32_t)s->seen_count;
    s->status = sweep_row(s, s->active);
    return s->status ? -1 : s->seen_count++;
}

static int room_for_values(scratch *s)
{
    int64_t width = s->view->width, words = (s->candidates + 63) / 64 + 1;
    return grow(&s->slot_values, &s->slot_values_room, (2 * s->slots + 2) * width, sizeof *s->slot_values) &&
           grow(&s->node_values, &s->node_values_room, s->order_count * width, sizeof *s->node_values) &&
           grow(&s->active, &s->active_room, words, sizeof *s->active) &&
           grow(&s->row_active, &s->row_active_room, words, sizeof *s->row_active) &&
           grow(&s->row_words, &s->row_words_room, words / 64 + 1, sizeof *s->row_words) &&
           grow(&s->starts, &s->starts_room, s->candidates, sizeof *s->starts) &&
           grow(&s->ends, &s->ends_room, s->candidates, sizeof *s->ends);
}

static int sweep(scratch *s)
{
    const filter_view *v = s->view;
    if (!gather(s) || !room_for_values(s))
        return FILTERS_NO_MEMORY;
    int64_t count = 0, words = (s->candidates + 63) / 64;
    memset(s->active, 0, (size_t)(words + 1) * sizeof *s->active);
    for (int64_t c = 0; c < s->candidates; c++) {
        if (s->candidate_flags[c] & 2) {
            set_bit(s->active, c);
            continue;
        }
        int64_t e = s->candidate[c];
        s->starts[count] = (event){v->destination_low[e], c};
        s->ends[count++] = (event){v->destination_high[e], c};
    }
    sort_events(s->starts, count);
    sort_events(s->ends, count);
    s->seen_count = 0;
    if (s->seen_buckets > 4096 && s->candidates < 1024) {
        free(s->seen_table);
        s->seen_table = NULL;
        s->seen_buckets = 0;
    }
    if (s->seen_table)
        memset(s->seen_table, -1, (size_t)s->seen_buckets * sizeof *s->seen_table);
    memset(s->any, 0, (size_t)v->width * sizeof *s->any);
    memcpy(s->all, v->everything, (size_t)v->width * sizeof *s->all);
    if (!s->emit && !count)
        return sweep_row(s, s->active);
    int64_t starting = 0, ending = 0, row = -1;
    for (int64_t i = 0; i < s->destinations; i++) {
        int64_t place = s->low[i], stop = s->high[i];
        while (place < stop) {
            for (; starting < count && s->starts[starting].value <= place; starting++, row = -1)
                set_bit(s->active, s->starts[starting].who);
            for (; ending < count && s->ends[ending].value <= place; ending++, row = -1)
                clear_bit(s->active, s->ends[ending].who);
            int64_t next = stop;
            if (starting < count && s->starts[starting].value < next)
                next = s->starts[starting].value;
            if (ending < count && s->ends[ending].value < next)
                next = s->ends[ending].value;
            if (row < 0)
                row = row_of(s);
            if (row < 0)
                return s->status;
            if (s->emit && s->emit->row_first[row + 1] > s->emit->row_first[row]) {
                int status = put_piece(s->emit, place, next, row);
                if (status)
                    return status;
            }
            place = next;
        }
    }
    return FILTERS_FINE;
}

/* ---- many keys ---- */

typedef struct {
    scratch s;
    const unit_view *units;
    bitsets *sets;
    int64_t begin, end;
    const int32_t *node, *unit, *zone;
    const int64_t *first, *low, *high;
    int32_t *any, *all;
    int status, ready;
    pthread_t thread;
} part;

static int decide_key(part *p, int64_t key)
{
    scratch *s = &p->s;
    int32_t unit = p->unit[key];
    if (key == p->begin || unit != p->unit[key - 1]) {
        s->stamp++;
        s->list_used = 0;
        s->sources = p->units->first[unit + 1] - p->units->first[unit];
        s->source_low = p->units->low + p->units->first[unit];
        s->source_high = p->units->high + p->units->first[unit];
    }
    s->zone = p->zone[key];
    s->destinations = p->first[key + 1] - p->first[key];
    s->low = p->low + p->first[key];
    s->high = p->high + p->first[key];
    p->any[key] = p->all[key] = 0;
    if (!s->sources || !s->destinations)
        return FILTERS_FINE;
    int status = collect(s, p->node[key]);
    if (!status)
        status = sweep(s);
    if (status)
        return status;
    p->any[key] = bitsets_intern(p->sets, s->any);
    p->all[key] = memcmp(s->any, s->all, (size_t)s->view->width * sizeof *s->any)
                      ? bitsets_intern(p->sets, s->all)
                      : p->any[key];
    return p->any[key] < 0 || p->all[key] < 0 ? FILTERS_NO_MEMORY : FILTERS_FINE;
}

static void *run_part(void *argument)
{
    part *p = argument;
    for (int64_t key = p->begin; key < p->end && !p->status; key++)
        p->status = decide_key(p, key);
    return NULL;
}

int32_t filters_decide(const filter_view *view, const graph_view *graph, const unit_view *units, bitsets *sets,
                       int64_t keys, const int32_t *node, const int32_t *unit, const int32_t *zone,
                       const int64_t *first, const int64_t *low, const int64_t *high, uint32_t flags,
                       int32_t threads, int32_t *any, int32_t *all)
{
    if (threads < 1 || keys < 64)
        threads = 1;
    part *parts = calloc((size_t)threads, sizeof *parts);
    if (!parts)
        return FILTERS_NO_MEMORY;
    int status = FILTERS_FINE;
    for (int32_t t = 0; t < threads; t++) {
        part *p = &parts[t];
        int fine = scratch_init(&p->s, view, graph, flags);
        p->units = units;
        p->sets = sets;
        p->begin = keys * t / threads;
        p->end = keys * (t + 1) / threads;
        p->node = node;
        p->unit = unit;
        p->zone = zone;
        p->first = first;
        p->low = low;
        p->high = high;
        p->any = any;
        p->all = all;
        p->status = fine ? FILTERS_FINE : FILTERS_NO_MEMORY;
        p->ready = t > 0 && fine && !pthread_create(&p->thread, NULL, run_part, p);
    }
    for (int32_t t = 0; t < threads; t++) {
        if (parts[t].ready)
            pthread_join(parts[t].thread, NULL);
        else
            run_part(&parts[t]);
        if (parts[t].status && !status)
            status = parts[t].status;
        scratch_free(&parts[t].s);
    }
    free(parts);
    return status;
}

/* ---- one exact answer ---- */

void filters_slice_free(slice_result *result)
{
    if (!result)
        return;
    void *all[] = {result->low, result->high, result->row, result->row_first, result->source_low,
                   result->source_high, result->services};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(result);
}

slice_result *filters_slice(const filter_view *view, const graph_view *graph, int32_t node, int32_t variant,
                            int32_t zone, int64_t sources, const int64_t *source_low, const int64_t *source_high,
                            int64_t destinations, const int64_t *low, const int64_t *high, uint32_t flags,
                            int64_t limit, int32_t *status)
{
    scratch s;
    slice_result *result = calloc(1, sizeof *result);
    *status = FILTERS_NO_MEMORY;
    if (!result)
        return NULL;
    result->limit = limit;
    if (scratch_init(&s, view, graph, flags)) {
        s.stamp = 1;
        s.sources = sources;
        s.source_low = source_low;
        s.source_high = source_high;
        s.destinations = destinations;
        s.low = low;
        s.high = high;
        s.zone = zone;
        s.emit = result;
        *status = node >= 0 ? collect(&s, node) : collect_variant(&s, variant);
        if (!*status && sources && destinations)
            *status = sweep(&s);
    }
    scratch_free(&s);
    if (*status) {
        filters_slice_free(result);
        return NULL;
    }
    return result;
}

void filters_reach(const graph_view *graph, int32_t *zone, uint8_t *rewrites)
{
    for (int64_t n = 0; n < graph->nodes; n++) {
        zone[n] = graph->kind[n] == NODE_DELIVER ? graph->a[n] : -1;
        rewrites[n] = graph->kind[n] == NODE_REWRITE;
        for (int32_t c = graph->first[n]; c < graph->first[n + 1]; c++) {
            int32_t child = graph->children[c];
            rewrites[n] |= rewrites[child];
            if (zone[child] != -1)
                zone[n] = zone[n] == -1 || zone[n] == zone[child] ? zone[child] : -2;
        }
    }
}

void filters_below(const graph_view *graph, int32_t variant, uint8_t *below)
{
    for (int64_t n = 0; n < graph->nodes; n++) {
        int32_t kind = graph->kind[n];
        below[n] = (kind == NODE_FILTER || kind == NODE_BRANCH_FILTER) && graph->a[n] == variant;
        for (int32_t c = graph->first[n]; !below[n] && c < graph->first[n + 1]; c++)
            below[n] = below[graph->children[c]];
    }
}

static int inspect_one(scratch *s, int64_t entry, int64_t low, int64_t high, uint64_t *services)
{
    const filter_view *v = s->view;
    int64_t ends[4] = {v->source_low[entry], v->source_high[entry], v->destination_low[entry],
                       v->destination_high[entry]};
    for (int i = 0; i < 4; i++)
        ends[i] = ends[i] < low ? low : ends[i] > high ? high : ends[i];
    s->met = 0;
    s->spare = 1;
    if (v->in_port[entry] >= 0 && v->in_port[entry] != v->variant_port[s->slot_variant[0]])
        return FILTERS_FINE; /* packets of this variant came in by another port */
    if (ends[0] >= ends[1] || ends[2] >= ends[3])
        return FILTERS_FINE;
    s->stamp++;
    s->list_used = 0;
    s->sources = s->destinations = 1;
    s->source_low = &ends[0];
    s->source_high = &ends[1];
    s->low = &ends[2];
    s->high = &ends[3];
    s->looked_at = entry;
    if (!gather(s))
        return FILTERS_NO_MEMORY;
    s->inspected = -1;
    for (int64_t c = 0; c < s->candidates; c++)
        if (s->candidate[c] == entry)
            s->inspected = c;
    if (s->inspected < 0)
        s->inspected = s->candidates; /* an entry before it takes everything: the last candidate */
    memset(services, 0, (size_t)v->width * sizeof *services);
    memcpy(s->rest, v->everything, (size_t)v->width * sizeof *s->rest);
    take(v, v->match[entry], s->rest, services);
    s->inspected_services = services;
    if (s->inspected == s->candidates) {
        s->inspected = -1;
        if (s->candidates)
            note_taker(s, (int32_t)(s->candidate[s->candidates - 1] - v->start[v->variant_filter[s->slot_variant[0]]]));
        return FILTERS_FINE;
    }
    int status = some_bit(services, v->width) ? sweep(s) : FILTERS_FINE;
    s->inspected = -1;
    return status;
}

int32_t filters_inspect(const filter_view *view, int32_t variant, int64_t begin, int64_t end, int64_t low,
                        int64_t high, uint8_t *met, uint8_t *spare, int32_t *takers)
{
    graph_view none = {0, NULL, NULL, NULL, NULL};
    scratch s;
    int status = scratch_init(&s, view, &none, 0) ? FILTERS_FINE : FILTERS_NO_MEMORY;
    uint64_t *services = malloc(sizeof *services * (size_t)view->width);
    if (!services)
        status = FILTERS_NO_MEMORY;
    if (!status)
        status = collect_variant(&s, variant);
    int32_t filter = view->variant_filter[variant];
    for (int64_t i = begin; i < end && !status; i++) {
        s.takers = takers + (i - begin) * INSPECTED;
        status = inspect_one(&s, view->start[filter] + i, low, high, services);
        met[i - begin] |= (uint8_t)s.met;
        spare[i - begin] &= (uint8_t)s.spare;
    }
    free(services);
    scratch_free(&s);
    return status;
}
