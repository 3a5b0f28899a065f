"""Three sources to one estate: what is claimed (workbook, topology), configured (devices) and observed (clouds).

Configured wins over claimed, observed over both; every time they differ is a Finding with both places.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.intake.devices import Configurations
from orchestrator.intake.topology import Topology
from orchestrator.intake.workbook.census import Census
from orchestrator.model.base import Row
from orchestrator.model.census import PrivateSite
from orchestrator.model.estate import TABLE_OF, Estate
from orchestrator.model.finding import Fact, Finding, Result, Where
from orchestrator.model.network import Interface, Vrf

Standing = Literal["claimed", "configured", "observed"]


def row_name(noun: Row) -> str:
    """How messages and facts call a row: table[key]."""
    return f"{TABLE_OF[type(noun)]}[{noun.key}]"


@dataclass
class Joined:
    """The estate growing row by row, each with its standing and place."""

    rows: dict[str, Row] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, noun: Row, standing: Standing, where: Where) -> None:
        """Add a row. A row that is there keeps its value; each field told differently is a Finding."""
        name = row_name(noun)
        first = self.facts.get(name)
        if first is None:
            self.rows[name] = noun
            self.facts[name] = Fact(row=name, standing=standing, where=where)
        elif self.rows[name] != noun:
            self._contradict(name, noun, standing, where)

    def _contradict(self, name: str, noun: Row, standing: Standing, where: Where) -> None:
        first, kept, said = self.facts[name], self.rows[name].plain(), noun.plain()
        for key in sorted(key for key in said if said[key] != kept[key]):
            what = (
                f"{name}: {key} is {said[key]!r} as {standing} here, {kept[key]!r} as {first.standing} ({first.where})"
            )
            self.note("join", where, what, f"the {first.standing} value was taken; correct the other")

    def note(self, subject: str, where: Where | None, what: str, fix: str, result: Result = "fail") -> None:
        """Note a Finding."""
        self.findings.append(Finding(subject=subject, result=result, where=where, what=what, fix=fix))

    def estate(self) -> Estate:
        """All rows as an Estate."""
        return Estate.of(*self.rows.values())


def join(
    topology: Topology, census: Census, configurations: Configurations, cloud: Iterable[tuple[Row, Where]]
) -> Joined:
    """One estate out of all sources, with a fact per row and the contradictions that joining itself meets."""
    joined = Joined()
    for noun, where in cloud:
        joined.add(noun, "observed", where)
    for noun, where in configurations.rows:
        joined.add(_zoned(noun, topology), "configured", where)
    for noun, where in topology.nouns:
        joined.add(noun, "claimed", where)
    configured = _configured_prefixes(joined)
    for noun, row in census.claims():
        if isinstance(noun, PrivateSite):
            noun = _settled(noun, row.where("prefix"), configured, joined)
        joined.add(noun, "claimed", row.where())
    return joined


def _zoned(noun: Row, topology: Topology) -> Row:
    """Configuration knows no zones: they come from the topology."""
    if isinstance(noun, Vrf):
        return noun.model_copy(update={"zone": topology.vrf_zones.get(noun.name, "")})
    if isinstance(noun, Interface):
        return noun.model_copy(update={"zone": topology.port_zones.get((noun.device, noun.name), "")})
    return noun


def _configured_prefixes(joined: Joined) -> Mapping[str, list[tuple[Interface, Where]]]:
    """Device -> its interfaces with a segment behind them, and where each is configured."""
    found: dict[str, list[tuple[Interface, Where]]] = {}
    for name, noun in joined.rows.items():
        if isinstance(noun, Interface) and noun.zone:
            found.setdefault(noun.device, []).append((noun, joined.facts[name].where))
    return found


def _settled(
    site: PrivateSite, cell: Where, configured: Mapping[str, list[tuple[Interface, Where]]], joined: Joined
) -> PrivateSite:
    """The site with the prefix its device is configured with, where that is one; a different claim is a Finding."""
    interfaces = configured.get(site.device, [])
    if any(interface.address.network == site.prefix for interface, _ in interfaces):
        return site
    if len(interfaces) != 1:
        joined.note(
            "census",
            cell,
            f"site {site.site} claims {site.prefix}, which {site.device} is not configured with",
            "correct the prefix or the device; until then the claim stands",
            "unknown",
        )
        return site
    interface, where = interfaces[0]
    joined.note(
        "census",
        cell,
        f"site {site.site} claims {site.prefix}, {site.device} has {interface.address.network} configured ({where})",
        "the configuration was taken; correct the cell",
    )
    return site.model_copy(update={"prefix": interface.address.network})
