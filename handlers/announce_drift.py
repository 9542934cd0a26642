"""A managed resource differs from what is wanted: its owners are told, and of the end of it too."""

from hub.actions.slack import KeepMessage, MessageLine
from hub.dispatch import Do, on
from hub.events.crossplane import ManagedResourceChanged
from hub.events.kubernetes import condition, unix_time
from hub.events.types import MANAGED_DRIFTED


@on(ManagedResourceChanged)
async def announce_drift(event: ManagedResourceChanged, do: Do) -> None:
    """Keep one message on what has drifted; what never did is not told of."""
    has_drifted = do.event.type == MANAGED_DRIFTED
    says = condition(event.conditions, "UpToDate")
    said = (("reason", says.reason), ("message", says.message))
    await do(
        KeepMessage(
            key=f"drift/{event.uid}",
            channel=do.platform.channel_of(event.owner),
            title=f"{event.kind} {event.place} "
            + ("has drifted" if has_drifted else "is as it is wanted again"),
            lines=tuple(MessageLine(label=label, text=text) for label, text in said if text),
            version=int(unix_time(says.since) or 0) * 2 + (not has_drifted),
            only_update=not has_drifted,
        )
    )
