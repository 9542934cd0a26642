"""The job that inserts events, on the writer's thread: one statement for an event that is new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import apsw

from hub.bus import dedupe
from hub.bus.bodies import Packed, Packer, attach
from hub.bus.rows import COLUMNS, Row, row_of
from hub.events.envelope import Envelope

_VALUES = ", ".join(f"?{number + 1}" for number in range(COLUMNS.count(",") + 1))
_INSERT_NEW = f"INSERT INTO events ({COLUMNS}) SELECT {_VALUES} WHERE {dedupe.IS_NEW}"
_INSERT = f"INSERT INTO events ({COLUMNS}) VALUES ({_VALUES})"  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event on its way to the log."""

    envelope: Envelope
    received_at: float
    packed: Packed | None = None
    """Its body, where that was too large to be packed here."""


class AlreadyKnown(Exception):
    """Nothing was written, for some of the events are on the log.

    `positions` holds the place of each in the sequence and its position on the log.
    """

    def __init__(self, positions: Mapping[int, int]) -> None:
        super().__init__(f"{len(positions)} events are on the log already")
        self.positions = positions


class Inserter:
    """Writes entries, all or none. The connection's memory must be there: `dedupe.remember`."""

    def __init__(self) -> None:
        self._packer = Packer()

    def insert(self, entries: Sequence[Entry], connection: apsw.Connection) -> Sequence[int]:
        """Return the new events' positions. Raises AlreadyKnown."""
        written = [self._insert(connection, entry) for entry in entries]
        known = {place: seq for place, (seq, new) in enumerate(written) if not new}
        if known:
            raise AlreadyKnown(known)
        return [seq for seq, _ in written]

    def _insert(self, connection: apsw.Connection, entry: Entry) -> tuple[int, bool]:
        """Return where the event stands, and whether it was new."""
        if entry.packed is not None and entry.packed.body is not None:
            attach(connection, entry.packed.body)
        row = self._row(entry)
        connection.execute(_INSERT_NEW, row)
        if connection.changes():
            return connection.last_insert_rowid(), True
        # It is known, or another one has its key, or another process has appended.
        dedupe.catch_up(connection)
        seq = dedupe.known(connection, entry.envelope.source, entry.envelope.id)
        if seq is not None:
            return seq, False
        connection.execute(_INSERT, row)
        return connection.last_insert_rowid(), True

    def _row(self, entry: Entry) -> Row:
        envelope = entry.envelope
        return row_of(
            envelope,
            key=dedupe.key_of(envelope.source, envelope.id),
            received_at=entry.received_at,
            packed=entry.packed or Packed(data=self._packer.pack(envelope.data)),
        )


def refuse_known(events: Sequence[Envelope], connection: apsw.Connection) -> None:
    """Raise AlreadyKnown where some of these are on the log."""
    dedupe.catch_up(connection)
    found = (dedupe.known(connection, event.source, event.id) for event in events)
    positions = {place: seq for place, seq in enumerate(found) if seq is not None}
    if positions:
        raise AlreadyKnown(positions)
