"""Huawei VRP boxes: their running configuration, and what the playbook `vrp` must be told."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.apply.access import Access

if TYPE_CHECKING:
    from orchestrator.apply.vrp import Session


def read_configuration(host: str, access: Access) -> str:
    """The running configuration of a box. Raises InputError, UnreachableError, DeviceError."""
    with _session(host, access) as session:
        return session.read_configuration()


def log_in(host: str, access: Access) -> None:
    """Log in to a box and leave. Raises as `read_configuration`."""
    with _session(host, access):
        return


def _session(host: str, access: Access) -> "Session":
    from orchestrator.apply.vrp import Session
    from orchestrator.apply.vrp_connection import Target

    return Session(Target(host, access.user, Path(access.known_hosts), key_file=access.ssh_key), access.vrp_kind)


def play_values(access: Access) -> dict[str, Any]:
    """The variables of the playbook; the wanted text lies in the play's folder."""
    return {
        "vrp_username": access.user,
        "vrp_private_key": str(access.ssh_key),
        "vrp_known_hosts": str(access.known_hosts),
        "vrp_kind": access.vrp_kind,
        "vrp_want_file": "{{ folder }}/{{ inventory_hostname }}/vrp.cfg",
    }
