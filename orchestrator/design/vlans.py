"""The VLAN database of managed switches knows every handover into a cloud."""

from orchestrator.design.departments import Department
from orchestrator.design.draft import Draft
from orchestrator.model.network import Vlan


def build_vlans(draft: Draft, departments: tuple[Department, ...]) -> None:
    """Write the handover VLANs of the departments into every managed switch."""
    switches = [name for name, device in sorted(draft.now.devices.items()) if "huawei_vrp" in device.platforms]
    for department in departments:
        network = draft.estate.provider_networks.get(f"prov-{department.code}")
        if network is None:
            continue
        description = f"{department.code.upper()}-CLOUD-HANDOVER"
        rows = draft.put(*(Vlan(device=switch, vlan=network.vlan, description=description) for switch in switches))
        reason = "上云交接VLAN须在网管交换机登记 / the handover VLAN is registered where switches are managed"
        draft.decide(
            f"vlan {network.vlan}", f"{description} on {', '.join(switches) or 'no managed switch'}", reason, rows
        )
