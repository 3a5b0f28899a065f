/* Registered flows over an engine's answers. See flows.c and flows_way.c. */
#ifndef ONEFOLD_FLOWS_H
#define ONEFOLD_FLOWS_H

#include "core.h"
#include "filters.h"

/* Arrays are Python's, kept alive by it. A flow's first way is its packet's, the others are its answer's, one from each
 * zone that can send it. Addresses are labels. */
typedef struct FlowRows {
    int64_t flows;
    const int64_t *source, *destination;          /* [flows] of the packet; the answer has them swapped */
    const int32_t *atom;                          /* [flows, 2] services: of the packet, of its answer (NOBODY: it has none) */
    const int32_t *way_first;                     /* [flows + 1] */
    const int32_t *way_zone;                      /* [ways] who sends it */
    const int32_t *start_first, *start;           /* [ways + 1]: attachments where it is sent */
    const int32_t *place_first;                   /* [attachments + 1]: flows that hang on an attachment's answers: */
    const int64_t *place_label;                   /* ascending labels, */
    const int32_t *place_flow;                    /* and the flow */
    const int32_t *attachment_device;             /* [attachments] */
    const int32_t *zone_device;                   /* [zones] where all its attachments are; NOBODY: several devices */
    const int32_t *filter_first, *filter_device;  /* [filters + 1]: devices at whose ports packets meet a filter */
    const uint8_t *stateful;                      /* [filters] */
} FlowRows;

/* On some equal-cost way at least; something nobody could read decides; for a walker to decide. */
enum { FLOW_WORKS, FLOW_FAILS, FLOW_UNREAD, FLOW_SLOW, FLOW_NEW };

typedef struct Known { /* what becomes of a header at a node, in the question `stamp` */
    uint32_t stamp;
    int32_t fate;
} Known;

typedef struct Meeting { /* a filter that a flow's headers meet, and the flow's next one */
    int32_t filter, next;
} Meeting;

typedef struct Met { /* a flow whose headers meet a filter: those of one filter side by side, as they are all looked at */
    int64_t source, destination;
    int32_t flow;
} Met;

typedef struct MetBy { /* rows of Flows.met from `first` on; `room` for so many */
    int64_t first;
    int32_t count, room;
} MetBy;

typedef struct Flows {
    const Engine *engine;
    FlowRows rows;
    const filter_view *view; /* filters as they are now, set by every question */
    uint8_t *verdict;        /* [flows] */
    uint8_t *marked;         /* [flows]: to be judged again */
    int64_t slow;            /* how many the walker decides */
    Ints queue, told;        /* marked flows; flow and verdict, one after the other */
    Known *known;            /* [nodes] */
    int64_t known_room;
    uint32_t now;
    Meeting *meeting;
    int64_t meetings, meeting_room;
    int32_t *of_flow; /* [flows]: first meeting, or NOBODY */
    MetBy *of_filter; /* [filters] */
    Met *met;
    int64_t mets, met_room;
    int64_t filters;
    int error;
} Flows;

int flow_judge(Flows *flows, int32_t flow); /* FLOW_WORKS ... FLOW_SLOW, or NO_MEMORY */
int flow_meets(Flows *flows, int32_t flow, int32_t filter);

/* ---- what Python calls ---- */
typedef struct Area { /* labels that an entry is about: [low, high) of sources, [to_low, to_high) of destinations */
    int64_t low, high, to_low, to_high;
} Area;

Flows *flows_new(const Engine *engine, const FlowRows *rows, int64_t filters);
void flows_free(Flows *flows);
int64_t flows_changed(Flows *flows, const Record *record, int64_t records);
int64_t flows_entries(Flows *flows, int32_t filter, const Area *area, int64_t areas);
int64_t flows_judge(Flows *flows, const filter_view *view, const int32_t **told);

#endif
