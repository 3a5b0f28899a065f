/* Which changed answers may lead to forbidden zones: after a change of ways, and after a change of filters. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

#define STEPS 256

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
enum { MEETS = 1, REWRITES = 2, KNOWN = 4 };

static uint8_t below(Judge *judge, int32_t node, int32_t filter);

/* What is there about a node that nobody asked about yet. */
static uint8_t find_below(Judge *judge, int32_t node, int32_t filter) {
    const Nodes *n = &judge->engine->nodes;
    int32_t kind = n->kind.at[node];
    uint8_t answer = kind == REWRITE ? KNOWN | REWRITES : KNOWN;
    if ((kind == FILTER || kind == BRANCH_FILTER) && judge->view->variant_filter[n->a.at[node]] == filter) answer |= MEETS;
    for (int32_t i = n->first.at[node]; i < n->first.at[node + 1]; i++) answer |= below(judge, n->children.at[i], filter);
    judge->asked.at[judge->asked.count++] = node;
    return judge->seen[node] = answer;
}

/* Whether a filter is at a node or below it, and translations; each node is looked at once in a question. One byte of a
 * node, and no call: hundreds of thousands of stretches are asked about. */
static inline uint8_t below(Judge *judge, int32_t node, int32_t filter) {
    uint8_t known = judge->seen[node];
    return known ? known : find_below(judge, node, filter);
}

static int ask_anew(Judge *judge) {
    int64_t nodes = judge->engine->nodes.kind.count;
    for (int64_t i = 0; i < judge->asked.count; i++) judge->seen[judge->asked.at[i]] = 0;
    judge->asked.count = 0;
    if (ints_room(&judge->asked, nodes)) return NO_MEMORY;
    if (judge->seen_room < nodes) {
        uint8_t *more = realloc(judge->seen, (size_t)nodes * 2);
        if (!more) return NO_MEMORY;
        memset(more + judge->seen_room, 0, (size_t)(nodes * 2 - judge->seen_room));
        judge->seen = more;
        judge->seen_room = nodes * 2;
    }
    return OK;
}

static bool sends(const Judge *judge, int32_t attachment, const Box *box) {
    for (int64_t i = judge->unit_first[attachment]; i < judge->unit_first[attachment + 1]; i++)
        if (judge->unit_low[i] < box->source_end && judge->unit_high[i] > box->source) return true;
    return false;
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

/* The zones that were found; how many. */
static int32_t note_zones(Judge *judge) {
    int64_t before = judge->zones.count;
    for (int32_t zone = 0; zone < judge->engine->in.zones; zone++)
        if (judge->found[zone] && ints_push(&judge->zones, zone)) return NO_MEMORY;
    return (int32_t)(judge->zones.count - before);
}

/* See a stretch at a node with the filter on it or below it, if packets of the question may lead to a forbidden zone there:
 * with the zones where that is certain, and was not so in other parts; else as unclear. */
static int see_leading(Judge *judge, uint8_t there, int32_t attachment, Reach one) {
    const Engine *e = judge->engine;
    const uint8_t *wanted = forbidden_from(judge, attachment);
    if (!(ends_of(&e->nodes, one.at).flags & MAYBE_UNREAD) && !node_leads(e, one.at, wanted)) return OK;
    Seen seen = {one.low, one.high, attachment, one.at, 1, 0};
    if (there & REWRITES) return see(judge, seen); /* the entry may be about addresses that packets get on their way */
    memset(judge->found, 0, (size_t)e->in.zones);
    if (judge_search(judge, attachment, one.at, one.low, one.high, wanted, judge->found)) return see(judge, seen);
    if (!memchr(judge->found, 1, (size_t)e->in.zones)) return OK;
    seen.unclear = !add_bad(judge, attachment, one);
    seen.zones = seen.unclear ? 0 : note_zones(judge);
    return seen.zones < 0 ? NO_MEMORY : see(judge, seen);
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
            uint8_t there = below(judge, node[at.at], filter);
            if (!(there & MEETS)) continue;
            if (see_leading(judge, there, attachment, (Reach){low, list_end(list, at), node[at.at]})) return NO_MEMORY;
        }
    }
    return OK;
}

/* See those stretches of an attachment that were bad and hang on the filter. */
static int see_lost(Judge *judge, int32_t filter, int32_t attachment, const Change *change) {
    const Bad *bad = &judge->bad[attachment];
    for (int64_t i = 0; i < bad->count; i++) {
        Reach one = bad->stretch[i];
        uint8_t there = below(judge, one.at, filter);
        if (!(there & MEETS)) continue;
        if (!(there & REWRITES) && (one.low >= change->box.destination_end || one.high <= change->box.destination)) continue;
        if (see(judge, (Seen){one.low, one.high, attachment, one.at, 1, 0})) return NO_MEMORY;
    }
    return OK;
}

/* Entries of a filter came or went: `seen` are the stretches of answers for which forbidden zones may be others because
 * of it. Those that are clear lead to these zones besides what they led to, and are bad ones from now on; the others have
 * to be looked at. How many, or an error. */
int64_t judge_entry(Judge *judge, const filter_view *view, int32_t filter, int64_t changes, const Change *change,
                    const Seen **seen, const int32_t **zones) {
    const Engine *e = judge->engine;
    judge->view = view;
    judge->rows = judge->zones.count = 0;
    if (ask_anew(judge)) return NO_MEMORY;
    for (int64_t i = 0; i < changes; i++) {
        bool branches = e->in.policies; /* what a filter denies goes another way there */
        bool gains = change[i].gains && judge_decides(judge, filter, &change[i], !branches);
        bool loses = change[i].loses && judge_decides(judge, filter, &change[i], false);
        if (gains && judge_question(judge, &change[i].box, change[i].match)) return NO_MEMORY;
        for (int32_t a = 0; a < e->in.attachments && (gains || loses); a++) {
            if (!e->in.translations && !sends(judge, a, &change[i].box)) continue;
            if (gains && see_gained(judge, filter, a, &change[i])) return NO_MEMORY;
            if (loses && see_lost(judge, filter, a, &change[i])) return NO_MEMORY;
        }
    }
    *seen = judge->row;
    *zones = judge->zones.at;
    return judge->rows;
}

/* ---- single stretches ---- */
/* What an attachment sends with, at most. */
static Box sent_by(const Judge *judge, int32_t attachment) {
    Box box = {LABEL_END, 0, 0, LABEL_END};
    for (int64_t i = judge->unit_first[attachment]; i < judge->unit_first[attachment + 1]; i++) {
        if (judge->unit_low[i] < box.source) box.source = judge->unit_low[i];
        if (judge->unit_high[i] > box.source_end) box.source_end = judge->unit_high[i];
    }
    return box;
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
        int32_t unclear = judge_search(judge, stretch->at, node, low, high, wanted, judge->found);
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
        Box box = sent_by(judge, stretch[i].at);
        if ((!i || stretch[i - 1].at != stretch[i].at) && judge_question(judge, &box, NOBODY)) return NO_MEMORY;
        if (look_at(judge, &stretch[i], row)) return NO_MEMORY;
    }
    *seen = judge->row;
    *zones = judge->zones.at;
    return judge->rows;
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
    free(judge->asked.at);
    free(judge->narrowed);
    free(judge->row_of.at);
    free(judge);
}
