"""nftables: `nftables.conf`, a device's forward filter and its address translation, loaded as one transaction."""

from collections.abc import Mapping

from orchestrator.model.estate import Estate
from orchestrator.model.network import Filter, FilterRule, Nat
from orchestrator.vendors.nftables import read, ruleset
from orchestrator.vendors.parsed import Parsed, text_lines

PLATFORM = "nftables"
FILES = (ruleset.FILE,)
TABLES = ("filters", "filter_rules", "nats")


def render(estate: Estate, device: str) -> dict[str, str]:
    """The file of a device. Raises RenderError for rows that cannot be written, such as rules without a filter."""
    rows: list[Filter | FilterRule | Nat] = [
        row
        for table in (estate.filters, estate.filter_rules, estate.nats)
        for row in table.values()
        if row.device == device
    ]
    return {ruleset.FILE: ruleset.write(device, rows)}


def parse(device: str, texts: Mapping[str, str]) -> Parsed:
    """The filter, its rules and the translations of a text: the file, or what `nft list ruleset` prints."""
    return read.parse(device, texts.get(ruleset.FILE, ""))


def cut_off(_: str, text: str) -> str:
    """Every block is closed, and there is at least one line: a table that is missing behind the last one shows in
    nothing.
    """
    lines = [line.split("#")[0].strip() for line in text_lines(text)]
    if not any(lines):
        return "any line"
    opened = sum(line.endswith("{") for line in lines) - lines.count("}")
    return "}" if opened > 0 else ""


def carry(present: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The wanted text with the present one's logging rules kept at the end of the forward chain."""
    return {**wanted, ruleset.FILE: ruleset.carry(present.get(ruleset.FILE, ""), wanted[ruleset.FILE])}
