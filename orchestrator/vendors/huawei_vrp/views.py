"""The VRP commands this product writes and the emulator accepts, view by view.

A template is written in words. ``<kind>`` is a parameter of words.PARAMETERS; ``{a|b}`` one of some words;
``[...]`` may be left out; ``<vlans>`` and ``<rds>`` are lists; ``<options>`` are the conditions of an ACL rule;
``...`` is any words, at least one. A lone ``|`` ends the key: two lines with the same command and key are the same
setting, the later one wins. Without ``|`` the whole line is the key.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """One command of one view."""

    template: str
    opens: str = ""
    """The view that the command enters; empty for a plain setting."""
    removal: int = 0
    """How many words follow ``undo`` when the setting is removed; 0 means the key, -1 the whole line."""
    shortest: int = 0
    """The fewest words that ``undo`` accepts; 0 means the words of `removal`."""
    overwrites: bool = True
    """Whether a new value replaces the old one; False means that the box wants the old one removed first."""
    standing: bool = False
    """A view the box always has: it can be emptied, never removed."""


_FAMILY = (
    Command("peer <peer> as-number | <as>", removal=2, overwrites=False),
    Command("peer <peer> {description|connect-interface|password|ebgp-max-hop|timer|bfd|group|local-as} | ..."),
    Command("peer <peer> {ebgp-max-hop|bfd|enable|next-hop-local|reflect-client|default-route-advertise}"),
    Command("peer <peer> {substitute-as|advertise-community|keep-all-routes}"),
    Command("peer <peer> {route-policy|ip-prefix} <word> {import|export}"),
    Command("peer <peer> {route-limit|preferred-value|allow-as-loop} | ..."),
    Command("import-route {direct|static|unr} | [med <number>] [route-policy <word>]"),
    Command("import-route {ospf|isis|rip} <number> | [med <number>] [route-policy <word>]"),
    Command("network <ipv4> [<mask>] [route-policy <word>]"),
    Command("router-id | <ipv4>"),
    Command("preference | ..."),
    Command("maximum load-balancing | ..."),
    Command("default-route imported"),
    Command("advertise l2vpn evpn"),
    Command("undo synchronization"),
    Command("undo policy vpn-target"),
)

VIEWS: dict[str, tuple[Command, ...]] = {
    "system": (
        Command("sysname | <word>"),
        Command("vlan batch <vlans>"),
        Command("vlan <vlan>", opens="vlan"),
        Command("interface <interface>", opens="interface"),
        Command("ip vpn-instance <word>", opens="vpn-instance"),
        Command("bgp | <as>", opens="bgp", removal=-1, shortest=1, overwrites=False),
        Command("ospf <number> | [router-id <ipv4>] [vpn-instance <word>]", opens="ospf"),
        Command("acl number <basic>", opens="acl-basic"),
        Command("acl number <advanced>", opens="acl-advanced"),
        Command("acl name <word> | [<advanced>]", opens="acl-advanced"),
        Command("acl name <word> | <basic>", opens="acl-basic"),
        Command("user-interface maximum-vty | <number>"),
        Command("user-interface {vty|con} <number> [<number>]", opens="user-interface", standing=True),
        Command("aaa", opens="aaa", standing=True),
        Command("route-policy <word> <action> node <number>", opens="route-policy"),
        Command("ip ip-prefix <word> index <number> | <action> <ipv4> <number> [greater-equal <number>]"
                " [less-equal <number>]"),
        Command("ip route-static <ipv4> <mask> [<interface>] [<ipv4>] | [preference <number>] [tag <number>]"
                " [description ...]", shortest=4),
        Command("ip route-static vpn-instance <word> <ipv4> <mask> [<interface>] [<ipv4>] | [preference <number>]"
                " [tag <number>] [description ...]", shortest=6),
        Command("ip route-static <ipv4> <mask> vpn-instance <word> <ipv4> | [preference <number>] [description ...]"),
        Command("router id | <ipv4>"),
        Command("mpls lsr-id | <ipv4>"),
        Command("mpls", opens="opaque"),
        Command("mpls ldp", opens="opaque"),
        Command("stelnet [{ipv4|ipv6}] server enable"),
        Command("ssh server permit interface | ..."),
        Command("ssh server-source -i | <interface>"),
        Command("ssh server {port|timeout|authentication-retries|rekey-interval} | <number>"),
        Command("ssh server {cipher|hmac|key-exchange|publickey} | ..."),
        Command("ssh user <word>"),
        Command("ssh user <word> {authentication-type|service-type|sftp-directory|assign} | ..."),
        Command("ssh authorization-type default {aaa|root|password}"),
        Command("ntp-service {unicast-server|unicast-peer} <ipv4> | [vpn-instance <word>] [preference]"),
        Command("ntp-service {source-interface|max-distance} | ..."),
        Command("ntp-service authentication enable"),
        Command("snmp-agent"),
        Command("snmp-agent sys-info {contact|location|version} | ..."),
        Command("snmp-agent {local-engineid|udp-port} | <word>"),
        Command("snmp-agent trap enable"),
        Command("snmp-agent {community|target-host|group|usm-user|mib-view|trap|protocol} ..."),
        Command("info-center enable"),
        Command("info-center loghost source | <interface>"),
        Command("info-center loghost <ipv4> | [vpn-instance <word>] [facility <word>]"),
        Command("info-center {source|channel|timestamp|logbuffer} ..."),
        Command("clock timezone | ..."),
        Command("dns {resolve|server|domain} ..."),
        Command("lldp enable"),
        Command("stp {enable|disable}"),
        Command("stp {mode|region-configuration|instance} | ..."),
        Command("undo {telnet|http|ftp} server enable"),
        Command("undo {info-center|lldp} enable"),
    ),
    "vlan": (Command("description | ..."), Command("name | <word>")),
    "interface": (
        Command("description | ..."),
        Command("ip binding vpn-instance | <word>", removal=-1, shortest=3),
        Command("ip address | <ipv4> <mask>", removal=-1, shortest=2),
        Command("ip address <ipv4> <mask> sub", shortest=2),
        Command("ipv6 enable"),
        Command("ipv6 address <word> [<number>]", shortest=2),
        Command("{mtu|speed|duplex|mode|eth-trunk} | ..."),
        Command("shutdown"),
        Command("dot1q termination vid | <vlan>", removal=-1),
        Command("vlan-type dot1q | <vlan>"),
        Command("arp broadcast enable"),
        Command("port link-type | {access|trunk|hybrid}"),
        Command("port default vlan | <vlan>"),
        Command("port {trunk|hybrid} pvid vlan | <vlan>"),
        Command("port trunk allow-pass vlan <vlans>"),
        Command("port hybrid {tagged|untagged} vlan <vlans>"),
        Command("ospf {cost|network-type|dr-priority} | <word>"),
        Command("ospf enable <number> area <area>"),
        Command("traffic-filter {inbound|outbound} | acl <number>", shortest=2),
        Command("traffic-filter {inbound|outbound} | acl name <word>", shortest=2),
        Command("traffic-policy <word> {inbound|outbound}"),
        Command("mpls [ldp]"),
        Command("{stp|lldp|nat|dhcp|trust|bpdu} ..."),
        Command("statistic enable"),
        Command("undo portswitch"),
        Command("undo lldp enable"),
    ),
    "vpn-instance": (
        Command("description | ..."),
        Command("ipv4-family", opens="vpn-family"),
        Command("ipv6-family", opens="vpn-family"),
    ),
    "vpn-family": (
        # Removing the distinguisher means removing the family: the box has no `undo route-distinguisher`.
        Command("route-distinguisher | <rd>", shortest=99, overwrites=False),
        Command("vpn-target <rds> {export-extcommunity|import-extcommunity}"),
        Command("{import|export} route-policy | <word>"),
        Command("routing-table limit | ..."),
        Command("tnl-policy | <word>"),
        Command("apply-label per-instance"),
    ),
    "bgp": (
        *_FAMILY,
        Command("group <word> {external|internal}"),
        Command("ipv4-family unicast", opens="bgp-family", standing=True),
        Command("ipv4-family vpnv4", opens="bgp-family"),
        Command("ipv4-family vpn-instance <word>", opens="bgp-vpn"),
        Command("ipv6-family {unicast|vpnv6}", opens="bgp-family"),
        Command("undo default ipv4-unicast"),
        Command("graceful-restart"),
    ),
    "bgp-family": _FAMILY,
    "bgp-vpn": _FAMILY,
    "ospf": (
        Command("area <area>", opens="ospf-area"),
        Command("import-route {direct|static|bgp} | [cost <number>] [type <number>] [route-policy <word>]"),
        Command("default-route-advertise | [always]"),
        Command("silent-interface {all|<interface>}"),
        Command("{bandwidth-reference|preference|spf-schedule-interval} | ..."),
        Command("vpn-instance-capability simple"),
    ),
    "ospf-area": (
        Command("network <ipv4> <wildcard>"),
        Command("{authentication-mode|stub|nssa} | ..."),
        Command("{stub|nssa}"),
    ),
    "acl-basic": (
        Command("rule <number> | <action> [<options>]"),
        Command("description | ..."),
        Command("step | <number>"),
    ),
    "acl-advanced": (
        Command("rule <number> | <action> {ip|tcp|udp|icmp|ospf|gre|igmp|<number>} [<options>]"),
        Command("description | ..."),
        Command("step | <number>"),
    ),
    "user-interface": (
        Command("{authentication-mode|idle-timeout|screen-length|history-command} | ..."),
        Command("protocol inbound | {ssh|telnet|all}"),
        Command("user privilege level | <number>"),
        Command("set authentication password | ..."),
        Command("acl <number> {inbound|outbound}"),
    ),
    "aaa": (
        Command("local-user <word> {password|privilege|service-type|level|state|idle-timeout} | ...", shortest=2),
        Command("{authentication-scheme|authorization-scheme|accounting-scheme|domain} <word>", opens="opaque"),
        Command("local-aaa-user ..."),
    ),
    "route-policy": (Command("{if-match|apply} ..."), Command("description | ...")),
    "opaque": (Command("..."),),
}  # fmt: skip
