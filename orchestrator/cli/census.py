"""onefold census: who there is, what they run, what they rent, and how each fact is known."""

from collections import Counter

import click

from orchestrator.cli.common import open_and_read, tally, with_cloud
from orchestrator.cli.session import Session
from orchestrator.model.estate import Estate


def _systems(estate: Estate) -> list[tuple[str, ...]]:
    return [
        (
            system.code,
            system.name,
            system.organisation,
            "涉密/classified" if system.classified else (f"L{system.mlps_level}" if system.mlps_level else "unknown"),
            system.disposition,
            ", ".join(w.place for w in estate.workloads.values() if w.system == system.code) or "-",
        )
        for system in sorted(estate.systems.values(), key=lambda s: s.code)
    ]


def _networks(estate: Estate) -> list[tuple[str, ...]]:
    return [
        (
            network.code,
            network.name,
            network.organisation,
            str(network.sites),
            network.target,
            ", ".join(map(str, network.prefixes)),
        )
        for network in sorted(estate.private_networks.values(), key=lambda n: n.code)
    ]


@click.command(epilog="Example: onefold -C network_models/wangchao --json census")
@with_cloud
@click.pass_obj
def command(session: Session, with_cloud: bool) -> int:
    """Systems, private networks, Internet egresses and leased lines, with the standing of each fact."""
    project, reading = open_and_read(session, with_cloud)
    estate = reading.estate
    standing = Counter(fact.standing for fact in reading.facts)
    session.say(f"{project.name}, estate {estate.digest[:12]}")
    session.say()
    session.table(_systems(estate), ("system", "name", "organisation", "MLPS", "disposition", "runs on"))
    session.say()
    session.table(_networks(estate), ("private network", "name", "organisation", "sites", "target", "prefixes"))
    session.say()
    lines = [link for link in estate.links.values() if link.yearly_rent]
    session.table(
        [(link.circuit, link.kind, link.carrier, link.megabits, link.yearly_rent, link.state) for link in lines],
        ("circuit", "kind", "carrier", "Mbit/s", "yuan a year", "state"),
    )
    session.say()
    session.findings(reading.findings)
    session.say(
        f"{sum(standing.values())} facts: "
        + ", ".join(f"{number} {kind}" for kind, number in sorted(standing.items()))
        + f"; findings: {tally(reading.findings)}"
    )
    session.result(
        "census/1",
        {
            "project": project.name,
            "estate": estate.digest,
            "systems": [system.plain() for system in estate.systems.values()],
            "private_networks": [network.plain() for network in estate.private_networks.values()],
            "egresses": [egress.plain() for egress in estate.egresses.values()],
            "circuits": [link.plain() for link in lines],
            "facts": dict(standing),
            "findings": [finding.plain() for finding in reading.findings],
        },
    )
    return 0
