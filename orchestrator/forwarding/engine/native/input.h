/* What Python hands over. */
#ifndef ONEFOLD_INPUT_H
#define ONEFOLD_INPUT_H

#include <stdint.h>

/* ---- input: arrays that Python owns and keeps alive as long as the engine lives ---- */
typedef struct Input {
    int64_t tables, ports, groups, routes, filters, rules, translations, policies, attachments, zones, hops;
    const int32_t *route_table, *route_group;
    const int64_t *route_low, *route_high;
    const uint8_t *route_length;
    const int32_t *group_first, *hop_kind, *hop_target;
    const int32_t *port_table, *port_peer, *port_zone, *port_context; /* context 0: no match names the port */
    const uint8_t *port_up;
    const int32_t *ingress_first, *ingress_kind, *ingress_index, *egress_first, *egress_kind, *egress_index;
    const int32_t *variant_first, *named_first, *named; /* variants of filter f: one, and one per named context */
    const uint8_t *variant_unread; /* something in it is not understood: it may end a packet's way as unknown */
    const int32_t *translation_first, *rule_kind, *rule_context, *rule_length, *rule_to_port;
    const int64_t *rule_low, *rule_high; /* destinations that rule r may match */
    const int64_t *map_first, *map_start, *map_target; /* destination rules: rewritten label from start on */
    const int32_t *policy_first, *policy_filter, *policy_group;
    const int32_t *attachment_port, *attachment_zone;
} Input;

#endif
