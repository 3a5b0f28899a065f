"""One resource of a stack as data: comparable, printable, and turned into a Pulumi resource by `stacks.program`."""

from typing import Any, Literal

from pydantic import Field

from orchestrator.model.base import Noun

Change = Literal["create", "update", "replace", "delete"]
"""What becomes of a resource; a table says "update" where the engine may have to say "replace"."""


class Resource(Noun):
    """A resource. An argument may be `reference(...)` to another resource or `world(...)`, a fact of the cloud."""

    name: str  # logical name within the stack
    type: str  # "networking.Network": module and class of the package pulumi-openstack
    arguments: dict[str, Any]
    after: tuple[str, ...] = ()  # resources that must be there first, besides those referred to
    row: str = ""  # the estate's row it stands for, "table[key]"
    scope: Literal["cloud", "tenant"] = "cloud"  # whose credentials make it
    unread: tuple[str, ...] = ()  # arguments the API does not give back: no difference when adopting
    find: dict[str, str] = Field(default_factory=dict)  # how to know it in the world, see `apply.cloud_world`


def reference(name: str, attribute: str = "id") -> dict[str, str]:
    """The attribute of another resource of the same stack."""
    return {"reference": name, "attribute": attribute}


def world(fact: str) -> dict[str, str]:
    """A fact only the cloud knows: "domain/NAME", "network/NAME", "subnet/NAME", "public_key", "physical_network"."""
    return {"world": fact}


def worldly(value: Any) -> set[str]:
    """All facts of the cloud that these arguments ask for."""
    if isinstance(value, dict):
        return {value["world"]} if "world" in value else set().union(*(worldly(v) for v in value.values()), set())
    if isinstance(value, list | tuple):
        return set().union(*(worldly(v) for v in value), set())
    return set()


def changes(before: tuple[Resource, ...], after: tuple[Resource, ...]) -> dict[str, Change]:
    """Logical name -> what turning one table into the other does to it; unchanged ones are left out."""
    old, new = ({resource.name: resource for resource in table} for table in (before, after))
    found: dict[str, Change] = {}
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            found[name] = "create"
        elif name not in new:
            found[name] = "delete"
        elif old[name].arguments != new[name].arguments:
            found[name] = "update"
    return found
