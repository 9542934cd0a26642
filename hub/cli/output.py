"""How the command speaks: lines for people, JSON for programs, exit codes for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import orjson


class Exit(IntEnum):
    """The exit codes; 0 is success and 2, by custom, a wrong use of the command."""

    FAILED = 1
    """What was asked for was not done, or is not there."""
    UNAVAILABLE = 69
    """The hub could not be reached."""
    SETTINGS = 78
    """The settings are wrong (EX_CONFIG)."""


def plain(text: str) -> str:
    """Return text from outside as one line without anything that a terminal would obey."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def say(text: str = "") -> None:
    """Write a line for people."""
    sys.stdout.write(plain(text) + "\n")


def complain(text: str) -> None:
    """Write a line about what went wrong."""
    sys.stderr.write(plain(text) + "\n")


def say_json(value: Any) -> None:
    """Write one JSON document on one line, in which a terminal finds nothing to obey either."""
    text = orjson.dumps(value, default=str).decode()
    safe = (char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
    sys.stdout.write("".join(safe) + "\n")


def say_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows under their heads, each column as wide as its widest cell but the last."""
    table = [tuple(heads), *(tuple(map(plain, row)) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def when(moment: float | None) -> str:
    """Write a Unix time for people, in UTC; empty for none."""
    if moment is None:
        return ""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
