"""The network's part of a step: whole wanted texts pushed by playbooks, read before, read back after.

The order for one device is always: read what runs; hold it to what the plan says should run *before*; push the text
of the estate *after*; read back and hold it to that. A row that is neither stops the run: somebody else was there.
"""

from collections.abc import Sequence
from typing import Any, Literal

from orchestrator.apply.access import Access
from orchestrator.apply.device import (
    Rows,
    managed,
    parsed,
    read_texts,
    rows_apart,
    rows_of_estate,
    rows_of_texts,
    visible,
)
from orchestrator.apply.playbook import play
from orchestrator.apply.remote import Remote
from orchestrator.apply.vrp_device import play_values
from orchestrator.errors import SurpriseError
from orchestrator.model.base import Noun
from orchestrator.model.estate import Edit, Estate
from orchestrator.vendors.frr.ordered import Ordered, ordered
from orchestrator.vendors.parsed import text_lines
from orchestrator.vendors.registry import ROWS_OF_A_DEVICE, carry_device, render_device, vendors
from playbooks.module_utils import netns_vrf

PLAYBOOK_OF = {"nftables": "nftables", "frr": "frr", "huawei_vrp": "vrp"}
"""Platform -> playbook, in the order of a push: filters and translations before ports and routes, on the way back last.

So a device comes back over the states that it went through on its way there, which are those that were proved.
"""

FIRST = "frr-first.conf"
"""What FRR runs between the end of a VRF's routing and the end of its namespace."""

Standing = Literal["done", "not_done", "partly", "unclear"]


class Pushed(Noun):
    """What a push did to a device: the rows that changed and the lines that were new or gone."""

    device: str
    changed: bool
    lines: int = 0
    before: dict[str, str] = {}  # noqa: RUF012  # pydantic copies defaults
    after: dict[str, str] = {}  # noqa: RUF012


def devices_changed(before: Estate, after: Estate) -> tuple[str, ...]:
    """Devices whose configuration text differs between two estates; written are only those that have other rows."""
    rows = (row for table in ROWS_OF_A_DEVICE for row in rows_apart(getattr(before, table), getattr(after, table)))
    names = {row.device for row in rows} | {row.name for row in rows_apart(before.devices, after.devices)}
    return tuple(name for name in sorted(names) if _text(before, name) != _text(after, name))


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


def standing(device: str, before: Estate, after: Estate, texts: dict[str, str]) -> tuple[Standing, str]:
    """Where a device that runs these texts stands between two estates. A line nobody can read makes it unclear."""
    expected = {line.text for line in parsed(before, device, render_device(before, device)).unparsed}
    foreign = [line for line in parsed(before, device, texts).unparsed if line.text not in expected]
    if foreign:
        return "unclear", f"{foreign[0]} is a line the plan does not know"
    return classify(rows_of_estate(before, device), rows_of_estate(after, device), rows_of_texts(before, device, texts))


def interrupted(
    device: str, before: Estate, after: Estate, texts: dict[str, str], lines: Sequence[Ordered] = ()
) -> bool:
    """Whether a device stands where a push from `before` to `after` may have been cut off.

    True when every row that both states share is there, and whatever is of neither is made of lines of the two, or of
    those that are typed in between (`lines`): ports already moved, say, whose routing is not yet written. A line of
    anybody else makes it False. Whole texts are pushed again then, so nothing of the half is kept.
    """
    files = [render_device(estate, device) for estate in (before, after)]
    known = {line.strip() for texts_of in files for text in texts_of.values() for line in text_lines(text)}
    known |= {one.line for one in lines}
    expected = {line.text for line in parsed(before, device, files[0]).unparsed}
    read = parsed(before, device, texts)
    # what lacks ("absent: …") is judged by rows: lines of one state alone may well lack
    strange = {line.text for line in read.unparsed if not line.text.startswith("absent:")} - expected
    if any(text.strip() not in known for text in strange):
        return False
    old, new, world = (*(rows_of_estate(e, device) for e in (before, after)), rows_of_texts(before, device, texts))
    if any(world.get(place) != row for place, row in old.items() if new.get(place) == row):
        return False
    rows = [row for row in read.rows if visible(row.noun) not in (*old.values(), *new.values())]
    return all(text_lines(texts[row.file])[row.line - 1].strip() in known for row in rows)


def push(
    device: str,
    before: Estate,
    after: Estate,
    remote: Remote,
    access: Access,
    edits: Sequence[Edit] = (),
    *,
    resuming: bool = False,
    back: bool = False,
    check: bool = False,
) -> Pushed:
    """Bring one device from `before` to `after`. `resuming`: an earlier try may have done all or a part of it.

    `edits` lead from the one to the other; their order is kept where a platform takes line by line. `back`: platform
    by platform in the reverse of the order in which a push goes there.

    Raises SurpriseError when what runs is neither, or is not `after` when read back; UnreachableError; DeviceError.
    """
    old = read_texts(before, device, remote, access)
    stands, reason = standing(device, before, after, old)
    lines = ordered(before, after, device, edits)
    if stands == "unclear" and resuming and interrupted(device, before, after, old, lines):
        stands = "partly"
    if stands == "unclear":
        raise SurpriseError(f"{device}: {reason}; nothing was pushed: run 'onefold drift', put it back or plan anew")
    if stands in ("done", "partly") and not resuming:
        raise SurpriseError(
            f"{device} has {'all' if stands == 'done' else 'a part'} of this change, and no run of ours made it: "
            "run 'onefold drift', put it back or plan anew"
        )
    was_done = stands == "done"
    # also what runs already: the kill may have come before it was kept for the next start, which nobody sees from here
    _play(device, before, after, access, old, () if was_done else lines, back=back, check=check)
    if check:
        return Pushed(device=device, changed=True)
    new = read_texts(after, device, remote, access)
    stands, reason = standing(device, before, after, new)
    if stands != "done":
        raise SurpriseError(
            f"{device} does not run what was pushed: {reason or stands}; look at it, then 'onefold resume'"
        )
    return Pushed(device=device, changed=not was_done, lines=_lines(old, new), before=old, after=new)


def _play(
    device: str,
    before: Estate,
    after: Estate,
    access: Access,
    present: dict[str, str],
    lines: Sequence[Ordered],
    *,
    back: bool,
    check: bool,
) -> None:
    wanted, had = render_device(after, device), render_device(before, device)
    # the box's own lines (clock, logging, remote access) are not the plan's: they stay
    texts = carry_device(after.devices[device].platforms, present, wanted)
    for platform in reversed(PLAYBOOK_OF) if back else PLAYBOOK_OF:
        files = [file for file in vendors()[platform].FILES if wanted.get(file) != had.get(file)]
        if files:
            values, more = _values(platform, texts, present, access, lines, back)
            held = {device: {**texts, **more}}
            play(PLAYBOOK_OF[platform], after, access, (device,), files=held, values=values, check=check)


def _values(
    platform: str,
    texts: dict[str, str],
    present: dict[str, str],
    access: Access,
    lines: Sequence[Ordered],
    back: bool,
) -> tuple[dict[str, Any], dict[str, str]]:
    """What a platform's playbook must be told, and files it needs besides the wanted ones."""
    if platform == "huawei_vrp":
        return play_values(access), {}
    if platform != "frr":
        return {}, {}
    # on the way back, what comes may well be broken: that is why one goes back
    values: dict[str, Any] = {"ordered": [one._asdict() for one in lines], "insist": not back}
    if old := _leaving(present, texts):
        return {**values, "first": FIRST}, {FIRST: _with_vrfs(texts["frr.conf"], old)}
    return values, {}


def _leaving(present: dict[str, str], texts: dict[str, str]) -> list[str]:
    """VRFs whose namespaces are there and not wanted."""
    have, want = (netns_vrf.structure(some.get("links.batch", "")) for some in (present, texts))
    return sorted(have.keys() - want.keys())


def _with_vrfs(text: str, names: list[str]) -> str:
    """A configuration that keeps these VRFs, emptied: what must run while their namespaces are taken away."""
    blocks = "".join(f"vrf {name}\n netns /run/netns/{name}\nexit-vrf\n!\n" for name in names)
    before, mark, after = text.partition("!\n")
    return before + mark + blocks + after


def _lines(old: dict[str, str], new: dict[str, str]) -> int:
    """How many configuration lines are new or gone."""
    count = 0
    for file in old.keys() | new.keys():
        was, becomes = (set(text_lines(texts.get(file, ""))) for texts in (old, new))
        count += len(was ^ becomes)
    return count


def _short(row: Noun | None) -> str:
    if row is None:
        return "absent"
    text = str({key: value for key, value in row.plain().items() if value not in ("", None, [], {})})
    return text if len(text) <= 160 else text[:157] + "..."
