"""The inline program: a table of resources as Pulumi resources. Imported only where an engine is used (it is heavy)."""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pulumi_openstack

from orchestrator.errors import EngineError
from stacks.resource import Resource


def program(
    table: tuple[Resource, ...],
    facts: Mapping[str, str],
    logins: Mapping[str, str],
    adopt: Mapping[str, str] | None = None,
) -> Callable[[], None]:
    """A Pulumi program that wants exactly these resources.

    `facts`: "domain/NAME" and so on -> value; `logins`: scope -> entry of clouds.yaml; `adopt`: logical name -> the
    id of what is already in the world and is taken over as it is. Raises EngineError for a fact that is not known.
    """

    def run() -> None:
        providers = {
            scope: pulumi_openstack.Provider(f"login-{scope}", cloud=entry, delayed_auth=True)
            for scope, entry in sorted(logins.items())
            if any(resource.scope == scope for resource in table)
        }
        made: dict[str, Any] = {}
        for resource in _ordered(table):
            module, _, kind = resource.type.partition(".")
            options = pulumi.ResourceOptions(
                provider=providers[resource.scope],
                depends_on=[made[name] for name in resource.after if name in made],
                import_=(adopt or {}).get(resource.name),
                ignore_changes=list(resource.unread) if (adopt or {}).get(resource.name) else None,
                # the old object gives its name and address back before the new one is made
                delete_before_replace=True,
            )
            arguments = {key: _resolved(value, made, facts) for key, value in resource.arguments.items()}
            made[resource.name] = getattr(getattr(pulumi_openstack, module), kind)(
                resource.name, opts=options, **arguments
            )

    return run


def _resolved(value: Any, made: Mapping[str, Any], facts: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if "reference" in value:
            return getattr(made[value["reference"]], value["attribute"])
        if "world" in value:
            if value["world"] not in facts:
                raise EngineError(f"the cloud has no {value['world']}: apply the step that makes it first")
            return facts[value["world"]]
        return {key: _resolved(inner, made, facts) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(inner, made, facts) for inner in value]
    return value


def _needs(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {value["reference"]} if "reference" in value else set().union(set(), *map(_needs, value.values()))
    return set().union(set(), *map(_needs, value)) if isinstance(value, list | tuple) else set()


def _ordered(table: tuple[Resource, ...]) -> list[Resource]:
    """What is referred to comes first. Raises EngineError on a circle or a reference to nothing."""
    left = {resource.name: resource for resource in table}
    ordered: list[Resource] = []
    while left:
        ready = [r for r in left.values() if not (_needs(r.arguments) | (set(r.after) & left.keys())) & left.keys()]
        if not ready:
            raise EngineError(f"resources wait for each other: {', '.join(sorted(left))}")
        ordered += [left.pop(resource.name) for resource in ready]
    return ordered
