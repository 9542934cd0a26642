"""Measure everything that has a goal, print the table, and write it into docs/performance.md.

python -m bench [accept] [dispatch] [bumps]
"""

import asyncio
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench import accept, bumps, dispatch
from bench.table import Row, markdown

PARTS = {"accept": accept.measure, "dispatch": dispatch.measure, "bumps": bumps.measure}
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    """Run the named parts, or all."""
    names = sys.argv[1:] or list(PARTS)
    rows: list[Row] = []
    for name in names:
        rows += asyncio.run(PARTS[name]())
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
