/* What is promised, counted: how many labels get from a zone to a zone where they must not. */
#include "core.h"

#include <string.h>

static void add(int64_t *cell, int64_t length, int64_t *pairs) {
    bool was = *cell > 0;
    *cell += length;
    *pairs += (*cell > 0) - was;
}

/* `length` labels more (or less) whose answer at an attachment is `node`. */
void count_node(Engine *e, int32_t attachment, int32_t node, int64_t length) {
    if (!e->allowed) return;
    int64_t from = e->in.attachment_zone[attachment];
    Ends ends = ends_of(&e->nodes, node);
    for (int32_t i = 0; i < ends.count; i++) {
        int64_t to = ends.zone[i], pair = from * e->in.zones + to;
        if (to == from || e->allowed[pair]) continue;
        if (ends.flags)
            add(&e->suspect[pair], length, &e->suspect_pairs);
        else
            add(&e->wrong[pair], length, &e->wrong_pairs);
    }
    if (ends.flags & MAYBE_UNREAD) e->unread[from] += length;
}

void count_all(Engine *e) {
    if (!e->allowed) return;
    size_t pairs = (size_t)(e->in.zones * e->in.zones);
    memset(e->wrong, 0, pairs * sizeof *e->wrong);
    memset(e->suspect, 0, pairs * sizeof *e->suspect);
    memset(e->unread, 0, (size_t)e->in.zones * sizeof *e->unread);
    e->wrong_pairs = e->suspect_pairs = 0;
    for (int32_t a = 0; a < e->in.attachments; a++) {
        Cursor at = {0, 0};
        const List *list = answers_of(e, a);
        do {
            Chunk *chunk = list_chunk(list, at.chunk);
            count_node(e, a, chunk_value(chunk)[at.at], list_end(list, at) - chunk->start[at.at]);
        } while (list_next(list, &at));
    }
}
