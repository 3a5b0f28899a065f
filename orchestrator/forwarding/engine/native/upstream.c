/* Who is upstream of a changed table: found backwards, route by route, as intervals of labels that are in question.
 *
 * A route is found by its group of next hops, a group by the port (or table) that it leads to; so only routes that lead
 * there are looked at, not whole tables. What is found is never too little; answers decide.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define MOST 2 /* intervals of one table; more become one */
#define MOST_APART 24 /* the same, where it is hubs that are looked for: what is in question there is to be no more than needed */
#define FEW 24 /* stretches of a table that are looked at one by one */

/* ---- routes by group ---- */
int routes_link(Engine *e) {
    if (e->linked) return OK;
    e->group_route.count = 0;
    if (ints_room(&e->group_route, e->groups + 64)) return e->error = NO_MEMORY;
    for (int64_t g = 0; g < e->groups; g++) e->group_route.at[e->group_route.count++] = NOBODY;
    e->linked = true;
    for (int64_t r = 0; r < e->routes && !e->error; r++)
        if (e->route[r].table >= 0) route_link(e, (int32_t)r);
    return e->error;
}

void route_link(Engine *e, int32_t route) {
    if (!e->linked) return;
    Route *r = &e->route[route];
    while (e->group_route.count <= r->group)
        if (ints_push(&e->group_route, NOBODY)) {
            e->error = NO_MEMORY;
            return;
        }
    int32_t *first = &e->group_route.at[r->group];
    r->before = NOBODY;
    r->next = *first;
    if (*first >= 0) e->route[*first].before = route;
    *first = route;
}

void route_unlink(Engine *e, int32_t route) {
    if (!e->linked) return;
    const Route *r = &e->route[route];
    if (r->before >= 0)
        e->route[r->before].next = r->next;
    else
        e->group_route.at[r->group] = r->next;
    if (r->next >= 0) e->route[r->next].before = r->before;
}

/* ---- intervals ---- */
int reach_push(Engine *e, Reach **reach, int64_t *count, int64_t *room, Reach one) {
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

/* Whether some edit has a part of [low, high). */
static bool in_question(const Engine *e, int64_t low, int64_t high) {
    int64_t from = 0, to = e->edits;
    while (from < to) { /* the first edit that ends behind low */
        int64_t middle = (from + to) / 2;
        if (e->edit[middle].high <= low)
            from = middle + 1;
        else
            to = middle;
    }
    return from < e->edits && e->edit[from].low < high;
}

/* Into the queue, unless an entry of the same table covers it already; many intervals of a table become one. */
static int meet(Engine *e, int32_t table, int64_t low, int64_t high) {
    int64_t known = 0, least = low, most = high;
    if (e->met_stamp[table] != e->met_now) {
        e->met_stamp[table] = e->met_now;
        e->met_first[table] = NOBODY;
    }
    for (int32_t i = e->met_first[table]; i >= 0; i = e->met_next.at[i], known++) {
        const Reach *met = &e->queue[i];
        e->work++;
        if (met->low <= low && high <= met->high) return OK;
        least = met->low < least ? met->low : least;
        most = met->high > most ? met->high : most;
    }
    if (known >= e->most_met) {
        low = least;
        high = most;
    }
    if (ints_push(&e->met_next, e->met_first[table])) return e->error = NO_MEMORY;
    e->met_first[table] = (int32_t)e->queued;
    return reach_push(e, &e->queue, &e->queued, &e->queue_room, (Reach){low, high, table});
}

static int meet_part(Engine *e, int32_t from, int64_t low, int64_t high, const Reach *at) {
    low = low > at->low ? low : at->low;
    high = high < at->high ? high : at->high;
    return low < high && in_question(e, low, high) ? meet(e, from, low, high) : OK;
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

/* One step more; whether that is more than the search may take. */
static bool beyond(Engine *e) { return ++e->work > e->upstream_limit; }

/* Routes of `from` with a group that one of the uses names. */
static int meet_routes(Engine *e, int32_t from, int32_t use, const Reach *at) {
    for (int32_t k = use; k >= 0; k = e->use.at[k + 1]) {
        int32_t group = e->use.at[k];
        if (group >= e->group_route.count) continue;
        for (int32_t r = e->group_route.at[group]; r >= 0; r = e->route[r].next) {
            if (beyond(e)) return 1;
            if (e->route[r].table == from && meet_part(e, from, e->route[r].low, e->route[r].high, at)) return e->error;
        }
    }
    return OK;
}

/* Routes of a table that lead to another one, found by their groups; `leaks`: by any port, not only its own. */
static int meet_groups(Engine *e, int32_t from, bool leaks, const Reach *at) {
    if (routes_link(e)) return e->error;
    for (int32_t k = e->entry_first[at->at]; k < e->entry_first[at->at + 1]; k++) {
        int32_t port = e->entry[k];
        bool carries = e->up[port] && e->up[e->in.port_peer[port]];
        if (beyond(e)) return 1;
        if (!carries || (!leaks && e->in.port_table[port] != from)) continue;
        int status = meet_routes(e, from, e->port_use[port], at);
        if (status) return status;
    }
    return meet_routes(e, from, e->table_use[at->at], at);
}

/* Labels that `from` sends to the table `at` and that are in question: read off its list where few stretches are. */
static int feed(Engine *e, int32_t from, bool leaks, const Reach *at) {
    const List *list = &e->table[from];
    Cursor place = list_find(list, at->low), end = place;
    int32_t few = FEW;
    while (few && list_next(list, &end) && list_chunk(list, end.chunk)->start[end.at] < at->high) few--;
    if (!few) return meet_groups(e, from, leaks, at);
    do {
        const Chunk *chunk = list_chunk(list, place.chunk);
        if (beyond(e)) return 1;
        if (chunk->start[place.at] >= at->high) break;
        if (!leads(e, chunk_value((Chunk *)(uintptr_t)chunk)[place.at], at->at)) continue;
        if (meet_part(e, from, chunk->start[place.at], list_end(list, place), at)) return e->error;
    } while (list_next(list, &place));
    return OK;
}

static int meet_senders(Engine *e, int32_t changed, const Reach *at) {
    int status = OK;
    for (int32_t k = e->back_first[at->at]; k < e->back_first[at->at + 1] && !status; k++)
        if (e->back[k] != changed && e->inward[e->back[k]] != at->at) status = feed(e, e->back[k], false, at);
    for (int32_t k = e->leak_of[at->at]; k >= 0 && !status; k = e->leak.at[k + 2])
        if (e->leak.at[k + 1] != changed) status = feed(e, e->leak.at[k + 1], true, at);
    return status;
}

/* From which hubs the table is reached without passing another one, to labels of its edits: entries of e->queue behind the
 * first. OK, an error, or 1: more than the budget allows. */
int frontier(Engine *e, int32_t table, int64_t budget) {
    e->upstream_limit = e->work + budget;
    e->queued = e->met_next.count = 0;
    e->most_met = MOST_APART;
    if (!++e->met_now) return e->error = BAD_ARGUMENT;
    int status = meet(e, table, e->edit[0].low, e->edit[e->edits - 1].high);
    for (int64_t i = 0; i < e->queued && !status; i++) {
        Reach at = e->queue[i];
        if (!i || e->hubs.of[at.at] < 0) status = meet_senders(e, table, &at);
    }
    return status;
}

/* Ask for every attachment whose packets to labels of the edits may pass the table. OK, an error, or 1: more than the
 * budget allows. */
int upstream(Engine *e, int32_t table, int64_t budget) {
    e->upstream_limit = e->work + budget;
    e->queued = e->met_next.count = e->asked_count = 0;
    e->most_met = MOST;
    if (!++e->met_now) return e->error = BAD_ARGUMENT;
    if (meet(e, table, e->edit[0].low, e->edit[e->edits - 1].high)) return e->error;
    for (int64_t i = 0; i < e->queued; i++) {
        Reach at = e->queue[i];
        for (int32_t k = e->attached_first[at.at]; k < e->attached_first[at.at + 1]; k++)
            if (ask(e, e->attached[k], at.low, at.high)) return e->error;
        int status = meet_senders(e, table, &at);
        if (status) return status;
    }
    return OK;
}
