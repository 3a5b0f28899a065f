"""R27: access control stands before a server is reachable; old entries are removed after. (GB/T 22239-2019, cloud)"""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from orchestrator.model.cloud import SecurityRule, Server
from orchestrator.model.finding import Finding
from orchestrator.model.network import Nat
from orchestrator.rules.moment import Moment

RULE = "R27"
SOURCE = "GB/T 22239-2019 cloud extension, level 1"
READS = (
    "servers",
    "security_groups",
    "security_rules",
    "workloads",
    "filter_rules",
    "hosts",
    "nats",
    "interfaces",
    "cloud_routers",
)
SCOPE = "always"

_Rules = dict[str, list[SecurityRule]]
"""Security rules by tenant."""


def check(moment: Moment) -> Iterator[Finding]:
    """Every server has its groups and rules from its first moment; at the end no rule points at nobody."""
    servers, rules = len(moment.estate.servers), len(moment.estate.security_rules)
    checked = f"{servers} servers with {rules} security rules in place; no entry, rule or translation points at nobody"
    yield from moment.answer(RULE, _find(moment), checked)


def _find(moment: Moment) -> Iterator[Finding]:
    rules: _Rules = defaultdict(list)
    for rule in moment.estate.security_rules.values():
        rules[rule.tenant].append(rule)
    for server in moment.estate.servers.values():
        row = f"servers[{server.key}]"
        missing = [name for name in server.groups if f"{server.tenant}/{name}" not in moment.estate.security_groups]
        if not server.groups or missing:
            what = f"server {server.key} is there before its security group {', '.join(missing) or '(none named)'}"
            yield moment.fails(RULE, row, what, "create the group and its rules first")
        elif not any(_admits(server, rule, None) for rule in rules[server.tenant]):
            what = f"server {server.key} is there before any rule admits traffic to it"
            yield moment.fails(RULE, row, what, "create the rules of its groups first")
    yield from _workloads(moment, rules)
    if moment.final:
        yield from _left_over(moment)


def _workloads(moment: Moment, rules: _Rules) -> Iterator[Finding]:
    for workload in moment.estate.workloads.values():
        server = moment.estate.servers.get(workload.place)
        if server is None or workload.state != "running":
            continue
        if not any(_admits(server, rule, workload.port) for rule in rules[server.tenant]):
            what = f"{workload.key} runs before a security rule admits its port {workload.port}"
            yield moment.fails(RULE, f"workloads[{workload.key}]", what, "create the rule before the cutover")


def _admits(server: Server, rule: SecurityRule, port: int | None) -> bool:
    if rule.group not in server.groups or rule.direction != "ingress":
        return False
    if port is None:
        return True
    # workloads are asked by TCP: a rule for pings or UDP does not let anybody in
    return rule.protocol in ("any", "tcp") and (rule.ports is None or rule.ports[0] <= port <= rule.ports[1])


def _left_over(moment: Moment) -> Iterator[Finding]:
    """Entries and rules for single addresses that nobody has any more."""
    alive = _alive(moment)
    fix = "remove the old entry"
    for rule in moment.estate.filter_rules.values():
        gone = [net for net in (*rule.sources, *rule.destinations) if _is_one(net) and net[0] not in alive]
        if gone:
            yield moment.fails(RULE, f"filter_rules[{rule.key}]", f"{rule.key} names {gone[0]}, which nobody has", fix)
    for asked in moment.estate.security_rules.values():
        remote = asked.remote_prefix
        if remote and _is_one(remote) and remote[0] not in alive:
            row = f"security_rules[{asked.key}]"
            yield moment.fails(RULE, row, f"{asked.key} is for {remote}, which nobody has", "remove the old rule")
    for nat in moment.estate.nats.values():
        if nat.kind == "destination" and nat.inside[0] not in alive:
            yield moment.fails(RULE, f"nats[{nat.key}]", f"{nat.key} publishes {nat.inside}, which nobody has", fix)


def _is_one(network: IPv4Network) -> bool:
    return network.prefixlen == network.max_prefixlen


def _alive(moment: Moment) -> set[IPv4Address]:
    """Addresses that somebody has: hosts, servers and routers, and what translations make of them."""
    estate = moment.estate
    found = {host.address.ip for host in estate.hosts.values()} | {one.address for one in estate.servers.values()}
    found |= {port.address.ip for port in estate.interfaces.values()}
    found |= {router.address for router in estate.cloud_routers.values()}
    prefixes = [nat for nat in estate.nats.values() if nat.kind == "prefix"]
    found |= {moved for nat in prefixes for address in found if (moved := _outside(nat, address))}
    return found | {nat.outside[0] for nat in estate.nats.values() if nat.kind != "prefix"}


def _outside(nat: Nat, address: IPv4Address) -> IPv4Address | None:
    """What a prefix translation makes of an address."""
    return nat.outside[int(address) - int(nat.inside[0])] if address in nat.inside else None
