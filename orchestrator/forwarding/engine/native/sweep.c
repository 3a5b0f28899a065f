/* All labels from low to high, once: the partition into classes and every attachment's outcome.
 *
 * A column is a table's group (or where a label stands in a translation rule). Stretches of labels with equal columns
 * share their outcomes. Equal columns are found by a 128-bit signature that changes additively with each event; whether
 * two stretches really agree is then decided by comparing every column that the first one's answer was read from.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define V4_END ((int64_t)1 << 32)
#define V6_FIRST ((int64_t)1 << 33)
#define SAMPLE 64 /* stretches that tell how many nodes the others make */
#define BLOCK 32  /* rows that wait to be put into the leaders' lists side by side */

typedef struct Event {
    int64_t start;
    int32_t column, value;
} Event;

typedef struct Events {
    Event *at;
    int64_t count, room;
} Events;

typedef struct Atom { /* one stretch: its events end before `events`; class */
    int64_t start, events;
    uint64_t one, two;
    int32_t class;
} Atom;

typedef struct Class {
    int64_t seen, row; /* where its columns and its row are kept, NOBODY when not (yet) */
    int32_t members, seen_count;
} Class;

typedef struct Sweep {
    Events events;   /* of columns */
    List *answer;    /* [leaders]: where answers begin, and their nodes */
    Atom *atom;
    int64_t atoms;
    Class *class;
    int64_t classes;
    Ints rows, columns;
    int32_t *begin, *row;
    int32_t *waiting;       /* [1 + BLOCK, leaders]: the row before, then the rows that wait */
    int64_t starts[BLOCK];  /* where they begin */
    int64_t waits;
} Sweep;

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

/* Every leader's outcome at one stretch. */
static int resolve(Engine *e, const Atom *atom, int32_t *row) {
    bool hole = atom->start >= V4_END && atom->start < V6_FIRST;
    walk_begin(e, atom->start);
    e->seen.count = 0;
    for (int64_t i = 0; i < e->leading_count; i++) row[i] = hole ? DROP : walk_attachment(e, e->leading[i], atom->start);
    return e->error;
}

static bool agrees(const Engine *e, const Sweep *s, const Class *class) {
    const int32_t *pair = s->columns.at + class->seen;
    for (int32_t i = 0; i < class->seen_count; i += 2)
        if (e->current[pair[i]] != pair[i + 1]) return false;
    return true;
}

static int keep(Engine *e, Sweep *s, Class *class, const int32_t *row) {
    int64_t width = e->leading_count;
    if (ints_room(&s->rows, width) || ints_room(&s->columns, e->seen.count)) return NO_MEMORY;
    class->row = s->rows.count;
    class->seen = s->columns.count;
    class->seen_count = (int32_t)e->seen.count;
    memcpy(s->rows.at + s->rows.count, row, (size_t)width * sizeof *row);
    if (e->seen.count)
        memcpy(s->columns.at + s->columns.count, e->seen.at, (size_t)e->seen.count * sizeof *row);
    s->rows.count += width;
    s->columns.count += e->seen.count;
    return OK;
}

/* The row of a stretch: that of its class when every column agrees that it was read from, else its own. */
static const int32_t *row_of(Engine *e, Sweep *s, const Atom *atom) {
    Class *class = &s->class[atom->class];
    if (class->row >= 0) {
        if (agrees(e, s, class)) return s->rows.at + class->row;
        e->collisions++;
    }
    bool fresh = class->row < 0 && class->members > 1;
    e->seeing = fresh;
    if (resolve(e, atom, s->row)) return NULL;
    e->seeing = false;
    if (fresh && keep(e, s, class, s->row)) e->error = NO_MEMORY;
    return e->error ? NULL : s->row;
}

/* The rows that wait, leader by leader: where their answers change. */
static int put_waiting(Engine *e, Sweep *s) {
    int64_t width = e->leading_count;
    for (int64_t a = 0; a < width; a++) {
        int32_t last = s->waiting[a];
        for (int64_t i = 0; i < s->waits; i++) {
            int32_t node = s->waiting[(i + 1) * width + a];
            if (node == last) continue;
            if (list_append(&e->arena, &s->answer[a], s->starts[i], NOBODY, node)) return NO_MEMORY;
            last = node;
        }
        s->waiting[a] = last;
    }
    s->waits = 0;
    return OK;
}

/* Stretches so far have made nodes; the others will make as many. */
static int expect(Engine *e, const Sweep *s, int64_t made, int64_t done) {
    int64_t each = (e->nodes.kind.count - made) / done;
    return nodes_expect(e, each * (s->classes < s->atoms ? s->classes : s->atoms));
}

static int answer_all(Engine *e, Sweep *s) {
    int64_t width = e->leading_count, event = 0, made = e->nodes.kind.count;
    for (int64_t a = 0; a < width; a++) s->waiting[a] = NOBODY;
    for (int64_t t = 0; t < e->in.tables; t++) e->step[t] = step_of(e, e->current[t]);
    for (int64_t i = 0; i < s->atoms; i++) {
        const Atom *atom = &s->atom[i];
        for (; event < atom->events; event++) {
            int32_t column = s->events.at[event].column, value = s->events.at[event].value;
            e->current[column] = value;
            if (column < e->in.tables) e->step[column] = step_of(e, value);
        }
        const int32_t *row = row_of(e, s, atom);
        if (!row || (i == SAMPLE && expect(e, s, made, i))) return e->error;
        if (!memcmp(row, s->waiting + s->waits * width, (size_t)width * sizeof *row)) continue;
        s->starts[s->waits++] = atom->start;
        memcpy(s->waiting + s->waits * width, row, (size_t)width * sizeof *row);
        if (s->waits == BLOCK && put_waiting(e, s)) return NO_MEMORY;
    }
    return put_waiting(e, s);
}

/* What differs between a leader's answers and the new ones. */
static int compare(Engine *e, int32_t leader, const List *fresh) {
    const List *list = &e->attachment[leader];
    Cursor at = {0, 0}, now = {0, 0};
    for (int64_t label = 0; label < LABEL_END;) {
        int64_t end = list_end(list, at), other = list_end(fresh, now);
        int64_t next = end < other ? end : other;
        int32_t old = chunk_value(list_chunk(list, at.chunk))[at.at];
        int32_t new = chunk_value(list_chunk(fresh, now.chunk))[now.at];
        if (old != new && record_push(e, (Record){label, next, leader, old, new})) return e->error;
        if (other == next) list_next(fresh, &now);
        if (end == next) list_next(list, &at);
        label = next;
    }
    return OK;
}

/* The new answers take the place of the old ones. */
static int store(Engine *e, Sweep *s, bool records) {
    for (int64_t a = 0; a < e->leading_count; a++) {
        List *list = &e->attachment[e->leading[a]];
        if (records && compare(e, e->leading[a], &s->answer[a])) return e->error;
        list_clear(&e->arena, list);
        *list = s->answer[a];
        memset(&s->answer[a], 0, sizeof s->answer[a]);
    }
    return OK;
}

static void sweep_free(Sweep *s, int64_t width) {
    for (int64_t a = 0; s->answer && a < width; a++) list_free(&s->answer[a]); /* its chunks go with the engine */
    free(s->answer);
    free(s->events.at);
    free(s->atom);
    free(s->class);
    free(s->rows.at);
    free(s->columns.at);
    free(s->begin);
    free(s->waiting);
    free(s->row);
}

/* Answer everything anew; with `records` what changed is told. Returns OK or an error. */
int sweep_all(Engine *e, bool records) {
    Sweep s;
    memset(&s, 0, sizeof s);
    size_t columns = (size_t)e->in.tables + (size_t)e->in.rules + 1, width = (size_t)e->leading_count + 1;
    s.begin = malloc(columns * sizeof *s.begin);
    s.waiting = malloc((1 + BLOCK) * width * sizeof *s.waiting);
    s.row = malloc(width * sizeof *s.row);
    s.answer = calloc(width, sizeof *s.answer);
    int answer = s.begin && s.waiting && s.row && s.answer ? OK : NO_MEMORY;
    int64_t work = e->work;
    answer = answer ? answer : gather(e, &s.events);
    if (!answer) memcpy(s.begin, e->current, columns * sizeof *s.begin);
    answer = answer ? answer : sort_events(&s.events);
    answer = answer ? answer : cut(e, &s, s.begin);
    answer = answer ? answer : classify(&s);
    if (!answer) {
        memcpy(e->current, s.begin, columns * sizeof *s.begin);
        e->sweeping = true;
        answer = answer_all(e, &s);
        e->sweeping = e->seeing = false;
    }
    answer = answer ? answer : store(e, &s, records);
    e->atoms = s.atoms;
    e->classes = s.classes;
    e->full_work = e->work - work + s.events.count / 2;
    sweep_free(&s, e->leading_count);
    return answer ? (e->error = answer) : OK;
}
