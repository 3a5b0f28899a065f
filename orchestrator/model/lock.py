"""The allocations lock (`onefold.lock`): what design once allocated never moves by itself."""

from pydantic import Field

from orchestrator.model.base import Noun, canonical


class Lock(Noun):
    """Allocated values by purpose: "vlan/cz" -> "2000", "prefix/cz/site-2" -> "198.18.34.0/24" ..."""

    allocations: dict[str, str] = Field(default_factory=dict)

    def text(self) -> str:
        """The lock file's content: one allocation a line, sorted, so that a change is one line of a diff."""
        lines = ",\n".join(
            f"  {canonical(key)}: {canonical(self.allocations[key])}" for key in sorted(self.allocations)
        )
        return "{\n" + lines + "\n}\n" if lines else "{}\n"
