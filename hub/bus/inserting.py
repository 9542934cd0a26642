"""The job that inserts events, on the writer's thread: a few statements for all of a commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import apsw

from hub.bus import dedupe
from hub.bus.bodies import Packed, Packer, attach
from hub.bus.rows import COLUMNS, Row, row_of
from hub.events.envelope import Envelope
from hub.sqlite import Joint

_VALUES = f"({', '.join('?' * (COLUMNS.count(',') + 1))})"
_AT_ONCE = (64, 16, 4, 1)
"""Rows of one statement. Each is prepared once and kept, so there are few of them."""


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


class Insertion(Joint[Sequence[int]]):
    """Writes entries, all or none, and returns their positions. Raises AlreadyKnown.

    The connection's memory must be there: `dedupe.remember`.
    """

    __slots__ = ("_entries", "_packer")

    def __init__(self, entries: Sequence[Entry], *, packer: Packer) -> None:
        self._entries = entries
        self._packer = packer

    def __call__(self, connection: apsw.Connection) -> Sequence[int]:
        """Write the entries."""
        return _insert(connection, self._entries, self._packer)

    def together(
        self, jobs: Sequence[Self], connection: apsw.Connection
    ) -> Sequence[Sequence[int]]:
        """Write the entries of all."""
        entries = [entry for job in jobs for entry in job._entries]  # noqa: SLF001  its own class
        seqs = iter(_insert(connection, entries, self._packer))
        return [[next(seqs) for _ in job._entries] for job in jobs]  # noqa: SLF001


def refuse_known(events: Sequence[Envelope], connection: apsw.Connection) -> None:
    """Raise AlreadyKnown where some of these are on the log."""
    dedupe.catch_up(connection)
    found = (dedupe.known(connection, event.source, event.id) for event in events)
    positions = {place: seq for place, seq in enumerate(found) if seq is not None}
    if positions:
        raise AlreadyKnown(positions)


def _insert(connection: apsw.Connection, entries: Sequence[Entry], packer: Packer) -> Sequence[int]:
    keys = [dedupe.key_of(entry.envelope.source, entry.envelope.id) for entry in entries]
    if len(set(keys)) < len(keys) or not dedupe.are_new(connection, keys):
        _refuse_twins(entries)
        refuse_known([entry.envelope for entry in entries], connection)
    seqs = _write(connection, _rows(connection, entries, keys, packer))
    dedupe.catch_up(connection)
    return seqs


def _refuse_twins(entries: Sequence[Entry]) -> None:
    """Raise AlreadyKnown where one event came twice at once: each is to be done alone then."""
    names = {(entry.envelope.source, entry.envelope.id) for entry in entries}
    if len(names) < len(entries):
        raise AlreadyKnown({})


def _rows(
    connection: apsw.Connection, entries: Sequence[Entry], keys: Sequence[int], packer: Packer
) -> Sequence[Row]:
    plain = [entry.envelope.data for entry in entries if entry.packed is None]
    packed = map(Packed, packer.pack_all(plain))
    rows = []
    for entry, key in zip(entries, keys, strict=True):
        body = entry.packed or next(packed)
        if body.body is not None:
            attach(connection, body.body)
        rows.append(row_of(entry.envelope, key=key, received_at=entry.received_at, packed=body))
    return rows


def _write(connection: apsw.Connection, rows: Sequence[Row]) -> Sequence[int]:
    """Insert the rows, and return where they stand."""
    seqs: list[int] = []
    while left := len(rows) - len(seqs):
        number = next(size for size in _AT_ONCE if size <= left)
        some = rows[len(seqs) : len(seqs) + number]
        connection.execute(
            f"INSERT INTO events ({COLUMNS}) VALUES {', '.join([_VALUES] * number)}",  # noqa: S608
            tuple(chain.from_iterable(some)),
        )
        last = connection.last_insert_rowid()
        seqs += range(last - number + 1, last + 1)
    return seqs
