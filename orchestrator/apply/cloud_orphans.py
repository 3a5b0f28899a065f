"""What the cloud holds and a stack's state does not: made by a run that was killed before it could note it."""

from collections.abc import Mapping
from typing import Any

from orchestrator.apply import cloud_world
from stacks.resource import Change, Resource

_HALF_MADE = ("server", "port", "group")  # in the order in which they let each other go


def orphans(
    connection: Any, table: tuple[Resource, ...], state: set[str], domain: tuple[str, str] | None
) -> dict[str, str]:
    """What the world holds already of resources that the stack's state does not."""
    project = project_id(connection, domain)
    if domain is not None and project is None:
        return {}
    missing = [resource for resource in table if resource.name not in state]
    found = {resource.name: cloud_world.find_id(connection, project, resource) for resource in missing}
    return {name: identity for name, identity in found.items() if identity}


def unmake(
    connection: Any, table: tuple[Resource, ...], adopt: dict[str, str], planned: Mapping[str, Change]
) -> dict[str, str]:
    """Orphans that can be taken over as they are; the half-made others are removed, to be made anew.

    A group is made with rules that let everything out, removed only afterwards; of a server and its port the API
    does not tell all it was made with. Only what this very step was to make is removed: nothing can use it yet.
    """
    kind_of = {resource.name: resource.find.get("kind", "") for resource in table}
    left = dict(adopt)
    for kind in _HALF_MADE:
        for name in sorted(name for name in left if kind_of[name] == kind and planned.get(name) == "create"):
            _remove(connection, kind, left.pop(name))
            if kind == "group":
                inside = {r.name for r in table if r.find.get("kind") == "rule" and f"group-{r.find['group']}" == name}
                left = {other: identity for other, identity in left.items() if other not in inside}
    return left


def _remove(connection: Any, kind: str, identity: str) -> None:
    network, compute = connection.network, connection.compute
    if kind == "server":
        compute.delete_server(identity, force=True)
        compute.wait_for_delete(compute.get_server(identity), wait=120)
    elif kind == "port":
        network.delete_port(identity)
    else:
        network.delete_security_group(identity)


def clear_default_groups(connection: Any) -> None:
    """Remove the default security groups of projects that are gone: Neutron keeps them."""
    # groups first: one of a project made meanwhile is then not in the list
    groups = list(connection.network.security_groups(name="default"))
    alive = {project.id for project in connection.identity.projects()}
    for group in groups:
        if group.project_id and group.project_id not in alive:
            connection.network.delete_security_group(group, ignore_missing=True)


def project_id(connection: Any, domain: tuple[str, str] | None) -> str | None:
    """The id of (Keystone domain, project); None when there is no such one, or none is asked for."""
    if domain is None:
        return None
    found = connection.identity.find_domain(domain[0])
    if found is None:
        return None
    return next((str(p.id) for p in connection.identity.projects(name=domain[1], domain_id=found.id)), None)
