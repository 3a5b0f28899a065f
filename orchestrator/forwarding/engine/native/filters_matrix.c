/* Zone by zone, where ways are chains of filters of at most 64 entries and services fit one word.

   For each filter, sources (and destinations) that its entries cover alike are one class. Two classes make a cell:
   services that some packet between them has that passes, and services that pass between all their addresses. Along a
   way both words are and-ed. The second is exact; the first is exact unless one service varies within a pair in two
   filters: such pairs are left to filters.c, which looks closer. */
#include "filters_matrix_inside.h"

static void chain_node(matrix *m, int64_t n)
{
    const graph_view *g = &m->graph;
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

static int chain_of(matrix *m)
{
    size_t room = (size_t)m->graph.nodes + 1;
    m->steps = malloc(sizeof *m->steps * room);
    m->node_zone = malloc(sizeof *m->node_zone * room);
    if (!m->steps || !m->node_zone)
        return 0;
    for (int64_t n = 0; n < m->graph.nodes; n++)
        chain_node(m, n);
    return 1;
}

static int find_live(matrix *m)
{
    m->live = calloc((size_t)m->destinations.units + 1, 1);
    if (!m->live)
        return 0;
    for (int64_t d = 0; d < m->destinations.units; d++) {
        const int32_t *roots = roots_of(m, d);
        for (int64_t c = 0; c < m->columns && !m->live[d]; c++)
            m->live[d] = m->node_zone[roots[c]] != -1;
    }
    return 1;
}

/* Attachments of one zone, and runs of attachments that share their answers. */
static int find_runs(matrix *m)
{
    m->zone_first = calloc((size_t)m->zones + 1, sizeof *m->zone_first);
    m->run = calloc((size_t)m->width + 1, 1);
    if (!m->zone_first || !m->run)
        return 0;
    for (int64_t a = m->width - 1; a >= 0; a--) {
        m->zone_first[m->zone[a] + 1]++;
        if (m->sources.place[a] < 0)
            continue;
        int goes_on = a + 1 < m->width && m->column[a] == m->column[a + 1] && m->run[a + 1] < LANES;
        m->run[a] = (uint8_t)(goes_on ? m->run[a + 1] + 1 : 1);
    }
    for (int64_t z = 0; z < m->zones; z++)
        m->zone_first[z + 1] += m->zone_first[z];
    return 1;
}

/* ---- filters, compiled by all threads ---- */

typedef struct {
    matrix *m;
    int64_t begin, end;
    int fine, started;
    pthread_t thread;
} compile_part;

static void *compile_run(void *argument)
{
    compile_part *p = argument;
    for (int64_t v = p->begin; v < p->end && p->fine; v++)
        if (p->m->tables[v].used)
            p->fine = compile_variant(p->m, v, &p->m->tables[v]);
    return NULL;
}

static int compile_tables(matrix *m)
{
    int64_t variants = m->view.variants;
    compile_part *parts = calloc((size_t)m->threads, sizeof *parts);
    int fine = parts != NULL;
    for (int32_t i = 0; parts && i < m->threads; i++) {
        compile_part *p = &parts[i];
        *p = (compile_part){.m = m, .begin = variants * i / m->threads, .end = variants * (i + 1) / m->threads, .fine = 1};
        p->started = i > 0 && !pthread_create(&p->thread, NULL, compile_run, p);
    }
    for (int32_t i = 0; parts && i < m->threads; i++) {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        else
            compile_run(&parts[i]);
        fine &= parts[i].fine;
    }
    free(parts);
    return fine;
}

void set_hot(matrix *m, int64_t variant)
{
    const variant_table *t = &m->tables[variant];
    m->hots[variant] = (hot){t->source.of, t->destination.of, t->some, t->source.count};
}

static int give_cells(matrix *m)
{
    int64_t cells = 0;
    for (int64_t v = 0; v < m->view.variants; v++)
        if (m->tables[v].used)
            cells += m->tables[v].source.count * m->tables[v].destination.count;
    m->some_cells = calloc((size_t)cells + 1, sizeof *m->some_cells);
    m->every_cells = calloc((size_t)cells + 1, sizeof *m->every_cells); /* few cells need it: other pages are never touched */
    if (!m->some_cells || !m->every_cells)
        return 0;
    cells = 0;
    for (int64_t v = 0; v < m->view.variants; v++) {
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

/* ---- life and death ---- */

void matrix_free(matrix *m)
{
    if (!m)
        return;
    for (int64_t v = 0; m->tables && v < m->view.variants; v++)
        table_free(&m->tables[v]);
    for (int32_t i = 0; m->changes && i < m->threads; i++)
        free(m->changes[i].at);
    placing_free(&m->sources);
    placing_free(&m->targets);
    void *all[] = {m->run, m->tables, m->hots, m->steps, m->node_zone, m->some_cells, m->every_cells, m->live, m->rest,
                   m->changes, m->zone_first, m->leads_first, m->leads, m->only, m->alone, m->before.first, m->before.at,
                   m->behind.first, m->behind.at, m->stale};
    free_all(all, sizeof all / sizeof *all);
    free(m);
}

/* What the first update would have to wait for is found beside the filters. */
typedef struct {
    matrix *m;
    int fine;
} ways_part;

static void *ways_run(void *argument)
{
    ways_part *p = argument;
    p->fine = prepare_updates(p->m);
    return NULL;
}

static int compile_all(matrix *m)
{
    ways_part ways = {m, 0};
    pthread_t thread;
    int started = m->threads > 1 && !pthread_create(&thread, NULL, ways_run, &ways);
    int fine = compile_tables(m);
    if (started)
        pthread_join(thread, NULL);
    else
        ways_run(&ways);
    return fine && ways.fine;
}

static int prepare(matrix *m)
{
    m->tables = calloc((size_t)m->view.variants + 1, sizeof *m->tables);
    m->hots = calloc((size_t)m->view.variants + 1, sizeof *m->hots);
    return m->tables && m->hots && chain_of(m) && find_live(m) && place_units(&m->sources, &m->units, NULL) &&
           place_units(&m->targets, &m->destinations, m->live) && find_runs(m) && compile_all(m) && give_cells(m);
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
    *m = (matrix){.view = *view, .graph = *graph, .units = *units, .destinations = *destinations, .zone = zone,
                  .zones = zones, .row = row, .node = node, .columns = columns, .column = column, .flags = flags,
                  .threads = threads < 1 ? 1 : threads, .width = units->units};
    if (!prepare(m)) {
        matrix_free(m);
        return NULL;
    }
    *status = FILTERS_FINE;
    return m;
}
