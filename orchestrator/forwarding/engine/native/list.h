/* Sorted lists of segments in chunks, and arrays that grow; what functions of the engine answer. See list.c and list_set.c. */
#ifndef ONEFOLD_LIST_H
#define ONEFOLD_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Labels: IPv4 addresses, a hole that no packet has, IPv6 (labels.py). */
#define V4_END ((int64_t)1 << 32)
#define V6_FIRST ((int64_t)1 << 33)
#define LABEL_END ((int64_t)1 << 62)

enum { SWEPT = 2, OK = 0, NO_MEMORY = -1, EXISTS = -2, MISSING = -3, TOO_MANY_WAYS = -4, TOO_DEEP = -5, BAD_ARGUMENT = -6 };

/* ---- lists ---- */
typedef struct Chunk {
    int32_t count, capacity;
    int64_t start[]; /* capacity starts, then capacity owners, then capacity values */
} Chunk;

static inline int32_t *chunk_owner(Chunk *c) { return (int32_t *)(c->start + c->capacity); }
static inline int32_t *chunk_value(Chunk *c) { return chunk_owner(c) + c->capacity; }

typedef struct List {
    Chunk *only;    /* while there is one chunk */
    Chunk **chunk;  /* more than one */
    int64_t *first; /* first start of each */
    int32_t count, capacity;
} List;

typedef struct Cursor {
    int32_t chunk, at;
} Cursor;

typedef struct Arena {
    void **slab;
    size_t slabs, capacity;
    char *next, *end;
    Chunk *spare[5]; /* by capacity 8, 16, 32, 64, 128; linked by start[0] */
} Arena;

static inline Chunk *list_chunk(const List *list, int32_t i) { return list->chunk ? list->chunk[i] : list->only; }

static inline bool list_next(const List *list, Cursor *at) {
    if (++at->at < list_chunk(list, at->chunk)->count) return true;
    at->at = 0;
    return ++at->chunk < list->count;
}

static inline int64_t list_end(const List *list, Cursor at) { /* where the segment ends */
    return list_next(list, &at) ? list_chunk(list, at.chunk)->start[at.at] : LABEL_END;
}

Cursor list_find(const List *list, int64_t label); /* the last segment that begins at or before label */
Cursor list_near(const List *list, Cursor at, int64_t label); /* the same, looked for from a cursor on that may not hold */
int list_append(Arena *arena, List *list, int64_t start, int32_t owner, int32_t value); /* behind all others */
int list_build(Arena *arena, List *list, const int64_t *start, const int32_t *owner, const int32_t *value, int64_t n);
int list_split(Arena *arena, List *list, int64_t label); /* a segment begins at label */
int list_insert(Arena *arena, List *list, Cursor after, int64_t start, int32_t owner, int32_t value);
void list_remove(Arena *arena, List *list, Cursor at);
int list_set(Arena *arena, List *list, int64_t low, int64_t high, int32_t value); /* merges with equal neighbours */
void list_clear(Arena *arena, List *list); /* gives its chunks back */
void list_free(List *list);
void arena_free(Arena *arena);

/* ---- growing arrays ---- */
typedef struct Ints {
    int32_t *at;
    int64_t count, capacity;
} Ints;
int ints_room(Ints *ints, int64_t more);

static inline int ints_push(Ints *ints, int32_t value) {
    if (ints->count == ints->capacity && ints_room(ints, 1)) return NO_MEMORY;
    ints->at[ints->count++] = value;
    return OK;
}

#endif
