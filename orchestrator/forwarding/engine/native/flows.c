/* Registered flows over an engine's answers: which of them an update concerns, and whether they work.
 *
 * A flow hangs on the answers for its labels at the attachments where its packet, and its answer, may be sent, and on
 * the filters that they meet. What an update concerns is marked; marked flows are judged when somebody asks, and only
 * those whose verdict has become another are told (and those that a walker has to decide, each time).
 */
#include "flows.h"

#include <stdlib.h>
#include <string.h>

static int mark(Flows *flows, int32_t flow) {
    if (flows->marked[flow]) return OK;
    flows->marked[flow] = 1;
    return ints_push(&flows->queue, flow);
}

static int64_t place_at(const FlowRows *rows, int32_t attachment, int64_t label) {
    int64_t from = rows->place_first[attachment], to = rows->place_first[attachment + 1];
    while (from < to) {
        int64_t middle = (from + to) / 2;
        if (rows->place_label[middle] < label)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* An update has been applied that gave these answers: flows that hang on them are marked, and those that the walker
 * decides, as other ways may lead to the same end over other memories. How many are marked now, or an error. */
int64_t flows_changed(Flows *flows, const Record *record, int64_t records) {
    const FlowRows *rows = &flows->rows;
    for (int64_t i = 0; i < records; i++) {
        int64_t place = place_at(rows, record[i].attachment, record[i].low);
        int64_t end = rows->place_first[record[i].attachment + 1];
        for (; place < end && rows->place_label[place] < record[i].high; place++)
            if (mark(flows, rows->place_flow[place])) return NO_MEMORY;
    }
    for (int32_t flow = 0; flow < rows->flows && flows->slow; flow++)
        if (flows->verdict[flow] == FLOW_SLOW && mark(flows, flow)) return NO_MEMORY;
    return flows->queue.count;
}

/* A row behind those of a filter: they move to the end, with twice the room, when there is none. NULL: no memory. */
static Met *met_push(Flows *flows, MetBy *by) {
    if (by->count == by->room) {
        int32_t room = by->room * 2 + 8;
        if (flows->mets + room > flows->met_room) {
            int64_t wider = flows->met_room * 2 + room + 1024;
            Met *more = realloc(flows->met, (size_t)wider * sizeof *more);
            if (!more) return NULL;
            flows->met = more;
            flows->met_room = wider;
        }
        if (by->count) memcpy(flows->met + flows->mets, flows->met + by->first, (size_t)by->count * sizeof *flows->met);
        *by = (MetBy){flows->mets, by->count, room};
        flows->mets += room;
    }
    return &flows->met[by->first + by->count++];
}

int flow_meets(Flows *flows, int32_t flow, int32_t filter) {
    for (int32_t i = flows->of_flow[flow]; i >= 0; i = flows->meeting[i].next)
        if (flows->meeting[i].filter == filter) return OK;
    if (flows->meetings == flows->meeting_room) {
        int64_t room = flows->meeting_room * 2 + 64;
        Meeting *more = realloc(flows->meeting, (size_t)room * sizeof *more);
        if (!more) return NO_MEMORY;
        flows->meeting = more;
        flows->meeting_room = room;
    }
    Met *met = met_push(flows, &flows->of_filter[filter]);
    if (!met) return NO_MEMORY;
    *met = (Met){flows->rows.source[flow], flows->rows.destination[flow], flow};
    flows->meeting[flows->meetings] = (Meeting){filter, flows->of_flow[flow]};
    flows->of_flow[flow] = (int32_t)flows->meetings++;
    return OK;
}

static bool within(int64_t label, int64_t low, int64_t high) { return low <= label && label < high; }

static bool concerns(const Area *area, int64_t source, int64_t destination) {
    return within(source, area->low, area->high) && within(destination, area->to_low, area->to_high);
}

/* Entries for these labels came to a filter or went: flows that meet the filter with such a header are marked. How many are
 * marked now, or NO_MEMORY. */
int64_t flows_entries(Flows *flows, int32_t filter, const Area *area, int64_t areas) {
    const MetBy *by = &flows->of_filter[filter];
    for (int32_t i = 0; i < by->count; i++) {
        const Met *one = &flows->met[by->first + i];
        for (int64_t k = 0; k < areas; k++) {
            bool goes = concerns(&area[k], one->source, one->destination);
            bool comes = concerns(&area[k], one->destination, one->source);
            if ((goes || comes) && mark(flows, one->flow)) return NO_MEMORY;
        }
    }
    return flows->queue.count;
}

static int tell(Flows *flows, int32_t flow, uint8_t verdict) {
    uint8_t before = flows->verdict[flow];
    flows->slow += (verdict == FLOW_SLOW) - (before == FLOW_SLOW);
    flows->verdict[flow] = verdict;
    if (verdict == before && verdict != FLOW_SLOW) return OK;
    return ints_push(&flows->told, flow) || ints_push(&flows->told, verdict) ? NO_MEMORY : OK;
}

/* Judge the marked flows. `told`: pairs of flow and verdict, of those that have another one, and of slow ones; how many
 * pairs, or an error. */
int64_t flows_judge(Flows *flows, const filter_view *view, const int32_t **told) {
    flows->view = view;
    flows->told.count = 0;
    for (int64_t i = 0; i < flows->queue.count; i++) {
        int32_t flow = flows->queue.at[i];
        int verdict = flow_judge(flows, flow);
        if (verdict < 0 || tell(flows, flow, (uint8_t)verdict)) return NO_MEMORY;
        flows->marked[flow] = 0;
    }
    flows->queue.count = 0;
    *told = flows->told.at;
    return flows->told.count / 2;
}

/* All flows are marked. NULL: no memory. */
Flows *flows_new(const Engine *engine, const FlowRows *rows, int64_t filters) {
    Flows *flows = calloc(1, sizeof *flows);
    if (!flows) return NULL;
    *flows = (Flows){.engine = engine, .rows = *rows, .filters = filters,
                     .verdict = malloc((size_t)rows->flows + 1), .marked = calloc((size_t)rows->flows + 1, 1),
                     .of_flow = malloc(((size_t)rows->flows + 1) * sizeof *flows->of_flow),
                     .of_filter = calloc((size_t)filters + 1, sizeof *flows->of_filter)};
    bool fine = flows->verdict && flows->marked && flows->of_flow && flows->of_filter;
    if (fine) {
        memset(flows->verdict, FLOW_NEW, (size_t)rows->flows);
        memset(flows->of_flow, 0xff, (size_t)rows->flows * sizeof *flows->of_flow);
    }
    for (int32_t flow = 0; flow < rows->flows && fine; flow++) fine = mark(flows, flow) == OK;
    if (fine) return flows;
    flows_free(flows);
    return NULL;
}

void flows_free(Flows *flows) {
    if (!flows) return;
    free(flows->verdict);
    free(flows->marked);
    free(flows->queue.at);
    free(flows->told.at);
    free(flows->known);
    free(flows->meeting);
    free(flows->of_flow);
    free(flows->of_filter);
    free(flows->met);
    free(flows);
}
