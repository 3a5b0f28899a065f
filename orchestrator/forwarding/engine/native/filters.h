/* Filters, services and the decision graph: which packets of a product of addresses get through. See filters.c. */
#ifndef ONEFOLD_FILTERS_H
#define ONEFOLD_FILTERS_H

#include <stddef.h>
#include <stdint.h>

enum { FILTERS_FINE = 0, FILTERS_NO_MEMORY = 1, FILTERS_TOO_LARGE = 2, FILTERS_REWRITES = 3 };
/* UPPER: whatever is unknown may permit. EVERY_PATH: equal-cost paths have to agree. The zone asked for may be ANY_ZONE,
   NO_ANSWER: packets one of whose ways ends in something unknown, GOES_ROUND: in a loop */
enum { FILTERS_UPPER = 1, FILTERS_EVERY_PATH = 2 };
enum { ANY_ZONE = -1, NO_ANSWER = -2, GOES_ROUND = -3 };
enum { NODE_DROP, NODE_LOOP, NODE_UNKNOWN, NODE_DELIVER, NODE_FILTER, NODE_EITHER, NODE_BRANCH_FILTER,
       NODE_BRANCH_RULE, NODE_REWRITE };
enum { ACTION_DENY = 0, ACTION_PERMIT = 1, ACTION_UNKNOWN = 2 };

/* Entries of filter f are rows start[f] .. start[f] + count[f]; translation rule r is filter and variant
   `rule_base` + r with one permitting entry. Addresses are labels, ranges [low, high). */
typedef struct {
    const int64_t *source_low, *source_high, *destination_low, *destination_high;
    const int32_t *action, *match, *in_port;
    int64_t filters;
    const int64_t *start, *count;
    const int32_t *otherwise;
    int64_t variants;
    const int32_t *variant_filter, *variant_port;
    int64_t rule_base;
    int64_t matches;
    int64_t width;            /* 64-bit words of a set of services */
    const uint64_t *words;    /* [matches, width], or NULL: use runs */
    const int64_t *run_first; /* [matches + 1] */
    const int32_t *runs;      /* [., 2] atoms [low, high) */
    const uint8_t *whole;     /* [matches] holds every service */
    const uint64_t *everything;
} filter_view;

typedef struct {
    int64_t nodes;
    const int32_t *kind, *a, *first, *children;
} graph_view;

typedef struct {
    int64_t units;
    const int64_t *first, *low, *high;
} unit_view;

/* Distinct sets of services; set 0 is empty, set 1 everything. */
typedef struct bitsets bitsets;
bitsets *bitsets_new(int64_t width, const uint64_t *everything);
void bitsets_free(bitsets *sets);
int64_t bitsets_count(const bitsets *sets);
const uint64_t *bitsets_words(const bitsets *sets);
int32_t bitsets_intern(bitsets *sets, const uint64_t *words); /* -1: no memory */
uint64_t bitsets_word(bitsets *sets, int32_t id);               /* the first word of a set */

int32_t filters_decide(const filter_view *view, const graph_view *graph, const unit_view *units, bitsets *sets,
                       int64_t keys, const int32_t *node, const int32_t *unit, const int32_t *zone,
                       const int64_t *first, const int64_t *low, const int64_t *high, uint32_t flags,
                       int32_t threads, int32_t *any, int32_t *all);

/* The exact answer for one product: pieces [low, high) of destinations with a row of sources each. */
typedef struct {
    int64_t pieces;
    int64_t *low, *high, *row;
    int64_t rows;
    int64_t *row_first;
    int64_t cells;
    int64_t *source_low, *source_high;
    uint64_t *services; /* [cells, width] */
    int64_t piece_room, row_room, cell_room, limit;
} slice_result;

slice_result *filters_slice(const filter_view *view, const graph_view *graph, int32_t node, int32_t variant,
                            int32_t zone, int64_t sources, const int64_t *source_low, const int64_t *source_high,
                            int64_t destinations, const int64_t *low, const int64_t *high, uint32_t flags,
                            int64_t limit, int32_t *status);
void filters_slice_free(slice_result *result);

/* Entries `begin` .. `end` (positions) of a variant's filter, for packets of one family (labels [low, high)): whether
   some packet gets as far as the entry (met), whether the filter would do without it (spare), and up to INSPECTED
   earlier entries (positions, -1 behind the last) that take its packets. Entries of another port are left alone. */
enum { INSPECTED = 8 };
int32_t filters_inspect(const filter_view *view, int32_t variant, int64_t begin, int64_t end, int64_t low,
                        int64_t high, uint8_t *met, uint8_t *spare, int32_t *takers);

/* One row of the eight columns (addresses, action, match, in_port, line) comes, goes or is replaced; see filters_rows.c. */
enum { ROW_COLUMNS = 8 };
typedef struct { /* rows start[f] .. start[f] + count[f] of the columns are filter f's, and there is `room` for so many */
    void *column[ROW_COLUMNS];
    const int64_t *start;
    int64_t *count;
    const int64_t *room;
    int64_t values[ROW_COLUMNS], old[ROW_COLUMNS];
} filter_rows;
int32_t filters_row(filter_rows *rows, int32_t filter, int64_t position, int32_t kind);
/* `count` rows of all columns are copied to where none of them is. */
void filters_move(const filter_rows *rows, int64_t from, int64_t to, int64_t count);

/* Per node: the zone it delivers to (-1 none, -2 several), and whether translations are below it. */
void filters_reach(const graph_view *graph, int32_t *zone, uint8_t *rewrites);
/* Per node: whether a filter variant is at it or below it. */
void filters_below(const graph_view *graph, int32_t variant, uint8_t *below);

#endif
