/* Zone by zone, where ways are chains of filters of at most 64 entries and services fit one word.

   For each filter, sources (and destinations) that its entries cover alike are one class: a list of masks of entries,
   one for each part of the addresses that the entries tell apart. Two classes make a cell: services that some packet
   between them has that passes, and services that pass between all their addresses. Cells are decided when first
   asked for. Along a way both words are and-ed. The second is exact; the first is exact unless one service varies
   within a pair in two filters: such pairs are left to filters.c, which looks closer. */
#include "filters_matrix.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KNOWN ((uint64_t)1 << 62)
#define VARIES ((uint64_t)1 << 63)
#define SERVICES (KNOWN - 1)
#define CHAIN_END (-1)
#define CACHE 4096

typedef struct {
    int64_t count;         /* classes */
    int64_t *first;        /* masks of class c: masks[first[c]] .. masks[first[c + 1]] */
    uint64_t *masks;
    int64_t first_room, masks_room;
    uint16_t *of;          /* class per unit */
} side;

typedef struct {
    int used, fits;
    int32_t otherwise;
    uint64_t hit[MATRIX_ENTRIES]; /* services of entry e; kept here: the view's rows change in place */
    uint8_t through[MATRIX_ENTRIES];
    side source, destination;
    uint64_t *some, *every;
    int own;               /* cells are an allocation of their own */
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
    uint64_t bits[CACHE];
    int32_t id[CACHE];
} id_cache;

typedef struct {
    int32_t attachment, destination;
} couple;

typedef struct {
    int64_t pair;
    int32_t some, every;
} change;

struct matrix {
    filter_view view;
    graph_view graph;
    unit_view units, destinations;
    const int32_t *zone, *row, *node, *column;
    int64_t zones;
    uint32_t flags;
    int32_t threads;
    int64_t width, columns; /* attachments; columns of `node` */
    int64_t regular_units, regular_destinations;
    int32_t *unit_order, *destination_order; /* units of one interval that overlap no other, ascending */
    uint8_t *unit_regular, *destination_regular;
    variant_table *tables;
    hot *hots;
    step *steps;
    int32_t *node_zone; /* -1 nowhere, -2 needs a closer look */
    uint64_t *some_cells, *every_cells;
    uint8_t *live;      /* destinations that lead to a zone */
    couple *rest;
    int64_t rest_room, rest_count;
    change *changes;
    int64_t changes_room, changes_count;
    int64_t *zone_first; /* attachments of zone z: zone_first[z] .. */
    int64_t *leads_first;
    int32_t *leads; /* destinations that lead to zone z for somebody */
    uint8_t *mark, *stale;
};

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

typedef struct {
    int64_t low[MATRIX_ENTRIES], high[MATRIX_ENTRIES];
    int32_t count;
} ranges;

/* The class of one unit, part by part. */
static int class_of_unit(side *s, const ranges *r, const unit_view *units, int64_t unit)
{
    if (!begin_class(s))
        return 0;
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

static int64_t first_ending_after(const unit_view *units, const int32_t *order, int64_t count, int64_t low)
{
    int64_t left = 0, right = count;
    while (left < right) {
        int64_t middle = (left + right) / 2;
        if (units->high[units->first[order[middle]]] <= low)
            left = middle + 1;
        else
            right = middle;
    }
    return left;
}

static int64_t first_from(const unit_view *units, const int32_t *order, int64_t count, int64_t high)
{
    int64_t left = 0, right = count;
    while (left < right) {
        int64_t middle = (left + right) / 2;
        if (units->low[units->first[order[middle]]] < high)
            left = middle + 1;
        else
            right = middle;
    }
    return left;
}

static int by_place(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Classes of all units: runs of regular units between the ends of entries, the others one by one. */
static int compile_side(side *s, const ranges *r, const unit_view *units, const int32_t *order, int64_t regular,
                        const uint8_t *is_regular)
{
    int64_t place[2 * MATRIX_ENTRIES], begin[MATRIX_ENTRIES], end[MATRIX_ENTRIES];
    int64_t partial[2 * MATRIX_ENTRIES], places = 0, partials = 0;
    s->of = malloc(sizeof *s->of * (size_t)(units->units + 1));
    if (!s->of)
        return 0;
    for (int32_t e = 0; e < r->count; e++) {
        begin[e] = first_ending_after(units, order, regular, r->low[e]);
        end[e] = first_from(units, order, regular, r->high[e]);
        if (begin[e] >= end[e])
            continue;
        place[places++] = begin[e];
        place[places++] = end[e];
        int64_t first = units->first[order[begin[e]]], last = units->first[order[end[e] - 1]];
        if (units->low[first] < r->low[e] || units->high[first] > r->high[e])
            partial[partials++] = begin[e];
        if (end[e] - 1 != begin[e] && units->high[last] > r->high[e])
            partial[partials++] = end[e] - 1;
    }
    qsort(place, (size_t)places, sizeof *place, by_place);
    uint64_t seen_mask[2 * MATRIX_ENTRIES + 2];
    int64_t seen = 0, from = 0;
    for (int64_t p = 0; p <= places; p++) {
        int64_t to = p < places ? place[p] : regular;
        if (to <= from)
            continue;
        uint64_t mask = 0;
        for (int32_t e = 0; e < r->count; e++)
            if (begin[e] <= from && from < end[e])
                mask |= (uint64_t)1 << e;
        int64_t number = 0;
        while (number < seen && seen_mask[number] != mask)
            number++;
        if (number == seen) {
            seen_mask[seen++] = mask;
            if (!begin_class(s) || !add_mask(s, mask))
                return 0;
        }
        for (int64_t i = from; i < to; i++)
            s->of[order[i]] = (uint16_t)number;
        from = to;
    }
    for (int64_t i = 0; i < partials; i++) {
        int32_t unit = order[partial[i]];
        if (!class_of_unit(s, r, units, unit))
            return 0;
        s->of[unit] = (uint16_t)(s->count - 1);
    }
    for (int64_t unit = 0; unit < units->units; unit++) {
        if (is_regular[unit])
            continue;
        if (!class_of_unit(s, r, units, unit))
            return 0;
        s->of[unit] = (uint16_t)(s->count - 1);
    }
    return s->count > 0 || begin_class(s);
}

static int compile_variant(const matrix *m, int64_t number, variant_table *t)
{
    const filter_view *v = &m->view;
    int32_t filter = v->variant_filter[number];
    ranges source, destination;
    source.count = destination.count = 0;
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
        destination.low[e] = meets ? v->destination_low[entry] : 0;
        destination.high[e] = meets ? v->destination_high[entry] : 0;
    }
    source.count = destination.count = entries;
    return compile_side(&t->source, &source, &m->units, m->unit_order, m->regular_units, m->unit_regular) &&
           compile_side(&t->destination, &destination, &m->destinations, m->destination_order,
                        m->regular_destinations, m->destination_regular);
}

/* ---- cells ---- */

static uint64_t first_match(const variant_table *t, uint64_t mask)
{
    uint64_t rest = SERVICES, through = 0;
    while (mask && rest) {
        int entry = __builtin_ctzll(mask);
        mask &= mask - 1;
        uint64_t hit = rest & t->hit[entry];
        through |= t->through[entry] ? hit : 0;
        rest &= ~hit;
    }
    return t->otherwise ? through | rest : through;
}

static __attribute__((noinline)) uint64_t fill(const variant_table *t, int64_t from, int64_t to)
{
    uint64_t some = 0, every = SERVICES;
    for (int64_t i = t->source.first[from]; i < t->source.first[from + 1]; i++)
        for (int64_t j = t->destination.first[to]; j < t->destination.first[to + 1]; j++) {
            uint64_t through = first_match(t, t->source.masks[i] & t->destination.masks[j]);
            some |= through;
            every &= through;
        }
    every &= some;
    int64_t cell = to * t->source.count + from;
    uint64_t value = some | KNOWN | (some != every ? VARIES : 0);
    /* two threads may both get here: they write the same, and `every` before the word that says so */
    __atomic_store_n(&t->every[cell], every, __ATOMIC_RELAXED);
    __atomic_store_n(&t->some[cell], value, __ATOMIC_RELEASE);
    return value;
}

static inline uint64_t cell_of(const variant_table *t, int64_t from, int64_t to, uint64_t *every)
{
    int64_t cell = to * t->source.count + from;
    uint64_t value = __atomic_load_n(&t->some[cell], __ATOMIC_ACQUIRE);
    if (__builtin_expect(!value, 0))
        value = fill(t, from, to);
    *every = value & VARIES ? __atomic_load_n(&t->every[cell], __ATOMIC_RELAXED) : value & SERVICES;
    return value;
}

/* 0: exact; 1: needs a closer look. The way from attachment a to destination d, beginning at node n. */
static inline int walk(const matrix *m, int32_t n, int64_t a, int64_t d, uint64_t services, uint64_t *some,
                       uint64_t *every)
{
    uint64_t any = services, all = services, varying = 0, conflict = 0;
    step s = m->steps[n];
    while (s.variant != CHAIN_END) {
        const hot *h = &m->hots[s.variant];
        int64_t from = h->from[a], to = h->to[d];
        uint64_t value = __atomic_load_n(&h->some[to * h->count + from], __ATOMIC_ACQUIRE);
        if (__builtin_expect(!value, 0))
            value = fill(&m->tables[s.variant], from, to);
        any &= value;
        if (!any)
            break;
        if (__builtin_expect(!(value & VARIES), 1)) {
            all &= value;
        } else {
            uint64_t each = __atomic_load_n(&m->tables[s.variant].every[to * h->count + from], __ATOMIC_RELAXED);
            uint64_t vary = value & ~each & SERVICES;
            all &= each;
            conflict |= vary & varying;
            varying |= vary;
        }
        s = m->steps[s.child];
    }
    *some = any;
    *every = any ? all : 0;
    return (conflict & any) != 0;
}

/* ---- making one ---- */

static int chain_of(matrix *m)
{
    const graph_view *g = &m->graph;
    m->steps = malloc(sizeof *m->steps * (size_t)(g->nodes + 1));
    m->node_zone = malloc(sizeof *m->node_zone * (size_t)(g->nodes + 1));
    if (!m->steps || !m->node_zone)
        return 0;
    for (int64_t n = 0; n < g->nodes; n++) {
        int32_t kind = g->kind[n], zone = -1;
        step s = {CHAIN_END, CHAIN_END};
        if (kind == NODE_DELIVER) {
            zone = g->a[n];
        } else if (kind == NODE_FILTER) {
            int32_t variant = g->a[n], filter = m->view.variant_filter[variant];
            s.variant = variant;
            s.child = g->children[g->first[n]];
            zone = m->node_zone[s.child];
            if (zone >= 0 && m->view.count[filter] > MATRIX_ENTRIES)
                zone = -2;
            if (zone >= 0)
                m->tables[variant].used = 1;
        } else {
            for (int32_t c = g->first[n]; c < g->first[n + 1]; c++)
                if (m->node_zone[g->children[c]] != -1)
                    zone = -2;
        }
        m->steps[n] = s;
        m->node_zone[n] = zone;
    }
    return 1;
}

typedef struct {
    int64_t low, high, unit;
} span;

static int by_end(const void *left, const void *right)
{
    const span *a = left, *b = right;
    return a->high != b->high ? (a->high > b->high) - (a->high < b->high) : (a->low < b->low) - (a->low > b->low);
}

static int regulars(const unit_view *units, const uint8_t *live, int32_t **order, uint8_t **regular, int64_t *count)
{
    span *spans = malloc(sizeof *spans * (size_t)(units->units + 1));
    *order = malloc(sizeof **order * (size_t)(units->units + 1));
    *regular = calloc((size_t)units->units + 1, 1);
    int64_t single = 0;
    if (!spans || !*order || !*regular) {
        free(spans);
        return 0;
    }
    for (int64_t u = 0; u < units->units; u++) {
        int64_t i = units->first[u];
        if (live && !live[u])
            (*regular)[u] = 1; /* never asked for: no class is needed */
        else if (units->first[u + 1] - i == 1)
            spans[single++] = (span){units->low[i], units->high[i], u};
    }
    qsort(spans, (size_t)single, sizeof *spans, by_end);
    int64_t kept = 0, reached = INT64_MIN;
    for (int64_t i = 0; i < single; i++) {
        if (spans[i].low < reached)
            continue;
        reached = spans[i].high;
        (*order)[kept++] = (int32_t)spans[i].unit;
        (*regular)[spans[i].unit] = 1;
    }
    *count = kept;
    free(spans);
    return 1;
}

typedef struct {
    matrix *m;
    int64_t begin, end;
    int fine;
    pthread_t thread;
    int started;
} compile_part;

static void *compile_run(void *argument)
{
    compile_part *p = argument;
    for (int64_t v = p->begin; v < p->end && p->fine; v++)
        if (p->m->tables[v].used)
            p->fine = compile_variant(p->m, v, &p->m->tables[v]);
    return NULL;
}

static void set_hot(matrix *m, int64_t variant);

static int compile_all(matrix *m)
{
    int64_t variants = m->view.variants, cells = 0;
    compile_part *parts = calloc((size_t)m->threads, sizeof *parts);
    if (!parts)
        return 0;
    for (int32_t i = 0; i < m->threads; i++) {
        parts[i] = (compile_part){.m = m, .begin = variants * i / m->threads, .end = variants * (i + 1) / m->threads,
                                  .fine = 1};
        parts[i].started = i > 0 && !pthread_create(&parts[i].thread, NULL, compile_run, &parts[i]);
    }
    int fine = 1;
    for (int32_t i = 0; i < m->threads; i++) {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        else
            compile_run(&parts[i]);
        fine &= parts[i].fine;
    }
    free(parts);
    if (!fine)
        return 0;
    for (int64_t v = 0; v < variants; v++)
        if (m->tables[v].used)
            cells += m->tables[v].source.count * m->tables[v].destination.count;
    m->some_cells = calloc((size_t)cells + 1, sizeof *m->some_cells); /* pages that no pair needs are never touched */
    m->every_cells = calloc((size_t)cells + 1, sizeof *m->every_cells);
    if (!m->some_cells || !m->every_cells)
        return 0;
    cells = 0;
    for (int64_t v = 0; v < variants; v++) {
        variant_table *t = &m->tables[v];
        if (!t->used)
            continue;
        t->some = m->some_cells + cells;
        t->every = m->every_cells + cells;
        set_hot(m, v);
        cells += t->source.count * t->destination.count;
    }
    return 1;
}

static void set_hot(matrix *m, int64_t variant)
{
    const variant_table *t = &m->tables[variant];
    m->hots[variant] = (hot){t->source.of, t->destination.of, t->some, t->source.count};
}

static int find_live(matrix *m)
{
    m->live = calloc((size_t)m->destinations.units + 1, 1);
    if (!m->live)
        return 0;
    for (int64_t d = 0; d < m->destinations.units; d++) {
        const int32_t *roots = m->node + (int64_t)m->row[d] * m->columns;
        for (int64_t c = 0; c < m->columns && !m->live[d]; c++)
            m->live[d] = m->node_zone[roots[c]] != -1;
    }
    return 1;
}

static void table_free(variant_table *t)
{
    side_free(&t->source);
    side_free(&t->destination);
    if (t->own) {
        free(t->some);
        free(t->every);
    }
}

void matrix_free(matrix *m)
{
    if (!m)
        return;
    for (int64_t v = 0; m->tables && v < m->view.variants; v++)
        table_free(&m->tables[v]);
    void *all[] = {m->tables, m->hots, m->steps, m->node_zone, m->unit_order, m->destination_order, m->unit_regular,
                   m->destination_regular, m->some_cells, m->every_cells, m->live, m->rest, m->changes,
                   m->zone_first, m->leads_first, m->leads, m->mark, m->stale};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(m);
}

matrix *matrix_new(const filter_view *view, const graph_view *graph, const unit_view *units, const int32_t *zone,
                   int64_t zones, const unit_view *destinations, const int32_t *row, const int32_t *node,
                   int64_t columns, const int32_t *column, uint32_t flags, int32_t threads, int32_t *status)
{
    *status = FILTERS_TOO_LARGE;
    if (view->width != 1 || !view->words || view->everything[0] & ~SERVICES || (flags & FILTERS_EVERY_PATH))
        return NULL;
    matrix *m = calloc(1, sizeof *m);
    *status = FILTERS_NO_MEMORY;
    if (!m)
        return NULL;
    m->view = *view;
    m->graph = *graph;
    m->units = *units;
    m->destinations = *destinations;
    m->zone = zone;
    m->zones = zones;
    m->row = row;
    m->node = node;
    m->columns = columns;
    m->column = column;
    m->flags = flags;
    m->threads = threads < 1 ? 1 : threads;
    m->width = units->units;
    m->tables = calloc((size_t)view->variants + 1, sizeof *m->tables);
    m->hots = calloc((size_t)view->variants + 1, sizeof *m->hots);
    m->zone_first = calloc((size_t)zones + 1, sizeof *m->zone_first);
    int fine = m->tables && m->hots && m->zone_first && chain_of(m) && find_live(m) &&
               regulars(&m->units, NULL, &m->unit_order, &m->unit_regular, &m->regular_units) &&
               regulars(&m->destinations, m->live, &m->destination_order, &m->destination_regular,
                        &m->regular_destinations) &&
               compile_all(m);
    if (!fine) {
        matrix_free(m);
        return NULL;
    }
    for (int64_t a = 0; a < m->width; a++)
        m->zone_first[zone[a] + 1]++;
    for (int64_t z = 0; z < zones; z++)
        m->zone_first[z + 1] += m->zone_first[z];
    *status = FILTERS_FINE;
    return m;
}

/* ---- answers ---- */

typedef struct {
    matrix *m;
    bitsets *sets;
    uint64_t services;
    int32_t *some, *every;
    int64_t begin, end; /* attachments */
    couple *rest;
    int64_t rest_room, rest_count;
    id_cache cache;
    int status, started;
    pthread_t thread;
} answer_part;

static int32_t number_of(answer_part *p, uint64_t bits)
{
    uint64_t place = (bits * 0x9E3779B97F4A7C15u) >> 52;
    if (p->cache.bits[place] == bits && p->cache.id[place] >= 0)
        return p->cache.id[place];
    int32_t id = bitsets_intern(p->sets, &bits);
    if (id < 0)
        p->status = FILTERS_NO_MEMORY;
    p->cache.bits[place] = bits;
    p->cache.id[place] = id;
    return id;
}

static void merge(answer_part *p, int32_t *into, uint64_t bits, int every)
{
    if (*into < 0) {
        *into = number_of(p, bits);
        return;
    }
    uint64_t old = bitsets_word(p->sets, *into);
    uint64_t both = every ? old & bits : old | bits;
    if (both != old)
        *into = number_of(p, both);
}

static void one_pair(answer_part *p, int64_t a, int64_t d, int32_t root)
{
    matrix *m = p->m;
    int32_t to = m->node_zone[root];
    if (to == -1 || m->units.first[a] == m->units.first[a + 1])
        return;
    uint64_t some = 0, every = 0;
    if (to == -2 || walk(m, root, a, d, p->services, &some, &every)) {
        if (!grow(&p->rest, &p->rest_room, p->rest_count + 1, sizeof *p->rest)) {
            p->status = FILTERS_NO_MEMORY;
            return;
        }
        p->rest[p->rest_count++] = (couple){(int32_t)a, (int32_t)d};
        return;
    }
    int64_t pair = (int64_t)m->zone[a] * m->zones + to;
    if (p->some[pair] < 0) { /* the usual case: one attachment, one class */
        p->some[pair] = number_of(p, some);
        p->every[pair] = some == every ? p->some[pair] : number_of(p, every);
        return;
    }
    merge(p, &p->some[pair], some, 0);
    merge(p, &p->every[pair], every, 1);
}

static void *answer_run(void *argument)
{
    answer_part *p = argument;
    matrix *m = p->m;
    for (int64_t block = p->begin; block < p->end; block += 64) {
        int64_t stop = block + 64 < p->end ? block + 64 : p->end;
        for (int64_t d = 0; d < m->destinations.units; d++) {
            if (!m->live[d])
                continue;
            const int32_t *roots = m->node + (int64_t)m->row[d] * m->columns;
            for (int64_t a = block; a < stop && !p->status; a++)
                one_pair(p, a, d, roots[m->column[a]]);
        }
    }
    return NULL;
}

static answer_part *parts_of(matrix *m, bitsets *sets, uint64_t services, int32_t *some, int32_t *every)
{
    answer_part *parts = calloc((size_t)m->threads, sizeof *parts);
    if (!parts)
        return NULL;
    int64_t from = 0;
    for (int32_t i = 0; i < m->threads; i++) {
        answer_part *p = &parts[i];
        int64_t to = i + 1 == m->threads ? m->width : m->width * (i + 1) / m->threads;
        while (to > 0 && to < m->width && m->zone[to] == m->zone[to - 1])
            to++; /* the attachments of a zone stay together */
        p->m = m;
        p->sets = sets;
        p->services = services;
        p->some = some;
        p->every = every;
        p->begin = from;
        p->end = to < from ? from : to;
        from = p->end;
        memset(p->cache.id, -1, sizeof p->cache.id);
    }
    return parts;
}

static int finish(matrix *m, answer_part *parts)
{
    int status = FILTERS_FINE;
    for (int32_t i = 0; i < m->threads; i++) {
        answer_part *p = &parts[i];
        if (p->status && !status)
            status = p->status;
        if (!grow(&m->rest, &m->rest_room, m->rest_count + p->rest_count, sizeof *m->rest))
            status = FILTERS_NO_MEMORY;
        else if (p->rest_count)
            memcpy(m->rest + m->rest_count, p->rest, sizeof *p->rest * (size_t)p->rest_count);
        m->rest_count += status ? 0 : p->rest_count;
        free(p->rest);
    }
    free(parts);
    return status;
}

static void run_parts(matrix *m, answer_part *parts, void *(*run)(void *))
{
    for (int32_t i = 1; i < m->threads; i++)
        parts[i].started = !pthread_create(&parts[i].thread, NULL, run, &parts[i]);
    for (int32_t i = 0; i < m->threads; i++) {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        else
            run(&parts[i]);
    }
}

int32_t matrix_answer(matrix *m, bitsets *sets, uint64_t services, int32_t *some, int32_t *every, int64_t *rest)
{
    answer_part *parts = parts_of(m, sets, services, some, every);
    if (!parts)
        return FILTERS_NO_MEMORY;
    m->rest_count = 0;
    run_parts(m, parts, answer_run);
    int status = finish(m, parts);
    *rest = m->rest_count;
    return status;
}

/* ---- one service: 64 attachments side by side, one bit each ---- */

typedef struct {
    uint64_t pass, vary; /* lanes that pass for some packet; of them, those that do not for every one */
    int64_t block;
} lanes;

typedef struct {
    int32_t node;
    uint64_t mask;
} front;

typedef struct {
    answer_part answer;
    int32_t atom;
    const int64_t *base; /* per variant: its first destination class among all */
    lanes *known;
    uint8_t *reached;
} service_part;

static const lanes *lanes_of(service_part *p, int32_t variant, int64_t d, int64_t block, int64_t stop)
{
    const matrix *m = p->answer.m;
    const hot *h = &m->hots[variant];
    int64_t to = h->to[d];
    lanes *known = &p->known[p->base[variant] + to];
    if (known->block == block)
        return known;
    known->block = block;
    known->pass = known->vary = 0;
    for (int64_t a = block; a < stop; a++) {
        if (m->units.first[a] == m->units.first[a + 1])
            continue;
        int64_t cell = to * h->count + h->from[a];
        uint64_t value = __atomic_load_n(&h->some[cell], __ATOMIC_ACQUIRE), lane = (uint64_t)1 << (a - block);
        if (!value)
            value = fill(&m->tables[variant], h->from[a], to);
        if (!(value >> p->atom & 1))
            continue;
        known->pass |= lane;
        if (value & VARIES && !(__atomic_load_n(&m->tables[variant].every[cell], __ATOMIC_RELAXED) >> p->atom & 1))
            known->vary |= lane;
    }
    return known;
}

/* Fronts stand in descending order of nodes: children have lower numbers, so a node is left when all lanes are there. */
static int put_front(front *fronts, int count, int32_t node, uint64_t mask)
{
    int at = count;
    while (at > 0 && fronts[at - 1].node < node)
        at--;
    if (at > 0 && fronts[at - 1].node == node) {
        fronts[at - 1].mask |= mask;
        return count;
    }
    memmove(fronts + at + 1, fronts + at, sizeof *fronts * (size_t)(count - at));
    fronts[at] = (front){node, mask};
    return count + 1;
}

/* Puts a front behind those of higher nodes, into the place before `first` that has just become free. */
static int move_front(front *fronts, int first, int count, int32_t node, uint64_t mask)
{
    int at = first;
    while (at < count && fronts[at].node > node)
        at++;
    if (at < count && fronts[at].node == node) {
        fronts[at].mask |= mask;
        return first;
    }
    memmove(fronts + first - 1, fronts + first, sizeof *fronts * (size_t)(at - first));
    fronts[at - 1] = (front){node, mask};
    return first - 1;
}

static void follow(service_part *p, int64_t d, int64_t block, int64_t stop)
{
    matrix *m = p->answer.m;
    const int32_t *roots = m->node + (int64_t)m->row[d] * m->columns;
    front fronts[65];
    int count = 0;
    uint64_t arrived = 0, varying = 0, conflict = 0;
    for (int64_t a = block; a < stop; a++) {
        int32_t zone = m->node_zone[roots[m->column[a]]];
        uint64_t lane = (uint64_t)1 << (a - block);
        if (zone == -1 || m->units.first[a] == m->units.first[a + 1])
            continue;
        if (zone == -2)
            conflict |= lane;
        else
            count = put_front(fronts, count, roots[m->column[a]], lane);
    }
    uint64_t closer = conflict;
    conflict = 0;
    for (int first = 0; first < count;) {
        front now = fronts[first++];
        step s = m->steps[now.node];
        if (s.variant == CHAIN_END) {
            arrived |= now.mask;
            continue;
        }
        const lanes *known = lanes_of(p, s.variant, d, block, stop);
        uint64_t mask = now.mask & known->pass, vary = mask & known->vary;
        conflict |= vary & varying;
        varying |= vary;
        if (mask)
            first = move_front(fronts, first, count, s.child, mask);
    }
    closer |= conflict & arrived;
    for (uint64_t left = arrived & ~closer; left; left &= left - 1) {
        int64_t a = block + __builtin_ctzll(left);
        p->reached[(int64_t)m->zone[a] * m->zones + m->node_zone[roots[m->column[a]]]] = 1;
    }
    answer_part *answer = &p->answer;
    for (; closer && !answer->status; closer &= closer - 1) {
        if (!grow(&answer->rest, &answer->rest_room, answer->rest_count + 1, sizeof *answer->rest))
            answer->status = FILTERS_NO_MEMORY;
        else
            answer->rest[answer->rest_count++] = (couple){(int32_t)(block + __builtin_ctzll(closer)), (int32_t)d};
    }
}

static void *service_run(void *argument)
{
    service_part *p = argument;
    matrix *m = p->answer.m;
    for (int64_t block = p->answer.begin; block < p->answer.end; block += 64) {
        int64_t stop = block + 64 < p->answer.end ? block + 64 : p->answer.end;
        for (int64_t d = 0; d < m->destinations.units && !p->answer.status; d++)
            if (m->live[d])
                follow(p, d, block, stop);
    }
    return NULL;
}

int32_t matrix_service(matrix *m, bitsets *sets, int32_t atom, uint8_t *reached, int64_t *rest)
{
    answer_part *parts = parts_of(m, sets, (uint64_t)1 << atom, NULL, NULL);
    service_part *services = calloc((size_t)m->threads, sizeof *services);
    int64_t *base = calloc((size_t)m->view.variants + 1, sizeof *base), total = 0;
    int fine = parts && services && base;
    for (int64_t v = 0; fine && v < m->view.variants; v++) {
        base[v] = total;
        total += m->tables[v].used ? m->tables[v].destination.count : 0;
    }
    m->rest_count = 0;
    for (int32_t i = 0; fine && i < m->threads; i++) {
        services[i] = (service_part){.answer = parts[i], .atom = atom, .base = base, .reached = reached};
        services[i].known = malloc(sizeof *services[i].known * (size_t)(total + 1));
        fine = services[i].known != NULL;
        for (int64_t k = 0; fine && k < total; k++)
            services[i].known[k].block = -1;
    }
    for (int32_t i = 1; fine && i < m->threads; i++)
        services[i].answer.started = !pthread_create(&services[i].answer.thread, NULL, service_run, &services[i]);
    for (int32_t i = 0; fine && i < m->threads; i++) {
        if (services[i].answer.started)
            pthread_join(services[i].answer.thread, NULL);
        else
            service_run(&services[i]);
    }
    int32_t status = fine ? FILTERS_FINE : FILTERS_NO_MEMORY;
    for (int32_t i = 0; services && i < m->threads; i++) {
        free(services[i].known);
        if (parts)
            parts[i] = services[i].answer;
    }
    free(services);
    free(base);
    if (fine)
        status = finish(m, parts);
    else
        free(parts);
    *rest = m->rest_count;
    return status;
}

void matrix_rest(const matrix *m, int32_t *attachment, int32_t *destination, uint8_t *branching)
{
    for (int64_t i = 0; i < m->rest_count; i++) {
        attachment[i] = m->rest[i].attachment;
        destination[i] = m->rest[i].destination;
        branching[i] =
            m->node_zone[m->node[(int64_t)m->row[destination[i]] * m->columns + m->column[attachment[i]]]] == -2;
    }
}

/* ---- one filter changed ---- */

static int index_leads(matrix *m)
{
    /* which destinations lead to a zone for somebody */
    if (m->leads_first)
        return 1;
    m->leads_first = calloc((size_t)m->zones + 2, sizeof *m->leads_first);
    int32_t *last = malloc(sizeof *last * (size_t)(m->zones + 1));
    m->stale = calloc((size_t)m->zones, (size_t)m->zones);
    m->mark = malloc((size_t)m->graph.nodes + 1);
    int fine = m->leads_first && last && m->stale && m->mark;
    for (int round = 0; fine && round < 2; round++) {
        for (int64_t z = 0; z <= m->zones; z++)
            last[z] = -1;
        for (int64_t d = 0; d < m->destinations.units; d++) {
            const int32_t *roots = m->node + (int64_t)m->row[d] * m->columns;
            for (int64_t a = 0; m->live[d] && a < m->width; a++) {
                int32_t z = m->node_zone[roots[m->column[a]]];
                if (z < 0 || last[z] == d)
                    continue;
                last[z] = (int32_t)d;
                if (round == 0)
                    m->leads_first[z + 2]++;
                else
                    m->leads[m->leads_first[z + 1]++] = (int32_t)d;
            }
        }
        if (round == 0) {
            for (int64_t z = 1; z <= m->zones; z++)
                m->leads_first[z + 1] += m->leads_first[z];
            m->leads = malloc(sizeof *m->leads * (size_t)(m->leads_first[m->zones + 1] + 1));
            fine = m->leads != NULL;
        }
    }
    free(last);
    return fine;
}

typedef struct {
    uint16_t before, after;
    int32_t count;
    uint8_t touched;
} move;

/* Distinct (class before, class after) of units, and which each unit is. */
static move *moves_of(const side *before, const side *after, const unit_view *units, const uint8_t *live,
                      uint16_t *which, int64_t *count)
{
    int64_t buckets = 1024, used = 0, room = 0;
    int32_t *table = malloc(sizeof *table * (size_t)buckets);
    move *moves = NULL;
    if (!table)
        return NULL;
    memset(table, -1, sizeof *table * (size_t)buckets);
    for (int64_t u = 0; u < units->units; u++) {
        if ((live && !live[u]) || units->first[u] == units->first[u + 1]) {
            which[u] = UINT16_MAX;
            continue;
        }
        uint32_t key = (uint32_t)before->of[u] << 16 | after->of[u];
        uint64_t place = (key * 0x9E3779B97F4A7C15u) >> 40 & (uint64_t)(buckets - 1);
        while (table[place] >= 0 &&
               (moves[table[place]].before != before->of[u] || moves[table[place]].after != after->of[u]))
            place = (place + 1) & (uint64_t)(buckets - 1);
        if (table[place] < 0) {
            if (used >= UINT16_MAX - 1 || !grow(&moves, &room, used + 1, sizeof *moves)) {
                free(moves);
                free(table);
                return NULL;
            }
            moves[used] = (move){before->of[u], after->of[u], 0, 0};
            table[place] = (int32_t)used++;
            if (used * 2 > buckets) {
                int32_t *wider = realloc(table, sizeof *table * (size_t)(buckets *= 2));
                if (!wider) {
                    free(moves);
                    free(table);
                    return NULL;
                }
                table = wider;
                memset(table, -1, sizeof *table * (size_t)buckets);
                for (int64_t i = 0; i < used; i++) {
                    uint32_t old = (uint32_t)moves[i].before << 16 | moves[i].after;
                    uint64_t at = (old * 0x9E3779B97F4A7C15u) >> 40 & (uint64_t)(buckets - 1);
                    while (table[at] >= 0)
                        at = (at + 1) & (uint64_t)(buckets - 1);
                    table[at] = (int32_t)i;
                }
                place = 0;
                which[u] = (uint16_t)(used - 1);
                moves[used - 1].count++;
                continue;
            }
        }
        which[u] = (uint16_t)table[place];
        moves[table[place]].count++;
    }
    free(table);
    if (!moves)
        moves = calloc(1, sizeof *moves);
    *count = used;
    return moves;
}

typedef struct {
    matrix *m;
    int32_t variant;
    const uint8_t *differs; /* [destination moves, source moves] */
    const uint16_t *source_move, *destination_move;
    const int32_t *sources, *destinations;
    int64_t source_count, destination_count, source_moves;
    int64_t begin, end;
    answer_part answer;
    couple *found; /* pairs of zones to compute anew */
    int64_t found_room, found_count;
    int started;
    pthread_t thread;
} update_part;

static void compute_pair(answer_part *p, int32_t a_zone, int32_t b_zone)
{
    matrix *m = p->m;
    int64_t pair = (int64_t)a_zone * m->zones + b_zone;
    p->some[pair] = p->every[pair] = -1;
    for (int64_t a = m->zone_first[a_zone]; a < m->zone_first[a_zone + 1]; a++)
        for (int64_t i = m->leads_first[b_zone]; i < m->leads_first[b_zone + 1]; i++) {
            int64_t d = m->leads[i];
            int32_t root = m->node[(int64_t)m->row[d] * m->columns + m->column[a]];
            if (m->node_zone[root] == b_zone)
                one_pair(p, a, d, root);
        }
}

static void *update_run(void *argument)
{
    update_part *p = argument;
    matrix *m = p->m;
    answer_part *answer = &p->answer;
    for (int64_t j = 0; j < p->destination_count; j++) {
        int64_t d = p->destinations[j];
        const uint8_t *differs = p->differs + (int64_t)p->destination_move[d] * p->source_moves;
        const int32_t *roots = m->node + (int64_t)m->row[d] * m->columns;
        for (int64_t i = p->begin; i < p->end && !answer->status; i++) {
            int64_t a = p->sources[i];
            if (!differs[p->source_move[a]] || !m->mark[roots[m->column[a]]] || m->node_zone[roots[m->column[a]]] < 0)
                continue;
            int64_t pair = (int64_t)m->zone[a] * m->zones + m->node_zone[roots[m->column[a]]];
            if (m->stale[pair])
                continue;
            m->stale[pair] = 1;
            if (!grow(&p->found, &p->found_room, p->found_count + 1, sizeof *p->found)) {
                answer->status = FILTERS_NO_MEMORY;
                break;
            }
            p->found[p->found_count++] = (couple){m->zone[a], m->node_zone[roots[m->column[a]]]};
        }
    }
    return NULL;
}

static void *recompute_run(void *argument)
{
    update_part *p = argument;
    for (int64_t i = 0; i < p->found_count && !p->answer.status; i++)
        compute_pair(&p->answer, p->found[i].attachment, p->found[i].destination);
    return NULL;
}

static void run_update(update_part *parts, int32_t threads, void *(*run)(void *))
{
    for (int32_t i = 1; i < threads; i++)
        parts[i].started = !pthread_create(&parts[i].thread, NULL, run, &parts[i]);
    for (int32_t i = 0; i < threads; i++) {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        else
            run(&parts[i]);
    }
}

static void mark_nodes(matrix *m, int32_t variant)
{
    for (int64_t n = 0; n < m->graph.nodes; n++) {
        step s = m->steps[n];
        m->mark[n] = s.variant != CHAIN_END && (s.variant == variant || m->mark[s.child]);
    }
}

static int64_t listed(const uint16_t *which, const move *moves, int64_t count, int32_t *list)
{
    int64_t used = 0;
    for (int64_t u = 0; u < count; u++)
        if (which[u] != UINT16_MAX && moves[which[u]].touched)
            list[used++] = (int32_t)u;
    return used;
}

/* Which moves make a difference; NULL: no memory. */
static uint8_t *compare(const variant_table *before, const variant_table *after, move *sources, int64_t source_count,
                        move *destinations, int64_t destination_count)
{
    uint8_t *differs = calloc((size_t)(source_count * destination_count) + 1, 1);
    for (int64_t j = 0; differs && j < destination_count; j++)
        for (int64_t i = 0; i < source_count; i++) {
            uint64_t was_every, is_every;
            uint64_t was = cell_of(before, sources[i].before, destinations[j].before, &was_every);
            uint64_t is = cell_of(after, sources[i].after, destinations[j].after, &is_every);
            if (was != is || was_every != is_every) {
                differs[j * source_count + i] = 1;
                sources[i].touched = destinations[j].touched = 1;
            }
        }
    return differs;
}

static int add_forced(matrix *m, update_part *parts, int64_t forced, const int64_t *pairs)
{
    for (int64_t i = 0; i < forced; i++) {
        update_part *p = &parts[0];
        if (m->stale[pairs[i]])
            continue;
        m->stale[pairs[i]] = 1;
        if (!grow(&p->found, &p->found_room, p->found_count + 1, sizeof *p->found))
            return 0;
        p->found[p->found_count++] = (couple){(int32_t)(pairs[i] / m->zones), (int32_t)(pairs[i] % m->zones)};
    }
    return 1;
}

static int32_t update_pairs(matrix *m, bitsets *sets, int32_t variant, variant_table *before, variant_table *after,
                            int64_t forced, const int64_t *pairs, int32_t *some, int32_t *every)
{
    int64_t units = m->units.units, places = m->destinations.units, source_moves = 0, destination_moves = 0;
    uint16_t *source_move = malloc(sizeof *source_move * (size_t)(units + 1));
    uint16_t *destination_move = malloc(sizeof *destination_move * (size_t)(places + 1));
    int32_t *sources = malloc(sizeof *sources * (size_t)(units + 1));
    int32_t *destinations = malloc(sizeof *destinations * (size_t)(places + 1));
    update_part *parts = calloc((size_t)m->threads, sizeof *parts);
    move *from = NULL, *to = NULL;
    uint8_t *differs = NULL;
    int32_t status = FILTERS_NO_MEMORY;
    if (!before) {
        differs = calloc(1, 1);
    } else if (source_move && destination_move && sources && destinations && parts) {
        from = moves_of(&before->source, &after->source, &m->units, NULL, source_move, &source_moves);
        to = moves_of(&before->destination, &after->destination, &m->destinations, m->live, destination_move,
                      &destination_moves);
        if (from && to)
            differs = compare(before, after, from, source_moves, to, destination_moves);
    }
    m->changes_count = 0;
    m->rest_count = 0;
    if (differs && parts) {
        status = FILTERS_FINE;
        int64_t source_count = before ? listed(source_move, from, units, sources) : 0;
        int64_t destination_count = before ? listed(destination_move, to, places, destinations) : 0;
        if (source_count && destination_count)
            mark_nodes(m, variant);
        int64_t begin = 0;
        for (int32_t i = 0; i < m->threads; i++) {
            update_part *p = &parts[i];
            int64_t end = i + 1 == m->threads ? source_count : source_count * (i + 1) / m->threads;
            while (end > begin && end < source_count && m->zone[sources[end]] == m->zone[sources[end - 1]])
                end++; /* the attachments of a zone stay together */
            *p = (update_part){.m = m, .variant = variant, .differs = differs, .source_move = source_move,
                               .destination_move = destination_move, .sources = sources,
                               .destinations = destinations, .source_count = source_count,
                               .destination_count = destination_count, .source_moves = source_moves,
                               .begin = begin, .end = end < begin ? begin : end};
            begin = p->end;
            p->answer.m = m;
            p->answer.sets = sets;
            p->answer.services = m->view.everything[0];
            p->answer.some = some;
            p->answer.every = every;
            memset(p->answer.cache.id, -1, sizeof p->answer.cache.id);
        }
        run_update(parts, m->threads, update_run);
        int64_t total = 0;
        if (!add_forced(m, parts, forced, pairs))
            status = FILTERS_NO_MEMORY;
        for (int32_t i = 0; i < m->threads; i++)
            total += parts[i].found_count;
        if (!grow(&m->changes, &m->changes_room, total, sizeof *m->changes))
            status = FILTERS_NO_MEMORY;
        for (int32_t i = 0; i < m->threads; i++)
            for (int64_t k = 0; k < parts[i].found_count; k++) {
                int64_t pair = (int64_t)parts[i].found[k].attachment * m->zones + parts[i].found[k].destination;
                m->stale[pair] = 0;
                if (!status)
                    m->changes[m->changes_count++] = (change){pair, some[pair], every[pair]};
            }
        if (!status)
            run_update(parts, m->threads, recompute_run);
        for (int32_t i = 0; i < m->threads; i++) {
            answer_part *p = &parts[i].answer;
            if (p->status && !status)
                status = p->status;
            if (!grow(&m->rest, &m->rest_room, m->rest_count + p->rest_count, sizeof *m->rest))
                status = FILTERS_NO_MEMORY;
            else if (p->rest_count)
                memcpy(m->rest + m->rest_count, p->rest, sizeof *p->rest * (size_t)p->rest_count);
            m->rest_count += status ? 0 : p->rest_count;
            free(p->rest);
            free(parts[i].found);
        }
    }
    void *all[] = {source_move, destination_move, sources, destinations, parts, from, to, differs};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return status;
}

int32_t matrix_update(matrix *m, const filter_view *view, bitsets *sets, int32_t variant, int64_t forced,
                      const int64_t *pairs, int32_t *some, int32_t *every, int64_t *changed, int64_t *rest)
{
    variant_table *t = &m->tables[variant], after;
    filter_view old_view = m->view;
    m->view = *view;
    *changed = *rest = 0;
    m->changes_count = m->rest_count = 0;
    if (view->width != 1 || !view->words || view->everything[0] & ~SERVICES ||
        (t->used && view->count[view->variant_filter[variant]] > MATRIX_ENTRIES)) {
        m->view = old_view;
        return FILTERS_TOO_LARGE;
    }
    if (!index_leads(m))
        return FILTERS_NO_MEMORY;
    if (!t->used) { /* on no chain: only what is forced */
        int32_t status = update_pairs(m, sets, variant, NULL, NULL, forced, pairs, some, every);
        *changed = m->changes_count;
        *rest = m->rest_count;
        return status;
    }
    memset(&after, 0, sizeof after);
    after.used = after.own = 1;
    int fine = compile_variant(m, variant, &after);
    if (fine) {
        size_t cells = (size_t)(after.source.count * after.destination.count) + 1;
        after.some = calloc(cells, sizeof *after.some);
        after.every = calloc(cells, sizeof *after.every);
        fine = after.some && after.every;
    }
    if (!fine) {
        table_free(&after);
        m->view = old_view;
        return FILTERS_NO_MEMORY;
    }
    variant_table before = *t;
    *t = after;
    set_hot(m, variant);
    int32_t status = update_pairs(m, sets, variant, &before, t, forced, pairs, some, every);
    table_free(&before);
    *changed = m->changes_count;
    *rest = m->rest_count;
    return status;
}

void matrix_changes(const matrix *m, int64_t *pair, int32_t *some, int32_t *every)
{
    for (int64_t i = 0; i < m->changes_count; i++) {
        pair[i] = m->changes[i].pair;
        some[i] = m->changes[i].some;
        every[i] = m->changes[i].every;
    }
}
