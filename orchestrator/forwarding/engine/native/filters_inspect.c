/* What becomes of one entry's packets: taken before it, by it, or as well by what comes behind it. */
#include "filters_inside.h"

static void note_taker(scratch *s, int32_t position)
{
    for (int i = 0; i < INSPECTED; i++) {
        if (s->takers[i] == position)
            return;
        if (s->takers[i] < 0) {
            s->takers[i] = position;
            return;
        }
    }
}

/* What becomes of the inspected entry's packets in one cell: taken before it, or by what comes behind it. */
void inspect(scratch *s, const uint64_t *active)
{
    const filter_view *v = s->view;
    int32_t filter = v->variant_filter[s->slot_variant[0]], own = v->action[s->candidate[s->inspected]];
    memcpy(s->rest, s->inspected_services, (size_t)v->width * sizeof *s->rest);
    for (int64_t c = 0; c < s->candidates; c++) {
        if (c == s->inspected) {
            s->met = 1;
            continue;
        }
        if (!(active[c / 64] >> (c % 64) & 1))
            continue;
        int64_t e = s->candidate[c];
        memset(s->hit, 0, (size_t)v->width * sizeof *s->hit);
        int left = take(v, v->match[e], s->rest, s->hit);
        if (c < s->inspected && some_bit(s->hit, v->width))
            note_taker(s, (int32_t)(e - v->start[filter]));
        if (c > s->inspected && v->action[e] != own && some_bit(s->hit, v->width))
            s->spare = 0;
        if (!left)
            return;
    }
    if (v->otherwise[filter] != own)
        s->spare = 0;
}

static int inspect_one(scratch *s, int64_t entry, int64_t low, int64_t high, uint64_t *services)
{
    const filter_view *v = s->view;
    int64_t ends[4] = {v->source_low[entry], v->source_high[entry], v->destination_low[entry],
                       v->destination_high[entry]};
    for (int i = 0; i < 4; i++)
        ends[i] = ends[i] < low ? low : ends[i] > high ? high : ends[i];
    s->met = 0;
    s->spare = 1;
    if (v->in_port[entry] >= 0 && v->in_port[entry] != v->variant_port[s->slot_variant[0]])
        return FILTERS_FINE; /* packets of this variant came in by another port */
    if (ends[0] >= ends[1] || ends[2] >= ends[3])
        return FILTERS_FINE;
    s->stamp++;
    s->list_used = 0;
    s->sources = s->destinations = 1;
    s->source_low = &ends[0];
    s->source_high = &ends[1];
    s->low = &ends[2];
    s->high = &ends[3];
    s->looked_at = entry;
    if (!gather(s))
        return FILTERS_NO_MEMORY;
    s->inspected = -1;
    for (int64_t c = 0; c < s->candidates; c++)
        if (s->candidate[c] == entry)
            s->inspected = c;
    if (s->inspected < 0)
        s->inspected = s->candidates; /* an entry before it takes everything: the last candidate */
    memset(services, 0, (size_t)v->width * sizeof *services);
    memcpy(s->rest, v->everything, (size_t)v->width * sizeof *s->rest);
    take(v, v->match[entry], s->rest, services);
    s->inspected_services = services;
    if (s->inspected == s->candidates) {
        s->inspected = -1;
        if (s->candidates)
            note_taker(s, (int32_t)(s->candidate[s->candidates - 1] - v->start[v->variant_filter[s->slot_variant[0]]]));
        return FILTERS_FINE;
    }
    int status = some_bit(services, v->width) ? sweep(s) : FILTERS_FINE;
    s->inspected = -1;
    return status;
}

int32_t filters_inspect(const filter_view *view, int32_t variant, int64_t begin, int64_t end, int64_t low,
                        int64_t high, uint8_t *met, uint8_t *spare, int32_t *takers)
{
    graph_view none = {0, NULL, NULL, NULL, NULL};
    scratch s;
    int status = scratch_init(&s, view, &none, 0) ? FILTERS_FINE : FILTERS_NO_MEMORY;
    uint64_t *services = malloc(sizeof *services * (size_t)view->width);
    if (!services)
        status = FILTERS_NO_MEMORY;
    if (!status)
        status = collect_variant(&s, variant);
    int32_t filter = view->variant_filter[variant];
    for (int64_t i = begin; i < end && !status; i++) {
        s.takers = takers + (i - begin) * INSPECTED;
        status = inspect_one(&s, view->start[filter] + i, low, high, services);
        met[i - begin] |= (uint8_t)s.met;
        spare[i - begin] &= (uint8_t)s.spare;
    }
    free(services);
    scratch_free(&s);
    return status;
}
