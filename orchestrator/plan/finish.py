"""The last rows: tenants without the rules of the migration, folded networks, and whatever is still left."""

from collections import defaultdict

from orchestrator.model.cloud import SecurityRule
from orchestrator.model.estate import NOUN_OF, Edit, difference
from orchestrator.model.network import FilterRule
from orchestrator.model.plan import StepKind
from orchestrator.plan.way import Change, Gone, Way


def narrow_tenants(way: Way, phase: int) -> None:
    """Add the removal of rules that only the migration needed (R27: old rules are removed after)."""
    for name in sorted(way.target.tenants):
        gone = [Gone(rule) for rule in way.removed(SecurityRule) if rule.tenant == name]
        way.step(
            f"narrow.{name}",
            phase,
            "cloud",
            f"收紧租户 {name} 的安全组 / narrow the security groups of {name}",
            "迁移规则用毕即删 / rules of the migration are removed after (R27)",
            gone,
            after=way.names("retire.", "readdress."),
        )


def narrow_site_filters(way: Way, phase: int) -> None:
    """Add the removal of filter entries that existed for a copy."""
    gone: dict[str, list[Change]] = defaultdict(list)
    for rule in way.removed(FilterRule):
        if rule.flow.startswith("migration:"):
            gone[rule.device].append(Gone(rule))
    for device, changes in sorted(gone.items()):
        way.step(
            f"narrow.{device}",
            phase,
            "network",
            f"收紧 {device} 的过滤 / narrow the filter of {device}",
            "迁移规则用毕即删 / entries of the migration are removed after (R27)",
            changes,
            after=way.names("retire."),
        )


def fold(way: Way, phase: int) -> None:
    """Add the register's last word on private networks."""
    for key, network in sorted(way.target.private_networks.items()):
        way.step(
            f"fold.{key}",
            phase,
            "record",
            f"{network.name} 整合完成 / {key} is folded",
            "各站点已并入 VRF / every site is in its VRF",
            [network],
            after=[*way.names("release.", "readdress.", "forget.")],
        )


def settle(way: Way, phase: int) -> None:
    """Add what no other step brought to the target, by device: the plan ends at its target whatever the shape."""
    left: dict[str, list[Edit]] = defaultdict(list)
    for edit in difference(way.estate, way.target):
        device = edit.key.split("/")[0] if edit.key.split("/")[0] in way.target.devices else ""
        left[device].append(edit)
    for device, edits in sorted(left.items()):
        changes = [_change(way, edit) for edit in edits]
        kind: StepKind = "network" if device else "record"
        way.step(
            f"settle.{device or 'registers'}",
            phase,
            kind,
            f"收尾 {device or '台账'} / settle {device or 'the registers'}",
            "设计结果的余项 / what remains of the design",
            changes,
            after=[step.name for step in way.steps],
        )


def _change(way: Way, edit: Edit) -> Change:
    if edit.after is None:
        return Gone(getattr(way.estate, edit.table)[edit.key])
    return NOUN_OF[edit.table].model_validate(edit.after)
