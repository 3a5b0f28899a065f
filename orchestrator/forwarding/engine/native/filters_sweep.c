/* Destinations are swept over the ends of the candidates; each distinct set of them is swept over the sources. */
#include "filters_inside.h"

static void account(scratch *s, const uint64_t *value)
{
    for (int64_t w = 0; w < s->view->width; w++) {
        s->any[w] |= value[w];
        s->all[w] &= value[w];
    }
}

static int by_value(const void *left, const void *right)
{
    int64_t a = ((const event *)left)->value, b = ((const event *)right)->value;
    return (a > b) - (a < b);
}

static void sort_events(event *events, int64_t count)
{
    if (count > 24) {
        qsort(events, (size_t)count, sizeof *events, by_value);
        return;
    }
    for (int64_t i = 1; i < count; i++) {
        event one = events[i];
        int64_t j = i;
        for (; j && events[j - 1].value > one.value; j--)
            events[j] = events[j - 1];
        events[j] = one;
    }
}

static int visit(scratch *s, int64_t low, int64_t high, const uint64_t *value)
{
    if (!s->emit) {
        account(s, value);
        return FILTERS_FINE;
    }
    return put_cell(s, low, high, value);
}

static void set_bit(uint64_t *bits, int64_t place) { bits[place / 64] |= (uint64_t)1 << (place % 64); }
static void clear_bit(uint64_t *bits, int64_t place) { bits[place / 64] &= ~((uint64_t)1 << (place % 64)); }

static void begin_entry(scratch *s, int64_t place)
{
    set_bit(s->row_active, place);
    set_bit(s->row_words, place / 64);
}

static void end_entry(scratch *s, int64_t place)
{
    clear_bit(s->row_active, place);
    if (!s->row_active[place / 64])
        clear_bit(s->row_words, place / 64);
}

/* The sources under one set of candidates (`active`): each distinct set is decided. */
static int sweep_row(scratch *s, const uint64_t *active)
{
    const filter_view *v = s->view;
    int64_t words = (s->candidates + 63) / 64, count = 0;
    if (s->emit && begin_row(s->emit))
        return FILTERS_NO_MEMORY;
    memset(s->row_words, 0, (size_t)(words / 64 + 1) * sizeof *s->row_words);
    for (int64_t w = 0; w < words; w++) {
        uint64_t bits = active[w];
        s->row_active[w] = bits;
        while (bits) {
            int64_t c = w * 64 + __builtin_ctzll(bits);
            bits &= bits - 1;
            if (s->candidate_flags[c] & 1)
                continue;
            s->row_active[w] &= ~((uint64_t)1 << (c % 64));
            if (!grow(&s->row_starts, &s->row_starts_room, count + 1, sizeof *s->row_starts) ||
                !grow(&s->row_ends, &s->row_ends_room, count + 1, sizeof *s->row_ends))
                return FILTERS_NO_MEMORY;
            int64_t e = s->candidate[c];
            s->row_starts[count] = (event){v->source_low[e], c};
            s->row_ends[count++] = (event){v->source_high[e], c};
        }
        if (s->row_active[w])
            set_bit(s->row_words, w);
    }
    sort_events(s->row_starts, count);
    sort_events(s->row_ends, count);
    int64_t starting = 0, ending = 0;
    const uint64_t *value = NULL;
    for (int64_t i = 0; i < s->sources; i++) {
        int64_t place = s->source_low[i], stop = s->source_high[i];
        while (place < stop) {
            int changed = value == NULL;
            for (; starting < count && s->row_starts[starting].value <= place; starting++, changed = 1)
                begin_entry(s, s->row_starts[starting].who);
            for (; ending < count && s->row_ends[ending].value <= place; ending++, changed = 1)
                end_entry(s, s->row_ends[ending].who);
            int64_t next = stop;
            if (starting < count && s->row_starts[starting].value < next)
                next = s->row_starts[starting].value;
            if (ending < count && s->row_ends[ending].value < next)
                next = s->row_ends[ending].value;
            if (changed)
                value = decide(s, s->row_active);
            if (changed || s->emit) {
                int status = visit(s, place, next, value);
                if (status)
                    return status;
            }
            place = next;
        }
    }
    if (s->emit)
        s->emit->row_first[s->emit->rows] = s->emit->cells;
    return FILTERS_FINE;
}

/* The number of this set of candidates among those met; a new one is swept over the sources. -1: see status. */
static int64_t row_of(scratch *s)
{
    int64_t words = (s->candidates + 63) / 64;
    size_t size = (size_t)words * sizeof *s->seen;
    if ((s->seen_count + 1) * 2 > s->seen_buckets) {
        int64_t buckets = s->seen_buckets ? s->seen_buckets * 2 : 64;
        int32_t *table = realloc(s->seen_table, (size_t)buckets * sizeof *table);
        if (!table)
            return s->status = FILTERS_NO_MEMORY, -1;
        s->seen_table = table;
        s->seen_buckets = buckets;
        memset(table, -1, (size_t)buckets * sizeof *table);
        for (int64_t i = 0; i < s->seen_count; i++) {
            uint64_t place = digest(s->seen + i * words, words) & (uint64_t)(buckets - 1);
            while (table[place] >= 0)
                place = (place + 1) & (uint64_t)(buckets - 1);
            table[place] = (int32_t)i;
        }
    }
    uint64_t place = digest(s->active, words) & (uint64_t)(s->seen_buckets - 1);
    while (s->seen_table[place] >= 0) {
        if (!memcmp(s->seen + s->seen_table[place] * words, s->active, size))
            return s->seen_table[place];
        place = (place + 1) & (uint64_t)(s->seen_buckets - 1);
    }
    if (s->seen_count >= INT32_MAX || (s->seen_count + 1) * words > ((int64_t)1 << 28) || (s->emit && too_large(s)))
        return s->status = FILTERS_TOO_LARGE, -1;
    if (!grow(&s->seen, &s->seen_room, (s->seen_count + 1) * words + 1, sizeof *s->seen))
        return s->status = FILTERS_NO_MEMORY, -1;
    memcpy(s->seen + s->seen_count * words, s->active, size);
    s->seen_table[place] = (int32_t)s->seen_count;
    s->status = sweep_row(s, s->active);
    return s->status ? -1 : s->seen_count++;
}

static int room_for_values(scratch *s)
{
    int64_t width = s->view->width, words = (s->candidates + 63) / 64 + 1;
    return grow(&s->slot_values, &s->slot_values_room, (2 * s->slots + 2) * width, sizeof *s->slot_values) &&
           grow(&s->node_values, &s->node_values_room, s->order_count * width, sizeof *s->node_values) &&
           grow(&s->active, &s->active_room, words, sizeof *s->active) &&
           grow(&s->row_active, &s->row_active_room, words, sizeof *s->row_active) &&
           grow(&s->row_words, &s->row_words_room, words / 64 + 1, sizeof *s->row_words) &&
           grow(&s->starts, &s->starts_room, s->candidates, sizeof *s->starts) &&
           grow(&s->ends, &s->ends_room, s->candidates, sizeof *s->ends);
}

int sweep(scratch *s)
{
    const filter_view *v = s->view;
    if (!gather(s) || !room_for_values(s))
        return FILTERS_NO_MEMORY;
    int64_t count = 0, words = (s->candidates + 63) / 64;
    memset(s->active, 0, (size_t)(words + 1) * sizeof *s->active);
    for (int64_t c = 0; c < s->candidates; c++) {
        if (s->candidate_flags[c] & 2) {
            set_bit(s->active, c);
            continue;
        }
        int64_t e = s->candidate[c];
        s->starts[count] = (event){v->destination_low[e], c};
        s->ends[count++] = (event){v->destination_high[e], c};
    }
    sort_events(s->starts, count);
    sort_events(s->ends, count);
    s->seen_count = 0;
    if (s->seen_buckets > 4096 && s->candidates < 1024) {
        free(s->seen_table);
        s->seen_table = NULL;
        s->seen_buckets = 0;
    }
    if (s->seen_table)
        memset(s->seen_table, -1, (size_t)s->seen_buckets * sizeof *s->seen_table);
    memset(s->any, 0, (size_t)v->width * sizeof *s->any);
    memcpy(s->all, v->everything, (size_t)v->width * sizeof *s->all);
    if (!s->emit && !count)
        return sweep_row(s, s->active);
    int64_t starting = 0, ending = 0, row = -1;
    for (int64_t i = 0; i < s->destinations; i++) {
        int64_t place = s->low[i], stop = s->high[i];
        while (place < stop) {
            for (; starting < count && s->starts[starting].value <= place; starting++, row = -1)
                set_bit(s->active, s->starts[starting].who);
            for (; ending < count && s->ends[ending].value <= place; ending++, row = -1)
                clear_bit(s->active, s->ends[ending].who);
            int64_t next = stop;
            if (starting < count && s->starts[starting].value < next)
                next = s->starts[starting].value;
            if (ending < count && s->ends[ending].value < next)
                next = s->ends[ending].value;
            if (row < 0)
                row = row_of(s);
            if (row < 0)
                return s->status;
            if (s->emit && s->emit->row_first[row + 1] > s->emit->row_first[row]) {
                int status = put_piece(s, place, next, row);
                if (status)
                    return status;
            }
            place = next;
        }
    }
    return FILTERS_FINE;
}
