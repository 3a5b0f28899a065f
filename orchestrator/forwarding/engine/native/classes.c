/* Destinations by what becomes of them: labels with equal answers at every attachment are one class. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define V4_END ((int64_t)1 << 32)
#define V6_FIRST ((int64_t)1 << 33)

typedef struct Change {
    int64_t start;
    int32_t attachment, node;
} Change;

typedef struct Table {
    int32_t *slot; /* class + 1 */
    int64_t slots;
    uint64_t *hash; /* of classes */
    Ints rows, class_of;
    int64_t classes, room;
} Table;

static int by_start(const void *one, const void *two) {
    int64_t a = ((const Change *)one)->start, b = ((const Change *)two)->start;
    return (a > b) - (a < b);
}

static uint64_t sign(int64_t attachment, int32_t node) {
    uint64_t x = (uint64_t)attachment << 32 | (uint32_t)node;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static Change *gather(const Engine *e, int64_t *count) {
    int64_t n = 2;
    for (int32_t a = 0; a < e->in.attachments; a++)
        for (int32_t i = 0; i < answers_of(e, a)->count; i++) n += list_chunk(answers_of(e, a), i)->count;
    Change *change = malloc((size_t)n * sizeof *change);
    if (!change) return NULL;
    *count = 0;
    change[(*count)++] = (Change){V4_END, NOBODY, DROP};
    change[(*count)++] = (Change){V6_FIRST, NOBODY, DROP};
    for (int32_t a = 0; a < e->in.attachments; a++)
        for (int32_t i = 0; i < answers_of(e, a)->count; i++) {
            Chunk *chunk = list_chunk(answers_of(e, a), i);
            for (int32_t k = 0; k < chunk->count; k++)
                change[(*count)++] = (Change){chunk->start[k], a, chunk_value(chunk)[k]};
        }
    qsort(change, (size_t)*count, sizeof *change, by_start);
    return change;
}

static int grow(Table *t) {
    int64_t slots = t->slots ? t->slots * 2 : 1024;
    int32_t *slot = calloc((size_t)slots, sizeof *slot);
    uint64_t *hash = realloc(t->hash, (size_t)slots * sizeof *hash);
    if (hash) t->hash = hash;
    if (!slot || !hash) {
        free(slot);
        return NO_MEMORY;
    }
    for (int64_t c = 0; c < t->classes; c++) {
        int64_t at = (int64_t)(t->hash[c] & (uint64_t)(slots - 1));
        while (slot[at]) at = (at + 1) & (slots - 1);
        slot[at] = (int32_t)c + 1;
    }
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    return OK;
}

/* The class of a row; rows are compared, not only their hashes. */
static int32_t class_of(Table *t, uint64_t hash, const int32_t *row, int64_t width) {
    if (t->classes * 2 >= t->slots && grow(t)) return NO_MEMORY;
    int64_t at = (int64_t)(hash & (uint64_t)(t->slots - 1));
    for (; t->slot[at]; at = (at + 1) & (t->slots - 1)) {
        int64_t class = t->slot[at] - 1;
        if (t->hash[class] == hash && !memcmp(t->rows.at + class * width, row, (size_t)width * sizeof *row))
            return (int32_t)class;
    }
    if (ints_room(&t->rows, width + 1)) return NO_MEMORY;
    memcpy(t->rows.at + t->rows.count, row, (size_t)width * sizeof *row);
    t->rows.count += width;
    t->hash[t->classes] = hash;
    t->slot[at] = (int32_t)++t->classes;
    return (int32_t)t->classes - 1;
}

typedef struct Stretches {
    int64_t *low, *high;
    int32_t *class;
    int64_t count;
} Stretches;

static void stretch(Stretches *s, int64_t low, int64_t high, int32_t class) {
    if (s->count && s->high[s->count - 1] == low && s->class[s->count - 1] == class) {
        s->high[s->count - 1] = high;
        return;
    }
    s->low[s->count] = low;
    s->high[s->count] = high;
    s->class[s->count++] = class;
}

static int sweep(const Engine *e, const Change *change, int64_t n, Table *t, Stretches *s) {
    int64_t width = e->in.attachments;
    int32_t *row = calloc((size_t)width + 1, sizeof *row);
    if (!row) return NO_MEMORY;
    uint64_t hash = 0;
    int64_t i = 0;
    int32_t class = 0;
    while (i < n && class >= 0) {
        int64_t start = change[i].start;
        for (; i < n && change[i].start == start; i++) {
            int32_t a = change[i].attachment;
            if (a < 0) continue;
            hash += sign(a, change[i].node) - (start ? sign(a, row[a]) : 0);
            row[a] = change[i].node;
        }
        if (start >= V4_END && start < V6_FIRST) continue;
        class = class_of(t, hash, row, width);
        if (class >= 0) stretch(s, start, i < n ? change[i].start : LABEL_END, class);
    }
    free(row);
    return class < 0 ? class : OK;
}

static int publish(Engine *e, const Table *t, const Stretches *s) {
    int64_t classes = t->classes;
    free(e->class_first);
    free(e->class_low);
    free(e->class_high);
    free(e->class_node);
    e->class_first = calloc((size_t)classes + 2, sizeof *e->class_first);
    e->class_low = malloc(((size_t)s->count + 1) * sizeof *e->class_low);
    e->class_high = malloc(((size_t)s->count + 1) * sizeof *e->class_high);
    e->class_node = malloc(((size_t)t->rows.count + 1) * sizeof *e->class_node);
    if (!e->class_first || !e->class_low || !e->class_high || !e->class_node) return NO_MEMORY;
    for (int64_t i = 0; i < s->count; i++) e->class_first[s->class[i] + 2]++;
    for (int64_t c = 0; c < classes; c++) e->class_first[c + 2] += e->class_first[c + 1];
    for (int64_t i = 0; i < s->count; i++) {
        int64_t at = e->class_first[s->class[i] + 1]++;
        e->class_low[at] = s->low[i];
        e->class_high[at] = s->high[i];
    }
    if (t->rows.count) memcpy(e->class_node, t->rows.at, (size_t)t->rows.count * sizeof(int32_t));
    e->class_count = classes;
    e->interval_count = s->count;
    return OK;
}

int32_t engine_classes(Engine *e) {
    int64_t n = 0;
    Table t;
    Stretches s = {NULL, NULL, NULL, 0};
    memset(&t, 0, sizeof t);
    Change *change = gather(e, &n);
    size_t room = (size_t)n + 2;
    if (change) {
        s.low = malloc(room * sizeof *s.low);
        s.high = malloc(room * sizeof *s.high);
        s.class = malloc(room * sizeof *s.class);
    }
    int answer = change && s.low && s.high && s.class ? OK : NO_MEMORY;
    answer = answer ? answer : sweep(e, change, n, &t, &s);
    answer = answer ? answer : publish(e, &t, &s);
    free(change);
    free(s.low);
    free(s.high);
    free(s.class);
    free(t.slot);
    free(t.hash);
    free(t.rows.at);
    return answer;
}
