/* One value for an interval of a sorted list: mostly one move within a chunk, else by splitting and removing. */
#include "list.h"

#include <string.h>

/* Take the segment at `label` away when it says the same as the one before it. */
static void merge_before(Arena *arena, List *list, int64_t label) {
    if (label <= 0 || label >= LABEL_END) return;
    Cursor at = list_find(list, label), before = list_find(list, label - 1);
    Chunk *one = list_chunk(list, before.chunk), *two = list_chunk(list, at.chunk);
    if (two->start[at.at] != label || chunk_value(one)[before.at] != chunk_value(two)[at.at]) return;
    if (chunk_owner(one)[before.at] == chunk_owner(two)[at.at]) list_remove(arena, list, at);
}

/* A chunk's segments [at, to) become these `count` ones; it has room. */
static void chunk_splice(Chunk *chunk, int32_t at, int32_t to, int32_t count, const int64_t *start, const int32_t *value) {
    size_t behind = (size_t)(chunk->count - to);
    int32_t *owners = chunk_owner(chunk), *values = chunk_value(chunk);
    if (at + count != to) {
        memmove(chunk->start + at + count, chunk->start + to, behind * sizeof(int64_t));
        memmove(owners + at + count, owners + to, behind * sizeof(int32_t));
        memmove(values + at + count, values + to, behind * sizeof(int32_t));
        chunk->count += at + count - to;
    }
    for (int32_t i = 0; i < count; i++) {
        chunk->start[at + i] = start[i];
        owners[at + i] = -1;
        values[at + i] = value[i];
    }
}

/* Set [low, high) of a list without owners where all of it, and what stands beside it, is in one chunk. Returns whether
 * that was so. */
static bool set_within(List *list, int64_t low, int64_t high, int32_t value) {
    Cursor from = list_find(list, low);
    Chunk *chunk = list_chunk(list, from.chunk);
    const int32_t *values = chunk_value(chunk);
    int32_t at = from.at, to = at + 1;
    bool lasts = from.chunk + 1 == list->count; /* nothing comes behind the chunk */
    while (to < chunk->count && chunk->start[to] < high) to++;
    int64_t end = to < chunk->count ? chunk->start[to] : lasts ? LABEL_END : list->first[from.chunk + 1];
    if (end < high || (end == high && to == chunk->count && !lasts)) return false;
    if (!at && from.chunk && chunk->start[0] == low) return false;
    int64_t start[2];
    int32_t fresh[2], count = 0, last = values[to - 1];
    if (chunk->start[at] < low) at++;
    if (!at || values[at - 1] != value) {
        start[0] = low;
        fresh[count++] = value;
    }
    if (end > high && last != value) {
        start[count] = high;
        fresh[count++] = last;
    }
    if (end == high && to < chunk->count && values[to] == value) to++;
    if (chunk->count + at + count - to > chunk->capacity) return false;
    chunk_splice(chunk, at, to, count, start, fresh);
    return true;
}

int list_set(Arena *arena, List *list, int64_t low, int64_t high, int32_t value) {
    if (set_within(list, low, high, value)) return OK;
    if (list_split(arena, list, low) || list_split(arena, list, high)) return NO_MEMORY;
    Cursor at = list_find(list, low);
    chunk_value(list_chunk(list, at.chunk))[at.at] = value;
    for (;;) { /* what else begins inside */
        Cursor next = list_find(list, low);
        if (!list_next(list, &next) || list_chunk(list, next.chunk)->start[next.at] >= high) break;
        list_remove(arena, list, next);
    }
    merge_before(arena, list, high);
    merge_before(arena, list, low);
    return OK;
}
