/* Ways on which packets to one label are lost by routes alone, whatever filters do: without a route, in a null route, at
 * a port without a cable, or where they have been before.
 *
 * Asked for are the smallest sets of marked tables on such ways. Depth first; a table is looked at once for every set of
 * marks with which it is met, and not again with more: whatever is lost from there is lost with fewer. Of a circle the
 * table that is left last is still on the way when the circle closes, so none is missed.
 */
#include "core.h"

enum { MOST_LOOKED_AT = 300, CABLE = 0, TABLE = 1, NULL_ROUTE = 2 };

typedef struct Met {
    int32_t table;
    uint64_t own;
} Met;

typedef struct Search {
    const Engine *e;
    int64_t label, marked;
    const int32_t *mark;       /* [marked] tables; the bit of each is its place, modulo 64 */
    int32_t changed, group;    /* a table that is taken to have another group, or NOBODY */
    int64_t met, found, depth;
    Met at[MOST_LOOKED_AT];
    uint64_t set[MOST_LOOKED_AT + 1];
    int32_t way[MOST_LOOKED_AT + 1];
} Search;

static void lose(Search *s, uint64_t own) {
    int64_t kept = 0;
    for (int64_t i = 0; i < s->found; i++)
        if ((s->set[i] & own) == s->set[i]) return;
    for (int64_t i = 0; i < s->found; i++)
        if ((s->set[i] & own) != own) s->set[kept++] = s->set[i];
    s->found = kept;
    if (s->found <= MOST_LOOKED_AT) s->set[s->found++] = own;
}

static void look(Search *s, int32_t table, uint64_t own);

static void follow(Search *s, int32_t hop, uint64_t own) {
    const Input *in = &s->e->in;
    int32_t kind = s->e->hop_kind.at[hop], target = s->e->hop_target.at[hop];
    if (kind == TABLE) look(s, target, own);
    if (kind == NULL_ROUTE) lose(s, own);
    if (kind != CABLE) return;
    int32_t peer = in->port_peer[target];
    if (peer >= 0)
        look(s, in->port_table[peer], own);
    else if (in->port_zone[target] < 0)
        lose(s, own);
}

/* Whether there is nothing more to be found from a table, or packets have come round to it. */
static bool finished(Search *s, int32_t table, uint64_t own) {
    for (int64_t i = 0; i < s->depth; i++)
        if (s->way[i] == table) {
            lose(s, own);
            return true;
        }
    for (int64_t i = 0; i < s->found; i++)
        if ((s->set[i] & own) == s->set[i]) return true;
    for (int64_t i = 0; i < s->met; i++)
        if (s->at[i].table == table && (s->at[i].own & own) == s->at[i].own) return true;
    return s->met == MOST_LOOKED_AT;
}

static int32_t group_of(const Engine *e, int32_t table, int64_t label) {
    Cursor at = list_find(&e->table[table], label);
    return chunk_value(list_chunk(&e->table[table], at.chunk))[at.at];
}

static void look(Search *s, int32_t table, uint64_t own) {
    const Engine *e = s->e;
    for (int64_t i = 0; i < s->marked; i++)
        if (s->mark[i] == table) own |= (uint64_t)1 << (i & 63);
    if (finished(s, table, own)) return;
    s->at[s->met++] = (Met){table, own};
    s->way[s->depth++] = table;
    int32_t group = table == s->changed ? s->group : group_of(e, table, s->label);
    if (group < 0)
        lose(s, own);
    else
        for (int32_t hop = e->group_first.at[group]; hop < e->group_first.at[group + 1]; hop++) follow(s, hop, own);
    s->depth--;
}

/* The smallest sets, as sums of bits, of ways that begin in some tables; at most `room` are written down. `changed`: a
 * table that is taken to have `group` for the label (NOBODY: none). How many. */
int64_t engine_lost(const Engine *e, int64_t starts, const int32_t *start, int64_t label, int64_t marked,
                    const int32_t *mark, int32_t changed, int32_t group, uint64_t *set, int64_t room) {
    Search s;
    s.e = e;
    s.label = label;
    s.marked = marked;
    s.mark = mark;
    s.changed = changed;
    s.group = group;
    s.met = s.found = s.depth = 0;
    for (int64_t i = 0; i < starts; i++) look(&s, start[i], 0);
    for (int64_t i = 0; i < s.found && i < room; i++) set[i] = s.set[i];
    return s.found < room ? s.found : room;
}
