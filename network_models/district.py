"""望潮区 of 澜海市, fictional: the district as a value. Its project folder is `network_models/wangchao/`.

Two PEs, the district's CE, the boundary firewall, two departments on private networks of their own, two clouds.
Every address is from 198.18.0.0/15 (extranet pool), RFC 1918 (private networks) or RFC 5737 (the Internet).
"""

from network_models.district_boundary import boundary
from network_models.district_network import devices, interfaces, links, routes, vrfs
from network_models.district_registers import registers
from network_models.district_systems import hosts, systems
from orchestrator.model.estate import Estate


def now() -> Estate:
    """The district before anything is changed."""
    parts = (registers(), devices(), links(), vrfs(), interfaces(), routes(), boundary(), hosts(), systems())
    return Estate.of(*[noun for part in parts for noun in part])
