/* The entries that overlap a product of addresses. */
#include "filters_inside.h"

/* 0: no overlap; 1: some; 2: [low, high) holds all of the intervals */
static int meets(int64_t count, const int64_t *lows, const int64_t *highs, int64_t low, int64_t high)
{
    if (low <= lows[0] && high >= highs[count - 1])
        return 2;
    int64_t left = 0, right = count; /* first interval that ends after low */
    while (left < right) {
        int64_t middle = (left + right) / 2;
        if (highs[middle] <= low)
            left = middle + 1;
        else
            right = middle;
    }
    return left < count && lows[left] < high;
}

static int list_entries(scratch *s, int32_t filter)
{
    const filter_view *v = s->view;
    if (s->list_stamp[filter] == s->stamp)
        return 1;
    int64_t begin = v->start[filter], end = begin + v->count[filter];
    if (!grow(&s->list, &s->list_room, s->list_used + end - begin, sizeof *s->list) ||
        !grow(&s->list_whole, &s->list_whole_room, s->list_used + end - begin, 1))
        return 0;
    s->list_stamp[filter] = s->stamp;
    s->list_start[filter] = s->list_used;
    int64_t first_low = s->source_low[0], last_high = s->source_high[s->sources - 1];
    for (int64_t e = begin; e < end; e++) {
        if (v->source_high[e] <= first_low || v->source_low[e] >= last_high)
            continue;
        int how = meets(s->sources, s->source_low, s->source_high, v->source_low[e], v->source_high[e]);
        if (!how)
            continue;
        s->list[s->list_used] = e;
        s->list_whole[s->list_used++] = how == 2;
    }
    s->list_count[filter] = s->list_used - s->list_start[filter];
    return 1;
}

int gather(scratch *s)
{
    const filter_view *v = s->view;
    s->candidates = 0;
    if (!grow(&s->slot_first, &s->slot_first_room, s->slots + 1, sizeof *s->slot_first))
        return 0;
    int64_t first_low = s->low[0], last_high = s->high[s->destinations - 1];
    for (int64_t slot = 0; slot < s->slots; slot++) {
        int32_t variant = s->slot_variant[slot], filter = v->variant_filter[variant];
        s->slot_first[slot] = s->candidates;
        if (!list_entries(s, filter))
            return 0;
        const int64_t *list = s->list + s->list_start[filter];
        const uint8_t *whole = s->list_whole + s->list_start[filter];
        int64_t count = s->list_count[filter];
        for (int64_t i = 0; i < count; i++) {
            int64_t e = list[i];
            if (v->destination_high[e] <= first_low || v->destination_low[e] >= last_high)
                continue;
            if (v->in_port[e] >= 0 && v->in_port[e] != v->variant_port[variant])
                continue;
            int how = meets(s->destinations, s->low, s->high, v->destination_low[e], v->destination_high[e]);
            if (!how)
                continue;
            if (!grow(&s->candidate, &s->candidate_room, s->candidates + 1, sizeof *s->candidate) ||
                !grow(&s->candidate_flags, &s->candidate_flags_room, s->candidates + 1, 1))
                return 0;
            s->candidate[s->candidates] = e;
            s->candidate_flags[s->candidates++] = (uint8_t)((whole[i] ? 1 : 0) | (how == 2 ? 2 : 0));
            if (whole[i] && how == 2 && v->whole[v->match[e]] && e != s->looked_at)
                break; /* nothing behind it is ever met */
        }
    }
    s->slot_first[s->slots] = s->candidates;
    return 1;
}
