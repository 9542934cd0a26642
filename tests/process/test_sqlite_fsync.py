"""Seen from the kernel: what is acknowledged was synced before, and a sync that failed counts."""

import re
import shutil
from pathlib import Path

import pytest
from sqlite_process import FEW, all_bodies, all_lines, other_process, owned_log

STRACE = shutil.which("strace")
FAILING_SYNC = 12
"""The writer's sync that is made to fail, in the middle of the appends."""

pytestmark = pytest.mark.skipif(
    STRACE is None, reason="strace is not installed: the order of system calls was NOT checked"
)


async def traced(path: Path, trace: Path, *options: str) -> list[list[str]]:
    """Run `few` under strace, and return what it said."""
    under = [str(STRACE), "-f", "-y", "-o", str(trace), *options]
    async with other_process("few", path, under=under) as process:
        return await all_lines(process)


def interesting(trace: str) -> list[str]:
    """Return the calls that matter, in the order in which they ended."""
    begun: dict[str, str] = {}
    calls = []
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[thread] = call
        elif "resumed>" in call:
            calls.append(begun.pop(thread) + call)
        else:
            calls.append(call)
    return [call for call in map(_meaning, calls) if call]


def _meaning(call: str) -> str:
    call = call.strip()
    if re.match(r"pwrite64\(\d+<[^>]*-wal>", call):
        return "written"
    if re.match(r"fdatasync\(\d+<[^>]*-wal>", call) and call.endswith("= 0"):
        return "synced"
    return "acknowledged" if re.match(r'write\(1<[^>]*>, "stored', call) else ""


async def test_every_acknowledgement_comes_after_a_sync_of_what_it_acknowledges(
    tmp_path: Path,
) -> None:
    """T69."""
    trace = tmp_path / "trace"
    await traced(tmp_path / "log.db", trace, "-e", "trace=pwrite64,fdatasync,write")
    calls = " ".join(interesting(_text(trace)))
    each = re.split(" ?acknowledged ?", calls)[:-1]
    assert len(each) == FEW
    assert [one for one in each if not re.search(r"written synced$", one)] == []


async def test_after_a_failed_sync_nothing_is_acknowledged_any_more(tmp_path: Path) -> None:
    """T70, where the disk fails and is not merely full."""
    path = tmp_path / "log.db"
    failing = f"inject=fdatasync:error=EIO:when={FAILING_SYNC}"
    said = await traced(path, tmp_path / "trace", "-e", "trace=fdatasync", "-e", failing)
    answers = [answer for answer, _ in said]
    stored = answers.count("stored")
    assert 0 < stored < FAILING_SYNC
    assert answers[stored:] == ["refused"] * (len(answers) - stored)
    assert len(answers) > stored + 1
    async with owned_log(path) as bus:
        await bus.check()
        assert {number for answer, number in said if answer == "stored"} <= (
            await all_bodies(bus)
        ).keys()


def _text(path: Path) -> str:
    return path.read_text()
