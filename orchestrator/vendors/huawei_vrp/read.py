"""VRP text to nouns: take out what is known, write it again, and report every line that does not come back."""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import ParamSpec, TypeVar

from orchestrator.model.base import Row
from orchestrator.model.network import GLOBAL, Interface, Route, Vlan, Vrf
from orchestrator.vendors.huawei_vrp import current
from orchestrator.vendors.huawei_vrp.tree import ConfigurationTextError, redact
from orchestrator.vendors.huawei_vrp.tree import parse as parse_tree
from orchestrator.vendors.huawei_vrp.words import PARAMETERS
from orchestrator.vendors.parsed import Line, Parsed, ParsedRow, RenderError, Unparsed, unexplained

_T = TypeVar("_T")
_P = ParamSpec("_P")
_VLAN = re.compile(r"vlan (\d+)")
_INSTANCE = re.compile(r"ip vpn-instance (\S+)")
_DISTINGUISHER = re.compile(r"route-distinguisher (\S+)")
_TARGET = re.compile(r"vpn-target (\S+) (import|export)-extcommunity")
_INTERFACE = re.compile(r"interface (\S+)")
_ADDRESS = re.compile(r"ip address (\S+) (\S+)(?: sub)?")
_ROUTE = re.compile(
    r"ip route-static (?:vpn-instance (?P<vrf>\S+) )?(?P<prefix>[\d.]+) (?P<mask>[\d.]+) (?P<hop>[\d.]+|NULL0)"
    r"(?: preference (?P<preference>\d+))?"
)


def parse(device: str, text: str) -> Parsed:
    """See the package's `parse`."""
    try:
        found = tuple(current.lines_of(parse_tree(text)))
    except ConfigurationTextError as error:
        whole = Unparsed(device=device, file=current.FILE, line=_number(error), text=str(error))
        return Parsed(unparsed=(whole,))
    rows = tuple(_once(_rows(device, found)))
    configuration = current.Configuration(
        device=device,
        vlans=tuple(row.noun for row in rows if isinstance(row.noun, Vlan)),
        vrfs=tuple(row.noun for row in rows if isinstance(row.noun, Vrf)),
        interfaces=tuple(row.noun for row in rows if isinstance(row.noun, Interface)),
        routes=tuple(row.noun for row in rows if isinstance(row.noun, Route)),
    )
    try:
        again = tuple(current.lines_of(parse_tree(current.write(configuration))))
    except RenderError:
        rows, again = (), ()
    lines = unexplained(device, current.FILE, found, again, _inert)
    return Parsed(rows=rows, unparsed=tuple(one.model_copy(update={"text": redact(one.text)}) for one in lines))


def _inert(line: Line) -> bool:
    return current.INERT(line) or line.text == "undo shutdown"  # the default; some releases show it


def _number(error: ConfigurationTextError) -> int:
    found = re.match(r"line (\d+):", str(error))
    return int(found[1]) if found else 1


def _good(make: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """What `make` gives, or None when a value in it is bad; its line then stays unexplained."""
    try:
        return make(*args, **kwargs)
    except ValueError:
        return None


def _once(rows: Iterator[ParsedRow]) -> Iterator[ParsedRow]:
    """Rows with a key not seen before, in VPN instances that exist; the lines of others stay unexplained."""
    seen: set[tuple[type[Row], str]] = set()
    instances = {GLOBAL}
    for row in rows:
        noun = row.noun
        if isinstance(noun, Vrf):
            instances.add(noun.name)
        if isinstance(noun, Interface | Route) and noun.vrf not in instances:
            continue
        if isinstance(noun, Vlan | Vrf | Interface | Route) and (type(noun), noun.key) not in seen:
            seen.add((type(noun), noun.key))
            yield row


def _rows(device: str, found: Sequence[Line]) -> Iterator[ParsedRow]:
    """Every noun; VPN instances before what stands in them."""
    readers: tuple[tuple[re.Pattern[str], Callable[[str, str, Sequence[Line]], Row]], ...] = (
        (_INSTANCE, _vrf),
        (_VLAN, _vlan),
    )
    for pattern, reader in readers:
        for line in found:
            match = pattern.fullmatch(line.text) if not line.path else None
            noun = _good(reader, device, match[1], _below(found, line.text)) if match else None
            if noun is not None:
                yield ParsedRow(noun, current.FILE, line.number)
    for line in found:
        noun = _good(_address, device, line, found) or _good(_route, device, line)
        if noun is not None:
            yield ParsedRow(noun, current.FILE, line.number)


def _below(found: Sequence[Line], opening: str) -> list[Line]:
    """Everything in the sections that a top-level line opens."""
    return [line for line in found if line.path[:1] == (opening,)]


def _value(lines: Sequence[Line], head: str) -> str:
    """What follows these words in the first line that begins with them; empty when none does."""
    return next((line.text.removeprefix(head) for line in lines if line.text.startswith(head)), "")


def _vlan(device: str, number: str, below: Sequence[Line]) -> Vlan:
    return Vlan(device=device, vlan=int(number), description=_value(below, "description "))


def _vrf(device: str, name: str, below: Sequence[Line]) -> Vrf:
    targets = [
        match.groups() for line in below if (match := _TARGET.fullmatch(line.text)) and PARAMETERS["rd"](match[1])
    ]
    known = (match[1] for line in below if (match := _DISTINGUISHER.fullmatch(line.text)))
    return Vrf(
        device=device,
        name=name,
        zone="",
        route_distinguisher=next(filter(PARAMETERS["rd"], known), None),
        import_targets=tuple(value for value, way in targets if way == "import"),
        export_targets=tuple(value for value, way in targets if way == "export"),
    )


def _address(device: str, line: Line, found: Sequence[Line]) -> Interface | None:
    port = _INTERFACE.fullmatch(line.path[0]) if len(line.path) == 1 else None
    address = _ADDRESS.fullmatch(line.text)
    if port is None or address is None:
        return None
    below = _below(found, line.path[0])
    return Interface(
        device=device,
        name=port[1],
        vrf=_value(below, "ip binding vpn-instance ") or GLOBAL,
        address=IPv4Interface(f"{address[1]}/{address[2]}"),
        description=_value(below, "description "),
    )


def _route(device: str, line: Line) -> Route | None:
    match = _ROUTE.fullmatch(line.text) if not line.path else None
    if match is None:
        return None
    return Route(
        device=device,
        vrf=match["vrf"] or GLOBAL,
        prefix=IPv4Network(f"{match['prefix']}/{match['mask']}"),
        next_hop=None if match["hop"] == "NULL0" else IPv4Address(match["hop"]),
        distance=int(match["preference"] or current.STATIC_PREFERENCE),
    )
