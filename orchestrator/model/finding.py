"""Findings: what a reader, rule or check has to say, for people. Missing data is `unknown`, never a pass."""

from typing import Annotated, Literal

from pydantic import Field, SkipValidation

from orchestrator.model.base import Noun

Result = Literal["pass", "fail", "unknown"]

Packets = tuple[str, int, tuple[int, ...]]
"""Source node, destination address, classes of ports."""


class Where(Noun):
    """A place in a source: a file and line, a workbook's sheet and cell, a device's line, an API object."""

    source: str  # file name relative to the project folder, or "cloud:NAME"
    line: int | None = None
    sheet: str | None = None
    cell: str | None = None
    item: str = ""  # API object or estate row, "table[key]"

    def __str__(self) -> str:
        place = self.source
        if self.sheet:
            place += f", sheet {self.sheet}"
        if self.cell:
            place += f", cell {self.cell}"
        if self.line is not None:
            place += f":{self.line}"
        return f"{place} {self.item}".strip()


class Hop(Noun):
    """One decision on a packet's way: the node, what decided there, and where that stands."""

    node: str
    vrf: str = ""
    interface: str = ""
    decision: str  # "route 10.8.0.0/16 via 10.8.254.2", "filter 00100 accept", "group web accepts tcp/443" ...
    row: str = ""  # "table[key]" of the deciding row
    where: Where | None = None


class Packet(Noun):
    """A concrete packet, as seen where it starts."""

    source: str
    destination: str
    protocol: Literal["tcp", "udp", "icmp"]
    source_port: int = 40000
    destination_port: int = 0

    def __str__(self) -> str:
        port = f":{self.destination_port}" if self.protocol != "icmp" else ""
        return f"{self.protocol} {self.source} -> {self.destination}{port}"


class Trace(Noun):
    """What became of a packet. `unknown` when the way met something the simulator cannot judge."""

    packet: Packet
    start: str  # node where it starts
    outcome: Literal["delivered", "dropped", "unknown"]
    end: str = ""  # node where it was delivered or dropped
    reason: str = ""
    hops: tuple[Hop, ...] = ()


class Finding(Noun):
    """One thing somebody must know, with its source and the next move."""

    subject: str  # rule ("R3"), flow ("F-0001"), reader ("census"), check ("drift")
    result: Result
    what: str
    where: Where | None = None
    fix: str = ""
    source: str = ""  # the seed or standard behind a rule
    trace: Trace | None = None
    existing: bool = False  # already true of `now`, before any step
    about: Annotated[frozenset[Packets], SkipValidation, Field(exclude=True, repr=False)] = frozenset()
    """All packets that a text stands for which names one of them: where they grow, it does. Never written out."""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{self.subject} {self.result}: {place}{self.what}" + (f"; {self.fix}" if self.fix else "")


class Fact(Noun):
    """A row of the estate and how it is known."""

    row: str  # "table[key]"
    standing: Literal["claimed", "configured", "observed"]
    where: Where
