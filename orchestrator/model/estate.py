"""The Estate: everything at one moment, as flat tables keyed by name; and edits, the only way from one to another."""

from functools import cached_property
from typing import Any

from pydantic import Field

from orchestrator.errors import EditError
from orchestrator.model import census, cloud, network
from orchestrator.model.base import Noun, Row, digest


class Edit(Noun):
    """One row of one table: `before` must be there (None: absent), `after` takes its place (None: removed)."""

    table: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    def undo(self) -> "Edit":
        """The edit that takes this one back."""
        return Edit(table=self.table, key=self.key, before=self.after, after=self.before)


class Estate(Noun):
    """Everything at one moment. A table maps a noun's key to the noun; order carries no meaning."""

    organisations: dict[str, census.Organisation] = Field(default_factory=dict)
    systems: dict[str, census.InformationSystem] = Field(default_factory=dict)
    workloads: dict[str, census.Workload] = Field(default_factory=dict)
    service_names: dict[str, census.ServiceName] = Field(default_factory=dict)
    private_networks: dict[str, census.PrivateNetwork] = Field(default_factory=dict)
    private_sites: dict[str, census.PrivateSite] = Field(default_factory=dict)
    egresses: dict[str, census.InternetEgress] = Field(default_factory=dict)
    devices: dict[str, network.Device] = Field(default_factory=dict)
    links: dict[str, network.Link] = Field(default_factory=dict)
    vrfs: dict[str, network.Vrf] = Field(default_factory=dict)
    interfaces: dict[str, network.Interface] = Field(default_factory=dict)
    routes: dict[str, network.Route] = Field(default_factory=dict)
    filters: dict[str, network.Filter] = Field(default_factory=dict)
    filter_rules: dict[str, network.FilterRule] = Field(default_factory=dict)
    nats: dict[str, network.Nat] = Field(default_factory=dict)
    vlans: dict[str, network.Vlan] = Field(default_factory=dict)
    hosts: dict[str, network.Host] = Field(default_factory=dict)
    clouds: dict[str, cloud.Cloud] = Field(default_factory=dict)
    provider_networks: dict[str, cloud.ProviderNetwork] = Field(default_factory=dict)
    tenants: dict[str, cloud.Tenant] = Field(default_factory=dict)
    cloud_networks: dict[str, cloud.CloudNetwork] = Field(default_factory=dict)
    cloud_routers: dict[str, cloud.CloudRouter] = Field(default_factory=dict)
    security_groups: dict[str, cloud.SecurityGroup] = Field(default_factory=dict)
    security_rules: dict[str, cloud.SecurityRule] = Field(default_factory=dict)
    servers: dict[str, cloud.Server] = Field(default_factory=dict)

    @classmethod
    def of(cls, *nouns: Row) -> "Estate":
        """An estate holding these nouns. Raises EditError when two share a key."""
        return cls().with_nouns(*nouns)

    def with_nouns(self, *nouns: Row) -> "Estate":
        """A copy with these nouns added. Raises EditError when a key is taken."""
        tables: dict[str, dict[str, Row]] = {}
        for noun in nouns:
            table = TABLE_OF[type(noun)]
            rows = tables.setdefault(table, dict(getattr(self, table)))
            key = noun.key
            if key in rows:
                raise EditError(f"two rows with the key {key!r} in {table}: give one of them another name")
            rows[key] = noun
        return self._with_tables(tables)

    def apply(self, edits: tuple[Edit, ...]) -> "Estate":
        """The estate after these edits, in order.

        Raises EditError when a row is not what an edit expects to find; then nothing is applied.
        """
        tables: dict[str, dict[str, Row]] = {}
        for edit in edits:
            rows = tables.setdefault(edit.table, dict(getattr(self, edit.table)))
            found = rows.pop(edit.key, None)
            if (found.plain() if found else None) != edit.before:
                raise EditError(
                    f"{edit.table}[{edit.key}] is not what the edit expects: "
                    "run 'onefold plan' again on the estate as it is"
                )
            if edit.after is not None:
                rows[edit.key] = NOUN_OF[edit.table].model_validate(edit.after)
        return self._with_tables(tables)

    def _with_tables(self, changed: dict[str, dict[str, Row]]) -> "Estate":
        # model_construct, not model_copy: a copy would carry the cached digest along
        tables: dict[str, Any] = {**self.tables(), **changed}
        return Estate.model_construct(**tables)

    def plain(self) -> dict[str, Any]:
        """Tables with rows only, as JSON data."""
        return {name: {k: v.plain() for k, v in rows.items()} for name, rows in self.tables().items() if rows}

    def tables(self) -> dict[str, dict[str, Row]]:
        """Table name -> rows."""
        return {name: getattr(self, name) for name in NOUN_OF}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all tables."""
        return digest(self.plain())


NOUN_OF: dict[str, type[Row]] = {
    name: field.annotation.__args__[1]  # type: ignore[union-attr]  # every field is dict[str, Row]
    for name, field in Estate.model_fields.items()
}
TABLE_OF: dict[type[Row], str] = {noun: table for table, noun in NOUN_OF.items()}


def difference(before: Estate, after: Estate) -> tuple[Edit, ...]:
    """The edits that turn `before` into `after`, by table and key.

    `before.apply(difference(before, after))` equals `after`.
    """
    edits = []
    for table in NOUN_OF:
        old, new = getattr(before, table), getattr(after, table)
        for key in sorted(old.keys() | new.keys()):
            was, becomes = old.get(key), new.get(key)
            if was != becomes:
                edits.append(
                    Edit(
                        table=table,
                        key=key,
                        before=was.plain() if was else None,
                        after=becomes.plain() if becomes else None,
                    )
                )
    return tuple(edits)
