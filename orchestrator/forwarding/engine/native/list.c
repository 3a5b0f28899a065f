/* Sorted lists of segments in chunks of at most 128: a change moves one chunk, not the list. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST 128
#define FILL 96
#define SLAB ((size_t)1 << 20)

static int size_class(int32_t capacity) {
    int class = 0;
    while ((8 << class) < capacity) class++;
    return class;
}

static size_t chunk_bytes(int32_t capacity) { return sizeof(Chunk) + (size_t)capacity * 16; }

static int arena_room(Arena *arena) {
    if (arena->slabs == arena->capacity) {
        size_t room = arena->capacity ? arena->capacity * 2 : 16;
        void **more = realloc(arena->slab, room * sizeof(void *));
        if (!more) return NO_MEMORY;
        arena->slab = more;
        arena->capacity = room;
    }
    char *slab = malloc(SLAB);
    if (!slab) return NO_MEMORY;
    arena->slab[arena->slabs++] = slab;
    arena->next = slab;
    arena->end = slab + SLAB;
    return OK;
}

static Chunk *chunk_new(Arena *arena, int32_t capacity) {
    int class = size_class(capacity);
    capacity = 8 << class;
    Chunk *chunk = arena->spare[class];
    if (chunk) {
        arena->spare[class] = (Chunk *)(uintptr_t)chunk->start[0];
    } else {
        size_t bytes = chunk_bytes(capacity);
        if ((size_t)(arena->end - arena->next) < bytes && arena_room(arena)) return NULL;
        chunk = (Chunk *)arena->next;
        arena->next += bytes;
    }
    chunk->capacity = capacity;
    chunk->count = 0;
    return chunk;
}

static void chunk_drop(Arena *arena, Chunk *chunk) {
    int class = size_class(chunk->capacity);
    chunk->start[0] = (int64_t)(uintptr_t)arena->spare[class];
    arena->spare[class] = chunk;
}

void arena_free(Arena *arena) {
    for (size_t i = 0; i < arena->slabs; i++) free(arena->slab[i]);
    free(arena->slab);
    memset(arena, 0, sizeof *arena);
}

void list_clear(Arena *arena, List *list) {
    for (int32_t i = 0; i < list->count; i++) chunk_drop(arena, list_chunk(list, i));
    list_free(list);
}

void list_free(List *list) {
    free(list->chunk);
    free(list->first);
    memset(list, 0, sizeof *list);
}

static int32_t last_at_or_before(const int64_t *start, int32_t count, int64_t label) {
    int32_t low = 0;
    while (count > 1) { /* branch-free halving: start[low] <= label holds, the answer is within count */
        int32_t half = count >> 1;
        low = start[low + half] <= label ? low + half : low;
        count -= half;
    }
    return low;
}

/* Have the lines of a chunk that a search looks at come at once: lists of full tables are in no cache, and each of these
 * would be waited for by itself. */
static inline void come(const Chunk *chunk) {
    for (int32_t i = 0; i < FILL; i += 8) __builtin_prefetch(chunk->start + i);
}

Cursor list_find(const List *list, int64_t label) {
    Cursor at = {0, 0};
    if (list->chunk) at.chunk = last_at_or_before(list->first, list->count, label);
    const Chunk *chunk = list_chunk(list, at.chunk);
    if (list->chunk) come(chunk);
    at.at = last_at_or_before(chunk->start, chunk->count, label);
    return at;
}

Cursor list_near(const List *list, Cursor at, int64_t label) {
    if (at.chunk >= list->count) return list_find(list, label);
    const Chunk *chunk = list_chunk(list, at.chunk);
    if (at.at >= chunk->count || chunk->start[at.at] > label) return list_find(list, label);
    for (int tries = 0; tries < 3; tries++) {
        Cursor next = at;
        if (!list_next(list, &next) || list_chunk(list, next.chunk)->start[next.at] > label) return at;
        at = next;
    }
    if (at.chunk + 1 < list->count && list->first[at.chunk + 1] <= label) return list_find(list, label);
    chunk = list_chunk(list, at.chunk);
    at.at += last_at_or_before(chunk->start + at.at, chunk->count - at.at, label);
    return at;
}

static void chunk_copy(Chunk *to, int32_t at, Chunk *from, int32_t begin, int32_t count) {
    size_t n = (size_t)count;
    memcpy(to->start + at, from->start + begin, n * sizeof(int64_t));
    memcpy(chunk_owner(to) + at, chunk_owner(from) + begin, n * sizeof(int32_t));
    memcpy(chunk_value(to) + at, chunk_value(from) + begin, n * sizeof(int32_t));
}

static int directory_room(List *list, int32_t count) {
    if (list->chunk && list->capacity >= count) return OK;
    int32_t room = count + count / 2 + 4;
    Chunk **chunk = realloc(list->chunk, (size_t)room * sizeof *chunk);
    if (!chunk) return NO_MEMORY;
    if (!list->chunk) chunk[0] = list->only;
    list->chunk = chunk;
    int64_t *first = realloc(list->first, (size_t)room * sizeof *first);
    if (!first) return NO_MEMORY;
    if (!list->first && chunk[0]) first[0] = chunk[0]->start[0];
    list->first = first;
    list->capacity = room;
    return OK;
}

int list_build(Arena *arena, List *list, const int64_t *start, const int32_t *owner, const int32_t *value, int64_t n) {
    int32_t chunks = (int32_t)((n + FILL - 1) / FILL);
    memset(list, 0, sizeof *list);
    if (chunks > 1 && directory_room(list, chunks)) return NO_MEMORY;
    list->count = chunks;
    for (int32_t i = 0; i < chunks; i++) {
        int64_t from = (int64_t)i * FILL;
        int32_t count = (int32_t)(n - from < FILL ? n - from : FILL);
        Chunk *chunk = chunk_new(arena, chunks > 1 ? LARGEST : count + 2);
        if (!chunk) return NO_MEMORY;
        chunk->count = count;
        memcpy(chunk->start, start + from, (size_t)count * sizeof(int64_t));
        memcpy(chunk_owner(chunk), owner + from, (size_t)count * sizeof(int32_t));
        memcpy(chunk_value(chunk), value + from, (size_t)count * sizeof(int32_t));
        if (chunks > 1) {
            list->chunk[i] = chunk;
            list->first[i] = chunk->start[0];
        } else {
            list->only = chunk;
        }
    }
    return OK;
}

static void set_chunk(List *list, int32_t i, Chunk *chunk) {
    if (list->chunk)
        list->chunk[i] = chunk;
    else
        list->only = chunk;
}

/* The chunk that takes what comes behind all others: as full as those of `list_build` at most. */
static Chunk *last_chunk(Arena *arena, List *list) {
    Chunk *chunk = list->count ? list_chunk(list, list->count - 1) : NULL;
    if (chunk && chunk->count < FILL && chunk->count < chunk->capacity) return chunk;
    Chunk *next = chunk_new(arena, !chunk ? 1 : chunk->count < FILL ? chunk->capacity * 2 : LARGEST);
    if (!next) return NULL;
    if (chunk && chunk->count < FILL) {
        chunk_copy(next, 0, chunk, 0, chunk->count);
        next->count = chunk->count;
        set_chunk(list, list->count - 1, next);
        chunk_drop(arena, chunk);
        return next;
    }
    if (chunk && directory_room(list, list->count + 1)) return NULL;
    set_chunk(list, list->count++, next);
    return next;
}

int list_append(Arena *arena, List *list, int64_t start, int32_t owner, int32_t value) {
    Chunk *chunk = last_chunk(arena, list);
    if (!chunk) return NO_MEMORY;
    if (list->chunk && !chunk->count) list->first[list->count - 1] = start;
    chunk->start[chunk->count] = start;
    chunk_owner(chunk)[chunk->count] = owner;
    chunk_value(chunk)[chunk->count++] = value;
    return OK;
}

/* Make room for one more in chunk i: a wider chunk, or two halves. */
static int chunk_room(Arena *arena, List *list, int32_t i) {
    Chunk *chunk = list_chunk(list, i);
    if (chunk->count < chunk->capacity) return OK;
    if (chunk->capacity < LARGEST) {
        Chunk *wider = chunk_new(arena, chunk->capacity * 2);
        if (!wider) return NO_MEMORY;
        chunk_copy(wider, 0, chunk, 0, chunk->count);
        wider->count = chunk->count;
        set_chunk(list, i, wider);
        chunk_drop(arena, chunk);
        return OK;
    }
    Chunk *second = chunk_new(arena, LARGEST);
    if (!second || directory_room(list, list->count + 1)) return NO_MEMORY;
    int32_t half = chunk->count / 2;
    chunk_copy(second, 0, chunk, half, chunk->count - half);
    second->count = chunk->count - half;
    chunk->count = half;
    size_t behind = (size_t)(list->count - i - 1);
    memmove(list->chunk + i + 2, list->chunk + i + 1, behind * sizeof *list->chunk);
    memmove(list->first + i + 2, list->first + i + 1, behind * sizeof *list->first);
    list->chunk[i + 1] = second;
    list->first[i + 1] = second->start[0];
    list->count++;
    return OK;
}

int list_insert(Arena *arena, List *list, Cursor after, int64_t start, int32_t owner, int32_t value) {
    Chunk *chunk = list_chunk(list, after.chunk);
    if (chunk->count == chunk->capacity) {
        if (chunk_room(arena, list, after.chunk)) return NO_MEMORY;
        chunk = list_chunk(list, after.chunk);
        if (after.at >= chunk->count) { /* it was split, and this is the second half */
            after.at -= chunk->count;
            chunk = list_chunk(list, ++after.chunk);
        }
    }
    int32_t at = after.at + 1;
    size_t behind = (size_t)(chunk->count - at);
    int32_t *owners = chunk_owner(chunk), *values = chunk_value(chunk);
    memmove(chunk->start + at + 1, chunk->start + at, behind * sizeof(int64_t));
    memmove(owners + at + 1, owners + at, behind * sizeof(int32_t));
    memmove(values + at + 1, values + at, behind * sizeof(int32_t));
    chunk->start[at] = start;
    owners[at] = owner;
    values[at] = value;
    chunk->count++;
    return OK;
}

int list_split(Arena *arena, List *list, int64_t label) {
    if (label >= LABEL_END) return OK;
    Cursor at = list_find(list, label);
    Chunk *chunk = list_chunk(list, at.chunk);
    if (chunk->start[at.at] == label) return OK;
    return list_insert(arena, list, at, label, chunk_owner(chunk)[at.at], chunk_value(chunk)[at.at]);
}

void list_remove(Arena *arena, List *list, Cursor at) {
    Chunk *chunk = list_chunk(list, at.chunk);
    size_t behind = (size_t)(chunk->count - at.at - 1);
    int32_t *owners = chunk_owner(chunk) + at.at, *values = chunk_value(chunk) + at.at;
    memmove(chunk->start + at.at, chunk->start + at.at + 1, behind * sizeof(int64_t));
    memmove(owners, owners + 1, behind * sizeof(int32_t));
    memmove(values, values + 1, behind * sizeof(int32_t));
    chunk->count--;
    if (chunk->count) {
        if (!at.at && list->chunk) list->first[at.chunk] = chunk->start[0];
        return;
    }
    if (list->count == 1) return; /* a list is never empty: the caller removes no first segment */
    chunk_drop(arena, chunk);
    behind = (size_t)(list->count - at.chunk - 1);
    memmove(list->chunk + at.chunk, list->chunk + at.chunk + 1, behind * sizeof *list->chunk);
    memmove(list->first + at.chunk, list->first + at.chunk + 1, behind * sizeof *list->first);
    list->count--;
}
