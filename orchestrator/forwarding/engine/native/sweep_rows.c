/* What sweeps share: going from stretch to stretch, and the outcomes of all leaders at one, verified class by class. */
#include "sweep.h"

#include <stdlib.h>
#include <string.h>

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

/* Go on to a stretch: what begins at or before its start is so now. `event`: the first event that is not yet. */
int64_t sweep_to(Engine *e, const Sweep *s, const Atom *atom, int64_t event) {
    for (; event < atom->events; event++) {
        int32_t column = s->events.at[event].column, value = s->events.at[event].value;
        e->current[column] = value;
        if (column < e->in.tables) e->step[column] = step_of(e, value);
    }
    return event;
}

/* The row of a stretch: that of its class when every column agrees that it was read from, else its own. */
const int32_t *row_of(Engine *e, Sweep *s, const Atom *atom) {
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

/* Stretches of the tables as they are, and the engine at the first of them. Returns OK or an error. */
int sweep_begin(Engine *e, Sweep *s) {
    size_t columns = (size_t)e->in.tables + (size_t)e->in.rules + 1, width = (size_t)e->leading_count + 1;
    memset(s, 0, sizeof *s);
    s->begin = malloc(columns * sizeof *s->begin);
    s->waiting = malloc((1 + BLOCK) * width * sizeof *s->waiting);
    s->row = malloc(width * sizeof *s->row);
    int answer = s->begin && s->waiting && s->row ? find_stretches(e, s) : NO_MEMORY;
    if (answer) return e->error = answer;
    e->sweeping = true;
    sweep_rewind(e, s);
    return OK;
}

/* Back to the first label. */
void sweep_rewind(Engine *e, const Sweep *s) {
    memcpy(e->current, s->begin, ((size_t)e->in.tables + (size_t)e->in.rules + 1) * sizeof *s->begin);
    for (int64_t t = 0; t < e->in.tables; t++) e->step[t] = step_of(e, e->current[t]);
}

void sweep_end(Engine *e, Sweep *s) {
    e->sweeping = e->seeing = false;
    free(s->events.at);
    free(s->atom);
    free(s->class);
    free(s->rows.at);
    free(s->columns.at);
    free(s->begin);
    free(s->waiting);
    free(s->row);
}
