/* Who can meet a filter at all: columns that some way leads from to it, zones that some way leads to behind it.

   Vertices are columns, variants and zones; an edge says that one may come right after the other on some way. That is
   more than the ways there are, and never less; it is small where the graph of decisions is large. */
#include "filters_matrix_inside.h"

typedef struct {
    uint64_t *slot; /* edge + 1 */
    int64_t slots, count;
} edge_set;

static int64_t slot_of(const edge_set *s, uint64_t edge)
{
    uint64_t at = edge * 0x9E3779B97F4A7C15u >> 20;
    while (s->slot[at & (uint64_t)(s->slots - 1)] && s->slot[at & (uint64_t)(s->slots - 1)] != edge + 1)
        at++;
    return (int64_t)(at & (uint64_t)(s->slots - 1));
}

static int widen(edge_set *s)
{
    edge_set wider = {NULL, s->slots ? s->slots * 2 : 4096, s->count};
    wider.slot = calloc((size_t)wider.slots, sizeof *wider.slot);
    if (!wider.slot)
        return 0;
    for (int64_t i = 0; i < s->slots; i++)
        if (s->slot[i])
            wider.slot[slot_of(&wider, s->slot[i] - 1)] = s->slot[i];
    free(s->slot);
    *s = wider;
    return 1;
}

static int note_edge(edge_set *s, int64_t from, int64_t to)
{
    uint64_t edge = (uint64_t)from << 32 | (uint64_t)to;
    if (s->count * 2 >= s->slots && !widen(s))
        return 0;
    int64_t at = slot_of(s, edge);
    s->count += !s->slot[at];
    s->slot[at] = edge + 1;
    return 1;
}

/* The vertex of what a node does first: a filter, or a zone. */
static inline int64_t vertex_of(const matrix *m, int32_t node)
{
    step s = m->steps[node];
    return s.variant == CHAIN_END ? m->view.variants + m->node_zone[node] : s.variant;
}

/* Edges between what nodes do that lead to one zone. `last`: the edge noted last from a vertex, often the next one too. */
static int note_nodes(const matrix *m, edge_set *edges, int64_t *last)
{
    int64_t fine = 1;
    for (int32_t n = 0; n < m->graph.nodes && fine; n++) {
        int64_t from = m->steps[n].variant;
        if (m->node_zone[n] < 0 || from == CHAIN_END)
            continue;
        int64_t to = vertex_of(m, m->steps[n].child);
        if (last[from] != to)
            fine = note_edge(edges, from, last[from] = to);
    }
    return fine != 0;
}

typedef struct {
    int32_t zone, destination;
} lead;

typedef struct {
    lead *at;
    int64_t count, room;
    int32_t *last; /* per zone the destination noted last */
} lead_list;

static int note_lead(matrix *m, lead_list *leads, int32_t zone, int64_t d)
{
    leads->last[zone] = (int32_t)d;
    m->only[d] = m->only[d] == -1 ? zone : -2;
    if (!grow(&leads->at, &leads->room, leads->count + 1, sizeof *leads->at))
        return 0;
    leads->at[leads->count++] = (lead){zone, (int32_t)d};
    return 1;
}

/* Edges from columns to what their packets meet first, and which destinations lead to a zone for somebody. */
static int note_roots(matrix *m, edge_set *edges, int64_t *last, lead_list *leads)
{
    int64_t columns = m->view.variants + m->zones, fine = 1;
    for (int64_t d = 0; d < m->destinations.units && fine; d++) {
        const int32_t *roots = roots_of(m, d);
        m->only[d] = -1;
        for (int64_t c = 0; m->live[d] && c < m->columns && fine; c++) {
            int32_t zone = m->node_zone[roots[c]];
            if (zone < 0)
                continue;
            int64_t to = vertex_of(m, roots[c]);
            if (last[columns + c] != to)
                fine = note_edge(edges, columns + c, last[columns + c] = to);
            if (zone != m->only[d] && leads->last[zone] != d)
                fine = fine && note_lead(m, leads, zone, d);
        }
    }
    return fine != 0;
}

static void list_edges(const edge_set *edges, int64_t vertices, neighbours *out, int backwards)
{
    for (int round = 0; round < 2; round++) {
        for (int64_t i = 0; i < edges->slots; i++) {
            if (!edges->slot[i])
                continue;
            int64_t from = (int64_t)((edges->slot[i] - 1) >> 32), to = (int64_t)(uint32_t)(edges->slot[i] - 1);
            int64_t key = backwards ? to : from, value = backwards ? from : to;
            if (round)
                out->at[out->first[key + 1]++] = (int32_t)value;
            else
                out->first[key + 2]++;
        }
        for (int64_t v = 0; !round && v < vertices; v++)
            out->first[v + 2] += out->first[v + 1];
    }
}

static int list_neighbours(matrix *m, const edge_set *edges)
{
    int64_t vertices = m->view.variants + m->zones + m->columns;
    neighbours *both[2] = {&m->before, &m->behind};
    for (int i = 0; i < 2; i++) {
        both[i]->first = calloc((size_t)vertices + 3, sizeof *both[i]->first);
        both[i]->at = malloc(sizeof *both[i]->at * (size_t)(edges->count + 1));
        if (!both[i]->first || !both[i]->at)
            return 0;
        list_edges(edges, vertices, both[i], i == 0);
    }
    return 1;
}

/* Destinations by zone; which zones stand for one attachment, and for one destination. */
static int list_leads(matrix *m, const lead_list *leads)
{
    m->leads_first = calloc((size_t)m->zones + 2, sizeof *m->leads_first);
    m->leads = malloc(sizeof *m->leads * (size_t)(leads->count + 1));
    m->alone = calloc((size_t)m->zones + 1, 1);
    if (!m->leads_first || !m->leads || !m->alone)
        return 0;
    for (int64_t i = 0; i < leads->count; i++)
        m->leads_first[leads->at[i].zone + 2]++;
    for (int64_t z = 0; z < m->zones; z++)
        m->alone[z] = (uint8_t)((m->zone_first[z + 1] - m->zone_first[z] == 1 ? ALONE_AS_SOURCE : 0) |
                                (m->leads_first[z + 2] == 1 ? ALONE_AS_TARGET : 0));
    for (int64_t z = 1; z <= m->zones; z++)
        m->leads_first[z + 1] += m->leads_first[z];
    for (int64_t i = 0; i < leads->count; i++)
        m->leads[m->leads_first[leads->at[i].zone + 1]++] = leads->at[i].destination;
    return 1;
}

/* What updates ask for. 0: no memory. */
int prepare_updates(matrix *m)
{
    int64_t vertices = m->view.variants + m->zones + m->columns;
    edge_set edges = {NULL, 0, 0};
    lead_list leads = {NULL, 0, 0, malloc(sizeof *leads.last * (size_t)(m->zones + 1))};
    int64_t *last = malloc(sizeof *last * (size_t)(vertices + 1));
    m->only = malloc(sizeof *m->only * (size_t)(m->destinations.units + 1));
    m->stale = calloc((size_t)m->zones * (size_t)m->zones + 1, 1);
    m->changes = calloc((size_t)m->threads, sizeof *m->changes);
    int fine = leads.last && last && m->only && m->stale && m->changes;
    for (int64_t v = 0; fine && v < vertices; v++)
        last[v] = -1;
    for (int64_t z = 0; fine && z < m->zones; z++)
        leads.last[z] = -1;
    fine = fine && note_nodes(m, &edges, last) && note_roots(m, &edges, last, &leads) && list_neighbours(m, &edges) &&
           list_leads(m, &leads);
    void *all[] = {edges.slot, leads.at, leads.last, last};
    free_all(all, sizeof all / sizeof *all);
    return fine;
}

/* Marks [vertices] all that leads to the variant, or that it leads to. 0: no memory. */
static int spread(const neighbours *to, int64_t vertices, int32_t variant, uint8_t *mark)
{
    int32_t *queue = malloc(sizeof *queue * (size_t)(vertices + 1));
    int64_t count = 0;
    if (!queue)
        return 0;
    mark[variant] = 1;
    queue[count++] = variant;
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = to->first[queue[i]]; k < to->first[queue[i] + 1]; k++)
            if (!mark[to->at[k]]) {
                mark[to->at[k]] = 1;
                queue[count++] = to->at[k];
            }
    free(queue);
    return 1;
}

/* Who may meet a variant: columns it is behind of, and zones behind it; both are to be freed. 0: no memory. */
int ways_by(const matrix *m, int32_t variant, uint8_t **from, uint8_t **to)
{
    int64_t vertices = m->view.variants + m->zones + m->columns;
    uint8_t *mark = calloc((size_t)vertices + 1, 1), *back = calloc((size_t)vertices + 1, 1);
    int fine = mark && back && spread(&m->before, vertices, variant, back) &&
               spread(&m->behind, vertices, variant, mark);
    if (fine) {
        memmove(back, back + m->view.variants + m->zones, (size_t)m->columns);
        memmove(mark, mark + m->view.variants, (size_t)m->zones);
    }
    *from = back;
    *to = mark;
    return fine;
}
