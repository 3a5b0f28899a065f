/* Whether packets get somewhere: a box of packets through the graph, entry by entry, split where an entry takes a part.
 *
 * Exact as long as the search says so; it gives up, and says that, at what nobody could read, at translations, and when
 * boxes become too many. Entries that have nothing in common with a box do not split it, so a search for what a single
 * change concerns looks at few boxes.
 */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

#define DEEPEST 400

typedef struct Search {
    Judge *judge;
    const uint8_t *wanted;
    uint8_t *found;
    int64_t left; /* steps */
    int32_t depth;
    bool unclear;
} Search;

typedef struct Part { /* packets on their way */
    Box box;
    uint64_t services[WIDEST];
} Part;

static void arrive(Search *s, int32_t node, const Part *part);

bool node_leads(const Engine *e, int32_t node, const uint8_t *wanted) {
    Ends ends = ends_of(&e->nodes, node);
    for (int32_t i = 0; i < ends.count; i++)
        if (wanted[ends.zone[i]]) return true;
    return false;
}

/* Something is still to be found below the node. */
static bool worth(const Search *s, int32_t node) {
    Ends ends = ends_of(&s->judge->engine->nodes, node);
    if (ends.flags & MAYBE_UNREAD) return !s->unclear;
    for (int32_t i = 0; i < ends.count; i++)
        if (s->wanted[ends.zone[i]] && !s->found[ends.zone[i]]) return true;
    return false;
}

static void act(Search *s, int32_t node, int32_t action, const Part *part) {
    const Nodes *n = &s->judge->engine->nodes;
    const int32_t *below = n->children.at + n->first.at[node];
    if (action == ACTION_UNKNOWN)
        s->unclear = true;
    else if (action == ACTION_PERMIT)
        arrive(s, below[0], part);
    else if (n->kind.at[node] == BRANCH_FILTER)
        arrive(s, below[1], part);
}

static bool meets(const filter_view *view, int64_t row, const Box *box) {
    return view->source_low[row] < box->source_end && view->source_high[row] > box->source &&
           view->destination_low[row] < box->destination_end && view->destination_high[row] > box->destination;
}

/* The words that a set of services has something in; parts of it have nothing in others, which are not read. */
static Words words_of(const filter_view *view, const uint64_t *services) {
    Words words = {0, (int32_t)view->width};
    while (words.to > words.from && !services[words.to - 1]) words.to--;
    while (words.from < words.to && !services[words.from]) words.from++;
    return words;
}

static const uint64_t *services_of(const filter_view *view, int32_t match) {
    return match < 0 ? view->everything : view->words + (int64_t)match * view->width;
}

static void copy(Words words, Part *to, const Part *from) {
    to->box = from->box;
    memcpy(to->services + words.from, from->services + words.from, (size_t)(words.to - words.from) * sizeof(uint64_t));
}

/* What of a part lies outside an entry's addresses: up to four parts; the part becomes what lies inside. */
static int split(const filter_view *view, Words words, int64_t row, Part *part, Part *outside) {
    const int64_t low[2] = {view->source_low[row], view->destination_low[row]};
    const int64_t high[2] = {view->source_high[row], view->destination_high[row]};
    int count = 0;
    for (int side = 0; side < 2; side++) {
        int64_t *from = side ? &part->box.destination : &part->box.source;
        int64_t *to = side ? &part->box.destination_end : &part->box.source_end;
        if (low[side] > *from) {
            copy(words, &outside[count], part);
            *(side ? &outside[count++].box.destination_end : &outside[count++].box.source_end) = *from = low[side];
        }
        if (high[side] < *to) {
            copy(words, &outside[count], part);
            *(side ? &outside[count++].box.destination : &outside[count++].box.source) = *to = high[side];
        }
    }
    return count;
}

/* The services of a part that an entry takes; whether it takes any. */
static bool take(const filter_view *view, Words words, int64_t row, const Part *part, uint64_t *taken) {
    const uint64_t *match = view->words + (int64_t)view->match[row] * view->width;
    uint64_t some = 0;
    for (int32_t i = words.from; i < words.to; i++) some |= taken[i] = part->services[i] & match[i];
    return some != 0;
}

/* Rows of a filter that may take a packet that is asked about: once in a question, for all its searches. */
static int narrow(Judge *judge, int32_t filter) {
    const filter_view *view = judge->view;
    Narrowed *of = &judge->narrowed[filter];
    if (of->stamp == judge->question) return OK;
    const uint64_t *wanted = services_of(view, judge->match);
    *of = (Narrowed){judge->question, 0, judge->row_of.count};
    if (ints_room(&judge->row_of, view->count[filter])) return NO_MEMORY;
    for (int64_t row = view->start[filter]; row < view->start[filter] + view->count[filter]; row++) {
        const uint64_t *match = view->words + (int64_t)view->match[row] * view->width;
        uint64_t some = 0;
        if (!meets(view, row, &judge->within)) continue;
        for (int32_t i = judge->words.from; i < judge->words.to; i++) some |= match[i] & wanted[i];
        if (some) judge->row_of.at[judge->row_of.count++] = (int32_t)row;
    }
    of->count = (int32_t)(judge->row_of.count - of->first);
    return OK;
}

/* A part that has passed the entries before the `at`-th of those of a filter that it may meet; it is used up. */
static void through(Search *s, int32_t node, int32_t at, const Narrowed *rows, int32_t port, Part *part) {
    const filter_view *view = s->judge->view;
    const Words words = s->judge->words;
    Part outside[4], taken;
    if (s->depth++ > DEEPEST) s->left = 0;
    for (; at < rows->count && s->left > 0; at++, s->left--) {
        int64_t row = s->judge->row_of.at[rows->first + at];
        if (!meets(view, row, &part->box) || (view->in_port[row] >= 0 && view->in_port[row] != port)) continue;
        if (!take(view, words, row, part, taken.services)) continue;
        int count = split(view, words, row, part, outside);
        for (int i = 0; i < count; i++) through(s, node, at + 1, rows, port, &outside[i]);
        taken.box = part->box;
        act(s, node, view->action[row], &taken);
        uint64_t rest = 0;
        for (int32_t i = words.from; i < words.to; i++) rest |= part->services[i] &= ~taken.services[i];
        if (!rest || !worth(s, node)) break;
    }
    if (s->left <= 0) s->unclear = true;
    if (at == rows->count) act(s, node, view->otherwise[view->variant_filter[s->judge->engine->nodes.a.at[node]]], part);
    s->depth--;
}

static void arrive(Search *s, int32_t node, const Part *part) {
    const Nodes *n = &s->judge->engine->nodes;
    const filter_view *view = s->judge->view;
    int32_t kind = n->kind.at[node], a = n->a.at[node];
    if (s->left-- <= 0 || kind == UNKNOWN || kind == BRANCH_RULE || kind == REWRITE) {
        s->unclear = true;
        return;
    }
    if (kind == DELIVER) {
        if (s->wanted[a]) s->found[a] = 1;
    } else if (kind == EITHER) {
        for (int32_t i = n->first.at[node]; i < n->first.at[node + 1]; i++)
            if (worth(s, n->children.at[i])) arrive(s, n->children.at[i], part);
    } else if ((kind == FILTER || kind == BRANCH_FILTER) && worth(s, node)) {
        int32_t filter = view->variant_filter[a];
        Part moving;
        copy(s->judge->words, &moving, part);
        if (narrow(s->judge, filter)) s->left = 0;
        through(s, node, 0, &s->judge->narrowed[filter], view->variant_port[a], &moving);
    }
}

static int64_t most(int64_t one, int64_t other) { return one > other ? one : other; }
static int64_t least(int64_t one, int64_t other) { return one < other ? one : other; }

int judge_question(Judge *judge, const Box *within, int32_t match) {
    judge->within = *within;
    judge->match = match;
    if (judge->view->words) judge->words = words_of(judge->view, services_of(judge->view, match)); /* else no search */
    judge->row_of.count = 0;
    if (judge->narrowed_room < judge->view->filters) {
        free(judge->narrowed);
        judge->narrowed_room = 0;
        judge->narrowed = calloc((size_t)judge->view->filters, sizeof *judge->narrowed);
        if (!judge->narrowed) return NO_MEMORY;
        judge->narrowed_room = judge->view->filters;
    }
    judge->question++;
    return OK;
}

int32_t judge_search(Judge *judge, int32_t attachment, int32_t node, int64_t low, int64_t high, const uint8_t *wanted,
                     uint8_t *found) {
    const filter_view *view = judge->view;
    const Box *within = &judge->within;
    const Words words = judge->words;
    const uint64_t *services = services_of(view, judge->match);
    Search s = {judge, wanted, found, judge->budget, 0, false};
    if (!view->words || view->width > WIDEST) return NOT_CLEAR;
    if (words.from == words.to) return 0; /* no packets are asked about */
    for (int64_t i = judge->unit_first[attachment]; i < judge->unit_first[attachment + 1]; i++) {
        Part part;
        bool six = judge->unit_low[i] >= (int64_t)1 << 32;
        part.box.source = most(judge->unit_low[i], within->source);
        part.box.source_end = least(judge->unit_high[i], within->source_end);
        part.box.destination = most(most(low, within->destination), six ? (int64_t)1 << 33 : 0);
        part.box.destination_end = least(least(high, within->destination_end), six ? LABEL_END : (int64_t)1 << 32);
        if (part.box.source >= part.box.source_end || part.box.destination >= part.box.destination_end) continue;
        memcpy(part.services + words.from, services + words.from, (size_t)(words.to - words.from) * sizeof *services);
        arrive(&s, node, &part);
    }
    return s.unclear ? NOT_CLEAR : 0;
}

/* ---- one entry ---- */
typedef struct Deciding {
    const filter_view *view;
    int64_t at, end, left; /* row of the entry, where its filter ends, steps */
    int32_t depth;
    bool permitted;
    Words words;
} Deciding;

static bool decides(Deciding *d, int64_t row, Part *part) {
    const filter_view *view = d->view;
    Part outside[4];
    uint64_t taken[WIDEST];
    if (d->depth > DEEPEST || d->left <= 0) return true;
    d->depth++;
    bool found = false, rest = true;
    for (; row < d->end && !found && rest; row++) {
        if (row >= d->at && !d->permitted) break; /* it gets as far as the entry */
        if (d->left-- <= 0) found = true;
        if (!meets(view, row, &part->box) || !take(view, d->words, row, part, taken)) continue;
        found = found || (row >= d->at && view->action[row] != ACTION_DENY);
        if (view->in_port[row] >= 0) continue; /* it may take nothing */
        int count = split(view, d->words, row, part, outside);
        for (int i = 0; i < count && !found; i++) found = decides(d, row + 1, &outside[i]);
        rest = false;
        for (int32_t i = d->words.from; i < d->words.to; i++) rest |= (part->services[i] &= ~taken[i]) != 0;
    }
    d->depth--;
    return found || (rest && (!d->permitted || d->left <= 0));
}

bool judge_decides(const Judge *judge, int32_t filter, const Change *change, bool permitted) {
    const filter_view *view = judge->view;
    if (!view->words || view->width > WIDEST) return true;
    int64_t begin = view->start[filter];
    const uint64_t *services = services_of(view, change->match);
    Words words = words_of(view, services);
    if (words.from == words.to) return false; /* an entry that no packet meets */
    Deciding d = {view, begin + change->position, begin + view->count[filter], judge->budget, 0, permitted, words};
    if (permitted && view->otherwise[filter] != ACTION_DENY) return true;
    Part part;
    part.box = change->box;
    memcpy(part.services + words.from, services + words.from, (size_t)(words.to - words.from) * sizeof *services);
    return decides(&d, begin, &part);
}
