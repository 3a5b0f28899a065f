"""Every row of the district that a state may lack, and rows that it may have: edits to walk states with."""

from network_models.district import now
from orchestrator.forwarding.points import Classes, classes_of
from orchestrator.model.base import Noun
from orchestrator.model.cloud import (
    CloudNetwork,
    CloudRouter,
    ProviderNetwork,
    SecurityGroup,
    SecurityRule,
    Server,
    Tenant,
)
from orchestrator.model.estate import TABLE_OF, Edit, Estate
from orchestrator.model.network import Filter, FilterRule, Interface, Nat, Route


def arrivals() -> list[Noun]:
    """Rows that a state may bring: ways into other VRFs, filter entries, translations, a tenant."""
    rows: list[tuple[type[Noun], dict[str, object]]] = [
        (Route, {"device": "ce1", "prefix": "0.0.0.0/0", "next_hop": "198.19.252.1"}),
        (Route, {"device": "pe1", "vrf": "adm", "prefix": "0.0.0.0/0", "next_hop": "198.19.255.2"}),
        (Route, {"device": "pe1", "vrf": "adm", "prefix": "198.18.64.10/32", "next_hop": None}),
        (Route, {"device": "cz1", "prefix": "10.8.0.0/16", "next_hop": "10.8.254.2"}),
        (Route, {"device": "mz2", "prefix": "192.168.10.0/24", "next_hop": "172.16.254.2"}),
        (Route, {"device": "pe1", "vrf": "pub", "prefix": "198.18.136.0/24", "next_hop": "198.18.130.10"}),
        (Route, {"device": "fw1", "prefix": "198.18.136.0/24", "next_hop": "198.19.255.5"}),
        (Interface, {"device": "pe2", "name": "ac-cz2", "vrf": "adm", "address": "198.19.240.1/30"}),
        (Interface, {"device": "cz2", "name": "up0", "address": "198.19.240.2/30"}),
        (Interface, {"device": "cz2", "name": "lan0", "address": "198.18.33.1/24", "zone": "vpn-cz"}),
        (Interface, {"device": "pe1", "name": "dc-cz", "vrf": "pub", "address": "198.18.130.1/24"}),
        (FilterRule, {"device": "fw1", "sequence": 10, "action": "drop", "protocol": "tcp", "ports": ((443, 443),)}),
        (FilterRule, {"device": "fw1", "sequence": 20, "action": "accept", "sources": ("198.18.16.0/24",)}),
        (FilterRule, {"device": "mz1", "sequence": 5, "action": "accept", "protocol": "icmp"}),
        (Filter, {"device": "cz1", "default": "drop"}),
        (
            Nat,
            {
                "device": "mz1",
                "name": "a",
                "kind": "prefix",
                "interface": "inet0",
                "inside": "192.168.10.0/24",
                "outside": "203.0.113.0/24",
            },
        ),
        (
            Nat,
            {
                "device": "fw1",
                "name": "a",
                "kind": "source",
                "interface": "pub0",
                "inside": "198.18.16.0/24",
                "outside": "198.19.255.6/32",
            },
        ),
        (Tenant, {"name": "t", "cloud": "public-service-cloud", "organisation": "mz", "zone": "common-pub"}),
        (
            ProviderNetwork,
            {
                "name": "p",
                "cloud": "public-service-cloud",
                "vlan": 2010,
                "prefix": "198.18.130.0/24",
                "gateway": "198.18.130.1",
            },
        ),
        (CloudNetwork, {"tenant": "t", "name": "n", "prefix": "198.18.136.0/24"}),
        (
            CloudRouter,
            {"tenant": "t", "name": "r", "provider_network": "p", "address": "198.18.130.10", "networks": ("n",)},
        ),
        (SecurityGroup, {"tenant": "t", "name": "g"}),
        (SecurityRule, {"tenant": "t", "group": "g", "direction": "ingress", "protocol": "tcp", "ports": (443, 443)}),
        (SecurityRule, {"tenant": "t", "group": "g", "direction": "egress"}),
        (
            Server,
            {
                "tenant": "t",
                "name": "s",
                "network": "n",
                "address": "198.18.136.10",
                "flavor": "f",
                "image": "i",
                "groups": ("g",),
            },
        ),
        (
            Server,
            {
                "tenant": "t",
                "name": "u",
                "network": "n",
                "address": "198.18.136.11",
                "flavor": "f",
                "image": "i",
                "groups": (),
            },
        ),
    ]
    return [kind.model_validate(fields) for kind, fields in rows]


def _toggles() -> list[Edit]:
    """Every network row of the district taken out, every arrival put in."""
    tables = (
        "routes",
        "interfaces",
        "filters",
        "filter_rules",
        "nats",
        "links",
        "hosts",
        "vrfs",
        "service_names",
        "workloads",
    )
    base = now()
    gone = [
        Edit(table=table, key=key, before=row.plain(), after=None)
        for table in tables
        for key, row in getattr(base, table).items()
    ]
    keyed = [(TABLE_OF[type(row)], row) for row in arrivals()]
    return gone + [Edit(table=table, key=row.key, before=None, after=row.plain()) for table, row in keyed]  # type: ignore[attr-defined]


TOGGLES = _toggles()
CLASSES: Classes = classes_of(now(), TOGGLES, [("tcp", 25), ("tcp", 443), ("tcp", 8080)])


def turned(estate: Estate, edit: Edit) -> tuple[Estate, Edit]:
    """Turn the row over: as the edit says, or back when it is done already."""
    there = edit.key in getattr(estate, edit.table)
    way = edit if there == (edit.before is not None) else edit.undo()
    return estate.apply((way,)), way
