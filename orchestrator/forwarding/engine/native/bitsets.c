/* Distinct sets of services by number; threads may add at the same time. */
#include "common.h"
#include "filters.h"

#include <pthread.h>

struct bitsets {
    int64_t width, count, room, buckets;
    uint64_t *words;
    int32_t *table;
    pthread_mutex_t lock;
};

bitsets *bitsets_new(int64_t width, const uint64_t *everything)
{
    bitsets *sets = calloc(1, sizeof *sets);
    if (!sets)
        return NULL;
    sets->width = width;
    sets->buckets = 1024;
    sets->table = malloc(sizeof *sets->table * (size_t)sets->buckets);
    uint64_t *nothing = calloc((size_t)width, sizeof *nothing);
    if (!sets->table || !nothing || pthread_mutex_init(&sets->lock, NULL)) {
        free(sets->table);
        free(nothing);
        free(sets);
        return NULL;
    }
    for (int64_t i = 0; i < sets->buckets; i++)
        sets->table[i] = -1;
    if (bitsets_intern(sets, nothing) != 0 || bitsets_intern(sets, everything) < 0) {
        bitsets_free(sets);
        sets = NULL;
    }
    free(nothing);
    return sets;
}

void bitsets_free(bitsets *sets)
{
    if (!sets)
        return;
    pthread_mutex_destroy(&sets->lock);
    free(sets->words);
    free(sets->table);
    free(sets);
}

int64_t bitsets_count(const bitsets *sets) { return sets->count; }
const uint64_t *bitsets_words(const bitsets *sets) { return sets->words; }

static int rehash(bitsets *sets)
{
    int64_t buckets = sets->buckets * 2;
    int32_t *table = malloc(sizeof *table * (size_t)buckets);
    if (!table)
        return 0;
    for (int64_t i = 0; i < buckets; i++)
        table[i] = -1;
    for (int64_t id = 0; id < sets->count; id++) {
        uint64_t place = digest(sets->words + id * sets->width, sets->width) & (uint64_t)(buckets - 1);
        while (table[place] >= 0)
            place = (place + 1) & (uint64_t)(buckets - 1);
        table[place] = (int32_t)id;
    }
    free(sets->table);
    sets->table = table;
    sets->buckets = buckets;
    return 1;
}

static int32_t intern_locked(bitsets *sets, const uint64_t *words)
{
    size_t size = sizeof(uint64_t) * (size_t)sets->width;
    uint64_t place = digest(words, sets->width) & (uint64_t)(sets->buckets - 1);
    while (sets->table[place] >= 0) {
        if (!memcmp(sets->words + (int64_t)sets->table[place] * sets->width, words, size))
            return sets->table[place];
        place = (place + 1) & (uint64_t)(sets->buckets - 1);
    }
    if (sets->count >= INT32_MAX || !grow(&sets->words, &sets->room, sets->count + 1, size))
        return -1;
    memcpy(sets->words + sets->count * sets->width, words, size);
    sets->table[place] = (int32_t)sets->count++;
    int32_t id = (int32_t)(sets->count - 1);
    if (sets->count * 2 > sets->buckets && !rehash(sets))
        return -1;
    return id;
}

int32_t bitsets_intern(bitsets *sets, const uint64_t *words)
{
    pthread_mutex_lock(&sets->lock);
    int32_t id = intern_locked(sets, words);
    pthread_mutex_unlock(&sets->lock);
    return id;
}

uint64_t bitsets_word(bitsets *sets, int32_t id)
{
    pthread_mutex_lock(&sets->lock);
    uint64_t word = sets->words[(int64_t)id * sets->width];
    pthread_mutex_unlock(&sets->lock);
    return word;
}
