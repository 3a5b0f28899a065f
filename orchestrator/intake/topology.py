"""topology.yaml -> what no configuration and no form says: organisations, devices, cabling, hosts, clouds, workloads.

It stands in for an asset register (CMDB). Zones of segments and VRFs are here too: configuration does not know them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from orchestrator.intake.documents import Document, Position, read_document
from orchestrator.intake.faults import FaultyInputError, raise_all
from orchestrator.model.base import Noun, Row
from orchestrator.model.census import Organisation, ServiceName, Workload
from orchestrator.model.cloud import Cloud
from orchestrator.model.finding import Finding, Where
from orchestrator.model.network import Device, Host, Link, Name

_SECTIONS: Mapping[str, type[Row]] = {
    "organisations": Organisation,
    "devices": Device,
    "cabling": Link,
    "hosts": Host,
    "clouds": Cloud,
    "workloads": Workload,
    "service_names": ServiceName,
}


Shape = TypeVar("Shape", bound=Noun)


class Site(Noun):
    """A place with equipment."""

    name: Name
    title: str = ""


class Segment(Noun):
    """The ports ("device:port") behind which a zone lies."""

    zone: str
    ports: tuple[str, ...]


class Zones(Noun):
    """Where zones lie: VRF name -> zone (on every device), and the ports of segments."""

    vrfs: dict[str, str] = Field(default_factory=dict)
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Topology:
    """The file as read: nouns with their places, zone of each VRF name and of each (device, port)."""

    nouns: tuple[tuple[Row, Where], ...]
    vrf_zones: Mapping[str, str]
    port_zones: Mapping[tuple[str, str], str]
    places: Mapping[str, Where]  # "zone of DEVICE:PORT" and "zone of VRF"

    def of(self, kind: type[Row]) -> list[Any]:
        """The nouns of one kind, in file order."""
        return [noun for noun, _ in self.nouns if type(noun) is kind]


def read_topology(path: Path, name: str) -> Topology:
    """Read the file; `name` is how messages call it. Raises FaultyInputError with one Finding per fault."""
    document = read_document(path, name, "topology")
    if not isinstance(document.data, dict):
        raise FaultyInputError(
            [document.fault((), "no sections in the file", "write organisations, devices, cabling ...")]
        )
    data = document.data
    faults = [
        document.fault((key,), f"{key!r} is not a section of the topology", "remove it or correct its spelling")
        for key in data
        if key not in {*_SECTIONS, "sites", "zones"}
    ]
    nouns: list[tuple[Row, Position]] = []
    for section, shape in _SECTIONS.items():
        nouns += _rows(document, section, shape, data.get(section) or [], faults)
    sites = [noun for noun, _ in _rows(document, "sites", Site, data.get("sites") or [], faults)]
    zones = Zones()
    try:
        zones = Zones.model_validate(data.get("zones") or {})
    except ValidationError as error:
        faults += document.explain(error, ("zones",))
    raise_all(faults)
    raise_all(_contradictions(document, nouns, {site.name for site in sites}, zones))
    return Topology(
        nouns=tuple((noun, document.where(at)) for noun, at in nouns),
        vrf_zones=zones.vrfs,
        port_zones={_end(port): segment.zone for segment in zones.segments for port in segment.ports},
        places=_zone_places(document, zones),
    )


def _rows(
    document: Document, section: str, shape: type[Shape], rows: Any, faults: list[Finding]
) -> Iterator[tuple[Shape, Position]]:
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        faults.append(document.fault((section,), f"{section!r} is not a list", "write one '- {...}' per row"))
        return
    for index, row in enumerate(rows):
        at = (section, index)
        try:
            yield shape.model_validate(_cable(row) if shape is Link else row), at
        except ValidationError as error:
            faults += document.explain(error, at)


def _cable(row: Any) -> Any:
    """A cable's ends are written `a: node:port`; anything else is left for validation to refuse."""
    if not isinstance(row, dict) or not {"a", "b"} <= row.keys():
        return row
    ends = {}
    for side in ("a", "b"):
        ends[f"{side}_node"], ends[f"{side}_port"] = _end(str(row[side]))
    return {**{key: value for key, value in row.items() if key not in ("a", "b")}, **ends}


def _end(port: str) -> tuple[str, str]:
    node, _, name = port.partition(":")
    return node, name


def _zone_places(document: Document, zones: Zones) -> dict[str, Where]:
    places = {vrf: document.where(("zones", "vrfs", vrf)) for vrf in zones.vrfs}
    for index, segment in enumerate(zones.segments):
        for number, port in enumerate(segment.ports):
            places[port] = document.where(("zones", "segments", index, "ports", number))
    return places


def _contradictions(
    document: Document, nouns: list[tuple[Row, Position]], sites: set[str], zones: Zones
) -> Iterator[Finding]:
    yield from _doubles(document, nouns)
    names: dict[type[Row], set[str]] = {}
    for noun, _ in nouns:
        names.setdefault(type(noun), set()).add(noun.key)
    nodes = names.get(Device, set()) | names.get(Host, set())
    for noun, at in nouns:
        for field, known, kind in _references(noun, names.get(Organisation, set()), sites, nodes):
            value = getattr(noun, field)
            if value not in known:
                yield document.fault((*at, field), f"the {kind} {value!r} is not known", f"add it or correct {field}")
    yield from _port_faults(document, nouns)
    yield from _zone_faults(document, zones, names.get(Device, set()))


def _port_faults(document: Document, nouns: list[tuple[Row, Position]]) -> Iterator[Finding]:
    for (node, name), used in _ports(nouns).items():
        if len(used) > 1:
            yield document.fault(used[1], f"the port {node}:{name} has two cables", "give one of them another port")


def _zone_faults(document: Document, zones: Zones, devices: set[str]) -> Iterator[Finding]:
    zone_of: dict[str, str] = {}
    for index, segment in enumerate(zones.segments):
        for number, port in enumerate(segment.ports):
            at = ("zones", "segments", index, "ports", number)
            if not _end(port)[1] or " " in port:
                yield document.fault(at, f"{port!r} is no port of a device", "write it as device:port")
            elif _end(port)[0] not in devices:
                yield document.fault(at, f"the device of {port!r} is not known", "add it under devices or correct it")
            zone = zone_of.setdefault(port, segment.zone)
            if zone != segment.zone:
                what = f"the port {port!r} is in zone {zone} and in zone {segment.zone}"
                yield document.fault(at, what, "leave it in one of them")


def _doubles(document: Document, nouns: list[tuple[Row, Position]]) -> Iterator[Finding]:
    seen: set[tuple[type[Row], str]] = set()
    for noun, at in nouns:
        key = (type(noun), noun.key)
        if key in seen:
            yield document.fault(at, f"{at[0]} has {key[1]!r} twice", "rename or remove one")
        seen.add(key)


def _references(
    noun: Row, organisations: set[str], sites: set[str], nodes: set[str]
) -> Iterator[tuple[str, set[str], str]]:
    if isinstance(noun, Device | Host):
        yield "organisation", organisations, "organisation"
        yield "site", sites, "site"
    if isinstance(noun, Link):
        yield "a_node", nodes, "node"
        yield "b_node", nodes, "node"


def _ports(nouns: list[tuple[Row, Position]]) -> dict[tuple[str, str], list[Position]]:
    ports: dict[tuple[str, str], list[Position]] = {}
    for noun, at in nouns:
        if isinstance(noun, Link) and noun.state != "released":
            for end in ((noun.a_node, noun.a_port), (noun.b_node, noun.b_port)):
                ports.setdefault(end, []).append(at)
    return ports
