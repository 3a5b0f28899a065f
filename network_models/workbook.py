"""The district's census workbook, as an office would hand it in: the facts of `district.now()` and the usual mess.

The mess must be tolerated; four slips in it must be found (see SLIPS): nothing of either changes what is read.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet

from network_models import district
from orchestrator.intake.workbook.cells import neutralise
from orchestrator.model.census import InformationSystem, InternetEgress, PrivateNetwork, PrivateSite
from orchestrator.model.estate import Estate

SLIPS = {
    "twice": "救灾物资旧台账 is entered twice",
    "dependency": "预算执行管理系统 depends on 国库集中支付系统, which is not in the census",
    "prefix": "site cz-3 claims 192.168.100.0/24, its router is configured with 192.168.10.0/24",
    "bandwidth": "财政业务专网 claims 50 Mbit/s, the circuit has 20",
}

_MARKS = ("脱离业务流程", "停止更新运维", "资源空闲", "功能可替代", "范围小频度低")
_DISPOSITIONS = {"migrate": "上云", "replace": "替换", "retire": "关停", "merge": "合并", "keep": "保留"}
_DOMAINS = {"administrative_service_domain": "行政服务域", "public_service_domain": "公共服务域"}
_FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")

_F1 = (
    ("序号", ""), ("系统编码*", ""), ("系统名称*", ""), ("主管部门*", ""), ("是否涉密*", ""), ("系统类别", ""),
    ("使用情况", "使用范围"), ("使用情况", "使用频度"), ("使用情况", "近12月登录数"), ("审批时间", ""),
    ("承载网络", ""), ("专网编码", ""), ("等保级别", ""),
    ("资源配置", "vCPU"), ("资源配置", "内存(GB)"), ("资源配置", "存储(GB)"),
    ("IP网段", ""), ("域名", ""), ("依赖系统", ""), *(("僵尸五项", mark) for mark in _MARKS), ("影子组", ""),
    ("处置意见", ""), ("目标域", ""), ("承接系统", ""), ("备注", ""),
)  # fmt: skip
_F3 = (
    ("专网编码", ""), ("专网名称", ""), ("主管部门", ""), ("是否涉密", ""), ("敏感类别", ""), ("节点数", ""),
    ("线路", "运营商"), ("线路", "带宽(Mbps)"), ("线路", "年租费"), ("网段", ""), ("路由协议", ""), ("整合去向", ""),
)  # fmt: skip
_SITES = (
    ("专网编码", ""), ("节点", ""), ("接入设备", ""), ("网段", ""), ("已用地址", ""), ("需访问公用网络区", ""),
    ("地址不可变更", ""),
)  # fmt: skip
_F4 = (
    ("出口编码", ""), ("单位", ""), ("层级", ""), ("线路", "运营商"), ("线路", "带宽(Mbps)"), ("公网地址", ""),
    ("出口设备", ""), ("出口接口", ""), ("线路编码", ""), ("市县一体化接入平台", ""), ("日志留存(月)", ""),
)  # fmt: skip


def write_workbook(path: Path) -> None:
    """Write census.xlsx of the district; the same cells every time."""
    now = district.now()
    book = Workbook()
    first = book.active
    if first is not None:
        book.remove(first)
    _sheet(book, "F1 系统普查表", "望潮区政务信息系统普查表(2017年12月)", _F1, _system_rows(now))
    _sheet(book, "F3 专网清单", "望潮区业务专网整合清单", _F3, _network_rows(now))
    _sheet(book, "F3 专网节点", "望潮区业务专网节点明细", _SITES, _site_rows(now))
    _sheet(book, "F4 互联网出口", "望潮区互联网出口清单", _F4, _egress_rows(now))
    book.properties.creator = "望潮区政务网络管理办公室"
    book.save(path)


def _sheet(
    book: Workbook, title: str, heading: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]
) -> None:
    sheet = book.create_sheet(title)
    sheet.append([heading])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(columns))
    sheet["A1"].font = Font(bold=True, size=14)
    _header(sheet, columns)
    for row in rows:
        sheet.append([neutralise(value) for value in row])
    sheet.append([])
    sheet.append(["注:本表由各部门填报,区政务网络管理办公室汇总。"])
    sheet.freeze_panes = "A4"


def _header(sheet: Worksheet, columns: Sequence[tuple[str, str]]) -> None:
    """Two rows where there are groups: these are merged across, single titles down."""
    start = 0
    grouped = any(title for _, title in columns)
    for index, (group, title) in enumerate(columns, start=1):
        sheet.cell(2, index, group).alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
        if title:
            sheet.cell(3, index, title)
            start = start or index
        elif grouped:
            sheet.merge_cells(start_row=2, end_row=3, start_column=index, end_column=index)
        last_of_group = index == len(columns) or columns[index][0] != group
        if title and last_of_group:
            sheet.merge_cells(start_row=2, end_row=2, start_column=start, end_column=index)
            start = 0


def _system_rows(now: Estate) -> Iterable[list[Any]]:
    number = 0
    for system in now.systems.values():
        number += 1
        yield _stub_row(number, system, now) if system.classified else _system_row(number, system, now)
        if system.code == "990102-MZ-0001":
            yield []  # an empty row in the middle
    again = _system_row(number + 1, now.systems["990102-MZ-0003"], now)  # the first slip
    again[1] = str(again[1]).translate(_FULL_WIDTH)
    again[2] = f"{again[2]}  "
    yield again


def _stub_row(number: int, system: InformationSystem, now: Estate) -> list[Any]:
    return [number, system.code, system.name, now.organisations[system.organisation].name, "是"]


def _system_row(number: int, system: InformationSystem, now: Estate) -> list[Any]:
    names = [now.systems[code].name for code in system.dependencies]
    if system.code == "990102-CZ-0001":
        names.append("国库集中支付系统")  # the second slip
    return [
        number,
        system.code,
        f"{system.name} " if number % 2 else system.name,
        now.organisations[system.organisation].name,
        "否",
        system.category,
        system.use_scope,
        system.use_frequency,
        _messy_count(number, system.logins_12m),
        _messy_date(number, system.approved_on),
        "业务专网" if system.bearer_networks else "",
        "、".join(system.bearer_networks),
        "未定级" if system.mlps_level is None else f"{'一二三四五'[system.mlps_level - 1]}级",
        f"{system.cores}核" if system.cores else "—",
        f"{system.memory_gigabytes}G".translate(_FULL_WIDTH) if system.memory_gigabytes else "—",
        system.disk_gigabytes or "不详",
        ",".join(str(prefix.network_address) for prefix in system.addresses),
        system.fqdn,
        "、".join(names),
        *("√" if mark in system.zombie_marks else "" for mark in _MARKS),
        system.shadow_group,
        _DISPOSITIONS[system.disposition],
        _DOMAINS.get(system.service_domain or "", ""),
        now.systems[system.successor].name if system.successor in now.systems else "",
        "-详见附件" if number == 1 else "",  # begins with a sign that a spreadsheet would run
    ]


def _messy_count(number: int, value: int | None) -> Any:
    if value is None:
        return None
    return (value, f"{value:,}", str(value).translate(_FULL_WIDTH))[number % 3]


def _messy_date(number: int, value: date | None) -> Any:
    if value is None:
        return None
    return (f"{value.year}年{value.month}月", value, f"{value.year}.{value.month:02d}", f"{value:%Y%m}")[number % 4]


def _network_rows(now: Estate) -> Iterable[list[Any]]:
    for network in now.private_networks.values():
        line = next(
            link
            for link in now.links.values()
            if link.kind == "leased_line" and now.devices[link.a_node].organisation == network.organisation
        )
        ours = network.code == "CZ-NET"
        yield [
            network.code,
            network.name,
            now.organisations[network.organisation].name,
            "否",
            "普通",
            f"{network.sites}个",
            line.carrier,
            "５０M" if ours else line.megabits,  # the third slip: the circuit has 20
            f"{(line.yearly_rent or 0) / 10_000:g}万元" if ours else f"{line.yearly_rent:,}元",
            _messy_prefixes(network),
            "静态",
            "行政服务域" if ours else "公共服务域",
        ]


def _messy_prefixes(network: PrivateNetwork) -> str:
    first, *others = network.prefixes
    ranged = f"{first.network_address}-{first.broadcast_address}" if network.code == "CZ-NET" else str(first)
    return "、".join([ranged, *(f"{prefix.network_address} - 255" for prefix in others)])


def _site_rows(now: Estate) -> Iterable[list[Any]]:
    for site in now.private_sites.values():
        claimed = "192.168.100.0/24" if site.site == "cz-3" else str(site.prefix)  # the fourth slip
        used = "10.8.1.1-20" if site.site == "cz-1" else ""
        yield [site.network, site.site, site.device, claimed, used, _mark(site, "needs_common_zone"),
               _mark(site, "fixed_addresses")]  # fmt: skip


def _mark(site: PrivateSite, field: str) -> str:
    return "是" if getattr(site, field) else "否"


def _egress_rows(now: Estate) -> Iterable[list[Any]]:
    for egress in now.egresses.values():
        link = now.links[egress.link]
        yield [
            egress.code,
            now.organisations[egress.organisation].name,
            {"city": "市", "county": "县", "town": "镇街"}[egress.level],
            link.carrier,
            link.megabits,
            _messy_public(egress),
            egress.device,
            egress.interface,
            egress.link,
            "是" if egress.shared_platform else "否",
            f"{egress.log_months}个月",
        ]


def _messy_public(egress: InternetEgress) -> str:
    prefix = egress.public_prefixes[0]
    last = str(prefix.broadcast_address).rsplit(".", 1)[1]
    return str(prefix) if egress.shared_platform else f"{prefix.network_address}-{last}"
