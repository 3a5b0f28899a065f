/* The labels of edits answered anew, class by class: where edits have many more pieces than classes.
 *
 * A wide route has a piece wherever no other one is more specific, and most of these pieces look alike; one by one, each
 * would be walked by itself. First what became of packets in the edited table, then what becomes of them now; only where
 * that differs are answers looked at. As everywhere, signatures find classes and columns that were read decide.
 */
#include "sweep.h"

#include <stdlib.h>
#include <string.h>

typedef struct Parts { /* going through the parts of edits that lie in one stretch each */
    int64_t atom, event, edit;
    int64_t low, high;
} Parts;

typedef struct Known { /* the edited table's own outcome in a class, with a group of its own */
    int32_t group, node, seen_count;
    int64_t seen; /* NOBODY: not known */
} Known;

typedef struct Owns {
    Known *known; /* [classes] */
    Ints columns, node; /* node: of every part, before; NOBODY where others may have another outcome all the same */
} Owns;

/* The next part, with the engine's columns as they are there. */
static bool next_part(Engine *e, const Sweep *s, Parts *p) {
    for (; p->edit < e->edits; p->edit++) {
        const Edit *edit = &e->edit[p->edit];
        p->low = edit->low > p->high ? edit->low : p->high;
        if (p->low >= edit->high) continue;
        while (p->atom + 1 < s->atoms && s->atom[p->atom + 1].start <= p->low) p->atom++;
        p->event = sweep_to(e, s, &s->atom[p->atom], p->event);
        int64_t end = p->atom + 1 < s->atoms ? s->atom[p->atom + 1].start : LABEL_END;
        p->high = edit->high < end ? edit->high : end;
        return true;
    }
    return false;
}

/* ---- the edited table itself ---- */
static bool still(const Engine *e, const Owns *own, const Known *known, int32_t table) {
    const int32_t *pair = own->columns.at + known->seen;
    for (int32_t i = 0; i < known->seen_count; i += 2)
        if (pair[i] != table && e->current[pair[i]] != pair[i + 1]) return false;
    return true;
}

static int learn(Engine *e, Owns *own, Known *known, int32_t table, int32_t group, int64_t label) {
    walk_begin(e, label);
    e->seen.count = 0;
    e->seeing = true;
    e->apart = table;
    int32_t node = walk_table(e, table, label);
    e->apart = NOBODY;
    e->seeing = false;
    bool turns = e->passes & MET_APART && node != LOOP;
    *known = (Known){group, turns ? NOBODY : node, (int32_t)e->seen.count, own->columns.count};
    if (ints_room(&own->columns, e->seen.count)) return e->error = NO_MEMORY;
    if (e->seen.count)
        memcpy(own->columns.at + own->columns.count, e->seen.at, (size_t)e->seen.count * sizeof *e->seen.at);
    own->columns.count += e->seen.count;
    return e->error;
}

/* The table's own outcome at a part, with this group. */
static int32_t own_at(Engine *e, const Sweep *s, Owns *own, const Parts *p, int32_t table, int32_t group) {
    Known *known = &own->known[s->atom[p->atom].class];
    bool hole = p->low >= V4_END && p->low < V6_FIRST;
    if (hole) return DROP;
    if (known->seen < 0 || known->group != group || !still(e, own, known, table)) learn(e, own, known, table, group, p->low);
    return known->node;
}

static void forget(Owns *own, int64_t classes) {
    for (int64_t i = 0; i < classes; i++) own->known[i].seen = NOBODY;
    own->columns.count = 0;
}

/* What became of packets in the table before the change, part by part. */
static int owns_before(Engine *e, Sweep *s, Owns *own, int32_t table, bool replaced) {
    Parts p = {0, 0, 0, 0, 0};
    forget(own, s->classes);
    if (!replaced) set_port(e, e->flipped, !e->up[e->flipped]);
    sweep_rewind(e, s);
    while (!e->error && next_part(e, s, &p)) {
        int32_t group = e->edit[p.edit].before;
        e->override_table = replaced ? table : NOBODY;
        e->override_group = group;
        if (ints_push(&own->node, own_at(e, s, own, &p, table, group))) e->error = NO_MEMORY;
    }
    e->override_table = e->override_group = NOBODY;
    if (!replaced) set_port(e, e->flipped, !e->up[e->flipped]);
    forget(own, s->classes);
    return e->error;
}

/* ---- answers ---- */
/* A segment of the list on the way to a label, mostly the next one. */
static Cursor go_to(const List *list, Cursor at, int64_t label) {
    for (int tries = 0; label >= list_end(list, at); tries++)
        if (tries == 3 || !list_next(list, &at)) return list_find(list, label);
    return at;
}

/* The rows that wait, leader by leader, compared with the answers so far. */
static int put_parts(Engine *e, Sweep *s) {
    int64_t width = e->leading_count;
    for (int64_t a = 0; a < width && s->waits && !e->error; a++) {
        const List *list = &e->attachment[e->leading[a]];
        Cursor at = list_find(list, s->starts[0]);
        for (int64_t i = 0; i < s->waits && !e->error; i++) {
            int32_t node = s->waiting[i * width + a];
            at = go_to(list, at, s->starts[i]);
            if (chunk_value(list_chunk(list, at.chunk))[at.at] == node && list_end(list, at) >= s->ends[i]) continue;
            if (!answer_is(e, e->leading[a], s->starts[i], s->ends[i], node)) at = list_find(list, s->starts[i]);
        }
    }
    s->waits = 0;
    return e->error;
}

static int wait_for(Engine *e, Sweep *s, const Parts *p) {
    const int32_t *row = row_of(e, s, &s->atom[p->atom]);
    if (!row) return e->error;
    memcpy(s->waiting + s->waits * e->leading_count, row, (size_t)e->leading_count * sizeof *row);
    s->starts[s->waits] = p->low;
    s->ends[s->waits++] = p->high;
    return s->waits == BLOCK ? put_parts(e, s) : OK;
}

/* The parts where the table's own outcome is another now, or where `all`. */
static int answer_parts(Engine *e, Sweep *s, Owns *own, int32_t table, bool all) {
    Parts p = {0, 0, 0, 0, 0};
    sweep_rewind(e, s);
    for (int64_t i = 0; !e->error && next_part(e, s, &p); i++) {
        int32_t node = all ? NOBODY : own_at(e, s, own, &p, table, e->current[table]);
        if (node == NOBODY || node != own->node.at[i]) wait_for(e, s, &p);
    }
    return e->error ? e->error : put_parts(e, s);
}

/* Answer the labels of all edits of a table (ascending) anew, for the leaders; what changes is told. `replaced`: as for
 * answer_edits. Returns OK or an error. */
int sweep_edits(Engine *e, int32_t table, bool replaced) {
    Sweep s;
    Owns own = {NULL, {NULL, 0, 0}, {NULL, 0, 0}};
    bool all = e->named_ports; /* whoever enters by one may fare otherwise */
    int answer = sweep_begin(e, &s);
    own.known = answer ? NULL : malloc((size_t)s.classes * sizeof *own.known);
    answer = answer ? answer : own.known ? OK : NO_MEMORY;
    answer = answer || all ? answer : owns_before(e, &s, &own, table, replaced);
    answer = answer ? answer : answer_parts(e, &s, &own, table, all);
    sweep_end(e, &s);
    free(own.known);
    free(own.columns.at);
    free(own.node.at);
    return answer ? (e->error = answer) : OK;
}
