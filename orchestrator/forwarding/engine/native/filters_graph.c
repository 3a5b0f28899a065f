/* The part of a decision graph below a node, numbered from its leaves on, and what a thread keeps while it decides. */
#include "filters_inside.h"

void scratch_free(scratch *s)
{
    void *all[] = {s->list_stamp, s->list_start, s->list_count, s->list, s->list_whole, s->seats, s->order, s->stack, s->locals, s->child_list, s->slot_variant, s->slot_first, s->candidate,
                   s->candidate_flags, s->starts, s->ends, s->row_starts, s->row_ends, s->active, s->row_active, s->row_words,
                   s->seen, s->seen_table, s->slot_values, s->node_values, s->rest, s->hit, s->any, s->all, s->last};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

int scratch_init(scratch *s, const filter_view *view, const graph_view *graph, uint32_t flags)
{
    memset(s, 0, sizeof *s);
    s->view = view;
    s->graph = graph;
    s->flags = flags;
    s->inspected = s->looked_at = -1;
    size_t filters = (size_t)view->filters + 1, width = (size_t)view->width;
    s->list_stamp = calloc(filters, sizeof *s->list_stamp);
    s->list_start = calloc(filters, sizeof *s->list_start);
    s->list_count = calloc(filters, sizeof *s->list_count);
    s->rest = calloc(width, sizeof *s->rest);
    s->hit = calloc(width, sizeof *s->hit);
    s->any = calloc(width, sizeof *s->any);
    s->all = calloc(width, sizeof *s->all);
    s->last = calloc(width, sizeof *s->last);
    return s->list_stamp && s->list_start && s->list_count && s->rest && s->hit && s->any && s->all && s->last;
}

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

/* The seat of a node: taken in this walk, or free for it. */
static seat *seat_of(const scratch *s, int32_t node)
{
    uint64_t at = (uint64_t)(uint32_t)node * 0x9E3779B97F4A7C15u >> 32;
    for (;; at++) {
        seat *found = &s->seats[at & (uint64_t)(s->seat_slots - 1)];
        if (found->walk != s->walk || found->node == node)
            return found;
    }
}

static int widen(scratch *s)
{
    scratch wider = {.walk = s->walk, .seat_slots = s->seat_slots ? s->seat_slots * 2 : 256};
    wider.seats = calloc((size_t)wider.seat_slots, sizeof *wider.seats);
    if (!wider.seats)
        return 0;
    for (int64_t i = 0; i < s->seat_slots; i++)
        if (s->seats[i].walk == s->walk)
            *seat_of(&wider, s->seats[i].node) = s->seats[i];
    free(s->seats);
    s->seats = wider.seats;
    s->seat_slots = wider.seat_slots;
    return 1;
}

/* A node is met: it waits on the stack, once. 0: no memory. */
static int meet(scratch *s, int32_t node, int64_t *depth)
{
    if (s->seat_count * 2 >= s->seat_slots && !widen(s))
        return 0;
    seat *found = seat_of(s, node);
    if (found->walk == s->walk)
        return 1;
    *found = (seat){s->walk, node, -1};
    s->seat_count++;
    if (!grow(&s->stack, &s->stack_room, *depth + 1, sizeof *s->stack))
        return 0;
    s->stack[(*depth)++] = node;
    return 1;
}

/* All nodes below a root, in no order. */
static int find_nodes(scratch *s, int32_t root)
{
    const graph_view *g = s->graph;
    int64_t depth = 0;
    s->walk++;
    s->order_count = s->seat_count = 0;
    if (!meet(s, root, &depth))
        return FILTERS_NO_MEMORY;
    while (depth) {
        int32_t node = s->stack[--depth];
        if (g->kind[node] == NODE_REWRITE)
            return FILTERS_REWRITES;
        if (!grow(&s->order, &s->order_room, s->order_count + 1, sizeof *s->order))
            return FILTERS_NO_MEMORY;
        s->order[s->order_count++] = node;
        for (int32_t c = g->first[node]; c < g->first[node + 1]; c++)
            if (!meet(s, g->children[c], &depth))
                return FILTERS_NO_MEMORY;
    }
    return FILTERS_FINE;
}

/* A node with its children, which have numbers already. */
static int take_node(scratch *s, int32_t node, local_node *local)
{
    const graph_view *g = s->graph;
    *local = (local_node){.kind = g->kind[node], .zone = g->a[node], .slot = -1, .first = (int32_t)s->child_count,
                          .count = g->first[node + 1] - g->first[node]};
    if (local->kind == NODE_FILTER || local->kind == NODE_BRANCH_FILTER || local->kind == NODE_BRANCH_RULE) {
        int64_t variant = g->a[node] + (local->kind == NODE_BRANCH_RULE ? s->view->rule_base : 0);
        local->slot = slot_of(s, (int32_t)variant);
        if (local->slot < 0)
            return FILTERS_NO_MEMORY;
    }
    if (!grow(&s->child_list, &s->child_room, s->child_count + local->count, sizeof *s->child_list))
        return FILTERS_NO_MEMORY;
    for (int32_t c = g->first[node]; c < g->first[node + 1]; c++)
        s->child_list[s->child_count++] = seat_of(s, g->children[c])->local;
    return FILTERS_FINE;
}

int collect(scratch *s, int32_t root)
{
    int status = find_nodes(s, root);
    if (status)
        return status;
    qsort(s->order, (size_t)s->order_count, sizeof *s->order, by_number); /* children stand before parents */
    if (!grow(&s->locals, &s->local_room, s->order_count, sizeof *s->locals))
        return FILTERS_NO_MEMORY;
    s->slots = 0;
    s->child_count = 0;
    for (int64_t i = 0; i < s->order_count && !status; i++) {
        seat_of(s, s->order[i])->local = (int32_t)i;
        status = take_node(s, s->order[i], &s->locals[i]);
    }
    return status;
}

/* One filter by itself: what it permits is delivered (to ANY_ZONE). */
int collect_variant(scratch *s, int32_t variant)
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
