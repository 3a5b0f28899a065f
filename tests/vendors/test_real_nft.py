"""The texts on the real nft: it checks and loads them, again over themselves, and lists the same nouns."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from network_models import district
from orchestrator.model.base import Noun
from orchestrator.vendors import nftables
from tests.vendors.devices import NAME, boundaries, estate_of

pytestmark = pytest.mark.lab
NOW = district.now()
LOAD = 'nft -c -f "$0" && nft -f "$0" && nft -f "$0" && nft list ruleset'


def listed(text: str, path: Path) -> str:
    """What `nft list ruleset` prints after loading the text twice in a network namespace of its own."""
    path.write_text(text)
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", LOAD, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stderr}\n{text}"
    return done.stdout


@pytest.mark.parametrize("device", ["fw1", "mz1"])
def test_the_districts_rules_are_listed_as_the_same_nouns(device: str, tmp_path: Path) -> None:
    text = nftables.render(NOW, device)["nftables.conf"]
    wanted, read = (
        nftables.parse(device, {"nftables.conf": one}) for one in (text, listed(text, tmp_path / "nftables.conf"))
    )
    assert (read.unparsed, set(read.nouns())) == ((), set(wanted.nouns()))
    assert len(read.nouns()) > 4


@given(nouns=boundaries())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_boundary_is_listed_as_the_same_nouns(nouns: tuple[Noun, ...], tmp_path: Path) -> None:
    text = nftables.render(estate_of("nftables", nouns), NAME)["nftables.conf"]
    read = nftables.parse(NAME, {"nftables.conf": listed(text, tmp_path / "nftables.conf")})
    assert (read.unparsed, set(read.nouns())) == ((), set(nouns))


def test_nft_itself_refuses_a_broken_text(tmp_path: Path) -> None:
    text = nftables.render(NOW, "fw1")["nftables.conf"].replace("tcp dport", "tcp sport dport")
    with pytest.raises(AssertionError, match="syntax error"):
        listed(text, tmp_path / "nftables.conf")
