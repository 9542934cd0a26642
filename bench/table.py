"""One row for each goal: what was measured, what is wanted, and whether it was reached."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A goal and what came of it."""

    what: str
    measured: str
    goal: str
    reached: bool | None
    """None where there is no goal."""

    def __str__(self) -> str:
        verdict = {True: "yes", False: "no", None: ""}[self.reached]
        return f"| {self.what} | {self.measured} | {self.goal} | {verdict} |"


HEAD = "| what | measured | goal | reached |\n|---|---|---|---|"


def markdown(rows: Iterable[Row]) -> str:
    """Return the rows as a table."""
    return "\n".join([HEAD, *map(str, rows)])
