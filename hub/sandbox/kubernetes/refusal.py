"""`Refusal`: what the API server says no with, and the `Status` object that carries it.

Shape: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/.
"""

from dataclasses import dataclass
from typing import Any

from hub.errors import TrunklineError
from hub.sandbox.kubernetes.kinds import Kind

_MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One field that is wrong."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class Refusal(TrunklineError):
    """A request that the API server does not carry out."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details or {}

    def status(self) -> dict[str, Any]:
        """Return it as a `Status` object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def bad_request(message: str) -> Refusal:
    """Return the answer to a request that cannot be understood."""
    return Refusal(400, "BadRequest", message)


def not_found(kind: Kind, name: str) -> Refusal:
    """Return the answer to a name that is not there."""
    return Refusal(404, "NotFound", f'{kind.resource} "{name}" not found', details=_of(kind, name))


def already_exists(kind: Kind, name: str) -> Refusal:
    """Return the answer to creating what is there."""
    message = f'{kind.resource} "{name}" already exists'
    return Refusal(409, "AlreadyExists", message, details=_of(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> Refusal:
    """Return the answer to a change that was made from an older version."""
    why = why or _MODIFIED
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return Refusal(409, "Conflict", message, details=_of(kind, name))


def invalid(kind: Kind, name: str, causes: list[Cause]) -> Refusal:
    """Return the answer to an object that breaks the rules of its kind."""
    listed = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
    told = listed if len(causes) == 1 else f"[{listed}]"
    details = _of(kind, name, named=kind.kind) | {
        "causes": [
            {"reason": cause.reason, "message": cause.message, "field": cause.field}
            for cause in causes
        ]
    }
    message = f'{kind.kind}.{kind.group} "{name}" is invalid: {told}'
    return Refusal(422, "Invalid", message, details=details)


def denied(webhook: str, message: str) -> Refusal:
    """Return the answer to what an admission webhook does not let in."""
    return Refusal(
        400, "BadRequest", f'admission webhook "{webhook}" denied the request: {message}'
    )


def expired(message: str) -> Refusal:
    """Return the answer to a version that the server no longer remembers."""
    return Refusal(410, "Expired", message)


def _of(kind: Kind, name: str, *, named: str | None = None) -> dict[str, Any]:
    return {"name": name, "group": kind.group, "kind": named or kind.plural}
