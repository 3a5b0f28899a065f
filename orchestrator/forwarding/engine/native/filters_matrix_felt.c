/* Who may feel that a filter has changed: most pairs do not, and need no more than a look at what they were. */
#include "filters_matrix_cells.h"

/* What a change of the filter is for one lane. Where it lets all addresses of a pair do the same, before and after, it
   can only be felt by services that come or go. */
static void note_lane(const news *n, candidate *c, int64_t lane, const move *source, const move *target)
{
    uint64_t was_every, is_every;
    uint64_t was = cell_of(n->before, source->before, target->before, &was_every);
    uint64_t is = cell_of(n->after, source->after, target->after, &is_every);
    c->differ |= 1u << lane;
    c->look |= (uint32_t)(((was | is) & VARIES) != 0) << lane;
    c->gone[lane] = was & ~is & SERVICES;
    c->come[lane] = is & ~was & SERVICES;
}

void list_candidates(update_part *p, uint16_t target_move)
{
    const news *n = p->news;
    const matrix *m = p->answer.m;
    const uint8_t *differs = n->differs + (int64_t)target_move * n->source_count;
    p->candidate_count = 0;
    for (int64_t a = p->answer.begin, lanes; a < p->answer.end; a += lanes) {
        lanes = m->run[a] ? m->run[a] : 1;
        if (a + lanes > p->answer.end)
            lanes = p->answer.end - a;
        candidate c = {.a = a, .lanes = lanes};
        for (int64_t k = 0; m->run[a] && n->from[m->column[a]] && k < lanes; k++)
            if (differs[n->source_move[a + k]])
                note_lane(n, &c, k, &n->source_moves[n->source_move[a + k]], &n->target_moves[target_move]);
        if (!c.differ)
            continue;
        if (!grow(&p->candidates, &p->candidates_room, p->candidate_count + 1, sizeof *p->candidates)) {
            p->answer.status = FILTERS_NO_MEMORY;
            return;
        }
        p->candidates[p->candidate_count++] = c;
    }
}

/* What passed between a lane's pair before the update. 0: it cannot be told from that what passes now. */
static int before_of(const update_part *p, const candidate *c, int64_t lane, int64_t pair, uint64_t *some, uint64_t *every)
{
    const news *n = p->news;
    int32_t was_some = p->answer.some[pair], was_every = p->answer.every[pair];
    if (c->look >> lane & 1 || was_some < 0 || was_some >= n->word_count || was_every < 0 || was_every >= n->word_count)
        return 0;
    *some = n->words[was_some];
    *every = n->words[was_every];
    return 1;
}

/* Lanes of those wanted that need to be looked at from one end of the way to the other. The others are done: where the
   filter lets all addresses of a pair do the same, before and after, what it refuses now passes no more, what it lets
   through now passes if it passes all other filters, and nothing else is felt. */
uint32_t feel(update_part *p, const candidate *c, int64_t d, int32_t root, uint32_t wanted)
{
    const matrix *m = p->answer.m;
    uint64_t some[LANES], every[LANES], found_some[LANES] = {0}, found_every[LANES] = {0}, come = 0;
    uint32_t full = 0;
    for (int64_t k = 0; k < c->lanes; k++) {
        if (!(wanted >> k & 1))
            continue;
        if (before_of(p, c, k, pair_of(m, c, k, root), &some[k], &every[k]))
            come |= c->come[k];
        else
            full |= 1u << k;
    }
    if (come && (wanted & ~full))
        full |= wanted & walk(m, root, m->sources.place + c->a, m->targets.place[d], c->lanes, come, found_some, found_every);
    for (int64_t k = 0; k < c->lanes; k++) {
        uint64_t passes = found_some[k] & c->come[k];
        if (!((wanted & ~full) >> k & 1) || !(passes || some[k] & c->gone[k]))
            continue;
        replace_pair(p, c, k, (some[k] & ~c->gone[k]) | passes,
                     (every[k] & ~c->gone[k]) | (found_every[k] & c->come[k]), root);
    }
    return full;
}
