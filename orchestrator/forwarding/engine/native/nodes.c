/* The graph of outcomes: equal nodes are one node. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024
#define LINE 16 /* slots of the hash table side by side: one line of the cache */

int ints_room(Ints *ints, int64_t more) {
    if (ints->count + more <= ints->capacity) return OK;
    int64_t room = ints->capacity * 2 > ints->count + more ? ints->capacity * 2 : ints->count + more + 16;
    int32_t *at = realloc(ints->at, (size_t)room * sizeof *at);
    if (!at) return NO_MEMORY;
    ints->at = at;
    ints->capacity = room;
    return OK;
}

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

typedef struct Shape {
    int32_t kind, a, count;
    const int32_t *children;
} Shape;

static uint64_t hash_of(const Shape *shape) {
    uint64_t hash = mix(((uint64_t)(uint32_t)shape->kind << 32) | (uint32_t)shape->a);
    for (int32_t i = 0; i < shape->count; i++) hash = mix(hash + 0x9e3779b97f4a7c15u + (uint32_t)shape->children[i]);
    return hash;
}

static bool same(const Nodes *n, int32_t node, const Shape *shape) {
    int32_t first = n->first.at[node];
    if (n->a.at[node] != shape->a || n->kind.at[node] != shape->kind) return false;
    if (n->first.at[node + 1] - first != shape->count) return false;
    return !shape->count || !memcmp(n->children.at + first, shape->children, (size_t)shape->count * sizeof(int32_t));
}

/* Where the line of a slot holds a node of this shape, or a free slot, from that slot on and round; NOBODY: neither. */
static inline int64_t in_line(const Nodes *n, uint64_t from, const Shape *shape, bool fresh) {
    uint64_t line = from & ~(uint64_t)(LINE - 1);
    for (uint64_t i = 0; i < LINE; i++) {
        int64_t slot = (int64_t)(line | ((from + i) & (LINE - 1)));
        if (!n->table[slot] || (!fresh && same(n, n->table[slot] - 1, shape))) return slot;
    }
    return NOBODY;
}

/* Where a node of this shape stands in the table, or the free slot for it. A node is made soon after its children, so
 * it is looked for first at the number of its first child: what is compared there is in the cache already. From a full
 * line on the hash says where. Nothing is ever taken out, so a free slot ends the search. `fresh`: it is not there. */
static inline int64_t slot_of(const Nodes *n, const Shape *shape, bool fresh) {
    uint64_t last = (uint64_t)n->slots - 1;
    int64_t slot = shape->count ? in_line(n, (uint64_t)shape->children[0] * 2 & last, shape, fresh) : NOBODY;
    for (uint64_t at = slot < 0 ? hash_of(shape) : 0; slot < 0; at += LINE) slot = in_line(n, at & last, shape, fresh);
    return slot;
}

static int nodes_rehash(Nodes *n, int64_t slots) {
    int32_t *table = calloc((size_t)slots, sizeof *table);
    if (!table) return NO_MEMORY;
    free(n->table);
    n->table = table;
    n->slots = slots;
    for (int32_t node = 0; node < n->kind.count; node++) {
        int32_t first = n->first.at[node];
        Shape shape = {n->kind.at[node], n->a.at[node], n->first.at[node + 1] - first, n->children.at + first};
        n->table[slot_of(n, &shape, true)] = node + 1;
    }
    return OK;
}

static bool unread(const Engine *e, int32_t kind, int32_t a) {
    return (kind == FILTER || kind == BRANCH_FILTER) && e->in.variant_unread[a];
}

static int by_number(const void *one, const void *two) {
    int32_t a = *(const int32_t *)one, b = *(const int32_t *)two;
    return (a > b) - (a < b);
}

/* Children's zones, each once, ascending, behind `begin` in n->known. */
static void unite_zones(Nodes *n, int64_t begin) {
    int32_t *zone = n->known.at;
    qsort(zone + begin, (size_t)(n->known.count - begin), sizeof *zone, by_number);
    int64_t kept = begin + 1;
    for (int64_t i = begin + 1; i < n->known.count; i++)
        if (zone[i] != zone[kept - 1]) zone[kept++] = zone[i];
    n->known.count = kept;
}

static int32_t flags_of(const Engine *e, const Nodes *n, const Shape *shape) {
    bool asks = shape->kind == FILTER || shape->kind == BRANCH_FILTER || shape->kind == BRANCH_RULE || shape->kind == REWRITE;
    int32_t flags = shape->kind == UNKNOWN ? CONDITIONAL | MAYBE_UNREAD : asks ? CONDITIONAL : 0;
    if (unread(e, shape->kind, shape->a)) flags |= MAYBE_UNREAD;
    for (int32_t i = 0; i < shape->count; i++) flags |= ends_of(n, shape->children[i]).flags;
    return flags;
}

/* Where the ends of a new node stand; NO_MEMORY. Most nodes say of one child no more than was said before. */
static int32_t ends_add(const Engine *e, Nodes *n, const Shape *shape) {
    int32_t flags = flags_of(e, n, shape), at = (int32_t)n->known.count;
    if (shape->count == 1 && ends_of(n, shape->children[0]).flags == flags) return n->ends.at[shape->children[0]];
    if (ints_push(&n->known, flags) || ints_push(&n->known, 0)) return NO_MEMORY;
    if (shape->kind == DELIVER && ints_push(&n->known, shape->a)) return NO_MEMORY;
    for (int32_t i = 0; i < shape->count; i++) {
        int32_t more = ends_of(n, shape->children[i]).count;
        if (ints_room(&n->known, more)) return NO_MEMORY;
        memcpy(n->known.at + n->known.count, ends_of(n, shape->children[i]).zone, (size_t)more * sizeof(int32_t));
        n->known.count += more;
    }
    if (n->known.count > at + ENDS_ZONES) unite_zones(n, at + ENDS_ZONES);
    n->known.at[at + ENDS_COUNT] = (int32_t)n->known.count - at - ENDS_ZONES;
    return at;
}

/* Room in one of the four columns that Python may be reading: what it reads never moves, and rows never change. */
static int node_room(Nodes *n, int column, Ints *ints, int64_t more) {
    if (ints->count + more <= ints->capacity || n->lent[column] != ints->at || !ints->at) return ints_room(ints, more);
    Ints wider = {NULL, 0, 0};
    if (n->kept_count == n->kept_room) {
        void **kept = realloc(n->kept, (size_t)(n->kept_room * 2 + 16) * sizeof *kept);
        if (!kept) return NO_MEMORY;
        n->kept = kept;
        n->kept_room = n->kept_room * 2 + 16;
    }
    if (ints_room(&wider, ints->count * 2 + more)) return NO_MEMORY;
    memcpy(wider.at, ints->at, (size_t)ints->count * sizeof *ints->at);
    wider.count = ints->count;
    n->kept[n->kept_count++] = ints->at;
    *ints = wider;
    return OK;
}

static int rooms(Nodes *n, int64_t nodes, int64_t children) {
    Ints *column[NODE_COLUMNS] = {&n->kind, &n->a, &n->first, &n->children};
    for (int i = 0; i < NODE_COLUMNS; i++)
        if (node_room(n, i, column[i], i < NODE_COLUMNS - 1 ? nodes : children)) return NO_MEMORY;
    return ints_room(&n->ends, nodes);
}

static inline bool full(const Ints *ints, int64_t more) { return ints->count + more > ints->capacity; }

static int32_t node_add(Engine *e, int64_t slot, const Shape *shape) {
    Nodes *n = &e->nodes;
    int32_t node = (int32_t)n->kind.count, ends = NO_MEMORY;
    bool more = full(&n->kind, 1) || full(&n->a, 1) || full(&n->first, 1) || full(&n->children, shape->count) || full(&n->ends, 1);
    if ((more && rooms(n, 1, shape->count)) || (ends = ends_add(e, n, shape)) < 0) goto memory;
    for (int32_t i = 0; i < shape->count; i++) n->children.at[n->children.count++] = shape->children[i];
    n->kind.at[n->kind.count++] = shape->kind;
    n->a.at[n->a.count++] = shape->a;
    n->first.at[n->first.count++] = (int32_t)n->children.count;
    n->ends.at[n->ends.count++] = ends;
    n->table[slot] = node + 1;
    if (n->kind.count * 2 > n->slots && nodes_rehash(n, n->slots * 2)) goto memory;
    return node;
memory:
    e->error = NO_MEMORY;
    return DROP;
}

int nodes_expect(Engine *e, int64_t more) {
    Nodes *n = &e->nodes;
    int64_t slots = n->slots;
    while (slots < (n->kind.count + more) * 2) slots *= 2;
    if (rooms(n, more, more) || (slots > n->slots && nodes_rehash(n, slots))) return e->error = NO_MEMORY;
    return OK;
}

static int32_t node_of(Engine *e, int32_t kind, int32_t a, const int32_t *children, int32_t count) {
    Shape shape = {kind, a, count, children};
    int64_t slot = slot_of(&e->nodes, &shape, false);
    return e->nodes.table[slot] ? e->nodes.table[slot] - 1 : node_add(e, slot, &shape);
}

/* The node of this shape; what says no more than DROP is DROP. Children must be nodes; EITHER's are ascending. */
int32_t node_make(Engine *e, int32_t kind, int32_t a, const int32_t *children, int32_t count) {
    Nodes *n = &e->nodes;
    if (e->error) return DROP;
    if ((kind == FILTER || kind == REWRITE) && children[0] == DROP && !unread(e, kind, a)) return DROP;
    if (kind == REWRITE && children[0] == LOOP) return LOOP;
    bool branch = kind == BRANCH_FILTER || kind == BRANCH_RULE;
    if (branch && children[0] == children[1] && !unread(e, kind, a)) return children[0];
    if (!count || count > 2) return node_of(e, kind, a, children, count);
    uint32_t one = (uint32_t)children[0], two = (uint32_t)(count > 1 ? children[1] : NOBODY);
    uint32_t mixed = (one * 0x9e3779b1u ^ two * 0x85ebca77u) + (uint32_t)a * 0xc2b2ae3du + (uint32_t)kind * 0x27d4eb2fu;
    Made *made = &n->made[(mixed >> 16 ^ mixed) % MADE];
    if (made->node && made->kind == kind && made->a == a && made->one == (int32_t)one && made->two == (int32_t)two)
        return made->node;
    int32_t node = node_of(e, kind, a, children, count);
    *made = (Made){kind, a, (int32_t)one, (int32_t)two, node};
    return node;
}

int nodes_start(Engine *e) {
    Nodes *n = &e->nodes;
    if (nodes_rehash(n, FIRST_SLOTS) || ints_push(&n->first, 0)) return e->error = NO_MEMORY;
    node_make(e, DROP, 0, NULL, 0);
    node_make(e, LOOP, 0, NULL, 0);
    return e->error;
}

void nodes_free(Nodes *n) {
    free(n->kind.at);
    free(n->a.at);
    free(n->first.at);
    free(n->children.at);
    free(n->ends.at);
    free(n->known.at);
    free(n->table);
    for (int64_t i = 0; i < n->kept_count; i++) free(n->kept[i]);
    free(n->kept);
}
