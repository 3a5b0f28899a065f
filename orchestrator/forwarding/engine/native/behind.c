/* Who gets to a changed table, label by label: whoever gets to a hub whose ways there pass it, or to it before any hub.
 *
 * From which tables a hub is reached before any other is a matter of links, whatever the routes: that is found out once.
 * Which hubs' ways pass the changed table at a label is walked; most of them end at once, in what is known of the hub.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

/* What leads to the table at the end of the queue, from the back to the front: `reach` says whether it is news. */
static int spread(Engine *e, bool (*reach)(Hubs *h, int32_t from, int32_t to)) {
    Hubs *h = &e->hubs;
    for (int64_t i = 0; i < h->queue.count; i++) {
        int32_t to = h->queue.at[i];
        for (int32_t k = e->back_first[to]; k < e->back_first[to + 1]; k++)
            if (reach(h, e->back[k], to) && ints_push(&h->queue, e->back[k])) return e->error = NO_MEMORY;
        for (int32_t k = e->leak_of[to]; k >= 0; k = e->leak.at[k + 2])
            if (reach(h, e->leak.at[k + 1], to) && ints_push(&h->queue, e->leak.at[k + 1])) return e->error = NO_MEMORY;
    }
    return OK;
}

static bool reach_first(Hubs *h, int32_t from, int32_t to) {
    uint64_t all = h->first[from] | h->first[to];
    if (h->of[from] >= 0 || all == h->first[from]) return false;
    h->first[from] = all;
    return true;
}

static bool reach_near(Hubs *h, int32_t from, int32_t to) {
    (void)to;
    if (h->of[from] >= 0 || h->near[from]) return false;
    h->near[from] = 1;
    return true;
}

static int find_first(Engine *e) {
    Hubs *h = &e->hubs;
    size_t tables = (size_t)e->in.tables + 1;
    if (h->first && h->links == e->leak.count) return OK;
    if (!h->first) h->first = malloc(tables * sizeof *h->first);
    if (!h->first) return e->error = NO_MEMORY;
    memset(h->first, 0, tables * sizeof *h->first);
    h->queue.count = 0;
    for (int32_t hub = 0; hub < h->count; hub++) {
        h->first[h->table[hub]] = hub_bit(hub);
        if (ints_push(&h->queue, h->table[hub])) return e->error = NO_MEMORY;
    }
    h->links = e->leak.count;
    return spread(e, reach_first);
}

static int find_near(Engine *e, int32_t table) {
    Hubs *h = &e->hubs;
    if (!h->near) h->near = malloc((size_t)e->in.tables + 1);
    if (!h->near) return e->error = NO_MEMORY;
    memset(h->near, 0, (size_t)e->in.tables + 1);
    h->queue.count = 0;
    if (h->of[table] >= 0) return OK;
    h->near[table] = 1;
    return ints_push(&h->queue, table) ? (e->error = NO_MEMORY) : spread(e, reach_near);
}

/* From now on, of all who are asked those are answered who may get to the changed table. OK or an error. */
int hubs_ask(Engine *e, int32_t table) {
    if (find_near(e, table) || find_first(e)) return e->error;
    e->hubs.asking = true;
    return OK;
}

/* Hubs whose ways at the label at hand pass the table that stands apart. */
uint64_t hubs_behind(Engine *e) {
    uint64_t behind = 0;
    for (int32_t hub = 0; hub < e->hubs.count && !e->error; hub++) {
        walk_table(e, e->hubs.table[hub], e->here);
        if (e->passes & PASSES_APART) behind |= hub_bit(hub);
    }
    return behind;
}

/* Whether an attachment's packets may get to one of these hubs, or to the changed table itself, before any other hub. */
bool hubs_lead(const Engine *e, int32_t attachment, uint64_t behind) {
    int32_t table = e->in.port_table[e->in.attachment_port[attachment]];
    return e->hubs.first[table] & behind || e->hubs.near[table];
}
