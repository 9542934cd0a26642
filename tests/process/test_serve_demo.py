"""`trunkline demo`: shows what it promises, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from served import PATIENCE_SECONDS, ROOT

BEFORE_THE_CLUSTER = ["building", "built", "bumped"]
IN_THE_CLUSTER = ["syncing", "synced", "healthy"]


@asynccontextmanager
async def demo(folder: Path, *options: str) -> AsyncIterator[Process]:
    """Run it with an environment that has nothing in it, in a session of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "demo", *options),
        stdout=PIPE,
        stderr=PIPE,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def left_behind(session: int) -> list[str]:
    """Return the processes of a session that still live, by their state and name."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, fields = status.read_text().rpartition(")")
            state, _, _, of_session = fields.split()[:4]
            if int(of_session) == session and state != "Z":
                found.append(f"{state} {name}")
    return found


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


async def test_once_prints_the_journey_as_json_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        async with demo(tmp_path, "--once", "--json", "--port", str(port)) as process:
            said, complained = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
            assert left_behind(process.pid) == []
        assert not listens(port)

    assert (process.returncode, complained) == (0, b"")
    assert list(tmp_path.iterdir()) == []
    told = json.loads(said)
    timeline = told["timeline"]
    assert (timeline[0]["stage"], timeline[0]["seconds"]) == ("pushed", 0.0)
    seconds = [one["seconds"] for one in timeline]
    assert seconds == sorted(seconds)
    for environment in ("dev", "staging"):
        stages = [one["stage"] for one in timeline if one["environment"] == environment]
        # Argo CD may see the commit before the hub has said that it is there, and a machine that is
        # busy may see two stages as one.
        for way in (BEFORE_THE_CLUSTER, IN_THE_CLUSTER):
            assert [one for one in stages if one in way] == [one for one in way if one in stages]
        assert {"built", "bumped", "healthy"} <= {*stages}
    assert told["seconds"] == timeline[-1]["seconds"]
    titles = sorted(text.partition("\n")[0] for text in told["deployments"])
    assert [title.partition(":")[0] for title in titles] == [
        "order-service → dev",
        "order-service → staging",
    ]
    assert titles[1] == f"order-service → staging: healthy ({told['revision'][:7]})"


async def test_it_stays_for_whoever_watches_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    async with demo(tmp_path) as process:
        assert process.stdout is not None
        seen = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in process.stdout:
                seen.append(line.decode().strip())
                if seen[-1] == "Ctrl-C ends it.":
                    break
        process.send_signal(signal.SIGINT)
        rest, complained = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        assert left_behind(process.pid) == []

    assert (process.returncode, rest, complained) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []
    story = "\n".join(seen)
    assert "verified by github/sandbox, on disk, 202" in story
    assert "production: healthy" in story
    assert "PagerDuty: order-service-production: it is degraded (triggered)" in story
    assert "PagerDuty: order-service-production: it is degraded (resolved)" in story
    assert "#deployments" in seen
