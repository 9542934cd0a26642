"""What the hub remembers of its messages in Slack, so that a restart posts nothing twice.

A note is written before a message is posted and completed afterwards. A note that was never
completed says that a message may be out there, unknown to us.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from hub.actions.slack import PostedMessage
from hub.errors import PermanentError, TemporaryError
from hub.journal.interface import Records

_RACE_SECONDS = 1.0
"""Somebody else is at the same message; a moment later their note tells what they did."""


class Note(BaseModel):
    """What is known of one message. An empty note: nothing was ever tried."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    channel: str = ""
    """The id that Slack gave the channel; empty until something was posted."""
    ts: str = ""
    version: int = 0
    intended_at: float | None = None
    """Unix time of an attempt to post of which nothing is known; None where none is open."""
    intended_by: str = ""
    """Which process attempted it."""

    @property
    def posted(self) -> PostedMessage | None:
        """Where the message stands, where that is known."""
        return PostedMessage(channel=self.channel, ts=self.ts) if self.ts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A note as it was read: it can be written back only while nobody else has."""

    kind: str
    key: str
    record: int
    note: Note


class Notes:
    """The notes, in the journal's records."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def recall(self, kind: str, key: str) -> Held:
        """Return what is known of a message."""
        found = await self._records.get(kind, key)
        if found is None:
            return Held(kind=kind, key=key, record=0, note=Note())
        try:
            note = Note.model_validate_json(found.value)
        except ValidationError as error:
            raise PermanentError(f"the record {kind} {key} cannot be read") from error
        return Held(kind=kind, key=key, record=found.version, note=note)

    async def write(self, held: Held, note: Note) -> Held:
        """Replace a note. Raises TemporaryError where somebody else was faster."""
        written = await self._records.put(
            held.kind, held.key, note.model_dump_json(), expected=held.record
        )
        if not written:
            raise TemporaryError("somebody else is at the same message", after=_RACE_SECONDS)
        return Held(kind=held.kind, key=held.key, record=held.record + 1, note=note)
