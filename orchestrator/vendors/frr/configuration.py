"""What one FRR router is configured to, as a value between the estate and the text."""

from ipaddress import IPv4Address

from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, Interface, Route, Vrf
from orchestrator.vendors.parsed import RenderError


class Configuration(Noun):
    """One router. `router_id` and `autonomous_system` belong to the device, the rest are rows of the estate."""

    device: str
    autonomous_system: int | None = None
    router_id: IPv4Address | None = None
    vrfs: tuple[Vrf, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()

    def ports(self, vrf: str) -> dict[str, tuple[Interface, ...]]:
        """Port -> its addresses in one VRF, both sorted."""
        rows: dict[str, tuple[Interface, ...]] = {}
        for row in sorted(self.interfaces, key=lambda row: (row.name, row.address.ip, row.address)):
            if row.vrf == vrf:
                rows[row.name] = (*rows.get(row.name, ()), row)
        return rows


def overlay_port(vrf: str) -> str:
    """The VXLAN interface of a VRF."""
    return f"vx-{vrf}"


def has_bgp(vrf: Vrf) -> bool:
    """Whether the VRF has a BGP instance."""
    return bool(vrf.overlay or vrf.route_distinguisher or vrf.import_targets or vrf.export_targets)


def targets(values: tuple[str, ...]) -> tuple[str, ...]:
    """Route targets in the order FRR shows them: by number."""
    return tuple(sorted(values, key=lambda value: [int(part) for part in value.replace(".", ":").split(":")]))


def configuration_of(estate: Estate, device: str) -> Configuration:
    """A device's rows. Raises RenderError when they contradict each other."""
    box = estate.devices[device]
    return checked(
        Configuration(
            device=device,
            autonomous_system=box.autonomous_system,
            router_id=box.loopback,
            vrfs=tuple(row for row in estate.vrfs.values() if row.device == device),
            interfaces=tuple(row for row in estate.interfaces.values() if row.device == device),
            routes=tuple(row for row in estate.routes.values() if row.device == device),
        )
    )


def checked(configuration: Configuration) -> Configuration:
    """The same configuration. Raises RenderError when no router could be configured so."""
    names = {vrf.name for vrf in configuration.vrfs}
    if GLOBAL in names:
        raise RenderError(f"{configuration.device}: a VRF cannot be called {GLOBAL!r}: that is the global table's name")
    rows: tuple[Interface | Route, ...] = (*configuration.interfaces, *configuration.routes)
    for row in rows:
        if row.vrf not in {GLOBAL, *names}:
            raise RenderError(f"{row.key}: {configuration.device} has no VRF {row.vrf!r}: add the VRF first")
    if configuration.autonomous_system is None and any(map(has_bgp, configuration.vrfs)):
        raise RenderError(
            f"{configuration.device}: its VRFs have route targets or an overlay, but the device has no "
            "autonomous_system: add it to the topology"
        )
    _check_ports(configuration)
    _check_overlays(configuration)
    _check_routes(configuration)
    return configuration


def _check_overlays(configuration: Configuration) -> None:
    seen: dict[int, Vrf] = {}
    for vrf in configuration.vrfs:
        if vrf.overlay and seen.setdefault(vrf.overlay.vni, vrf) != vrf:
            raise RenderError(
                f"vrfs[{vrf.key}]: VNI {vrf.overlay.vni} already carries vrfs[{seen[vrf.overlay.vni].key}]: "
                "one VXLAN carries one VRF; give it a VNI of its own"
            )


def _check_routes(configuration: Configuration) -> None:
    """FRR refuses such a pair, and with it every route that it is given in one go."""
    nulls = {(row.vrf, row.prefix, row.distance): row for row in configuration.routes if row.next_hop is None}
    for row in configuration.routes:
        null = nulls.get((row.vrf, row.prefix, row.distance))
        if null is not None and row.next_hop is not None:
            raise RenderError(
                f"routes[{row.key}]: routes[{null.key}] drops the same packets at the same distance: FRR takes "
                "no such pair; give the one that should step back a larger distance"
            )


def _check_ports(configuration: Configuration) -> None:
    seen: dict[str, Interface] = {}
    overlays = {overlay_port(vrf.name) for vrf in configuration.vrfs if vrf.overlay}
    for row in configuration.interfaces:
        first = seen.setdefault(row.name, row)
        if (first.vrf, first.description) != (row.vrf, row.description):
            raise RenderError(
                f"interfaces[{row.key}]: the port has another VRF or description in interfaces[{first.key}]: "
                "a port has one of each; make them equal"
            )
        if row.name in overlays:
            raise RenderError(f"interfaces[{row.key}]: {row.name} is the overlay of a VRF: use another port")
