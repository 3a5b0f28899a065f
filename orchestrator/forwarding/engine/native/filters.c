/* Which packets of (sources x destinations) get through a graph of decisions, exactly.

   For one product only the entries that overlap it count. Destinations are swept over the ends of those entries; each
   distinct set of entries met (compared word by word) gets one sweep over the sources; each distinct set there is
   decided once: first match over sets of service atoms, then the graph bottom up. Nothing is kept between keys except
   the list of entries that overlap the sources, which neighbouring keys share.

   Here: many products at once. filters_inside.h says what is in which file. */
#include "filters_inside.h"

#include <pthread.h>

typedef struct {
    scratch s;
    const unit_view *units;
    bitsets *sets;
    int64_t begin, end;
    const int32_t *node, *unit, *zone;
    const int64_t *first, *low, *high;
    int32_t *any, *all;
    int status, ready;
    pthread_t thread;
} part;

static int decide_key(part *p, int64_t key)
{
    scratch *s = &p->s;
    int32_t unit = p->unit[key];
    if (key == p->begin || unit != p->unit[key - 1]) {
        s->stamp++;
        s->list_used = 0;
        s->sources = p->units->first[unit + 1] - p->units->first[unit];
        s->source_low = p->units->low + p->units->first[unit];
        s->source_high = p->units->high + p->units->first[unit];
    }
    s->zone = p->zone[key];
    s->destinations = p->first[key + 1] - p->first[key];
    s->low = p->low + p->first[key];
    s->high = p->high + p->first[key];
    p->any[key] = p->all[key] = 0;
    if (!s->sources || !s->destinations)
        return FILTERS_FINE;
    int status = collect(s, p->node[key]);
    if (!status)
        status = sweep(s);
    if (status)
        return status;
    p->any[key] = bitsets_intern(p->sets, s->any);
    p->all[key] = memcmp(s->any, s->all, (size_t)s->view->width * sizeof *s->any)
                      ? bitsets_intern(p->sets, s->all)
                      : p->any[key];
    return p->any[key] < 0 || p->all[key] < 0 ? FILTERS_NO_MEMORY : FILTERS_FINE;
}

static void *run_part(void *argument)
{
    part *p = argument;
    for (int64_t key = p->begin; key < p->end && !p->status; key++)
        p->status = decide_key(p, key);
    return NULL;
}

int32_t filters_decide(const filter_view *view, const graph_view *graph, const unit_view *units, bitsets *sets,
                       int64_t keys, const int32_t *node, const int32_t *unit, const int32_t *zone,
                       const int64_t *first, const int64_t *low, const int64_t *high, uint32_t flags,
                       int32_t threads, int32_t *any, int32_t *all)
{
    if (threads < 1 || keys < 64)
        threads = 1;
    part *parts = calloc((size_t)threads, sizeof *parts);
    if (!parts)
        return FILTERS_NO_MEMORY;
    int status = FILTERS_FINE;
    for (int32_t t = 0; t < threads; t++) {
        part *p = &parts[t];
        int fine = scratch_init(&p->s, view, graph, flags);
        p->units = units;
        p->sets = sets;
        p->begin = keys * t / threads;
        p->end = keys * (t + 1) / threads;
        p->node = node;
        p->unit = unit;
        p->zone = zone;
        p->first = first;
        p->low = low;
        p->high = high;
        p->any = any;
        p->all = all;
        p->status = fine ? FILTERS_FINE : FILTERS_NO_MEMORY;
        p->ready = t > 0 && fine && !pthread_create(&p->thread, NULL, run_part, p);
    }
    for (int32_t t = 0; t < threads; t++) {
        if (parts[t].ready)
            pthread_join(parts[t].thread, NULL);
        else
            run_part(&parts[t]);
        if (parts[t].status && !status)
            status = parts[t].status;
        scratch_free(&parts[t].s);
    }
    free(parts);
    return status;
}
