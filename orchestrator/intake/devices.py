"""configs/DEVICE/FILE -> the configured rows, every line that nobody understood, every file that is missing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.intake.faults import fault, raise_all
from orchestrator.model.base import Row
from orchestrator.model.finding import Finding, Where
from orchestrator.model.network import Device
from orchestrator.vendors.parsed import Attribute, Unparsed
from orchestrator.vendors.registry import parse_device, vendors


@dataclass(frozen=True)
class Configurations:
    """All exported configurations. A file that is missing or has no end is one Unparsed line too."""

    rows: tuple[tuple[Row, Where], ...]
    attributes: tuple[tuple[str, Attribute, Where], ...]  # device, what its configuration says of it, where
    unparsed: tuple[Unparsed, ...]
    findings: tuple[Finding, ...]


def read_configurations(folder: Path, name: str, devices: Iterable[Device]) -> Configurations:
    """Read the folder; `name` is how messages call it. Raises FaultyInputError for files that are not text."""
    managed = [device for device in devices if _files(device)]
    texts, faults = _texts(folder, name, managed)
    raise_all(faults)
    rows: list[tuple[Row, Where]] = []
    attributes: list[tuple[str, Attribute, Where]] = []
    unparsed: list[Unparsed] = []
    for device in managed:
        parsed = parse_device(device.name, device.platforms, texts[device.name])
        unparsed += [*_incomplete(device, texts[device.name]), *parsed.unparsed]
        at = f"{name}/{device.name}"
        rows += [(row.noun, Where(source=f"{at}/{row.file}", line=row.line)) for row in parsed.rows]
        attributes += [(device.name, one, Where(source=f"{at}/{one.file}", line=one.line)) for one in parsed.attributes]
    findings = [*(unparsed_finding(name, line) for line in unparsed), *_strangers(folder, name, managed)]
    return Configurations(tuple(rows), tuple(attributes), tuple(unparsed), tuple(findings))


def unparsed_finding(name: str, line: Unparsed) -> Finding:
    """A line nobody understood, as a Finding; `name` is the folder of configurations."""
    return Finding(
        subject="configurations",
        result="unknown",
        where=Where(source=f"{name}/{line.device}/{line.file}", line=line.line),
        what=f"not understood: {line.text!r}",
        fix="every answer it could change is unknown: "
        + ("export it whole" if line.text.startswith("absent: ") else "remove the line, or extend the vendor's reader"),
    )


def _files(device: Device) -> tuple[str, ...]:
    return tuple(file for platform in device.platforms if platform in vendors() for file in vendors()[platform].FILES)


def _texts(folder: Path, name: str, devices: Iterable[Device]) -> tuple[dict[str, dict[str, str]], list[Finding]]:
    texts: dict[str, dict[str, str]] = {}
    faults: list[Finding] = []
    for device in devices:
        there = texts.setdefault(device.name, {})
        for path in sorted((folder / device.name).glob("*")):
            try:
                there[path.name] = path.read_text(encoding="utf-8-sig")  # some editors put a mark first
            except (OSError, UnicodeDecodeError) as error:
                where = Where(source=f"{name}/{device.name}/{path.name}")
                faults.append(fault("configurations", where, f"cannot be read as text ({error})", "export it as UTF-8"))
    return texts, faults


def _incomplete(device: Device, texts: dict[str, str]) -> Iterator[Unparsed]:
    """Files that are not there, and those of which the end is not: what is missing could have said anything."""
    for platform in device.platforms:
        for file in vendors()[platform].FILES if platform in vendors() else ():
            text = texts.get(file)
            if text is None:
                yield Unparsed(device=device.name, file=file, line=1, text="absent: the whole file was not exported")
            elif lacks := vendors()[platform].cut_off(file, text):
                last = max(1, len(text.splitlines()))
                yield Unparsed(device=device.name, file=file, line=last, text=f"absent: the end of the file ({lacks})")


def _strangers(folder: Path, name: str, devices: Iterable[Device]) -> Iterator[Finding]:
    known = {device.name for device in devices}
    for path in sorted(folder.glob("*/")):
        if path.name not in known:
            yield Finding(
                subject="configurations",
                result="unknown",
                where=Where(source=f"{name}/{path.name}"),
                what=f"configurations of a device {path.name!r} that the topology does not know",
                fix="add the device to the topology, or remove the folder",
            )
