/* One change: whose answers may differ, and what they are now.
 *
 * Who is upstream of a changed table is found backwards, as intervals of labels, table by table; where that is wide,
 * or translations and policies are about, every attachment is asked for the changed labels; where even that costs more
 * than a part of answering everything, everything is answered anew. All three give the same answers.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define PIECES 64
#define NEAR 200

/* The last records are those of this ring, and this one goes on where they end. */
static bool goes_on(const Engine *e, const Record *record, int64_t ring) {
    const Record *last = e->records >= ring ? &e->record[e->records - ring] : NULL;
    return last && last->attachment == record->attachment && last->high == record->low &&
           last->before == record->before && last->after == record->after;
}

int record_push(Engine *e, Record record) {
    int64_t ring = 1;
    for (int32_t a = e->ring[record.attachment]; a != record.attachment; a = e->ring[a]) ring++;
    if (goes_on(e, &record, ring)) {
        for (int64_t i = e->records - ring; i < e->records; i++) e->record[i].high = record.high;
        return OK;
    }
    while (e->records + ring > e->record_room) {
        int64_t room = e->record_room * 2 + 256;
        Record *more = realloc(e->record, (size_t)room * sizeof *more);
        if (!more) return e->error = NO_MEMORY;
        e->record = more;
        e->record_room = room;
    }
    for (; ring; ring--, record.attachment = e->ring[record.attachment]) e->record[e->records++] = record;
    return OK;
}

/* An attachment's answer on [low, high) is `node`: what differs is told and set. */
static int answer_is(Engine *e, int32_t attachment, int64_t low, int64_t high, int32_t node) {
    List *list = &e->attachment[attachment];
    Cursor at = list_find(list, low);
    bool differs = false;
    int64_t label = low;
    do {
        int32_t old = chunk_value(list_chunk(list, at.chunk))[at.at];
        int64_t end = list_end(list, at);
        if (end > high) end = high;
        if (old != node) {
            if (record_push(e, (Record){label, end, attachment, old, node})) return e->error;
            differs = true;
        }
        label = end;
    } while (label < high && list_next(list, &at));
    if (differs && list_set(&e->arena, list, low, high, node)) e->error = NO_MEMORY;
    return e->error;
}

/* ---- who is upstream ---- */
static int reach_push(Engine *e, Reach **reach, int64_t *count, int64_t *room, Reach one) {
    if (*count == *room) {
        int64_t more = *room * 2 + 256;
        Reach *wider = realloc(*reach, (size_t)more * sizeof *wider);
        if (!wider) return e->error = NO_MEMORY;
        *reach = wider;
        *room = more;
    }
    (*reach)[(*count)++] = one;
    return OK;
}

int ask(Engine *e, int32_t attachment, int64_t low, int64_t high) {
    if (e->leader[attachment] != attachment) return OK; /* its leader is asked, from the same table */
    return reach_push(e, &e->asked, &e->asked_count, &e->asked_room, (Reach){low, high, attachment});
}

/* Into the queue, unless an entry of the same table covers it already. */
static int meet(Engine *e, int32_t table, int64_t low, int64_t high) {
    if (e->met_stamp[table] != e->met_now) {
        e->met_stamp[table] = e->met_now;
        e->met_first[table] = NOBODY;
    }
    for (int32_t i = e->met_first[table]; i >= 0; i = e->met_next.at[i]) {
        e->work++;
        if (e->queue[i].low <= low && high <= e->queue[i].high) return OK;
    }
    if (ints_push(&e->met_next, e->met_first[table])) return e->error = NO_MEMORY;
    e->met_first[table] = (int32_t)e->queued;
    return reach_push(e, &e->queue, &e->queued, &e->queue_room, (Reach){low, high, table});
}

static bool leads(const Engine *e, int32_t group, int32_t table) {
    if (group < 0) return false;
    const Fast *fast = &e->fast[group];
    if (fast->next >= 0 || fast->node >= 0) return fast->next == table;
    for (int32_t hop = e->group_first.at[group]; hop < e->group_first.at[group + 1]; hop++) {
        int32_t target = e->hop_target.at[hop], kind = e->hop_kind.at[hop];
        if (kind == 1 && target == table) return true;
        if (kind || !e->up[target]) continue;
        int32_t peer = e->in.port_peer[target];
        if (peer >= 0 && e->up[peer] && e->in.port_table[peer] == table) return true;
    }
    return false;
}

/* Labels of [low, high) that `from` sends to table `to`. */
static int feed(Engine *e, int32_t from, int32_t to, int64_t low, int64_t high) {
    const List *list = &e->table[from];
    Cursor at = list_find(list, low);
    int64_t begin = NOBODY, label = low;
    do {
        Chunk *chunk = list_chunk(list, at.chunk);
        if (label >= high) break;
        int64_t end = list_end(list, at);
        bool goes = leads(e, chunk_value(chunk)[at.at], to);
        e->work++;
        if (goes && begin < 0) begin = label;
        if (!goes && begin >= 0) {
            if (meet(e, from, begin, label)) return e->error;
            begin = NOBODY;
        }
        label = end;
    } while (list_next(list, &at));
    if (begin >= 0) return meet(e, from, begin, label < high ? label : high);
    return OK;
}

/* Ask for every attachment whose packets to [low, high) may pass the table. False in `OK`; 1: more than the budget. */
int upstream(Engine *e, int32_t table, int64_t low, int64_t high, int64_t budget) {
    int64_t limit = e->work + budget, asked = e->asked_count;
    e->queued = e->met_next.count = 0;
    if (!++e->met_now) return e->error = BAD_ARGUMENT;
    if (meet(e, table, low, high)) return e->error;
    for (int64_t i = 0; i < e->queued; i++) {
        Reach at = e->queue[i];
        for (int32_t k = e->attached_first[at.at]; k < e->attached_first[at.at + 1]; k++)
            if (ask(e, e->attached[k], at.low, at.high)) return e->error;
        for (int32_t k = e->back_first[at.at]; k < e->back_first[at.at + 1]; k++)
            if (e->back[k] != table && !e->idle[e->back[k]] && feed(e, e->back[k], at.at, at.low, at.high)) return e->error;
        for (int32_t k = e->leak_of[at.at]; k >= 0; k = e->leak.at[k + 2])
            if (e->leak.at[k + 1] != table && feed(e, e->leak.at[k + 1], at.at, at.low, at.high)) return e->error;
        if (e->work > limit) {
            e->asked_count = asked;
            return 1;
        }
    }
    return OK;
}

/* ---- what they answer ---- */
static int64_t next_boundary(const Engine *e, int64_t label, int64_t end) {
    for (int64_t i = 0; i < e->asked_count; i++) {
        const Reach *one = &e->asked[i];
        if (one->low > label && one->low < end) end = one->low;
        if (one->low <= label && one->high > label && one->high < end) end = one->high;
    }
    return end;
}

/* Answer what is asked, stretch by stretch. With a watched table only ways that pass it count. 1: beyond the budget. */
int answer(Engine *e, int32_t watched) {
    int64_t label = LABEL_END, last = 0;
    for (int64_t i = 0; i < e->asked_count; i++) {
        if (e->asked[i].low < label) label = e->asked[i].low;
        if (e->asked[i].high > last) last = e->asked[i].high;
    }
    e->watched = watched;
    while (label < last && !e->error) {
        walk_begin(e, label);
        e->met.count = 0; /* what each answers, kept until it is known how far that holds */
        for (int64_t i = 0; i < e->asked_count; i++) {
            const Reach *one = &e->asked[i];
            if (one->low > label || one->high <= label) continue;
            int32_t found = walk_attachment(e, one->at, label);
            if (watched >= 0 && !(e->passes & PASSES_WATCHED)) continue;
            if (ints_push(&e->met, one->at) || ints_push(&e->met, found)) e->error = NO_MEMORY;
        }
        int64_t end = next_boundary(e, label, e->end < last ? e->end : last);
        for (int64_t i = 0; i < e->met.count && !e->error; i += 2)
            answer_is(e, e->met.at[i], label, end, e->met.at[i + 1]);
        label = end;
        e->work += e->asked_count / 4;
        if (e->work > e->budget) break;
    }
    e->watched = NOBODY;
    e->asked_count = 0;
    return e->error ? e->error : label < last;
}

static int ask_everybody(Engine *e, int64_t low, int64_t high) {
    for (int32_t a = 0; a < e->in.attachments; a++)
        if (ask(e, a, low, high)) return e->error;
    return OK;
}

/* The table's outcome before the change: with the group it had, or with the port as it was. */
static int32_t walk_as_before(Engine *e, int32_t table, int64_t label, const Edit *edit, int64_t *end) {
    if (edit) {
        e->override_table = table;
        e->override_group = edit->before;
    } else {
        set_port(e, e->flipped, !e->up[e->flipped]);
    }
    walk_begin(e, label);
    int32_t node = walk_table(e, table, label);
    if (e->end < *end) *end = e->end;
    e->override_table = NOBODY;
    if (!edit) set_port(e, e->flipped, !e->up[e->flipped]);
    return node;
}

/* Whether an edit changed the table's outcome at a label; `end`: how far that holds. */
static bool changes_at(Engine *e, int32_t table, int64_t label, const Edit *edit, bool replaced, int64_t *end) {
    *end = edit->high;
    int32_t old = walk_as_before(e, table, label, replaced ? edit : NULL, end);
    walk_begin(e, label);
    int32_t new = walk_table(e, table, label);
    if (e->end < *end) *end = e->end;
    return old != new;
}

/* Whose answers an edit may change. Often nobody is near upstream, or few are. Else: where the table's own outcome did
 * not change, nobody's did; ask those upstream of the rest when it is wide, and everybody when it is not. */
static int ask_changed(Engine *e, int32_t table, const Edit *edit, bool replaced) {
    int64_t label = edit->low, begin = edit->low, pieces = 0, end;
    int wide = upstream(e, table, edit->low, edit->high, NEAR);
    if (wide <= 0) return wide;
    for (; !e->named_ports && label < edit->high && pieces < PIECES; label = end, pieces++) {
        bool changes = changes_at(e, table, label, edit, replaced, &end);
        if (e->error) return e->error;
        if (changes) continue;
        wide = begin < label ? ask_everybody(e, begin, label) : OK;
        if (wide) return wide;
        begin = end;
    }
    if (begin >= edit->high) return OK;
    wide = pieces < PIECES ? 1 : upstream(e, table, begin, edit->high, e->full_work / 8);
    return wide > 0 ? ask_everybody(e, begin, edit->high) : wide;
}

/* ---- translations: whose rewritten labels are meant ---- */
static int ask_before_rules(Engine *e, int64_t low, int64_t high) {
    if (ask_everybody(e, low, high)) return e->error;
    e->queued = 0;
    if (reach_push(e, &e->queue, &e->queued, &e->queue_room, (Reach){low, high, 0})) return e->error;
    for (int64_t i = 0; i < e->queued; i++) {
        Reach at = e->queue[i];
        for (int32_t rule = 0; rule < e->in.rules; rule++) {
            for (int64_t m = e->in.map_first[rule]; m < e->in.map_first[rule + 1]; m++) {
                if (e->in.map_target[m] < at.low || e->in.map_target[m] >= at.high) continue;
                bool last = m + 1 == e->in.map_first[rule + 1];
                Reach more = {e->in.map_start[m], last ? e->in.rule_high[rule] : e->in.map_start[m + 1], 0};
                bool known = false;
                for (int64_t k = 0; k < e->queued && !known; k++)
                    known = e->queue[k].low <= more.low && more.high <= e->queue[k].high;
                if (known) continue;
                if (reach_push(e, &e->queue, &e->queued, &e->queue_room, more)) return e->error;
                if (ask_everybody(e, more.low, more.high)) return e->error;
            }
            e->work++;
        }
        if (e->work > e->budget) return 1;
    }
    return OK;
}

/* Answer for every edit of a table. `replaced`: groups differ; else the same groups do something else now.
 * SWEPT: everything has been answered anew. */
int answer_edits(Engine *e, int32_t table, bool replaced) {
    int wide = OK;
    for (int64_t i = 0; i < e->edits && !wide; i++) {
        e->asked_count = 0;
        wide = e->work > e->budget;
        if (wide) break;
        wide = e->plain ? ask_changed(e, table, &e->edit[i], replaced) : ask_before_rules(e, e->edit[i].low, e->edit[i].high);
        wide = wide ? wide : answer(e, e->plain ? table : NOBODY);
    }
    e->asked_count = 0;
    e->edits = 0;
    if (wide <= 0) return wide;
    e->sweeps++;
    wide = sweep_all(e, true);
    return wide ? wide : SWEPT;
}
