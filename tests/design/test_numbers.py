"""Numbers and addresses that are in use already, and lines of the lock that cannot be meant."""

import pytest

from orchestrator.design import design
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
