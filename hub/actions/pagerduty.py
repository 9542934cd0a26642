"""PagerDuty Events API v2: trigger, resolve, and change events.

API: https://developer.pagerduty.com/docs/events-api-v2-overview.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from hub.actions.action import Action


class Severity(StrEnum):
    """PagerDuty's severities."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerIncident(Action[None]):
    """Page. The same `dedup_key` again is the same incident."""

    name: ClassVar[str] = "pagerduty.trigger_incident"
    result: ClassVar[object] = None

    dedup_key: str
    summary: str
    source: str
    severity: Severity
    details: tuple[tuple[str, str], ...] = ()
    url: str | None = None

    def supposed(self) -> None:
        """Nothing comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveIncident(Action[None]):
    """Resolve what was triggered under the same `dedup_key`; nothing where nothing is open."""

    name: ClassVar[str] = "pagerduty.resolve_incident"
    result: ClassVar[object] = None

    dedup_key: str

    def supposed(self) -> None:
        """Nothing comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendChangeEvent(Action[None]):
    """Tell PagerDuty what changed, so that it stands beside the incidents. Pages nobody."""

    name: ClassVar[str] = "pagerduty.send_change_event"
    result: ClassVar[object] = None

    summary: str
    source: str
    details: tuple[tuple[str, str], ...] = ()
    url: str | None = None

    def supposed(self) -> None:
        """Nothing comes back."""
