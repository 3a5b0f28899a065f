"""An export that was cut off, at whichever line, is never read as a device that has less."""

from pathlib import Path

import pytest

from network_models.district import now
from orchestrator.intake.devices import Configurations, read_configurations
from orchestrator.vendors.registry import render_device

ESTATE = now()
DEVICES = ("cz3", "mz1", "msw1", "pe1")
NATS = "table ip onefold_nat {"


def exported(folder: Path, device: str, texts: dict[str, str]) -> Configurations:
    (folder / device).mkdir(exist_ok=True)
    for file, text in texts.items():
        (folder / device / file).write_text(text, "utf-8")
    return read_configurations(folder, "configs", [ESTATE.devices[device]])


@pytest.mark.parametrize("device", DEVICES)
def test_a_cut_at_any_line_is_told_or_loses_nothing(tmp_path: Path, device: str) -> None:
    texts = render_device(ESTATE, device)
    whole = exported(tmp_path, device, texts)
    assert whole.unparsed == ()
    cuts = 0
    for file, text in texts.items():
        lines = text.splitlines(keepends=True)
        for count in range(len(lines)):
            if file == "nftables.conf" and lines[count].strip() in ("", NATS) and count > 5:
                continue  # between two tables: nothing in an export tells that another was to come
            if file == "nftables.conf" and 0 < count <= 6:
                continue  # the prologue alone is a device without a filter
            cut = exported(tmp_path, device, {**texts, file: "".join(lines[:count])})
            told = [line.text for line in cut.unparsed]
            assert told or cut.rows == whole.rows, f"{file} cut before line {count + 1}"
            cuts += bool(told)
        exported(tmp_path, device, texts)
    assert cuts >= 8


@pytest.mark.parametrize(
    ("device", "file", "lacks"),
    [("cz3", "frr.conf", "end"), ("msw1", "vrp.cfg", "return"), ("mz1", "nftables.conf", "}")],
)
def test_what_is_missing_is_said_with_the_next_move(tmp_path: Path, device: str, file: str, lacks: str) -> None:
    texts = render_device(ESTATE, device)
    lines = texts[file].rstrip().splitlines()[:-1]
    found = exported(tmp_path, device, {**texts, file: "\n".join(lines) + "\n"}).findings
    assert str(found[0]) == (
        f"configurations unknown: configs/{device}/{file}:{len(lines)}: not understood: 'absent: the end of the file "
        f"({lacks})'; every answer it could change is unknown: export it whole"
    )


def test_an_export_without_a_line_is_no_device_without_a_filter(tmp_path: Path) -> None:
    texts = render_device(ESTATE, "mz1")
    for empty in ("", "\n", "# forward filter and address translation of mz1\n"):
        found = exported(tmp_path, "mz1", {**texts, "nftables.conf": empty})
        assert [line.text for line in found.unparsed] == ["absent: the end of the file (any line)"]


def test_an_export_with_a_byte_order_mark_is_read_like_one_without(tmp_path: Path) -> None:
    for device in DEVICES:
        texts = render_device(ESTATE, device)
        plain = exported(tmp_path, device, texts)
        assert exported(tmp_path, device, {file: f"\ufeff{text}" for file, text in texts.items()}) == plain
        assert plain.unparsed == ()
