/* The part of a decision graph below a node, numbered from its leaves on, and what a thread keeps while it decides. */
#include "filters_inside.h"

void scratch_free(scratch *s)
{
    void *all[] = {s->list_stamp, s->list_start, s->list_count, s->list, s->list_whole, s->mark, s->node_stamp,
                   s->order, s->stack, s->locals, s->child_list, s->slot_variant, s->slot_first, s->candidate,
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

int collect(scratch *s, int32_t root)
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
