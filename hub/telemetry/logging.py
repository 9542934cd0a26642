"""The log: one event, one line of JSON on the error stream, and no secret in it.

Events are named in snake_case, in the past tense; the ids of what they are about are bound once.
What libraries say through the standard `logging` comes out the same way from `warning` up.
"""

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, cast

import orjson
import structlog

from hub.telemetry.redaction import Redactor

LIBRARY_LINES = 5
"""How many lines one library may write in a window: each bad request can make aiohttp write one."""

LIBRARY_WINDOW_SECONDS = 10.0

_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON lets through and a terminal or a reader of lines obeys: C1 controls, line and paragraph
separators, and the marks that turn the direction of text (https://trojansource.codes)."""


def configure(level: str, stream: BinaryIO) -> Redactor:
    """Send the log of the whole process to `stream`, from `level` up.

    Returns what has to be told of every secret (`Redactor.add`), so that none is ever written.
    """
    redactor = Redactor()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            # A stack without the values of its locals: a token is often one of them.
            structlog.processors.format_exc_info,
            redactor,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _Patient(stream))),
        cache_logger_on_first_use=True,
    )
    _adopt_libraries()
    return redactor


def render(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    """Write an event as JSON in which no character can break the line or steer a terminal."""
    try:
        line = orjson.dumps(event)
    except TypeError:
        # Half of a surrogate pair, as in a file name that is not UTF-8.
        line = orjson.dumps({name: _encodable(value) for name, value in event.items()})
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()


def _encodable(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()


class _Patient:
    """A stream whose failures cost lines: an event is not lost because a log disk is full."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def _adopt_libraries() -> None:
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, LibraryHandler)]:
        root.removeHandler(handler)
    root.addHandler(LibraryHandler(now=time.monotonic))
    root.setLevel(logging.WARNING)


class LibraryHandler(logging.Handler):
    """Takes what libraries log into the hub's log, so much of each and no more."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._now = now
        self._allowances: dict[str, _Allowance] = {}
        self._log = structlog.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as an event. How many were left out before it stands in the event."""
        allowance = self._allowances.setdefault(record.name, _Allowance())
        suppressed = allowance.ask(self._now())
        if suppressed is None:
            return
        self._log.log(
            record.levelno,
            "library_reported",
            library=record.name,
            text=record.getMessage(),
            exc_info=record.exc_info,
            **({"suppressed": suppressed} if suppressed else {}),
        )


class _Allowance:
    """So many lines in each window of time."""

    def __init__(self) -> None:
        self._began = float("-inf")
        self._lines = 0
        self._suppressed = 0

    def ask(self, now: float) -> int | None:
        """Return how many were suppressed since the last one that passed; None: so is this one."""
        if now - self._began >= LIBRARY_WINDOW_SECONDS:
            self._began = now
            self._lines = 0
        self._lines += 1
        if self._lines > LIBRARY_LINES:
            self._suppressed += 1
            return None
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed
