"""A Pulumi stack that asks the engine for nothing that nobody reads. Imported only where an engine is used: heavy."""

from collections.abc import Callable, Iterable
from datetime import datetime

import pulumi_openstack
from pulumi import automation
from pulumi.automation._minimum_version import _MINIMUM_VERSION  # of the class of versions, which is not our package
from pulumi.automation._stack import StackInitMode  # `create_or_select` would make a plain stack

_NOW = datetime.min  # nobody reads it


class KnownCommand(automation.PulumiCommand):
    """The engine's program. Its version is known since it was found; the API's own class asks it at every making."""

    def __init__(self, program: str, version: str) -> None:
        self.command = program
        self.version = _MINIMUM_VERSION.parse(version)


class QuietStack(automation.Stack):
    """A stack whose operations are not each followed by up to three more runs of the engine.

    The Automation API asks after every operation for the stack's outputs (ours have none) and its history (ours is the
    journal); each question is a start of the engine. A failed operation raises before it comes to that.
    """

    def __init__(self, name: str, workspace: automation.LocalWorkspace, *, known: bool | None) -> None:
        """Take the stack, or make it. Raises automation errors.

        `known`: whether it is there. One that is need not be selected: every operation names its stack.
        """
        if known:
            self.name, self.workspace, self._mode = name, workspace, StackInitMode.SELECT
        elif known is None:
            super().__init__(name, workspace, StackInitMode.CREATE_OR_SELECT)
        else:
            try:
                super().__init__(name, workspace, StackInitMode.CREATE)
            except automation.StackAlreadyExistsError:  # kept in another form
                super().__init__(name, workspace, StackInitMode.SELECT)

    def outputs(self) -> automation.OutputMap:
        """Return none: our programs export nothing."""
        return {}

    def info(self, show_secrets: bool = True) -> automation.UpdateSummary:  # noqa: ARG002  # as in the base class
        """Return that it succeeded, without asking."""
        return automation.UpdateSummary("update", _NOW, "", {}, {}, "succeeded")


def opened(
    name: str, program: Callable[[], None], options: automation.LocalWorkspaceOptions, *, known: bool | None
) -> QuietStack:
    """The stack of this name, made when there is none. Raises automation errors."""
    options.program = program
    return QuietStack(name, automation.LocalWorkspace(**options.__dict__), known=known)


def load(types: Iterable[str]) -> None:
    """Load the classes of these resources: at their first use the package does it, wrongly in two threads at once."""
    for module, _, kind in (name.partition(".") for name in types):
        getattr(getattr(pulumi_openstack, module), kind)
