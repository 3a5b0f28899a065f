"""Who is folded and over which cables: read from private networks with target extranet and links reserved for them."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from orchestrator.model.base import Noun
from orchestrator.model.census import PrivateSite
from orchestrator.model.estate import Estate
from orchestrator.model.network import GLOBAL, Interface, Link
from orchestrator.model.policy import Policy


class Leg(Noun):
    """One reserved cable: the PE's end, and the end of the thing it joins to the VRF."""

    link: str
    pe: str
    pe_port: str
    device: str
    port: str
    vlan: int | None = None


class Access(Noun):
    """One site of a folded private network and the circuit that was delivered for it."""

    network: str  # key of the private network
    site: str  # name of the site
    key: str  # key of the PrivateSite row
    device: str
    leg: Leg


class Department(Noun):
    """One organisation whose private networks become a VRF."""

    code: str
    zone: str
    networks: tuple[str, ...]
    sites: tuple[Access, ...]
    firewall: Leg | None = None
    handover: Leg | None = None

    @property
    def vrf(self) -> str:
        """The VRF's name: the organisation's short code."""
        return self.code


def departments(estate: Estate, policy: Policy) -> tuple[Department, ...]:
    """Every organisation with a private network that folds into the extranet, by code."""
    networks: dict[str, list[str]] = {}
    for network in estate.private_networks.values():
        if network.target == "extranet" and network.classified is False:
            networks.setdefault(network.organisation, []).append(network.key)
    return tuple(_department(estate, policy, code, tuple(sorted(networks[code]))) for code in sorted(networks))


def vpn_zone(policy: Policy, code: str) -> str:
    """The zone of an organisation's VPN: as the policy names it, else vpn-CODE."""
    names = [zone.name for zone in policy.zones if zone.kind == "vpn" and zone.organisation == code]
    return names[0] if names else f"vpn-{code}"


def provider_edges(estate: Estate) -> tuple[str, ...]:
    """Names of the PEs, sorted."""
    return tuple(sorted(device.name for device in estate.devices.values() if device.role == "provider_edge"))


def _department(estate: Estate, policy: Policy, code: str, networks: tuple[str, ...]) -> Department:
    ours = (link for link in reserved(estate, code) if not foreign_port(estate, code, link))
    legs = [leg for link in ours if (leg := _leg(estate, link))]
    kinds = {leg.link: _joins(estate, leg.device) for leg in legs}
    by_device = {leg.device: leg for leg in legs if kinds[leg.link] == "customer_edge"}
    sites = tuple(
        Access(network=site.network, site=site.site, key=site.key, device=site.device, leg=by_device[site.device])
        for _, site in sorted(estate.private_sites.items())
        if site.network in networks and site.device in by_device and treatable(estate, site)
    )
    firewall = next((leg for leg in legs if kinds[leg.link] == "boundary"), None)
    handover = next((leg for leg in legs if kinds[leg.link] == "cloud_node"), None)
    zone = vpn_zone(policy, code)
    return Department(code=code, zone=zone, networks=networks, sites=sites, firewall=firewall, handover=handover)


def treatable(estate: Estate, site: PrivateSite) -> bool:
    """Whether the site can be connected as it is: fixed equipment that needs the common zone needs a translator."""
    translates = site.treatment == "translate" or (site.needs_common_zone and site.fixed_addresses)
    return not translates or "nftables" in estate.devices[site.device].platforms


def reserved(estate: Estate, code: str) -> list[Link]:
    """The cables delivered for an organisation, by name."""
    return [link for _, link in sorted(estate.links.items()) if link.reserved_for == code and link.state != "released"]


def foreign_port(estate: Estate, code: str, link: Link) -> Interface | None:
    """The PE's port of a reserved cable where it stands in the VRF of somebody else."""
    leg = _leg(estate, link)
    found = interface_at(estate, leg.pe, leg.pe_port) if leg else None
    return found if found and found.vrf not in (GLOBAL, code) else None


def _joins(estate: Estate, device: str) -> str:
    found = estate.devices[device]
    return found.kind if found.kind == "cloud_node" else found.role


def _leg(estate: Estate, link: Link) -> Leg | None:
    edges = provider_edges(estate)
    if link.a_node in edges and link.b_node in estate.devices:
        return Leg(
            link=link.name, pe=link.a_node, pe_port=link.a_port, device=link.b_node, port=link.b_port, vlan=link.vlan
        )
    if link.b_node in edges and link.a_node in estate.devices:
        return Leg(
            link=link.name, pe=link.b_node, pe_port=link.b_port, device=link.a_node, port=link.a_port, vlan=link.vlan
        )
    return None


def interface_at(estate: Estate, device: str, port: str) -> Interface | None:
    """The interface of a port, or None when the port has no address (the lowest address when it has two)."""
    found = [each for each in estate.interfaces.values() if (each.device, each.name) == (device, port)]
    return min(found, key=lambda each: each.address, default=None)


def address_at(estate: Estate, device: str, port: str) -> IPv4Address | None:
    """The address of a port, or None."""
    found = interface_at(estate, device, port)
    return found.address.ip if found else None


def site_interface(estate: Estate, device: str, prefix: IPv4Network) -> Interface | None:
    """The interface through which a device serves a prefix directly."""
    found = (each for each in estate.interfaces.values() if each.device == device and each.address.network == prefix)
    return next(found, None)


def moved(address: IPv4Address, old: IPv4Network, new: IPv4Network) -> IPv4Address:
    """The address with the same place in `new` as it has in `old` (prefixes of one length)."""
    return new.network_address + (int(address) - int(old.network_address))


def moved_interface(address: IPv4Interface, old: IPv4Network, new: IPv4Network) -> IPv4Interface:
    """`moved` for an address with its prefix length."""
    return IPv4Interface((moved(address.ip, old, new), new.prefixlen))
