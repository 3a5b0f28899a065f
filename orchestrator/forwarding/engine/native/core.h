/* The forwarding engine's core: tables as segment lists, destination classes, outcomes, updates.
 *
 * One Engine is one network; nothing is global. Every function that takes an Engine may be called by one thread at a
 * time. A failed allocation sets `error`; the engine is then of no use but to be freed.
 *
 *   list.c    sorted lists of segments in chunks: find, split, insert, remove in O(log n)
 *   list_set.c  one value for an interval of a list
 *   nodes.c   the hash-consed graph of outcomes
 *   places.c  what is known of places while walking
 *   walk.c    from a place and a label to an outcome, memoised; loops
 *   ports.c   through ports: filters, translations, policies
 *   steps.c   what a group does where nothing branches; walks along such steps
 *   tables_build.c longest-prefix sweep of routes into segments
 *   tables.c  add, remove, replace a route
 *   stretches.c all labels cut where a column changes; classes by signature
 *   sweep_rows.c one stretch, classes verified: outcomes of every attachment
 *   sweep.c   all stretches; sweep_edits.c those that edits have
 *   sharing.c attachments with the same answers have them once
 *   upstream.c who is upstream of a change
 *   own.c     what an edited table does itself, before and after
 *   hubs.c    outcomes of the largest tables, kept between updates
 *   behind.c  who gets to a changed table through which hubs
 *   answers.c what those upstream answer, and records of what has changed
 *   update.c  one change: who is asked for what
 *   lost.c    ways on which packets are lost by routes alone
 *   core.c    life and death of an engine, and what Python reads
 */
#ifndef ONEFOLD_CORE_H
#define ONEFOLD_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hubs.h"
#include "input.h"
#include "list.h"
#include "nodes.h"

#define ENGINE_ABI 9
#define NOBODY (-1)
#define BRANCHES INT32_MIN
#define FILTERED (INT32_MIN + 1)
#define SPLITS (INT32_MIN + 2)

typedef struct Route {
    int64_t low, high;
    int32_t group, parent; /* parent: the next wider route of the table */
    int32_t table;         /* NOBODY: none any more */
    int32_t next, before;  /* routes with the same group, once `linked` */
} Route;

typedef struct Fast { /* what a hop, or a group of one, does: go on at table `next`, or end in `node` */
    int32_t next, context, node; /* context NOBODY: keeps it */
    int32_t behind, out, in;     /* or go on at table `behind` two filter variants (NOBODY: none), by an unnamed port */
    bool splits;                 /* a group of several hops, each of which does one of these, by no named port */
} Fast;

typedef struct Slot { /* what is known of one place at the label at hand */
    uint32_t stamp;
    int32_t node;     /* NOBODY while it is on the way */
    int32_t position; /* on the way */
    int32_t state;    /* of the header, when it was met */
    uint64_t passes;  /* PASSES_WATCHED, MET_A_LOOP, MET_APART, PASSES_APART; bits of hubs (hubs.c) */
} Slot;

typedef struct Mark { /* the same for tables reached without branching, while sweeping */
    uint32_t stamp;
    int32_t node;
} Mark;

enum { PASSES_WATCHED = 1, MET_A_LOOP = 2, MET_APART = 4, PASSES_APART = 8, FIRST_HUB = 16 };
/* MET_APART: the table that stands apart is on a loop; PASSES_APART: it is on the way. Bits from FIRST_HUB on: hubs. */

typedef struct Place {
    int64_t label;
    int32_t table, context, state;
} Place;

typedef struct State { /* what source translations and port rewriting did to the header so far */
    int32_t count, to_port;
    int32_t rule[130];
} State;

typedef struct Record { /* one changed answer: attachment, [low, high), node before and after */
    int64_t low, high;
    int32_t attachment, before, after;
} Record;

typedef struct Applied { /* what a change did, until the next one */
    const Record *record;
    int64_t records;
    int32_t before; /* the group that a removed or replaced route had; 1 or 0 for a port that was up or down */
} Applied;

typedef struct Found { /* an attachment's answer that is to be put into its list, and the next one of this attachment */
    int64_t low, high;
    int32_t attachment, node, next;
} Found;

typedef struct Edit { /* one interval of a table whose next hops changed */
    int64_t low, high;
    int32_t before, after; /* groups */
} Edit;

typedef struct Reach { /* packets to [low, high) that are in table (or enter by attachment) `at` */
    int64_t low, high;
    int32_t at;
} Reach;

typedef struct Engine {
    Input in;
    int error;
    Arena arena;
    List *table;      /* [tables]: owner = route, value = group */
    List *attachment; /* [attachments]: value = node; of leaders only (answers_of) */
    int32_t *leader;  /* [attachments]: who has the answers of this one, itself or another */
    int32_t *ring;    /* [attachments]: the next attachment with the same leader, round and round */
    int32_t *leading; /* the leaders, ascending */
    int64_t leading_count;
    Route *route;
    int64_t routes, route_room;
    int32_t spare_route; /* linked by parent */
    Ints group_first, hop_kind, hop_target;
    Fast *fast, *hop_fast; /* of groups, of hops */
    int64_t groups, fast_room, hop_room;
    uint8_t *up;
    int32_t *peer, *zone; /* of ports */
    Nodes nodes;
    /* walking */
    Slot *slot; /* [tables + ports], then places off the plain way */
    int64_t slots, slot_room;
    Place *place; /* of slots from tables + ports on */
    int32_t *place_table;
    int64_t place_slots;
    uint32_t stamp;
    int64_t here, end; /* the label at hand, and how far its answer holds */
    int64_t work, limit;
    int32_t *current; /* groups of all tables at `here`, while sweeping */
    int32_t *step;    /* the same as the next table, or -1 - node, or FILTERED or SPLITS (the group's Fast says it), or BRANCHES */
    Mark *mark;
    int32_t *chain;
    bool sweeping;
    Cursor *hint;                            /* [tables]: where the last label was, while labels ascend */
    Cursor put_at;                           /* where the last answer was put */
    bool ascending;
    int32_t apart;                           /* a table whose routes do not bound how far an answer holds */
    int64_t same_end;                        /* same_...: see answer_at in answers.c */
    uint64_t passes;
    int32_t same_group;
    int32_t override_table, override_group;  /* a table that is known to have this group at the label at hand */
    int32_t watched, watched_node;           /* the table that ways are to pass, and its outcome where that is known */
    int32_t depth;
    Ints way, open, scratch, seen; /* open: places of loops that are not closed yet; seen: (table, group) pairs of this walk, while `seeing` */
    bool seeing;
    State *state;
    int64_t states, state_room;
    int32_t *state_after_start; /* [rules]: state + 1, or 0 */
    /* updates */
    int32_t *back_first, *back;         /* [tables + 1] CSR: tables with a port that leads to table t */
    int32_t *sender_first, *sender;     /* [ports + 1] CSR: ports whose peer is port p */
    int32_t *attached_first, *attached; /* [tables + 1] CSR: attachments of table t */
    Ints leak;                          /* triples (to, from, next leak of `to`): tables whose hops look up in another */
    int32_t *leak_of;                   /* [tables]: first leak into table t, or NOBODY */
    Ints foreign;                       /* pairs (table, port): routes that leave by another table's port */
    int32_t *inward;                    /* [tables]: the neighbour at which was before whatever comes from there, or NOBODY */
    bool trimmed;
    bool plain;                         /* neither translations nor policies: who is upstream is found backwards */
    bool named_ports;
    int32_t *entry_first, *entry;           /* [tables + 1] CSR: ports whose peer belongs to table t */
    Ints use;                               /* pairs (group, next): groups by what their hops lead to */
    int32_t *port_use, *table_use;          /* [ports], [tables]: first use, or NOBODY */
    bool linked;                            /* routes are found by their group; from the first update on */
    Ints group_route;                       /* [groups]: first route, or NOBODY */
    int32_t flipped;                        /* the port that changed, while its change is answered; else NOBODY */
    uint8_t *marked;                        /* [groups] while a port changes */
    int64_t marked_room;
    Ints met, met_next;                 /* queue entries of table t, linked */
    int32_t *met_first, most_met;
    uint32_t *met_stamp, met_now;
    Reach *queue, *asked, *piece; /* piece: stretches of edits, `at` the edited table's own outcome */
    int64_t queued, queue_room, asked_count, asked_room, pieces, piece_room;
    Edit *edit;
    Edit *whole; /* all edits of the table at hand, while some of them are answered one by one */
    int64_t edits, edit_room, wholes, whole_room;
    Record *record;
    int64_t records, record_room;
    Found *found;
    int64_t founds, found_room;
    int32_t *found_first, *found_last; /* [attachments]: of those in `finder` */
    Ints finder;
    int64_t *last_record; /* [attachments]: where a leader's last one is, if it has any */
    int64_t full_work, sweep_work; /* what a sweep of everything costs, in steps, and finding its stretches alone */
    int64_t budget, patience;      /* where an update becomes a sweep; see engine_patience */
    int64_t upstream_limit;    /* where the search for who is upstream ends */
    int64_t atoms, classes, collisions, sweeps;
    Hubs hubs;
    /* promises */
    uint8_t *allowed; /* [zones * zones] or NULL */
    int64_t *wrong;   /* labels that get from zone to zone against it, without a condition; [zones * zones] */
    int64_t *suspect; /* labels for which filters decide */
    int64_t *unread;  /* [zones]: labels of which something unread decides */
    int64_t wrong_pairs, suspect_pairs;
    /* what Python reads of the whole, from engine_classes until engine_class_arrays */
    int64_t *class_first, *class_low, *class_high;
    int32_t *class_node;
    int64_t class_count, interval_count;
} Engine;

static inline const List *answers_of(const Engine *e, int32_t attachment) { return &e->attachment[e->leader[attachment]]; }

static inline Ends ends_of(const Nodes *n, int32_t node) {
    const int32_t *at = n->known.at + n->ends.at[node];
    return (Ends){at[ENDS_FLAGS], at[ENDS_COUNT], at + ENDS_ZONES};
}

int32_t node_make(Engine *e, int32_t kind, int32_t a, const int32_t *children, int32_t count);
int nodes_start(Engine *e);
int nodes_expect(Engine *e, int64_t more); /* room for so many more nodes, at once */
void nodes_free(Nodes *nodes);

int32_t place_slot(Engine *e, Place place);
int64_t state_find(Engine *e, const State *wanted);
int32_t state_after(Engine *e, int32_t state, int32_t rule);

int32_t walk_attachment(Engine *e, int32_t attachment, int64_t label);
int32_t walk_table(Engine *e, int32_t table, int64_t label);
int32_t step_of(const Engine *e, int32_t group);
int walk_start(Engine *e);
void walk_begin(Engine *e, int64_t label);
void group_refresh(Engine *e, int32_t group);
int32_t group_at(const Engine *e, int32_t table, int64_t label, int64_t *end);

int tables_build(Engine *e);
int table_add(Engine *e, int32_t table, int64_t low, int64_t high, int32_t group);
int table_remove(Engine *e, int32_t table, int64_t low, int64_t high, int32_t *group);
int table_replace(Engine *e, int32_t table, int64_t low, int64_t high, int32_t group, int32_t *before);
int edit_push(Engine *e, int64_t low, int64_t high, int32_t old, int32_t new);
int table_touch(Engine *e, int32_t table, const uint8_t *marked);
int32_t table_route(const Engine *e, int32_t table, int64_t low, int64_t high);

int sweep_all(Engine *e, bool records);
int sweep_edits(Engine *e, int32_t table, bool replaced);
int record_push(Engine *e, Record record); /* of a leader; for everyone in its ring */
int sharing_build(Engine *e);
int sharing_end(Engine *e, int32_t port);
void sharing_free(Engine *e);
void classes_free(Engine *e);
int index_build(Engine *e);
void index_free(Engine *e);
int note_group(Engine *e, int32_t table, int32_t group);
void set_port(Engine *e, int32_t port, bool up);
int answer_port(Engine *e, int32_t port, bool up, bool asking);
int each_touched(Engine *e, int32_t port, int (*visit)(Engine *e, int32_t table));
int note_uses(Engine *e, int32_t group);
int routes_link(Engine *e);
void route_link(Engine *e, int32_t route);
void route_unlink(Engine *e, int32_t route);
int reach_push(Engine *e, Reach **reach, int64_t *count, int64_t *room, Reach one);
int upstream(Engine *e, int32_t table, int64_t budget);
int frontier(Engine *e, int32_t table, int64_t budget);
int ask(Engine *e, int32_t attachment, int64_t low, int64_t high);
int answer_zone(Engine *e, int32_t port);
int answer(Engine *e, int64_t low, int64_t high, int32_t watched, int32_t node);
int answer_is(Engine *e, int32_t attachment, int64_t low, int64_t high, int32_t node);
int answer_asked(Engine *e);
int answers_put(Engine *e);
int pieces_before(Engine *e, int32_t table, bool replaced, int64_t most);
int keep_changed(Engine *e, int32_t table, int64_t most);
int answer_edits(Engine *e, int32_t table, bool replaced);
void count_all(Engine *e);
void count_node(Engine *e, int32_t attachment, int32_t node, int64_t length);

/* ---- what Python calls ---- */
enum { ADD_ROUTE, REMOVE_ROUTE, REPLACE_ROUTE, PORT_DOWN, PORT_UP };
int32_t engine_abi(void);
Engine *engine_new(const Input *input, int32_t *status);
void engine_free(Engine *e);
int32_t engine_apply(Engine *e, int32_t kind, int32_t at, int64_t low, int64_t high, int32_t group, Applied *applied);
void engine_patience(Engine *e, int64_t steps);
int32_t engine_hubs(Engine *e, int64_t every);
int32_t engine_restore(Engine *e, int32_t kind, int32_t at, int64_t low, int64_t high, int32_t group, const Record *record,
                       int64_t records);
int64_t engine_batch(Engine *e, int64_t count, const int32_t *kind, const int32_t *at, const int64_t *low,
                     const int64_t *high, const int32_t *group, int64_t *nanoseconds, int64_t *changed, int32_t *status);
int32_t engine_group(Engine *e, const int32_t *kind, const int32_t *target, int32_t count);
int32_t engine_maps(Engine *e, const int64_t *first, const int64_t *start, const int64_t *target);
int32_t engine_promise(Engine *e, const uint8_t *allowed);
int64_t engine_segments(const Engine *e, int32_t attachment, int64_t *start, int32_t *node, int64_t room);
int32_t engine_at(const Engine *e, int32_t attachment, int64_t label);
int32_t engine_classes(Engine *e);
void engine_counts(const Engine *e, int64_t *counts);
void engine_nodes(Engine *e, const int32_t **column);
void engine_class_arrays(Engine *e, int64_t *first, int64_t *low, int64_t *high, int32_t *node, int32_t *column);
void engine_pairs(const Engine *e, int64_t *wrong, int64_t *suspect, int64_t *unread);
int64_t engine_lost(const Engine *e, int64_t starts, const int32_t *start, int64_t label, int64_t marked,
                    const int32_t *mark, int32_t changed, int32_t group, uint64_t *set, int64_t room);
int64_t engine_routes(const Engine *e, int32_t *table, int64_t *low, int64_t *high, int32_t *group);
void engine_ups(const Engine *e, uint8_t *up);
int32_t engine_route(const Engine *e, int32_t table, int64_t label, int64_t *low, int64_t *high);

#endif
