"""Laws of design: pure, stable under additions, at rest on its own target."""

from ipaddress import IPv4Network
from itertools import pairwise

from hypothesis import given, settings

from orchestrator.design import design
from orchestrator.model.base import canonical
from orchestrator.model.estate import difference
from tests.design.estates import Newcomer, district, newcomers, policy, with_newcomer
from tests.laws import examples

SLOW = settings(max_examples=examples(10))


@SLOW
@given(newcomers())
def test_same_inputs_give_the_same_bytes(new: Newcomer) -> None:
    one, two = (design(with_newcomer(district(), new), policy()) for _ in range(2))
    assert canonical(one.plain()) == canonical(two.plain())
    assert one.lock.text() == two.lock.text()


@SLOW
@given(newcomers())
def test_an_unrelated_addition_moves_nothing(new: Newcomer) -> None:
    before = design(district(), policy())
    after = design(with_newcomer(district(), new), policy(), before.lock)
    assert before.lock.allocations.items() < after.lock.allocations.items()
    for table, rows in before.target.tables().items():
        for key, row in rows.items():
            assert getattr(after.target, table)[key] == row, f"{table}[{key}]"


@SLOW
@given(newcomers())
def test_what_leaves_again_leaves_its_numbers_reserved_and_the_rest_unmoved(new: Newcomer) -> None:
    first = design(with_newcomer(district(), new), policy())
    then = design(district(), policy(), first.lock)
    assert then.lock == first.lock
    assert not [e for e in difference(then.target, first.target) if e.before is not None and e.after is not None]


@SLOW
@given(newcomers())
def test_design_is_at_rest_on_its_own_target(new: Newcomer) -> None:
    first = design(with_newcomer(district(), new), policy())
    again = design(first.target, policy(), first.lock)
    assert difference(first.target, again.target) == ()
    assert again.lock == first.lock


@SLOW
@given(newcomers())
def test_no_prefix_is_given_twice(new: Newcomer) -> None:
    lock = design(with_newcomer(district(), new), policy()).lock
    given_out = sorted(IPv4Network(value) for value in lock.allocations.values() if "/" in value)
    assert all(not one.overlaps(two) for one, two in pairwise(given_out))
    assert len(given_out) == len(set(given_out))
