/* A filter has changed: every place makes a move, from its class before to its class after. Places with the same move
   are alike in everything that follows. */
#include "filters_matrix_cells.h"

/* The number of each (before, after) met so far. */
typedef struct {
    int32_t *slot;
    int64_t slots, count, room;
    move *moves;
} book;

static int64_t slot_of(const book *b, uint16_t before, uint16_t after)
{
    uint64_t key = ((uint64_t)before << 16 | after) * 0x9E3779B97F4A7C15u >> 40;
    for (;; key++) {
        int32_t number = b->slot[key & (uint64_t)(b->slots - 1)];
        if (number < 0 || (b->moves[number].before == before && b->moves[number].after == after))
            return (int64_t)(key & (uint64_t)(b->slots - 1));
    }
}

static int widen(book *b)
{
    int64_t slots = b->slots ? b->slots * 2 : 1024;
    int32_t *slot = malloc(sizeof *slot * (size_t)slots);
    if (!slot)
        return 0;
    memset(slot, -1, sizeof *slot * (size_t)slots);
    free(b->slot);
    b->slot = slot;
    b->slots = slots;
    for (int64_t i = 0; i < b->count; i++)
        b->slot[slot_of(b, b->moves[i].before, b->moves[i].after)] = (int32_t)i;
    return 1;
}

/* The number of a move; NO_MOVE: no memory, or more moves than have numbers. */
static uint16_t note_move(book *b, uint16_t before, uint16_t after)
{
    if (b->count * 2 >= b->slots && !widen(b))
        return NO_MOVE;
    int64_t at = slot_of(b, before, after);
    if (b->slot[at] < 0) {
        if (b->count >= NO_MOVE || !grow(&b->moves, &b->room, b->count + 1, sizeof *b->moves))
            return NO_MOVE;
        b->moves[b->count] = (move){before, after, 0, 0};
        b->slot[at] = (int32_t)b->count++;
    }
    b->moves[b->slot[at]].count++;
    return (uint16_t)b->slot[at];
}

/* Distinct moves, and which each unit makes (NO_MOVE: it is not asked for). NULL: no memory. */
move *moves_of(const side *before, const side *after, const placing *places, const unit_view *units, uint16_t *which,
               int64_t *count)
{
    book b = {NULL, 0, 0, 0, NULL};
    int fine = grow(&b.moves, &b.room, 1, sizeof *b.moves);
    for (int64_t u = 0; fine && u < units->units; u++) {
        int32_t place = places->place[u];
        which[u] = place < 0 ? NO_MOVE : note_move(&b, before->of[place], after->of[place]);
        fine = place < 0 || which[u] != NO_MOVE;
    }
    free(b.slot);
    *count = b.count;
    if (fine)
        return b.moves;
    free(b.moves);
    return NULL;
}

/* Which pairs of moves make a difference: [targets, sources]. NULL: no memory. */
uint8_t *moves_that_matter(const variant_table *before, const variant_table *after, move *sources,
                           int64_t source_count, move *targets, int64_t target_count)
{
    uint8_t *differs = calloc((size_t)(source_count * target_count) + 1, 1);
    for (int64_t j = 0; differs && j < target_count; j++)
        for (int64_t i = 0; i < source_count; i++) {
            uint64_t was_every, is_every;
            uint64_t was = cell_of(before, sources[i].before, targets[j].before, &was_every);
            uint64_t is = cell_of(after, sources[i].after, targets[j].after, &is_every);
            if (was != is || was_every != is_every) {
                differs[j * source_count + i] = 1;
                sources[i].touched = targets[j].touched = 1;
            }
        }
    return differs;
}
