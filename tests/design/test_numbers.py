"""Numbers and addresses that are in use already, and lines of the lock that cannot be meant."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from orchestrator.design import design
from orchestrator.model.cloud import ProviderNetwork
from orchestrator.model.estate import Estate
from orchestrator.model.network import Vrf
from tests.design.estates import changed, district, policy


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
