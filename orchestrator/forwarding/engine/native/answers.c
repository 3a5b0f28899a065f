/* Answers of those who are asked, stretch by stretch, and the records of what has changed in them. */
#include "core.h"

#include <stdlib.h>

#define MOST_WAITING 8192 /* answers before they are put into lists */
#define FEW_WAITING 2     /* the same where tests say what hubs are: small networks never have many */

/* The first of the records of this ring that the record goes on where they end, or NOBODY. */
static int64_t goes_on(const Engine *e, const Record *record) {
    int64_t at = e->last_record[record->attachment];
    const Record *last = &e->record[at];
    bool same = at < e->records && last->attachment == record->attachment && last->high == record->low &&
                last->before == record->before && last->after == record->after;
    return same ? at : NOBODY;
}

int record_push(Engine *e, Record record) {
    int64_t ring = 1;
    for (int32_t a = e->ring[record.attachment]; a != record.attachment; a = e->ring[a]) ring++;
    int64_t at = goes_on(e, &record);
    if (at >= 0) {
        for (int64_t i = at; i < at + ring; i++) e->record[i].high = record.high;
        return OK;
    }
    e->last_record[record.attachment] = e->records;
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
int answer_is(Engine *e, int32_t attachment, int64_t low, int64_t high, int32_t node) {
    List *list = &e->attachment[attachment];
    Cursor at = e->put_at = list_near(list, e->put_at, low);
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

/* Answers wait until there are many: put in leader by leader, they find the leader's list where the last one has left it.
 * They come with labels ascending. */
static int wait_for(Engine *e, Found one) {
    int32_t last = e->found_last[one.attachment];
    if (last >= 0 && e->found[last].high == one.low && e->found[last].node == one.node) {
        e->found[last].high = one.high;
        return OK;
    }
    if (e->founds == e->found_room) {
        int64_t room = e->found_room * 2 + 256;
        Found *more = realloc(e->found, (size_t)room * sizeof *more);
        if (!more) return e->error = NO_MEMORY;
        e->found = more;
        e->found_room = room;
    }
    int32_t at = (int32_t)e->founds++;
    e->found[at] = one;
    e->found_last[one.attachment] = at;
    if (last >= 0) {
        e->found[last].next = at;
        return OK;
    }
    e->found_first[one.attachment] = at;
    return ints_push(&e->finder, one.attachment) ? (e->error = NO_MEMORY) : OK;
}

/* Put those that wait into the leaders' lists. Returns OK or an error. */
int answers_put(Engine *e) {
    for (int64_t i = 0; i < e->finder.count; i++) {
        int32_t attachment = e->finder.at[i];
        e->put_at = (Cursor){0, 0};
        for (int32_t at = e->found_first[attachment]; at >= 0 && !e->error; at = e->found[at].next)
            answer_is(e, attachment, e->found[at].low, e->found[at].high, e->found[at].node);
        e->found_last[attachment] = NOBODY;
    }
    e->finder.count = e->founds = 0;
    return e->error;
}

static int64_t next_boundary(const Engine *e, int64_t label, int64_t end) {
    for (int64_t i = 0; i < e->asked_count; i++) {
        const Reach *one = &e->asked[i];
        if (one->low > label && one->low < end) end = one->low;
        if (one->low <= label && one->high > label && one->high < end) end = one->high;
    }
    return end;
}

/* What is asked, answered at one label: pairs of attachment and node in e->met. Only ways that pass the watched table
 * count; its outcome is `node`, where that is known. How far that holds but for the watched table. */
static int64_t walk_asked(Engine *e, int64_t label, int32_t watched, int32_t node) {
    walk_begin(e, label);
    e->met.count = 0;
    e->watched = e->apart = watched;
    e->watched_node = node;
    uint64_t behind = e->hubs.asking ? hubs_behind(e) : 0;
    for (int64_t i = 0; i < e->asked_count; i++) {
        const Reach *one = &e->asked[i];
        if (one->low > label || one->high <= label) continue;
        if (e->hubs.asking && !hubs_lead(e, one->at, behind)) continue;
        int32_t found = walk_attachment(e, one->at, label);
        if (watched >= 0 && !(e->passes & PASSES_WATCHED)) continue;
        if (ints_push(&e->met, one->at) || ints_push(&e->met, found)) e->error = NO_MEMORY;
    }
    e->watched = e->watched_node = e->apart = NOBODY;
    e->work += e->asked_count / (e->hubs.asking ? 32 : 4);
    return next_boundary(e, label, e->end);
}

/* Answer at one label what is asked; how far that holds within `end`. Labels ascend: where all tables but the watched
 * one have the routes that they had at the last label, and that one has the same group, or outcome `node`, the answers
 * are the same. */
static int64_t answer_at(Engine *e, int64_t label, int64_t end, int32_t watched, int32_t node) {
    int32_t does = NOBODY;
    if (watched >= 0) does = node >= 0 ? NOBODY - 1 - node : group_at(e, watched, label, &end);
    if (watched < 0 || label >= e->same_end || does != e->same_group) {
        e->same_end = walk_asked(e, label, watched, node);
        e->same_group = does;
    }
    end = e->same_end < end ? e->same_end : end;
    for (int64_t i = 0; i < e->met.count && !e->error; i += 2)
        wait_for(e, (Found){label, end, e->met.at[i], e->met.at[i + 1], NOBODY});
    if (e->founds > (e->hubs.every ? FEW_WAITING : MOST_WAITING)) answers_put(e);
    return end;
}

/* Answer what is asked in [low, high), stretch by stretch; the hole between the families keeps the one answer that a sweep
 * gives it, or equal networks would differ where no packet is. OK, an error, or 1: beyond the budget. */
int answer(Engine *e, int64_t low, int64_t high, int32_t watched, int32_t node) {
    while (low < high && !e->error) {
        if (e->work > e->budget) return 1;
        bool hole = low >= V4_END && low < V6_FIRST;
        low = hole ? V6_FIRST : answer_at(e, low, low < V4_END && high > V4_END ? V4_END : high, watched, node);
    }
    return e->error;
}

int answer_asked(Engine *e) {
    e->same_end = 0;
    int64_t low = LABEL_END, high = 0;
    for (int64_t i = 0; i < e->asked_count; i++) {
        if (e->asked[i].low < low) low = e->asked[i].low;
        if (e->asked[i].high > high) high = e->asked[i].high;
    }
    int status = answer(e, low, high, NOBODY, NOBODY);
    return answers_put(e) ? e->error : status;
}
