"""Names and files that want the gitops writer to do something else: none of them is obeyed."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from gitops_world import (
    NAME,
    TOKEN,
    Line,
    World,
    bump_of,
    call,
    kustomization,
    make_world,
    path_of,
    read_of,
    states,
)

from hub.clients.gitops import Gitops
from hub.errors import PermanentError, SettingsError
from hub.sandbox.git import git
from hub.settings import GitopsSettings

HOSTILE = [
    "--upload-pack=touch {sentinel}",
    "--exec=touch {sentinel}",
    "-oProxyCommand=touch {sentinel}",
    "--output={sentinel}",
    "$(touch {sentinel})",
    "`touch {sentinel}`",
    ";touch${{IFS}}{sentinel}",
    "x\ntouch {sentinel}",
    "x\0y",
    "x\r\nTrunkline-Event: forged",
    "../../../etc",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "/etc/passwd",
    ".git",
    "{{service}}",
    "{{service.__class__}}",
    "%2e%2e",
    "UPPER",
    "ünïcode",
    "a" * 64,
    "-a",
    "a-",
    "a b",
    "a,b",
    "HEAD",
    "refs/heads/main",
    "@{{u}}",
    "main..other",
    "x:services",
    "ext::sh -c touch% {sentinel}",
    "\N{RIGHT-TO-LEFT OVERRIDE}x",
]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, "file")
    yield made
    await made.close()


@pytest.fixture
def sentinel(tmp_path: Path) -> Path:
    return tmp_path / "sentinel"


def assert_nothing_ran(sentinel: Path) -> None:
    assert not sentinel.exists()


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_name_leads_out_of_its_folder(world: World, sentinel: Path, text: str) -> None:
    begin = await world.tip()
    writer = world.writer()
    hostile = text.format(sentinel=sentinel)
    good = bump_of("order-service", 1)
    for bump in (
        replace(good, service=hostile),
        replace(good, environments=(hostile,)),
        replace(good, environments=("dev", hostile)),
    ):
        with pytest.raises(PermanentError, match="is not a DNS label"):
            await writer.bump(bump, call())
    assert await writer.read(read_of(hostile, "dev", begin), call()) is None
    assert await writer.read(read_of("order-service", hostile, begin), call()) is None
    assert await writer.read(read_of("order-service", "dev", hostile), call()) is None
    assert_nothing_ran(sentinel)
    assert await world.tip() == begin


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_value_is_run_or_forges_a_trailer(world: World, sentinel: Path, text: str) -> None:
    """Some of these texts are good for a tag or a repository, such as `HEAD`: they may land."""
    begin = await world.tip()
    writer = world.writer()
    hostile = text.format(sentinel=sentinel)
    good = bump_of("order-service", 1)
    variants = [
        replace(good, repository=hostile),
        replace(good, repository=f"company/{hostile}"),
        replace(good, revision=hostile),
        replace(good, image=replace(good.image, repository=hostile)),
        replace(good, image=replace(good.image, tag=hostile)),
        replace(good, image=replace(good.image, digest=hostile)),
    ]
    keys = {call(str(number)).key for number in range(len(variants))}
    for number, bump in enumerate(variants):
        with suppress(PermanentError):
            await writer.bump(bump, call(str(number)))
    assert_nothing_ran(sentinel)
    allowed = {path_of("order-service", "dev"), path_of("order-service", "staging")}
    assert set(await world.changed(begin)) <= allowed
    told = await git(
        world.repository.folder,
        *("log", "--format=%(trailers:key=Trunkline-Event,valueonly)", f"{begin}..refs/heads/main"),
    )
    assert set(told.decode().split()) <= keys


def refused(folder: Path, match: str, **settings: object) -> str:
    """Return the words with which a writer with these settings is refused."""
    with pytest.raises(SettingsError, match=match) as refusal:
        made(folder, **settings)
    return str(refusal.value)


def made(folder: Path, **settings: object) -> Gitops:
    whole = {"url": "https://git.example/company/gitops.git"} | settings
    return Gitops(
        settings=GitopsSettings.model_validate(whole), order=Line(), state=folder, token=None
    )


@pytest.mark.parametrize("branch", ["main", "release/1.2", "team_a/b+c", "2026-01"])
def test_a_branch_may_be_called_what_branches_are_called(tmp_path: Path, branch: str) -> None:
    made(tmp_path, branch=branch)


@pytest.mark.parametrize(
    "text", sorted(set(HOSTILE) - {"UPPER", "a" * 64, "a-", "a/b", "HEAD", "refs/heads/main"})
)
def test_a_branch_that_is_not_a_name_is_refused(tmp_path: Path, sentinel: Path, text: str) -> None:
    refused(tmp_path, r"gitops\.branch", branch=text.format(sentinel=sentinel))


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch sentinel'",
        "ssh://-oProxyCommand=touch/x",
        "git@github.com:company/gitops.git",
        "http://git.example/company/gitops.git",
        "https://user:secret@git.example/company/gitops.git",
        "https://git.example/company/gitops.git?token=secret",
        "https://git.example/x\nHost: y",
        "file://server/share",
        "file:relative",
        "/srv/gitops.git",
        "--upload-pack=touch sentinel",
        "https://",
        "https://[::1",
        "",
    ],
)
def test_an_address_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    assert "secret" not in refused(tmp_path, r"gitops\.url", url=url)


@pytest.mark.parametrize(
    "pattern",
    [
        "../{service}.yaml",
        "/etc/{service}",
        "a/../{service}",
        "a//{service}",
        "{service}/.git/config",
        "{service}/.GIT/config",
        "{service.__class__}",
        "{service!r}",
        "{service:>10}",
        "{}",
        "{other}",
        "{service",
        "a\\{service}",
        "a\n{service}",
        '"{service}"',
        "",
    ],
)
def test_a_pattern_that_could_leave_the_repository_is_refused(tmp_path: Path, pattern: str) -> None:
    refused(tmp_path, r"gitops\.files", files=(pattern,))


def test_an_author_that_could_forge_a_commit_is_refused(tmp_path: Path) -> None:
    forged = "x <x@x.example> 0 +0000\ncommitter y"
    refused(tmp_path, r"gitops\.author_name", author_name=forged)


async def stage(world: World, *update_index: str, path: str = "") -> None:
    """Commit what no ordinary commit holds, by an index of its own."""
    folder = world.repository.folder
    await git(folder, "read-tree", "refs/heads/main")
    if path:
        await git(folder, "rm", "-r", "--cached", "--quiet", path)
    await git(folder, "update-index", "--add", *update_index)
    tree = (await git(folder, "write-tree")).decode().strip()
    identity = ("-c", "user.name=Mallory", "-c", "user.email=mallory@company.example")
    commit = await git(folder, *identity, "commit-tree", "-p", "main", "-m", "Odd", tree)
    await world.repository.set_ref("refs/heads/main", commit.decode().strip())


async def blob(world: World, content: str) -> str:
    told = await git(
        world.repository.folder, "hash-object", "-w", "--stdin", stdin=content.encode()
    )
    return told.decode().strip()


@pytest.mark.parametrize(
    ("mode", "place", "words"),
    [
        ("120000", path_of("order-service", "dev"), "is a symbolic link"),
        ("120000", "services/order-service/overlays", "overlays is a symbolic link"),
        ("160000", "services/order-service", "services/order-service is a submodule"),
        ("160000", path_of("order-service", "dev"), "is a submodule"),
    ],
)
async def test_links_and_submodules_are_not_followed(
    world: World, mode: str, place: str, words: str
) -> None:
    target = await blob(world, "../../mail-service/overlays/dev/kustomization.yaml")
    sha = target if mode == "120000" else await world.tip()
    await stage(world, "--cacheinfo", f"{mode},{sha},{place}", path=place)
    begin = await world.tip()
    with pytest.raises(PermanentError, match=words) as refusal:
        await world.writer().bump(bump_of("order-service", 1, ["dev"]), call())
    assert str(refusal.value).startswith(path_of("order-service", "dev"))
    assert await world.tip() == begin


async def test_an_executable_file_stays_executable(world: World) -> None:
    path = path_of("order-service", "dev")
    sha = await blob(world, kustomization("order-service", "dev"))
    await stage(world, "--cacheinfo", f"100755,{sha},{path}")
    await world.writer().bump(bump_of("order-service", 1, ["dev"]), call())
    told = await git(world.repository.folder, "ls-tree", "refs/heads/main", path)
    assert told.startswith(b"100755 blob")
    assert await world.content("order-service") == kustomization("order-service", "dev", 1)


async def test_a_file_that_is_too_large_is_refused_and_not_read(world: World) -> None:
    path = path_of("order-service", "dev")
    await world.human(path, kustomization("order-service", "dev") + "#" * 300_000)
    with pytest.raises(PermanentError, match=f"{path}: larger than 256 KiB"):
        await world.writer().bump(bump_of("order-service", 1, ["dev"]), call())


async def test_hooks_and_configuration_of_the_clone_s_owner_are_not_run(
    world: World, sentinel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    hook = home / "hooks" / "pre-push"
    hook.write_text(f"#!/bin/sh\ntouch {sentinel}\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\n\thooksPath = {home / 'hooks'}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {sentinel}")
    monkeypatch.setenv("GIT_TRACE", str(sentinel))
    writer = world.writer()
    await writer.bump(bump_of("order-service", 1), call("one"))
    shutil.copytree(home / "hooks", world.clone / "hooks")
    await writer.bump(bump_of("order-service", 2), call("two"))
    assert_nothing_ran(sentinel)


RECORDER = """\
#!/bin/sh
{ for argument in "$@"; do printf '%s\\n' "$argument"; done; echo ---; } >> "$0.log"
exec @GIT@ "$@"
"""


async def test_what_varies_stands_behind_the_end_of_the_options_and_the_token_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = tmp_path / "bin" / "git"
    recorder.parent.mkdir()
    recorder.write_text(RECORDER.replace("@GIT@", str(shutil.which("git"))))
    recorder.chmod(0o755)
    world = await make_world(tmp_path, "http")
    monkeypatch.setenv("PATH", f"{recorder.parent}:{os.environ['PATH']}")
    begin = await world.tip()
    writer = world.writer()
    bump = await writer.bump(bump_of("order-service", 1), call("one"))
    await writer.bump(bump_of("order-service", 2), call("two"))
    await writer.read(read_of("order-service", "dev", bump.commit or ""), call())
    await world.close()
    log = (tmp_path / "bin" / "git.log").read_text()
    commands = [command.strip().splitlines() for command in log.split("---\n") if command]
    assert {command[0] for command in commands} >= {"fetch", "push", "log", "ls-tree"}
    varying = (NAME, "refs/heads", begin, bump.commit or "", "order-service")
    for command in commands:
        end = command.index("--end-of-options") if "--end-of-options" in command else len(command)
        told = [one for one in command[:end] if any(value in one for value in varying)]
        assert all(one.startswith("--force-with-lease=refs/heads/main:") for one in told)
    assert TOKEN not in log
    assert states(bump) == {"dev": "bumped", "staging": "bumped"}
    for file in world.state.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()
