/* Addresses that the entries of a filter cover alike are one class: a list of masks of entries, one for each part of the
   addresses that the entries tell apart. */
#include "filters_matrix_inside.h"

/* ---- places ---- */

typedef struct {
    int64_t low, high, unit;
} span;

static int by_end(const void *left, const void *right)
{
    const span *a = left, *b = right;
    return a->high != b->high ? (a->high > b->high) - (a->high < b->high) : (a->low < b->low) - (a->low > b->low);
}

/* Units of one interval that overlap none kept before them; ascending. */
static int64_t keep_apart(placing *p, const span *spans, int64_t count)
{
    int64_t kept = 0, reached = INT64_MIN;
    for (int64_t i = 0; i < count; i++) {
        if (spans[i].low < reached)
            continue;
        reached = spans[i].high;
        p->low[kept] = spans[i].low;
        p->high[kept] = spans[i].high;
        p->place[spans[i].unit] = (int32_t)kept;
        p->order[kept++] = (int32_t)spans[i].unit;
    }
    return kept;
}

/* Give the units their places; those without an address get none. `live` NULL: all are asked for. 0: no memory. */
int place_units(placing *p, const unit_view *units, const uint8_t *live)
{
    size_t room = (size_t)units->units + 1;
    span *spans = malloc(sizeof *spans * room);
    p->order = malloc(sizeof *p->order * room);
    p->place = malloc(sizeof *p->place * room);
    p->low = malloc(sizeof *p->low * room);
    p->high = malloc(sizeof *p->high * room);
    int fine = spans && p->order && p->place && p->low && p->high;
    int64_t single = 0;
    for (int64_t u = 0; fine && u < units->units; u++) {
        int64_t i = units->first[u];
        p->place[u] = -1;
        if ((!live || live[u]) && units->first[u + 1] - i == 1)
            spans[single++] = (span){units->low[i], units->high[i], u};
    }
    if (fine) {
        qsort(spans, (size_t)single, sizeof *spans, by_end);
        p->regular = p->placed = keep_apart(p, spans, single);
    }
    for (int64_t u = 0; fine && u < units->units; u++) {
        if (p->place[u] >= 0 || (live && !live[u]) || units->first[u] == units->first[u + 1])
            continue;
        p->place[u] = (int32_t)p->placed;
        p->order[p->placed++] = (int32_t)u;
    }
    free(spans);
    return fine;
}

void placing_free(placing *p)
{
    void *all[] = {p->order, p->place, p->low, p->high};
    free_all(all, sizeof all / sizeof *all);
}

/* ---- classes ---- */

static int begin_class(side *s)
{
    if (s->count >= MATRIX_CLASSES || !grow(&s->first, &s->first_room, s->count + 2, sizeof *s->first))
        return 0;
    if (!s->count)
        s->first[0] = 0;
    s->first[s->count + 1] = s->first[s->count];
    s->count++;
    return 1;
}

static int add_mask(side *s, uint64_t mask)
{
    int64_t begin = s->first[s->count - 1], end = s->first[s->count];
    for (int64_t i = begin; i < end; i++)
        if (s->masks[i] == mask)
            return 1;
    if (!grow(&s->masks, &s->masks_room, end + 1, sizeof *s->masks))
        return 0;
    s->masks[end] = mask;
    s->first[s->count]++;
    return 1;
}

static void side_free(side *s)
{
    free(s->first);
    free(s->masks);
    free(s->of);
    memset(s, 0, sizeof *s);
}

void table_free(variant_table *t)
{
    side_free(&t->source);
    side_free(&t->destination);
    if (t->own) {
        free(t->some);
        free(t->every);
    }
}

typedef struct {
    int64_t low[MATRIX_ENTRIES], high[MATRIX_ENTRIES];
    int32_t count;
} ranges;

/* The class of one place, part by part. */
static int class_of_place(side *s, const ranges *r, const placing *p, const unit_view *units, int64_t at)
{
    int32_t unit = p->order[at];
    if (!begin_class(s))
        return 0;
    s->of[at] = (uint16_t)(s->count - 1);
    for (int64_t i = units->first[unit]; i < units->first[unit + 1]; i++) {
        int64_t place = units->low[i], stop = units->high[i];
        while (place < stop) {
            uint64_t mask = 0;
            int64_t next = stop;
            for (int32_t e = 0; e < r->count; e++) {
                if (r->low[e] <= place && place < r->high[e]) {
                    mask |= (uint64_t)1 << e;
                    if (r->high[e] < next)
                        next = r->high[e];
                } else if (r->low[e] > place && r->low[e] < next) {
                    next = r->low[e];
                }
            }
            if (!add_mask(s, mask))
                return 0;
            place = next;
        }
    }
    return 1;
}

/* How many of the ascending values are below (or at) a limit. */
static int64_t count_below(const int64_t *values, int64_t count, int64_t limit, int including)
{
    const int64_t *from = values;
    limit += including;
    while (count > 0) {
        int64_t half = count / 2;
        if (from[half] < limit) {
            from += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return from - values;
}

/* Where entries begin and end among regular places, and the places that an entry holds a part of only. A mark: a place
   and what begins or ends there, ascending. */
typedef struct {
    uint64_t mark[2 * MATRIX_ENTRIES + 1];
    int64_t partial[2 * MATRIX_ENTRIES];
    int32_t marks, partials;
} stretches;

enum { NO_ENTRY = MATRIX_ENTRIES };

/* Put it where it belongs: entries are often written in the order of their addresses. */
static void put_mark(stretches *x, int64_t place, int32_t entry)
{
    uint64_t mark = (uint64_t)place << 8 | (uint64_t)entry;
    int32_t at = x->marks++;
    for (; at && x->mark[at - 1] > mark; at--)
        x->mark[at] = x->mark[at - 1];
    x->mark[at] = mark;
}

static void stretch_entries(stretches *x, const ranges *r, const placing *p)
{
    x->marks = x->partials = 0;
    for (int32_t e = 0; e < r->count; e++) {
        int64_t begin = count_below(p->high, p->regular, r->low[e], 1);
        int64_t end = count_below(p->low, p->regular, r->high[e], 0);
        if (begin >= end)
            continue;
        put_mark(x, begin, e);
        put_mark(x, end, e);
        if (p->low[begin] < r->low[e] || p->high[begin] > r->high[e])
            x->partial[x->partials++] = begin;
        if (end - 1 != begin && p->high[end - 1] > r->high[e])
            x->partial[x->partials++] = end - 1;
    }
    put_mark(x, p->regular, NO_ENTRY);
}

/* Classes of all regular places, as if every entry held all of a place or nothing. */
static int class_runs(side *s, const stretches *x)
{
    uint64_t seen_mask[2 * MATRIX_ENTRIES + 2], mask = 0;
    int64_t seen = 0, from = 0;
    for (int32_t c = 0; c < x->marks; c++) {
        int64_t to = (int64_t)(x->mark[c] >> 8), number = 0;
        if (to > from) {
            while (number < seen && seen_mask[number] != mask)
                number++;
            if (number == seen) {
                seen_mask[seen++] = mask;
                if (!begin_class(s) || !add_mask(s, mask))
                    return 0;
            }
            for (int64_t at = from; at < to; at++)
                s->of[at] = (uint16_t)number;
            from = to;
        }
        if ((x->mark[c] & 255) != NO_ENTRY)
            mask ^= (uint64_t)1 << (x->mark[c] & 255);
    }
    return 1;
}

static int compile_side(side *s, const ranges *r, const placing *p, const unit_view *units)
{
    stretches x;
    s->of = malloc(sizeof *s->of * (size_t)(p->placed + 1));
    if (!s->of)
        return 0;
    stretch_entries(&x, r, p);
    if (!class_runs(s, &x))
        return 0;
    for (int32_t i = 0; i < x.partials; i++)
        if (!class_of_place(s, r, p, units, x.partial[i]))
            return 0;
    for (int64_t at = p->regular; at < p->placed; at++)
        if (!class_of_place(s, r, p, units, at))
            return 0;
    return s->count > 0 || begin_class(s);
}

int compile_variant(const matrix *m, int64_t number, variant_table *t)
{
    const filter_view *v = &m->view;
    int32_t filter = v->variant_filter[number];
    ranges source, target;
    int upper = (m->flags & FILTERS_UPPER) != 0;
    int32_t entries = (int32_t)v->count[filter], action = v->otherwise[filter];
    t->otherwise = action == ACTION_PERMIT || (upper && action == ACTION_UNKNOWN);
    for (int32_t e = 0; e < entries; e++) {
        int64_t entry = v->start[filter] + e;
        int meets = v->in_port[entry] < 0 || v->in_port[entry] == v->variant_port[number];
        action = v->action[entry];
        t->hit[e] = v->words[v->match[entry]];
        t->through[e] = action == ACTION_PERMIT || (upper && action == ACTION_UNKNOWN);
        source.low[e] = meets ? v->source_low[entry] : 0;
        source.high[e] = meets ? v->source_high[entry] : 0;
        target.low[e] = meets ? v->destination_low[entry] : 0;
        target.high[e] = meets ? v->destination_high[entry] : 0;
    }
    source.count = target.count = entries;
    return compile_side(&t->source, &source, &m->sources, &m->units) &&
           compile_side(&t->destination, &target, &m->targets, &m->destinations);
}
