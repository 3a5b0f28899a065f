/* All pairs of zones, for all services or for one; every thread takes some of the attachments. */
#include "filters_matrix_cells.h"

#define BLOCK 256 /* attachments whose rows of answers and whose filters' cells stay in the cache while destinations pass */

static int32_t number_of(answer_part *p, uint64_t bits)
{
    uint64_t place = (bits * 0x9E3779B97F4A7C15u) >> 52;
    if (p->cache.bits[place] == bits && p->cache.id[place] >= 0)
        return p->cache.id[place];
    int32_t id = bitsets_intern(p->sets, &bits);
    if (id < 0)
        p->status = FILTERS_NO_MEMORY;
    p->cache.bits[place] = bits;
    p->cache.id[place] = id;
    return id;
}

static void merge(answer_part *p, int32_t *into, uint64_t bits, int every)
{
    uint64_t old = bitsets_word(p->sets, *into);
    uint64_t both = every ? old & bits : old | bits;
    if (both != old)
        *into = number_of(p, both);
}

inline void answer_put(answer_part *p, int64_t pair, uint64_t some, uint64_t every)
{
    if (p->reached) {
        p->reached[pair] |= some != 0;
    } else if (p->some[pair] < 0) { /* the usual case: one attachment, one class */
        p->some[pair] = number_of(p, some);
        p->every[pair] = some == every ? p->some[pair] : number_of(p, every);
    } else {
        merge(p, &p->some[pair], some, 0);
        merge(p, &p->every[pair], every, 1);
    }
}

void answer_leave(answer_part *p, int64_t a, int64_t d)
{
    if (!grow(&p->rest, &p->rest_room, p->rest_count + 1, sizeof *p->rest))
        p->status = FILTERS_NO_MEMORY;
    else
        p->rest[p->rest_count++] = (couple){(int32_t)a, (int32_t)d};
}

/* Attachments a .. a + lanes, which share the answer `root` for destination d. */
inline void answer_run_of(answer_part *p, int64_t a, int64_t lanes, int64_t d, int32_t root)
{
    const matrix *m = p->m;
    const int32_t to = m->node_zone[root];
    uint64_t some[LANES], every[LANES];
    if (to == -1)
        return;
    uint32_t closer = to == -2 ? UINT32_MAX
                               : walk(m, root, m->sources.place + a, m->targets.place[d], lanes, p->services, some, every);
    for (int64_t k = 0; k < lanes; k++) {
        if (closer >> k & 1)
            answer_leave(p, a + k, d);
        else
            answer_put(p, (int64_t)m->zone[a + k] * m->zones + to, some[k], every[k]);
    }
}

/* Nobody gets to any zone from those of this part, until somebody does. */
static void answer_clear(answer_part *p)
{
    const matrix *m = p->m;
    int64_t to = p->end < m->width ? m->zone[p->end] : m->zones;
    int64_t from = !p->begin ? 0 : p->begin < m->width ? m->zone[p->begin] : m->zones; /* a part may be empty */
    size_t bytes = sizeof *p->some * (size_t)((to - from) * m->zones);
    if (p->reached || from >= to)
        return;
    memset(p->some + from * m->zones, -1, bytes);
    memset(p->every + from * m->zones, -1, bytes);
}

static void *answer_run(void *argument)
{
    answer_part *p = argument;
    const matrix *m = p->m;
    answer_clear(p);
    for (int64_t block = p->begin; block < p->end; block += BLOCK) {
        int64_t stop = block + BLOCK < p->end ? block + BLOCK : p->end;
        for (int64_t d = 0; d < m->destinations.units; d++) {
            if (!m->live[d])
                continue;
            const int32_t *roots = roots_of(m, d);
            for (int64_t a = block, lanes = 1; a < stop && !p->status; a += lanes) {
                lanes = m->run[a] ? m->run[a] : 1;
                if (a + lanes > stop)
                    lanes = stop - a;
                if (m->run[a])
                    answer_run_of(p, a, lanes, d, roots[m->column[a]]);
            }
        }
    }
    return NULL;
}

void answer_start(answer_part *p, matrix *m, bitsets *sets, uint64_t services, int32_t *some, int32_t *every)
{
    p->m = m;
    p->sets = sets;
    p->services = services;
    p->some = some;
    p->every = every;
    memset(p->cache.id, -1, sizeof p->cache.id);
}

/* Hand over what needs a closer look. */
void answer_end(answer_part *p, int32_t *status)
{
    matrix *m = p->m;
    if (p->status && !*status)
        *status = p->status;
    if (!grow(&m->rest, &m->rest_room, m->rest_count + p->rest_count, sizeof *m->rest))
        *status = FILTERS_NO_MEMORY;
    else if (p->rest_count)
        memcpy(m->rest + m->rest_count, p->rest, sizeof *p->rest * (size_t)p->rest_count);
    m->rest_count += *status ? 0 : p->rest_count;
    free(p->rest);
}

static int32_t answer_with(matrix *m, const answer_part *like, int64_t *rest)
{
    answer_part *parts = calloc((size_t)m->threads, sizeof *parts);
    int32_t status = parts ? FILTERS_FINE : FILTERS_NO_MEMORY;
    int64_t from = 0;
    m->rest_count = 0;
    for (int32_t i = 0; parts && i < m->threads; i++) {
        answer_part *p = &parts[i];
        int64_t to = i + 1 == m->threads ? m->width : m->width * (i + 1) / m->threads;
        while (to > 0 && to < m->width && m->zone[to] == m->zone[to - 1])
            to++; /* the attachments of a zone stay together */
        answer_start(p, m, like->sets, like->services, like->some, like->every);
        p->reached = like->reached;
        p->begin = from;
        p->end = from = to < from ? from : to;
    }
    for (int32_t i = 1; parts && i < m->threads; i++)
        parts[i].started = !pthread_create(&parts[i].thread, NULL, answer_run, &parts[i]);
    for (int32_t i = 0; parts && i < m->threads; i++) {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        else
            answer_run(&parts[i]);
        answer_end(&parts[i], &status);
    }
    free(parts);
    *rest = m->rest_count;
    return status;
}

int32_t matrix_answer(matrix *m, bitsets *sets, int32_t *some, int32_t *every, int64_t *rest)
{
    answer_part like = {.sets = sets, .services = m->view.everything[0], .some = some, .every = every};
    return answer_with(m, &like, rest);
}

int32_t matrix_service(matrix *m, int32_t atom, uint8_t *reached, int64_t *rest)
{
    answer_part like = {.services = (uint64_t)1 << atom, .reached = reached};
    return answer_with(m, &like, rest);
}

void matrix_rest(const matrix *m, int32_t *attachment, int32_t *destination, uint8_t *branching)
{
    for (int64_t i = 0; i < m->rest_count; i++) {
        couple one = m->rest[i];
        attachment[i] = one.attachment;
        destination[i] = one.destination;
        branching[i] = m->node_zone[roots_of(m, one.destination)[m->column[one.attachment]]] == -2;
    }
}
