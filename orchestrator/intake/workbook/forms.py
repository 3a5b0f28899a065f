"""The forms of the census as data: which sheet, which columns under which titles, read how (DOMAIN forms F1, F3, F4).

Only what identifies a row is required. Everything else may be blank: it is then unknown and counted as such.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from orchestrator.intake.workbook import cells
from orchestrator.intake.workbook.cells import Reader

ZOMBIE_MARKS = ("脱离业务流程", "功能可替代", "资源空闲", "停止更新运维", "范围小频度低")

_DOMAINS = {"公共服务域": "public_service_domain", "行政服务域": "administrative_service_domain"}
_DISPOSITIONS = {
    "上云": "migrate",
    "替换": "replace",
    "关停": "retire",
    "合并": "merge",
    "保留": "keep",
    "保留在云": "keep",
    "例外": "keep",
    "迁内网": "untouchable",
    "不动": "untouchable",
}
_MLPS = {"未定级": None, **{f"{number}{end}": number for number in range(1, 6) for end in ("", "级")}}
_MLPS |= {f"{word}{end}": number for number, word in enumerate("一二三四五", 1) for end in ("级", "")}
_CATEGORIES = ("业务", "公共服务", "内部办公", "邮件", "即时通讯", "网络会议", "视频监控", "前置", "垂直前置")
_SCOPES = ("全国", "全省", "全市", "县", "部门", "处室")
_FREQUENCIES = ("每日", "每周", "每月", "每季", "偶用", "停用")
_ROUTING = {"静态": "static", "static": "static", "OSPF": "OSPF", "IS-IS": "IS-IS", "BGP": "BGP", "RIP": "RIP"}
_TARGETS = {"行政服务域": "extranet", "公共服务域": "extranet", "网络对接": "interconnect", "内网": "internal_stub"}
_LEVELS = {"市": "city", "县": "county", "区县": "county", "县区": "county", "镇街": "town", "乡镇": "town"}

_count = cells.quantity({"": 1, "个": 1, "台": 1, "核": 1, "次": 1, "万": 10_000, "万次": 10_000})
_gigabytes = cells.quantity({"": 1, "G": 1, "GB": 1, "T": 1024, "TB": 1024})
_megabits = cells.quantity(
    {"": 1, "M": 1, "Mbps": 1, "Mb/s": 1, "兆": 1, "G": 1000, "Gbps": 1000, "K": Decimal("0.001")}
)
_months = cells.quantity({"": 1, "月": 1, "个月": 1, "年": 12})


def _same(*words: str) -> Mapping[str, Any]:
    return {word: word for word in words}


@dataclass(frozen=True)
class Column:
    """One column: the row's field, the titles it is found under, and its reader. `kept` for classified rows too."""

    field: str
    titles: tuple[str, ...]
    read: Reader
    required: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Form:
    """One form: its short name, how its sheet is called, its columns. `optional`: the workbook may lack it."""

    name: str
    sheet: re.Pattern[str]
    columns: tuple[Column, ...]
    optional: bool = False

    def column(self, title: str) -> Column | None:
        """The column known under this title, brackets and units aside."""
        return self._by_heading.get(heading(title))

    @cached_property
    def _by_heading(self) -> Mapping[str, Column]:
        return {heading(title): column for column in reversed(self.columns) for title in column.titles}


def heading(title: str) -> str:
    """A column title for comparison: half-width, without spaces, stars, brackets and what is in them."""
    return re.sub(r"\(.*?\)|\[.*?\]|[\s*·:]", "", cells.folded(title)).lower()


SYSTEMS = Form(
    "F1",
    re.compile(r"F1(?!\d)|信息系统普查"),
    (
        Column("code", ("系统编码", "编码"), cells.code, required=True, kept=True),
        Column("name", ("系统名称", "名称"), cells.text, kept=True),
        Column("organisation", ("主管部门", "主管单位", "责任单位"), cells.text, required=True, kept=True),
        Column("classified", ("是否涉密", "涉密"), cells.boolean, required=True, kept=True),
        Column("category", ("系统类别", "类别"), cells.choice(_same(*_CATEGORIES))),
        Column("use_scope", ("使用范围",), cells.choice(_same(*_SCOPES))),
        Column("use_frequency", ("使用频度", "使用频率"), cells.choice(_same(*_FREQUENCIES))),
        Column("logins_12m", ("近12月登录数", "近12个月登录数", "登录数"), _count),
        Column("approved_on", ("审批时间", "批准时间"), cells.day),
        Column("bearer", ("承载网络",), cells.listing),
        Column("private_networks", ("专网编码", "所在专网"), cells.listing),
        Column("mlps_level", ("等保级别", "等级保护", "等保"), cells.choice(_MLPS)),
        Column("cores", ("vCPU", "CPU", "处理器"), _count),
        Column("memory_gigabytes", ("内存GB", "内存"), _gigabytes),
        Column("disk_gigabytes", ("存储GB", "存储", "磁盘"), _gigabytes),
        Column("addresses", ("IP网段", "IP地址", "网段"), cells.prefixes),
        Column("fqdn", ("域名",), cells.or_none(cells.code)),
        Column("dependencies", ("依赖系统", "依赖"), cells.listing),
        *(Column(mark, (mark,), cells.boolean) for mark in ZOMBIE_MARKS),
        Column("shadow_group", ("影子组",), cells.or_none(cells.code)),
        Column("disposition", ("处置意见", "处置"), cells.choice(_DISPOSITIONS), kept=True),
        Column("service_domain", ("目标域", "服务域"), cells.choice(_DOMAINS)),
        Column("successor", ("承接系统", "替代系统"), cells.or_none(cells.text)),
    ),
)

NETWORKS = Form(
    "F3",
    re.compile(r"F3(?!\d|.*节点)|专网(?!.*节点)"),
    (
        Column("code", ("专网编码", "编码"), cells.code, required=True, kept=True),
        Column("name", ("专网名称", "名称"), cells.text, required=True, kept=True),
        Column("organisation", ("主管部门", "主管单位"), cells.text, required=True, kept=True),
        Column("classified", ("是否涉密", "涉密"), cells.boolean, kept=True),
        Column("sensitivity", ("敏感类别",), cells.choice({"敏感": "sensitive", "普通": "ordinary"})),
        Column("sites", ("节点数",), _count),
        Column("carrier", ("运营商",), cells.text),
        Column("megabits", ("带宽Mbps", "带宽"), _megabits),
        Column("yearly_rent", ("年租费", "年租金"), cells.yuan),
        Column("prefixes", ("网段", "IP网段"), cells.prefixes),
        Column("routing", ("路由协议", "路由"), cells.choice(_ROUTING)),
        Column("target", ("整合去向", "去向"), cells.choice(_TARGETS)),
    ),
    optional=True,
)

SITES = Form(
    "F3 节点",
    re.compile(r"(F3(?!\d)|专网).*节点"),
    (
        Column("network", ("专网编码",), cells.code, required=True),
        Column("site", ("节点", "节点编码"), cells.code, required=True),
        Column("device", ("接入设备", "设备"), cells.code, required=True),
        Column("prefix", ("网段", "IP网段"), cells.prefix, required=True),
        Column("used", ("已用地址",), cells.prefixes),
        Column("needs_common_zone", ("需访问公用网络区",), cells.boolean),
        Column("fixed_addresses", ("地址不可变更", "地址固定"), cells.boolean),
    ),
    optional=True,
)

EGRESSES = Form(
    "F4",
    re.compile(r"F4(?!\d)|互联网出口"),
    (
        Column("code", ("出口编码", "编码"), cells.code, required=True),
        Column("organisation", ("单位", "主管部门"), cells.text, required=True),
        Column("level", ("层级",), cells.choice(_LEVELS), required=True),
        Column("carrier", ("运营商",), cells.text),
        Column("megabits", ("带宽Mbps", "带宽"), _megabits),
        Column("public_prefixes", ("公网地址",), cells.prefixes, required=True),
        Column("device", ("出口设备",), cells.code, required=True),
        Column("interface", ("出口接口",), cells.code, required=True),
        Column("link", ("线路编码", "线路"), cells.code, required=True),
        Column("shared_platform", ("市县一体化接入平台", "是否共享平台"), cells.boolean),
        Column("log_months", ("日志留存月", "日志留存"), _months),
    ),
    optional=True,
)

FORMS = (SYSTEMS, NETWORKS, SITES, EGRESSES)
