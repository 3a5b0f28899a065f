/* What becomes of packets in an edited table itself, before and after: the pieces of its edits where that differs.
 *
 * Whoever is upstream gets what the table gets; where its outcome is what it was, nobody's answer has changed.
 */
#include "walk.h"

#include <string.h>

typedef struct Own { /* the outcome at the last label, and how far it holds but for the table itself */
    int64_t end;
    int32_t group, node;
    bool loops; /* its ways may lead back to it */
} Own;

/* Whether ways lead back to the table and out again, too: then others on them do not simply get what the table gets, and
 * may have another answer where the table's is the same. A loop that nothing leaves is one for everybody in it. */
static bool turns(const Own *own) { return own->loops && own->node != LOOP; }

/* What a hop leads to, where that is known or the next table is a hub; else NOBODY. Narrows `end` to where it holds. */
static int32_t hop_read(Engine *e, const Fast *hop, int64_t label, int64_t *end) {
    if (hop->node >= 0) return hop->node;
    int32_t next = hop->behind >= 0 ? hop->behind : hop->next;
    if (next < 0 || hop->context > 0 || e->hubs.of[next] < 0) return NOBODY;
    const Kept *kept = hub_answer(&e->hubs, e->hubs.of[next], label, end);
    return !kept ? NOBODY : hop->behind >= 0 ? behind_filters(e, hop, kept->node) : kept->node;
}

/* The outcome of a group whose hops all lead to hubs at once; else NOBODY. What may be read of a hub does not lead back to
 * the table that is changed. */
static int32_t group_read(Engine *e, int32_t group, int64_t label, int64_t *end) {
    if (!e->hubs.on || group < 0) return NOBODY;
    int64_t base = e->scratch.count;
    for (int32_t hop = e->group_first.at[group]; hop < e->group_first.at[group + 1]; hop++) {
        int32_t node = hop_read(e, &e->hop_fast[hop], label, end);
        if (node < 0) {
            e->scratch.count = base;
            return NOBODY;
        }
        add_outcome(e, base, node);
    }
    e->work += 2;
    return either_of(e, base);
}

/* The table's own outcome at a label; narrows `end` to where it holds. With `edit` it still has the group of before. */
static int32_t own_outcome(Engine *e, int32_t table, int64_t label, const Edit *edit, Own *own, int64_t *end) {
    int32_t group = edit ? edit->before : group_at(e, table, label, end);
    if (label >= own->end || group != own->group) {
        own->end = LABEL_END;
        own->group = group;
        own->loops = false;
        own->node = group_read(e, group, label, &own->end);
    }
    if (own->node < 0) {
        e->apart = e->override_table = table;
        e->override_group = group;
        walk_begin(e, label);
        own->node = walk_table(e, table, label);
        own->loops = e->passes & MET_APART;
        own->end = e->end;
        e->apart = e->override_table = NOBODY;
    }
    if (own->end < *end) *end = own->end;
    return own->node;
}

/* Pieces of the edits for which many are asked, and what became there of packets in the table before the change: the port
 * as it was, or the groups of before. OK, an error, or 1: more than so many, or beyond the budget. */
int pieces_before(Engine *e, int32_t table, bool replaced, int64_t most) {
    Own own = {0, NOBODY, DROP, false};
    bool stopped = false;
    e->pieces = 0;
    if (!replaced) set_port(e, e->flipped, !e->up[e->flipped]);
    for (int64_t i = 0; i < e->edits && !stopped; i++) {
        const Edit *edit = &e->edit[i];
        for (int64_t label = edit->low, end; label < edit->high && e->pieces < most && !e->error; label = end) {
            end = edit->high;
            int32_t node = own_outcome(e, table, label, replaced ? edit : NULL, &own, &end);
            if (turns(&own)) node = NOBODY;
            if (reach_push(e, &e->piece, &e->pieces, &e->piece_room, (Reach){label, end, node})) break;
        }
        stopped = e->error || e->pieces >= most || e->work >= e->budget;
    }
    if (!replaced) set_port(e, e->flipped, !e->up[e->flipped]);
    return e->error ? e->error : stopped;
}

/* A piece with the table's outcome as it is now, where whoever gets to the table gets that. */
static int keep_piece(Engine *e, int64_t before, int64_t low, int64_t high, const Own *own) {
    int32_t node = turns(own) ? NOBODY : own->node;
    Reach *last = e->pieces > before ? &e->piece[e->pieces - 1] : NULL;
    if (last && node >= 0 && last->high == low && last->at == node) {
        last->high = high;
        return OK;
    }
    return reach_push(e, &e->piece, &e->pieces, &e->piece_room, (Reach){low, high, node});
}

/* Pieces whose outcome is another now; the others are forgotten. OK, an error, or 1: looked at more than so many. */
int keep_changed(Engine *e, int32_t table, int64_t most) {
    Own own = {0, NOBODY, DROP, false};
    int64_t before = e->pieces, looks = 0;
    for (int64_t i = 0; i < before && !e->error; i++) {
        Reach piece = e->piece[i];
        for (int64_t label = piece.low, end; label < piece.high && !e->error; label = end) {
            if (looks++ >= most) return 1;
            end = piece.high;
            if (own_outcome(e, table, label, NULL, &own, &end) == piece.at && !turns(&own)) continue;
            if (keep_piece(e, before, label, end, &own)) break;
        }
    }
    e->pieces -= before;
    memmove(e->piece, e->piece + before, (size_t)e->pieces * sizeof *e->piece);
    return e->error;
}
