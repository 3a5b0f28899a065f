/* One change: whose answers may differ, and what they are now.
 *
 * Who is upstream of a changed table is found backwards (upstream.c); those are asked where the table's own outcome has
 * changed. With translations or policies about, every attachment is asked for the changed labels. Where that costs more
 * than a part of answering everything, everything is answered anew for those who are upstream. All give the same answers.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_SEARCH 500 /* steps to look for everybody upstream, in however small a network */
#define NEAR 50     /* steps to look for somebody upstream before anything else is done: mostly found within 30, or far off */
#define FAR 8000    /* the same before many pieces of edits are looked at */
#define PIECES 64   /* pieces of edits to look at before it is known who is upstream */
#define MANY 16384  /* the same where walks end at hubs */
#define FEW_EDITS 8 /* so few edits, and pieces of them, are looked at before it is known whether anybody is upstream */
#define FEW_PIECES 16 /* for so few, everybody is asked at once */
#define FEW_ASKED 3 /* so few are asked everywhere, wherever the table's own outcome has changed or not */

static int ask_everybody(Engine *e, int64_t low, int64_t high) {
    for (int32_t a = 0; a < e->in.attachments; a++)
        if (ask(e, a, low, high)) return e->error;
    return OK;
}

/* Whether what is left of a list will go beyond the budget, by what its first sixteenth has cost. */
static bool too_long(const Engine *e, int64_t began, int64_t done, int64_t all) {
    if (e->work >= e->budget) return true;
    return done >= 8 && done * 16 >= all && (e->work - began) / done * all > e->budget - began;
}

static int answer_pieces(Engine *e, int32_t table) {
    int status = OK;
    int64_t began = e->work;
    e->same_end = 0;
    for (int64_t i = 0; i < e->pieces && !status; i++) {
        status = answer(e, e->piece[i].low, e->piece[i].high, table, e->piece[i].at);
        if (!status && i + 1 < e->pieces) status = too_long(e, began, i + 1, e->pieces);
    }
    return answers_put(e) ? e->error : status;
}

/* ---- who is asked for what ---- */
static int by_label(const void *one, const void *two) {
    int64_t a = ((const Reach *)one)->low, b = ((const Reach *)two)->low;
    return (a > b) - (a < b);
}

/* Where the count of those who are asked changes, ascending: `low`, and in `at` by how much. Into e->queue. */
static int asked_bounds(Engine *e) {
    e->queued = 0;
    for (int64_t i = 0; i < e->asked_count; i++)
        if (reach_push(e, &e->queue, &e->queued, &e->queue_room, (Reach){e->asked[i].low, 0, 1}) ||
            reach_push(e, &e->queue, &e->queued, &e->queue_room, (Reach){e->asked[i].high, 0, -1}))
            return e->error;
    qsort(e->queue, (size_t)e->queued, sizeof *e->queue, by_label);
    return OK;
}

/* Leaves of the edits what is asked for. Where few are asked, they are asked at once: these parts become pieces. */
static int part_edits(Engine *e) {
    int64_t edits = e->edits, bound = 0, count = 0;
    if (asked_bounds(e)) return e->error;
    e->pieces = 0;
    for (int64_t i = 0; i < edits; i++) {
        Edit edit = e->edit[i];
        for (int64_t label = edit.low, end; label < edit.high; label = end) {
            for (; bound < e->queued && e->queue[bound].low <= label; bound++) count += e->queue[bound].at;
            end = bound < e->queued && e->queue[bound].low < edit.high ? e->queue[bound].low : edit.high;
            if (count >= FEW_ASKED && !e->named_ports) {
                if (edit_push(e, label, end, edit.before, edit.after)) return e->error;
            } else if (count && reach_push(e, &e->piece, &e->pieces, &e->piece_room, (Reach){label, end, NOBODY})) {
                return e->error;
            }
        }
    }
    e->edits -= edits;
    memmove(e->edit, e->edit + edits, (size_t)e->edits * sizeof *e->edit);
    return OK;
}

/* Who is upstream, where that is found within a budget of steps; in tests it may never be. */
static int look_for(Engine *e, int32_t table, int64_t budget) {
    return e->hubs.every % 2 ? 1 : upstream(e, table, budget);
}

/* Ask those upstream; or, where looking for them costs more than `budget`, everybody who may get there through hubs. */
static int ask_upstream(Engine *e, int32_t table, int64_t budget) {
    int64_t work = e->work;
    int status = look_for(e, table, budget);
    if (status <= 0) return status;
    e->budget += e->work - work; /* what has been in vain is not held against the update */
    e->asked_count = 0;
    if (e->hubs.on && hubs_ask(e, table)) return e->error;
    return ask_everybody(e, 0, LABEL_END);
}

/* It is known who is asked. Where the table's own outcome is what it was, everybody's is. */
static int answer_known(Engine *e, int32_t table, bool replaced) {
    if (!e->asked_count) return OK;
    int status = part_edits(e);
    status = status ? status : answer_pieces(e, table);
    status = status ? status : pieces_before(e, table, replaced, INT64_MAX);
    status = status ? status : keep_changed(e, table, INT64_MAX);
    return status ? status : answer_pieces(e, table);
}

/* Pieces where the table's own outcome has changed. OK, an error, or 1: more than are worth it at once. */
static int pieces_changed(Engine *e, int32_t table, bool replaced, int64_t most) {
    int status = e->named_ports ? 1 : pieces_before(e, table, replaced, most);
    return status ? status : keep_changed(e, table, 2 * most);
}

/* Only pieces of the edits are in question, not all of them. */
static int pieces_in_question(Engine *e) {
    e->edits = 0;
    for (int64_t i = 0; i < e->pieces && !e->error; i++)
        edit_push(e, e->piece[i].low, e->piece[i].high, NOBODY, e->piece[i].at < 0 ? -2 : e->piece[i].at);
    return e->error;
}

/* Much is in question: outcomes of hubs are read from now on, and the budget is a part of what everything costs. */
static int begin_wide(Engine *e, int32_t table) {
    if (hubs_begin(e, table)) return e->error;
    if (e->hubs.on && e->patience >= 0) e->budget += e->full_work / 2;
    return OK;
}

/* Whose answers a table's edits may change, and where. Mostly a few labels are in question, and the table's own outcome is
 * what it was; or nobody is near upstream. Where it has changed in many pieces, it is worth to know first who is. */
static int answer_upstream(Engine *e, int32_t table, bool replaced) {
    bool quick = e->edits <= FEW_EDITS && !e->hubs.every;
    e->ascending = e->edits > 1;
    int own = quick ? pieces_changed(e, table, replaced, FEW_EDITS) : 1;
    if (own < 0 || (!own && !e->pieces)) return own;
    int status = look_for(e, table, NEAR);
    own = own && status > 0 && !e->hubs.every ? pieces_changed(e, table, replaced, PIECES) : own;
    if (own < 0 || (!own && !e->pieces)) return own;
    if (own && status > 0) status = look_for(e, table, FAR);
    if (status < 0 || (!status && !e->asked_count)) return status;
    if (own && begin_wide(e, table)) return e->error;
    own = own && status > 0 && e->hubs.on ? pieces_changed(e, table, replaced, MANY) : own;
    if (own < 0 || (!own && !e->pieces)) return own;
    if (!own && pieces_in_question(e)) return e->error;
    int64_t whole = LEAST_SEARCH + e->full_work / 32, each = e->pieces <= FEW_PIECES ? 0 : e->pieces * e->leading_count * 4;
    if (status) status = ask_upstream(e, table, own || each > whole ? whole : each);
    return status ? status : own ? answer_known(e, table, replaced) : answer_pieces(e, table);
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

static int answer_rewritten(Engine *e) {
    int status = OK;
    for (int64_t i = 0; i < e->edits && !status; i++) {
        e->asked_count = 0;
        status = ask_before_rules(e, e->edit[i].low, e->edit[i].high);
        status = status ? status : answer_asked(e);
    }
    e->asked_count = status > 0 ? NOBODY : 0;
    return status;
}

/* Those who are asked become the leaders for a while, where they are few: `chosen` has room for them. */
static int64_t choose(Engine *e, int32_t *chosen, uint8_t *wanted) {
    int64_t few = 0;
    for (int64_t i = 0; i < e->asked_count; i++) wanted[e->asked[i].at] = 1;
    for (int64_t i = 0; i < e->leading_count; i++)
        if (wanted[e->leading[i]]) chosen[few++] = e->leading[i];
    return e->asked_count < 0 || few * 2 > e->leading_count ? NOBODY : few;
}

/* Answer anew for those who are asked, where they are few, or for everybody: the labels of the table's edits, or all labels
 * (`table` NOBODY). Returns OK, an error, or SWEPT: all labels, for everybody. */
static int sweep_asked(Engine *e, int32_t table, bool replaced) {
    int32_t *all = e->leading;
    int64_t count = e->leading_count, full_work = e->full_work;
    uint8_t *wanted = calloc((size_t)e->in.attachments + 1, 1);
    int32_t *chosen = malloc(((size_t)count + 1) * sizeof *chosen);
    if (!wanted || !chosen) e->error = NO_MEMORY;
    int64_t few = e->error ? NOBODY : choose(e, chosen, wanted);
    if (few >= 0) {
        e->leading = chosen;
        e->leading_count = few;
    }
    e->sweeps++;
    int status = e->error ? e->error : table >= 0 ? sweep_edits(e, table, replaced) : sweep_all(e, true);
    e->leading = all;
    e->leading_count = count;
    if (few >= 0) e->full_work = full_work;
    free(chosen);
    free(wanted);
    return status ? status : few >= 0 || table >= 0 ? OK : SWEPT;
}

static int remember_edits(Engine *e) {
    if (e->whole_room < e->edits) {
        Edit *more = realloc(e->whole, (size_t)e->edits * 2 * sizeof *more);
        if (!more) return e->error = NO_MEMORY;
        e->whole = more;
        e->whole_room = e->edits * 2;
    }
    memcpy(e->whole, e->edit, (size_t)e->edits * sizeof *e->edit);
    e->wholes = e->edits;
    return OK;
}

/* What is known of hubs does not hold any more where the table has edits. */
static int forget_edits(Engine *e, int32_t table) {
    memcpy(e->edit, e->whole, (size_t)e->wholes * sizeof *e->edit);
    e->edits = e->wholes;
    return hubs_forget(e, table);
}

static int sweep_remembered(Engine *e, int32_t table, bool replaced) {
    memcpy(e->edit, e->whole, (size_t)e->wholes * sizeof *e->edit);
    e->edits = e->wholes;
    return sweep_asked(e, table, replaced);
}

/* Answer for all edits of a table, ascending. `replaced`: groups differ; else the same groups do something else now.
 * OK, an error, or SWEPT: everything has been answered anew, for everybody. */
int answer_edits(Engine *e, int32_t table, bool replaced) {
    if (!e->edits) return OK;
    int status = e->plain ? remember_edits(e) : answer_rewritten(e);
    if (!status && e->plain) status = answer_upstream(e, table, replaced);
    e->hubs.on = e->hubs.asking = e->ascending = false;
    if (status > 0) status = e->plain ? sweep_remembered(e, table, replaced) : sweep_asked(e, NOBODY, false);
    if (status >= 0 && e->hubs.answers && forget_edits(e, table)) status = e->error;
    e->edits = 0;
    e->asked_count = 0;
    return status;
}

/* Everything that enters by a port: answer anew for whoever enters there. */
int answer_zone(Engine *e, int32_t port) {
    e->asked_count = 0;
    for (int32_t k = e->attached_first[e->in.port_table[port]]; k < e->attached_first[e->in.port_table[port] + 1]; k++)
        if (e->in.attachment_port[e->attached[k]] == port && ask(e, e->attached[k], 0, LABEL_END)) return e->error;
    int status = e->asked_count ? answer_asked(e) : OK;
    return status > 0 ? sweep_asked(e, NOBODY, false) : status;
}
