/* Routes -> segments: longest prefix match once for all labels of a table. */
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
