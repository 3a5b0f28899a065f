/* Destinations by what becomes of them: labels with equal answers at every attachment are one class. */
#include "core.h"

#include <stdlib.h>
#include <string.h>


typedef struct Labels {
    int64_t *at;
    int64_t count, room;
} Labels;

typedef struct Change { /* a column's answer from some label on */
    int32_t column, node;
} Change;

typedef struct Changes { /* those that begin at start[i]: at[first[i]] .. at[first[i + 1]], columns ascending */
    Labels start;
    int64_t *first;
    Change *at;
} Changes;

typedef struct Table {
    int32_t *slot; /* class + 1 */
    int64_t slots;
    uint64_t *hash; /* of classes */
    Ints rows, class_of;
    int64_t classes, room;
} Table;

static uint64_t sign(int64_t attachment, int32_t node) {
    uint64_t x = (uint64_t)attachment << 32 | (uint32_t)node;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* ---- where answers begin ---- */
static int add(Labels *to, int64_t label) {
    if (to->count == to->room) {
        int64_t room = to->room * 2 + 1024;
        int64_t *at = realloc(to->at, (size_t)room * sizeof *at);
        if (!at) return NO_MEMORY;
        to->at = at;
        to->room = room;
    }
    to->at[to->count++] = label;
    return OK;
}

/* The first place from `from` on that is not below the label: near, most of the time. */
static int64_t place_from(const Labels *in, int64_t from, int64_t label) {
    int64_t step = 1, low = from, high;
    while (low + step <= in->count && in->at[low + step - 1] < label) {
        low += step;
        step *= 2;
    }
    high = low + step - 1 < in->count ? low + step - 1 : in->count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (in->at[middle] < label)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int by_number(const void *one, const void *two) {
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)two;
    return (a > b) - (a < b);
}

/* Put labels in no order among ascending ones, each once. */
static int absorb(Labels *into, Labels *fresh) {
    Labels both = {NULL, 0, 0};
    int64_t i = 0, k = 0;
    qsort(fresh->at, (size_t)fresh->count, sizeof *fresh->at, by_number);
    while (i < into->count || k < fresh->count) {
        bool mine = k == fresh->count || (i < into->count && into->at[i] <= fresh->at[k]);
        int64_t label = mine ? into->at[i++] : fresh->at[k++];
        if ((!both.count || both.at[both.count - 1] != label) && add(&both, label)) {
            free(both.at);
            return NO_MEMORY;
        }
    }
    free(into->at);
    *into = both;
    fresh->count = 0;
    return OK;
}

/* All labels where some answer, or a family, begins. Most columns begin where others have begun. */
static int gather_starts(const Engine *e, Labels *start) {
    Labels fresh = {NULL, 0, 0};
    int answer = add(&fresh, V4_END) || add(&fresh, V6_FIRST) || absorb(start, &fresh) ? NO_MEMORY : OK;
    for (int64_t c = 0; c < e->leading_count && !answer; c++) {
        const List *list = answers_of(e, e->leading[c]);
        int64_t place = 0;
        for (int32_t i = 0; i < list->count && !answer; i++) {
            Chunk *chunk = list_chunk(list, i);
            for (int32_t k = 0; k < chunk->count && !answer; k++) {
                place = place_from(start, place, chunk->start[k]);
                if (place == start->count || start->at[place] != chunk->start[k]) answer = add(&fresh, chunk->start[k]);
            }
        }
        if (!answer && fresh.count > start->count / 2 + 1024) answer = absorb(start, &fresh);
    }
    answer = answer ? answer : absorb(start, &fresh);
    free(fresh.at);
    return answer;
}

/* One round over all answers: how many begin at each start, or the answers themselves. */
static void each_answer(const Engine *e, Changes *changes, bool put) {
    int64_t *first = changes->first;
    for (int64_t c = 0; c < e->leading_count; c++) {
        const List *list = answers_of(e, e->leading[c]);
        int64_t place = 0;
        for (int32_t i = 0; i < list->count; i++) {
            Chunk *chunk = list_chunk(list, i);
            const int32_t *node = chunk_value(chunk);
            for (int32_t k = 0; k < chunk->count; k++) {
                place = place_from(&changes->start, place, chunk->start[k]);
                if (put)
                    changes->at[first[place + 1]++] = (Change){(int32_t)c, node[k]};
                else
                    first[place + 2]++;
            }
        }
    }
}

static int gather(const Engine *e, Changes *changes) {
    if (gather_starts(e, &changes->start)) return NO_MEMORY;
    int64_t count = changes->start.count;
    changes->first = calloc((size_t)count + 3, sizeof *changes->first);
    if (!changes->first) return NO_MEMORY;
    each_answer(e, changes, false);
    for (int64_t i = 0; i < count; i++) changes->first[i + 2] += changes->first[i + 1];
    changes->at = malloc(((size_t)changes->first[count + 1] + 1) * sizeof *changes->at);
    if (!changes->at) return NO_MEMORY;
    each_answer(e, changes, true);
    return OK;
}

/* ---- equal rows are one class ---- */
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

static int sweep(const Engine *e, const Changes *changes, Table *t, Stretches *s) {
    int64_t width = e->leading_count, count = changes->start.count;
    int32_t *row = calloc((size_t)width + 1, sizeof *row);
    if (!row) return NO_MEMORY;
    uint64_t hash = 0;
    int32_t class = 0;
    for (int64_t i = 0; i < count && class >= 0; i++) {
        int64_t start = changes->start.at[i];
        for (int64_t k = changes->first[i]; k < changes->first[i + 1]; k++) {
            Change change = changes->at[k];
            hash += sign(change.column, change.node) - (start ? sign(change.column, row[change.column]) : 0);
            row[change.column] = change.node;
        }
        if (start >= V4_END && start < V6_FIRST) continue;
        class = class_of(t, hash, row, width);
        if (class >= 0) stretch(s, start, i + 1 < count ? changes->start.at[i + 1] : LABEL_END, class);
    }
    free(row);
    return class < 0 ? class : OK;
}

void classes_free(Engine *e) {
    free(e->class_first);
    free(e->class_low);
    free(e->class_high);
    free(e->class_node);
    e->class_first = e->class_low = e->class_high = NULL;
    e->class_node = NULL;
}

static int publish(Engine *e, Table *t, const Stretches *s) {
    int64_t classes = t->classes;
    classes_free(e);
    e->class_first = calloc((size_t)classes + 2, sizeof *e->class_first);
    e->class_low = malloc(((size_t)s->count + 1) * sizeof *e->class_low);
    e->class_high = malloc(((size_t)s->count + 1) * sizeof *e->class_high);
    e->class_node = t->rows.at;
    t->rows.at = NULL;
    if (!e->class_first || !e->class_low || !e->class_high) return NO_MEMORY;
    for (int64_t i = 0; i < s->count; i++) e->class_first[s->class[i] + 2]++;
    for (int64_t c = 0; c < classes; c++) e->class_first[c + 2] += e->class_first[c + 1];
    for (int64_t i = 0; i < s->count; i++) {
        int64_t at = e->class_first[s->class[i] + 1]++;
        e->class_low[at] = s->low[i];
        e->class_high[at] = s->high[i];
    }
    e->class_count = classes;
    e->interval_count = s->count;
    return OK;
}

int32_t engine_classes(Engine *e) {
    Table t;
    Stretches s = {NULL, NULL, NULL, 0};
    Changes changes = {{NULL, 0, 0}, NULL, NULL};
    memset(&t, 0, sizeof t);
    int answer = gather(e, &changes);
    size_t room = (size_t)changes.start.count + 1;
    if (!answer) {
        s.low = malloc(room * sizeof *s.low);
        s.high = malloc(room * sizeof *s.high);
        s.class = malloc(room * sizeof *s.class);
        answer = s.low && s.high && s.class ? OK : NO_MEMORY;
    }
    answer = answer ? answer : sweep(e, &changes, &t, &s);
    answer = answer ? answer : publish(e, &t, &s);
    free(changes.start.at);
    free(changes.first);
    free(changes.at);
    free(s.low);
    free(s.high);
    free(s.class);
    free(t.slot);
    free(t.hash);
    free(t.rows.at);
    return answer;
}

/* What engine_classes found, handed over once; `column`: which column of `node` holds an attachment's answers. */
void engine_class_arrays(Engine *e, int64_t *first, int64_t *low, int64_t *high, int32_t *node, int32_t *column) {
    memcpy(first, e->class_first, ((size_t)e->class_count + 1) * sizeof *first);
    memcpy(low, e->class_low, (size_t)e->interval_count * sizeof *low);
    memcpy(high, e->class_high, (size_t)e->interval_count * sizeof *high);
    if (e->leading_count) memcpy(node, e->class_node, (size_t)(e->class_count * e->leading_count) * sizeof *node);
    for (int32_t c = 0; c < e->leading_count; c++) column[e->leading[c]] = c;
    for (int64_t a = 0; a < e->in.attachments; a++) column[a] = column[e->leader[a]];
    classes_free(e);
}
