"""What PagerDuty takes as an event, field by field; all else is refused with 400.

https://developer.pagerduty.com/docs/send-alert-event and .../send-change-event.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

_RoutingKey = Annotated[str, Field(min_length=32, max_length=32)]
_DedupKey = Annotated[str, Field(min_length=1, max_length=255)]
_Summary = Annotated[str, Field(min_length=1, max_length=1024)]
_Severity = Literal["critical", "error", "warning", "info"]


class _Link(BaseModel):
    href: str
    text: str = ""


class _Payload(BaseModel):
    summary: _Summary
    source: Annotated[str, Field(min_length=1)]
    severity: _Severity
    timestamp: AwareDatetime | None = None
    custom_details: dict[str, Any] = Field(default_factory=dict)


class Trigger(BaseModel):
    """Opens an incident, or adds to the one that is open under its key."""

    model_config = ConfigDict(extra="ignore")

    routing_key: _RoutingKey
    event_action: Literal["trigger"]
    dedup_key: _DedupKey | None = None
    payload: _Payload
    links: tuple[_Link, ...] = ()


class Later(BaseModel):
    """Moves on the incident that is open under its key."""

    model_config = ConfigDict(extra="ignore")

    routing_key: _RoutingKey
    event_action: Literal["acknowledge", "resolve"]
    dedup_key: _DedupKey


class Event(BaseModel):
    """What `/v2/enqueue` takes."""

    event: Annotated[Trigger | Later, Field(discriminator="event_action")]


class _ChangePayload(BaseModel):
    summary: _Summary
    source: str = ""
    timestamp: AwareDatetime | None = None
    custom_details: dict[str, Any] = Field(default_factory=dict)


class Change(BaseModel):
    """What `/v2/change/enqueue` takes."""

    model_config = ConfigDict(extra="ignore")

    routing_key: _RoutingKey
    payload: _ChangePayload
    links: tuple[_Link, ...] = ()
