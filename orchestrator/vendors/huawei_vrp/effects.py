"""What a VRP box does beside the line typed: what it demands first, and what goes with it.

Binding an interface to a VPN instance clears its addresses; removing an instance removes what used it; a VLAN with
a Vlanif cannot be removed. Source: Huawei command references, `ip binding vpn-instance`, `undo ip vpn-instance`,
`undo vlan`, `peer as-number`.
"""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Interface

from orchestrator.errors import DeviceError
from orchestrator.vendors.huawei_vrp.grammar import Match

Settings = dict[str, "Settings"]


class DemandError(DeviceError):
    """The box demands something else first; the message is what it prints."""


_BINDING = "ip binding vpn-instance "


def _bound(interface: Settings) -> str | None:
    return next((line.removeprefix(_BINDING) for line in interface if line.startswith(_BINDING)), None)


def addresses(interface: Settings) -> Iterator[IPv4Interface]:
    """The IPv4 addresses of an interface, primary and secondary."""
    for line in interface:
        words = line.split()
        if words[:2] == ["ip", "address"] and len(words) >= 4:
            yield IPv4Interface(f"{words[2]}/{words[3]}")


@lru_cache(maxsize=65536)
def _span(line: str) -> tuple[int, int]:
    """The first and last address of the prefix that an interface line sets; (1, 0) when it sets none."""
    for address in addresses({line: {}}):
        return int(address.network.network_address), int(address.network.broadcast_address)
    return 1, 0


def _interfaces(settings: Settings) -> Iterator[tuple[str, Settings]]:
    return ((line, children) for line, children in settings.items() if line.startswith("interface "))


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise DemandError(f"Error: {message}")


def _routable(settings: Settings, name: str) -> bool:
    family = settings.get(f"ip vpn-instance {name}", {}).get("ipv4-family", {})
    return any(line.startswith("route-distinguisher ") for line in family)


def before_set(settings: Settings, path: tuple[str, ...], found: Match) -> None:
    """Raise DemandError when the box would refuse an understood line for what it holds or lacks."""
    words = found.words
    if not path:
        _before_system(settings, words)
    elif path[0].startswith("interface "):
        _before_interface(settings, path[0], words)
    elif path[0].startswith("ip vpn-instance ") and words[0] == "vpn-target":
        _demand(_routable(settings, path[0].split()[2]), "Configure the route distinguisher first.")
    elif path[0].startswith("bgp "):
        _before_bgp(settings, path, words)


def _before_system(settings: Settings, words: tuple[str, ...]) -> None:
    if words[0] == "interface" and words[1].startswith("Vlanif"):
        number = words[1].removeprefix("Vlanif")
        _demand(number == "1" or f"vlan {number}" in settings, "The VLAN does not exist.")
    if words[:3] == ("ip", "route-static", "vpn-instance"):
        _demand(_routable(settings, words[3]), "The VPN instance does not exist.")


def _before_interface(settings: Settings, opener: str, words: tuple[str, ...]) -> None:
    here = settings[opener]
    if words[:2] == ("ip", "binding"):
        _demand(f"ip vpn-instance {words[3]}" in settings, "The specified VPN instance does not exist.")
    if words[:2] != ("ip", "address"):
        return
    first, last = _span(" ".join(words))
    _demand(words[-1] != "sub" or any(True for _ in addresses(here)), "Configure the primary address first.")
    for other, children in _interfaces(settings):
        if other != opener and _bound(children) == _bound(here):
            clash = any(first <= high and low <= last for low, high in map(_span, children))
            _demand(not clash, f"The specified address conflicts with another address ({other.split()[1]}).")


def _before_bgp(settings: Settings, path: tuple[str, ...], words: tuple[str, ...]) -> None:
    if words[:2] == ("ipv4-family", "vpn-instance"):
        _demand(_routable(settings, words[2]), "The VPN instance does not exist or has no route distinguisher.")
    if words[0] == "peer" and words[2] != "as-number":
        owner = settings[path[0]]
        if len(path) == 2 and path[1].startswith("ipv4-family vpn-instance "):
            owner = owner[path[1]]
        known = any(line.startswith(f"peer {words[1]} as-number ") for line in owner)
        _demand(known, "The peer does not exist.")


def after_set(settings: Settings, path: tuple[str, ...], found: Match) -> None:
    """Do what the box does after an accepted line."""
    if found.line.startswith(_BINDING) and len(path) == 1:
        _clear_addresses(settings[path[0]])


def _clear_addresses(interface: Settings) -> None:
    for line in [line for line in interface if line.startswith(("ip address ", "ipv6 address "))]:
        del interface[line]


def before_remove(
    settings: Settings, path: tuple[str, ...], line: str, together: frozenset[str], *, standing: bool
) -> None:
    """Raise DemandError when the box would refuse to remove a line (`together`: all that the same command removes)."""
    _demand(not standing, "The view belongs to the device and cannot be deleted.")
    words = line.split()
    if not path and words[0] == "vlan":
        _demand(f"interface Vlanif{words[1]}" not in settings, "The VLAN has a VLANIF interface. Delete it first.")
    if path and words[:2] == ["ip", "address"] and words[-1] != "sub":
        stays = settings[path[0]].keys() - together
        last = not any(held.startswith("ip address ") and held.endswith(" sub") for held in stays)
        _demand(last, "Delete the sub addresses of the interface first.")


def after_remove(settings: Settings, path: tuple[str, ...], lines: frozenset[str]) -> None:
    """Do what the box does after a removal: what used the removed thing goes with it."""
    for line in lines:
        words = line.split()
        if not path and words[:2] == ["ip", "vpn-instance"]:
            _forget_instance(settings, words[2], unbind=True)
        elif len(path) == 1 and path[0].startswith("ip vpn-instance ") and line == "ipv4-family":
            _forget_instance(settings, path[0].split()[2], unbind=False)
        elif line.startswith(_BINDING) and len(path) == 1:
            _clear_addresses(settings[path[0]])
        elif len(path) == 1 and path[0].startswith("bgp ") and words[:1] == ["peer"] and words[2] == "as-number":
            _forget_peer(settings[path[0]], words[1])


def _forget_instance(settings: Settings, name: str, *, unbind: bool) -> None:
    for _, interface in _interfaces(settings):
        if _bound(interface) == name:
            _clear_addresses(interface)
            if unbind:
                del interface[_BINDING + name]
    for line in [line for line in settings if line.startswith(f"ip route-static vpn-instance {name} ")]:
        del settings[line]
    for line, children in settings.items():
        if line.startswith("bgp "):
            children.pop(f"ipv4-family vpn-instance {name}", None)


def _forget_peer(bgp: Settings, peer: str) -> None:
    for family, children in bgp.items():
        if family.startswith(("ipv4-family", "ipv6-family")) and not family.startswith("ipv4-family vpn-instance"):
            for line in [line for line in children if line.startswith(f"peer {peer} ")]:
                del children[line]
