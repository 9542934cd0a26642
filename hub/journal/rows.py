"""Events, runs and steps as rows of a table, and back. Pure; SQL stands elsewhere."""

from collections.abc import Iterable
from typing import Any

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from hub.errors import StorageError
from hub.events import columns
from hub.events.envelope import Envelope
from hub.events.identity import derive_id
from hub.journal.interface import Attempt, Run, RunId, RunState, Step

Row = tuple[Any, ...]

EVENT_COLUMNS = ", ".join("event_id" if name == "id" else name for name in columns.NAMES) + ", data"
"""The columns of `run_events` that hold an event: `id` is the row's own number there."""

_ZSTD_LEVEL = 1
"""Smaller rows make the insert cheaper by more than this level costs; higher levels do not."""


def digest_of(source: str, event_id: str) -> bytes:
    """Return the key of an event: 16 bytes that stand for (source, id)."""
    return bytes.fromhex(derive_id(source, event_id))


def rows_of_events(envelopes: Iterable[Envelope]) -> list[Row]:
    """Return the rows of `run_events` for these events, without their `id`."""
    # One compressor for all: making one costs more than a small body does.
    compressor = ZstdCompressor(level=_ZSTD_LEVEL)
    return [
        (
            digest_of(envelope.source, envelope.id),
            *columns.values_of(envelope),
            compressor.compress(envelope.data),
        )
        for envelope in envelopes
    ]


def event_of_row(row: Row) -> Envelope:
    """Read back what `rows_of_events` has written, less the digest.

    Raises StorageError where the row is damaged.
    """
    return _event_of_row(row, ZstdDecompressor())


def events_of_rows(rows: Iterable[Row]) -> list[Envelope | StorageError]:
    """Read back many: a damaged one has its error in its place, and spoils no other."""
    decompressor = ZstdDecompressor()
    events: list[Envelope | StorageError] = []
    for row in rows:
        try:
            events.append(_event_of_row(row, decompressor))
        except StorageError as error:
            events.append(error)
    return events


def _event_of_row(row: Row, decompressor: ZstdDecompressor) -> Envelope:
    *values, data = row
    try:
        return columns.envelope_of(values, data=decompressor.decompress(data))
    except (ZstdError, ValueError) as error:
        raise StorageError(f"the event in the journal is damaged: {error}") from error


def run_of_row(row: Row) -> Run:
    """Read a run; the columns are those of `Run`, in its order."""
    (
        run,
        event_id,
        event_source,
        event_type,
        handler,
        lane,
        state,
        detail,
        attempts,
        planned_at,
        finished_at,
        due_at,
    ) = row
    return Run(
        id=RunId(run),
        event_id=event_id,
        event_source=event_source,
        event_type=event_type,
        handler=handler,
        lane=lane,
        state=RunState(state),
        detail=detail,
        attempts=attempts,
        planned_at=planned_at,
        finished_at=finished_at,
        due_at=due_at,
    )


def row_of_step(run: RunId, step: Step) -> Row:
    """Return the row of `run_steps` for a step of this run."""
    return (
        run,
        step.number,
        step.name,
        step.action,
        step.result,
        step.started_at,
        step.finished_at,
    )


def step_of_row(row: Row) -> Step:
    """Read a step; the columns are those of `Step`, in its order."""
    number, name, action, result, started_at, finished_at = row
    return Step(
        number=number,
        name=name,
        action=action,
        result=result,
        started_at=started_at,
        finished_at=finished_at,
    )


def attempt_of_row(row: Row) -> Attempt:
    """Read an attempt; the columns are those of `Attempt`, in its order."""
    number, started_at, finished_at, outcome, detail = row
    return Attempt(
        number=number,
        started_at=started_at,
        finished_at=finished_at,
        outcome=RunState(outcome),
        detail=detail,
    )
