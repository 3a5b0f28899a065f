/* What the parts of filters.c share.
 *
 *   bitsets.c          distinct sets of services by number
 *   filters_graph.c    the graph below a root; what a thread keeps
 *   filters_entries.c  the entries that overlap a product
 *   filters_cells.c    one set of entries, decided
 *   filters_sweep.c    one product: which sets of entries there are
 *   filters_pieces.c   its exact answer, written down
 *   filters_inspect.c  entries that could go
 *   filters.c          many products
 */
#ifndef ONEFOLD_FILTERS_INSIDE_H
#define ONEFOLD_FILTERS_INSIDE_H

#include "common.h"
#include "filters.h"

typedef struct {
    int64_t value;
    int64_t who;
} event;

typedef struct {
    int32_t kind, slot, first, count, zone; /* children: locals[first .. first + count) of child_list */
} local_node;

typedef struct {
    int64_t walk; /* in another walk the seat is free */
    int32_t node, local;
} seat;

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
    seat *seats;    /* [seat_slots]: nodes met in this walk, hashed; graphs are large, what is below a root is small */
    int64_t seat_slots, seat_count, walk;
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

int scratch_init(scratch *s, const filter_view *view, const graph_view *graph, uint32_t flags);
void scratch_free(scratch *s);
int collect(scratch *s, int32_t root);
int collect_variant(scratch *s, int32_t variant);
int gather(scratch *s);
int take(const filter_view *v, int32_t match, uint64_t *rest, uint64_t *into);
const uint64_t *decide(scratch *s, const uint64_t *active);
int sweep(scratch *s);
void inspect(scratch *s, const uint64_t *active);
int put_cell(scratch *s, int64_t low, int64_t high, const uint64_t *value);
int begin_row(slice_result *r);
int put_piece(scratch *s, int64_t low, int64_t high, int64_t row);
int too_large(const scratch *s);

static inline int some_bit(const uint64_t *words, int64_t count)
{
    uint64_t all = 0;
    for (int64_t w = 0; w < count; w++)
        all |= words[w];
    return all != 0;
}

#endif
