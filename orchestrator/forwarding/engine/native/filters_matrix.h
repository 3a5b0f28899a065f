/* Zone by zone, where ways are chains of filters: see filters_matrix.c. */
#ifndef ONEFOLD_FILTERS_MATRIX_H
#define ONEFOLD_FILTERS_MATRIX_H

#include "filters.h"

enum { MATRIX_ATOMS = 62, MATRIX_ENTRIES = 64, MATRIX_CLASSES = 65535 };

typedef struct matrix matrix;
typedef struct {
    int32_t source, target, some, every;
} matrix_change;

/* Attachment i sends from units[i] for zone[i]; destination d is destinations[d], row `row[d]` of node[., columns];
   attachment i reads column[i] of it.
   All addresses are of one family. Attachments of one zone stand side by side. The arrays have to outlive the matrix. */
matrix *matrix_new(const filter_view *view, const graph_view *graph, const unit_view *units, const int32_t *zone,
                   int64_t zones, const unit_view *destinations, const int32_t *row, const int32_t *node,
                   int64_t columns, const int32_t *column, uint32_t flags, int32_t threads, int32_t *status);
void matrix_free(matrix *m);

/* some, every: [zones, zones], become numbers of sets, -1 where no destination leads there. Pairs that need a closer look are
   left out and counted: matrix_rest copies them (attachment, destination, whether the way is no chain of filters). */
int32_t matrix_answer(matrix *m, bitsets *sets, int32_t *some, int32_t *every, int64_t *rest);
void matrix_rest(const matrix *m, int32_t *attachment, int32_t *destination, uint8_t *branching);

/* One service (an atom): `reached` [zones, zones], zero before, becomes 1 where it gets from one zone to the other. */
int32_t matrix_service(matrix *m, int32_t atom, uint8_t *reached, int64_t *rest);

/* A filter variant has changed (the view is the new one): recomputes the pairs (source zone * zones + zone) that it
   decides about, and those forced. `changed`: how many were; matrix_changes copies them with `some` and `every` as they
   were. */
int32_t matrix_update(matrix *m, const filter_view *view, bitsets *sets, int32_t variant, int64_t forced,
                      const int64_t *pairs, int32_t *some, int32_t *every, int64_t *changed, int64_t *rest);
void matrix_changes(const matrix *m, matrix_change *to);

#endif
