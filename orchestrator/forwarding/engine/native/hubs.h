/* Outcomes of the largest tables, kept between updates: see hubs.c. */
#ifndef ONEFOLD_HUBS_H
#define ONEFOLD_HUBS_H

#include "list.h"

#define MOST_HUBS 60 /* each has a bit of Slot.passes, from FIRST_HUB on */

struct Engine;

typedef struct Hidden { /* labels [low, high) of answers whose ways pass one of these hubs */
    uint64_t hubs;
    int64_t low, high;
} Hidden;

typedef struct Hiding {
    Hidden *at;
    int64_t count, room;
} Hiding;

typedef struct Kept { /* an answer: the outcome, and the hubs on its ways */
    uint64_t passed;
    int32_t node;
} Kept;

typedef struct Hubs {
    int32_t *of;      /* [tables]: which hub a table is, or NOBODY; NULL: there are none */
    int32_t *table;   /* [count] */
    int32_t count;
    List *list;       /* [count]: value = number of an answer, NOBODY where it is not known */
    Cursor *hint;     /* [count]: where the last label was */
    Kept *answer;     /* [answers] */
    int64_t answers, answer_room;
    int32_t *slot;    /* hash table of answer + 1 */
    int64_t slots, reads;
    bool on, ready;   /* walks read and keep answers; it is known which they may read */
    bool asking;      /* of all who are asked, those count whose ways may lead to the changed table */
    uint64_t *first;  /* [tables]: hubs that are reached from a table before another one, by whatever routes */
    int64_t links;    /* as many leaks there were when that was found out */
    uint8_t *near;    /* [tables]: the changed table is reached before a hub */
    Ints queue;
    int64_t every;    /* every so-manieth table is a hub, whatever its size and the update; 0: large ones are. An odd one:
                       * who may get to a changed table is found through hubs alone */
    Hiding now;       /* not to be read while a change is answered */
    uint64_t hidden;  /* all hubs that these name */
    Hiding later;     /* to be forgotten before the next one reads */
} Hubs;

static inline uint64_t hub_bit(int32_t hub) { return (uint64_t)16 << hub; } /* FIRST_HUB of core.h */

int hubs_begin(struct Engine *e, int32_t table);
int hubs_forget(struct Engine *e, int32_t table);
const Kept *hub_answer(Hubs *hubs, int32_t hub, int64_t label, int64_t *end);
int32_t hub_read(struct Engine *e, int32_t hub);
void hub_keep(struct Engine *e, int32_t hub, int32_t node, uint64_t passes);
int hubs_ask(struct Engine *e, int32_t table);
uint64_t hubs_behind(struct Engine *e);
bool hubs_lead(const struct Engine *e, int32_t attachment, uint64_t behind);
void hubs_free(Hubs *hubs);

#endif
