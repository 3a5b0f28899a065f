/* The graph of outcomes: see nodes.c. */
#ifndef ONEFOLD_NODES_H
#define ONEFOLD_NODES_H

#include "list.h"

enum { DROP, LOOP, UNKNOWN, DELIVER, FILTER, EITHER, BRANCH_FILTER, BRANCH_RULE, REWRITE };
enum { CONDITIONAL = 1, MAYBE_UNREAD = 2 };
enum { NODE_COLUMNS = 4 };
enum { ENDS_FLAGS, ENDS_COUNT, ENDS_ZONES };
typedef struct Ends { /* of a node: zones that may get something, ascending; CONDITIONAL: more decides than the destination;
                       * MAYBE_UNREAD: UNKNOWN is below */
    int32_t flags, count;
    const int32_t *zone;
} Ends;

typedef struct Made { /* a node of one or two children; node 0: none */
    int32_t kind, a, one, two, node;
} Made;

#define MADE 1024

typedef struct Nodes {
    Ints kind, a, first, children; /* first has one more */
    int32_t *lent[NODE_COLUMNS];   /* where Python reads these four: memory that is given back last */
    void **kept;                   /* such memory that nodes have outgrown */
    int64_t kept_count, kept_room;
    Ints ends, known;              /* known.at[ends.at[n]]: the ends of node n (Ends); a node shares its child's */
    int32_t *table;                /* hash table of node + 1 */
    int64_t slots;
    Made made[MADE];               /* some of those asked for last: the table's lines are in no cache */
} Nodes;

#endif
