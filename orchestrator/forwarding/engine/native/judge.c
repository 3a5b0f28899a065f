/* Which changed answers may lead to forbidden zones: after a change of ways, and after a change of filters. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

#define STEPS 256

static const Box EVERYTHING = {0, LABEL_END, 0, LABEL_END};

static const uint8_t *forbidden_from(const Judge *judge, int32_t attachment) {
    return judge->forbidden + (int64_t)judge->engine->in.attachment_zone[attachment] * judge->engine->in.zones;
}

/* ---- ways ---- */
static bool adds_nothing(const Engine *e, int32_t old, int32_t new, const uint8_t *wanted, int32_t *steps) {
    const Nodes *n = &e->nodes;
    if (old == new) return true;
    if (ends_of(n, new).flags & MAYBE_UNREAD || --*steps < 0) return false;
    if (!node_leads(e, new, wanted)) return true;
    const int32_t *below = n->children.at + n->first.at[new], *was = n->children.at + n->first.at[old];
    int32_t kind = n->kind.at[new], other = n->kind.at[old];
    if (kind == EITHER) {
        for (const int32_t *child = below; child < n->children.at + n->first.at[new + 1]; child++)
            if (!adds_nothing(e, old, *child, wanted, steps)) return false;
        return true;
    }
    if (kind == FILTER && other == FILTER && n->a.at[old] == n->a.at[new] && adds_nothing(e, *was, *below, wanted, steps))
        return true;
    if (other == EITHER)
        for (const int32_t *child = was; child < n->children.at + n->first.at[old + 1]; child++)
            if (adds_nothing(e, *child, new, wanted, steps)) return true;
    return kind == FILTER && adds_nothing(e, old, *below, wanted, steps);
}

/* Whether a bad stretch of an attachment has a part of [low, high). */
static bool was_bad(const Judge *judge, int32_t attachment, int64_t low, int64_t high) {
    const Bad *bad = &judge->bad[attachment];
    int64_t from = 0, to = bad->count;
    while (from < to) { /* the first that ends behind low */
        int64_t middle = (from + to) / 2;
        if (bad->stretch[middle].high <= low)
            from = middle + 1;
        else
            to = middle;
    }
    return from < bad->count && bad->stretch[from].low < high;
}

/* Rows of changed answers that may make a difference for forbidden zones: those whose answer is not, filter by filter, a
 * part of what it was, and those on stretches that were bad. How many. */
int64_t judge_harmful(const Judge *judge, const Record *record, int64_t records, int32_t *rows) {
    int64_t count = 0;
    for (int64_t i = 0; i < records; i++) {
        int32_t steps = STEPS, attachment = record[i].attachment;
        const uint8_t *wanted = forbidden_from(judge, attachment);
        if (was_bad(judge, attachment, record[i].low, record[i].high) ||
            !adds_nothing(judge->engine, record[i].before, record[i].after, wanted, &steps))
            rows[count++] = (int32_t)i;
    }
    return count;
}

/* ---- filters ---- */
enum { MEETS = 1, REWRITES = 2 };

/* Whether a filter is at a node or below it, and translations; each node once in a question. */
static uint32_t below(Judge *judge, int32_t node, int32_t filter) {
    const Nodes *n = &judge->engine->nodes;
    if (judge->seen[node] >> 2 == judge->now) return judge->seen[node] & 3;
    int32_t kind = n->kind.at[node];
    uint32_t answer = kind == REWRITE ? REWRITES : 0;
    if ((kind == FILTER || kind == BRANCH_FILTER) && judge->view->variant_filter[n->a.at[node]] == filter) answer |= MEETS;
    for (int32_t i = n->first.at[node]; i < n->first.at[node + 1]; i++) answer |= below(judge, n->children.at[i], filter);
    judge->seen[node] = judge->now << 2 | answer;
    return answer;
}

static int ask_anew(Judge *judge) {
    int64_t nodes = judge->engine->nodes.kind.count;
    if (judge->seen_room < nodes) {
        uint32_t *more = realloc(judge->seen, (size_t)nodes * 2 * sizeof *more);
        if (!more) return NO_MEMORY;
        memset(more + judge->seen_room, 0, (size_t)(nodes * 2 - judge->seen_room) * sizeof *more);
        judge->seen = more;
        judge->seen_room = nodes * 2;
    }
    if (++judge->now >> 30) {
        memset(judge->seen, 0, (size_t)judge->seen_room * sizeof *judge->seen);
        judge->now = 1;
    }
    return OK;
}

static bool sends(const Judge *judge, int32_t attachment, const Box *box) {
    for (int64_t i = judge->unit_first[attachment]; i < judge->unit_first[attachment + 1]; i++)
        if (judge->unit_low[i] < box->source_end && judge->unit_high[i] > box->source) return true;
    return false;
}

/* Whether packets of the box may get to a forbidden zone through a filter that is at the node or below it, on one stretch
 * of an attachment's answers. */
static bool may_lead(Judge *judge, int32_t filter, int32_t attachment, int32_t node, int64_t low, int64_t high,
                     const Box *box, int32_t match) {
    const Engine *e = judge->engine;
    const uint8_t *wanted = forbidden_from(judge, attachment);
    uint32_t there = below(judge, node, filter);
    if (!(ends_of(&e->nodes, node).flags & MAYBE_UNREAD) && !node_leads(e, node, wanted)) return false;
    if (there & REWRITES) return true; /* the entry may be about addresses that packets get on their way */
    memset(judge->found, 0, (size_t)e->in.zones);
    return judge_search(judge, attachment, node, low, high, box, match, wanted, judge->found) ||
           memchr(judge->found, 1, (size_t)e->in.zones);
}

static int see(Judge *judge, Seen seen) {
    if (judge->rows == judge->row_room) {
        int64_t room = judge->row_room * 2 + 64;
        Seen *more = realloc(judge->row, (size_t)room * sizeof *more);
        if (!more) return NO_MEMORY;
        judge->row = more;
        judge->row_room = room;
    }
    judge->row[judge->rows++] = seen;
    return OK;
}

/* See those stretches of an attachment's answers that may lead to a forbidden zone now. */
static int see_gained(Judge *judge, int32_t filter, int32_t attachment, const Change *change) {
    const Engine *e = judge->engine;
    const List *list = answers_of(e, attachment);
    const Box *box = &change->box;
    int64_t end = e->in.translations ? LABEL_END : box->destination_end;
    Cursor at = list_find(list, e->in.translations ? 0 : box->destination);
    for (; at.chunk < list->count; at.chunk++, at.at = 0) {
        Chunk *chunk = list_chunk(list, at.chunk);
        const int32_t *node = chunk_value(chunk);
        for (; at.at < chunk->count; at.at++) {
            int64_t low = chunk->start[at.at];
            if (low >= end) return OK;
            if (!(below(judge, node[at.at], filter) & MEETS)) continue;
            int64_t high = list_end(list, at);
            if (may_lead(judge, filter, attachment, node[at.at], low, high, box, change->match) &&
                see(judge, (Seen){low, high, attachment, node[at.at], 0, 0}))
                return NO_MEMORY;
        }
    }
    return OK;
}

/* See those stretches of an attachment that were bad and hang on the filter. */
static int see_lost(Judge *judge, int32_t filter, int32_t attachment, const Change *change) {
    const Bad *bad = &judge->bad[attachment];
    for (int64_t i = 0; i < bad->count; i++) {
        Reach one = bad->stretch[i];
        uint32_t there = below(judge, one.at, filter);
        if (!(there & MEETS)) continue;
        if (!(there & REWRITES) && (one.low >= change->box.destination_end || one.high <= change->box.destination)) continue;
        if (see(judge, (Seen){one.low, one.high, attachment, one.at, 0, 0})) return NO_MEMORY;
    }
    return OK;
}

/* Entries of a filter came or went: `seen` are the stretches of answers for which forbidden zones may be others because
 * of it. How many, or an error. */
int64_t judge_entry(Judge *judge, const filter_view *view, int32_t filter, int64_t changes, const Change *change,
                    const Seen **seen) {
    const Engine *e = judge->engine;
    judge->view = view;
    judge->rows = 0;
    if (ask_anew(judge)) return NO_MEMORY;
    for (int64_t i = 0; i < changes; i++) {
        bool branches = e->in.policies; /* what a filter denies goes another way there */
        bool gains = change[i].gains && judge_decides(judge, filter, &change[i], !branches);
        bool loses = change[i].loses && judge_decides(judge, filter, &change[i], false);
        for (int32_t a = 0; a < e->in.attachments && (gains || loses); a++) {
            if (!e->in.translations && !sends(judge, a, &change[i].box)) continue;
            if (gains && see_gained(judge, filter, a, &change[i])) return NO_MEMORY;
            if (loses && see_lost(judge, filter, a, &change[i])) return NO_MEMORY;
        }
    }
    *seen = judge->row;
    return judge->rows;
}

/* ---- single stretches ---- */
/* The zones that were found; how many. */
static int32_t note_zones(Judge *judge) {
    int64_t before = judge->zones.count;
    for (int32_t zone = 0; zone < judge->engine->in.zones; zone++)
        if (judge->found[zone] && ints_push(&judge->zones, zone)) return NO_MEMORY;
    return (int32_t)(judge->zones.count - before);
}

static int look_at(Judge *judge, const Reach *stretch, const uint8_t *wanted) {
    const Engine *e = judge->engine;
    const List *list = answers_of(e, stretch->at);
    Cursor at = list_find(list, stretch->low);
    do {
        Chunk *chunk = list_chunk(list, at.chunk);
        int64_t low = chunk->start[at.at], high = list_end(list, at);
        int32_t node = chunk_value(chunk)[at.at];
        if (low >= stretch->high) break;
        if (!(ends_of(&e->nodes, node).flags & MAYBE_UNREAD) && !node_leads(e, node, wanted)) continue;
        low = low < stretch->low ? stretch->low : low;
        high = high > stretch->high ? stretch->high : high;
        memset(judge->found, 0, (size_t)e->in.zones);
        int32_t unclear = judge_search(judge, stretch->at, node, low, high, &EVERYTHING, NOBODY, wanted, judge->found);
        int32_t zones = note_zones(judge);
        if (zones < 0) return NO_MEMORY;
        if ((zones || unclear) && see(judge, (Seen){low, high, stretch->at, node, unclear, zones})) return NO_MEMORY;
    } while (list_next(list, &at));
    return OK;
}

/* What stretches of attachments' answers lead to: those that get to a zone of `wanted` [zones, zones], with the zones,
 * and those that are for others to decide. How many, or an error. */
int64_t judge_look(Judge *judge, const filter_view *view, int64_t stretches, const Reach *stretch, const uint8_t *wanted,
                   const Seen **seen, const int32_t **zones) {
    judge->view = view;
    judge->rows = judge->zones.count = 0;
    for (int64_t i = 0; i < stretches; i++) {
        const uint8_t *row = wanted + (int64_t)judge->engine->in.attachment_zone[stretch[i].at] * judge->engine->in.zones;
        if (look_at(judge, &stretch[i], row)) return NO_MEMORY;
    }
    *seen = judge->row;
    *zones = judge->zones.at;
    return judge->rows;
}

/* An attachment's stretches that lead to forbidden zones, instead of those it had. OK or NO_MEMORY. */
int32_t judge_bad(Judge *judge, int32_t attachment, int64_t count, const Reach *stretch) {
    Bad *bad = &judge->bad[attachment];
    Reach *copy = malloc(((size_t)count + 1) * sizeof *copy);
    if (!copy) return NO_MEMORY;
    if (count) memcpy(copy, stretch, (size_t)count * sizeof *copy);
    free(bad->stretch);
    *bad = (Bad){count, copy};
    return OK;
}

Judge *judge_new(Engine *engine, const int64_t *unit_first, const int64_t *unit_low, const int64_t *unit_high,
                 const uint8_t *forbidden, int64_t budget) {
    Judge *judge = calloc(1, sizeof *judge);
    if (!judge) return NULL;
    *judge = (Judge){.engine = engine, .attachments = engine->in.attachments, .unit_first = unit_first, .unit_low = unit_low, .unit_high = unit_high,
                     .forbidden = forbidden, .budget = budget, .found = calloc((size_t)engine->in.zones + 1, 1),
                     .bad = calloc((size_t)engine->in.attachments + 1, sizeof *judge->bad)};
    if (judge->found && judge->bad) return judge;
    judge_free(judge);
    return NULL;
}

void judge_free(Judge *judge) {
    if (!judge) return;
    for (int64_t a = 0; judge->bad && a < judge->attachments; a++) free(judge->bad[a].stretch);
    free(judge->bad);
    free(judge->found);
    free(judge->seen);
    free(judge->row);
    free(judge->zones.at);
    free(judge);
}
