"""One process owns the file; another one is told who, and takes over when it is gone."""

from pathlib import Path

import pytest
from sqlite_process import next_line, other_process, owned_log

from hub.errors import StorageOwned
from hub.sqlite import Database


async def test_a_second_process_is_refused_and_told_the_holder(tmp_path: Path) -> None:
    """T72."""
    path = tmp_path / "log.db"
    async with other_process("own", path) as owner:
        said, pid = await next_line(owner)
        assert said == "owns"
        with pytest.raises(StorageOwned, match=rf"log\.db is owned by process {pid} on .+ since 2"):
            await Database.own(path)
        visitor = await Database.visit(path)
        await visitor.close()
        with pytest.raises(StorageOwned, match=pid):
            await Database.own(path)


async def test_ownership_ends_with_a_process_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with other_process("own", path) as owner:
        await next_line(owner)
        owner.kill()
        await owner.wait()
        async with owned_log(path) as bus:
            await bus.check()
