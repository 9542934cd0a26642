"""Measure everything that has a goal, print the table, and write it into docs/performance.md.

python -m bench [accept] [dispatch] [lanes] [bumps] [watch] [servers]

`servers` needs what `make servers` brings, and the folder tests on the path.
"""

import asyncio
import io
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import accept, bumps, dispatch, lanes, servers, watch
from bench.table import Row, markdown
from hub.telemetry.logging import configure

PARTS = {
    "accept": accept.measure,
    "dispatch": dispatch.measure,
    "lanes": lanes.measure,
    "bumps": bumps.measure,
    "watch": watch.measure,
    "servers": servers.measure,
}
PART_SECONDS = 600
"""Far more than any part takes: one that hangs is named, and holds up nobody."""

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


class Nowhere(io.RawIOBase):
    """A log that takes its lines and keeps none."""

    def write(self, line: Any) -> int:
        return memoryview(line).nbytes


def main() -> None:
    """Run the named parts, or all."""
    names = sys.argv[1:] or list(PARTS)
    configure("info", Nowhere())  # type: ignore[arg-type]
    rows: list[Row] = []
    for name in names:
        rows += asyncio.run(asyncio.wait_for(PARTS[name](), PART_SECONDS))
        print(f"{name} done", file=sys.stderr)
    print(markdown(rows))
    if not sys.argv[1:]:
        _write(rows)


def _write(rows: list[Row]) -> None:
    page = PAGE.read_text("utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    note = (
        f"{when}, Python {platform.python_version()}, {platform.system()}, one run of `make bench`."
    )
    PAGE.write_text(f"{head}{BEGIN}\n{note}\n\n{markdown(rows)}\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
