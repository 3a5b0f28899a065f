"""The provider networks of one cloud: the VLANs that a PE hands over to it, with the PE as gateway."""

from collections.abc import Iterator

from orchestrator.model.cloud import ProviderNetwork
from orchestrator.model.estate import Estate
from stacks.resource import Resource, reference, world


def stack_name(cloud: str) -> str:
    """The name of the stack that holds one cloud's provider networks."""
    return f"provider-{cloud}"


def resources(estate: Estate, cloud: str) -> tuple[Resource, ...]:
    """Network and subnet of every provider network of this cloud."""
    mine = [resource for n in estate.provider_networks.values() if n.cloud == cloud for resource in _network(n)]
    return tuple(sorted(mine, key=lambda resource: resource.name))


def _network(network: ProviderNetwork) -> Iterator[Resource]:
    row = f"provider_networks[{network.key}]"
    yield Resource(
        name=f"network-{network.name}",
        type="networking.Network",
        arguments={
            "name": network.name,
            "admin_state_up": True,
            "external": network.external,
            "segments": [
                {
                    "network_type": "vlan",
                    "physical_network": world("physical_network"),
                    "segmentation_id": network.vlan,
                }
            ],
        },
        row=row,
        find={"kind": "network", "name": network.name},
    )
    yield Resource(
        name=f"subnet-{network.name}",
        type="networking.Subnet",
        arguments={
            "name": network.name,
            "network_id": reference(f"network-{network.name}"),
            "cidr": str(network.prefix),
            "ip_version": 4,
            "gateway_ip": str(network.gateway),
            "enable_dhcp": False,
        },
        row=row,
        find={"kind": "subnet", "name": network.name},
    )
