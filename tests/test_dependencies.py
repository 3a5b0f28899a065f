"""Whatever is asked for has a reason written down, and whatever is imported is asked for."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
OWN = {"orchestrator", "lab", "stacks", "network_models", "playbooks", "benchmarks", "tests"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(*files: str) -> set[str]:
    lines = [line for file in files for line in (ROOT / file).read_text("utf-8").splitlines()]
    return {normal(found[0]) for line in lines if (found := re.match(r"[A-Za-z][\w.-]*", line))}


def imported(*folders: str) -> set[str]:
    names: set[str] = set()
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - OWN


def test_every_package_that_is_asked_for_has_its_reason() -> None:
    page = (ROOT / "docs/dependencies.md").read_text("utf-8")
    reasons = {
        normal(name)
        for row in re.findall(r"^\| ([^|]+) \| \S", page, re.M)
        for name in re.split(r"[ ,()]+", row)
        if name
    }
    wanted = asked_for("requirements.in", "requirements-dev.in", "lab/openstack/requirements.in")
    assert "click" in wanted
    assert wanted - reasons == set(), "each needs a line in docs/dependencies.md that says why it is there"
    assert "left-pad" not in reasons


def test_every_package_that_is_imported_is_asked_for() -> None:
    owners = packages_distributions()
    wanted = asked_for("requirements.in")
    # pydantic-core is pydantic; openstack belongs to openstacksdk
    unasked = {
        name
        for name in imported("orchestrator", "stacks", "network_models")
        if not {normal(owner) for owner in owners.get(name, [name])} & (wanted | {"pydantic-core"})
    }
    assert unasked == set(), "add them to requirements.in and say why in docs/dependencies.md"
