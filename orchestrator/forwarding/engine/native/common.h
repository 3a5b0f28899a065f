/* Small things that the native sources about filters share. */
#ifndef ONEFOLD_COMMON_H
#define ONEFOLD_COMMON_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Room for `need` items of `size` bytes behind the pointer at `pointer`; 0: no memory, and nothing is lost. */
static inline int grow(void *pointer, int64_t *room, int64_t need, size_t size)
{
    if (need <= *room)
        return 1;
    int64_t next = *room < 32 ? 32 : *room;
    while (next < need)
        next += next / 2;
    void *old;
    memcpy(&old, pointer, sizeof old);
    void *moved = realloc(old, (size_t)next * size);
    if (!moved)
        return 0;
    memcpy(pointer, &moved, sizeof moved);
    *room = next;
    return 1;
}

static inline uint64_t digest(const uint64_t *words, int64_t count)
{
    uint64_t value = 0x9E3779B97F4A7C15u;
    for (int64_t i = 0; i < count; i++) {
        value = (value ^ words[i]) * 0xD6E8FEB86659FD93u;
        value ^= value >> 32;
    }
    return value ^ value >> 29;
}

static inline void free_all(void *const *pointers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(pointers[i]);
}

#endif
