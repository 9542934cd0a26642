"""Whatever is seen of a deployment, by whom and in which order, is merged into what is known of it.

Slack and its pace have no part in this: what is known stays true while nobody can be told.
"""

from typing import assert_never

from handlers.bump_image_tag import bump_image_tag
from hub.actions.argocd import Application, ReadApplication
from hub.actions.gitops import ReadImage
from hub.actions.hub import Emit, FindRevision, ReadEvent, RecordSighting
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState
from hub.dispatch import Do, Skipped, on
from hub.events.argocd import ApplicationChanged
from hub.events.deployment import Sighting, Stage
from hub.events.tekton import PipelineRunFinished, PipelineRunStarted
from hub.events.trunkline import (
    DeploymentChanged,
    ImageBumped,
    ImageSuperseded,
    RunDeadLettered,
)

_Seen = (
    PipelineRunStarted
    | PipelineRunFinished
    | ImageBumped
    | ImageSuperseded
    | RunDeadLettered
    | ApplicationChanged
)


def _lane(seen: _Seen) -> str:
    """Keep what is about one service in order, as far as the event tells the service."""
    match seen:
        case ApplicationChanged():
            return seen.application.rpartition("-")[0] or seen.application
        case RunDeadLettered():
            return seen.event_id
        case _:
            return seen.service


@on(
    PipelineRunStarted,
    PipelineRunFinished,
    ImageBumped,
    ImageSuperseded,
    RunDeadLettered,
    ApplicationChanged,
    lane=_lane,
)
async def track_deployment(seen: _Seen, do: Do) -> Skipped | None:
    """Record how far each revision has come on its way into each environment."""
    match seen:
        case ImageBumped():
            await _record(do, seen.service, seen.environment, seen.revision, _bumped(seen))
            return None
        case ImageSuperseded():
            await _record(do, seen.service, seen.environment, seen.revision, _superseded(seen))
            return None
        case RunDeadLettered():
            return await _track_dead_bump(seen, do)
        case ApplicationChanged():
            return await _track_application(seen, do)
        case PipelineRunStarted() | PipelineRunFinished():
            return await _track_build(seen, do)
        case _:
            assert_never(seen)


async def _track_build(seen: PipelineRunStarted | PipelineRunFinished, do: Do) -> Skipped | None:
    run = await do(ReadPipelineRun.told_of_by(seen))
    environments = do.platform.environments(run.branch)
    if run.state is RunState.GONE or not (run.service and run.revision and environments):
        return Skipped(f"the run {seen.name} builds no branch that is deployed")
    for environment in environments:
        url = do.platform.run_link(run.namespace, run.name)
        await _record(do, run.service, environment, run.revision, _built(run, url))
    return None


async def _track_dead_bump(dead: RunDeadLettered, do: Do) -> Skipped | None:
    if dead.handler != bump_image_tag.name:
        return Skipped(f"{dead.handler} is no part of a deployment's way")
    data = await do(ReadEvent(id=dead.event_id, source=dead.event_source))
    if data is None:
        return Skipped(f"the event {dead.event_id} is no longer known")
    finished = PipelineRunFinished.model_validate_json(data)
    run = await do(ReadPipelineRun.told_of_by(finished))
    environments = do.platform.environments(run.branch)
    if run.state is not RunState.SUCCEEDED or not (run.service and run.revision and environments):
        return Skipped(f"the run {finished.name} has built nothing that is deployed")
    failed = Sighting(stage=Stage.BUMP_FAILED, at=do.event.time or "", detail=dead.error)
    for environment in environments:
        await _record(do, run.service, environment, run.revision, failed)
    return None


async def _track_application(seen: ApplicationChanged, do: Do) -> Skipped | None:
    app = await do(ReadApplication(namespace=seen.namespace, application=seen.application))
    if app.requests_of:
        return Skipped(f"the Application {seen.application} deploys no service")
    sighting = _synced(app, do.platform.application_link(app.namespace, app.name))
    if sighting is None:
        return Skipped(f"the Application {seen.application} has not been synced")
    image = await do(
        ReadImage(service=app.service, environment=app.environment, commit=app.revision)
    )
    if image is None:
        return Skipped(f"no image of {app.service} stands in {app.environment}")
    revision = await do(FindRevision(service=app.service, digest=image.digest))
    if revision is None:
        return Skipped(f"what {seen.application} deploys was not built through here")
    await _record(do, app.service, app.environment, revision, sighting)
    return None


async def _record(
    do: Do, service: str, environment: str, revision: str, sighting: Sighting
) -> None:
    await do(
        RecordSighting(
            service=service, environment=environment, revision=revision, sighting=sighting
        )
    )
    changed = DeploymentChanged(
        service=service,
        environment=environment,
        revision=revision,
        stage=sighting.stage,
        detail=sighting.detail,
    )
    await do(Emit.of(changed, subject=f"{service}/{environment}"))


def _built(run: PipelineRun, url: str | None) -> Sighting:
    if not run.state.finished:
        return Sighting(stage=Stage.BUILDING, at=run.started_at, url=url)
    if run.state is RunState.SUCCEEDED:
        return Sighting(stage=Stage.BUILT, at=run.finished_at, url=url)
    return Sighting(
        stage=Stage.BUILD_FAILED,
        at=run.finished_at,
        detail=f"{run.state}: {run.message or run.reason}",
        url=url,
    )


def _bumped(image: ImageBumped) -> Sighting:
    return Sighting(
        stage=Stage.BUMPED,
        at=image.bumped_at,
        detail=f"{image.tag} in {image.commit[:7]}",
    )


def _superseded(image: ImageSuperseded) -> Sighting:
    return Sighting(stage=Stage.NOT_BUMPED, at=image.built_at, detail=image.reason)


def _synced(app: Application, url: str | None) -> Sighting | None:
    """Say what the Application shows; None where it has never been synced."""
    match (app.phase, app.health):
        case ("Running" | "Terminating", _):
            return Sighting(stage=Stage.SYNCING, at=app.started_at, url=url)
        case ("Failed" | "Error", _):
            return Sighting(
                stage=Stage.SYNC_FAILED, at=app.finished_at, detail=app.message, url=url
            )
        case ("Succeeded", "Degraded"):
            return Sighting(stage=Stage.DEGRADED, at=app.health_since, url=url)
        case ("Succeeded", "Healthy"):
            since = max(app.finished_at, app.health_since)
            return Sighting(stage=Stage.HEALTHY, at=since, url=url)
        case ("Succeeded", _):
            return Sighting(stage=Stage.SYNCED, at=app.finished_at, url=url)
        case _:
            return None
