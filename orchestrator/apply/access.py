"""How the world is reached: paths and names. Secrets are in files of their own (0600) or in the environment."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, ValidationError

from orchestrator.errors import InputError
from orchestrator.model.base import Noun, parsed


class Access(Noun):
    """Keys, host keys and logins by path. Unknown fields are other tools' business and are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ssh_key: Path  # private key of `user` on devices and hosts
    known_hosts: Path  # their host keys; who is not in it is not spoken to
    user: str = "onefold"
    clouds_file: Path | None = None  # clouds.yaml (0600)
    admin_cloud: str = "onefold-admin"  # its entry that may make projects and provider networks
    pulumi_backend: str = ""  # folder or URL of the stacks' states
    passphrase_file: Path | None = None  # of the stacks' secrets; made on first use
    physical_network: str = "physnet1"  # the cloud's name of the wire that carries the provider VLANs
    vrp_kind: Literal["vrp5", "vrp8"] = "vrp8"  # how VRP boxes take lines: at once, or by commit
    server_user: str = "root"  # login of the cloud's servers


def load_access(path: Path) -> Access:
    """The access file of a project or of the lab. Raises InputError when it is missing, open to others or wrong."""
    try:
        if path.stat().st_mode & 0o077:
            raise InputError(f"{path} can be read by others: run 'chmod 600 {path}'")
        return Access.model_validate(parsed(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: write it, or run 'onefold lab up' for a rehearsal") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): make it a file that you may read") from error
    except ValueError as error:
        raise InputError(
            f"{path} is not a usable access file ({_reason(error)}): compare it with docs/apply.md"
        ) from error


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error).splitlines()[0]
    first = error.errors()[0]
    return ": ".join([*map(str, first["loc"]), first["msg"]])
