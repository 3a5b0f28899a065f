"""Names and numbers: what the lock holds never moves; what is new takes the first free value."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

from orchestrator.errors import DesignError
from orchestrator.model.census import InternetEgress
from orchestrator.model.estate import Estate
from orchestrator.model.lock import Lock

LARGER_POOL = "give numbering a larger pool in policy.yaml"
LONGEST = 30
"""The longest prefix of a link: two ends beside the network's own address and that of all."""

SPACING = 10
"""Hosts in a network are numbered .10, .20, .30 ... first, so that people find room between them."""


class Allocator:
    """Hands out values by purpose. Values of the lock come first, unchanged; `lock()` is the lock to save."""

    def __init__(self, lock: Lock, estate: Estate) -> None:
        _refuse_twice(lock)
        self._given = dict(lock.allocations)
        locked = (network for value in self._given.values() if (network := _network(value)))
        self._used = _Used((*_networks_in_use(estate), *locked))

    def lock(self) -> Lock:
        """All allocations, those of the former lock included: a freed name keeps its value."""
        return Lock(allocations=dict(sorted(self._given.items())))

    def held(self, purpose: str) -> str | None:
        """What `purpose` has been given, if anything."""
        return self._given.get(purpose)

    def number(
        self, purpose: str, candidates: Iterable[int], used: Iterable[int] = (), highest: int | None = None
    ) -> int:
        """The number locked for `purpose`, else the first candidate that nothing uses; from 1 to `highest`.

        Purposes up to the first "/" are one family: within it no value is given twice. Raises DesignError.
        """
        taken = {int(value) for value in self._family(purpose) if _is_number(value)} | set(used)
        fresh = (str(number) for number in candidates if number not in taken)
        value = self._take(purpose, fresh, "the numbers")
        if not _is_number(value):
            raise DesignError(_bad(purpose, value, "a number"))
        if highest is not None and not 1 <= int(value) <= highest:
            raise DesignError(_unfit(purpose, value, f"a number from 1 to {highest}"))
        return int(value)

    def network(self, purpose: str, pool: IPv4Network, length: int, exact: bool = False) -> IPv4Network:
        """The prefix locked for `purpose`, else the first free /`length` of `pool`.

        A locked one may be of another length, `exact` aside, but has room for two ends. Raises DesignError.
        """
        value = self._take(purpose, self._free_networks(pool, length), str(pool))
        try:
            network = IPv4Network(value)
        except ValueError as error:
            raise DesignError(_bad(purpose, value, "a prefix")) from error
        if exact and network.prefixlen != length:
            raise DesignError(_unfit(purpose, value, f"a prefix of length {length}"))
        if not exact and network.prefixlen > LONGEST:
            raise DesignError(_unfit(purpose, value, f"a prefix of at most length {LONGEST}"))
        self._used.add(network)
        return network

    def address(
        self, purpose: str, network: IPv4Network, used: Iterable[IPv4Address] = (), spaced: bool = True
    ) -> IPv4Address:
        """The address locked for `purpose`, else a free one of `network`: every tenth first when `spaced`."""
        return self._address(purpose, (network,), used, spaced, str(network), LARGER_POOL)

    def public(self, purpose: str, exit_: InternetEgress, used: Iterable[IPv4Address], spaced: bool) -> IPv4Address:
        """As `address`, of the public addresses of an exit."""
        pool = f"the public addresses of {exit_.code}"
        return self._address(purpose, exit_.public_prefixes, used, spaced, pool, "add a block to F4")

    def _address(
        self,
        purpose: str,
        networks: Sequence[IPv4Network],
        used: Iterable[IPv4Address],
        spaced: bool,
        pool: str,
        fix: str,
    ) -> IPv4Address:
        taken = set(self._family("address/")) | {str(address) for address in used}
        hosts = (str(address) for network in networks for address in _hosts(network, spaced))
        value = self._take(purpose, (each for each in hosts if each not in taken), pool, fix)
        try:
            address = IPv4Address(value)
        except ValueError as error:
            raise DesignError(_bad(purpose, value, "an address")) from error
        if not any(address in network for network in networks):
            raise DesignError(_unfit(purpose, value, f"an address in {' or '.join(map(str, networks))}"))
        return address

    def _take(self, purpose: str, fresh: Iterator[str], pool: str, fix: str = LARGER_POOL) -> str:
        if purpose not in self._given:
            value = next(fresh, None)
            if value is None:
                raise DesignError(f"nothing is left of {pool} for {purpose}: {fix}")
            self._given[purpose] = value
        return self._given[purpose]

    def _family(self, purpose: str) -> list[str]:
        family = purpose.split("/")[0] + "/"
        return [value for key, value in self._given.items() if key.startswith(family)]

    def _free_networks(self, pool: IPv4Network, length: int) -> Iterator[str]:
        if length < pool.prefixlen:
            return
        yield from (str(IPv4Network((start, length))) for start in self._used.gaps(pool, 2 ** (32 - length)))


class _Used:
    """Addresses that are taken, as ranges that neither meet nor touch, so that a gap is found without asking each."""

    def __init__(self, networks: Iterable[IPv4Network]) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        for network in sorted(networks):
            self.add(network)

    def add(self, network: IPv4Network) -> None:
        """Take a prefix."""
        first, last = int(network.network_address), int(network.broadcast_address)
        low = bisect_left(self._last, first - 1)
        high = bisect_right(self._first, last + 1)
        if low < high:
            first, last = min(first, self._first[low]), max(last, self._last[high - 1])
        self._first[low:high], self._last[low:high] = [first], [last]

    def gaps(self, pool: IPv4Network, size: int) -> Iterator[int]:
        """The first addresses of free prefixes of `size` addresses in `pool`, lowest first."""
        start, end = int(pool.network_address), int(pool.broadcast_address)
        while start + size - 1 <= end:
            place = bisect_left(self._last, start)
            if place < len(self._first) and self._first[place] < start + size:
                start = -(-(self._last[place] + 1) // size) * size
            else:
                yield start
                start += size


def _networks_in_use(estate: Estate) -> list[IPv4Network]:
    """Connected and tenant networks, sites, outsides of translations, and routes to something as small as a site
    (aggregates are not in use as such).
    """
    connected = [interface.address.network for interface in estate.interfaces.values()]
    overlays = [vrf.overlay.address.network for vrf in estate.vrfs.values() if vrf.overlay]
    hosts = [host.address.network for host in estate.hosts.values()]
    clouds = [network.prefix for network in estate.provider_networks.values()]
    clouds += [network.prefix for network in estate.cloud_networks.values()]
    routes = [route.prefix for route in estate.routes.values() if route.prefix.prefixlen >= 24]
    sites = [site.prefix for site in estate.private_sites.values()]
    outsides = [nat.outside for nat in estate.nats.values()]
    return [*sites, *outsides, *connected, *overlays, *hosts, *clouds, *routes]


def _hosts(network: IPv4Network, spaced: bool) -> Iterator[IPv4Address]:
    """Host addresses of a network without the first (the gateway's): every tenth, then the others."""
    first, last = int(network.network_address) + (1 if not spaced else 2), int(network.broadcast_address)
    base = int(network.network_address)
    if spaced:
        yield from (IPv4Address(value) for value in range(base + SPACING, last, SPACING))
    yield from (IPv4Address(value) for value in range(first, last) if not spaced or (value - base) % SPACING)


def _is_number(value: str) -> bool:
    """Digits as we write them, and not more than any number of ours has."""
    return value.isascii() and value.isdecimal() and len(value) <= 12


def _refuse_twice(lock: Lock) -> None:
    """Two purposes of one family never share a value (two departments with one route target would be one VPN), and no
    two prefixes an address.
    """
    seen: dict[tuple[str, str], str] = {}
    for purpose, value in sorted(lock.allocations.items()):
        other = seen.setdefault((purpose.split("/")[0], value), purpose)
        if other != purpose:
            raise DesignError(_twice(other, purpose, value))
    networks = sorted((network, purpose) for purpose, value in lock.allocations.items() if (network := _network(value)))
    for (one, first), (two, second) in pairwise(networks):  # sorted: who overlaps stands beside one it overlaps
        if one.overlaps(two):
            raise DesignError(_twice(first, second, str(two)))


def _twice(one: str, two: str, value: str) -> str:
    return (
        f"onefold.lock: {one} and {two} both hold {value}: restore the newer of the two lines, "
        "or take it out so that it gets a value of its own"
    )


def _network(value: str) -> IPv4Network | None:
    """A locked value as a prefix; None when it is a number, an address or damaged (found when it is asked for)."""
    try:
        return IPv4Network(value) if "/" in value else None
    except ValueError:
        return None


def _bad(purpose: str, value: str, kind: str) -> str:
    return f"onefold.lock: {purpose} holds {value!r}, which is not {kind}: restore the line from its history"


def _unfit(purpose: str, value: str, kind: str) -> str:
    return f"{_bad(purpose, value, kind)}, or take it out so that it gets a value of its own"
