"""Signing keys for the administrators of a copy of the district: the repository's own are placeholders."""

import re
from pathlib import Path

from orchestrator.errors import InputError
from orchestrator.records.approvals import make_key

_PERSON = re.compile(r'(\{name: (?P<name>[\w-]+), role: \w+, public_key: )"[^"]*"')


def write_keys(folder: Path, repository_folder: Path) -> list[Path]:
    """Give everybody in `folder`/policy.yaml a new key pair; private keys go to `folder`/keys/NAME.pem, mode 0600.

    Raises InputError for the repository's own folder, where no private key may ever lie.
    """
    if folder.resolve() == repository_folder.resolve():
        raise InputError(f"{folder}: no keys are made in the repository's folder: copy it and use --folder COPY")
    kept = folder / "keys"
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    policy = folder / "policy.yaml"
    written: list[Path] = []

    def fresh(found: re.Match[str]) -> str:
        written.append(kept / f"{found['name']}.pem")
        written[-1].unlink(missing_ok=True)
        return f'{found[1]}"{make_key(written[-1])}"'

    policy.write_text(_PERSON.sub(fresh, policy.read_text(encoding="utf-8")), encoding="utf-8")
    return written
