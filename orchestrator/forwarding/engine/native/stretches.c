/* All labels from low to high, cut wherever a column changes; stretches that look alike get one class number. */
#include "sweep.h"

#include <stdlib.h>
#include <string.h>

static int push(Events *events, int64_t start, int32_t column, int32_t value) {
    if (events->count == events->room) {
        int64_t room = events->room * 2 + 1024;
        Event *more = realloc(events->at, (size_t)room * sizeof *more);
        if (!more) return NO_MEMORY;
        events->at = more;
        events->room = room;
    }
    events->at[events->count++] = (Event){start, column, value};
    return OK;
}

/* Where a table's group changes; what it has at 0 goes into `current`. */
static int table_events(Engine *e, Events *events, int32_t table) {
    const List *list = &e->table[table];
    int32_t group = NOBODY;
    for (int32_t i = 0; i < list->count; i++) {
        Chunk *chunk = list_chunk(list, i);
        const int32_t *value = chunk_value(chunk);
        for (int32_t k = 0; k < chunk->count; k++) {
            if (!i && !k)
                e->current[table] = value[0];
            else if (value[k] != group && push(events, chunk->start[k], table, value[k]))
                return NO_MEMORY;
            group = value[k];
        }
    }
    return OK;
}

/* Where a label stands in a rule: before it, in which part of its range, behind it. */
static int rule_events(Engine *e, Events *events, int32_t rule) {
    int32_t column = (int32_t)e->in.tables + rule;
    int64_t low = e->in.rule_low[rule], high = e->in.rule_high[rule];
    e->current[column] = NOBODY;
    if (low < high && push(events, low, column, 0)) return NO_MEMORY;
    for (int64_t i = e->in.map_first[rule]; low < high && i < e->in.map_first[rule + 1]; i++) {
        int32_t part = (int32_t)(i - e->in.map_first[rule]);
        if (part && push(events, e->in.map_start[i], column, part)) return NO_MEMORY;
    }
    return low < high && high < LABEL_END ? push(events, high, column, NOBODY) : OK;
}

static int gather(Engine *e, Events *events) {
    int32_t tables = (int32_t)e->in.tables, rules = (int32_t)e->in.rules;
    for (int32_t t = 0; t < tables; t++)
        if (table_events(e, events, t)) return NO_MEMORY;
    for (int32_t r = 0; r < rules; r++)
        if (rule_events(e, events, r)) return NO_MEMORY;
    e->current[tables + rules] = 0; /* labels between the families stand for nothing */
    return push(events, V4_END, tables + rules, 1) || push(events, V6_FIRST, tables + rules, 0);
}

/* By start, stable, in digits of eleven bits that differ at all. */
static int sort_events(Events *events) {
    int64_t n = events->count;
    uint64_t differ = 0;
    for (int64_t i = 1; i < n; i++) differ |= (uint64_t)(events->at[i].start ^ events->at[0].start);
    Event *spare = malloc(((size_t)n + 1) * sizeof *spare);
    if (!spare) return NO_MEMORY;
    for (int shift = 0; shift < 64; shift += 11) {
        if (!(differ >> shift & 2047)) continue;
        int64_t place[2049] = {0};
        for (int64_t i = 0; i < n; i++) place[1 + (events->at[i].start >> shift & 2047)]++;
        for (int i = 0; i < 2048; i++) place[i + 1] += place[i];
        for (int64_t i = 0; i < n; i++) spare[place[events->at[i].start >> shift & 2047]++] = events->at[i];
        Event *other = events->at;
        events->at = spare;
        spare = other;
    }
    free(spare);
    events->room = n + 1;
    return OK;
}

static inline uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t sign(int32_t column, int32_t value) {
    return mix((uint64_t)(uint32_t)column << 32 | (uint32_t)value);
}

static int cut(Engine *e, Sweep *s, const int32_t *begin) {
    s->atom = malloc(((size_t)s->events.count + 1) * sizeof *s->atom);
    if (!s->atom) return NO_MEMORY;
    memcpy(e->current, begin, ((size_t)e->in.tables + (size_t)e->in.rules + 1) * sizeof *begin);
    uint64_t one = 0, two = 0;
    int64_t i = 0, n = s->events.count;
    for (int64_t start = 0;;) {
        for (; i < n && s->events.at[i].start == start; i++) {
            const Event *event = &s->events.at[i];
            uint64_t old = sign(event->column, e->current[event->column]), new = sign(event->column, event->value);
            one += new - old;
            two += mix(new + 0x9e3779b97f4a7c15u) - mix(old + 0x9e3779b97f4a7c15u);
            e->current[event->column] = event->value;
        }
        s->atom[s->atoms++] = (Atom){start, i, one, two, NOBODY};
        if (i == n) return OK;
        start = s->events.at[i].start;
    }
}

/* Stretches with equal signatures get one class number. */
static int classify(Sweep *s) {
    int64_t slots = 1024;
    while (slots < s->atoms * 2) slots *= 2;
    int32_t *table = calloc((size_t)slots, sizeof *table);
    s->class = malloc((size_t)s->atoms * sizeof *s->class);
    int64_t *example = malloc((size_t)s->atoms * sizeof *example);
    int answer = table && s->class && example ? OK : NO_MEMORY;
    for (int64_t i = 0; i < s->atoms && !answer; i++) {
        Atom *atom = &s->atom[i];
        int64_t slot = (int64_t)(mix(atom->one) & (uint64_t)(slots - 1));
        for (; table[slot]; slot = (slot + 1) & (slots - 1)) {
            const Atom *other = &s->atom[example[table[slot] - 1]];
            if (other->one == atom->one && other->two == atom->two) break;
        }
        if (!table[slot]) {
            example[s->classes] = i;
            s->class[s->classes] = (Class){NOBODY, NOBODY, 0, 0};
            table[slot] = (int32_t)++s->classes;
        }
        atom->class = table[slot] - 1;
        s->class[atom->class].members++;
    }
    free(table);
    free(example);
    return answer;
}

int find_stretches(Engine *e, Sweep *s) {
    size_t columns = (size_t)e->in.tables + (size_t)e->in.rules + 1;
    int answer = gather(e, &s->events);
    if (!answer) memcpy(s->begin, e->current, columns * sizeof *s->begin);
    answer = answer ? answer : sort_events(&s->events);
    answer = answer ? answer : cut(e, s, s->begin);
    answer = answer ? answer : classify(s);
    if (!answer) memcpy(e->current, s->begin, columns * sizeof *s->begin);
    return answer;
}
