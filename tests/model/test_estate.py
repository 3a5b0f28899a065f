"""Estates, edits and digests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_models import district
from orchestrator.errors import EditError
from orchestrator.model.estate import NOUN_OF, Edit, Estate, difference
from orchestrator.model.lock import Lock
from orchestrator.model.network import Device, Route

NOW = district.now()
ROWS = [(table, key) for table, rows in NOW.tables().items() for key in rows]


@given(st.sets(st.sampled_from(ROWS), max_size=12))
def test_what_differs_leads_there_and_its_undo_leads_back(gone: set[tuple[str, str]]) -> None:
    tables = {table: {k: v for k, v in rows.items() if (table, k) not in gone} for table, rows in NOW.tables().items()}
    after = Estate.model_construct(**tables)
    edits = difference(NOW, after)
    assert len(edits) == len(gone)
    there = NOW.apply(edits)
    assert there.digest == after.digest
    assert there.apply(tuple(edit.undo() for edit in reversed(edits))).digest == NOW.digest


def test_a_copy_does_not_keep_the_digest_of_what_it_was_copied_from() -> None:
    before = NOW.digest
    copy = NOW.model_copy(update={"hosts": {}})
    assert copy.digest != before
    assert NOW.model_copy().digest == before


def test_an_edit_that_does_not_fit_applies_nothing() -> None:
    key, device = next(iter(NOW.devices.items()))
    wrong = Edit(table="devices", key=key, before=None, after=device.plain())
    with pytest.raises(EditError, match=f"devices\\[{key}\\] is not what the edit expects"):
        NOW.apply((wrong,))
    right = Edit(table="devices", key=key, before=device.plain(), after=None)
    assert key not in NOW.apply((right,)).devices


def test_two_rows_with_one_key_are_refused() -> None:
    device = Device(name="r1", kind="router", site="s", organisation="o")
    with pytest.raises(EditError, match="two rows with the key 'r1' in devices"):
        Estate.of(device, device)


def test_every_table_holds_rows_under_their_own_key() -> None:
    assert len(NOUN_OF) == len(Estate.model_fields)
    for rows in NOW.tables().values():
        assert all(noun.key == key for key, noun in rows.items())  # type: ignore[attr-defined]


def test_a_null_route_and_a_next_hop_have_different_keys() -> None:
    plain = {"device": "r", "vrf": "default", "prefix": "198.18.0.0/24"}
    hop = Route.model_validate({**plain, "next_hop": "198.18.1.1"})
    assert hop.key == "r/default/198.18.0.0/24/198.18.1.1"
    assert Route.model_validate({**plain, "next_hop": None}).key == "r/default/198.18.0.0/24/blackhole"


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20), max_size=5))
def test_a_lock_reads_back_what_it_wrote(allocations: dict[str, str]) -> None:
    lock = Lock(allocations=allocations)
    assert Lock.model_validate_json('{"allocations": ' + lock.text() + "}") == lock
