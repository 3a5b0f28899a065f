"""How many examples a law is tried on."""

from hypothesis import settings

FEW = 50
MANY = 5000


def examples(few: int, many: int | None = None) -> int:
    """`few` on every day; in the soak `many`, by default as many more as the profiles differ."""
    if settings.get_current_profile_name() == "soak":
        return many or few * MANY // FEW
    return few
