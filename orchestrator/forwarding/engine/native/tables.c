/* Routes -> segments: longest prefix match once for all labels of a table, and kept up to date route by route.
 *
 * A segment knows the route that owns it, a route the next wider one of its table (`parent`), so the route of an
 * interval is found by climbing from the segment at its first label: every route there is on that way.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

typedef struct Key {
    int64_t low;
    int32_t length, route;
} Key;

static bool before(const Key *one, const Key *two) {
    return one->low < two->low || (one->low == two->low && one->length < two->length);
}

static void merge(Key *key, int64_t left, int64_t n, Key *spare) {
    memcpy(spare, key, (size_t)left * sizeof *key);
    int64_t a = 0, b = left, to = 0;
    while (a < left && b < n) key[to++] = before(&key[b], &spare[a]) ? key[b++] : spare[a++];
    while (a < left) key[to++] = spare[a++];
}

/* Ascending by (low, length): merge sort that leaves sorted stretches alone. */
static void sort(Key *key, int64_t n, Key *spare) {
    if (n <= 16) {
        for (int64_t i = 1; i < n; i++) {
            Key moving = key[i];
            int64_t at = i;
            for (; at && before(&moving, &key[at - 1]); at--) key[at] = key[at - 1];
            key[at] = moving;
        }
        return;
    }
    int64_t left = n / 2;
    sort(key, left, spare);
    sort(key + left, n - left, spare);
    if (before(&key[left], &key[left - 1])) merge(key, left, n, spare);
}

/* Long tables: by digits of eight bits of the low label, those that differ at all; lengths first (they fit one). */
static void sort_digits(Key *key, int64_t n, Key *spare) {
    uint64_t differ = 0;
    for (int64_t i = 1; i < n; i++) differ |= (uint64_t)(key[i].low ^ key[0].low);
    Key *from = key, *to = spare;
    for (int shift = -8; shift < 64; shift += 8) {
        int64_t place[257] = {0};
        if (shift >= 0 && !(differ >> shift & 255)) continue;
        for (int64_t i = 0; i < n; i++) place[1 + (shift < 0 ? from[i].length : (int)(from[i].low >> shift & 255))]++;
        for (int i = 0; i < 256; i++) place[i + 1] += place[i];
        for (int64_t i = 0; i < n; i++)
            to[place[shift < 0 ? from[i].length : (int)(from[i].low >> shift & 255)]++] = from[i];
        Key *other = from;
        from = to;
        to = other;
    }
    if (from != key) memcpy(key, from, (size_t)n * sizeof *key);
}

static void sort_table(Key *key, int64_t n, Key *spare) {
    bool sorted = true;
    for (int64_t i = 1; i < n && sorted; i++) sorted = !before(&key[i], &key[i - 1]);
    if (sorted) return;
    if (n > 1024)
        sort_digits(key, n, spare);
    else
        sort(key, n, spare);
}

typedef struct Building {
    int64_t *start;
    int32_t *owner, *value;
    int64_t count;
} Building;

static void put(Building *b, int64_t start, int32_t owner, int32_t value) {
    if (start >= LABEL_END) return;
    if (b->count && b->start[b->count - 1] == start) b->count--;
    if (b->count && b->owner[b->count - 1] == owner) return;
    b->start[b->count] = start;
    b->owner[b->count] = owner;
    b->value[b->count++] = value;
}

static void close_until(Engine *e, Building *b, int32_t *open, int64_t label) {
    while (*open >= 0 && e->route[*open].high <= label) {
        int64_t end = e->route[*open].high;
        *open = e->route[*open].parent;
        if (*open < 0 || e->route[*open].high > end) put(b, end, *open, *open < 0 ? NOBODY : e->route[*open].group);
    }
}

/* One table's sorted routes -> its segments; routes of equal (low, length) do not occur. */
static int sweep_table(Engine *e, int32_t table, const Key *key, int64_t n, Building *b) {
    int32_t open = NOBODY; /* the route that owns the label at hand; its parents are open too */
    b->count = 0;
    put(b, 0, NOBODY, NOBODY);
    for (int64_t i = 0; i < n; i++) {
        Route *route = &e->route[key[i].route];
        close_until(e, b, &open, route->low);
        route->parent = open;
        open = key[i].route;
        put(b, route->low, open, route->group);
    }
    close_until(e, b, &open, LABEL_END);
    return list_build(&e->arena, &e->table[table], b->start, b->owner, b->value, b->count);
}

static int64_t longest_table(const int64_t *first, int64_t tables) {
    int64_t longest = 0;
    for (int64_t t = 0; t < tables; t++)
        if (first[t + 1] - first[t] > longest) longest = first[t + 1] - first[t];
    return longest;
}

/* Copy the routes in, by table; `key` gets them in that order. */
static int take_routes(Engine *e, int64_t *first, Key *key) {
    int64_t n = e->in.routes;
    for (int64_t i = 0; i < n; i++) first[e->in.route_table[i] + 1]++;
    for (int64_t t = 0; t < e->in.tables; t++) first[t + 1] += first[t];
    for (int64_t i = 0; i < n; i++) {
        int64_t at = first[e->in.route_table[i]]++;
        key[at] = (Key){e->in.route_low[i], e->in.route_length[i], (int32_t)at};
        e->route[at] = (Route){e->in.route_low[i], e->in.route_high[i], e->in.route_group[i], NOBODY, e->in.route_table[i], NOBODY, NOBODY};
    }
    for (int64_t t = e->in.tables; t; t--) first[t] = first[t - 1];
    first[0] = 0;
    return OK;
}

int tables_build(Engine *e) {
    int64_t n = e->in.routes, tables = e->in.tables;
    e->route_room = n + n / 4 + 64;
    e->routes = n;
    e->spare_route = NOBODY;
    e->route = malloc((size_t)e->route_room * sizeof *e->route);
    int64_t *first = calloc((size_t)tables + 1, sizeof *first);
    Key *key = malloc(((size_t)n + 1) * sizeof *key);
    Key *spare = NULL;
    Building b = {NULL, NULL, NULL, 0};
    int answer = NO_MEMORY;
    if (!e->route || !first || !key) goto done;
    take_routes(e, first, key);
    int64_t longest = longest_table(first, tables);
    spare = malloc(((size_t)longest + 1) * sizeof *spare);
    b.start = malloc(((size_t)longest * 2 + 2) * sizeof *b.start);
    b.owner = malloc(((size_t)longest * 2 + 2) * sizeof *b.owner);
    b.value = malloc(((size_t)longest * 2 + 2) * sizeof *b.value);
    if (!spare || !b.start || !b.owner || !b.value) goto done;
    answer = OK;
    for (int64_t t = 0; t < tables && !answer; t++) {
        sort_table(key + first[t], first[t + 1] - first[t], spare);
        answer = sweep_table(e, (int32_t)t, key + first[t], first[t + 1] - first[t], &b);
    }
done:
    free(first);
    free(key);
    free(spare);
    free(b.start);
    free(b.owner);
    free(b.value);
    return answer;
}

/* ---- one route ---- */
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
