/* Segments of a table kept up to date, route by route.
 *
 * A segment knows the route that owns it, a route the next wider one of its table (`parent`), so the route of an
 * interval is found by climbing from the segment at its first label: every route there is on that way.
 */
#include "core.h"

#include <stdlib.h>

int edit_push(Engine *e, int64_t low, int64_t high, int32_t old, int32_t new) {
    if (old == new) return OK;
    Edit *last = e->edits ? &e->edit[e->edits - 1] : NULL;
    if (last && last->high == low && last->before == old && last->after == new) {
        last->high = high;
        return OK;
    }
    if (e->edits == e->edit_room) {
        int64_t room = e->edit_room * 2 + 64;
        Edit *more = realloc(e->edit, (size_t)room * sizeof *more);
        if (!more) return e->error = NO_MEMORY;
        e->edit = more;
        e->edit_room = room;
    }
    e->edit[e->edits++] = (Edit){low, high, old, new};
    return OK;
}

static int32_t owner_at(const Engine *e, int32_t table, int64_t label) {
    Cursor at = list_find(&e->table[table], label);
    return chunk_owner(list_chunk(&e->table[table], at.chunk))[at.at];
}

int32_t table_route(const Engine *e, int32_t table, int64_t low, int64_t high) {
    int32_t route = owner_at(e, table, low);
    while (route >= 0 && (e->route[route].low > low || e->route[route].high < high)) route = e->route[route].parent;
    bool same = route >= 0 && e->route[route].low == low && e->route[route].high == high;
    return same ? route : NOBODY;
}

static int32_t route_new(Engine *e, Route route) {
    int32_t at = e->spare_route;
    if (at >= 0) {
        e->spare_route = e->route[at].parent;
    } else {
        if (e->routes == e->route_room) {
            int64_t room = e->route_room * 2;
            Route *more = realloc(e->route, (size_t)room * sizeof *more);
            if (!more) return NOBODY;
            e->route = more;
            e->route_room = room;
        }
        at = (int32_t)e->routes++;
    }
    e->route[at] = route;
    return at;
}

/* Routes directly below `from` inside its interval get another parent; the segment's own route is `route`. */
static void adopt(Engine *e, int32_t route, int32_t from, int32_t to) {
    while (e->route[route].parent != from && e->route[route].parent != to) route = e->route[route].parent;
    e->route[route].parent = to;
}

/* Segments of [low, high) that `from` owns go to `to`; routes that were directly below `from` come below `to`. */
static int hand_over(Engine *e, int32_t table, int64_t low, int64_t high, int32_t from, int32_t to) {
    List *list = &e->table[table];
    int32_t old = from < 0 ? NOBODY : e->route[from].group, new = to < 0 ? NOBODY : e->route[to].group;
    Cursor at = list_find(list, low);
    do {
        Chunk *chunk = list_chunk(list, at.chunk);
        if (chunk->start[at.at] >= high) break;
        int32_t *owner = &chunk_owner(chunk)[at.at];
        if (*owner == from) {
            *owner = to;
            chunk_value(chunk)[at.at] = new;
            if (edit_push(e, chunk->start[at.at], list_end(list, at), old, new)) return e->error;
        } else {
            adopt(e, *owner, from, to);
        }
    } while (list_next(list, &at));
    return OK;
}

int table_add(Engine *e, int32_t table, int64_t low, int64_t high, int32_t group) {
    int32_t parent = owner_at(e, table, low);
    while (parent >= 0 && (e->route[parent].low > low || e->route[parent].high < high)) parent = e->route[parent].parent;
    if (parent >= 0 && e->route[parent].low == low && e->route[parent].high == high) return EXISTS;
    int32_t route = route_new(e, (Route){low, high, group, parent, table, NOBODY, NOBODY});
    List *list = &e->table[table];
    if (route >= 0) route_link(e, route);
    if (route < 0 || list_split(&e->arena, list, low) || list_split(&e->arena, list, high)) return e->error = NO_MEMORY;
    return hand_over(e, table, low, high, parent, route);
}

/* The segment at `label` goes when it belongs to the route of the one before. */
static void join(Engine *e, int32_t table, int64_t label) {
    List *list = &e->table[table];
    if (label <= 0 || label >= LABEL_END) return;
    Cursor before = list_find(list, label - 1), at = list_find(list, label);
    Chunk *one = list_chunk(list, before.chunk), *two = list_chunk(list, at.chunk);
    if (two->start[at.at] == label && chunk_owner(one)[before.at] == chunk_owner(two)[at.at])
        list_remove(&e->arena, list, at);
}

int table_remove(Engine *e, int32_t table, int64_t low, int64_t high, int32_t *group) {
    int32_t route = table_route(e, table, low, high);
    if (route < 0) return MISSING;
    *group = e->route[route].group;
    if (hand_over(e, table, low, high, route, e->route[route].parent)) return e->error;
    join(e, table, high);
    join(e, table, low);
    route_unlink(e, route);
    e->route[route] = (Route){0, -1, NOBODY, e->spare_route, NOBODY, NOBODY, NOBODY};
    e->spare_route = route;
    return OK;
}

int table_replace(Engine *e, int32_t table, int64_t low, int64_t high, int32_t group, int32_t *before) {
    int32_t route = table_route(e, table, low, high);
    if (route < 0) return MISSING;
    *before = e->route[route].group;
    route_unlink(e, route);
    e->route[route].group = group;
    route_link(e, route);
    List *list = &e->table[table];
    Cursor at = list_find(list, low);
    do {
        Chunk *chunk = list_chunk(list, at.chunk);
        if (chunk->start[at.at] >= high) break;
        if (chunk_owner(chunk)[at.at] != route) continue;
        chunk_value(chunk)[at.at] = group;
        if (edit_push(e, chunk->start[at.at], list_end(list, at), *before, group)) return e->error;
    } while (list_next(list, &at));
    return OK;
}

/* Every stretch whose group is marked is an edit: what the group does has changed. */
int table_touch(Engine *e, int32_t table, const uint8_t *marked) {
    const List *list = &e->table[table];
    Cursor at = {0, 0};
    do {
        Chunk *chunk = list_chunk(list, at.chunk);
        int32_t group = chunk_value(chunk)[at.at];
        if (group < 0 || !marked[group]) continue;
        int64_t low = chunk->start[at.at], high = list_end(list, at);
        if (e->edits && e->edit[e->edits - 1].high == low)
            e->edit[e->edits - 1].high = high;
        else if (edit_push(e, low, high, NOBODY, group))
            return e->error;
    } while (list_next(list, &at));
    return OK;
}
