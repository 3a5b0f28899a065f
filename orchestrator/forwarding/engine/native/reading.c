/* What Python reads of an engine: copied into arrays that it has made large enough, but for the graph's nodes. */
#include "core.h"

#include <string.h>

/* In the order of `Counts` in core.py. */
void engine_counts(const Engine *e, int64_t *counts) {
    const int64_t all[] = {e->nodes.kind.count, e->nodes.children.count, e->groups,    e->class_count, e->interval_count,
                           e->atoms,            e->classes,              e->collisions, e->sweeps,     e->wrong_pairs,
                           e->suspect_pairs,    e->full_work,            e->work,      e->leading_count, e->hubs.reads};
    memcpy(counts, all, sizeof all);
}

/* The columns of nodes as they stand in memory, valid for as long as the engine lives (nodes.c). */
void engine_nodes(Engine *e, const int32_t **column) {
    Ints *of[NODE_COLUMNS] = {&e->nodes.kind, &e->nodes.a, &e->nodes.first, &e->nodes.children};
    for (int i = 0; i < NODE_COLUMNS; i++) column[i] = e->nodes.lent[i] = of[i]->at;
}

/* Zeros as long as nothing is promised. */
void engine_pairs(const Engine *e, int64_t *wrong, int64_t *suspect, int64_t *unread) {
    if (!e->allowed) return;
    size_t pairs = (size_t)(e->in.zones * e->in.zones);
    memcpy(wrong, e->wrong, pairs * sizeof *wrong);
    memcpy(suspect, e->suspect, pairs * sizeof *suspect);
    memcpy(unread, e->unread, (size_t)e->in.zones * sizeof *unread);
}

/* An attachment's answers: starts and nodes of at most `room` stretches; how many there are. */
int64_t engine_segments(const Engine *e, int32_t attachment, int64_t *start, int32_t *node, int64_t room) {
    const List *list = answers_of(e, attachment);
    int64_t count = 0;
    for (int32_t i = 0; i < list->count; i++) {
        Chunk *chunk = list_chunk(list, i);
        for (int32_t k = 0; k < chunk->count; k++, count++) {
            if (count >= room) continue;
            start[count] = chunk->start[k];
            node[count] = chunk_value(chunk)[k];
        }
    }
    return count;
}

int32_t engine_at(const Engine *e, int32_t attachment, int64_t label) {
    const List *list = answers_of(e, attachment);
    Cursor at = list_find(list, label);
    return chunk_value(list_chunk(list, at.chunk))[at.at];
}

/* The group and interval of the route that decides for a label; NOBODY when none does. */
int32_t engine_route(const Engine *e, int32_t table, int64_t label, int64_t *low, int64_t *high) {
    Cursor at = list_find(&e->table[table], label);
    int32_t route = chunk_owner(list_chunk(&e->table[table], at.chunk))[at.at];
    if (route < 0) return NOBODY;
    *low = e->route[route].low;
    *high = e->route[route].high;
    return e->route[route].group;
}

/* All routes, in no order; `table` NULL: only how many. */
int64_t engine_routes(const Engine *e, int32_t *table, int64_t *low, int64_t *high, int32_t *group) {
    int64_t count = 0;
    for (int64_t i = 0; i < e->routes; i++) {
        const Route *route = &e->route[i];
        if (route->table < 0) continue;
        if (table) {
            table[count] = route->table;
            low[count] = route->low;
            high[count] = route->high;
            group[count] = route->group;
        }
        count++;
    }
    return count;
}

void engine_ups(const Engine *e, uint8_t *up) {
    if (e->in.ports) memcpy(up, e->up, (size_t)e->in.ports);
}
