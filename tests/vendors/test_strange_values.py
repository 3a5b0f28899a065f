"""A value that no device takes leaves its line unexplained, and the lines beside it understood; reading never stops."""

import pytest

from orchestrator.vendors.huawei_vrp.diff import difference
from orchestrator.vendors.registry import parse_device

LONG = "9" * 5000

FRR = """vrf cz
 netns /run/netns/cz
exit-vrf
!
router bgp 65000 vrf cz
 no bgp ebgp-requires-policy
 timers bgp 3 9
 !
 address-family ipv4 unicast
  redistribute connected
  redistribute static
  rd vpn export 65000:3
  {line}
 exit-address-family
exit
!
end
"""
NFT = """table inet onefold {{
chain forward {{
type filter hook forward priority filter; policy drop;
{line}
}}
}}
"""
VRP = """#
sysname box1
#
ip vpn-instance cz
 ipv4-family
  route-distinguisher 65000:3
  {line}
#
return
"""


def left_over(platform: str, file: str, text: str) -> list[str]:
    texts = {"frr.conf": "hostname box1\n" + text} if platform == "frr" else {file: text}
    return [one.text for one in parse_device("box1", [platform], texts).unparsed]


@pytest.mark.parametrize(
    "line", ["rt vpn both hub", "rt vpn export 65000:3:4", "rt vpn import *:3", f"rt vpn both 65000:{LONG}"]
)
def test_frr_with_a_target_that_is_none(line: str) -> None:
    assert left_over("frr", "frr.conf", FRR.format(line=line)) == [line]
    assert left_over("frr", "frr.conf", FRR.format(line="rt vpn both 192.0.2.1:4 65000:3")) == []


@pytest.mark.parametrize(
    "line",
    [
        'iifname "lan*" counter accept comment "100 F-001"',
        'iifname "lan0" counter accept comment "100 F\\001"',
        f'iifname "lan0" counter accept comment "{LONG} F-001"',
        f'iifname "lan0" counter accept comment "100 {"F" * 125}"',
    ],
)
def test_nftables_with_a_rule_that_is_not_written_so(line: str) -> None:
    assert left_over("nftables", "nftables.conf", NFT.format(line=line)) == [line]
    rule = 'iifname "lan0" counter accept comment "100 F-001"'
    assert left_over("nftables", "nftables.conf", NFT.format(line=rule)) == []


@pytest.mark.parametrize("line", [f"vpn-target 65000:{LONG} both", "vpn-target 65000:² both", "route-distinguisher cz"])
def test_vrp_with_a_target_that_is_none(line: str) -> None:
    assert left_over("huawei_vrp", "vrp.cfg", VRP.format(line=line)) == [line]
    assert left_over("huawei_vrp", "vrp.cfg", VRP.format(line="vpn-target 65000:3 export-extcommunity")) == []


@pytest.mark.parametrize(
    "line", [f"vlan batch {LONG}", f"interface Vlanif{LONG}", "ip route-static 10.0.0.0 ² 10.1.1.1"]
)
def test_vrp_with_a_number_that_no_box_takes(line: str) -> None:
    text = VRP.format(line="vpn-target 65000:3 both").replace("#\nreturn", f"#\n{line}\n#\nreturn")
    assert left_over("huawei_vrp", "vrp.cfg", text) == [line]
    assert difference(text, text) == ()
