"""What decides in a cloud who reaches whom and has no row is told, object by object."""

from typing import Any

import pytest
from openstack.compute.v2.server import Server as ApiServer
from openstack.network.v2.network import Network
from openstack.network.v2.port import Port
from openstack.network.v2.security_group import SecurityGroup as ApiGroup

from network_models import district
from orchestrator.intake.openstack_rows import interpret
from tests.intake.clouds import CLOUD, as_designed, observed, rule


def whom(rule_id: str) -> str:
    return (
        f"security group rule {rule_id}: whom a rule in group 'web' lets in or out is not known here; "
        "name a prefix or a group of the same project instead"
    )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda seen: seen.rules.append(rule("u5", "g1", protocol="tcp", remote_address_group_id="a1")), whom("u5")),
        (lambda seen: seen.rules.append(rule("u5", "g1", protocol="tcp", remote_group_id="gone")), whom("u5")),
        (
            lambda seen: (
                seen.groups.append(ApiGroup(id="g7", name="web", project_id="p9"))
                or seen.rules.append(rule("u5", "g1", protocol="tcp", remote_group_id="g7"))
            ),
            whom("u5"),
        ),
        (
            lambda seen: seen.ports.append(
                Port(
                    id="o7",
                    device_owner="network:floatingip",
                    network_id="n9",
                    fixed_ips=[{"ip_address": "198.18.130.77"}],
                )
            ),
            "port o7: floating address 198.18.130.77: to whom it leads is not known here; remove it",
        ),
        (
            lambda seen: setattr(seen.ports[1], "security_group_ids", []),
            (
                "port o2: the port with 198.18.136.10 has no port security: no group filters it, which is not known "
                "here; switch port security on"
            ),
        ),
        (
            lambda seen: setattr(seen.ports[1], "allowed_address_pairs", [{"ip_address": "198.18.136.0/24"}]),
            (
                "port o2: the port with 198.18.136.10 may send as 198.18.136.0/24 too, which is not known here; "
                "remove the allowed address pairs"
            ),
        ),
        (
            lambda seen: seen.ports.append(
                Port(id="o7", device_owner="Octavia", network_id="n1", fixed_ips=[{"ip_address": "198.18.136.80"}])
            ),
            (
                "port o7: the port with 198.18.136.80 belongs to 'Octavia': what that forwards is not known here; "
                "remove it"
            ),
        ),
        (
            lambda seen: (
                seen.servers.append(ApiServer(id="v9", name="guest", project_id="p9"))
                or seen.ports.append(Port(id="o7", device_owner="compute:nova", device_id="v9", network_id="n1"))
                or setattr(seen.ports[-1], "security_group_ids", ["g9"])
            ),
            (
                "port o7: the port with no address joins a server to a network of another project: neither is known "
                "whole here; remove it"
            ),
        ),
        (
            lambda seen: setattr(seen.networks[0], "is_shared", True),
            "network n1: network 'app' is shared: who else is on it is not known here; take the sharing back",
        ),
        (
            lambda seen: setattr(seen.routers[0], "routes", [{"destination": "10.0.0.0/8", "nexthop": "198.18.136.9"}]),
            (
                "router r1: router 'out' has routes of its own (10.0.0.0/8 via 198.18.136.9), which are not known "
                "here; remove them"
            ),
        ),
        (
            lambda seen: setattr(seen.routers[0], "is_admin_state_up", False),
            (
                "router r1: router 'out' is switched off: whether its networks are reached is not known here; "
                "switch it on, or remove it"
            ),
        ),
        (
            lambda seen: setattr(seen.networks[1], "provider_network_type", "flat"),
            (
                "router r1: router 'out' leads out over a network that is no provider network known here; "
                "give it one of a VLAN, with a row"
            ),
        ),
    ],
)
def test_what_decides_in_the_cloud_without_a_row_is_told(spoil: Any, told: str) -> None:
    seen = observed()
    spoil(seen)
    reading = interpret(seen, district.now().with_nouns(*as_designed()))
    assert [str(finding) for finding in reading.findings] == [f"cloud unknown: cloud:{CLOUD} {told}"]
    assert "cz/web/ingress/tcp/all/anywhere" not in reading.estate.security_rules


def test_ports_and_addresses_that_decide_nothing_of_ours_are_not_told() -> None:
    seen = observed()
    for number, owner in enumerate(("network:dhcp", "network:router_gateway", "network:distributed", "")):
        fixed = [{"ip_address": f"198.18.136.{200 + number}"}]
        seen.ports.append(Port(id=f"q{number}", device_owner=owner, network_id="n1", fixed_ips=fixed))
    seen.networks.append(Network(id="n5", name="other", project_id="p5", shared=True))
    seen.ports.append(Port(id="q9", device_owner="network:floatingip", network_id="n5"))
    assert interpret(seen, district.now().with_nouns(*as_designed())).findings == ()
