"""R15: department VRFs share no route target save for an approved hub flow. (operations handbook)"""

from collections import defaultdict
from collections.abc import Iterator

from orchestrator.model.finding import Finding
from orchestrator.model.network import Vrf
from orchestrator.rules.moment import Moment, delivered

RULE = "R15"
SOURCE = "operations handbook"
READS = ("crossings", "vrfs", "workloads", "service_names", "systems")
SCOPE = "always"

Exporting = dict[str, dict[str, list[Vrf]]]
"""Who exports: VRFs by route target and zone. Those of one zone share theirs, and a province has thousands."""


def check(moment: Moment) -> Iterator[Finding]:
    """Route targets of VRFs of different zones, and packets between networks of different departments."""
    count = len(moment.estate.vrfs)
    checked = f"{count} VRFs, no route target shared between zones, no packet between departments"
    yield from moment.answer(RULE, _find(moment), checked)


def _find(moment: Moment) -> Iterator[Finding]:
    yield from moment.doubts(RULE, moment.foreign)
    exporting = _exporting(moment)
    for _key, importer in sorted(moment.estate.vrfs.items()):
        for exporter in _heard(moment, importer, exporting):
            shared = min(set(importer.import_targets) & set(exporter.export_targets))
            if not {importer.zone, exporter.zone} <= moment.policy.zone_of.keys():
                yield _nameless(moment, importer, exporter, shared)
            else:
                ends = f"{importer.key} ({importer.zone}) imports {shared}"
                what = f"{ends}, which {exporter.key} ({exporter.zone}) exports"
                yield moment.fails(RULE, f"vrfs[{importer.key}]", what, "give each zone its own route target")
    yield from _between_departments(moment)


def _exporting(moment: Moment) -> Exporting:
    found: Exporting = defaultdict(lambda: defaultdict(list))
    for vrf in moment.estate.vrfs.values():
        for target in vrf.export_targets:
            found[target][vrf.zone].append(vrf)
    return found


def _heard(moment: Moment, importer: Vrf, exporting: Exporting) -> list[Vrf]:
    """The VRFs of which this one imports routes and that are not known to be of its zone or department, by key."""
    own = importer.zone if importer.zone in moment.policy.zone_of else None
    found = {
        vrf.key: vrf
        for target in importer.import_targets
        for zone, vrfs in exporting.get(target, {}).items()
        if zone != own and not moment.one_department(importer.zone, zone)
        for vrf in vrfs
        if vrf is not importer
    }
    return [vrf for _key, vrf in sorted(found.items())]


def _nameless(moment: Moment, importer: Vrf, exporter: Vrf, target: str) -> Finding:
    """Two VRFs of no zone, or of zones nobody knows, are not of the same one."""
    what = f"{importer.key} imports {target}, which {exporter.key} exports, and not both have a zone of the policy"
    fix = "name the zones of both VRFs in topology.yaml"
    return Finding(subject=RULE, result="unknown", what=what, where=moment.where(f"vrfs[{importer.key}]"), fix=fix)


def _between_departments(moment: Moment) -> Iterator[Finding]:
    for crossing in delivered(moment.foreign):
        ends = moment.zone(crossing.source_zone), moment.zone(crossing.end_zone)
        if all(zone.organisation and zone.kind in ("vpn", "private") for zone in ends):
            reach = crossing.reach
            bare = [port for port in reach.ports if moment.flow_for(reach, port) is None]
            if bare:
                to = f"{reach.end} ({crossing.end_zone})"
                packets = moment.packets(bare)
                what = f"{reach.source} ({crossing.source_zone}) reaches {to}, another department, with {packets}"
                row = moment.deciding(reach)
                fix = "register the flow, or remove the route named here"
                yield moment.fails(RULE, row, what, fix, moment.trace(reach, bare[0]))
