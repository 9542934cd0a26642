"""What a service asks of Crossplane could not be put into its cluster: people are told, once.

Nobody else can tell: nothing is there yet that `announce_composite` could look at. Whatever is
there, that one tells of, so the health of these Applications is no news here.
"""

from hub.actions.argocd import Application, ReadApplication
from hub.actions.pagerduty import ResolveIncident, Severity, TriggerIncident
from hub.actions.slack import KeepMessage, MessageLine
from hub.dispatch import Do, Skipped, on
from hub.events.argocd import ApplicationChanged
from hub.events.kubernetes import unix_time
from hub.events.types import SYNC_FAILED, SYNC_SUCCEEDED


@on(ApplicationChanged, when=lambda app: app.requests_of != "")
async def announce_request(event: ApplicationChanged, do: Do) -> Skipped | None:
    """Tell that a request was not taken, and of the end of it; production pages."""
    if do.event.type not in {SYNC_FAILED, SYNC_SUCCEEDED}:
        return Skipped("no operation has ended")
    app = await do(ReadApplication(namespace=event.namespace, application=event.application))
    if not app.requests_of:
        return Skipped(f"the Application {event.application} asks Crossplane for nothing")
    if not (app.has_failed or app.phase == "Succeeded"):
        return Skipped(f"the operation of {event.application} is {app.phase}")
    url = do.platform.application_link(app.namespace, app.name)
    await do(_message(app, url, channel=do.platform.channel))
    if app.environment == do.platform.production:
        await _page(app, url, do)
    return None


def _message(app: Application, url: str | None, *, channel: str) -> KeepMessage:
    label = "not taken" if app.has_failed else "taken"
    return KeepMessage(
        key=f"request/{app.namespace}/{app.name}",
        channel=channel,
        title=f"What {app.requests_of} asks for in {app.environment} is {label}",
        lines=(MessageLine(label=label, text=f"{app.finished_at} {app.message}", url=url),),
        version=int(unix_time(app.finished_at) or 0) * 2 + (not app.has_failed),
        only_update=not app.has_failed,
    )


async def _page(app: Application, url: str | None, do: Do) -> None:
    key = f"argocd:{app.name}"
    if not app.has_failed:
        await do(ResolveIncident(dedup_key=key))
        return
    await do(
        TriggerIncident(
            dedup_key=key,
            summary=f"{app.name}: what is asked for is not taken: {app.message}",
            source=app.name,
            severity=Severity.ERROR,
            details=(("phase", app.phase), ("revision", app.revision)),
            url=url,
        )
    )
