/* One filter has changed: which pairs it decides about, and what they are now. */
#include "filters_matrix_cells.h"

/* ---- one thread's part ---- */

static int put_change(update_part *p, int32_t source, int32_t target, int32_t some, int32_t every)
{
    matrix_changes_list *list = p->changes;
    if (!grow(&list->at, &list->room, list->count + 1, sizeof *list->at)) {
        p->answer.status = FILTERS_NO_MEMORY;
        return 0;
    }
    list->at[list->count++] = (matrix_change){source, target, some, every};
    return 1;
}

static void find_pair(update_part *p, int32_t source, int32_t target)
{
    matrix *m = p->answer.m;
    uint8_t *stale = &m->stale[(int64_t)source * m->zones + target];
    if (*stale)
        return;
    if (!grow(&p->found, &p->found_room, p->found_count + 1, sizeof *p->found)) {
        p->answer.status = FILTERS_NO_MEMORY;
        return;
    }
    *stale = 1;
    p->found[p->found_count++] = (couple){source, target};
}

static int meets(const matrix *m, int32_t node, int32_t variant)
{
    for (step s = m->steps[node]; s.variant != CHAIN_END; s = m->steps[s.child])
        if (s.variant == variant)
            return 1;
    return 0;
}

/* A pair that this way alone decides. What was a product before and now, of the same services, has not changed. */
void replace_pair(update_part *p, const candidate *c, int64_t lane, uint64_t some, uint64_t every, int32_t root)
{
    answer_part *answer = &p->answer;
    const matrix *m = answer->m;
    int64_t pair = pair_of(m, c, lane, root);
    int32_t was_some = answer->some[pair], was_every = answer->every[pair];
    answer->some[pair] = -1;
    answer_put(answer, pair, some, every);
    int same = answer->some[pair] == was_some && answer->every[pair] == was_every;
    if (!same || (some != every && meets(m, root, p->news->variant)))
        put_change(p, m->zone[c->a + lane], m->node_zone[root], was_some, was_every);
}

static void update_lanes(update_part *p, const candidate *c, int64_t d, int32_t root, uint32_t wanted)
{
    matrix *m = p->answer.m;
    uint64_t some[LANES], every[LANES];
    uint32_t closer =
        walk(m, root, m->sources.place + c->a, m->targets.place[d], c->lanes, p->answer.services, some, every);
    for (int64_t k = 0; k < c->lanes; k++) {
        int64_t pair = pair_of(m, c, k, root);
        if (!(wanted >> k & 1))
            continue;
        if (!(closer >> k & 1)) {
            replace_pair(p, c, k, some[k], every[k], root);
        } else if (put_change(p, m->zone[c->a + k], m->node_zone[root], p->answer.some[pair], p->answer.every[pair])) {
            p->answer.some[pair] = p->answer.every[pair] = -1;
            answer_leave(&p->answer, c->a + k, d);
        }
    }
}

static void update_candidate(update_part *p, const candidate *c, int64_t d, int32_t root)
{
    matrix *m = p->answer.m;
    int32_t to = m->node_zone[root];
    uint32_t wanted = 0;
    if (!meets(m, root, p->news->variant)) /* others lead to this zone through the filter, and this one elsewhere */
        return;
    for (int64_t k = 0; k < c->lanes; k++) {
        if (!(c->differ >> k & 1) || (p->news->forced && m->stale[pair_of(m, c, k, root)]))
            continue;
        if (m->alone[m->zone[c->a + k]] & ALONE_AS_SOURCE && m->alone[to] & ALONE_AS_TARGET)
            wanted |= 1u << k;
        else
            find_pair(p, m->zone[c->a + k], to);
    }
    wanted = wanted ? feel(p, c, d, root, wanted) : 0;
    if (wanted)
        update_lanes(p, c, d, root, wanted);
}

/* Whether a destination leads to a zone behind the filter, or to several zones. */
static int behind(const matrix *m, const news *n, int64_t d)
{
    return m->only[d] >= 0 ? n->to[m->only[d]] : m->only[d] == -2;
}

static void *update_run(void *argument)
{
    update_part *p = argument;
    const news *n = p->news;
    matrix *m = p->answer.m;
    int32_t listed = NO_MOVE; /* the move that the candidates are for: neighbours often share theirs */
    for (int64_t d = 0; n->differs && d < m->destinations.units && !p->answer.status; d++) {
        uint16_t target_move = n->target_move[d];
        if (target_move == NO_MOVE || !n->target_moves[target_move].touched || !behind(m, n, d))
            continue;
        if (target_move != listed)
            list_candidates(p, target_move);
        listed = target_move;
        const int32_t *roots = roots_of(m, d);
        for (int64_t i = 0; i < p->candidate_count && !p->answer.status; i++) {
            int32_t root = roots[m->column[p->candidates[i].a]];
            if (m->node_zone[root] >= 0 && n->to[m->node_zone[root]])
                update_candidate(p, &p->candidates[i], d, root);
        }
    }
    return NULL;
}

/* A pair from all its ways. */
static void compute_pair(update_part *p, int32_t source, int32_t target)
{
    answer_part *answer = &p->answer;
    matrix *m = answer->m;
    int64_t pair = (int64_t)source * m->zones + target;
    m->stale[pair] = 0;
    if (!put_change(p, source, target, answer->some[pair], answer->every[pair]))
        return;
    answer->some[pair] = answer->every[pair] = -1;
    for (int64_t a = m->zone_first[source]; a < m->zone_first[source + 1]; a++)
        for (int64_t i = m->leads_first[target]; m->run[a] && i < m->leads_first[target + 1]; i++) {
            int64_t d = m->leads[i];
            int32_t root = roots_of(m, d)[m->column[a]];
            if (m->node_zone[root] == target)
                answer_run_of(answer, a, 1, d, root);
        }
}

static void *recompute_run(void *argument)
{
    update_part *p = argument;
    for (int64_t i = 0; i < p->found_count && !p->answer.status; i++)
        compute_pair(p, p->found[i].attachment, p->found[i].destination);
    return NULL;
}

/* ---- all parts ---- */

static void run_all(update_part *parts, int32_t threads, void *(*run)(void *))
{
    for (int32_t i = 1; i < threads; i++)
        parts[i].answer.started = !pthread_create(&parts[i].answer.thread, NULL, run, &parts[i]);
    for (int32_t i = 0; i < threads; i++) {
        if (parts[i].answer.started)
            pthread_join(parts[i].answer.thread, NULL);
        else
            run(&parts[i]);
    }
}

static void hand_over(matrix *m, update_part *p, int32_t *status)
{
    for (int64_t i = 0; i < p->found_count; i++) /* left when memory ended */
        m->stale[(int64_t)p->found[i].attachment * m->zones + p->found[i].destination] = 0;
    answer_end(&p->answer, status);
    free(p->found);
    free(p->candidates);
}

/* How many of some attachments may meet the filter, `enough` at most; `reached`: behind the last one counted. */
static int64_t concerned(const matrix *m, const news *n, int64_t from, int64_t to, int64_t enough, int64_t *reached)
{
    int64_t count = 0;
    for (; from < to && count < enough; from++)
        count += m->run[from] && n->from && n->from[m->column[from]];
    if (reached)
        *reached = from;
    return count;
}

static int32_t update_pairs(matrix *m, bitsets *sets, const news *n, const int64_t *forced, int32_t *some, int32_t *every)
{
    update_part *parts = calloc((size_t)m->threads, sizeof *parts);
    int32_t status = parts ? FILTERS_FINE : FILTERS_NO_MEMORY;
    int64_t from = 0, senders = concerned(m, n, 0, m->width, INT64_MAX, NULL);
    for (int32_t i = 0; parts && i < m->threads; i++) {
        update_part *p = &parts[i];
        int64_t to = m->width;
        if (i + 1 < m->threads)
            concerned(m, n, from, m->width, senders / m->threads, &to);
        while (to > 0 && to < m->width && m->zone[to] == m->zone[to - 1])
            to++; /* the attachments of a zone stay together */
        p->news = n;
        p->changes = &m->changes[i];
        p->changes->count = 0;
        answer_start(&p->answer, m, sets, m->view.everything[0], some, every);
        p->answer.begin = from;
        p->answer.end = from = to < from ? from : to;
    }
    for (int64_t i = 0; parts && i < n->forced; i++)
        find_pair(&parts[0], (int32_t)(forced[i] / m->zones), (int32_t)(forced[i] % m->zones));
    if (parts) {
        run_all(parts, m->threads, update_run);
        run_all(parts, m->threads, recompute_run);
    }
    for (int32_t i = 0; parts && i < m->threads; i++)
        hand_over(m, &parts[i], &status);
    free(parts);
    return status;
}

/* What the change of a filter table means, place by place. */
static int32_t update_table(matrix *m, bitsets *sets, int32_t variant, const variant_table *before,
                            const variant_table *after, news *n, const int64_t *forced, int32_t *some, int32_t *every)
{
    uint16_t *source_move = malloc(sizeof *source_move * (size_t)(m->units.units + 1));
    uint16_t *target_move = malloc(sizeof *target_move * (size_t)(m->destinations.units + 1));
    move *from = NULL, *to = NULL;
    uint8_t *differs = NULL;
    int32_t status = FILTERS_NO_MEMORY;
    if (source_move && target_move) {
        from = moves_of(&before->source, &after->source, &m->sources, &m->units, source_move, &n->source_count);
        to = moves_of(&before->destination, &after->destination, &m->targets, &m->destinations, target_move,
                      &n->target_count);
    }
    if (from && to)
        differs = moves_that_matter(before, after, from, n->source_count, to, n->target_count);
    n->word_count = bitsets_count(sets);
    n->words = malloc(sizeof *n->words * (size_t)n->word_count);
    if (n->words)
        memcpy(n->words, bitsets_words(sets), sizeof *n->words * (size_t)n->word_count);
    if (differs && n->words && ways_by(m, variant, &n->from, &n->to)) {
        n->before = before;
        n->after = after;
        n->differs = differs;
        n->source_moves = from;
        n->target_moves = to;
        n->source_move = source_move;
        n->target_move = target_move;
        status = update_pairs(m, sets, n, forced, some, every);
    }
    void *all[] = {source_move, target_move, from, to, differs, n->words, n->from, n->to};
    free_all(all, sizeof all / sizeof *all);
    return status;
}

static int compile_anew(const matrix *m, int32_t variant, variant_table *after)
{
    memset(after, 0, sizeof *after);
    after->used = after->own = 1;
    if (!compile_variant(m, variant, after))
        return 0;
    size_t cells = (size_t)(after->source.count * after->destination.count) + 1;
    after->some = calloc(cells, sizeof *after->some);
    after->every = calloc(cells, sizeof *after->every);
    return after->some && after->every;
}

static int fits(const matrix *m, const filter_view *view, int32_t variant)
{
    return view->width == 1 && view->words && !(view->everything[0] & ~SERVICES) &&
           !(m->tables[variant].used && view->count[view->variant_filter[variant]] > MATRIX_ENTRIES);
}

int32_t matrix_update(matrix *m, const filter_view *view, bitsets *sets, int32_t variant, int64_t forced,
                      const int64_t *pairs, int32_t *some, int32_t *every, int64_t *changed, int64_t *rest)
{
    news n = {.variant = variant, .forced = forced};
    int32_t status = FILTERS_NO_MEMORY;
    *changed = *rest = m->rest_count = 0;
    if (!fits(m, view, variant))
        return FILTERS_TOO_LARGE;
    filter_view old_view = m->view;
    m->view = *view;
    if (!m->tables[variant].used) { /* on no chain: only what is forced */
        status = update_pairs(m, sets, &n, pairs, some, every);
    } else {
        variant_table before = m->tables[variant], after;
        if (!compile_anew(m, variant, &after)) {
            table_free(&after);
            m->view = old_view;
            return FILTERS_NO_MEMORY;
        }
        m->tables[variant] = after;
        set_hot(m, variant);
        status = update_table(m, sets, variant, &before, &after, &n, pairs, some, every);
        table_free(&before);
    }
    for (int32_t i = 0; i < m->threads; i++)
        *changed += m->changes[i].count;
    *rest = m->rest_count;
    return status;
}

void matrix_changes(const matrix *m, matrix_change *to)
{
    for (int32_t i = 0; i < m->threads; to += m->changes[i++].count)
        if (m->changes[i].count)
            memcpy(to, m->changes[i].at, sizeof *to * (size_t)m->changes[i].count);
}
