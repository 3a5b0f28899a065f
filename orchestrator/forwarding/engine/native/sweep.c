/* All labels from low to high, once: the partition into classes and every attachment's outcome.
 *
 * A column is a table's group (or where a label stands in a translation rule). Stretches of labels with equal columns
 * share their outcomes. Equal columns are found by a 128-bit signature that changes additively with each event; whether
 * two stretches really agree is then decided by comparing every column that the first one's answer was read from.
 */
#include "sweep.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE 64 /* stretches that tell how many nodes the others make */

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
    answer = answer ? answer : find_stretches(e, &s);
    if (!answer) {
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
