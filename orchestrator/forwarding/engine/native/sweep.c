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
    for (int64_t i = 0; i < s->atoms; i++) {
        const Atom *atom = &s->atom[i];
        event = sweep_to(e, s, atom, event);
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

/* Answer everything anew; with `records` what changed is told. Returns OK or an error. */
int sweep_all(Engine *e, bool records) {
    Sweep s;
    int64_t work = e->work, width = e->leading_count;
    int answer = sweep_begin(e, &s);
    s.answer = answer ? NULL : calloc((size_t)width + 1, sizeof *s.answer);
    answer = answer ? answer : s.answer ? answer_all(e, &s) : NO_MEMORY;
    answer = answer ? answer : store(e, &s, records);
    for (int64_t a = 0; s.answer && a < width; a++) list_free(&s.answer[a]); /* its chunks go with the engine */
    free(s.answer);
    e->atoms = s.atoms;
    e->classes = s.classes;
    e->sweep_work = s.events.count / 2;
    e->full_work = e->work - work + e->sweep_work;
    sweep_end(e, &s);
    return answer ? (e->error = answer) : OK;
}
