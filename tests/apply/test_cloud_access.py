"""What an access file must name before a cloud is touched, and how a cloud's refusals are told. No cloud is here."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.apply.access import Access
from orchestrator.apply.cloud import Cloud
from orchestrator.errors import InputError

CLOUDS = "clouds: {onefold-admin: {auth: {auth_url: 'http://198.18.0.5:5000', username: u, password: p}}}\n"


def access(folder: Path, **more: Any) -> Access:
    (folder / "clouds.yaml").write_text(CLOUDS)
    fields = {"ssh_key": folder / "key", "known_hosts": folder / "known", "clouds_file": folder / "clouds.yaml"}
    return Access.model_validate({**fields, "pulumi_backend": str(folder / "state"), **more})


def refused(act: Any) -> str:
    with pytest.raises(InputError) as caught:
        act()
    return str(caught.value)


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("", "the access file names no pulumi_backend: write the whole path of a folder or a URL for stacks' states"),
        ("state", "pulumi_backend 'state' is no whole path: stacks' states must not hang on where a call is made"),
    ],
)
def test_states_of_stacks_do_not_land_where_the_caller_happens_to_be(
    backend: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    assert refused(Cloud(access(tmp_path, pulumi_backend=backend))._backend) == told
    assert not (tmp_path / "state").exists()
    assert Cloud(access(tmp_path))._backend() == f"file://{tmp_path}/state"
    assert Cloud(access(tmp_path, pulumi_backend="s3://states"))._backend() == "s3://states"


def test_the_passphrase_of_states_kept_elsewhere_has_a_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for backend in ("s3://states", ""):
        assert refused(Cloud(access(tmp_path, pulumi_backend=backend))._passphrase) == (
            "the access file names no passphrase_file: write the whole path of one, it guards secrets in stacks' states"
        )
    assert not list(tmp_path.rglob("passphrase"))
    assert Cloud(access(tmp_path))._passphrase() == tmp_path / "state" / "passphrase"
    assert Cloud(access(tmp_path, pulumi_backend=f"file://{tmp_path}/b"))._passphrase() == tmp_path / "b" / "passphrase"
    named = access(tmp_path, pulumi_backend="s3://states", passphrase_file=tmp_path / "mine")
    assert Cloud(named)._passphrase() == tmp_path / "mine"
