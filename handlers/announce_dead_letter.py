"""A run that needs somebody is told of in the channel, with the command that runs it again.

What died on its way into the channel is not told there: Slack would not take that either. And the
hub says nothing of a run that died of a dead letter, so none of them leads to the next.
"""

import shlex

from handlers.announce_deployment import announce_deployment
from hub.actions.slack import KeepMessage, MessageLine
from hub.dispatch import Do, Skipped, on
from hub.events.identity import derive_id
from hub.events.kubernetes import unix_time
from hub.events.trunkline import RunDeadLettered


@on(RunDeadLettered)
async def announce_dead_letter(dead: RunDeadLettered, do: Do) -> Skipped | None:
    """Post one message in the channel for each run that is dead or parked."""
    if dead.handler == announce_deployment.name:
        return Skipped(f"what {dead.handler} could not tell in the channel is not told there")
    command = f"trunkline replay {shlex.quote(dead.event_id)} --handler {dead.handler}"
    await do(
        KeepMessage(
            key=f"dead-letter/{derive_id(dead.handler, dead.event_source, dead.event_id)}",
            channel=do.platform.channel,
            title=f"{dead.handler} is {dead.state}",
            lines=(
                MessageLine(label="error", text=dead.error),
                MessageLine(label="event", text=f"{dead.event_type} {dead.event_id}"),
                MessageLine(label="attempts", text=str(dead.attempts)),
                MessageLine(label="replay", text=command),
            ),
            version=_seconds(do.event.time),
        )
    )
    return None


def _seconds(time: str | None) -> int:
    """Return a number that grows: a run that was replayed and died anew shows its new error."""
    return int(unix_time(time or "") or 0)
