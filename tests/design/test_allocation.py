"""Free prefixes: exactly those that overlap nothing, found without asking every prefix of the pool."""

from ipaddress import IPv4Network
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.design.allocation import Allocator
from orchestrator.model.estate import Estate
from orchestrator.model.lock import Lock

POOL = IPv4Network("198.18.0.0/24")


def inside(length: int) -> st.SearchStrategy[IPv4Network]:
    """Prefixes in the pool and on either side of it."""
    return st.integers(-1, 2 ** (length - 24)).map(
        lambda place: IPv4Network((int(POOL.network_address) + place * 2 ** (32 - length), length))
    )


@given(st.lists(st.integers(24, 30).flatmap(inside), max_size=6), st.integers(24, 30))
def test_the_free_prefixes_are_those_that_overlap_nothing(used: list[IPv4Network], length: int) -> None:
    apart = [one for place, one in enumerate(used) if not any(one.overlaps(other) for other in used[:place])]
    allocator = Allocator(Lock(allocations={f"used/{one}": str(one) for one in apart}), Estate())
    free = [one for one in POOL.subnets(new_prefix=length) if not any(one.overlaps(other) for other in apart)]
    given_out = [allocator.network(f"prefix/{number}", POOL, length) for number in range(len(free))]
    assert given_out == free


def test_thousands_of_sites_are_numbered_in_a_moment() -> None:
    """A province's: asking each prefix against each took hours."""
    pool = IPv4Network("10.16.0.0/14")
    allocator = Allocator(Lock(), Estate())
    given_out = [allocator.network(f"prefix/{number}", pool, 28) for number in range(5000)]
    assert given_out == list(islice(pool.subnets(new_prefix=28), 5000))
