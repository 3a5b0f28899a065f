"""Prefix lists and route maps: what of a route may pass, and changed in which way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.forwarding.control.design import MapEntry, Prefix, PrefixList, PrefixRule, RouteMap, Router


@dataclass(frozen=True, slots=True)
class Announced:
    """What a route map sees and sets; None where nothing is said."""

    prefix: Prefix
    tag: int = 0
    communities: frozenset[str] = frozenset()
    metric: int | None = None
    external_type: int | None = None
    local_preference: int | None = None
    prepend: tuple[int, ...] = ()


class Filters:
    """The prefix lists and route maps of one router, by name."""

    def __init__(self, router: Router) -> None:
        self.lists: Mapping[str, PrefixList] = {one.name: one for one in router.prefix_lists}
        self.maps: Mapping[str, RouteMap] = {one.name: one for one in router.route_maps}

    def passes(self, name: str | None, prefix: Prefix) -> bool:
        """Return whether the prefix list lets the prefix pass; without a name everything passes."""
        if name is None:
            return True
        return next((rule.permit for rule in self.lists[name].rules if covers(rule, prefix)), False)

    def apply(self, name: str | None, route: Announced) -> Announced | None:
        """Return the route as the route map leaves it, or None when it is denied; without a name nothing changes."""
        if name is None:
            return route
        entry = next((entry for entry in self.maps[name].entries if self._matches(entry, route)), None)
        if entry is None or not entry.permit:
            return None
        return _set(entry, route)

    def _matches(self, entry: MapEntry, route: Announced) -> bool:
        if entry.match_prefixes is not None and not self.passes(entry.match_prefixes, route.prefix):
            return False
        if entry.match_tag is not None and entry.match_tag != route.tag:
            return False
        return entry.match_community is None or entry.match_community in route.communities


def covers(rule: PrefixRule, prefix: Prefix) -> bool:
    """Return whether a line of a prefix list matches: inside its prefix, and of a length between its bounds.

    Without bounds only the prefix itself matches; with `at_least` alone every longer one up to a host's.
    """
    if rule.prefix.version != prefix.version:
        return False
    low = rule.at_least if rule.at_least is not None else rule.prefix.prefixlen
    longest = rule.prefix.prefixlen if rule.at_least is None else rule.prefix.max_prefixlen
    high = rule.at_most if rule.at_most is not None else longest
    return low <= prefix.prefixlen <= high and contains(rule.prefix, prefix)


def contains(outer: Prefix, inner: Prefix) -> bool:
    """Return whether `inner` lies inside `outer`; prefixes of two families never do."""
    if outer.version != inner.version or inner.prefixlen < outer.prefixlen:
        return False
    shift = outer.max_prefixlen - outer.prefixlen
    return int(outer.network_address) >> shift == int(inner.network_address) >> shift


def _set(entry: MapEntry, route: Announced) -> Announced:
    return replace(
        route,
        tag=route.tag if entry.set_tag is None else entry.set_tag,
        metric=route.metric if entry.set_metric is None else entry.set_metric,
        external_type=route.external_type if entry.set_external_type is None else entry.set_external_type,
        local_preference=route.local_preference if entry.set_local_preference is None else entry.set_local_preference,
        prepend=(*entry.set_prepend, *route.prepend),
        communities=route.communities | frozenset(entry.set_communities),
    )
