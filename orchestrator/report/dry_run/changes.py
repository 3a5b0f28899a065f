"""What changes on each device and in each tenant, as unified diffs and row lists."""

import difflib
from dataclasses import dataclass

from orchestrator.model.cloud import Server
from orchestrator.model.estate import Edit, Estate, difference
from orchestrator.vendors.registry import render_device

CLOUD_TABLES = {
    "tenants": "tenant",
    "cloud_networks": "network",
    "cloud_routers": "router",
    "security_groups": "security group",
    "security_rules": "security rule",
    "servers": "server",
    "provider_networks": "provider network",
}


@dataclass(frozen=True)
class FileChange:
    """One configuration file of one device: unified diff lines, each with its sign."""

    device: str
    file: str
    added: int
    removed: int
    lines: tuple[str, ...]


def device_changes(before: Estate, after: Estate) -> list[FileChange]:
    """Configuration diffs of every device whose text differs."""
    changes = []
    for name in sorted(before.devices):
        old, new = render_device(before, name), render_device(after, name)
        for file in sorted(old.keys() | new.keys()):
            lines = list(
                difflib.unified_diff(
                    old.get(file, "").splitlines(), new.get(file, "").splitlines(), "now", "target", "", "", 2, ""
                )
            )[2:]
            if lines:
                added = sum(line.startswith("+") for line in lines)
                changes.append(FileChange(name, file, added, sum(line.startswith("-") for line in lines), tuple(lines)))
    return changes


def tenant_changes(before: Estate, after: Estate) -> dict[str, list[str]]:
    """Signed lines by tenant (provider networks under their cloud)."""
    found: dict[str, list[str]] = {}
    for edit in difference(before, after):
        if edit.table in CLOUD_TABLES:
            row = edit.after or edit.before or {}
            owner = row.get("tenant") or row.get("cloud" if edit.table == "provider_networks" else "name") or "?"
            found.setdefault(str(owner), []).append(_line(edit))
    return found


def _line(edit: Edit) -> str:
    sign = "+" if edit.before is None else "-" if edit.after is None else "~"
    row = edit.after or edit.before or {}
    hidden = {"tenant", "name", "group"}
    detail = ", ".join(f"{k}={_short(v)}" for k, v in row.items() if k not in hidden and v not in (None, "", [], False))
    return f"{sign} {CLOUD_TABLES[edit.table]} {edit.key}: {detail}"


def _short(value: object) -> str:
    if isinstance(value, list):
        return "[" + " ".join(_short(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + " ".join(f"{k}:{v}" for k, v in value.items()) + "}"
    return str(value)


def moved_servers(before: Estate, after: Estate) -> list[Server]:
    """Servers that are new."""
    return [server for key, server in sorted(after.servers.items()) if key not in before.servers]
