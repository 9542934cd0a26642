"""How much a stranger may cost us: every limit of the receiver, with its reason."""

import resource
from dataclasses import dataclass, field

GITHUB_BODY_BYTES = 25 * 1024 * 1024
"""GitHub caps its payloads at 25 MB and sends no delivery beyond
(https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap)."""

BODY_BYTES = 1024 * 1024
"""Every other sender's events are far below; CloudEvents asks only 64 KiB of an intermediary."""

RETRY_AFTER_SECONDS = 30
"""What a sender is told when the log or the memory is full: time enough for a restart."""

_MOST_CONNECTIONS = 1024
"""More than the senders of one installation open, and few enough to bound what each may hold."""


def _connections() -> int:
    """Half of the descriptors the process may open: files and calls outwards need the others."""
    may_open, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if may_open == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(1, min(_MOST_CONNECTIONS, may_open // 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one listening port. Times are in seconds, sizes in bytes."""

    connections: int = field(default_factory=_connections)
    """Open at the same time; the next one is closed at once."""

    backlog: int = 128
    """Connections taken from the kernel in one turn of the loop: few enough not to hold it up."""

    header_seconds: float = 5.0
    """From connecting, or from a later request's first byte, to the end of the headers.
    They fit into one packet; only an attacker needs longer (slow loris)."""

    header_fields: int = 64
    """GitHub sends about 15, and proxies add a few."""

    header_field_bytes: int = 8190
    """A field, and the request line; what nginx and Apache allow too."""

    body_seconds: float = 10.0
    """For the whole body: GitHub gives up after 10 seconds in any case."""

    body_buffer_bytes: int = 128 * 1024
    """Read ahead of us per connection before the kernel is told to wait; up to twice this, so that
    all but the rarest bodies come in without a stop, which costs more than verifying them."""

    bodies_bytes: int = 128 * 1024 * 1024
    """Bodies in memory at the same time, over all connections: five of GitHub's largest."""

    inline_bytes: int = 512 * 1024
    """A larger body is verified and read off the event loop: reading the worst JSON costs 35 ms
    for each MiB, and a neighbour shall not wait longer than 50 ms."""

    aside_seconds: float = 30.0
    """For reading one large body in a process of its own, its turn included."""

    idle_seconds: float = 75.0
    """Between two requests on one connection: above the 60 seconds of the usual load balancers, so
    that it is they who close and no request meets a closing connection."""

    unread_seconds: float = 2.0
    """How long the rest of a refused body is thrown away, so that the sender can read the answer
    before the connection closes."""

    write_seconds: float = 10.0
    """How long a peer may leave its answers unread once the socket is full."""

    drain_seconds: float = 20.0
    """For requests in flight when the process is told to stop; Kubernetes kills after 30."""
