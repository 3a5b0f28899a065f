"""The lines of a push that FRR must take one edit after the other: addresses and static routes.

`frr-reload.py` takes out what goes before it writes what comes, or the other way about, depending on where a line
stands: a route that is replaced would be away in between. A plan has its edits in a proved order, which is kept here.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.model.estate import Edit, Estate
from orchestrator.model.network import GLOBAL, Interface, Route
from orchestrator.vendors.frr.running import route_line


class Ordered(NamedTuple):
    """One line as it is typed. `prefix` and `hop` only for a route that takes the place of one that goes later."""

    adds: bool
    vrf: str  # empty for the global table
    port: str  # empty for a route
    line: str
    prefix: str = ""
    hop: str = ""


def ordered(before: Estate, after: Estate, device: str, edits: Sequence[Edit]) -> tuple[Ordered, ...]:
    """The lines of these edits on one device, which lead from `before` to `after`, in their order.

    Left out, for what reloads the whole text afterwards: what stands in a VRF that comes or goes, descriptions, and an
    address that changes within its network (the kernel takes the second one out together with the first).
    """
    stay = {GLOBAL, *(_vrfs(before, device) & _vrfs(after, device))}
    mine = [edit for edit in edits if edit.key.split("/")[0] == device and edit.table in ("routes", "interfaces")]
    found: list[Ordered] = []
    for place, edit in enumerate(mine):
        row = _row(edit)
        if row.vrf not in stay:
            continue
        if isinstance(row, Route):
            found.append(_route(edit, row, mine[place + 1 :]))
        elif (edit.before is None or edit.after is None) and not _renumbered(row, before, after):
            no = "no " if edit.after is None else ""
            found.append(Ordered(edit.after is not None, _name(row.vrf), row.name, f"{no}ip address {row.address}"))
    return tuple(found)


def _route(edit: Edit, row: Route, later: Sequence[Edit]) -> Ordered:
    if edit.after is None:
        return Ordered(False, _name(row.vrf), "", f"no {route_line(row)}")
    # typed with another distance, FRR moves the route: nothing is taken out
    line = Ordered(True, _name(row.vrf), "", route_line(row))
    leaving = (_row(one) for one in later if one.table == "routes" and one.after is None)
    if any((one.vrf, one.prefix) == (row.vrf, row.prefix) for one in leaving if isinstance(one, Route)):
        return line._replace(prefix=str(row.prefix), hop=str(row.next_hop or ""))
    return line


def _row(edit: Edit) -> Interface | Route:
    kind = Route if edit.table == "routes" else Interface
    return kind.model_validate(edit.after if edit.after is not None else edit.before)


def _vrfs(estate: Estate, device: str) -> set[str]:
    return {vrf.name for vrf in estate.vrfs.values() if vrf.device == device}


def _name(vrf: str) -> str:
    return "" if vrf == GLOBAL else vrf


def _renumbered(row: Interface, before: Estate, after: Estate) -> bool:
    return any(
        other.key != row.key and other.address.network.overlaps(row.address.network)
        for estate in (before, after)
        for other in _port(estate, row)
    )


def _port(estate: Estate, row: Interface) -> Iterator[Interface]:
    return (one for one in estate.interfaces.values() if (one.device, one.name) == (row.device, row.name))
