"""nftables text to nouns: take out what is known, write it again, and report every line that does not come back."""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network
from typing import Any, ParamSpec, TypeVar

from orchestrator.model.network import Filter, FilterRule, Nat
from orchestrator.vendors.nftables import ruleset
from orchestrator.vendors.parsed import Line, Parsed, ParsedRow, RenderError, Unparsed, unexplained

_T = TypeVar("_T")
_P = ParamSpec("_P")
_HOOK = re.compile(r"type filter hook forward priority filter; policy (accept|drop);")
_RULE = re.compile(
    r'(?:iifname "(?P<into>[^"]+)" )?(?:oifname "(?P<out>[^"]+)" )?'
    r"(?:ip saddr (?P<source>[\d./]+) )?(?:ip daddr (?P<destination>[\d./]+) )?"
    r"(?:(?P<transport>tcp|udp) dport (?P<low>\d+)(?:-(?P<high>\d+))? |meta l4proto (?P<protocol>tcp|udp|icmp) )?"
    r'counter (?P<action>accept|drop) comment "(?P<sequence>\d{1,5})(?: (?P<flow>[^"]*))?"'
)
_NAT = re.compile(
    r'[io]ifname "(?P<interface>[^"]+)" ip [sd]addr (?P<matched>[\d./]+) '
    r"(?:(?P<transport>tcp|udp) dport (?P<port>\d+) |meta l4proto (?P<protocol>tcp|udp|icmp) )?"
    r'counter (?P<way>[sd]nat) to (?P<to>[\d.]+)(?::(?P<inside_port>\d+))? comment "(?P<name>[^"]+)"'
)
_PREFIX = re.compile(
    r'iifname "(?P<interface>[^"]+)" counter dnat ip prefix to ip daddr map '
    r'\{ (?P<outside>[\d./]+) : (?P<inside>[\d./]+) \} comment "(?P<name>[^"]+)"'
)


def parse(device: str, text: str) -> Parsed:
    """See the package's `parse`."""
    found = tuple(ruleset.lines_of(text))
    rows = (*_filter(device, found), *_rules(device, found), *_nats(device, found))
    nouns = [row.noun for row in rows if isinstance(row.noun, Filter | FilterRule | Nat)]
    try:
        again = tuple(ruleset.lines_of(ruleset.write(device, nouns)))
    except RenderError:
        rows, again = (), ()
    lines = (*unexplained(device, ruleset.FILE, found, again, ruleset.inert, ordered=True), *_taken_away(device, found))
    return Parsed(rows=rows, unparsed=tuple(sorted(lines, key=lambda one: one.line)))


def _taken_away(device: str, found: Sequence[Line]) -> Iterator[Unparsed]:
    """Deletions behind a table, which mean nothing only in front of them all: what was read may not be there."""
    opened = next((line.number for line in found if line.path), None)
    for line in found:
        late = opened is not None and line.number > opened and not line.path
        if late and line.text.startswith(("delete ", "flush ")) and ruleset.inert(line):
            yield Unparsed(device=device, file=ruleset.FILE, line=line.number, text=line.text)


def _good(make: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """What `make` gives, or None when a value in it is bad; its line then stays unexplained."""
    try:
        return make(*args, **kwargs)
    except ValueError:
        return None


def _filter(device: str, found: Sequence[Line]) -> Iterator[ParsedRow]:
    here = [line for line in found if line.path == ruleset.FORWARD]
    stateful = any(line.text == ruleset.RETURNING for line in here)
    for line in here:
        hook = _HOOK.fullmatch(line.text)
        if hook:
            noun = Filter.model_validate({"device": device, "default": hook[1], "stateful": stateful})
            yield ParsedRow(noun, ruleset.FILE, line.number)
            return


def _rules(device: str, found: Sequence[Line]) -> Iterator[ParsedRow]:
    """Lines with one sequence number are the combinations of one rule."""
    groups: dict[int, list[tuple[Line, dict[str, Any]]]] = {}
    for line in found:
        match = _RULE.fullmatch(line.text) if line.path == ruleset.FORWARD else None
        if match:
            groups.setdefault(int(match["sequence"]), []).append((line, match.groupdict()))
    for sequence, lines in groups.items():
        rule = _good(_rule, device, sequence, [matched for _, matched in lines])
        if rule is not None and _written(rule) == [line.text for line, _ in lines]:
            yield ParsedRow(rule, ruleset.FILE, lines[0][0].number)


def _written(rule: FilterRule) -> list[str]:
    """The lines of a rule; none where it holds what we do not write, such as the port `lan*`, which is many."""
    try:
        return list(ruleset.rule_lines(rule))
    except RenderError:
        return []


def _rule(device: str, sequence: int, lines: list[dict[str, Any]]) -> FilterRule:
    def column(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line[name] for line in lines if line[name] is not None))

    ranges = dict.fromkeys((int(line["low"]), int(line["high"] or line["low"])) for line in lines if line["low"])
    first = lines[0]
    return FilterRule.model_validate(
        {
            "device": device,
            "sequence": sequence,
            "action": first["action"],
            "in_interfaces": column("into"),
            "out_interfaces": column("out"),
            "sources": tuple(map(IPv4Network, column("source"))),
            "destinations": tuple(map(IPv4Network, column("destination"))),
            "protocol": first["transport"] or first["protocol"] or "any",
            "ports": tuple(ranges),
            "flow": first["flow"] or "",
        }
    )


def _nats(device: str, found: Sequence[Line]) -> Iterator[ParsedRow]:
    seen = set()
    for line in found:
        if line.path not in (ruleset.INTO, ruleset.OUT):
            continue
        single, prefix = _NAT.fullmatch(line.text), _PREFIX.fullmatch(line.text)
        row = None
        if single:
            row = _good(_single, device, single.groupdict())
        elif prefix:
            row = _good(Nat.model_validate, {"device": device, "kind": "prefix", **prefix.groupdict()})
        if row is not None and row.name not in seen:
            seen.add(row.name)
            yield ParsedRow(row, ruleset.FILE, line.number)


def _single(device: str, matched: dict[str, Any]) -> Nat:
    """A source or destination translation; what does not fit together is found out when it is written again."""
    source = matched["way"] == "snat"
    inside, outside = (matched["matched"], matched["to"]) if source else (matched["to"], matched["matched"])
    return Nat.model_validate(
        {
            "device": device,
            "name": matched["name"],
            "kind": "source" if source else "destination",
            "interface": matched["interface"],
            "inside": IPv4Network(inside),
            "outside": IPv4Network(outside),
            "protocol": matched["transport"] or matched["protocol"] or "any",
            "port": int(matched["port"]) if matched["port"] else None,
            "inside_port": int(matched["inside_port"]) if matched["inside_port"] else None,
        }
    )
