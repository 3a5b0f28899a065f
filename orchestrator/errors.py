"""Every exception of Onefold, one tree. Each carries the exit code the command line ends with."""


class OnefoldError(Exception):
    """Something stopped the work. The message is one line: what, where, and the next move."""

    exit_code = 1


class InputError(OnefoldError):
    """A file, workbook cell or argument is wrong. Nothing was imported."""


class ProjectError(InputError):
    """The project folder or its onefold.yaml cannot be used."""


class EditError(OnefoldError):
    """An edit does not fit the estate it is applied to."""


class PlanError(OnefoldError):
    """A plan cannot be made, read or trusted."""

    exit_code = 3


class DesignError(PlanError):
    """No target can be designed: a pool is exhausted or the estate has not the shape design knows."""


class SealError(PlanError):
    """The plan file is not the one that was sealed."""


class StaleError(PlanError):
    """The world or the policy is no longer the one the plan was proved for."""


class RefusedError(OnefoldError):
    """A rule or an approval forbids this."""

    exit_code = 3


class ApprovalError(RefusedError):
    """A required signature is missing, forged, stale or by the wrong person."""


class PartlyAppliedError(OnefoldError):
    """Some steps are done and some are not; the journal knows which."""

    exit_code = 4


class SurpriseError(PartlyAppliedError):
    """The world did not answer as predicted; the run stopped there."""


class UnreachableError(OnefoldError):
    """A device, a cloud or an engine does not answer."""

    exit_code = 5


class DeviceError(OnefoldError):
    """A device refused a line or answered something unexpected."""


class EngineError(OnefoldError):
    """The Pulumi engine is missing, of the wrong version, or failed."""


class LabError(OnefoldError):
    """A part of the lab could not be started or checked."""
