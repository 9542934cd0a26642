"""A build that succeeded goes into the gitops repository, for the environments of its branch."""

from hub.actions.gitops import Bump, BumpImage, BumpState, EnvironmentBump, Image
from hub.actions.hub import Emit, RecordBuild
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState
from hub.dispatch import Do, Skipped, on
from hub.errors import PermanentError
from hub.events.tekton import PipelineRunFinished
from hub.events.trunkline import ImageBumped, ImageSuperseded


@on(PipelineRunFinished)
async def bump_image_tag(event: PipelineRunFinished, do: Do) -> Skipped | None:
    """Bump the image in the gitops repository once its pipeline has succeeded."""
    run = await do(ReadPipelineRun.told_of_by(event))
    environments = do.platform.environments(run.branch)
    if run.state is not RunState.SUCCEEDED:
        return Skipped(f"the run {event.name} is {run.state}")
    if not (run.service and run.repository and environments):
        return Skipped(f"the run {event.name} builds no branch that is deployed")
    image = _image(run)
    # First, so that whoever sees the image in the cluster can already tell where it came from.
    await do(RecordBuild(service=run.service, digest=image.digest, revision=run.revision))
    bump = await do(
        BumpImage(
            service=run.service,
            environments=environments,
            image=image,
            repository=run.repository,
            revision=run.revision,
        )
    )
    for one in bump.environments:
        said = _said(run, image, bump, one)
        if said is not None:
            await do(Emit.of(said, subject=f"{run.service}/{one.environment}"))
    if bump.commit is None:
        return Skipped("; ".join(f"{one.environment}: {one.reason}" for one in bump.environments))
    return None


def _said(
    run: PipelineRun, image: Image, bump: Bump, one: EnvironmentBump
) -> ImageBumped | ImageSuperseded | None:
    """Return what there is to tell of one environment."""
    match one.state:
        case BumpState.BUMPED:
            return ImageBumped(
                service=run.service,
                environment=one.environment,
                repository=run.repository,
                revision=run.revision,
                digest=image.digest,
                tag=image.tag,
                commit=bump.commit or "",
                bumped_at=bump.committed_at,
            )
        case BumpState.SUPERSEDED:
            return ImageSuperseded(
                service=run.service,
                environment=one.environment,
                revision=run.revision,
                reason=one.reason,
                built_at=run.finished_at,
            )
        case BumpState.UNCHANGED:
            return None


def _image(run: PipelineRun) -> Image:
    missing = [name for name in ("IMAGE_URL", "IMAGE_DIGEST") if not run.results.get(name)]
    if missing:
        raise PermanentError(
            f"the run {run.name} has no result {' and '.join(missing)}: "
            "the pipeline must declare them so that its image can be bumped"
        )
    repository, tag = _split(run.results["IMAGE_URL"])
    return Image(
        repository=repository,
        tag=run.results.get("IMAGE_TAG") or tag or run.revision,
        digest=run.results["IMAGE_DIGEST"],
    )


def _split(url: str) -> tuple[str, str]:
    """Take `registry:5000/team/app:tag@digest` apart into repository and tag."""
    name = url.removeprefix("https://").removeprefix("docker://").partition("@")[0].strip()
    head, slash, last = name.rpartition("/")
    app, _, tag = last.partition(":")
    return f"{head}{slash}{app}", tag
