"""`Envelope`: a CloudEvent as the hub carries it, the sender's body untouched.

Attributes and their names are those of CloudEvents 1.0.2
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md); the extension
`partitionkey` is https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/partitioning.md.
"""

from dataclasses import dataclass

MAX_HOPS = 8
"""How many events may cause one another in a row before the hub calls it a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One event. (`source`, `id`) is unique; `partitionkey` decides what it is ordered with."""

    id: str
    source: str
    type: str
    partitionkey: str
    """The repository or application: events with the same key keep their order."""
    data: bytes
    """The body exactly as it came; parsed only by the handler that asks for it."""
    subject: str | None = None
    time: str | None = None
    """RFC 3339, as the sender wrote it. When the hub received the event stands in the log."""
    datacontenttype: str = "application/json"
    dataschema: str | None = None
    traceparent: str | None = None
    """W3C trace context, https://www.w3.org/TR/trace-context/."""
    hubhops: int = 0
    """How many of the hub's own events lie between this one and the outside."""
    hubkey: str | None = None
    """Which key of which door verified it, as `door/key-id`; never the key itself."""
    extensions: tuple[tuple[str, str], ...] = ()
    """The sender's other extension attributes, in their order."""
