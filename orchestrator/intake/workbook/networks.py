"""Forms F3 and F4: rows to private networks, their sites and Internet egresses."""

from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Network

from orchestrator.intake.workbook.forms import NETWORKS
from orchestrator.intake.workbook.notes import Notes, Register, build
from orchestrator.intake.workbook.tables import Row
from orchestrator.model.census import InternetEgress, PrivateNetwork, PrivateSite

_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))  # RFC 1918
_STUB = "internal_stub"
_NETWORK = ("code", "name", "classified", "sensitivity", "sites", "prefixes", "routing", "target")
_SITE = ("network", "site", "device", "prefix", "needs_common_zone", "fixed_addresses")
_EGRESS = ("code", "level", "device", "interface", "link", "public_prefixes", "shared_platform", "log_months")


def read_networks(rows: list[Row], register: Register, notes: Notes) -> dict[str, tuple[PrivateNetwork, Row]]:
    """Form F3: code -> private network and its row."""
    networks: dict[str, tuple[PrivateNetwork, Row]] = {}
    for row in rows:
        owner = register.code(row, notes)
        if owner is None or any(name not in row.values for name in ("code", "name")):
            continue
        values = _stub(row, notes) if row.values.get("classified") else _pick(row, _NETWORK)
        network = build(PrivateNetwork, {"organisation": owner, **values}, row, notes)
        if network and _first(network.code, row, networks, notes):
            networks[network.code] = (network, row)
            if network.classified is None:
                notes.finding(
                    row.where("classified"),
                    "whether the network is classified is not decided",
                    "decide it first: no step is planned for it until then",
                    "unknown",
                )
    return networks


def _stub(row: Row, notes: Notes) -> dict[str, object]:
    """A classified network: its place is the internal network, and nothing else of it is recorded (R1)."""
    for column in NETWORKS.columns:
        if column.field in row.values and not column.kept and column.field != "target":
            what = f"{column.titles[0]} of a classified private network is recorded"
            notes.fault(row.where(column.field), what, "remove the details")
    if row.values.get("target", _STUB) != _STUB:
        what = "a classified private network goes elsewhere than to the internal network"
        notes.fault(row.where("target"), what, "write 内网, or nothing")
    return {**_pick(row, ("code", "name", "classified")), "target": _STUB}


def read_sites(
    rows: list[Row], networks: Mapping[str, tuple[PrivateNetwork, Row]], notes: Notes
) -> dict[str, tuple[PrivateSite, Row]]:
    """Form F3, the sheet of sites: network/site -> site and its row."""
    sites: dict[str, tuple[PrivateSite, Row]] = {}
    for row in rows:
        if any(name not in row.values for name in ("network", "site", "device", "prefix")):
            continue
        if row.values["network"] not in networks:
            notes.fault(
                row.where("network"),
                f"the private network {row.values['network']!r} is not in form F3",
                "add it to F3 or correct the code",
            )
            continue
        if networks[row.values["network"]][0].classified:
            notes.fault(row.where(), "a site of a classified private network is recorded", "remove the row")
            continue
        site = build(PrivateSite, _pick(row, _SITE), row, notes)
        if site and _first(site.key, row, sites, notes):
            sites[site.key] = (site, row)
            _unanswered(site, row, notes)
    there = Counter(site.network for site, _ in sites.values())
    for code, (network, row) in networks.items():
        if network.sites is not None and network.sites != there[code]:
            notes.finding(
                row.where("sites"),
                f"{network.sites} sites claimed, the sheet of sites has {there[code]}",
                "correct the number or complete the sheet of sites",
            )
    return sites


def _unanswered(site: PrivateSite, row: Row, notes: Notes) -> None:
    """Empty is unknown: what the site is taken for without an answer is said."""
    if "needs_common_zone" not in row.values:
        what = f"whether site {site.site} needs the common zone is unknown: it counts as no"
        notes.finding(row.where("needs_common_zone"), what, "write 是 or 否", "unknown")
    if site.needs_common_zone and "fixed_addresses" not in row.values:
        what = f"whether addresses of site {site.site} may change is unknown: they count as free to"
        notes.finding(row.where("fixed_addresses"), what, "write 是 or 否", "unknown")


def read_egresses(
    rows: list[Row], register: Register, pool: IPv4Network, notes: Notes
) -> dict[str, tuple[InternetEgress, Row]]:
    """Form F4: code -> egress and its row. `pool` is the extranet's, which no public address may come from."""
    egresses: dict[str, tuple[InternetEgress, Row]] = {}
    for row in rows:
        owner = register.code(row, notes)
        if owner is None or any(name not in row.values for name in _EGRESS[:6]):
            continue
        egress = build(InternetEgress, {"organisation": owner, **_pick(row, _EGRESS)}, row, notes)
        if egress and _first(egress.code, row, egresses, notes):
            egresses[egress.code] = (egress, row)
            _judge(egress, row, pool, notes)
    return egresses


def _judge(egress: InternetEgress, row: Row, pool: IPv4Network, notes: Notes) -> None:
    for prefix in egress.public_prefixes:
        if any(prefix.overlaps(other) for other in (*_PRIVATE, pool)):
            notes.fault(
                row.where("public_prefixes"),
                f"{prefix} is not a public address",
                "write the addresses the carrier assigned",
            )
    if "shared_platform" not in row.values:
        what = f"whether {egress.code} is the shared platform is unknown: it counts as a department's own exit"
        notes.finding(row.where("shared_platform"), what, "write 是 or 否", "unknown")
    if egress.log_months is None:
        notes.finding(row.where("log_months"), "how long logs are kept is unknown", "ask for it", "unknown")
    elif egress.log_months < 6:  # Cybersecurity Law of 2017, article 21 (3)
        notes.finding(
            row.where("log_months"),
            f"logs are kept {egress.log_months} months, the law asks for 6",
            "extend the retention",
        )


def _pick(row: Row, names: tuple[str, ...]) -> dict[str, object]:
    return {name: row.values.get(name) for name in names}


def _first(key: str, row: Row, known: Mapping[str, tuple[object, Row]], notes: Notes) -> bool:
    if key not in known:
        return True
    notes.fault(row.where(), f"{key!r} is there twice (also cell {known[key][1].where().cell})", "remove or rename one")
    return False
