/* Attachments whose packets enter one table in the same way have the same answers: these are kept once.
 *
 * The first of them leads and has the list; the others stand with it in a ring. Ports that do policy routing are places
 * of their own and share nothing. A port that goes down takes its attachments out of their rings, for good.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define POLICY 2 /* OperationKind of network.py */

static bool alike(const Engine *e, int32_t one, int32_t other) {
    const Input *in = &e->in;
    int32_t size = in->ingress_first[one + 1] - in->ingress_first[one];
    int32_t mine = in->ingress_first[one], yours = in->ingress_first[other];
    if (in->port_table[one] != in->port_table[other] || in->port_context[one] != in->port_context[other]) return false;
    if (!e->up[one] || !e->up[other]) return false;
    if (in->ingress_first[other + 1] - yours != size) return false;
    for (int32_t i = 0; i < size; i++)
        if (in->ingress_kind[mine + i] != in->ingress_kind[yours + i] || in->ingress_kind[mine + i] == POLICY ||
            in->ingress_index[mine + i] != in->ingress_index[yours + i])
            return false;
    return true;
}

static uint64_t entry_hash(const Engine *e, int32_t port) {
    uint64_t hash = (uint64_t)(uint32_t)e->in.port_table[port] << 32 | (uint32_t)e->in.port_context[port];
    for (int32_t i = e->in.ingress_first[port]; i < e->in.ingress_first[port + 1]; i++)
        hash = (hash ^ (uint64_t)(uint32_t)e->in.ingress_index[i] << 2 ^ (uint32_t)e->in.ingress_kind[i]) * 0x9e3779b97f4a7c15u;
    return hash * 0xbf58476d1ce4e5b9u >> 20;
}

static void list_leaders(Engine *e) {
    e->leading_count = 0;
    for (int32_t a = 0; a < e->in.attachments; a++)
        if (e->leader[a] == a) e->leading[e->leading_count++] = a;
}

static void join(Engine *e, int32_t attachment, int32_t leader) {
    e->leader[attachment] = leader;
    e->ring[attachment] = e->ring[leader];
    e->ring[leader] = attachment;
}

/* Rings of attachments with equal answers. Returns OK or an error. */
int sharing_build(Engine *e) {
    size_t room = (size_t)e->in.attachments + 1, slots = 16;
    while (slots < 2 * room) slots *= 2;
    int32_t *slot = malloc(slots * sizeof *slot);
    e->leader = malloc(room * sizeof *e->leader);
    e->ring = malloc(room * sizeof *e->ring);
    e->leading = malloc(room * sizeof *e->leading);
    if (slot && e->leader && e->ring && e->leading) {
        memset(slot, 0xff, slots * sizeof *slot);
        for (int32_t a = 0; a < e->in.attachments; a++) {
            int32_t port = e->in.attachment_port[a];
            size_t at = entry_hash(e, port) & (slots - 1);
            e->leader[a] = e->ring[a] = a;
            while (slot[at] >= 0 && !alike(e, e->in.attachment_port[slot[at]], port)) at = (at + 1) & (slots - 1);
            if (slot[at] >= 0)
                join(e, a, slot[at]);
            else
                slot[at] = a;
        }
        list_leaders(e);
        free(slot);
        return OK;
    }
    free(slot);
    return e->error = NO_MEMORY;
}

static int list_copy(Engine *e, List *to, const List *from) {
    Cursor at = {0, 0};
    int64_t count = 0;
    for (int32_t i = 0; i < from->count; i++) count += list_chunk(from, i)->count;
    int64_t *start = malloc((size_t)count * sizeof *start);
    int32_t *owner = malloc((size_t)count * sizeof *owner), *value = malloc((size_t)count * sizeof *value);
    int answer = start && owner && value ? OK : NO_MEMORY;
    for (int64_t k = 0; k < count && !answer; k++, list_next(from, &at)) {
        Chunk *chunk = list_chunk(from, at.chunk);
        start[k] = chunk->start[at.at];
        owner[k] = chunk_owner(chunk)[at.at];
        value[k] = chunk_value(chunk)[at.at];
    }
    if (!answer) list_clear(&e->arena, to);
    answer = answer ? answer : list_build(&e->arena, to, start, owner, value, count);
    free(start);
    free(owner);
    free(value);
    return answer;
}

/* The attachment answers for itself from now on; the others of its ring go on without it. */
static int part(Engine *e, int32_t attachment) {
    int32_t heir = e->ring[attachment], old = e->leader[attachment], last = heir;
    if (heir == attachment) return OK;
    while (e->ring[last] != attachment) last = e->ring[last];
    if (list_copy(e, &e->attachment[old == attachment ? heir : attachment], &e->attachment[old])) return e->error = NO_MEMORY;
    e->ring[last] = heir;
    if (old == attachment)
        for (int32_t a = heir, first = 1; first || a != heir; a = e->ring[a], first = 0) e->leader[a] = heir;
    e->leader[attachment] = e->ring[attachment] = attachment;
    return OK;
}

/* The port will go down or come up: what enters by it shares no answers with others. */
int sharing_end(Engine *e, int32_t port) {
    int32_t table = e->in.port_table[port];
    bool parted = false;
    for (int32_t k = e->attached_first[table]; k < e->attached_first[table + 1]; k++) {
        int32_t attachment = e->attached[k];
        if (e->in.attachment_port[attachment] != port || e->ring[attachment] == attachment) continue;
        if (part(e, attachment)) return e->error;
        parted = true;
    }
    if (parted) list_leaders(e);
    return OK;
}

void sharing_free(Engine *e) {
    free(e->leader);
    free(e->ring);
    free(e->leading);
}
