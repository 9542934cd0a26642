"""What the receiver counts. Its labels come from the code and the settings, never from outside."""

from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """What came of a request."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    REFUSED = "refused"
    UNWRITABLE = "unwritable"
    FAILED = "failed"


class Mishap(StrEnum):
    """Why a connection was cut, or its input refused, before there was a request."""

    FULL = "full"
    SLOW_HEADERS = "slow-headers"
    UNPARSABLE = "unparsable"
    UNREAD_ANSWER = "unread-answer"


class ReceiverMetrics(Protocol):
    """Counters of the receiver. Called on its event loop: must not block, must not raise."""

    def answered(self, *, door: str, outcome: Outcome, status: int, body_bytes: int) -> None:
        """Count a request. `door` is a door's name, or "none" for an unknown path."""
        ...

    def verified(self, *, door: str, key: str) -> None:
        """Count a request that this key proved authentic: shows when an old key is idle."""
        ...

    def stored(self, *, door: str, seconds: float) -> None:
        """Note how long it took from the end of the headers until the events were durable."""
        ...

    def cut(self, *, reason: Mishap) -> None:
        """Count a mishap."""
        ...
