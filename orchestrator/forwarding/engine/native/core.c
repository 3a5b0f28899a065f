/* Life and death of an engine, and the doors that Python uses. */
#define _POSIX_C_SOURCE 199309L
#include "core.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE 1000 /* steps that no update is too small for */

int32_t engine_abi(void) { return ENGINE_ABI; }

static int take(Ints *to, const int32_t *from, int64_t count) {
    if (ints_room(to, count + 1)) return NO_MEMORY;
    if (count) memcpy(to->at, from, (size_t)count * sizeof *from);
    to->count = count;
    return OK;
}

static int take_groups(Engine *e) {
    const Input *in = &e->in;
    if (take(&e->group_first, in->group_first, in->groups + 1)) return NO_MEMORY;
    if (take(&e->hop_kind, in->hop_kind, in->hops) || take(&e->hop_target, in->hop_target, in->hops)) return NO_MEMORY;
    e->groups = in->groups;
    e->fast_room = in->groups + 64;
    e->hop_room = in->hops + 64;
    e->fast = malloc((size_t)e->fast_room * sizeof *e->fast);
    e->hop_fast = malloc((size_t)e->hop_room * sizeof *e->hop_fast);
    e->up = malloc((size_t)in->ports + 1);
    if (!e->fast || !e->hop_fast || !e->up) return NO_MEMORY;
    if (in->ports) memcpy(e->up, in->port_up, (size_t)in->ports);
    for (int32_t g = 0; g < e->groups; g++) group_refresh(e, g);
    return e->error;
}

static int take_lists(Engine *e) {
    const int64_t start = 0;
    const int32_t nobody = NOBODY, drop = DROP;
    e->table = calloc((size_t)e->in.tables + 1, sizeof *e->table);
    e->attachment = calloc((size_t)e->in.attachments + 1, sizeof *e->attachment);
    e->current = calloc((size_t)e->in.tables + (size_t)e->in.rules + 1, sizeof *e->current);
    if (!e->table || !e->attachment || !e->current) return NO_MEMORY;
    for (int64_t a = 0; a < e->in.attachments; a++)
        if (list_build(&e->arena, &e->attachment[a], &start, &nobody, &drop, 1)) return NO_MEMORY;
    return OK;
}

Engine *engine_new(const Input *input, int32_t *status) {
    Engine *e = calloc(1, sizeof *e);
    *status = NO_MEMORY;
    if (!e) return NULL;
    e->in = *input;
    e->patience = PATIENCE;
    e->plain = !input->translations && !input->policies;
    for (int64_t p = 0; p < input->ports; p++) e->named_ports = e->named_ports || input->port_context[p];
    int answer = nodes_start(e);
    answer = answer ? answer : walk_start(e);
    answer = answer ? answer : take_groups(e);
    answer = answer ? answer : take_lists(e);
    answer = answer ? answer : tables_build(e);
    answer = answer ? answer : index_build(e);
    answer = answer ? answer : sharing_build(e);
    answer = answer ? answer : sweep_all(e, false);
    *status = answer;
    if (!answer) return e;
    engine_free(e);
    return NULL;
}

static void free_walks(Engine *e) {
    free(e->slot);
    free(e->step);
    free(e->chain);
    free(e->hint);
    free(e->mark);
    free(e->place);
    free(e->place_table);
    free(e->current);
    free(e->way.at);
    free(e->open.at);
    free(e->scratch.at);
    free(e->seen.at);
    free(e->state);
    free(e->state_after_start);
}

void engine_free(Engine *e) {
    if (!e) return;
    for (int64_t t = 0; e->table && t < e->in.tables; t++) list_free(&e->table[t]);
    for (int64_t a = 0; e->attachment && a < e->in.attachments; a++) list_free(&e->attachment[a]);
    arena_free(&e->arena);
    nodes_free(&e->nodes);
    free_walks(e);
    hubs_free(&e->hubs);
    classes_free(e);
    index_free(e);
    sharing_free(e);
    free(e->table);
    free(e->attachment);
    free(e->route);
    free(e->group_first.at);
    free(e->hop_kind.at);
    free(e->hop_target.at);
    free(e->fast);
    free(e->hop_fast);
    free(e->up);
    free(e->allowed);
    free(e->wrong);
    free(e->suspect);
    free(e->unread);
    free(e);
}

static int edit_table(Engine *e, int32_t kind, int32_t table, int64_t low, int64_t high, int32_t group, int32_t *before) {
    if (kind == REMOVE_ROUTE) return table_remove(e, table, low, high, before);
    if (group < 0 || group >= e->groups) return BAD_ARGUMENT;
    if (note_group(e, table, group)) return e->error;
    if (kind == ADD_ROUTE) return table_add(e, table, low, high, group);
    return table_replace(e, table, low, high, group, before);
}

static bool known(const Engine *e, int32_t kind, int32_t at, int64_t low, int64_t high) {
    if (kind == PORT_DOWN || kind == PORT_UP) return at >= 0 && at < e->in.ports;
    return kind >= 0 && kind < PORT_DOWN && at >= 0 && at < e->in.tables && low >= 0 && low < high && high <= LABEL_END;
}

/* One change, and what it has changed. */
int32_t engine_apply(Engine *e, int32_t kind, int32_t at, int64_t low, int64_t high, int32_t group, Applied *applied) {
    if (e->error) return e->error;
    if (!known(e, kind, at, low, high)) return BAD_ARGUMENT;
    e->records = e->edits = e->asked_count = 0;
    e->hubs.ready = e->hubs.on = e->hubs.asking = false;
    e->flipped = applied->before = NOBODY;
    e->budget = e->patience < 0 ? e->work : e->work + e->patience + e->sweep_work;
    int status;
    if (kind < PORT_DOWN) {
        status = edit_table(e, kind, at, low, high, group, &applied->before);
        status = status ? status : answer_edits(e, at, true);
        if (status == SWEPT) status = OK;
    } else {
        applied->before = e->up[at];
        status = e->up[at] == (kind == PORT_UP) ? OK : answer_port(e, at, kind == PORT_UP, true);
    }
    for (int64_t i = 0; i < e->records && !status; i++) {
        const Record *r = &e->record[i];
        count_node(e, r->attachment, r->after, r->high - r->low);
        count_node(e, r->attachment, r->before, r->low - r->high);
    }
    applied->record = e->record;
    applied->records = e->records;
    return e->error ? e->error : status;
}

/* Steps that an update may take before sweeps are thought of; below 0: one by one is hardly ever tried. */
void engine_patience(Engine *e, int64_t steps) { e->patience = steps; }

/* Take a change back: `kind` and what follows undo it in the tables, the records' answers become what they were. */
int32_t engine_restore(Engine *e, int32_t kind, int32_t at, int64_t low, int64_t high, int32_t group, const Record *record,
                       int64_t records) {
    int32_t unused, status = OK;
    if (e->error) return e->error;
    if (!known(e, kind, at, low, high)) return BAD_ARGUMENT;
    e->records = e->edits = 0;
    if (kind < PORT_DOWN) {
        status = edit_table(e, kind, at, low, high, group, &unused);
        status = status ? status : hubs_forget(e, at);
    } else {
        status = answer_port(e, at, kind == PORT_UP, false);
    }
    e->edits = 0;
    for (int64_t i = records - 1; i >= 0 && !status; i--) {
        const Record *r = &record[i];
        if (e->leader[r->attachment] == r->attachment)
            status = list_set(&e->arena, &e->attachment[r->attachment], r->low, r->high, r->before);
        count_node(e, r->attachment, r->before, r->high - r->low);
        count_node(e, r->attachment, r->after, r->low - r->high);
    }
    if (status == NO_MEMORY) e->error = status;
    return e->error ? e->error : status;
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Many changes, one after the other; each one's time and count of changed answers. Returns how many were applied. */
int64_t engine_batch(Engine *e, int64_t count, const int32_t *kind, const int32_t *at, const int64_t *low,
                     const int64_t *high, const int32_t *group, int64_t *nanoseconds, int64_t *changed, int32_t *status) {
    int64_t i = 0;
    for (*status = OK; i < count; i++) {
        Applied applied;
        int64_t begin = now();
        *status = engine_apply(e, kind[i], at[i], low[i], high[i], group[i], &applied);
        if (*status) break;
        nanoseconds[i] = now() - begin;
        changed[i] = e->records;
    }
    return i;
}

static int fast_room(Fast **fast, int64_t *room, int64_t wanted) {
    if (wanted <= *room) return OK;
    Fast *more = realloc(*fast, (size_t)wanted * 2 * sizeof *more);
    if (!more) return NO_MEMORY;
    *fast = more;
    *room = wanted * 2;
    return OK;
}

/* A new group of next hops; its number, or a negative error. */
int32_t engine_group(Engine *e, const int32_t *kind, const int32_t *target, int32_t count) {
    if (e->error) return e->error;
    if (fast_room(&e->fast, &e->fast_room, e->groups + 1) || fast_room(&e->hop_fast, &e->hop_room, e->hop_kind.count + count))
        return e->error = NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        int64_t bound = kind[i] == 0 ? e->in.ports : kind[i] == 1 ? e->in.tables : INT32_MAX;
        if (kind[i] < 0 || kind[i] > 3 || (kind[i] < 2 && target[i] < 0) || target[i] >= bound) return BAD_ARGUMENT;
    }
    for (int32_t i = 0; i < count; i++)
        if (ints_push(&e->hop_kind, kind[i]) || ints_push(&e->hop_target, target[i])) return e->error = NO_MEMORY;
    if (ints_push(&e->group_first, (int32_t)e->hop_kind.count)) return e->error = NO_MEMORY;
    group_refresh(e, (int32_t)e->groups);
    if (note_uses(e, (int32_t)e->groups)) return e->error;
    return e->error ? e->error : (int32_t)e->groups++;
}

/* Other arrays of rewritten labels (new boundaries cut them finer); Python keeps them alive. */
int32_t engine_maps(Engine *e, const int64_t *first, const int64_t *start, const int64_t *target) {
    e->in.map_first = first;
    e->in.map_start = start;
    e->in.map_target = target;
    return e->error;
}

/* Count from now on what reaches a zone that `allowed` [zones * zones] does not allow; NULL: count nothing. */
int32_t engine_promise(Engine *e, const uint8_t *allowed) {
    size_t pairs = (size_t)(e->in.zones * e->in.zones) + 1;
    if (!e->wrong) {
        e->allowed = malloc(pairs);
        e->wrong = malloc(pairs * sizeof *e->wrong);
        e->suspect = malloc(pairs * sizeof *e->suspect);
        e->unread = malloc(((size_t)e->in.zones + 1) * sizeof *e->unread);
        if (!e->allowed || !e->wrong || !e->suspect || !e->unread) return e->error = NO_MEMORY;
    }
    memcpy(e->allowed, allowed, pairs - 1);
    count_all(e);
    return e->error;
}
