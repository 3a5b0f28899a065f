"""Laws of every vendor: reading what was written gives the nouns back, and nothing in a text is ever dropped."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.base import Noun
from orchestrator.vendors.parsed import Parsed
from orchestrator.vendors.registry import parse_device, render_device, vendors
from tests.vendors.devices import NAME, PORTS, boundaries, estate_of, routing, switches

DEVICES: dict[str, st.SearchStrategy[tuple[Noun, ...]]] = {
    "frr": routing(with_overlay=True, port_names=PORTS),
    "nftables": boundaries(),
    "huawei_vrp": switches(),
}
some = st.sampled_from(sorted(DEVICES)).flatmap(lambda platform: st.tuples(st.just(platform), DEVICES[platform]))


def test_every_vendor_is_held_to_the_laws() -> None:
    assert set(DEVICES) == set(vendors())


@pytest.mark.parametrize("platform", sorted(DEVICES))
@given(data=st.data())
def test_what_is_written_is_read_back(platform: str, data: st.DataObject) -> None:
    nouns = data.draw(DEVICES[platform])
    parsed = parse_device(NAME, [platform], render_device(estate_of(platform, nouns), NAME))
    assert parsed.unparsed == ()
    assert Counter(parsed.nouns()) == Counter(nouns)


@given(device=some, data=st.data())
def test_a_strange_line_is_reported_with_its_file_and_number(
    device: tuple[str, tuple[Noun, ...]], data: st.DataObject
) -> None:
    platform, nouns = device
    texts = render_device(estate_of(platform, nouns), NAME)
    file = data.draw(st.sampled_from(sorted(texts)))
    lines = texts[file].splitlines()
    place = data.draw(st.integers(0, len(lines)))
    strange = "surprise me with 203.0.113.7"
    texts[file] = "\n".join([*lines[:place], strange, *lines[place:]]) + "\n"
    reported = [
        (one.device, one.file, one.line)
        for one in parse_device(NAME, [platform], texts).unparsed
        if strange in one.text
    ]
    assert reported == [(NAME, file, place + 1)]


@given(device=some, data=st.data(), end=st.sampled_from(["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"]))
def test_a_comment_ends_where_the_device_says_and_holds_no_rule(
    device: tuple[str, tuple[Noun, ...]], data: st.DataObject, end: str
) -> None:
    """Otherwise a rule could be read that the device takes for a remark."""
    platform, nouns = device
    texts = render_device(estate_of(platform, nouns), NAME)
    file = data.draw(st.sampled_from(sorted(texts)))
    lines = texts[file].split("\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    mark = "!" if platform == "huawei_vrp" else "#"

    def read(line: str) -> Parsed:
        return parse_device(NAME, [platform], texts | {file: "\n".join([*lines[:place], line, *lines[place + 1 :]])})

    assert read(f"{mark} remark{end}{lines[place]}") == read(mark)


@given(device=some, data=st.data())
def test_a_line_taken_away_changes_what_is_read_or_is_missed(
    device: tuple[str, tuple[Noun, ...]], data: st.DataObject
) -> None:
    """Otherwise a text could say less than the model believes."""
    platform, nouns = device
    texts = render_device(estate_of(platform, nouns), NAME)
    file = data.draw(st.sampled_from(sorted(texts)))
    lines = texts[file].splitlines()
    meaningful = [number for number, line in enumerate(lines) if not _says_nothing(line)]
    if not meaningful:
        return
    whole = parse_device(NAME, [platform], texts)
    place = data.draw(st.sampled_from(meaningful))
    texts[file] = "\n".join(lines[:place] + lines[place + 1 :]) + "\n"
    parsed = parse_device(NAME, [platform], texts)
    assert parsed.unparsed or Counter(parsed.nouns()) != Counter(nouns) or _attributes(parsed) != _attributes(whole)


def _attributes(parsed: Parsed) -> set[tuple[str, str]]:
    """What the device itself is said to be: a router id, say, which stands in one line of one BGP instance alone."""
    return {(one.name, one.value) for one in parsed.attributes}


_NOTHING = (
    "#",
    "!",
    "exit",
    "end",
    "return",
    "}",
    "frr version",
    "frr defaults",
    "no ipv6 forwarding",
    "service ",
    "vlan batch",
)


def _says_nothing(line: str) -> bool:
    """Comments, ends of sections, headers, nftables' prologue and openings of tables, VLANs that are opened again."""
    words = line.strip()
    prologue = words.endswith(("inet onefold", "ip onefold_nat", "{"))
    return not words or words.startswith(_NOTHING) or prologue
