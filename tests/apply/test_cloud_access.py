"""What an access file must name before a cloud is touched, and how a cloud's refusals are told. No cloud is here."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from openstack.exceptions import HttpException

from network_models.district import now
from orchestrator.apply import snapshot
from orchestrator.apply.access import Access
from orchestrator.apply.cloud import Cloud
from orchestrator.errors import InputError, UnreachableError
from tests.apply.test_parts import with_tenant

NOW = now()
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


class Silent:
    """A cloud whose API is down."""

    def __getattr__(self, _service: str) -> Any:
        raise HttpException("HttpException: 503: Server Error for url: http://198.18.0.5:5000/v3", http_status=503)


def test_a_cloud_that_stops_answering_is_unreachable_in_a_line(tmp_path: Path) -> None:
    cloud = Cloud(access(tmp_path))
    cloud._connection = Silent()
    with pytest.raises(UnreachableError) as caught:
        cloud.push("tenant-cz", NOW, with_tenant())
    assert str(caught.value) == (
        "the cloud's API does not answer as an administrator needs (HttpException: 503: Server Error for url: "
        "http://198.18.0.5:5000/v3): check the entry in clouds.yaml and 'onefold doctor'"
    )


def test_what_an_access_file_lacks_is_named_before_a_stack_is_touched(tmp_path: Path) -> None:
    none = Cloud(access(tmp_path, clouds_file=None))
    assert refused(lambda: none.push("tenant-cz", NOW, with_tenant())) == (
        "the access file names no clouds file: write a clouds.yaml and name it as clouds_file"
    )
    cloud = Cloud(access(tmp_path))
    cloud._connection = SimpleNamespace(identity=SimpleNamespace(find_domain=lambda _: SimpleNamespace(id="d")))
    assert refused(lambda: cloud.push("tenant-cz", NOW, with_tenant())) == (
        f"{tmp_path}/key.pub is missing: write the public half of ssh_key there ('ssh-keygen -y -f {tmp_path}/key')"
    )


def test_a_cloud_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    """Where the estate has nothing in it there is nothing to be compared."""
    unread = access(tmp_path, clouds_file=None)
    hands = cast(Any, SimpleNamespace(access=unread, cloud=Cloud(unread)))
    assert snapshot._cloud(NOW, hands) == ({}, {})
    assert refused(lambda: snapshot._cloud(with_tenant(), hands)).startswith("the access file names no clouds file")


HOLDING = """
import sys, time
from pathlib import Path
from orchestrator.apply.cloud import Cloud
from tests.apply.test_cloud_access import access
from tests.apply.test_parts import with_tenant
with Cloud(access(Path(sys.argv[1])))._logins("tenant-cz", with_tenant(), with_tenant()) as (logins, environment):
    print(environment["OS_CLIENT_CONFIG_FILE"], flush=True)
    time.sleep(60)
"""


def test_a_kill_leaves_no_password_behind(tmp_path: Path) -> None:
    """The engine's private copy of the clouds file goes with its owner, however that ends."""
    owner = subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    file = Path(owner.stdout.readline().strip())
    assert "password: p" in file.read_text()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    owner.kill()
    owner.communicate()
    end = time.monotonic() + 10
    while file.parent.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not file.parent.exists()
