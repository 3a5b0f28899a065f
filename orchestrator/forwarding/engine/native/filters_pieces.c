/* One exact answer: pieces of destinations with a row of sources each. */
#include "filters_inside.h"

#define OBJECTS 24 /* words that Python takes to name a cell or a piece, beside the cell's services */

/* Whether an answer with one more cell is above its limit, in words: what it takes here, and about as much again where
   Python reads it (slices.py). Few cells of many services count like many of few. What is kept only until the answer is
   there, the sets of entries met, may take as much again. */
int too_large(const scratch *s)
{
    const slice_result *r = s->emit;
    int64_t held = (r->cells + 1) * (s->view->width + OBJECTS) + r->pieces * OBJECTS;
    return held > r->limit || held + s->seen_count * ((s->candidates + 63) / 64) > 2 * r->limit;
}

int put_cell(scratch *s, int64_t low, int64_t high, const uint64_t *value)
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
    if (too_large(s))
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

int begin_row(slice_result *r)
{
    if (!grow(&r->row_first, &r->row_room, r->rows + 2, sizeof *r->row_first))
        return FILTERS_NO_MEMORY;
    r->row_first[r->rows++] = r->cells;
    r->row_first[r->rows] = r->cells;
    return FILTERS_FINE;
}

int put_piece(scratch *s, int64_t low, int64_t high, int64_t row)
{
    slice_result *r = s->emit;
    if (r->pieces && r->high[r->pieces - 1] == low && r->row[r->pieces - 1] == row) {
        r->high[r->pieces - 1] = high;
        return FILTERS_FINE;
    }
    if (too_large(s))
        return FILTERS_TOO_LARGE;
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
