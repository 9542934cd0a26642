"""Production that is degraded or cannot be synced pages; once it is healthy, it resolves."""

from hub.actions.argocd import Application, ReadApplication
from hub.actions.pagerduty import ResolveIncident, SendChangeEvent, Severity, TriggerIncident
from hub.dispatch import Do, Skipped, on
from hub.events.argocd import ApplicationChanged
from hub.events.types import SYNC_SUCCEEDED


@on(ApplicationChanged)
async def page_on_degraded(event: ApplicationChanged, do: Do) -> Skipped | None:
    """Page for production that is degraded or cannot be synced, and resolve when it is healthy."""
    app = await do(ReadApplication(namespace=event.namespace, application=event.application))
    if not app.exists:
        return Skipped(f"the Application {event.application} is not in the cluster")
    if app.requests_of:
        return Skipped(f"the Application {event.application} deploys no service")
    if app.environment != do.platform.production:
        return Skipped(f"{event.application} is not in {do.platform.production}")
    url = do.platform.application_link(app.namespace, app.name)
    if _is_this_deployment(event, app, do):
        await do(
            SendChangeEvent(
                summary=f"{app.service} deployed to {app.environment}",
                source=app.name,
                details=(("revision", app.revision), ("finished", app.finished_at)),
                url=url,
            )
        )
    key = f"argocd:{app.name}"
    trouble = _trouble(app)
    if trouble is not None:
        await do(
            TriggerIncident(
                dedup_key=key,
                summary=f"{app.name}: {trouble}",
                source=app.name,
                severity=Severity.CRITICAL,
                details=(("health", app.health), ("phase", app.phase), ("revision", app.revision)),
                url=url,
            )
        )
    elif app.health == "Healthy":
        await do(ResolveIncident(dedup_key=key))
    return None


def _is_this_deployment(event: ApplicationChanged, app: Application, do: Do) -> bool:
    """Whether the event says that the sync which the cluster shows has succeeded."""
    return (
        do.event.type == SYNC_SUCCEEDED
        and app.phase == "Succeeded"
        and app.started_at == event.started_at
    )


def _trouble(app: Application) -> str | None:
    if app.has_failed:
        return f"the sync failed: {app.message}"
    if app.health == "Degraded":
        return "it is degraded"
    return None
