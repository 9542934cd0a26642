"""What the objects of Kubernetes have in common, for the views that read them."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _empty_for_null(value: Any) -> Any:
    return "" if value is None else value


def none_for_null(value: Any) -> Any:
    """Take null for an empty list, as Go writes it."""
    return () if value is None else value


Text = Annotated[str, BeforeValidator(_empty_for_null)]
"""A string that is left out, or null, where it is empty."""


class Condition(BaseModel):
    """One of an object's conditions.

    https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
    """

    model_config = ConfigDict(frozen=True)

    type: Text = ""
    status: Text = ""
    """`True`, `False` or `Unknown`."""
    reason: Text = ""
    message: Text = ""
    since: Text = Field("", validation_alias="lastTransitionTime")
    """RFC 3339."""


Conditions = Annotated[tuple[Condition, ...], BeforeValidator(none_for_null)]


def condition(conditions: tuple[Condition, ...], kind: str) -> Condition:
    """Return the condition of this type; an empty one where there is none yet."""
    return next((one for one in conditions if one.type == kind), Condition())


def unix_time(time: str) -> float | None:
    """Return an RFC 3339 time as Unix time; None for what is none."""
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
