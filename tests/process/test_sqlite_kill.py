"""A process that appends is killed again and again, and nothing acknowledged is lost."""

from pathlib import Path

import apsw
import pytest
from sqlite_process import all_bodies, body_of, next_line, other_process, owned_log

KILLS = 20


async def acknowledged_before_a_kill(path: Path, *, name: str, kill_after: int) -> set[str]:
    """Run the appender, kill it after so many acknowledgements; return all it could say."""
    said = set()
    async with other_process("append", path, name) as process:
        for _ in range(kill_after):
            said |= set(await next_line(process))
        process.kill()
        while line := await next_line(process):
            said |= set(line)
    assert len(said) >= kill_after
    return said


def integrity(path: Path) -> str:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    found = str(connection.execute("PRAGMA integrity_check").get)
    connection.close()
    return found


@pytest.mark.timeout(240)
async def test_every_acknowledged_event_survives_a_kill_at_any_point(tmp_path: Path) -> None:
    """T68."""
    path = tmp_path / "log.db"
    said: set[str] = set()
    for number in range(KILLS):
        said |= await acknowledged_before_a_kill(
            path, name=str(number), kill_after=1 + 17 * number % 90
        )
        assert integrity(path) == "ok"
        async with owned_log(path) as bus:
            bodies = await all_bodies(bus)
        assert said <= bodies.keys()
        assert [name for name, data in bodies.items() if data != body_of(name)] == []


async def test_what_a_kill_left_of_a_large_body_is_swept_away(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    for number in range(4):
        await acknowledged_before_a_kill(path, name=str(number), kill_after=1 + 20 * number)
    async with owned_log(path) as bus:
        await bus.recover()
    connection = apsw.Connection(str(path))
    pieces = connection.execute("SELECT DISTINCT body FROM event_pieces ORDER BY body").fetchall()
    events = connection.execute("SELECT body FROM events WHERE body > 0 ORDER BY body").fetchall()
    connection.close()
    assert pieces == events
