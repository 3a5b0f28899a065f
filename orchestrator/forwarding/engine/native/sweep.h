/* Sweeps: stretches.c cuts all labels, sweep_rows.c answers one stretch, sweep.c all of them, sweep_edits.c those of edits. */
#ifndef ONEFOLD_SWEEP_H
#define ONEFOLD_SWEEP_H

#include "core.h"

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
    int64_t ends[BLOCK];    /* where they end, of edits */
    int64_t waits;
} Sweep;

/* Stretches and their classes; leaves in `current` the columns at the first label, as `begin` keeps them. */
int find_stretches(Engine *e, Sweep *s);

int sweep_begin(Engine *e, Sweep *s);
int64_t sweep_to(Engine *e, const Sweep *s, const Atom *atom, int64_t event);
const int32_t *row_of(Engine *e, Sweep *s, const Atom *atom);
void sweep_rewind(Engine *e, const Sweep *s);
void sweep_end(Engine *e, Sweep *s);

#endif
