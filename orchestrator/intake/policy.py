"""policy.yaml -> Policy: the rule pack, with every fault at its file and line."""

import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.intake.documents import Document, read_document
from orchestrator.intake.faults import raise_all
from orchestrator.model.finding import Finding
from orchestrator.model.policy import Flow, Policy
from orchestrator.rules.registry import rules

_NAMED_BY = {
    "zones": "name",
    "flows": "code",
    "exceptions": "code",
    "windows": "name",
    "deadlines": "task",
}
_RULE_NAME = re.compile(r"R[1-9][0-9]?")
_LINK = 30
"""The prefix length of a link between two devices."""
_DIVIDED = {"host", "organisation", "system", "zone", "workload", "service"}


def read_policy(path: Path) -> Policy:
    """The policy of a project. Raises FaultyInputError with one Finding per fault; then nothing is used."""
    document = read_document(path, path.name, "policy")
    policy = document.validate(Policy)
    raise_all(
        [
            *_doubles(document, policy),
            *_flow_faults(document, policy),
            *_people_faults(document, policy),
            *_calendar_faults(document, policy),
            *_numbering_faults(document, policy),
            *_pool_faults(document, policy),
            *_rule_faults(document, policy),
        ]
    )
    return policy


def _doubles(document: Document, policy: Policy) -> Iterator[Finding]:
    for table, field in _NAMED_BY.items():
        seen: set[str] = set()
        for index, row in enumerate(getattr(policy, table)):
            name = getattr(row, field)
            if name in seen:
                yield document.fault((table, index, field), f"{table} has {name!r} twice", "rename one")
            seen.add(name)


def _flow_faults(document: Document, policy: Policy) -> Iterator[Finding]:
    for index, flow in enumerate(policy.flows):
        for field in ("source", "destination"):
            end: str = getattr(flow, field)
            kind, _, name = end.partition(":")
            if kind not in _DIVIDED or not name:
                kinds = ", ".join(sorted(_DIVIDED))
                yield document.fault(
                    ("flows", index, field),
                    f"{flow.code} has {field} {end!r}",
                    f"write it as KIND:NAME with KIND one of {kinds}",
                )
            elif kind == "zone" and name not in policy.zone_of:
                yield document.fault(
                    ("flows", index, field),
                    f"{flow.code} names the unknown zone {name!r}",
                    "add it under zones or correct its name",
                )
        fault = _port_fault(flow)
        if fault:
            yield document.fault(("flows", index), *fault)


def _port_fault(flow: Flow) -> tuple[str, str] | None:
    """A flow is one service (R6): a protocol, and a port where the protocol has ports."""
    if flow.protocol == "any":
        return f"{flow.code} has no protocol of its own", "write tcp, udp or icmp, one flow for each"
    if flow.protocol == "icmp" and flow.port:
        return f"{flow.code} has a port, which icmp has not", "remove it, or write tcp or udp"
    if flow.protocol != "icmp" and flow.port == 0:
        return f"{flow.code} has no port", "add the destination port"
    return None


def _people_faults(document: Document, policy: Policy) -> Iterator[Finding]:
    names: dict[str, str] = {}
    keys: dict[str, str] = {}
    for index, person in enumerate(policy.approvals.people):
        at = ("approvals", "people", index)
        if person.name in names:
            yield document.fault(
                (*at, "role"),
                f"{person.name!r} is both {names[person.name]} and {person.role}",
                "give one of the roles to another person",
            )
        if person.key != person.public_key:
            yield document.fault(
                (*at, "public_key"),
                f"{person.name!r} has no Ed25519 public key here",
                "copy what 'onefold keys' has said, whole",
            )
        if person.public_key in keys:
            yield document.fault(
                (*at, "public_key"),
                f"{person.name!r} has the key of {keys[person.public_key]!r}",
                "let each person make a key of their own",
            )
        names[person.name] = person.role
        keys[person.public_key] = person.name
    held = {person.role for person in policy.approvals.people}
    for role in policy.approvals.required:
        if role not in held:
            yield document.fault(
                ("approvals", "required"),
                f"nobody holds the required role {role}",
                "add a person with that role under approvals.people",
            )


def _calendar_faults(document: Document, policy: Policy) -> Iterator[Finding]:
    for index, window in enumerate(policy.windows):
        for day in window.weekdays:
            if not 0 <= day <= 6:
                yield document.fault(
                    ("windows", index, "weekdays"),
                    f"window {window.name!r} has weekday {day}",
                    "use 0 (Monday) to 6 (Sunday)",
                )
    for index, freeze in enumerate(policy.freezes):
        dates = freeze.first is not None and freeze.last is not None
        days = freeze.first_day_of_month is not None and freeze.last_day_of_month is not None
        if freeze.first is not None and freeze.last is not None and freeze.first > freeze.last:
            yield document.fault(
                ("freezes", index),
                f"freeze {freeze.name!r} ends before it begins ({freeze.first} to {freeze.last})",
                "exchange first and last",
            )
        if dates == days:
            yield document.fault(
                ("freezes", index),
                f"freeze {freeze.name!r} has no clear beginning and end",
                "give first and last, or first_day_of_month and last_day_of_month",
            )


def _rule_faults(document: Document, policy: Policy) -> Iterator[Finding]:
    """A misspelt rule would be out of force without a word, and with it what it forbids."""
    known = [rule.name for rule in rules()]
    for index, name in enumerate(policy.rules):
        if name not in known:
            yield document.fault(("rules", index), f"there is no rule {name!r}", f"choose from {', '.join(known)}")
    for index, grant in enumerate(policy.exceptions):
        if not _RULE_NAME.fullmatch(grant.rule):
            yield document.fault(
                ("exceptions", index, "rule"), f"{grant.code} excuses from {grant.rule!r}", "write the rule as R17"
            )


def _numbering_faults(document: Document, policy: Policy) -> Iterator[Finding]:
    numbering = policy.numbering
    if numbering.vlan_first > numbering.vlan_last:
        what = f"VLANs from {numbering.vlan_first} to {numbering.vlan_last} are none"
        yield document.fault(("numbering", "vlan_first"), what, "exchange vlan_first and vlan_last")
    if numbering.overlay_pool.prefixlen > _LINK:
        what = f"overlay_pool {numbering.overlay_pool} has no room for a link"
        yield document.fault(("numbering", "overlay_pool"), what, f"write a prefix of {_LINK} or less")
    names = [pool.name for pool in numbering.pools]
    for index, name in enumerate(names):
        if name in names[:index]:
            at = ("numbering", "pools", index, "name")
            yield document.fault(at, f"numbering has two pools {name!r}", "make them one, or name the other one")


def _pool_faults(document: Document, policy: Policy) -> Iterator[Finding]:
    for index, pool in enumerate(policy.numbering.pools):
        if not pool.prefix.subnet_of(policy.extranet_pool):
            yield document.fault(
                ("numbering", "pools", index, "prefix"),
                f"pool {pool.name!r} ({pool.prefix}) is not in {policy.extranet_pool}",
                "choose a block inside the extranet pool",
            )
        if not pool.prefix.prefixlen <= pool.length <= 30:
            yield document.fault(
                ("numbering", "pools", index, "length"),
                f"pool {pool.name!r} hands out /{pool.length} from {pool.prefix}",
                f"use a length from {pool.prefix.prefixlen} to 30",
            )
