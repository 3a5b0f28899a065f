"""Laws of the VRP difference: the lines lead from one configuration to the other; nothing is written for nothing."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.vendors.huawei_vrp.diff import DifferenceError, difference
from orchestrator.vendors.huawei_vrp.display import show
from orchestrator.vendors.huawei_vrp.settings import LineRefusedError, apply_lines, load, same
from orchestrator.vendors.huawei_vrp.tree import ConfigurationTextError, parse, redact
from tests.laws import examples

VLANS = (10, 11, 12, 20, 30)
INSTANCES = ("finance", "civil", "mail")
PREFIXES = ("198.18.1", "198.18.2", "198.18.3", "198.18.4")

RULES = ("permit ip source 198.18.1.0 0.0.0.255", "deny ip", "permit tcp destination-port eq 443")
PORTS = ("GigabitEthernet0/0/1", "GigabitEthernet0/0/2.100", "LoopBack0")


def block(opener: str, lines: Sequence[str]) -> list[str]:
    return [opener, *(f" {line}" for line in lines), "#"]


@st.composite
def interface_lines(draw: st.DrawFn, name: str, prefixes: list[str], instances: Sequence[str]) -> list[str]:
    lines = []
    if draw(st.booleans()):
        lines.append(f"description {draw(st.sampled_from(('to finance', 'to civil')))}")
    if instances and draw(st.booleans()):
        lines.append(f"ip binding vpn-instance {draw(st.sampled_from(list(instances)))}")
    if prefixes and draw(st.booleans()):
        lines.append(f"ip address {prefixes.pop()}.1 255.255.255.0")
        if prefixes and draw(st.booleans()):
            lines.append(f"ip address {prefixes.pop()}.1 255.255.255.0 sub")
    if draw(st.booleans()):
        lines.append(f"traffic-filter inbound acl {draw(st.sampled_from((3001, 3002)))}")
    if draw(st.booleans()):
        lines.append("shutdown")
    if "." in name:
        lines.append(f"dot1q termination vid {draw(st.sampled_from((100, 200)))}")
    return draw(st.permutations(lines)) if "sub" not in " ".join(lines) else lines


@st.composite
def bgp_lines(draw: st.DrawFn, instances: Sequence[str]) -> list[str]:
    peers = draw(st.lists(st.sampled_from(("198.18.9.1", "198.18.9.2")), unique=True))
    lines = [f"peer {peer} as-number {draw(st.sampled_from((65010, 65011)))}" for peer in peers]
    lines += [f"peer {peer} description core" for peer in peers if draw(st.booleans())]
    lines += ["ipv4-family unicast", *(f" peer {peer} enable" for peer in peers), " undo synchronization"]
    for instance in instances:
        if draw(st.booleans()):
            lines += [f"ipv4-family vpn-instance {instance}", *draw(st.sampled_from(([" import-route direct"], [])))]
            if draw(st.booleans()):
                lines += [" peer 198.18.10.2 as-number 65020", " peer 198.18.10.2 route-limit 100"]
    return lines


@st.composite
def rows(draw: st.DrawFn) -> list[str]:
    text = ["#", f"sysname {draw(st.sampled_from(('WC-SW-1', 'WC-SW-2')))}", "#"]
    vlans = draw(st.lists(st.sampled_from(VLANS), unique=True))
    text += [f"vlan batch {' '.join(map(str, sorted(vlans)))}", "#"] if vlans else []
    text += [row for vlan in vlans if draw(st.booleans()) for row in block(f"vlan {vlan}", ["description office"])]
    instances = draw(st.lists(st.sampled_from(INSTANCES), unique=True))
    for instance in instances:
        number = draw(st.integers(1, 3))
        targets = draw(st.lists(st.sampled_from(("65001:1", "65001:2", "65001:3")), unique=True, min_size=1))
        family = [f" route-distinguisher 65001:{number}", f" vpn-target {' '.join(targets)} export-extcommunity",
                  f" vpn-target {targets[0]} import-extcommunity"]  # fmt: skip
        text += block(f"ip vpn-instance {instance}", ["ipv4-family", *family])
    for number in (3001, 3002):
        rules = draw(st.lists(st.sampled_from(RULES)))
        text += block(f"acl number {number}", [f"rule {5 * n + 5} {rule}" for n, rule in enumerate(rules)])
    return [*text, *draw(users(vlans, instances))]


@st.composite
def users(draw: st.DrawFn, vlans: list[int], instances: list[str]) -> list[str]:
    """Interfaces, protocols, routes and services over the given VLANs and instances."""
    text: list[str] = []
    prefixes = list(draw(st.permutations(PREFIXES)))
    names = [f"Vlanif{vlan}" for vlan in vlans if draw(st.booleans())]
    names += draw(st.lists(st.sampled_from(PORTS), unique=True))
    for name in names:
        text += block(f"interface {name}", draw(interface_lines(name, prefixes, instances)))
    if draw(st.booleans()):
        text += block(f"bgp {draw(st.sampled_from((65001, 65002)))}", draw(bgp_lines(instances)))
    if draw(st.booleans()):
        text += block("ospf 1 router-id 198.18.0.1", ["area 0.0.0.0", " network 198.18.1.0 0.0.0.255"])
    for hop in draw(st.lists(st.sampled_from(("198.18.1.9", "198.18.2.9")), unique=True)):
        text += [f"ip route-static 0.0.0.0 0.0.0.0 {hop} preference {draw(st.sampled_from((60, 80)))}", "#"]
    for instance in instances:
        if draw(st.booleans()):
            text += [f"ip route-static vpn-instance {instance} 0.0.0.0 0.0.0.0 198.18.3.9", "#"]
    if draw(st.booleans()):
        text += ["snmp-agent", "snmp-agent sys-info version v3", "#"]
    return [*text, "return", ""]


def configurations() -> st.SearchStrategy[str]:
    """Configuration texts that hold together: what they refer to, they also define."""
    return rows().map("\n".join)


@settings(max_examples=examples(50))
@given(have=configurations(), want=configurations())
def test_the_difference_leads_from_have_to_want(have: str, want: str) -> None:
    assert same(apply_lines(have, difference(have, want)), want)


@given(text=configurations())
def test_a_configuration_differs_in_nothing_from_itself_and_from_what_the_box_shows_of_it(text: str) -> None:
    assert difference(text, text) == ()
    assert difference(text, show(load(text))) == ()
    assert same(show(load(text)), text)


@given(have=configurations(), want=configurations())
def test_the_way_back_restores_the_first_configuration(have: str, want: str) -> None:
    there = apply_lines(have, difference(have, want))
    assert same(apply_lines(there, difference(there, have)), have)


HAVE = """#
sysname WC-SW-1
#
vlan batch 10 20
#
acl number 3001
 rule 5 permit ip
#
ip vpn-instance civil
 ipv4-family
  route-distinguisher 65001:2
#
interface Vlanif10
 ip binding vpn-instance civil
 ip address 198.18.1.1 255.255.255.0
 traffic-filter inbound acl 3001
#
interface Vlanif20
 ip address 198.18.2.1 255.255.255.0
#
return
"""


def test_users_leave_before_what_they_use_and_come_after_it() -> None:
    want = """#
sysname WC-SW-1
#
vlan batch 10 30
#
acl number 3002
 rule 5 deny ip source 198.18.2.0 0.0.0.255
#
ip vpn-instance finance
 ipv4-family
  route-distinguisher 65001:1
  vpn-target 65001:1 export-extcommunity
#
interface Vlanif10
 ip binding vpn-instance finance
 ip address 198.18.1.1 255.255.255.0
 traffic-filter inbound acl 3002
#
interface Vlanif30
 ip address 198.18.2.1 255.255.255.0
#
return
"""
    assert difference(HAVE, want) == (
        "vlan batch 30",
        "ip vpn-instance finance",
        "ipv4-family",
        "route-distinguisher 65001:1",
        "vpn-target 65001:1 export-extcommunity",
        "quit",
        "quit",
        "acl number 3002",
        "rule 5 deny ip source 198.18.2.0 0.0.0.255",
        "quit",
        "undo interface Vlanif20",
        "interface Vlanif10",
        "ip binding vpn-instance finance",
        "ip address 198.18.1.1 255.255.255.0",
        "traffic-filter inbound acl 3002",
        "quit",
        "interface Vlanif30",
        "ip address 198.18.2.1 255.255.255.0",
        "quit",
        "undo acl number 3001",
        "undo ip vpn-instance civil",
        "undo vlan batch 20",
    )


def test_a_changed_rule_is_deleted_first_because_the_box_merges_rules() -> None:
    want = HAVE.replace("rule 5 permit ip", "rule 5 deny ip")
    assert difference(HAVE, want) == ("acl number 3001", "undo rule 5", "rule 5 deny ip", "quit")


def test_a_line_outside_the_grammar_is_written_and_removed_word_for_word() -> None:
    odd = HAVE.replace("sysname WC-SW-1", "sysname WC-SW-1\n#\nassign forward-layer-3 enable")
    assert difference(HAVE, odd) == ("assign forward-layer-3 enable",)
    assert difference(odd, HAVE) == ("undo assign forward-layer-3 enable",)


def test_two_spellings_of_one_configuration_differ_in_nothing() -> None:
    short = HAVE.replace("198.18.2.1 255.255.255.0", "198.18.2.1 24").replace("vlan batch 10 20", "vlan 10\n#\nvlan 20")
    assert difference(HAVE, short) == ()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("frobnicate",), "'frobnicate': Error: Unrecognized command found at '^' position."),
        (("vlan 5000",), "'vlan 5000': Error: Wrong parameter found at '^' position."),
        (("interface Vlanif10", "ip address 198.18.1.300 24"),
         "'ip address 198.18.1.300 24': Error: Wrong parameter found at '^' position."),
        (("interface Vlanif10", "ip address"), "'ip address': Error:Incomplete command found at '^' position."),
        (("sysname WC SW",), "'sysname WC SW': Error: Too many parameters found at '^' position."),
        (("interface Vlanif99",), "'interface Vlanif99': Error: The VLAN does not exist."),
        (("undo vlan 10",), "'undo vlan 10': Error: The VLAN has a VLANIF interface. Delete it first."),
        (("interface Vlanif20", "ip binding vpn-instance mail"),
         "'ip binding vpn-instance mail': Error: The specified VPN instance does not exist."),
        (("interface LoopBack0", "ip address 198.18.2.9 32"),
         "'ip address 198.18.2.9 32': Error: The specified address conflicts with another address (Vlanif20)."),
    ],
)  # fmt: skip
def test_the_box_refuses_a_line_with_its_own_words(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(LineRefusedError) as refused:
        apply_lines(HAVE, lines)
    assert str(refused.value) == message


def test_binding_an_interface_clears_its_addresses() -> None:
    after = apply_lines(HAVE, ("interface Vlanif20", "ip binding vpn-instance civil"))
    assert same(after, HAVE.replace("ip address 198.18.2.1 255.255.255.0", "ip binding vpn-instance civil"))


def test_a_wanted_text_that_refers_to_nothing_is_an_error_here_and_not_on_the_device() -> None:
    with pytest.raises(LineRefusedError) as refused:
        difference(HAVE, HAVE + "interface Vlanif40\n ip address 198.18.4.1 255.255.255.0\n")
    assert str(refused.value) == "'interface Vlanif40': Error: The VLAN does not exist."


def test_a_wanted_text_that_contradicts_itself_is_named() -> None:
    with pytest.raises(DifferenceError) as unreachable:
        difference(HAVE, HAVE.replace("interface Vlanif20", "interface Vlanif20\n description a\n description b"))
    assert str(unreachable.value) == (
        "interface Vlanif20: no command leads to the wanted configuration: change it by hand"
    )


def test_a_text_that_begins_inside_a_view_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigurationTextError) as refused:
        parse("#\n ip address 198.18.1.1 24\n")
    assert str(refused.value) == (
        "line 2: 'ip address 198.18.1.1 24' is indented but stands in no view: export the whole configuration again"
    )


def test_sections_know_their_lines_and_views() -> None:
    sections = parse(HAVE)
    found = [(path, part.line, part.number) for section in sections for path, part in section.walk()]
    assert (("ip vpn-instance civil", "ipv4-family"), "route-distinguisher 65001:2", 11) in found
    assert (("interface Vlanif20",), "ip address 198.18.2.1 255.255.255.0", 19) in found


def test_secrets_are_not_shown() -> None:
    line = "local-user operator password irreversible-cipher $1a$secret$"
    assert redact(line) == "local-user operator password irreversible-cipher ******"
    assert redact("snmp-agent community read cipher secret") == "snmp-agent community read cipher ******"
    assert redact("rule 5 permit ip") == "rule 5 permit ip"


@pytest.mark.parametrize(
    "line",
    [
        "authentication-mode md5 1 plain HIDDEN",
        "rip authentication-mode md5 nonstandard HIDDEN 1",
        "ntp-service authentication-keyid 42 authentication-mode hmac-sha256 HIDDEN",
        "snmp-agent usm-user v3 u g authentication-mode sha HIDDEN privacy-mode aes128 HIDDEN",
        "pre-shared-key HIDDEN",
        "wpa2 psk pass-phrase HIDDEN aes",
    ],
)
def test_a_secret_is_not_shown_whatever_stands_before_it(line: str) -> None:
    with pytest.raises(ConfigurationTextError) as refused:
        parse(f"#\n {line}\n")
    assert "HIDDEN" not in str(refused.value)
    assert str(refused.value).endswith(" is indented but stands in no view: export the whole configuration again")


@pytest.mark.parametrize("line", ["ssh server key-exchange dh_group16_sha512", "peer 198.18.9.1 keychain", "sha1"])
def test_a_line_that_only_looks_like_a_secret_is_shown_whole(line: str) -> None:
    assert redact(line) == line
