"""An Envelope's attributes as a row of plain values, and back: the order stands here once.

The data is not among them: a log and a journal each have their own way with large bodies.
"""

import json
from collections.abc import Sequence
from typing import Any

from hub.events.envelope import Envelope

NAMES = (
    "id",
    "source",
    "type",
    "partitionkey",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "traceparent",
    "hubhops",
    "hubkey",
    "extensions",
)
"""What the values are, in order. `extensions` is JSON, or None where there are none."""

Value = str | int | None


def values_of(envelope: Envelope) -> tuple[Value, ...]:
    """Return the values of `NAMES`."""
    return (
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
    )


def envelope_of(values: Sequence[Any], *, data: bytes) -> Envelope:
    """Read back what `values_of` has written. Raises ValueError where it is damaged."""
    *attributes, extensions = values
    (
        event_id,
        source,
        kind,
        partitionkey,
        subject,
        time,
        datacontenttype,
        dataschema,
        traceparent,
        hubhops,
        hubkey,
    ) = attributes
    return Envelope(
        id=event_id,
        source=source,
        type=kind,
        partitionkey=partitionkey,
        data=data,
        subject=subject,
        time=time,
        datacontenttype=datacontenttype,
        dataschema=dataschema,
        traceparent=traceparent,
        hubhops=hubhops,
        hubkey=hubkey,
        extensions=tuple((name, value) for name, value in json.loads(extensions or "[]")),
    )
