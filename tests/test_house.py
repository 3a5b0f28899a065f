"""The house holds: siblings know nothing of each other, whatever is added, without being listed anywhere."""

from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
SHARED = {"moment", "registry", "parsed", "common", "edges", "reach", "support"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("orchestrator", "lab", "stacks")


@pytest.mark.parametrize("room", ["rules", "report", "cli"])
def test_siblings_do_not_import_each_other(graph: grimp.ImportGraph, room: str) -> None:
    siblings = {
        child
        for child in graph.find_children(f"orchestrator.{room}")
        if room != "rules" or (child.rsplit(".", 1)[1][:1] == "r" and child.rsplit(".", 1)[1][1:3].isdigit())
    }
    if room == "cli":
        siblings = {child for child in siblings if child.rsplit(".", 1)[1] not in ("common", "session", "world")}
    assert siblings
    for child in siblings:
        found = graph.find_modules_directly_imported_by(child)
        assert not {module for module in found if any(module.startswith(other) for other in siblings - {child})}


def test_only_the_agreed_folders_stand_at_the_top() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert folders == {
        "orchestrator", "playbooks", "stacks", "inventories", "network_models", "lab", "docs", "benchmarks", "tests",
    }  # fmt: skip


def test_nothing_names_a_place_that_only_its_makers_have() -> None:
    words = ("/work/" + "main", "/work/" + "shared", "pypi" + ".org", "proxy.golang" + ".org", "deb." + "debian.org")
    kinds = (".py", ".md", ".toml", ".yaml", ".yml", ".lock", ".in", ".sh", ".c", ".h", "")
    tops = [path for path in ROOT.iterdir() if not path.name.startswith(".")]  # caches change while we look
    for path in [inner for top in tops for inner in (top.rglob("*") if top.is_dir() else [top])]:
        if path.is_file() and path.suffix in kinds:
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [word for word in words if word in text], path
