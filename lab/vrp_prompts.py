"""How VRP names a view in its prompt: ``[SW-Vlanif10]``, ``[SW-bgp-af-ipv4]``, ``[SW-acl-adv-3000]``."""

import re

_NAMES: tuple[tuple[str, str], ...] = (
    # Inner views first: a name may hold slashes itself, as interfaces do.
    (r"ip vpn-instance (\S+)/(ipv[46])-family", r"-vpn-instance-\1-af-\2"),
    (r"bgp \S+/(ipv[46])-family unicast", r"-bgp-af-\1"),
    (r"bgp \S+/ipv4-family vpn-instance (\S+)", r"-bgp-\1"),
    (r"bgp \S+/ipv4-family (\S+)", r"-bgp-af-\1"),
    (r"ospf (\d+)[^/]*/area (\S+)", r"-ospf-\1-area-\2"),
    (r"interface (\S+)", r"-\1"),
    (r"vlan (\d+)", r"-vlan\1"),
    (r"ip vpn-instance (\S+)", r"-vpn-instance-\1"),
    (r"bgp \S+", "-bgp"),
    (r"ospf (\d+).*?", r"-ospf-\1"),
    (r"acl number (2\d+)", r"-acl-basic-\1"),
    (r"acl number (3\d+)", r"-acl-adv-\1"),
    (r"acl name (\S+).*", r"-acl-\1"),
    (r"user-interface (\S+) (\d+)(?: (\d+))?", r"-ui-\1\2-\3"),
    (r"aaa", "-aaa"),
    (r"route-policy .*", "-route-policy"),
)
_PATTERNS = tuple((re.compile(pattern), name) for pattern, name in _NAMES)


def view_name(path: tuple[str, ...]) -> str:
    """The part of the prompt after the system name; empty in the system view."""
    whole = "/".join(path)
    if not path:
        return ""
    for pattern, name in _PATTERNS:
        found = pattern.fullmatch(whole)
        if found is not None:
            return found.expand(name).rstrip("-")
    return "-" + path[-1].replace(" ", "-")
