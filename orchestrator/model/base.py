"""What every noun of the model shares: frozen, strict about unknown fields, one canonical form, one digest."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """A value of the model. Equal content is equal; a bad value cannot be built (pydantic.ValidationError)."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, but what was computed for the old value (a cached digest) does not come along."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[name]
        return copy

    def plain(self) -> dict[str, Any]:
        """The noun as JSON data: str, int, bool, None, list and dict only."""
        return self.model_dump(mode="json")


class Row(Noun):
    """A noun that stands in a table of the estate."""

    @property
    @abstractmethod
    def key(self) -> str:
        """Under which it stands in its table; made of its own fields."""


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces, UTF-8 text: equal values give equal bytes (RFC 8785 for our value types)."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, also where it is nested too deeply, gives a key twice (of which only
    one could be meant) or has half a letter.
    """
    try:
        value = json.loads(text, object_pairs_hook=_each_once)
    except RecursionError as error:
        raise ValueError("values are nested too deeply") from error
    if "\\ud" in text.lower():  # half of a letter written in two can be parsed, but not written again
        canonical(value).encode()
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key {key!r} is given twice")
        values[key] = value
    return values


def digest(value: Any) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal characters."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
