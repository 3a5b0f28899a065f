"""The whole of intake: a project folder, and a cloud where one was read, to a Reading."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from orchestrator.intake.contradictions import contradictions
from orchestrator.intake.devices import read_configurations
from orchestrator.intake.faults import FaultyInputError
from orchestrator.intake.join import join, row_name
from orchestrator.intake.openstack_rows import CloudReading
from orchestrator.intake.policy import read_policy
from orchestrator.intake.project import Project
from orchestrator.intake.topology import read_topology
from orchestrator.intake.workbook.census import Completeness, read_census
from orchestrator.model.base import Noun, Row
from orchestrator.model.census import Organisation
from orchestrator.model.cloud import Cloud
from orchestrator.model.estate import Estate
from orchestrator.model.finding import Fact, Finding, Where
from orchestrator.model.network import Device
from orchestrator.model.policy import Policy
from orchestrator.vendors.parsed import Unparsed

Part = TypeVar("Part")


class Reading(Noun):
    """A project as read. `findings` are contradictions and gaps; faults never get here: they raise.

    `facts` say of every row how it is known; `unparsed` are the configuration lines nobody understood.
    """

    estate: Estate
    findings: tuple[Finding, ...]
    facts: tuple[Fact, ...]
    unparsed: tuple[Unparsed, ...]
    policy: Policy
    completeness: tuple[Completeness, ...] = ()


def read(project: Project, cloud: CloudReading | Estate | None = None) -> Reading:
    """Read the project. `cloud` is what `read_cloud` observed; without it the clouds' content stays unknown.

    A CloudReading brings the API object of each row and its own findings along; a bare Estate only rows.

    Raises FaultyInputError with all faults found, one Finding each; then nothing is imported.
    """
    faults: list[Finding] = []
    policy = _try(faults, lambda: read_policy(project.path(project.policy)))
    topology = _try(faults, lambda: read_topology(project.path(project.topology), project.topology))
    if policy is None or topology is None:  # the workbook is read against both: its faults would be false ones
        raise FaultyInputError(faults)
    configurations = _try(
        faults,
        lambda: read_configurations(project.path(project.configurations), project.configurations, topology.of(Device)),
    )
    organisations = {organisation.code: organisation for organisation in topology.of(Organisation)}
    census = _try(
        faults,
        lambda: read_census(
            project.path(project.census), project.census, organisations, policy.extranet_pool, policy.planned_from
        ),
    )
    if configurations is None or census is None:
        raise FaultyInputError(faults)
    joined = join(topology, census, configurations, _observed(cloud))
    estate = joined.estate()
    findings = (
        *census.findings,
        *configurations.findings,
        *joined.findings,
        *contradictions(estate, joined, topology, census, configurations, policy, project.policy),
        *(cloud.findings if isinstance(cloud, CloudReading) else ()),
        *([] if cloud else _unread(topology.of(Cloud))),
    )
    return Reading(
        estate=estate,
        findings=findings,
        facts=tuple(joined.facts[name] for name in sorted(joined.facts)),
        unparsed=configurations.unparsed,
        policy=policy,
        completeness=census.completeness,
    )


def _try(faults: list[Finding], reader: Callable[[], Part]) -> Part | None:
    """What the reader gives, or None with its faults collected: one source's faults must not hide another's."""
    try:
        return reader()
    except FaultyInputError as error:
        faults.extend(error.findings)
        return None


def _observed(cloud: CloudReading | Estate | None) -> Iterator[tuple[Row, Where]]:
    estate = cloud.estate if isinstance(cloud, CloudReading) else cloud
    places = {fact.row: fact.where for fact in cloud.facts} if isinstance(cloud, CloudReading) else {}
    for rows in estate.tables().values() if estate else ():
        for noun in rows.values():
            name = row_name(noun)
            yield noun, places.get(name) or Where(source="cloud", item=name)


def _unread(clouds: list[Cloud]) -> Iterator[Finding]:
    for cloud in clouds:
        yield Finding(
            subject="cloud",
            result="unknown",
            where=Where(source=f"cloud:{cloud.name}"),
            what="the cloud was not read: tenants already in it are unknown",
            fix="read it with an account of clouds.yaml before the first step is applied",
        )
