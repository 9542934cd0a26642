"""PagerDuty as the sandbox has it: incidents and change events behind the Events API v2.

Protocol: https://developer.pagerduty.com/docs/events-api-v2-overview.
"""

from hub.sandbox.pagerduty.hosting import ChangeEvent, Incident, IncidentState, PagerDuty

__all__ = ["ChangeEvent", "Incident", "IncidentState", "PagerDuty"]
