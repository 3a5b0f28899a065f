/* What the parts of the matrix share.
 *
 *   filters_matrix_classes.c  addresses that a filter's entries cover alike
 *   filters_matrix_cells.h    two classes make a cell; along a chain of filters cells are and-ed
 *   filters_matrix.c          life and death of a matrix
 *   filters_matrix_answer.c   all pairs, or all pairs for one service
 *   filters_matrix_moves.c    which classes a changed filter puts addresses into, and which of that matters
 *   filters_matrix_ways.c     who can meet a filter at all
 *   filters_matrix_felt.c     who may feel that a filter has changed
 *   filters_matrix_update.c   the pairs that a changed filter decides about
 */
#ifndef ONEFOLD_FILTERS_MATRIX_INSIDE_H
#define ONEFOLD_FILTERS_MATRIX_INSIDE_H

#include "common.h"
#include "filters_matrix.h"

#include <pthread.h>

#define KNOWN ((uint64_t)1 << 62)
#define VARIES ((uint64_t)1 << 63)
#define SERVICES (KNOWN - 1)
#define CHAIN_END (-1)
#define CACHE 4096
enum { LANES = 4 }; /* attachments with the same answers that are walked side by side */

/* Units that are asked for, each at a place: first those of one interval that overlap no other such unit, ascending. */
typedef struct {
    int64_t placed, regular;
    int32_t *order, *place; /* unit at a place; place of a unit, -1 without one */
    int64_t *low, *high;    /* the intervals of regular units, by place */
} placing;

typedef struct {
    int64_t count;  /* classes */
    int64_t *first; /* masks of class c: masks[first[c]] .. masks[first[c + 1]] */
    uint64_t *masks;
    int64_t first_room, masks_room;
    uint16_t *of;   /* class per place */
} side;

typedef struct {
    int used;
    int32_t otherwise;
    uint64_t hit[MATRIX_ENTRIES]; /* services of entry e; kept here: the view's rows change in place */
    uint8_t through[MATRIX_ENTRIES];
    side source, destination;
    uint64_t *some, *every;
    int own; /* cells are an allocation of their own */
} variant_table;

typedef struct {
    int32_t variant, child;
} step;

/* What a step along a way reads of a filter, side by side. */
typedef struct {
    const uint16_t *from, *to;
    const uint64_t *some;
    int64_t count;
} hot;

typedef struct {
    int32_t attachment, destination;
} couple;

typedef struct {
    matrix_change *at;
    int64_t room, count;
} matrix_changes_list;

typedef struct {
    int64_t *first; /* neighbours of v: at[first[v]] .. at[first[v + 1]] */
    int32_t *at;
} neighbours;

struct matrix {
    filter_view view;
    graph_view graph;
    unit_view units, destinations;
    const int32_t *zone, *row, *node, *column;
    int64_t zones;
    uint32_t flags;
    int32_t threads;
    int64_t width, columns; /* attachments; columns of `node` */
    placing sources, targets;
    uint8_t *run; /* per attachment: how many from it on share its column and send something, at most LANES */
    variant_table *tables;
    hot *hots;
    step *steps;
    int32_t *node_zone; /* -1 nowhere, -2 needs a closer look */
    uint64_t *some_cells, *every_cells;
    uint8_t *live; /* destinations that lead to a zone */
    couple *rest;
    int64_t rest_room, rest_count;
    matrix_changes_list *changes; /* [threads], of the last update; their memory is kept for the next one */
    int64_t *zone_first; /* attachments of zone z: zone_first[z] .. */
    int64_t *leads_first;
    int32_t *leads; /* destinations that lead to zone z for somebody */
    int32_t *only;  /* per destination the zone that it leads all to whom it leads anywhere; -1 nobody, -2 several */
    uint8_t *alone;          /* zones that one attachment stands for, and one destination leads to (ALONE_*) */
    neighbours before, behind; /* filters_matrix_ways.c */
    uint8_t *stale;          /* pairs that are put down to be computed anew */
};

enum { ALONE_AS_SOURCE = 1, ALONE_AS_TARGET = 2 };

static inline const int32_t *roots_of(const matrix *m, int64_t destination)
{
    return m->node + (int64_t)m->row[destination] * m->columns;
}

int prepare_updates(matrix *m);
int ways_by(const matrix *m, int32_t variant, uint8_t **from, uint8_t **to);
int place_units(placing *p, const unit_view *units, const uint8_t *live);
void placing_free(placing *p);
int compile_variant(const matrix *m, int64_t number, variant_table *t);
void table_free(variant_table *t);
void set_hot(matrix *m, int64_t variant);

/* One thread's part of an answer. `reached`: one service is asked for, and nothing else is written. */
typedef struct {
    matrix *m;
    bitsets *sets;
    uint64_t services;
    int32_t *some, *every;
    uint8_t *reached;
    int64_t begin, end; /* attachments */
    couple *rest;
    int64_t rest_room, rest_count;
    struct {
        uint64_t bits[CACHE];
        int32_t id[CACHE];
    } cache;
    int status, started;
    pthread_t thread;
} answer_part;

void answer_start(answer_part *p, matrix *m, bitsets *sets, uint64_t services, int32_t *some, int32_t *every);
void answer_run_of(answer_part *p, int64_t a, int64_t lanes, int64_t d, int32_t root);
void answer_put(answer_part *p, int64_t pair, uint64_t some, uint64_t every);
void answer_leave(answer_part *p, int64_t a, int64_t d);
void answer_end(answer_part *p, int32_t *status);

/* A filter before and after: (class before, class after) of places, and how many places made that move. */
typedef struct {
    uint16_t before, after;
    int32_t count;
    uint8_t touched;
} move;

#define NO_MOVE UINT16_MAX
move *moves_of(const side *before, const side *after, const placing *places, const unit_view *units, uint16_t *which,
               int64_t *count);
uint8_t *moves_that_matter(const variant_table *before, const variant_table *after, move *sources,
                           int64_t source_count, move *targets, int64_t target_count);

/* What a changed filter means for places, columns and zones. */
typedef struct {
    int32_t variant;
    const uint8_t *differs; /* [target moves, source moves]; NULL: only what is forced */
    const move *source_moves, *target_moves;
    const uint16_t *source_move, *target_move;
    int64_t source_count, target_count;
    const variant_table *before, *after;
    uint64_t *words; /* sets of services as they were when the update began */
    int64_t word_count;
    uint8_t *from, *to; /* columns and zones of ways by the filter */
    int64_t forced;
} news;

/* Attachments a .. a + lanes, for destinations of one move: lanes that differ, lanes that need a full look, and what
   the filter refuses now and lets through now for the others. */
typedef struct {
    int64_t a, lanes;
    uint32_t differ, look;
    uint64_t gone[LANES], come[LANES];
} candidate;

typedef struct {
    const news *news;
    answer_part answer;
    candidate *candidates;
    int64_t candidates_room, candidate_count;
    couple *found; /* pairs of zones that are put together from several ways */
    int64_t found_room, found_count;
    matrix_changes_list *changes;
} update_part;

void list_candidates(update_part *p, uint16_t target_move);
uint32_t feel(update_part *p, const candidate *c, int64_t d, int32_t root, uint32_t wanted);
void replace_pair(update_part *p, const candidate *c, int64_t lane, uint64_t some, uint64_t every, int32_t root);

static inline int64_t pair_of(const matrix *m, const candidate *c, int64_t lane, int32_t root)
{
    return (int64_t)m->zone[c->a + lane] * m->zones + m->node_zone[root];
}

#endif
