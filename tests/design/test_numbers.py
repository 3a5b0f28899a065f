"""Numbers and addresses that are in use already, and lines of the lock that cannot be meant."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from orchestrator.design import design
from orchestrator.errors import DesignError
from orchestrator.model.cloud import ProviderNetwork
from orchestrator.model.estate import Estate
from orchestrator.model.lock import Lock
from orchestrator.model.network import Vrf
from tests.design.estates import changed, district, policy, without


@pytest.mark.parametrize("way", ["import_targets", "export_targets"])
def test_a_route_target_in_use_is_not_given_to_a_department(way: str) -> None:
    """R15: a hub that imports 65000:100 would hear the routes of the department that got it."""
    hub = Vrf.model_validate(
        {"device": "pe1", "name": "hub", "zone": "common-adm", "route_distinguisher": "65000:7", way: ("65000:100",)}
    )
    vrfs = design(changed(district(), hub), policy()).target.vrfs
    assert (vrfs["pe1/cz"].import_targets, vrfs["pe1/mz"].import_targets) == (("65000:101",), ("65000:102",))
    assert design(district(), policy()).target.vrfs["pe1/cz"].import_targets == ("65000:100",)


def untagged(estate: Estate) -> Estate:
    """Handover cables that were delivered without a tag: design numbers them."""
    return changed(estate, *(estate.links[name].model_copy(update={"vlan": None}) for name in ("dc-cz", "dc-mz")))


def test_a_vlan_of_a_provider_network_in_use_is_not_given_to_a_department() -> None:
    """Two provider networks of one VLAN are one segment: the departments behind them would be joined."""
    other = ProviderNetwork(
        name="prov-other", cloud="public-service-cloud", vlan=2000, prefix=IPv4Network("198.18.129.0/24"),
        gateway=IPv4Address("198.18.129.1"),
    )  # fmt: skip
    for estate, vlans in ((district(), [2000, 2001]), (changed(district(), other), [2001, 2002])):
        networks = design(untagged(estate), policy()).target.provider_networks
        assert [networks[f"prov-{code}"].vlan for code in ("cz", "mz")] == vlans


def test_two_handovers_with_one_tag_are_not_both_built() -> None:
    twin = district().links["dc-mz"].model_copy(update={"vlan": 2010})
    result = design(changed(district(), twin), policy())
    assert "prov-cz" in result.target.provider_networks
    assert "prov-mz" not in result.target.provider_networks
    assert result.target.links["dc-mz"] == twin
    expected = (
        "design fail: estate links[dc-mz]: VLAN 2010 of dc-mz is that of prov-cz already: both would be one segment; "
        "correct the tag in topology.yaml, or have the carrier deliver another one"
    )
    assert [str(f) for f in result.findings if "dc-mz" in str(f)] == [expected]


def refusal(purpose: str, value: str, estate: Estate | None = None) -> str:
    with pytest.raises(DesignError) as refused:
        design(estate or district(), policy(), Lock(allocations={purpose: value}))
    return str(refused.value)


@pytest.mark.parametrize(
    ("purpose", "value", "kind"),
    [
        ("vni/cz", "0", "a number from 1 to 16777215"),
        ("vni/cz", "16777216", "a number from 1 to 16777215"),
        ("vlan/cz", "4095", "a number from 1 to 4094"),
        ("sequence-fw1/F-003/cz0", "100000", "a number from 1 to 99999"),
        ("prefix/cz/cz-2", "198.18.47.0/25", "a prefix of length 24"),
        ("overlay/cz", "169.254.64.8/31", "a prefix of at most length 30"),
        ("address/router/cz", "198.18.131.10", "an address in 198.18.130.0/24"),
        ("address/public/mz-web", "198.51.100.3", "an address in 203.0.113.0/26"),
    ],
)
def test_a_locked_value_that_cannot_be_meant_is_named(purpose: str, value: str, kind: str) -> None:
    assert refusal(purpose, value, untagged(district())) == (
        f"onefold.lock: {purpose} holds {value!r}, which is not {kind}: restore the line from its history, "
        "or take it out so that it gets a value of its own"
    )


def test_a_site_that_has_grown_since_it_got_its_prefix_is_named() -> None:
    now = district()
    site = now.private_sites["CZ-NET/cz-2"].model_copy(update={"prefix": IPv4Network("10.8.2.0/23")})
    assert refusal("prefix/cz/cz-2", "198.18.47.0/24", changed(now, site)).startswith(
        "onefold.lock: prefix/cz/cz-2 holds '198.18.47.0/24', which is not a prefix of length 23: "
    )


def test_a_site_larger_than_the_pool_is_named() -> None:
    now = district()
    site = now.private_sites["CZ-NET/cz-2"].model_copy(update={"prefix": IPv4Network("10.0.0.0/8")})
    with pytest.raises(DesignError) as refused:
        design(changed(now, site), policy())
    assert str(refused.value) == (
        "nothing is left of 198.18.32.0/20 for prefix/cz/cz-2: give numbering a larger pool in policy.yaml"
    )


def test_a_second_block_of_public_addresses_is_used_when_the_first_is_full() -> None:
    now = district()
    exit_ = now.egresses["E-PLATFORM"]
    blocks = tuple(map(IPv4Network, ("203.0.113.0/31", "203.0.113.32/28")))
    target = design(changed(now, exit_.model_copy(update={"public_prefixes": blocks})), policy()).target
    assert str(target.nats["fw1/mz-web"].outside) == "203.0.113.42/32"
    none = changed(now, exit_.model_copy(update={"public_prefixes": ()}))
    with pytest.raises(DesignError) as refused:
        design(none, policy())
    assert str(refused.value) == (
        "nothing is left of the public addresses of E-PLATFORM for address/public/mz-web: add a block to F4"
    )


def twins() -> Estate:
    """A second network of 财政 with a site of the same name as one of the first."""
    now = district()
    network = now.private_networks["CZ-NET"].model_copy(update={"code": "CZ-VIDEO", "prefixes": ()})
    site = now.private_sites["CZ-NET/cz-3"].model_copy(
        update={"network": "CZ-VIDEO", "site": "cz-2", "needs_common_zone": True}
    )
    return changed(without(now, now.private_sites["CZ-NET/cz-3"]), network, site)


def test_sites_of_one_name_in_two_networks_get_prefixes_of_their_own() -> None:
    first = design(twins(), policy())
    prefixes = {key: str(site.prefix) for key, site in first.target.private_sites.items() if key.endswith("/cz-2")}
    assert prefixes == {"CZ-NET/cz-2": "198.18.32.0/24", "CZ-VIDEO/cz-2": "198.18.33.0/24"}
    assert design(first.target, policy(), first.lock).target == first.target


def test_sites_of_any_name_are_hidden_behind_the_platform() -> None:
    """A site's name is free text, and another department's may have the same."""
    now = district()
    for name in ("养老院", "portal", "mz-2"):
        site = now.private_sites["MZ-NET/mz-1"].model_copy(update={"site": name})
        hosts = [h.model_copy(update={"site": name}) for h in now.hosts.values() if h.site == "mz-1"]
        if name == "mz-2":
            site = site.model_copy(update={"network": "MZ-OLD"})
            network = now.private_networks["MZ-NET"].model_copy(update={"code": "MZ-OLD"})
            estate = changed(without(now, now.private_sites["MZ-NET/mz-1"]), network, site, *hosts)
        else:
            estate = changed(without(now, now.private_sites["MZ-NET/mz-1"]), site, *hosts)
        target = design(estate, policy()).target
        hidden = {str(n.inside) for n in target.nats.values() if n.device == "fw1" and n.kind == "source"}
        sites = {str(s.prefix) for s in target.private_sites.values() if s.network.startswith("MZ")}
        assert hidden == {"198.18.64.0/18", *sites}


def test_a_prefix_that_is_known_from_the_register_alone_is_not_given_to_another_site() -> None:
    """No device of ours has it: the site's router is not managed, or the address is a translation's outside."""
    now = district()
    site = now.private_sites["CZ-NET/cz-3"].model_copy(
        update={"prefix": IPv4Network("198.18.32.0/24"), "needs_common_zone": True}
    )
    outside = now.nats["mz1/out-1"].model_copy(
        update={"name": "old", "kind": "prefix", "outside": IPv4Network("198.18.33.0/24")}
    )
    sites = design(changed(now, site, outside), policy()).target.private_sites
    assert {key: str(each.prefix) for key, each in sites.items() if each.needs_common_zone} == {
        "CZ-NET/cz-2": "198.18.34.0/24",
        "CZ-NET/cz-3": "198.18.32.0/24",
        "MZ-NET/mz-1": "198.18.35.0/24",
        "MZ-NET/mz-2": "198.18.36.0/24",
    }


def test_public_addresses_of_routers_on_the_exits_line_are_not_given_out() -> None:
    """A line whose public block is also its link: the carrier's router and our own port stand in it."""
    now = district()
    used = {"isp/to-fw/192.0.2.1/30": "203.0.113.3/26", "fw1/inet0/192.0.2.2/30": "203.0.113.2/26"}
    ports = [now.interfaces[key].model_copy(update={"address": IPv4Interface(at)}) for key, at in used.items()]
    way = now.routes["fw1/default/0.0.0.0/0/192.0.2.1"]
    hop = way.model_copy(
        update={"next_hop": IPv4Address("203.0.113.4")}
    )  # the carrier's second router, not ours to read
    rest = without(now, way, *(now.interfaces[key] for key in used))
    target = design(changed(rest, *ports, hop), policy()).target
    assert str(target.nats["fw1/mz-1-out"].outside) == "203.0.113.5/32"
    assert str(design(now, policy()).target.nats["fw1/mz-1-out"].outside) == "203.0.113.2/32"
