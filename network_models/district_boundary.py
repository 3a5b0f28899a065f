"""The district's boundary: what the firewalls let pass and what they translate."""

from orchestrator.model.base import Row
from orchestrator.model.network import Filter, FilterRule, Nat, Vlan


def _rule(
    device: str, sequence: int, way: str, flow: str, protocol: str = "any", port: int | None = None, **more: object
) -> FilterRule:
    into, out = way.split(">")
    fields = dict(
        device=device, sequence=sequence, action="accept", in_interfaces=(into,), out_interfaces=(out,), flow=flow
    )
    ports = ((port, port),) if port is not None else ()
    return FilterRule.model_validate({**fields, "protocol": protocol, "ports": ports, **more})


def boundary() -> list[Row]:
    """Filters and translations of the boundary firewall and of the department egress."""
    return [
        Filter(device="fw1"),
        _rule(
            "fw1", 100, "adm0>pub0", "F-010", "tcp", 443, sources=("198.18.16.0/24",), destinations=("198.18.64.10/32",)
        ),
        _rule("fw1", 200, "inet0>pub0", "F-011", "tcp", 443, destinations=("198.18.64.10/32",)),
        _rule("fw1", 300, "pub0>inet0", "F-014", "tcp", 443, sources=("198.18.64.0/24",)),
        Nat.model_validate(
            dict(
                device="fw1",
                name="portal",
                kind="destination",
                interface="inet0",
                inside="198.18.64.10/32",
                outside="203.0.113.10/32",
                protocol="tcp",
                port=443,
                inside_port=443,
            )
        ),
        Nat.model_validate(
            dict(
                device="fw1",
                name="pub-out",
                kind="source",
                interface="inet0",
                inside="198.18.64.0/18",
                outside="203.0.113.1/32",
            )
        ),
        Filter(device="mz1"),
        _rule("mz1", 100, "lan0>inet0", "F-005", "tcp", 443, sources=("192.168.10.0/24",)),
        _rule("mz1", 110, "wan2>inet0", "F-005", "tcp", 443, sources=("172.16.5.0/24",)),
        _rule("mz1", 200, "inet0>lan0", "F-004", "tcp", 443, destinations=("192.168.10.10/32",)),
        _rule("mz1", 300, "wan2>lan0", "F-006", sources=("172.16.5.0/24",), destinations=("192.168.10.0/24",)),
        _rule("mz1", 310, "lan0>wan2", "F-006", sources=("192.168.10.0/24",), destinations=("172.16.5.0/24",)),
        Nat.model_validate(
            dict(
                device="mz1",
                name="mzweb",
                kind="destination",
                interface="inet0",
                inside="192.168.10.10/32",
                outside="203.0.113.66/32",
                protocol="tcp",
                port=443,
                inside_port=443,
            )
        ),
        Nat.model_validate(
            dict(
                device="mz1",
                name="out-1",
                kind="source",
                interface="inet0",
                inside="192.168.10.0/24",
                outside="203.0.113.65/32",
            )
        ),
        Nat.model_validate(
            dict(
                device="mz1",
                name="out-2",
                kind="source",
                interface="inet0",
                inside="172.16.5.0/24",
                outside="203.0.113.65/32",
            )
        ),
        Vlan(device="msw1", vlan=10, description="MANAGEMENT"),
        Vlan(device="msw1", vlan=16, description="DISTRICT-STAFF"),
    ]
