"""A database, a bucket or a queue is ready, has failed or is stuck: its owners are told.

What Crossplane is still at is not told: a message that says so in between helps nobody. Nor is what
was made for a claim, or is a part of another composite: that is what somebody asked for. Production
that has failed or is stuck pages as well, and resolves once it is ready or deleted.
"""

from hub.actions.crossplane import Composite, CompositeState, ReadComposite
from hub.actions.pagerduty import ResolveIncident, Severity, TriggerIncident
from hub.actions.slack import KeepMessage, MessageLine
from hub.dispatch import Do, Skipped, on
from hub.events.crossplane import CompositeChanged
from hub.events.kubernetes import unix_time
from hub.events.types import COMPOSITE_DELETED, COMPOSITE_STUCK

_UNDER_WAY = frozenset({CompositeState.PENDING, CompositeState.PAUSED, CompositeState.DELETING})
_READY, _FAILED, _STUCK, _DELETED = "is ready", "has failed", "is stuck", "was deleted"


@on(CompositeChanged)
async def announce_composite(event: CompositeChanged, do: Do) -> Skipped | None:
    """Tell the owners of a composite that it is ready, has failed, is stuck or was deleted."""
    if event.whole:
        return Skipped(f"{event.whole}, which it is a part of, is told of")
    found = await do(ReadComposite.told_of_by(event))
    if found.claim or event.claim:
        return Skipped(f"its claim {found.claim or event.claim} is told of")
    word = _word(found, do.event.type)
    if word is None:
        return Skipped(f"{event.kind} {event.place} is {found.state}")
    await do(
        KeepMessage(
            key=f"composite/{event.uid}",
            channel=do.platform.channel_of(found.owner or event.owner),
            title=f"{event.kind} {event.place} {word}",
            lines=_lines(event, found),
            version=_version(found.since or event.since, word),
        )
    )
    if do.platform.production in {found.environment, event.environment}:
        await _page(event, found, word, do)
    return None


def _word(found: Composite, type_: str) -> str | None:
    """Return what there is to say; None where there is nothing yet, or somebody else says it."""
    if found.state is CompositeState.GONE:
        return _DELETED if type_ == COMPOSITE_DELETED else None
    if found.state is CompositeState.READY:
        return _READY
    if type_ == COMPOSITE_STUCK:
        return _STUCK
    return None if found.state in _UNDER_WAY else _FAILED


def _lines(event: CompositeChanged, found: Composite) -> tuple[MessageLine, ...]:
    said = (
        ("environment", found.environment or event.environment),
        ("owner", found.owner or event.owner),
        ("message", found.message),
        ("last warning", found.warning),
    )
    return tuple(MessageLine(label=label, text=text) for label, text in said if text)


async def _page(event: CompositeChanged, found: Composite, word: str, do: Do) -> None:
    key = f"crossplane:{event.kind}:{event.place}"
    if word in {_READY, _DELETED}:
        await do(ResolveIncident(dedup_key=key))
        return
    await do(
        TriggerIncident(
            dedup_key=key,
            summary=f"{event.kind} {event.place} {word}: {found.message}",
            source=event.place,
            severity=Severity.CRITICAL if word == _STUCK else Severity.ERROR,
            details=(
                ("state", found.state),
                ("since", found.since),
                ("last warning", found.warning),
            ),
        )
    )


def _version(since: str, word: str) -> int:
    """Return a number that grows with the state: what is stuck has not changed since it began."""
    return int(unix_time(since) or 0) * 3 + {_STUCK: 1, _DELETED: 2}.get(word, 0)
