"""onefold keys: an administrator's signing key."""

from pathlib import Path

import click

from orchestrator.cli.session import Session
from orchestrator.records.approvals import make_key


@click.command(epilog="Example: onefold keys --out security.key")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where the private key goes (0600)."
)
@click.pass_obj
def command(session: Session, out: Path) -> int:
    """Make an Ed25519 key pair: the private half stays in the file, the public half goes into policy.yaml."""
    public = make_key(out)
    session.say(f"private key in {out} (mode 0600; keep it off shared disks)")
    session.say(f"public key for policy.yaml: {public}")
    session.result("keys/1", {"file": str(out), "public_key": public})
    return 0
