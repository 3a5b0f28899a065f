"""`nftables.conf`: two tables of our own, replaced in one transaction; and any ruleset's lines as a tree of blocks.

One FilterRule becomes one nftables rule per combination of its interfaces, prefixes and port ranges, all with the
same comment "<sequence> <flow>": nftables would merge neighbouring prefixes and ports of a set, and what is read
back would no longer be what was written. It also gives a counter per combination.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from orchestrator.model.network import Filter, FilterRule, Nat
from orchestrator.vendors.parsed import Line, RenderError, matches, one_line, text_lines

FILE = "nftables.conf"
FILTER, NAT = "table inet onefold", "table ip onefold_nat"
FORWARD = (FILTER, "chain forward")
INTO, OUT = (NAT, "chain prerouting"), (NAT, "chain postrouting")
RETURNING = "ct state established,related counter accept"
_COMMENT_BYTES = 120  # nftables takes 128 bytes, its length byte and NUL included

# Naming a table makes it when it is not there, so that the deletion after it always finds one.
PROLOGUE = (FILTER, f"delete {FILTER}", NAT, f"delete {NAT}")

_PROLOGUE = matches(r"flush ruleset", *map(re.escape, PROLOGUE))
_LOG = re.compile(
    r"(limit rate \S+ (burst \d+ packets )?)?(counter )?log prefix \"[^\"]*\"( counter)?( comment \"[^\"]*\")?"
)


def inert(line: Line) -> bool:
    """Whether a line decides about no packet: the prologue, the opening of our tables, rules that only log."""
    return (not line.path and _PROLOGUE(line)) or (bool(line.path) and _LOG.fullmatch(line.text) is not None)


def carry(present: str, wanted: str) -> str:
    """The wanted text with the present one's logging rules after the last rule of the forward chain."""
    there = {line.place for line in lines_of(wanted)}
    own = [line.text for line in lines_of(present) if line.path == FORWARD and inert(line) and line.place not in there]
    head, start, body = wanted.partition("\tchain forward {\n")
    rules, end, rest = body.partition("\t}\n")
    return head + start + rules + "".join(f"\t\t{line}\n" for line in own if start) + end + rest


def lines_of(text: str) -> Iterator[Line]:
    """The lines that mean something, each with its blocks; comments and counter values are left out."""
    path: tuple[str, ...] = ()
    for number, raw in enumerate(text_lines(text), start=1):
        words = re.sub(r"\bcounter packets \d+ bytes \d+", "counter", " ".join(raw.split()))
        if not words or words.startswith("#"):
            continue
        if words == "}":
            path = path[:-1]
        elif words.endswith("{"):
            yield Line(number, path, words.removesuffix("{").strip())
            path = (*path, words.removesuffix("{").strip())
        else:
            yield Line(number, path, words)


def write(device: str, rows: Iterable[Filter | FilterRule | Nat]) -> str:
    """The file of a device. Raises RenderError for rows that cannot be written."""
    known = list(rows)
    filters = [row for row in known if isinstance(row, Filter)]
    rules = sorted((row for row in known if isinstance(row, FilterRule)), key=lambda row: row.sequence)
    nats = [row for row in known if isinstance(row, Nat)]
    if rules and not filters:
        raise RenderError(
            f"filter_rules[{rules[0].key}]: {device} has rules but no filter: add a row to filters for its default"
        )
    lines = [f"# forward filter and address translation of {device}", *PROLOGUE]
    if filters:
        lines += ["", f"{FILTER} {{", *_chain("forward", "filter", "filter", filters[0].default)]
        lines += [f"\t\t{RETURNING}"] if filters[0].stateful else []
        lines += [*(f"\t\t{line}" for rule in rules for line in rule_lines(rule)), "\t}", "}"]
    if nats:
        lines += ["", f"{NAT} {{", *_chain("prerouting", "nat", "dstnat", "accept")]
        lines += [*(f"\t\t{line}" for line in _nat_lines(nats, entering=True)), "\t}", ""]
        lines += [*_chain("postrouting", "nat", "srcnat", "accept")]
        lines += [*(f"\t\t{line}" for line in _nat_lines(nats, entering=False)), "\t}", "}"]
    return "\n".join(lines) + "\n"


def _chain(name: str, kind: str, priority: str, policy: str) -> list[str]:
    return [f"\tchain {name} {{", f"\t\ttype {kind} hook {name} priority {priority}; policy {policy};"]


def rule_lines(rule: FilterRule) -> Iterator[str]:
    """One line per combination, in the order of the rule's lists, the last list turning fastest."""
    comment = one_line(f"{rule.sequence} {rule.flow}".strip(), f"filter_rules[{rule.key}].flow", _COMMENT_BYTES)
    lists = (
        [f"iifname {_port(name, rule.key)}" for name in rule.in_interfaces],
        [f"oifname {_port(name, rule.key)}" for name in rule.out_interfaces],
        [f"ip saddr {_address(prefix)}" for prefix in rule.sources],
        [f"ip daddr {_address(prefix)}" for prefix in rule.destinations],
        _service(rule),
    )
    for matched in itertools.product(*(dict.fromkeys(one) or [""] for one in lists)):
        words = " ".join(word for word in matched if word)
        yield f"{words} counter {rule.action} comment {_quoted(comment, rule.key)}".strip()


def _service(rule: FilterRule) -> list[str]:
    if rule.ports:
        return [f"{rule.protocol} dport {low if low == high else f'{low}-{high}'}" for low, high in rule.ports]
    return [] if rule.protocol == "any" else [f"meta l4proto {rule.protocol}"]


def _port(name: str, key: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:/-]+", name):
        raise RenderError(f"{key}: interface {name!r} cannot be written: use letters, digits and _ . : / -")
    return f'"{name}"'


def _quoted(text: str, key: str) -> str:
    if '"' in text or "\\" in text:
        raise RenderError(f"{key}: {text!r} cannot be a comment: take quotes and backslashes out")
    return f'"{text}"'


def _address(prefix: IPv4Network) -> str:
    return str(prefix[0] if prefix.prefixlen == 32 else prefix)


def _nat_lines(nats: list[Nat], *, entering: bool) -> Iterator[str]:
    """One way of all translations: exact ones before whole prefixes, then by name."""
    for row in sorted(nats, key=lambda row: (row.kind == "prefix", row.key)):
        line = _prefix(row, entering) if row.kind == "prefix" else _single(row, entering)
        if line:
            yield f'{line} comment "{row.name}"'


def _prefix(row: Nat, entering: bool) -> str:
    if row.inside.prefixlen != row.outside.prefixlen or row.protocol != "any" or row.port or row.inside_port:
        raise RenderError(
            f"nats[{row.key}]: 1:1 translation is between prefixes of one length and for all protocols: correct the row"
        )
    port = _port(row.interface, row.key)
    if entering:
        return f"iifname {port} counter dnat ip prefix to ip daddr map {{ {_pair(row.outside, row.inside)} }}"
    return f"oifname {port} counter snat ip prefix to ip saddr map {{ {_pair(row.inside, row.outside)} }}"


def _pair(one: IPv4Network, other: IPv4Network) -> str:
    return f"{_address(one)} : {other}"


def _single(row: Nat, entering: bool) -> str:
    if (row.kind == "destination") != entering:
        return ""
    port = _port(row.interface, row.key)
    _check_single(row)
    if row.kind == "source":
        return f"oifname {port} ip saddr {_address(row.inside)}{_transport(row)} counter snat to {row.outside[0]}"
    to = f"{row.inside[0]}:{row.inside_port}" if row.inside_port is not None else str(row.inside[0])
    return f"iifname {port} ip daddr {_address(row.outside)}{_transport(row)} counter dnat to {to}"


def _check_single(row: Nat) -> None:
    single = [row.outside, row.inside] if row.kind == "destination" else [row.outside]
    if any(prefix.prefixlen != 32 for prefix in single):
        raise RenderError(f"nats[{row.key}]: a {row.kind} translation needs a single address (/32) to translate to")
    if row.kind == "source" and (row.port is not None or row.inside_port is not None):
        raise RenderError(f"nats[{row.key}]: a source translation has no port: take port and inside_port away")
    if (row.port is not None or row.inside_port is not None) and row.protocol not in ("tcp", "udp"):
        raise RenderError(f"nats[{row.key}]: a port needs protocol tcp or udp: set protocol")


def _transport(row: Nat) -> str:
    if row.port is not None:
        return f" {row.protocol} dport {row.port}"
    return "" if row.protocol == "any" else f" meta l4proto {row.protocol}"
