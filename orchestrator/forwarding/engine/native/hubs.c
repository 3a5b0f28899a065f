/* Outcomes of the largest tables, kept between updates.
 *
 * Ways lead through few large tables (hubs): what becomes of packets there is kept as a list of labels once a walk has
 * found it, so the next walk ends at the first hub that it gets to, and its answer holds as far as the hub's does, not
 * only to the next segment of some table on the way. With each answer stand the hubs on its ways. While a change is
 * answered, answers whose ways may pass a changed table are not read: those that name it where it is a hub, else those
 * that name a hub from which it is reached without another one. They are forgotten afterwards.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_SEGMENTS 512 /* of a hub */
#define SEARCH 4000        /* steps to find from which hubs a table is reached */
#define MOST_HIDDEN 96     /* parts of labels that are not read; more hide everything */
#define MOST_LATER 512     /* parts that wait to be forgotten */
#define NARROW ((int64_t)1 << 20) /* so few labels are forgotten everywhere: looking for who it may be costs more */
#define CLOSE_4 ((int64_t)1 << 18) /* so far apart, two edits of a hub hide as one: a /14, */
#define CLOSE_6 ((int64_t)1 << 24) /* a /40 */
#define EVERY_HUB (~(uint64_t)(FIRST_HUB - 1))

/* ---- which tables are hubs ---- */
typedef struct Size {
    int64_t segments;
    int32_t table;
} Size;

static int by_size(const void *one, const void *two) {
    const Size *a = one, *b = two;
    return a->segments != b->segments ? (a->segments < b->segments) - (a->segments > b->segments) : a->table - b->table;
}

static int64_t segments_of(const List *list) {
    int64_t count = 0;
    for (int32_t i = 0; i < list->count && i < LEAST_SEGMENTS; i++) count += list_chunk(list, i)->count;
    return count;
}

/* Larger tables first. Tables that searches leave out (`inward`) are none. */
static int64_t candidates(const Engine *e, Size *size) {
    int64_t count = 0;
    for (int32_t t = 0; t < e->in.tables; t++) {
        const List *list = &e->table[t];
        bool any = e->hubs.every && t % e->hubs.every == 0;
        if (e->inward[t] >= 0 || (list->count == 1 && !any)) continue;
        int64_t segments = segments_of(list);
        if (segments >= LEAST_SEGMENTS || any) size[count++] = (Size){segments, t};
    }
    qsort(size, (size_t)count, sizeof *size, by_size);
    return count;
}

static int start(Engine *e) {
    Hubs *h = &e->hubs;
    const int64_t first = 0;
    const int32_t nobody = NOBODY;
    Size *size = malloc(((size_t)e->in.tables + 1) * sizeof *size);
    h->of = malloc(((size_t)e->in.tables + 1) * sizeof *h->of);
    h->list = calloc(MOST_HUBS, sizeof *h->list);
    h->hint = calloc(MOST_HUBS, sizeof *h->hint);
    h->table = calloc(MOST_HUBS, sizeof *h->table);
    int answer = size && h->of && h->list && h->hint && h->table ? OK : NO_MEMORY;
    int64_t count = answer ? 0 : candidates(e, size);
    if (!answer) memset(h->of, 0xff, ((size_t)e->in.tables + 1) * sizeof *h->of);
    for (; h->count < count && h->count < MOST_HUBS && !answer; h->count++) {
        h->table[h->count] = size[h->count].table;
        h->of[size[h->count].table] = h->count;
        answer = list_build(&e->arena, &h->list[h->count], &first, &nobody, &nobody, 1);
    }
    free(size);
    return answer ? (e->error = answer) : OK;
}

void hubs_free(Hubs *h) {
    for (int32_t i = 0; h->list && i < h->count; i++) list_free(&h->list[i]); /* chunks go with the engine */
    void *all[] = {h->of, h->list, h->hint, h->answer, h->slot, h->now.at, h->later.at,
                   h->table, h->first, h->near, h->queue.at};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    memset(h, 0, sizeof *h);
}

/* ---- answers ---- */
static int32_t value_at(const List *list, Cursor at) { return chunk_value(list_chunk(list, at.chunk))[at.at]; }

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int64_t slot_of(const Hubs *h, Kept wanted) {
    int64_t at = (int64_t)(mix(wanted.passed ^ mix((uint64_t)(uint32_t)wanted.node)) & (uint64_t)(h->slots - 1));
    for (; h->slot[at]; at = (at + 1) & (h->slots - 1)) {
        const Kept *kept = &h->answer[h->slot[at] - 1];
        if (kept->node == wanted.node && kept->passed == wanted.passed) break;
    }
    return at;
}

static int widen(Hubs *h) {
    int64_t slots = h->slots ? h->slots * 2 : 1024;
    Kept *answer = realloc(h->answer, (size_t)(slots / 2) * sizeof *answer);
    if (answer) h->answer = answer;
    int32_t *slot = calloc((size_t)slots, sizeof *slot);
    if (!answer || !slot) {
        free(slot);
        return NO_MEMORY;
    }
    free(h->slot);
    h->slot = slot;
    h->slots = slots;
    h->answer_room = slots / 2;
    for (int32_t i = 0; i < h->answers; i++) slot[slot_of(h, h->answer[i])] = i + 1;
    return OK;
}

/* The number of an answer, or NO_MEMORY. */
static int32_t answer_number(Hubs *h, Kept kept) {
    if (h->answers == h->answer_room && widen(h)) return NO_MEMORY;
    int64_t at = slot_of(h, kept);
    if (!h->slot[at]) {
        h->answer[h->answers] = kept;
        h->slot[at] = (int32_t)++h->answers;
    }
    return h->slot[at] - 1;
}

/* What the hub answers at a label, where that is known and may be read, else NULL; narrows `end` to where it holds. */
const Kept *hub_answer(Hubs *h, int32_t hub, int64_t label, int64_t *end) {
    Cursor at = h->hint[hub] = list_near(&h->list[hub], h->hint[hub], label);
    int32_t number = value_at(&h->list[hub], at);
    if (number < 0) return NULL;
    const Kept *kept = &h->answer[number];
    int64_t found = list_end(&h->list[hub], at);
    for (int64_t i = 0; h->hidden & kept->passed && i < h->now.count; i++) {
        const Hidden *hidden = &h->now.at[i];
        if (!(hidden->hubs & kept->passed) || hidden->high <= label || hidden->low >= found) continue;
        if (hidden->low <= label) return NULL;
        found = hidden->low;
    }
    if (found < *end) *end = found;
    h->reads++;
    return kept;
}

/* The hub's outcome at the label at hand, where it is known and may be read; else NOBODY. */
int32_t hub_read(Engine *e, int32_t hub) {
    const Kept *kept = hub_answer(&e->hubs, hub, e->here, &e->end);
    if (!kept) return NOBODY;
    e->work++;
    e->passes |= kept->passed;
    return kept->node;
}

/* What a walk has found for a hub. Not where it passes the table that stands apart, which does not bound how far it holds;
 * nor on a loop, whose outcome is that of all of it together. */
void hub_keep(Engine *e, int32_t hub, int32_t node, uint64_t passes) {
    Hubs *h = &e->hubs;
    if (e->error || passes & (PASSES_APART | MET_APART) || (passes & MET_A_LOOP && node != LOOP)) return;
    int32_t number = answer_number(h, (Kept){passes & EVERY_HUB, node});
    if (number < 0 || list_set(&e->arena, &h->list[hub], e->here, e->end, number)) e->error = NO_MEMORY;
}

/* ---- answers that a change makes void ---- */
static int hiding_push(Engine *e, Hiding *hiding, Hidden one) {
    if (hiding->count == hiding->room) {
        int64_t room = hiding->room * 2 + 64;
        Hidden *more = realloc(hiding->at, (size_t)room * sizeof *more);
        if (!more) return e->error = NO_MEMORY;
        hiding->at = more;
        hiding->room = room;
    }
    hiding->at[hiding->count++] = one;
    return OK;
}

static bool names(const Hubs *h, int32_t number, uint64_t hubs) {
    return number >= 0 && (hubs == EVERY_HUB || h->answer[number].passed & hubs);
}

/* Stretches of one hub's answers that are hidden are not known any more. */
static int forget_in(Engine *e, List *list, const Hidden *hidden) {
    int64_t label = hidden->low;
    while (label < hidden->high) {
        Cursor at = list_find(list, label);
        int64_t from = label;
        bool found = names(&e->hubs, value_at(list, at), hidden->hubs);
        do label = list_end(list, at); /* a run of stretches that are, or are not, to be forgotten */
        while (label < hidden->high && list_next(list, &at) &&
               names(&e->hubs, value_at(list, at), hidden->hubs) == found);
        if (label > hidden->high) label = hidden->high;
        if (found && list_set(&e->arena, list, from, label, NOBODY)) return e->error = NO_MEMORY;
    }
    return OK;
}

static int forget_later(Engine *e) {
    Hubs *h = &e->hubs;
    for (int32_t hub = 0; hub < h->count; hub++) /* list by list: each is looked at while it is at hand */
        for (int64_t i = 0; i < h->later.count && !e->error; i++) forget_in(e, &h->list[hub], &h->later.at[i]);
    h->later.count = 0;
    return e->error;
}

/* Answers that name a hub, where it has e->edits; what lies between those that are close may be hidden, too. */
static int hidden_by(Engine *e, int32_t hub, Hiding *to, bool exactly) {
    Hidden one = {hub_bit(hub), e->edit[0].low, e->edit[0].high};
    for (int64_t i = 1; i < e->edits; i++) {
        const Edit *edit = &e->edit[i];
        int64_t close = exactly ? 0 : edit->low < V4_END ? CLOSE_4 : one.high > V4_END ? CLOSE_6 : 0;
        if (edit->low - one.high <= close) {
            one.high = edit->high;
        } else {
            if (hiding_push(e, to, one)) return e->error;
            one.low = edit->low;
            one.high = edit->high;
        }
    }
    return hiding_push(e, to, one);
}

/* Answers whose ways may pass a table that has e->edits. OK, an error, or 1: it is not known which. */
static int each_hidden(Engine *e, int32_t table, Hiding *to, bool exactly) {
    Hubs *h = &e->hubs;
    int64_t work = e->work;
    if (h->of[table] >= 0) return hidden_by(e, h->of[table], to, exactly);
    int status = frontier(e, table, SEARCH);
    e->budget += e->work - work;
    for (int64_t i = 1; i < e->queued && !status; i++) {
        int32_t hub = h->of[e->queue[i].at];
        if (hub >= 0) status = hiding_push(e, to, (Hidden){hub_bit(hub), e->queue[i].low, e->queue[i].high});
    }
    return status;
}

/* ---- a change ---- */
static int hide(Engine *e, int32_t table) {
    int status = e->edits ? each_hidden(e, table, &e->hubs.now, false) : OK;
    e->edits = 0;
    return status ? status : e->hubs.now.count > MOST_HIDDEN;
}

/* Know everything of every hub, so that small networks have much to read and to forget. */
static void fill(Engine *e) {
    for (int32_t hub = 0; hub < e->hubs.count; hub++)
        for (int64_t label = 0; label < LABEL_END && !e->error; label = e->end) {
            walk_begin(e, label);
            walk_table(e, e->hubs.table[hub], label);
        }
}

/* Let walks read and keep outcomes of hubs, while the edits of a table are answered (e->whole has them too). OK or an
 * error; e->hubs.on says whether. */
int hubs_begin(Engine *e, int32_t table) {
    Hubs *h = &e->hubs;
    if (!h->of && start(e)) return e->error;
    if (!h->count) return OK;
    if (!h->ready) {
        if (forget_later(e)) return e->error;
        h->now.count = 0;
        if (e->flipped >= 0) e->edits = 0; /* all tables that the port has a part in */
        int status = e->flipped < 0 ? hide(e, table) : each_touched(e, e->flipped, hide);
        if (status < 0) return status;
        if (status > 0) h->now.count = 0;
        if (status > 0 && hiding_push(e, &h->now, (Hidden){EVERY_HUB, 0, LABEL_END})) return e->error;
        h->hidden = 0;
        for (int64_t i = 0; i < h->now.count; i++) h->hidden |= h->now.at[i].hubs;
        memcpy(e->edit, e->whole, (size_t)e->wholes * sizeof *e->edit);
        e->edits = e->wholes;
        h->ready = true;
    }
    h->on = true;
    int64_t work = e->work;
    if (h->every) fill(e);
    e->budget += e->work - work;
    return e->error;
}

/* A table has e->edits: answers whose ways may pass it are to be forgotten where it has them. OK or an error. */
int hubs_forget(Engine *e, int32_t table) {
    Hubs *h = &e->hubs;
    int64_t labels = 0;
    h->on = false;
    if (!h->answers || !e->edits) return OK;
    for (int64_t i = 0; i < e->edits; i++) labels += e->edit[i].high - e->edit[i].low;
    int status = labels <= NARROW && h->of[table] < 0 ? 1 : each_hidden(e, table, &h->later, true);
    for (int64_t i = 0; i < e->edits && status > 0; i++)
        if (hiding_push(e, &h->later, (Hidden){EVERY_HUB, e->edit[i].low, e->edit[i].high})) status = e->error;
    if (status >= 0 && h->later.count > MOST_LATER) status = forget_later(e);
    return status < 0 ? status : OK;
}

/* Choose hubs anew: tables of 512 segments or more; or every so-manieth table, for whatever update (hubs.h). */
int32_t engine_hubs(Engine *e, int64_t every) {
    hubs_free(&e->hubs);
    e->hubs.every = every;
    return e->error;
}
