"""The disk has no room left: nothing is acknowledged that is not kept, and it heals by itself.

The kernel is told that the process may write no file beyond a size; that is refused in the same
place and in the same way as by a disk that is full, and taken back as easily.
"""

import os
import resource
from itertools import count
from pathlib import Path

from served import Served, eventually
from surroundings import KEY, Alone
from wire import Answer, Line, delivery, line_to, push

SETTINGS = {"handlers_module": "recording_handlers"}


def fill_disk(hub: Served) -> None:
    """Let no file of the process grow beyond what its write-ahead log has now."""
    size = (hub.folder / "state" / "trunkline.db-wal").stat().st_size
    _, hard = resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def make_room(hub: Served) -> None:
    _, hard = resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


class Sender:
    """Posts pushes, each under a name of its own, and keeps which were taken and which not."""

    def __init__(self, line: Line) -> None:
        self.taken: list[str] = []
        self.refused: list[str] = []
        self._line = line
        self._numbers = count()

    async def send(self, name: str | None = None) -> Answer:
        name = name or f"delivery-{next(self._numbers)}"
        answer = await self._line.ask(delivery(name, push(), key=KEY))
        (self.taken if answer.status == 202 else self.refused).append(name)
        return answer

    async def is_refused(self) -> bool:
        return (await self.send()).status == 503


async def test_a_full_disk_is_a_503_until_there_is_room_again(alone: Alone, tmp_path: Path) -> None:
    """T70."""
    record = tmp_path / "record"

    async def unready() -> bool:
        return await hub.readiness() == 503

    async with alone(dispatch=SETTINGS) as hub:
        hub.environment["RECORD_FILE"] = str(record)
        hub.log = Path(os.devnull)
        await hub.start()
        async with line_to(hub.port) as line:
            sender = Sender(line)
            assert (await sender.send()).status == 202
            fill_disk(hub)
            await eventually(sender.is_refused)
            answer = await sender.send()
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["content-type"] == "application/problem+json"
            await eventually(unready)
            assert (await hub.ask_admin("/healthz"))[0] == 200
            make_room(hub)
            await hub.ready()
            for name in sender.refused.copy():
                again = await sender.send(name)
                assert (again.status, again.duplicate) == (202, False)
        async with hub.files() as files:
            await eventually(files.quiet)
            assert sorted(await files.event_ids()) == sorted(sender.taken)
        assert await hub.stop() == 0

    handled = [line.split()[-1] for line in record.read_text().splitlines()]
    assert sorted(handled) == sorted(sender.taken)


async def test_a_process_that_ends_on_a_full_disk_has_kept_what_it_acknowledged(
    alone: Alone, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    async with alone(dispatch=SETTINGS) as hub:
        hub.environment["RECORD_FILE"] = str(record)
        hub.log = Path(os.devnull)
        await hub.start()
        async with line_to(hub.port) as line:
            sender = Sender(line)
            await sender.send()
            fill_disk(hub)
            await eventually(sender.is_refused)
        assert await hub.stop() == 0
        await hub.start()
        async with hub.files() as files:
            await eventually(files.quiet)
            assert sorted(await files.event_ids()) == sorted(sender.taken)

    handled = {line.split()[-1] for line in record.read_text().splitlines()}
    assert handled == set(sender.taken)
