"""What the API said, as openstacksdk resources (its real types), to nouns. The talking itself is tested on the lab."""

from typing import Any

import pytest
from openstack.identity.v3.project import Project as ApiProject
from openstack.network.v2.network import Network
from openstack.network.v2.subnet import Subnet

from network_models import district
from network_models.write_district import FOLDER
from orchestrator.intake.openstack import fetch
from orchestrator.intake.openstack_rows import interpret
from orchestrator.intake.project import Project
from orchestrator.intake.read import read
from orchestrator.model.estate import Estate, difference
from tests.intake.clouds import CLOUD, as_designed, observed, rule


def test_a_cloud_as_designed_reads_as_designed() -> None:
    designed = as_designed()
    reading = interpret(observed(), district.now().with_nouns(*designed))
    assert difference(Estate.of(*designed), reading.estate) == ()
    assert reading.findings == ()
    assert {fact.row: str(fact.where) for fact in reading.facts}["servers[cz/budget-web]"] == f"cloud:{CLOUD} server v1"


def test_a_project_read_with_its_cloud_names_the_api_object_of_each_row() -> None:
    seen = observed()
    seen.ports.pop()
    reading = read(Project.open(FOLDER), interpret(seen, district.now()))
    assert {fact.row: str(fact.where) for fact in reading.facts}["tenants[cz]"] == f"cloud:{CLOUD} project p1"
    assert [finding.where.item for finding in reading.findings if finding.subject == "cloud" and finding.where] == [
        "server v1"
    ]


def test_a_cloud_nobody_designed_reads_too_but_its_zones_are_unknown() -> None:
    reading = interpret(observed(), district.now())
    assert reading.estate.tenants["cz"].zone == ""
    assert reading.estate.provider_networks["prov-cz"].cloud == CLOUD  # by the handover of VLAN 2010, for cz


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda seen: (
                seen.networks.append(Network(id="n2", name="app", project_id="p1"))
                or seen.subnets.append(Subnet(id="s2", network_id="n2", cidr="198.18.137.0/24", ip_version=4))
            ),
            (
                f"cloud unknown: cloud:{CLOUD} network n2: cloud_networks[cz/app] is there twice (also network n1); "
                "remove the one not in use"
            ),
        ),
        (
            lambda seen: seen.subnets.append(Subnet(id="s2", network_id="n1", cidr="2001:db8::/64", ip_version=6)),
            (
                f"cloud unknown: cloud:{CLOUD} network n1: network 'app' of cz has 2 subnets, not one of IPv4; "
                "remove the others"
            ),
        ),
        (
            lambda seen: seen.rules.append(rule("u3", "g1", ethertype="IPv6", direction="egress")),
            (
                f"cloud unknown: cloud:{CLOUD} security group rule u3: a rule for IPv6 any in group 'web' is not "
                "known here; remove it, or express it for IPv4 tcp, udp or icmp"
            ),
        ),
        (
            lambda seen: seen.rules.append(rule("u4", "g1", protocol="icmp", port_range_min=8, port_range_max=0)),
            (
                f"cloud unknown: cloud:{CLOUD} security group rule u4: a rule for IPv4 icmp type 8 in group 'web' is "
                "not known here; remove it, or express it for IPv4 tcp, udp or icmp"
            ),
        ),
        (
            lambda seen: seen.ports.pop(),
            (
                f"cloud unknown: cloud:{CLOUD} server v1: server 'budget-web' of cz has 0 ports with 0 addresses; "
                "correct the server by hand: Onefold makes one port with one address"
            ),
        ),
        (
            lambda seen: seen.absent.append(district.now().clouds["public-service-cloud"]),
            (
                "cloud unknown: cloud:public-service-cloud domain public-service-cloud: the Keystone domain is not "
                "there; create it, or correct keystone_domain in the topology"
            ),
        ),
        (
            lambda seen: (
                seen.projects[CLOUD].append(ApiProject(id="p2", name="guest", description=""))
                or seen.networks.append(Network(id="n2", name="lan", project_id="p2"))
            ),
            (
                f"cloud unknown: cloud:{CLOUD} project p2: project 'guest' (1 networks, routers, servers) is of no "
                "known organisation; write the organisation's code into its description, or remove it"
            ),
        ),
    ],
)
def test_what_the_model_has_no_words_for_is_told_with_its_object(spoil: Any, message: str) -> None:
    seen = observed()
    spoil(seen)
    reading = interpret(seen, district.now().with_nouns(*as_designed()))
    assert [str(finding) for finding in reading.findings] == [message]


RENAME = "give it a name of letters, digits and _ . : - and values of IPv4; until then nothing is known of it"
AGAIN = "changed while the cloud was read; read the cloud again when nobody is at work in it"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda seen: setattr(seen.projects[CLOUD][0], "name", "财政局"),
            (
                "project p1: project '财政局', with all that is in it: "
                f"name '财政局' is none that Onefold can hold; {RENAME}"
            ),
        ),
        (
            lambda seen: (
                seen.networks.append(Network(id="n2", name="app net", project_id="p1"))
                or seen.subnets.append(Subnet(id="s2", network_id="n2", cidr="198.18.137.0/24", ip_version=4))
            ),
            f"network n2: network 'app net' of cz: name 'app net' is none that Onefold can hold; {RENAME}",
        ),
        (
            lambda seen: setattr(seen.groups[1], "name", "网页"),
            f"security group g1: security group '网页' of cz: name '网页' is none that Onefold can hold; {RENAME}",
        ),
        (
            lambda seen: setattr(seen.servers[0], "name", "预算"),
            f"server v1: server '预算' of cz: name '预算' is none that Onefold can hold; {RENAME}",
        ),
        (
            lambda seen: setattr(seen.ports[1], "fixed_ips", [{"ip_address": "2001:db8::5"}]),
            f"server v1: server 'budget-web' of cz: address '2001:db8::5' is none that Onefold can hold; {RENAME}",
        ),
        (
            lambda seen: (
                seen.networks.append(
                    Network(
                        id="n8",
                        name="prov-x",
                        project_id="p1",
                        **{"router:external": True, "provider:network_type": "vlan", "provider:segmentation_id": 2019},
                    )
                )
                or seen.subnets.append(Subnet(id="s8", network_id="n8", cidr="198.18.131.0/24", ip_version=4))
            ),
            f"network n8: provider network 'prov-x': gateway is missing; {RENAME}",
        ),
        (
            lambda seen: setattr(seen.ports[1], "security_group_ids", ["new"]),
            f"server v1: server 'budget-web' of cz {AGAIN}",
        ),
        (
            lambda seen: setattr(seen.ports[0], "network_id", "new"),
            f"router r1: router 'out' of cz {AGAIN}",
        ),
    ],
)
def test_a_value_that_no_row_can_hold_is_told_and_the_rest_is_read(spoil: Any, told: str) -> None:
    seen = observed()
    spoil(seen)
    reading = interpret(seen, district.now())
    assert [str(finding) for finding in reading.findings] == [f"cloud unknown: cloud:{CLOUD} {told}"]
    assert len(reading.estate.tenants) + len(reading.estate.provider_networks) >= 1


def test_the_default_group_counts_once_a_port_uses_it() -> None:
    seen = observed()
    seen.ports[1].security_group_ids = ["g1", "g0"]
    reading = interpret(seen, district.now())
    assert set(reading.estate.security_groups) == {"cz/web", "cz/default"}
    assert "cz/default/egress/any/all/anywhere" in reading.estate.security_rules
    assert reading.estate.servers["cz/budget-web"].groups == ("default", "web")


def test_a_cloud_that_does_not_answer_is_unreachable() -> None:
    import openstack

    from orchestrator.errors import UnreachableError

    connection = openstack.connect(
        auth_url="http://127.0.0.1:9", username="u", password="p", project_name="x", user_domain_name="Default",
        project_domain_name="Default", load_yaml_config=False, load_envvars=False,
    )  # fmt: skip
    with pytest.raises(UnreachableError, match=r"check the entry in clouds\.yaml and 'onefold doctor'"):
        fetch(connection, district.now().clouds.values())
