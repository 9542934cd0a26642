"""Events as rows of the table `events`, and back. Pure, but for the pieces of a large body."""

import json
from typing import Any

import apsw

from hub.bus.bodies import Packed, unpack
from hub.bus.interface import Position, Record
from hub.errors import Malformed
from hub.events.envelope import Envelope

Row = tuple[Any, ...]

COLUMNS = (
    "key, received_at, id, source, type, partitionkey, subject, time, datacontenttype, dataschema, "
    "traceparent, hubhops, hubkey, extensions, body, data"
)
"""In the order of `row_of`."""

SELECT = f"SELECT seq, {COLUMNS} FROM events"  # noqa: S608  the module's own words
"""What `record_of` reads."""

_LONGEST_POSITION = 18
"""Digits: all of these are numbers that SQLite has."""


def row_of(envelope: Envelope, *, key: int, received_at: float, packed: Packed) -> Row:
    """Return the values of `COLUMNS`."""
    return (
        key,
        received_at,
        envelope.id,
        envelope.source,
        envelope.type,
        envelope.partitionkey,
        envelope.subject,
        envelope.time,
        envelope.datacontenttype,
        envelope.dataschema,
        envelope.traceparent,
        envelope.hubhops,
        envelope.hubkey,
        json.dumps(envelope.extensions) if envelope.extensions else None,
        packed.body,
        packed.data,
    )


def id_of(row: Row) -> str:
    """Return the event id in a row that `SELECT` has read."""
    event_id: str = row[3]
    return event_id


def position_of(seq: int) -> Position:
    """Return the position that a row's number is outside."""
    return Position(str(seq))


def seq_of(position: Position) -> int:
    """Return the number of a position. Raises Malformed where it is none."""
    if not (position.isascii() and position.isdigit() and len(position) <= _LONGEST_POSITION):
        raise Malformed("this is no position on the log: positions are whole numbers")
    return int(position)


def record_of(connection: apsw.Connection, row: Row) -> Record:
    """Return the event of a row that `SELECT` has read. Raises StorageError."""
    seq, _, received_at, *attributes, extensions, body, data = row
    (
        event_id,
        source,
        type_,
        partitionkey,
        subject,
        time,
        datacontenttype,
        dataschema,
        traceparent,
        hubhops,
        hubkey,
    ) = attributes
    envelope = Envelope(
        id=event_id,
        source=source,
        type=type_,
        partitionkey=partitionkey,
        data=unpack(connection, Packed(body=body, data=data)),
        subject=subject,
        time=time,
        datacontenttype=datacontenttype,
        dataschema=dataschema,
        traceparent=traceparent,
        hubhops=hubhops,
        hubkey=hubkey,
        extensions=tuple((name, value) for name, value in json.loads(extensions or "[]")),
    )
    return Record(envelope=envelope, position=position_of(seq), received_at=received_at)
