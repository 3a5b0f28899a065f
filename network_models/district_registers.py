"""The district's registers: who is there, and what they own."""

from ipaddress import IPv4Network

from orchestrator.model.base import Row
from orchestrator.model.census import InternetEgress, Organisation, PrivateNetwork, PrivateSite
from orchestrator.model.cloud import Cloud


def registers() -> list[Row]:
    """Organisations, private networks with their sites, egresses, clouds."""
    return [
        Organisation(code="city", name="澜海市大数据局", short_name="大数据局", level="city"),
        Organisation(
            code="district",
            name="望潮区人民政府办公室",
            short_name="区政府办",
            service_domain="administrative_service_domain",
        ),
        Organisation(code="cz", name="望潮区财政局", short_name="财政", service_domain="administrative_service_domain"),
        Organisation(code="mz", name="望潮区民政局", short_name="民政", service_domain="public_service_domain"),
        Organisation(code="bm", name="望潮区国家保密局", short_name="保密"),
        Organisation(code="carrier", name="澜海电信运营商", short_name="运营商", level="city"),
        PrivateNetwork(
            code="CZ-NET",
            name="财政业务专网",
            organisation="cz",
            classified=False,
            sensitivity="ordinary",
            sites=3,
            prefixes=tuple(map(IPv4Network, ("10.8.1.0/24", "10.8.2.0/24", "192.168.10.0/24"))),
            routing="static",
            target="extranet",
        ),
        PrivateNetwork(
            code="MZ-NET",
            name="民政业务专网",
            organisation="mz",
            classified=False,
            sensitivity="ordinary",
            sites=2,
            prefixes=tuple(map(IPv4Network, ("192.168.10.0/24", "172.16.5.0/24"))),
            routing="static",
            target="extranet",
        ),
        PrivateSite(network="CZ-NET", site="cz-1", device="cz1", prefix=IPv4Network("10.8.1.0/24")),
        PrivateSite(
            network="CZ-NET", site="cz-2", device="cz2", prefix=IPv4Network("10.8.2.0/24"), needs_common_zone=True
        ),
        PrivateSite(network="CZ-NET", site="cz-3", device="cz3", prefix=IPv4Network("192.168.10.0/24")),
        PrivateSite(
            network="MZ-NET",
            site="mz-1",
            device="mz1",
            prefix=IPv4Network("192.168.10.0/24"),
            needs_common_zone=True,
            fixed_addresses=True,
        ),
        PrivateSite(
            network="MZ-NET", site="mz-2", device="mz2", prefix=IPv4Network("172.16.5.0/24"), needs_common_zone=True
        ),
        InternetEgress(
            code="E-PLATFORM",
            organisation="city",
            level="city",
            device="fw1",
            interface="inet0",
            link="fw-inet",
            public_prefixes=(IPv4Network("203.0.113.0/26"),),
            shared_platform=True,
            log_months=6,
        ),
        InternetEgress(
            code="E-MZ-01",
            organisation="mz",
            level="county",
            device="mz1",
            interface="inet0",
            link="mz-inet",
            public_prefixes=(IPv4Network("203.0.113.64/28"),),
            log_months=6,
        ),
        Cloud(
            name="public-service-cloud",
            service_domain="public_service_domain",
            keystone_domain="public-service-cloud",
            mlps_level=3,
        ),
        Cloud(
            name="administrative-service-cloud",
            service_domain="administrative_service_domain",
            keystone_domain="administrative-service-cloud",
            mlps_level=3,
        ),
    ]
