"""Which files hold a service's image: patterns from the settings, names from outside. Pure."""

import re
from collections.abc import Sequence
from string import Formatter

from hub.errors import PermanentError, SettingsError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS-1123 label: it holds no slash, no dot and no brace, so it stays one part of a path."""

_FIXED_PART = re.compile(r"[A-Za-z0-9._@+=,-][A-Za-z0-9._@+=, -]*")
_FIELDS = frozenset({"service", "environment"})


def is_name(name: str) -> bool:
    """Whether a service or an environment can be called so."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str, *, what: str) -> str:
    """Return the name of a service or environment. Raises PermanentError naming `what` it is."""
    if not is_name(name):
        raise PermanentError(f"the name of the {what} is not a DNS label")
    return name


class FilePatterns:
    """The files where the image of a service stands in an environment."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Check the patterns. Raises SettingsError with each that could leave the repository."""
        problems = [
            f"gitops.files: {pattern!r} {problem}"
            for pattern in patterns
            if (problem := _problem(pattern))
        ]
        if problems or not patterns:
            raise SettingsError(problems or ["gitops.files: is empty"])
        self._patterns = tuple(patterns)

    def paths(self, *, service: str, environment: str) -> tuple[str, ...]:
        """Return the paths, relative to the repository's root. Raises PermanentError."""
        names = {
            "service": check_name(service, what="service"),
            "environment": check_name(environment, what="environment"),
        }
        return tuple(pattern.format(**names) for pattern in self._patterns)


def _problem(pattern: str) -> str | None:
    try:
        fields = [field for field in Formatter().parse(pattern) if field[1] is not None]
    except ValueError:
        return "has a brace too many or too few"
    if any(name not in _FIELDS or form or conversion for _, name, form, conversion in fields):
        return "may only hold {service} and {environment}"
    parts = pattern.format(service="name", environment="name").split("/")
    if not all(_FIXED_PART.fullmatch(part) and _stays(part) for part in parts):
        return "is not a plain path within the repository"
    return None


def _stays(part: str) -> bool:
    return part not in {".", ".."} and part.lower() != ".git"
