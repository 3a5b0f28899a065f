"""The district, its policy, and departments that may come to it, for the laws of design and plan."""

from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from network_models.district import now
from orchestrator.intake.policy import read_policy
from orchestrator.model.base import Noun, Row
from orchestrator.model.census import Organisation, PrivateNetwork, PrivateSite
from orchestrator.model.estate import TABLE_OF, Edit, Estate
from orchestrator.model.network import Device, Host, Interface, Link, Route
from orchestrator.model.policy import Flow, Policy, Zone

FOLDER = Path(__file__).parents[2] / "network_models" / "wangchao"


class Site(NamedTuple):
    """A site of a newcomer: what it needs, where its circuit ends."""

    needs_common_zone: bool
    fixed_addresses: bool
    pe: str


class Newcomer(NamedTuple):
    """A department that is not in the district: its code and sites; a leased line joins the first two."""

    code: str
    sites: tuple[Site, ...]
    leased: bool


@cache
def policy() -> Policy:
    return read_policy(FOLDER / "policy.yaml")


@cache
def district() -> Estate:
    return now()


def changed(estate: Estate, *nouns: Row) -> Estate:
    """The estate with these rows in place of the rows of the same keys, or beside the others."""
    for noun in nouns:
        table = TABLE_OF[type(noun)]
        row = getattr(estate, table).get(noun.key)
        edit = Edit(table=table, key=noun.key, before=row.plain() if row else None, after=noun.plain())
        estate = estate.apply((edit,))
    return estate


def without(estate: Estate, *nouns: Row) -> Estate:
    """The estate without these rows."""
    edits = [Edit(table=TABLE_OF[type(noun)], key=noun.key, before=noun.plain(), after=None) for noun in nouns]
    return estate.apply(tuple(edits))


def sites() -> st.SearchStrategy[Site]:
    # fixed equipment matters only where translation is possible: on a router with nftables, which newcomers lack
    return st.builds(Site, st.booleans(), st.just(False), st.sampled_from(["pe1", "pe2"]))


def newcomers() -> st.SearchStrategy[Newcomer]:
    # codes before, between and after those of the district: order must not matter
    codes = st.sampled_from(["aa", "dd", "jt", "zz"])
    return st.builds(Newcomer, codes, st.lists(sites(), min_size=1, max_size=3).map(tuple), st.booleans())


def with_newcomer(estate: Estate, new: Newcomer) -> Estate:
    """The estate with the department added: its sites, circuits, hosts and perhaps a leased line."""
    code = new.code
    network = f"{code.upper()}-NET"
    prefixes = tuple(IPv4Network(f"10.77.{number}.0/24") for number in range(1, len(new.sites) + 1))
    nouns: list[Noun] = [
        Organisation(
            code=code, name=f"望潮区{code}局", short_name=code, service_domain="administrative_service_domain"
        ),
        PrivateNetwork(
            code=network, name=f"{code}专网", organisation=code, classified=False, prefixes=prefixes, target="extranet"
        ),
        _spare(f"fw-{code}", "pe1", f"fw-{code}", "fw1", f"{code}0", code),
    ]
    for number, (site, prefix) in enumerate(zip(new.sites, prefixes, strict=True), start=1):
        nouns += _site(code, network, number, site, prefix)
    if new.leased and len(new.sites) > 1:
        nouns += _line(code, prefixes)
    return estate.with_nouns(*nouns)


def with_zones(rules: Policy, new: Newcomer) -> Policy:
    """The policy with the newcomer's zones, and a flow for each of its sites that needs the common zone."""
    code, domain = new.code, "administrative_service_domain"
    zones = (
        Zone(name=f"private-{code}", kind="private", organisation=code),
        Zone(name=f"vpn-{code}", kind="vpn", service_domain=domain, organisation=code),
    )
    flows = tuple(
        Flow(
            code=f"F-9{number:02}",
            purpose="向共享交换平台报送",
            source=f"host:{code}-user{number}",
            destination="host:exchange",
            port=443,
            gateway="fw1",
            validity="target_only",
        )
        for number, site in enumerate(new.sites, start=1)
        if site.needs_common_zone
    )
    more = {"zones": (*rules.zones, *zones), "flows": (*rules.flows, *flows)}
    # not model_copy: a copy would carry the cached zones along
    return Policy.model_validate({**rules.plain(), **more})


def _spare(name: str, a: str, a_port: str, b: str, b_port: str, code: str) -> Link:
    return Link(name=name, a_node=a, a_port=a_port, b_node=b, b_port=b_port, state="spare", reserved_for=code)


def _site(code: str, network: str, number: int, site: Site, prefix: IPv4Network) -> list[Noun]:
    name, device, user = f"{code}-{number}", f"{code}{number}", f"{code}-user{number}"
    return [
        Device(name=device, kind="router", platforms=("frr",), site=name, organisation=code, role="customer_edge"),
        PrivateSite(
            network=network, site=name, device=device, prefix=prefix,
            needs_common_zone=site.needs_common_zone, fixed_addresses=site.fixed_addresses,
        ),
        Interface(device=device, name="lan0", address=IPv4Interface((prefix[1], 24)), zone=f"private-{code}"),
        Link(name=f"{device}-lan", a_node=device, a_port="lan0", b_node=user, b_port="eth0"),
        Host(
            name=user, organisation=code, site=name, zone=f"private-{code}",
            address=IPv4Interface((prefix[100], 24)), gateway=prefix[1],
        ),
        _spare(f"ac-{device}", site.pe, f"ac-{device}", device, "up0", code),
    ]  # fmt: skip


def _line(code: str, prefixes: tuple[IPv4Network, ...]) -> list[Noun]:
    one, two = IPv4Interface("10.77.254.1/30"), IPv4Interface("10.77.254.2/30")
    hops: tuple[IPv4Address, IPv4Address] = (two.ip, one.ip)
    return [
        Link(
            name=f"{code}-line", a_node=f"{code}1", a_port="wan1", b_node=f"{code}2", b_port="wan1", kind="leased_line"
        ),
        Interface(device=f"{code}1", name="wan1", address=one),
        Interface(device=f"{code}2", name="wan1", address=two),
        Route(device=f"{code}1", prefix=prefixes[1], next_hop=hops[0]),
        Route(device=f"{code}2", prefix=prefixes[0], next_hop=hops[1]),
    ]
