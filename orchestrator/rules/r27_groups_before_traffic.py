"""R27: access control stands before a server is reachable; old entries are removed after. (GB/T 22239-2019, cloud)"""

from collections.abc import Iterator
from ipaddress import IPv4Address

from orchestrator.model.cloud import SecurityRule, Server
from orchestrator.model.finding import Finding
from orchestrator.rules.moment import Moment

RULE = "R27"
SOURCE = "GB/T 22239-2019 cloud extension, level 1"
READS = ("servers", "security_groups", "security_rules", "workloads", "filter_rules", "hosts", "nats")
SCOPE = "always"


def check(moment: Moment) -> Iterator[Finding]:
    """Every server has its groups and rules from its first moment; at the end no rule points at nobody."""
    servers, rules = len(moment.estate.servers), len(moment.estate.security_rules)
    checked = f"{servers} servers with {rules} security rules in place; no filter entry or translation points at nobody"
    yield from moment.answer(RULE, _find(moment), checked)


def _find(moment: Moment) -> Iterator[Finding]:
    for server in moment.estate.servers.values():
        row = f"servers[{server.key}]"
        missing = [name for name in server.groups if f"{server.tenant}/{name}" not in moment.estate.security_groups]
        if not server.groups or missing:
            what = f"server {server.key} is there before its security group {', '.join(missing) or '(none named)'}"
            yield moment.fails(RULE, row, what, "create the group and its rules first")
        elif not any(_admits(server, rule, None) for rule in moment.estate.security_rules.values()):
            what = f"server {server.key} is there before any rule admits traffic to it"
            yield moment.fails(RULE, row, what, "create the rules of its groups first")
    yield from _workloads(moment)
    if moment.final:
        yield from _left_over(moment)


def _workloads(moment: Moment) -> Iterator[Finding]:
    for workload in moment.estate.workloads.values():
        server = moment.estate.servers.get(workload.place)
        rules = moment.estate.security_rules.values()
        if server and workload.state == "running" and not any(_admits(server, rule, workload.port) for rule in rules):
            what = f"{workload.key} runs before a security rule admits its port {workload.port}"
            yield moment.fails(RULE, f"workloads[{workload.key}]", what, "create the rule before the cutover")


def _admits(server: Server, rule: SecurityRule, port: int | None) -> bool:
    if rule.tenant != server.tenant or rule.group not in server.groups or rule.direction != "ingress":
        return False
    if port is None:
        return True
    # workloads are asked by TCP: a rule for pings or UDP does not let anybody in
    return rule.protocol in ("any", "tcp") and (rule.ports is None or rule.ports[0] <= port <= rule.ports[1])


def _left_over(moment: Moment) -> Iterator[Finding]:
    """Entries for single addresses that nobody has any more."""
    alive = {host.address.ip for host in moment.estate.hosts.values()}
    alive |= {server.address for server in moment.estate.servers.values()}
    alive |= {address for host in sorted(alive) for address in _outside(moment, host)}
    fix = "remove the old entry"
    for rule in moment.estate.filter_rules.values():
        gone = [net for net in (*rule.sources, *rule.destinations) if net.prefixlen == 32 and net[0] not in alive]
        if gone:
            yield moment.fails(RULE, f"filter_rules[{rule.key}]", f"{rule.key} names {gone[0]}, which nobody has", fix)
    for nat in moment.estate.nats.values():
        if nat.kind == "destination" and nat.inside[0] not in alive:
            yield moment.fails(RULE, f"nats[{nat.key}]", f"{nat.key} publishes {nat.inside}, which nobody has", fix)


def _outside(moment: Moment, address: IPv4Address) -> Iterator[IPv4Address]:
    """What prefix translations make of an address."""
    for nat in moment.estate.nats.values():
        if nat.kind == "prefix" and address in nat.inside:
            yield nat.outside[int(address) - int(nat.inside[0])]
