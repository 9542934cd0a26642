"""A PipelineRun that waits begins once fewer runs of its service go on than its limit allows.

Every end of a run lets the next one begin. Should the hub not hear of an end, the run that waits is
looked at again by itself: what is in the cluster decides, and nothing is remembered here.
"""

from datetime import datetime

from hub.actions.tekton import ReadPipelineRun, ReleasePipelineRuns
from hub.actions.wait import WaitUntil
from hub.dispatch import Do, Skipped, on
from hub.errors import PermanentError
from hub.events.tekton import PipelineRunFinished
from hub.events.trunkline import PipelineRunQueued

_MINUTES = (1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 1440)
"""After which a run that waits is looked at again, though nobody has told of an end."""


def _lane(event: PipelineRunQueued | PipelineRunFinished) -> str:
    """Keep the end of a run apart from its wait, which holds its lane until the next look."""
    run = f"{event.namespace}/{event.name}"
    return f"queued/{run}" if isinstance(event, PipelineRunQueued) else run


@on(PipelineRunQueued, PipelineRunFinished, lane=_lane)
async def release_pipeline_runs(
    event: PipelineRunQueued | PipelineRunFinished, do: Do
) -> Skipped | None:
    """Let PipelineRuns that wait begin, the oldest of a service first."""
    if isinstance(event, PipelineRunQueued):
        await _stay_with(event, do)
        return None
    # An event may be ahead of the cluster, where the run would still be counted.
    run = await do(ReadPipelineRun.told_of_by(event))
    service = run.service or event.service
    if not service:
        return Skipped(f"the run {event.name} builds no service")
    await do(ReleasePipelineRuns(namespace=event.namespace, service=service))
    return None


async def _stay_with(queued: PipelineRunQueued, do: Do) -> None:
    """Look after a run until it has begun. Raises PermanentError after a day."""
    began = datetime.fromisoformat(do.event.time or "1970-01-01T00:00:00Z").timestamp()
    for minutes in _MINUTES:
        waiting = await do(ReleasePipelineRuns(namespace=queued.namespace, service=queued.service))
        if queued.name not in waiting:
            return
        await do(WaitUntil(at=began + 60 * minutes))
    raise PermanentError(f"the PipelineRun {queued.name} has waited for a day for its turn")
