"""The writer is killed, or git is killed under it: whatever is done again, nothing comes twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gitops_bumper import BUILDS, ByNumber, bump_of, call

from hub.clients.gitops import Gitops
from hub.errors import TemporaryError
from hub.sandbox.git import git
from hub.settings import GitopsSettings

ROOT = Path(__file__).parents[2]
BUMPER = Path(__file__).with_name("gitops_bumper.py")
SERVICES = [f"service-{number}" for number in range(6)]
DEADLINE_SECONDS = 60.0

FILE = """\
images:
  - name: registry.example/company/{service}
    newTag: v{number} # 이미지
    digest: sha256:{number:064x}
"""


def path_of(service: str) -> str:
    return f"services/{service}/overlays/dev/kustomization.yaml"


@pytest.fixture
async def remote(tmp_path: Path) -> Path:
    folder = tmp_path / "gitops.git"
    await git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
    script = b"commit refs/heads/main\ncommitter a <a@a.example> 0 +0000\ndata 5\nBegin\n"
    for service in SERVICES:
        octets = FILE.format(service=service, number=0).encode()
        script += f"M 100644 inline {path_of(service)}\ndata {len(octets)}\n".encode() + octets
    await git(folder, "fast-import", "--quiet", stdin=script + b"\n")
    return folder


async def start(remote: Path, state: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(BUMPER), f"file://{remote}", str(state), *SERVICES),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


async def lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    assert process.stdout
    async for line in process.stdout:
        text = line.decode()
        if text.startswith("service-"):
            yield text


async def assert_each_build_landed_once(remote: Path) -> None:
    log = await git(remote, "log", "--format=%P|%(trailers:key=Trunkline-Event,valueonly)", "main")
    records = [line for line in log.decode().splitlines() if line]
    events = [line.partition("|")[2] for line in records if line.partition("|")[2]]
    expected = {call(service, n).key for service in SERVICES for n in range(1, BUILDS + 1)}
    assert len(events) == len(expected)
    assert set(events) == expected
    assert all(len(line.partition("|")[0].split()) <= 1 for line in records)
    for service in SERVICES:
        told = await git(remote, "cat-file", "blob", f"main:{path_of(service)}")
        assert told.decode() == FILE.format(service=service, number=BUILDS)


async def test_a_writer_that_is_killed_again_and_again_makes_each_commit_once(
    remote: Path, tmp_path: Path
) -> None:
    said: set[str] = set()
    for patience in (1, 3, 2, 8, 1, 5):
        process = await start(remote, tmp_path / "state")
        async with asyncio.timeout(DEADLINE_SECONDS):
            count = 0
            async for line in lines(process):
                said.add(line)
                count += 1
                if count == patience:
                    break
        process.kill()
        await process.wait()
    async with asyncio.timeout(DEADLINE_SECONDS):
        process = await start(remote, tmp_path / "state")
        said |= {line async for line in lines(process)}
        assert await process.wait() == 0
    await assert_each_build_landed_once(remote)
    assert len(said) == len(SERVICES) * BUILDS, "an answer differed from one that was given before"


def pushes_from(state: Path) -> list[int]:
    """The processes that push from a clone in the state folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if arguments[1:2] == [b"push"] and f"GIT_DIR={state}".encode() in environment:
            found.append(int(process.name))
    return found


async def kill_a_push_from(state: Path) -> None:
    """Kill the push that is held on the server, as soon as there is one."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            pids = pushes_from(state)
            if pids:
                break
            await asyncio.sleep(0.005)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def test_a_push_that_is_killed_lands_all_the_same_and_once(
    remote: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    hook = remote / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.02; done\n")
    hook.chmod(0o755)
    state = tmp_path / "state"
    settings = GitopsSettings(url=f"file://{remote}")
    gitops = Gitops(settings=settings, order=ByNumber(), state=state, token=None)
    bumping = asyncio.create_task(gitops.bump(bump_of("service-0", 1), call("service-0", 1)))
    await kill_a_push_from(state)
    go.touch()
    try:
        bump = await bumping
    except TemporaryError:
        bump = await gitops.bump(bump_of("service-0", 1), call("service-0", 1))
    await gitops.close()
    assert bump.commit == (await git(remote, "rev-parse", "main")).decode().strip()
    assert int(await git(remote, "rev-list", "--count", "main")) == 2
