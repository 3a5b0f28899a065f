/* What becomes of a flow's packet and of its answer, as far as the engine's answers and single filter entries say it. */
#include "flows.h"

#include <stdlib.h>

/* A fate is a zone that the packet is surely delivered to, or one of these. Equal-cost ways together: the last in this
 * row that one of them has; SEVERAL: to more than one zone. */
enum { NOWHERE = -1, SEVERAL = -2, UNREAD = -3, SLOW = -4, FAILS = -5 };

typedef struct Header { /* as it is at every node: what is rewritten is for the walker */
    Flows *flows;
    int32_t flow, atom;
    int64_t source, destination;
    bool answer, everywhere;  /* everywhere: every device knows the connection that it answers */
    int32_t device, other;    /* the devices that know it for certain, or NOBODY */
} Header;

static int32_t together(int32_t one, int32_t other) {
    if (one >= 0 && other >= 0) return one == other ? one : SEVERAL;
    return one < other ? one : other;
}

static bool holds(const filter_view *view, int32_t match, int32_t atom) {
    if (view->words) return view->words[match * view->width + (atom >> 6)] >> (atom & 63) & 1;
    for (int64_t run = view->run_first[match]; run < view->run_first[match + 1]; run++)
        if (atom >= view->runs[2 * run] && atom < view->runs[2 * run + 1]) return true;
    return false;
}

/* What the first entry that matches does, or the filter's default. */
static int32_t action_of(const Header *header, int32_t variant) {
    const filter_view *view = header->flows->view;
    int32_t filter = view->variant_filter[variant], port = view->variant_port[variant];
    int64_t end = view->start[filter] + view->count[filter];
    for (int64_t row = view->start[filter]; row < end; row++)
        if (view->source_low[row] <= header->source && header->source < view->source_high[row] &&
            view->destination_low[row] <= header->destination && header->destination < view->destination_high[row] &&
            (view->in_port[row] < 0 || view->in_port[row] == port) && holds(view, view->match[row], header->atom))
            return view->action[row];
    return view->otherwise[filter];
}

/* Whether all devices at which packets meet a filter have seen what this is the answer to. */
static bool remembered(const Header *header, int32_t filter) {
    const FlowRows *rows = &header->flows->rows;
    if (!header->answer || !rows->stateful[filter]) return false;
    if (header->everywhere) return true;
    int32_t begin = rows->filter_first[filter], end = rows->filter_first[filter + 1];
    for (int32_t i = begin; i < end; i++)
        if (rows->filter_device[i] != header->device && rows->filter_device[i] != header->other) return false;
    return begin < end;
}

static int32_t fate_of(const Header *header, int32_t node);

static int32_t filtered(const Header *header, int32_t node) {
    const Nodes *n = &header->flows->engine->nodes;
    const int32_t *below = n->children.at + n->first.at[node];
    bool branches = n->kind.at[node] == BRANCH_FILTER;
    int32_t variant = n->a.at[node], filter = header->flows->view->variant_filter[variant];
    if (flow_meets(header->flows, header->flow, filter)) header->flows->error = NO_MEMORY;
    int32_t action = !branches && remembered(header, filter) ? ACTION_PERMIT : action_of(header, variant);
    if (action == ACTION_UNKNOWN) return UNREAD;
    if (action == ACTION_PERMIT) return fate_of(header, below[0]);
    return branches ? fate_of(header, below[1]) : FAILS;
}

static int32_t find_fate(const Header *header, int32_t node) {
    const Nodes *n = &header->flows->engine->nodes;
    int32_t found = NOWHERE;
    switch (n->kind.at[node]) {
    case DROP:
    case LOOP: return FAILS;
    case UNKNOWN: return UNREAD;
    case DELIVER: return n->a.at[node];
    case FILTER:
    case BRANCH_FILTER: return filtered(header, node);
    case EITHER:
        found = fate_of(header, n->children.at[n->first.at[node]]);
        for (int32_t i = n->first.at[node] + 1; i < n->first.at[node + 1] && found != FAILS; i++)
            found = together(found, fate_of(header, n->children.at[i]));
        return found;
    default: return SLOW;
    }
}

static int32_t fate_of(const Header *header, int32_t node) {
    Known *known = &header->flows->known[node];
    if (known->stamp != header->flows->now) {
        int32_t fate = find_fate(header, node);
        *known = (Known){header->flows->now, fate};
    }
    return known->fate;
}

/* A header that begins on a way, at all its attachments. */
static int32_t sent(const Header *header, int32_t way) {
    const Flows *flows = header->flows;
    const int32_t *first = flows->rows.start_first;
    int32_t found = FAILS;
    for (int32_t i = first[way]; i < first[way + 1] && (i == first[way] || found != FAILS); i++) {
        int32_t fate = fate_of(header, engine_at(flows->engine, flows->rows.start[i], header->destination));
        found = i == first[way] ? fate : together(found, fate);
    }
    return found;
}

/* A new question: what is known of nodes counts no more. */
static int ask_anew(Flows *flows) {
    int64_t nodes = flows->engine->nodes.kind.count;
    if (++flows->now && flows->known_room >= nodes) return OK;
    free(flows->known);
    flows->known = calloc((size_t)nodes * 2, sizeof *flows->known);
    flows->known_room = flows->known ? nodes * 2 : 0;
    flows->now = 1;
    return flows->known ? OK : NO_MEMORY;
}

/* The device that a way begins at, or NOBODY when it begins at several. */
static int32_t begins_at(const FlowRows *rows, int32_t way) {
    int32_t found = NOBODY;
    for (int32_t i = rows->start_first[way]; i < rows->start_first[way + 1]; i++) {
        int32_t device = rows->attachment_device[rows->start[i]];
        if (i > rows->start_first[way] && device != found) return NOBODY;
        found = device;
    }
    return found;
}

static int verdict_of(int32_t fate) { return fate == SLOW ? FLOW_SLOW : fate == UNREAD ? FLOW_UNREAD : FLOW_FAILS; }

int flow_judge(Flows *flows, int32_t flow) {
    const FlowRows *rows = &flows->rows;
    int32_t there = rows->way_first[flow], way = there + 1, end = rows->way_first[flow + 1];
    Header packet = {flows,          flow,  rows->atom[2 * flow], rows->source[flow], rows->destination[flow], false, false,
                     NOBODY, NOBODY};
    if (rows->atom[2 * flow + 1] < 0) return FLOW_FAILS; /* nothing answers such a packet */
    if (ask_anew(flows)) return NO_MEMORY;
    int32_t zone = sent(&packet, there);
    if (zone < 0) return flows->error ? flows->error : verdict_of(zone);
    while (way < end && rows->way_zone[way] != zone) way++;
    if (way == end || rows->start_first[way] == rows->start_first[way + 1]) return FLOW_FAILS;
    Header answer = {flows, flow, rows->atom[2 * flow + 1], rows->destination[flow], rows->source[flow], true, false,
                     begins_at(rows, there), rows->zone_device[zone]};
    if (ask_anew(flows)) return NO_MEMORY;
    if (sent(&answer, way) == rows->way_zone[there]) return flows->error ? flows->error : FLOW_WORKS;
    answer.everywhere = true;
    if (ask_anew(flows)) return NO_MEMORY;
    int32_t hoped = sent(&answer, way);
    if (flows->error) return flows->error;
    return hoped == rows->way_zone[there] ? FLOW_SLOW : verdict_of(hoped); /* it hangs on what other devices remember */
}
