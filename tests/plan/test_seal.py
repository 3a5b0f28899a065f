"""A plan file is read back as it was written, or not at all."""

import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.design import design
from orchestrator.errors import SealError
from orchestrator.model.base import canonical, digest
from orchestrator.model.plan import Plan
from orchestrator.plan import build
from orchestrator.plan.seal import load, save
from tests.design.estates import district, policy
from tests.laws import examples


@cache
def plan() -> Plan:
    return build(district(), design(district(), policy()), policy(), "wangchao", "planner-1")


def test_a_saved_plan_is_read_back_equal(tmp_path: Path) -> None:
    save(plan(), tmp_path / "plan.json")
    assert load(tmp_path / "plan.json") == plan()
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@settings(max_examples=examples(40))
@given(st.data())
def test_a_changed_byte_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("seal") / "plan.json"
    content = bytearray(plan().text().encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(SealError) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"", b"\n\n"])
def test_another_end_of_the_line_is_another_file(tmp_path: Path, end: bytes) -> None:
    """A mail gateway that writes lines anew has changed the file, though nobody sees it."""
    path = tmp_path / "plan.json"
    save(plan(), path)
    path.write_bytes(path.read_bytes().removesuffix(b"\n") + end)
    with pytest.raises(SealError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: not in the form in which plans are written, the file was changed: "
        "run 'onefold plan' again, or fetch the file that was approved"
    )


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_torn_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan().text()[:cut], encoding="utf-8")
    with pytest.raises(SealError, match="not a plan file"):
        load(path)


def test_a_changed_plan_says_so(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan().text().replace("planner-1", "planner-2"), encoding="utf-8")
    with pytest.raises(SealError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: the seal does not fit, the file was changed after it was written: "
        "run 'onefold plan' again, or fetch the file that was approved"
    )


def test_another_format_is_refused_even_when_sealed(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    other = {**plan().plain(), "format": 2}
    path.write_text(canonical({"plan": other, "seal": digest(other)}) + "\n", encoding="utf-8")
    with pytest.raises(SealError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: plan format 2, this version reads 1: use the version that wrote it, or run 'onefold plan' again"
    )


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # as /dev/null would be, by somebody who only wanted to look at the waves
    for place in (pipe, tmp_path, Path()):
        with pytest.raises(SealError, match="something that is no file"):
            save(plan(), place)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_those_who_have_to_sign_may_read_the_plan(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save(plan(), tmp_path / "plan.json")
    finally:
        os.umask(before)
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("text", ["[" * 100_000, '{"plan":' * 100_000, '{"plan":{"format":1,"x":"\\ud800"},"seal":""}'])
def test_json_that_nobody_wrote_is_no_plan_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text, encoding="utf-8")
    with pytest.raises(SealError, match="not a plan file"):
        load(tmp_path / "plan.json")


def test_a_missing_file_and_an_unwritable_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="not readable as a plan file"):
        load(tmp_path / "none.json")
    with pytest.raises(SealError, match="cannot be written"):
        save(plan(), tmp_path / "none" / "plan.json")
