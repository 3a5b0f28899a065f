import shutil
from pathlib import Path

import pytest

from tests.cli.calls import Onefold
from tests.cli.small import one_step, with_people, with_world


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONEFOLD_PROJECT", "ONEFOLD_JSON", "ONEFOLD_STATE", "ONEFOLD_AUTHOR", "ONEFOLD_LAB", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def onefold(capsys: pytest.CaptureFixture[str]) -> Onefold:
    return Onefold(capsys)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_world(with_people(one_step(tmp_path_factory.mktemp("small") / "office")))


@pytest.fixture
def office(made: Path, tmp_path: Path) -> Path:
    """A whole small project with people, keys and a world that is not there."""
    return Path(shutil.copytree(made, tmp_path / "office"))


@pytest.fixture
def planned(onefold: Onefold, office: Path) -> Path:
    """Its plan, made by the planner."""
    path = office / "plan.json"
    assert onefold("-C", office, "plan", "--out", path, "--author", "plan-li").code == 0
    return path
