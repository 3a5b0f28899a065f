"""Management: an sshd per node, host keys that are known beforehand, one operator who comes in by key only."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

from lab.login import KEY_EXCHANGE
from lab.network.node import execute, place, script, write
from orchestrator.errors import LabError

USER = "onefold"
_SSHD = """Port 22
ListenAddress {address}
HostKey {key}
KexAlgorithms {exchange}
PidFile /run/sshd.pid
AuthorizedKeysFile {authorized}
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers {user}
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 200:30:400
MaxSessions 100
Subsystem sftp internal-sftp
"""


def operator_key() -> Path:
    """Return the operator's private key, made at the first call; its public half lies beside it."""
    return _key(place().keys / USER)


def host_key(node: str) -> Path:
    """Return a node's private host key, made at the first call and kept over restarts of the lab."""
    return _key(place().keys / "nodes" / node)


def start(node: str, address: IPv4Address) -> None:
    """Start the node's sshd in its management namespace. Raises LabError when it does not listen."""
    account(node)
    key, authorized = host_key(node), operator_key().with_suffix(".pub")
    words = {"address": address, "key": key, "authorized": authorized, "user": USER, "exchange": KEY_EXCHANGE}
    write(node, "/etc/onefold/sshd_config", _SSHD.format(**words))
    script(node, "nsenter --net=/run/management /usr/sbin/sshd -f /etc/onefold/sshd_config -E /var/log/sshd.log")


def account(node: str) -> None:
    """Add the operator to the node's users: user number 0 of a namespace, so no sudo is needed."""
    user = f"{USER}:x:0:0:operator:/run/onefold:/usr/local/sbin/onefold-shell"
    script(
        node,
        f"grep -q ^{USER}: /etc/passwd && exit 0\n"
        f"echo '{user}' >> /etc/passwd; echo '{USER}:*:19000:0:99999:7:::' >> /etc/shadow",
    )


def known_hosts(addresses: dict[str, IPv4Address]) -> Path:
    """Write the known_hosts file of the managed nodes (name and address) and return it."""
    lines = []
    for node, address in sorted(addresses.items()):
        kind, text = host_key(node).with_suffix(".pub").read_text().split()[:2]
        lines.append(f"{node},{address} {kind} {text}\n")
    file = place().folder.parent / "known_hosts"
    file.write_text("".join(lines))
    return file


def write_access(known: Path, clouds_file: Path | None, more: dict[str, str]) -> Path:
    """Write how everything is reached (0600; paths and names, no secret in it) and return the file."""
    state = place().folder.parent
    backend = state / "pulumi"
    backend.mkdir(mode=0o700, exist_ok=True)
    value = {
        "ssh_key": str(operator_key()),
        "known_hosts": str(known),
        "user": USER,
        "clouds_file": str(clouds_file or state / "cloud" / "clouds.yaml"),
        "admin_cloud": "onefold-admin",
        "pulumi_backend": str(backend),
        "passphrase_file": str(place().keys / "pulumi_passphrase"),
        **more,
    }
    file = place().access
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")
    return file


def answers(node: str) -> bool:
    """Whether the node's sshd listens."""
    return execute(node, ["nsenter", "--net=/run/management", "ss", "-Hltn", "sport = :22"]).stdout.strip() != ""


def _key(file: Path) -> Path:
    if not file.exists():
        file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", file.name, "-f", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if done.returncode:
            raise LabError(f"no ssh key can be made at {file}: {done.stderr.strip() or done.stdout.strip()}")
    return file
