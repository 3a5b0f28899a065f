"""The network's part of a step: whole wanted texts pushed by playbooks, read before, read back after.

The order for one device is always: read what runs; hold it to what the plan says should run *before*; push the text
of the estate *after*; read back and hold it to that. A row that is neither stops the run: somebody else was there.
"""

from typing import Literal

from orchestrator.apply.access import Access
from orchestrator.apply.device import Rows, managed, parsed, read_texts, rows_of_estate, rows_of_texts
from orchestrator.apply.playbook import play
from orchestrator.apply.remote import Remote
from orchestrator.errors import SurpriseError
from orchestrator.model.base import Noun
from orchestrator.model.estate import Estate
from orchestrator.vendors.registry import carry_device, render_device

Standing = Literal["done", "not_done", "partly", "unclear"]


class Pushed(Noun):
    """What a push did to a device: the rows that changed and the lines that were new or gone."""

    device: str
    changed: bool
    lines: int = 0
    before: dict[str, str] = {}  # noqa: RUF012  # pydantic copies defaults
    after: dict[str, str] = {}  # noqa: RUF012


def devices_changed(before: Estate, after: Estate) -> tuple[str, ...]:
    """Devices whose configuration text differs between two estates."""
    names = sorted(set(before.devices) | set(after.devices))
    return tuple(name for name in names if _text(before, name) != _text(after, name))


def _text(estate: Estate, device: str) -> dict[str, str]:
    return render_device(estate, device) if device in estate.devices and managed(estate, device) else {}


def classify(before: Rows, after: Rows, world: Rows) -> tuple[Standing, str]:
    """Where the world stands between two states of a device, with the first row that decides."""
    done = not_done = False
    for place in sorted(before.keys() | after.keys() | world.keys()):
        was, becomes, found = before.get(place), after.get(place), world.get(place)
        name = f"{place[0]}[{place[1]}]"
        if was == becomes:
            if found != was:
                return "unclear", f"{name} is {_short(found)}, the plan knows {_short(was)}"
        elif found == becomes:
            done = True
        elif found == was:
            not_done = True
        else:
            return "unclear", f"{name} is {_short(found)}, neither before ({_short(was)}) nor after ({_short(becomes)})"
    if done and not_done:
        return "partly", ""
    return ("done" if done else "not_done"), ""


def standing(device: str, before: Estate, after: Estate, remote: Remote, access: Access) -> tuple[Standing, str]:
    """Where this device stands between two estates. A line nobody can read makes it unclear."""
    texts = read_texts(before, device, remote, access)
    strange = parsed(before, device, texts).unparsed
    expected = {line.text for line in parsed(before, device, render_device(before, device)).unparsed}
    foreign = [line for line in strange if line.text not in expected]
    if foreign:
        return "unclear", f"{foreign[0]} is a line the plan does not know"
    return classify(rows_of_estate(before, device), rows_of_estate(after, device), rows_of_texts(before, device, texts))


def push(
    device: str,
    before: Estate,
    after: Estate,
    remote: Remote,
    access: Access,
    *,
    resuming: bool = False,
    check: bool = False,
) -> Pushed:
    """Bring one device from `before` to `after`. `resuming`: an earlier try may have done all or a part of it.

    Raises SurpriseError when what runs is neither, or is not `after` when read back; UnreachableError; DeviceError.
    """
    stands, reason = standing(device, before, after, remote, access)
    if stands == "unclear":
        raise SurpriseError(f"{device}: {reason}; nothing was pushed: run 'onefold drift', put it back or plan anew")
    if stands in ("done", "partly") and not resuming:
        raise SurpriseError(
            f"{device} has {'all' if stands == 'done' else 'a part'} of this change, and no run of ours made it: "
            "run 'onefold drift', put it back or plan anew"
        )
    if stands == "done":
        return Pushed(device=device, changed=False)
    old = read_texts(before, device, remote, access)
    _play(device, after, access, old, check)
    if check:
        return Pushed(device=device, changed=True)
    stands, reason = standing(device, before, after, remote, access)
    if stands != "done":
        raise SurpriseError(
            f"{device} does not run what was pushed: {reason or stands}; look at it, then 'onefold resume'"
        )
    new = read_texts(after, device, remote, access)
    return Pushed(device=device, changed=True, lines=_lines(old, new), before=old, after=new)


def _play(device: str, after: Estate, access: Access, present: dict[str, str], check: bool) -> None:
    # the box's own lines (clock, logging, remote access) are not the plan's: they stay
    texts = carry_device(after.devices[device].platforms, present, render_device(after, device))
    platforms = after.devices[device].platforms
    # the filter first: a new path must never be open before its filter stands
    for platform in sorted(platforms, key=("nftables", "frr", "huawei_vrp").index):
        if platform == "huawei_vrp":
            from orchestrator.apply.vrp_device import play_values

            play("vrp", after, access, (device,), files={device: texts}, values=play_values(access), check=check)
        else:
            play(platform, after, access, (device,), files={device: texts}, check=check)


def _lines(old: dict[str, str], new: dict[str, str]) -> int:
    """How many configuration lines are new or gone."""
    count = 0
    for file in old.keys() | new.keys():
        was, becomes = (set(texts.get(file, "").splitlines()) for texts in (old, new))
        count += len(was ^ becomes)
    return count


def _short(row: Noun | None) -> str:
    if row is None:
        return "absent"
    text = str({key: value for key, value in row.plain().items() if value not in ("", None, [], {})})
    return text if len(text) <= 160 else text[:157] + "..."
