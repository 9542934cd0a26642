"""How every reaction starts a PipelineRun: one that has to wait for its turn is stayed with."""

from hub.actions.hub import Emit
from hub.actions.tekton import RunState, StartPipelineRun
from hub.dispatch import Do
from hub.events.trunkline import PipelineRunQueued


async def start(action: StartPipelineRun, do: Do) -> None:
    """Start the run, and say of one that waits that it does; see `release_pipeline_runs`."""
    run = await do(action)
    if run.state is RunState.PENDING:
        queued = PipelineRunQueued(
            namespace=run.namespace, name=run.name, uid=run.uid, service=run.service
        )
        await do(Emit.of(queued, subject=run.name))
