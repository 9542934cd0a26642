"""CloudEvents from anybody who has a key: binary, structured, or a batch of them.

Types that nobody here knows are kept: a handler may come to know them.
"""

from dataclasses import replace

from hub.errors import Forbidden
from hub.events.codec import from_http
from hub.events.envelope import Envelope
from hub.events.types import HUB
from hub.sources.interface import Headers, Ignored, Taken

_HUB_SOURCE = "/trunkline/"


def take(headers: Headers, body: bytes, *, hubkey: str) -> Taken:
    """Read the events in a request: all of them, or none where one is wrong.

    Raises Malformed naming the attribute that is wrong, UnsupportedMedia for another format than
    JSON, and Forbidden for an event that only the hub itself may send.
    """
    events = from_http(headers, body)
    if not events:
        return Ignored("the batch is empty")
    return tuple(replace(_outsider(event), hubkey=hubkey) for event in events)


def _outsider(event: Envelope) -> Envelope:
    """Return the event. Raises Forbidden where it claims to be the hub's own."""
    if f"{event.source}/".startswith(_HUB_SOURCE):
        raise Forbidden("a source under /trunkline/ is the hub's own")
    if event.type.startswith(HUB):
        raise Forbidden("a type under dev.trunkline. is the hub's own")
    if event.hubhops or event.hubkey is not None:
        raise Forbidden("the extensions hubhops and hubkey are the hub's own")
    return event
