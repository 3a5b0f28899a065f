/* What changed answers mean for forbidden pairs of zones. See search.c, judge.c and judge_bad.c. */
#ifndef ONEFOLD_JUDGE_H
#define ONEFOLD_JUDGE_H

#include "core.h"
#include "filters.h"

#define WIDEST 64 /* words of a set of services that a search keeps on its way */

typedef struct Box { /* addresses as labels, [low, high) each */
    int64_t source, source_end, destination, destination_end;
} Box;

typedef struct Change { /* packets that an entry at `position` of a filter concerns: it came, or it went */
    Box box;
    int32_t position, match;  /* of services; NOBODY: all */
    int32_t gains, loses;     /* whether packets may get through because of it, and may not any more */
} Change;

typedef struct Seen { /* a stretch of an attachment's answers, and the zones it leads to: so many of Judge.zones; unclear:
                       * perhaps to others, too, or not to these any more */
    int64_t low, high;
    int32_t attachment, node, unclear, zones;
} Seen;

typedef struct Bad { /* ascending; `at` is the node */
    int64_t count;
    Reach *stretch;
} Bad;

typedef struct Words { /* of a set of services: those from `from` to `to` */
    int32_t from, to;
} Words;

typedef struct Narrowed { /* rows of a filter that a question is about: Judge.row_of from `first` on */
    uint64_t stamp;
    int32_t count;
    int64_t first;
} Narrowed;

typedef struct Judge {
    Engine *engine;
    int64_t attachments;                              /* of the engine, which may be gone before */
    const int64_t *unit_first, *unit_low, *unit_high; /* what attachments send with: rows first[a] .. first[a + 1] */
    const uint8_t *forbidden;                         /* [zones, zones]; arrays are Python's, kept alive by it */
    const filter_view *view;                          /* filters as they are now, set by every call */
    int64_t budget;                                   /* steps of one search */
    Bad *bad;                                         /* [attachments]: stretches that lead to a forbidden zone */
    uint8_t *found;                                   /* [zones] */
    uint8_t *seen;                                    /* [nodes]: what is below a node, 0: nobody asked yet */
    int64_t seen_room;
    Ints asked;                                       /* nodes that are not 0 there */
    Seen *row;
    int64_t rows, row_room;
    Ints zones;
    uint64_t question; /* packets of the box `within`, and of the service match `match` (NOBODY: of all) */
    Box within;
    int32_t match;
    Words words; /* of that match */
    Narrowed *narrowed; /* [filters] */
    int64_t narrowed_room;
    Ints row_of;
} Judge;

enum { NOT_CLEAR = 1 };

/* From now on searches are about packets of a box and a service match (NOBODY: of all). OK or NO_MEMORY. */
int judge_question(Judge *judge, const Box *within, int32_t match);
/* Zones of `wanted` [zones] that packets of the question get to at a node, from an attachment to [low, high), are set in
 * `found` [zones]. NOT_CLEAR: something unread, rewritten, or too much stood on the way, and there may be more zones. */
int32_t judge_search(Judge *judge, int32_t attachment, int32_t node, int64_t low, int64_t high, const uint8_t *wanted,
                     uint8_t *found);
/* Whether an entry decides about packets of its change at all, none before it; `permitted`: and some of them are not
 * denied now. True also where that is not clear. */
bool judge_decides(const Judge *judge, int32_t filter, const Change *change, bool permitted);
bool node_leads(const Engine *e, int32_t node, const uint8_t *wanted);
bool was_bad(const Judge *judge, int32_t attachment, int64_t low, int64_t high);
bool add_bad(Judge *judge, int32_t attachment, Reach one);

/* ---- what Python calls ---- */
Judge *judge_new(Engine *engine, const int64_t *unit_first, const int64_t *unit_low, const int64_t *unit_high,
                 const uint8_t *forbidden, int64_t budget);
void judge_free(Judge *judge);
int32_t judge_bad(Judge *judge, int32_t attachment, int64_t count, const Reach *stretch);
int64_t judge_harmful(const Judge *judge, const Record *record, int64_t records, int32_t *rows);
int64_t judge_entry(Judge *judge, const filter_view *view, int32_t filter, int64_t changes, const Change *change,
                    const Seen **seen, const int32_t **zones);
int64_t judge_look(Judge *judge, const filter_view *view, int64_t stretches, const Reach *stretch, const uint8_t *wanted,
                   const Seen **seen, const int32_t **zones);

#endif
