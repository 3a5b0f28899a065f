/* Who leads to whom: the ways backwards, and what hangs on a port. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

/* CSR of `count` pairs (key, value): first[keys + 1] and values by key. */
static int csr(int64_t keys, int64_t count, const int32_t *key, const int32_t *value, int32_t **first, int32_t **out) {
    *first = calloc((size_t)keys + 2, sizeof **first);
    *out = malloc(((size_t)count + 1) * sizeof **out);
    if (!*first || !*out) return NO_MEMORY;
    for (int64_t i = 0; i < count; i++) (*first)[key[i] + 2]++;
    for (int64_t k = 0; k < keys; k++) (*first)[k + 2] += (*first)[k + 1];
    for (int64_t i = 0; i < count; i++) (*out)[(*first)[key[i] + 1]++] = value[i];
    return OK;
}

/* Each value once per key. */
static int unique(int64_t keys, int32_t *first, int32_t *value, int64_t values) {
    int32_t *last = malloc(((size_t)values + 1) * sizeof *last), kept = 0, from = 0;
    if (!last) return NO_MEMORY;
    memset(last, 0xff, ((size_t)values + 1) * sizeof *last);
    for (int32_t k = 0; k < keys; k++) {
        int32_t to = first[k + 1];
        for (int32_t i = from; i < to; i++) {
            if (last[value[i]] == k) continue;
            last[value[i]] = k;
            value[kept++] = value[i];
        }
        from = to;
        first[k + 1] = kept;
    }
    free(last);
    return OK;
}

static int index_ports(Engine *e, Ints *key, Ints *value) {
    const Input *in = &e->in;
    for (int32_t p = 0; p < in->ports; p++) {
        if (in->port_peer[p] < 0) continue;
        if (ints_push(key, in->port_peer[p]) || ints_push(value, p)) return NO_MEMORY;
    }
    if (csr(in->ports, key->count, key->at, value->at, &e->sender_first, &e->sender)) return NO_MEMORY;
    for (int64_t i = 0; i < key->count; i++) key->at[i] = in->port_table[key->at[i]];
    if (csr(in->tables, key->count, key->at, value->at, &e->entry_first, &e->entry)) return NO_MEMORY;
    for (int64_t i = 0; i < key->count; i++) value->at[i] = in->port_table[value->at[i]];
    if (csr(in->tables, key->count, key->at, value->at, &e->back_first, &e->back)) return NO_MEMORY;
    if (unique(in->tables, e->back_first, e->back, in->tables)) return NO_MEMORY;
    key->count = value->count = 0;
    for (int32_t a = 0; a < in->attachments; a++)
        if (ints_push(key, in->port_table[in->attachment_port[a]]) || ints_push(value, a)) return NO_MEMORY;
    if (csr(in->tables, key->count, key->at, value->at, &e->attached_first, &e->attached)) return NO_MEMORY;
    memset(e->port_use, 0xff, ((size_t)in->ports + 1) * sizeof *e->port_use);
    memset(e->table_use, 0xff, ((size_t)in->tables + 1) * sizeof *e->table_use);
    for (int32_t g = 0; g < in->groups; g++)
        if (note_uses(e, g)) return NO_MEMORY;
    return OK;
}

/* Remember by its hops a group that is new. */
int note_uses(Engine *e, int32_t group) {
    for (int32_t hop = e->group_first.at[group]; hop < e->group_first.at[group + 1]; hop++) {
        int32_t kind = e->hop_kind.at[hop];
        if (kind > 1) continue;
        int32_t *use = &(kind ? e->table_use : e->port_use)[e->hop_target.at[hop]];
        int32_t at = (int32_t)e->use.count;
        if (*use >= 0 && e->use.at[*use] == group) continue; /* twice the same hop */
        if (ints_push(&e->use, group) || ints_push(&e->use, *use)) return e->error = NO_MEMORY;
        *use = at;
    }
    return OK;
}

static int leak(Engine *e, int32_t from, int32_t to) {
    for (int32_t k = e->leak_of[to]; k >= 0; k = e->leak.at[k + 2])
        if (e->leak.at[k + 1] == from) return OK;
    int32_t at = (int32_t)e->leak.count;
    if (ints_push(&e->leak, to) || ints_push(&e->leak, from) || ints_push(&e->leak, e->leak_of[to])) return NO_MEMORY;
    e->leak_of[to] = at;
    if (e->trimmed) memset(e->inward, 0xff, (size_t)e->in.tables * sizeof *e->inward); /* new ways: look everywhere */
    return OK;
}

/* A route of `table` uses `group`: remember hops that are no ports of the table. */
int note_group(Engine *e, int32_t table, int32_t group) {
    for (int32_t hop = e->group_first.at[group]; hop < e->group_first.at[group + 1]; hop++) {
        int32_t kind = e->hop_kind.at[hop], target = e->hop_target.at[hop];
        if (kind == 1 && leak(e, table, target)) return e->error = NO_MEMORY;
        if (kind || e->in.port_table[target] == table) continue;
        if (ints_push(&e->foreign, table) || ints_push(&e->foreign, target)) return e->error = NO_MEMORY;
        int32_t peer = e->in.port_peer[target];
        if (peer >= 0 && leak(e, table, e->in.port_table[peer])) return e->error = NO_MEMORY;
    }
    return OK;
}

/* The table whose ports alone a group uses; NOBODY: table hops or ports of several. */
static int32_t home_of(const Engine *e, int32_t group) {
    int32_t home = NOBODY;
    for (int32_t hop = e->group_first.at[group]; hop < e->group_first.at[group + 1]; hop++) {
        int32_t kind = e->hop_kind.at[hop];
        if (kind == 1) return NOBODY;
        if (kind) continue;
        int32_t table = e->in.port_table[e->hop_target.at[hop]];
        if (home >= 0 && table != home) return NOBODY;
        home = table;
    }
    return home;
}

static int note_routes(Engine *e) {
    int32_t *home = malloc(((size_t)e->groups + 1) * sizeof *home);
    if (!home) return NO_MEMORY;
    for (int32_t g = 0; g < e->groups; g++) home[g] = home_of(e, g);
    int answer = OK;
    for (int64_t i = 0; i < e->in.routes && !answer; i++)
        if (home[e->in.route_group[i]] != e->in.route_table[i])
            answer = note_group(e, e->in.route_table[i], e->in.route_group[i]);
    free(home);
    return answer;
}

/* Tables from which nothing can come that was not at one neighbour before: no attachment, and no other neighbour but such
 * as are behind it; so on from the outside in. Who is upstream of that neighbour is found there: from there nobody has to
 * look behind it. From what is behind it, one has to. */
static int trim(Engine *e, Ints *key, Ints *value) {
    int64_t tables = e->in.tables;
    key->count = value->count = 0;
    for (int32_t t = 0; t < tables; t++)
        for (int32_t k = e->back_first[t]; k < e->back_first[t + 1]; k++)
            if (e->back[k] != t && (ints_push(key, t) || ints_push(value, e->back[k]) || ints_push(key, e->back[k]) ||
                                    ints_push(value, t)))
                return NO_MEMORY;
    for (int64_t k = 0; k < e->leak.count; k += 3)
        if (ints_push(key, e->leak.at[k]) || ints_push(value, e->leak.at[k + 1]) || ints_push(key, e->leak.at[k + 1]) ||
            ints_push(value, e->leak.at[k]))
            return NO_MEMORY;
    int32_t *first = NULL, *beside = NULL, *degree = malloc(((size_t)tables + 1) * sizeof *degree);
    uint8_t *going = calloc((size_t)tables + 1, 1); /* 1: it goes; 2: it is gone */
    int answer = csr(tables, key->count, key->at, value->at, &first, &beside);
    answer = answer ? answer : unique(tables, first, beside, tables);
    key->count = 0; /* from here on the tables that go */
    answer = degree && going ? answer : NO_MEMORY;
    for (int32_t t = 0; t < tables && !answer; t++) {
        degree[t] = first[t + 1] - first[t];
        going[t] = degree[t] <= 1 && e->attached_first[t] == e->attached_first[t + 1];
        if (going[t]) answer = ints_push(key, t);
    }
    for (int64_t i = 0; i < key->count && !answer; i++) {
        int32_t leaf = key->at[i];
        going[leaf] = 2;
        for (int32_t k = first[leaf]; k < first[leaf + 1] && !answer; k++) {
            int32_t t = beside[k];
            if (going[t] < 2) e->inward[leaf] = t;
            if (going[t] || --degree[t] > 1 || e->attached_first[t] != e->attached_first[t + 1]) continue;
            going[t] = 1;
            answer = ints_push(key, t);
        }
    }
    free(going);
    free(first);
    free(beside);
    free(degree);
    return answer;
}

int index_build(Engine *e) {
    size_t tables = (size_t)e->in.tables + 1;
    Ints key = {NULL, 0, 0}, value = {NULL, 0, 0};
    e->leak_of = malloc(tables * sizeof *e->leak_of);
    e->table_use = malloc(tables * sizeof *e->table_use);
    e->port_use = malloc(((size_t)e->in.ports + 1) * sizeof *e->port_use);
    e->met_first = calloc(tables, sizeof *e->met_first);
    e->met_stamp = calloc(tables, sizeof *e->met_stamp);
    e->last_record = calloc((size_t)e->in.attachments + 1, sizeof *e->last_record);
    e->inward = malloc(tables * sizeof *e->inward);
    e->found_first = malloc(((size_t)e->in.attachments + 1) * sizeof *e->found_first);
    e->found_last = malloc(((size_t)e->in.attachments + 1) * sizeof *e->found_last);
    int answer = e->leak_of && e->table_use && e->port_use && e->met_first && e->met_stamp && e->inward && e->last_record && e->found_first && e->found_last ? OK : NO_MEMORY;
    if (!answer) memset(e->found_last, 0xff, ((size_t)e->in.attachments + 1) * sizeof *e->found_last);
    if (!answer) memset(e->leak_of, 0xff, tables * sizeof *e->leak_of);
    if (!answer) memset(e->inward, 0xff, tables * sizeof *e->inward);
    answer = answer ? answer : index_ports(e, &key, &value);
    answer = answer ? answer : note_routes(e);
    answer = answer ? answer : trim(e, &key, &value);
    e->trimmed = true;
    free(key.at);
    free(value.at);
    return answer;
}

void index_free(Engine *e) {
    void *all[] = {e->back_first, e->back,      e->sender_first, e->sender,         e->attached_first, e->attached,
                   e->leak.at,    e->leak_of,   e->foreign.at,   e->met.at,         e->met_next.at,    e->met_first,
                   e->met_stamp,  e->inward,     e->queue,        e->asked,          e->edit,           e->record, e->whole,
                   e->marked,     e->use.at,    e->port_use,     e->table_use,      e->entry_first,    e->entry,
                   e->piece,      e->group_route.at, e->last_record, e->found,      e->found_first,
                   e->found_last, e->finder.at};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* ---- a port goes down or up ---- */
static void mark(Engine *e, int32_t port, bool refresh, uint8_t value) {
    for (int32_t k = e->port_use[port]; k >= 0; k = e->use.at[k + 1]) {
        e->marked[e->use.at[k]] = value;
        if (refresh) group_refresh(e, e->use.at[k]);
    }
}

typedef int Visit(Engine *e, int32_t table);

static int touch_table(Engine *e, int32_t table, int32_t port, Visit *visit) {
    mark(e, port, false, 1);
    int answer = table_touch(e, table, e->marked);
    mark(e, port, false, 0);
    return answer ? answer : visit(e, table);
}

static int touch_port(Engine *e, int32_t port, Visit *visit) {
    int answer = touch_table(e, e->in.port_table[port], port, visit);
    for (int64_t i = 0; i < e->foreign.count && !answer; i += 2)
        if (e->foreign.at[i + 1] == port) answer = touch_table(e, e->foreign.at[i], port, visit);
    return answer;
}

/* Every table with routes by a port, or to it, one after the other: its edits are what these routes cover; `visit` takes
 * them away. OK, or the first other answer of `visit`. */
int each_touched(Engine *e, int32_t port, Visit *visit) {
    int answer = touch_port(e, port, visit);
    for (int32_t k = e->sender_first[port]; k < e->sender_first[port + 1] && !answer; k++)
        answer = touch_port(e, e->sender[k], visit);
    return answer;
}

static int answer_touched(Engine *e, int32_t table) { return answer_edits(e, table, false); }

static int forget_touched(Engine *e, int32_t table) {
    int answer = hubs_forget(e, table);
    e->edits = 0;
    return answer;
}

void set_port(Engine *e, int32_t port, bool up) {
    e->up[port] = up;
    mark(e, port, true, 0);
    for (int32_t k = e->sender_first[port]; k < e->sender_first[port + 1]; k++) mark(e, e->sender[k], true, 0);
}

/* Flip a port; `asking`: answer anew for whoever depends on it. */
int answer_port(Engine *e, int32_t port, bool up, bool asking) {
    if (e->marked_room < e->groups) {
        uint8_t *more = realloc(e->marked, (size_t)e->groups + 64);
        if (!more) return e->error = NO_MEMORY;
        memset(more, 0, (size_t)e->groups + 64);
        e->marked = more;
        e->marked_room = e->groups + 64;
    }
    if (sharing_end(e, port)) return e->error;
    set_port(e, port, up);
    if (!asking) return e->error ? e->error : e->hubs.answers ? each_touched(e, port, forget_touched) : OK;
    if (!e->plain) {
        e->sweeps++;
        return sweep_all(e, true);
    }
    e->flipped = port;
    int answer = each_touched(e, port, answer_touched);
    answer = answer ? answer : answer_zone(e, port);
    return answer == SWEPT ? OK : answer;
}
