"""The sandbox's git server, over its real protocol with the real git command."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from hub.sandbox.clock import Clock
from hub.sandbox.faults import Faults, ResetAfterEffect
from hub.sandbox.git import GitFailed, git, run
from hub.sandbox.git_http import GitHttp
from hub.sandbox.history import NO_COMMIT
from hub.sandbox.repository import Repository

TOKEN = "ghs_0123456789012345678901234567890123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    http: GitHttp
    repository: Repository
    faults: Faults

    @property
    def address(self) -> str:
        host = self.http.url.removeprefix("http://")
        return f"http://anybody:{TOKEN}@{host}/company/order-service.git"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    repository = Repository(
        name="company/order-service",
        folder=tmp_path / "order-service.git",
        clock=Clock(),
        default_branch="main",
    )
    repository.create()
    await repository.commit("main", "Begin", {"README.md": "# Orders\n"})
    faults = Faults()
    known = {repository.name: repository}
    http = GitHttp(faults=faults, find=known.get, token=TOKEN)
    await http.start()
    yield Served(http=http, repository=repository, faults=faults)
    await http.stop()


async def clone(served: Served, folder: Path) -> Path:
    await git(folder, "clone", "--quiet", served.address, "clone")
    return folder / "clone"


async def commit_in(working_copy: Path, content: str) -> None:
    (working_copy / "README.md").write_text(content)
    identity = ("-c", "user.name=Developer", "-c", "user.email=developer@company.example")
    await git(working_copy, *identity, "commit", "--quiet", "--all", "--message", "Change it")


async def test_a_clone_holds_what_was_committed(served: Served, tmp_path: Path) -> None:
    working_copy = await clone(served, tmp_path)
    assert (working_copy / "README.md").read_text() == "# Orders\n"


async def test_a_push_moves_the_branch_and_is_counted(served: Served, tmp_path: Path) -> None:
    working_copy = await clone(served, tmp_path)
    before = await served.repository.resolve("main")
    await commit_in(working_copy, "# More orders\n")
    await git(working_copy, "push", "--quiet", "origin", "main")
    (push,) = served.http.pushes
    (change,) = push.changes
    assert change.before == before
    assert change.after == await served.repository.resolve("main")
    assert not change.forced
    assert await served.repository.read_file("main", "README.md") == b"# More orders\n"


async def test_a_push_that_lost_a_race_is_refused(served: Served, tmp_path: Path) -> None:
    working_copy = await clone(served, tmp_path)
    await commit_in(working_copy, "ours\n")
    theirs = await served.repository.commit("main", "Be faster", {"README.md": "theirs\n"})
    with pytest.raises(GitFailed, match="fetch first"):
        await git(working_copy, "push", "--quiet", "origin", "main")
    assert await served.repository.resolve("main") == theirs.sha


async def test_a_forced_push_is_told_apart(served: Served, tmp_path: Path) -> None:
    working_copy = await clone(served, tmp_path)
    await commit_in(working_copy, "ours\n")
    await served.repository.commit("main", "Be faster", {"README.md": "theirs\n"})
    await git(working_copy, "push", "--quiet", "--force", "origin", "main")
    assert [change.forced for change in served.http.pushes[-1].changes] == [True]


async def test_a_deleted_branch_is_a_change_to_nothing(served: Served, tmp_path: Path) -> None:
    working_copy = await clone(served, tmp_path)
    await git(working_copy, "push", "--quiet", "origin", "main:topic/one")
    await git(working_copy, "push", "--quiet", "origin", "--delete", "topic/one")
    created, deleted = (change for push in served.http.pushes for change in push.changes)
    assert created.before == NO_COMMIT
    assert deleted.after == NO_COMMIT
    assert created.ref == deleted.ref == "refs/heads/topic/one"


async def test_a_declined_push_shows_the_reason(served: Served, tmp_path: Path) -> None:
    working_copy = await clone(served, tmp_path)
    await commit_in(working_copy, "ours\n")
    served.repository.refuse_pushes()
    with pytest.raises(GitFailed, match="GH006"):
        await git(working_copy, "push", "--quiet", "origin", "main")
    served.repository.accept_pushes()
    await git(working_copy, "push", "--quiet", "origin", "main")
    assert [len(push.changes) for push in served.http.pushes] == [0, 1]


async def test_a_push_whose_answer_is_lost_has_landed(served: Served, tmp_path: Path) -> None:
    working_copy = await clone(served, tmp_path)
    await commit_in(working_copy, "landed\n")
    served.faults.fail("git", ResetAfterEffect(), method="POST", path="git-receive-pack", times=1)
    with pytest.raises(GitFailed):
        await git(working_copy, "push", "--quiet", "origin", "main")
    assert await served.repository.read_file("main", "README.md") == b"landed\n"


async def test_a_big_push_arrives_whole(served: Served, tmp_path: Path) -> None:
    working_copy = await clone(served, tmp_path)
    text = "".join(f"{number * number}\n" for number in range(300_000))
    await commit_in(working_copy, text)
    await git(working_copy, "push", "--quiet", "origin", "main")
    assert await served.repository.read_file("main", "README.md") == text.encode()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic ???"},
        {"Authorization": f"Digest {TOKEN}"},
    ],
)
async def test_without_the_token_nothing_is_served(served: Served, headers: dict[str, str]) -> None:
    address = f"{served.http.url}/company/order-service.git/info/refs?service=git-upload-pack"
    async with aiohttp.request("GET", address, headers=headers) as answer:
        assert answer.status == 401
        assert "Basic" in answer.headers["WWW-Authenticate"]


async def test_an_unknown_repository_is_not_found(served: Served) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for name in ("company/other.git", "company/..%2f..%2fetc"):
        address = f"{served.http.url}/{name}/info/refs?service=git-upload-pack"
        async with aiohttp.request("GET", address, headers=bearer) as answer:
            assert answer.status == 404


async def test_commits_and_pushes_that_race_all_land(served: Served, tmp_path: Path) -> None:
    async def write(number: int) -> None:
        await served.repository.commit("main", f"Add {number}", {f"{number}.txt": "x"})

    working_copy = await clone(served, tmp_path)
    writers = [asyncio.create_task(write(number)) for number in range(10)]
    await git(working_copy, "push", "--quiet", "origin", "main:other")
    await asyncio.gather(*writers)
    assert len(await served.repository.list_files("main")) == 11
    refs = [change.ref for change in served.repository.changes]
    assert refs.count("refs/heads/other") == 1
    assert not any(change.forced for change in served.repository.changes)


async def test_a_command_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    os.mkfifo(told)
    running = asyncio.create_task(run("sh", "-c", f"echo $$ > {told}; exec sleep 60"))
    pid = int(await asyncio.to_thread(told.read_text))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
