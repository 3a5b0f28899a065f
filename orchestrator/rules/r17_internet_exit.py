"""R17: the Internet is reached only over the city-county access platform. (S1)"""

from collections.abc import Iterator
from itertools import pairwise

from orchestrator.forwarding.matrix import Reach
from orchestrator.model.census import InternetEgress
from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment, delivered

RULE = "R17"
SOURCE = "S1"
READS = ("crossings", "egresses", "links")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Registered egresses, and every packet to or from the Internet: over whose link does it pass?"""
    egresses = [row for row in moment.estate.egresses.values() if row.state == "in_service"]
    names = ", ".join(sorted(row.code for row in egresses)) or "none"
    checked = f"egresses in service: {names}; every Internet packet passes the shared platform"
    yield from moment.answer(RULE, _find(moment), checked)


def _find(moment: Moment) -> Iterator[Finding]:
    yield from moment.doubts(RULE, moment.crossings)
    users: dict[str, Reach] = {}
    for crossing in delivered(moment.crossings):
        if "internet" in (moment.zone(crossing.source_zone).kind, moment.zone(crossing.end_zone).kind):
            passed = _egress_of(moment, crossing.reach)
            if passed is None:
                yield _unregistered(moment, crossing.reach)
            else:
                users.setdefault(passed.code, crossing.reach)
    for egress in moment.estate.egresses.values():
        if not egress.shared_platform and (egress.state == "in_service" or egress.code in users):
            fix = "move its traffic to the shared platform and release it"
            trace = moment.trace(users[egress.code]) if egress.code in users else None
            yield moment.fails(RULE, f"egresses[{egress.key}]", f"{egress.code} is an exit of its own", fix, trace)


def _unregistered(moment: Moment, reach: Reach) -> Finding:
    what = f"{reach.source} and {reach.end} meet over no registered egress"
    fix = "lead it over the shared platform"
    return moment.fails(RULE, moment.deciding(reach), what, fix, moment.trace(reach), (reach,))


def _egress_of(moment: Moment, reach: Reach) -> InternetEgress | None:
    """The registered egress whose link the packet passes; one that is not shared before one that is."""
    hops = _hops(moment, reach)
    passed = []
    for egress in moment.estate.egresses.values():
        link = moment.estate.links.get(egress.link)
        if link and hops & {(link.a_node, link.b_node, link.b_port), (link.b_node, link.a_node, link.a_port)}:
            passed.append(egress)
    return min(passed, key=lambda egress: egress.shared_platform, default=None)


def _hops(moment: Moment, reach: Reach) -> set[tuple[str, str, str]]:
    """(node, next node, port on which that hears the packet): two nodes may have several links between them."""
    marks = reach.way.marks
    hops = {(one.node, other.node, other.port) for one, other in pairwise(marks) if one.node != other.node}
    last = moment.matrix.world.endpoint(reach.end)
    return hops | ({(marks[-1].node, reach.end, last.port)} if last else set())
