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

/* Of the lanes that are wanted, those that may feel the change: something passed that is refused now, or something that
   is let through now may pass all other filters on the way. The packets of the others are what they were. */
uint32_t feeling(const update_part *p, const candidate *c, int64_t d, int32_t root, uint32_t wanted)
{
    const news *n = p->news;
    const matrix *m = p->answer.m;
    uint64_t come = 0, some[LANES], every[LANES];
    uint32_t feel = c->look & wanted;
    for (int64_t k = 0; k < c->lanes; k++) {
        if (!((wanted & ~feel) >> k & 1))
            continue;
        int32_t was = p->answer.some[(int64_t)m->zone[c->a + k] * m->zones + m->node_zone[root]];
        if (c->gone[k] && (was < 0 || was >= n->word_count || n->words[was] & c->gone[k]))
            feel |= 1u << k;
        else
            come |= c->come[k];
    }
    if (!come)
        return feel;
    walk(m, root, m->sources.place + c->a, m->targets.place[d], c->lanes, come, some, every);
    for (int64_t k = 0; k < c->lanes; k++) /* at least what passes is found: where nothing is, nothing does */
        if (wanted >> k & 1 && some[k] & c->come[k])
            feel |= 1u << k;
    return feel;
}
