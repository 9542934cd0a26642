"""Events as rows of the table `events`, and back. Pure, but for the pieces of a large body."""

from typing import Any

import apsw

from hub.bus.bodies import Packed, unpack
from hub.bus.interface import Position, Record
from hub.errors import Malformed
from hub.events import columns
from hub.events.envelope import Envelope

Row = tuple[Any, ...]

COLUMNS = f"key, received_at, {', '.join(columns.NAMES)}, body, data"
"""In the order of `row_of`."""

SELECT = f"SELECT seq, {COLUMNS} FROM events"  # noqa: S608  the module's own words
"""What `record_of` reads."""

_LONGEST_POSITION = 18
"""Digits: all of these are numbers that SQLite has."""


def row_of(envelope: Envelope, *, key: int, received_at: float, packed: Packed) -> Row:
    """Return the values of `COLUMNS`."""
    return (key, received_at, *columns.values_of(envelope), packed.body, packed.data)


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
    seq, _, received_at, *values, body, data = row
    envelope = columns.envelope_of(values, data=unpack(connection, Packed(body=body, data=data)))
    return Record(envelope=envelope, position=position_of(seq), received_at=received_at)
