"""A gitops repository behind real git, the source commits of its images, and writers for it."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.actions.action import Call
from hub.actions.gitops import Bump, BumpImage, Image, ReadImage
from hub.clients.gitops import Comparison, Gitops, Order
from hub.errors import TrunklineError
from hub.events.envelope import Envelope
from hub.sandbox.clock import Clock
from hub.sandbox.faults import Faults
from hub.sandbox.git import git
from hub.sandbox.git_http import GitHttp
from hub.sandbox.repository import Repository
from hub.secrets import SecretPlace
from hub.settings import GitopsSettings, Secret

NAME = "company/gitops"
TOKEN = "ghs_0123456789012345678901234567890123456789"
ENVIRONMENTS = ("dev", "staging", "production")

KUSTOMIZATION = """\
# {service} in {environment} — gehört Team Größe
resources: [../../base]
images:
  - name: app
    newName: registry.example/company/{service}   # built by CI
    newTag: '{tag}'
    digest: sha256:{digest:064x}
"""


def kustomization(service: str, environment: str, number: int = 0) -> str:
    return KUSTOMIZATION.format(
        service=service, environment=environment, tag=f"v{number}", digest=number
    )


def path_of(service: str, environment: str) -> str:
    return f"services/{service}/overlays/{environment}/kustomization.yaml"


def files_of(*services: str) -> dict[str, str]:
    return {
        path_of(service, environment): kustomization(service, environment)
        for service in services
        for environment in ENVIRONMENTS
    }


def revision(number: int) -> str:
    """The source commit of build `number`."""
    return f"{number:040x}"


def image_of(service: str, number: int) -> Image:
    return Image(
        repository=f"registry.example/company/{service}",
        tag=f"v{number}",
        digest=f"sha256:{number:064x}",
    )


def bump_of(
    service: str, number: int, environments: Sequence[str] = ("dev", "staging")
) -> BumpImage:
    """The bump to build `number` of a service, made of the source commit with that number."""
    return BumpImage(
        service=service,
        environments=tuple(environments),
        image=image_of(service, number),
        repository=f"company/{service}",
        revision=revision(number),
    )


def call(event: str = "event") -> Call:
    envelope = Envelope(id=event, source="/tekton", type="t", partitionkey="k", data=b"{}")
    return Call(event=envelope, handler="bump_image_tag", step=1, attempt=1)


class Line:
    """Source commits that follow one another by their number, but for those told otherwise."""

    def __init__(self) -> None:
        self.diverged: dict[frozenset[int], bool] = {}
        """Pairs of commits without a common line; True where the higher number is the later one."""
        self.fails: dict[int, TrunklineError | None] = {}
        """What is raised, or UNKNOWN, when one of these commits is asked for."""
        self.breaks = False
        """Whether it raises what no client may raise."""

    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        await asyncio.sleep(0)
        if self.breaks:
            raise ValueError(repository)
        first, second = int(base, 16), int(head, 16)
        for number in (first, second):
            if number in self.fails:
                error = self.fails[number]
                if error:
                    raise error
                return Comparison(order=Order.UNKNOWN)
        later = self.diverged.get(frozenset({first, second}))
        if later is None:
            return Comparison(order=Order.AHEAD if second > first else Order.BEHIND)
        dates = {max(first, second): 1 if later else 0, min(first, second): 0 if later else 1}
        start = datetime(2026, 1, 1, tzinfo=UTC)
        return Comparison(
            order=Order.DIVERGED,
            base_committed_at=start + timedelta(hours=dates[first]),
            head_committed_at=start + timedelta(hours=dates[second]),
        )


class AtOnce(random.Random):
    """Chance that lets nobody wait."""

    def uniform(self, a: float, b: float) -> float:
        return a


@dataclass(kw_only=True)
class World:
    """The remote, and how to make writers for it."""

    repository: Repository
    http: GitHttp
    faults: Faults
    url: str
    state: Path
    token_file: Path
    order: Line = field(default_factory=Line)
    wall: Callable[[], float] = lambda: 1_800_000_000.0
    writers: list[Gitops] = field(default_factory=list)

    def writer(self, **changes: object) -> Gitops:
        """A writer for the repository, as after a start of the hub."""
        settings = GitopsSettings.model_validate({"url": self.url} | changes)
        place = SecretPlace(Secret(file=self.token_file), name="gitops.token")
        made = Gitops(
            settings=settings,
            order=self.order,
            state=self.state,
            token=place if self.url.startswith("http") else None,
            wall=self.wall,
            chance=AtOnce(),
        )
        self.writers.append(made)
        return made

    @property
    def clone(self) -> Path:
        """The writer's clone on disk."""
        (folder,) = self.state.glob("gitops-" + "[0-9a-f]" * 16)
        return folder

    async def close(self) -> None:
        for writer in self.writers:
            await writer.close()
        self.faults.clear()
        await self.http.stop()

    async def content(self, service: str, environment: str = "dev") -> str:
        told = await self.repository.read_file("main", path_of(service, environment))
        return told.decode()

    async def tip(self) -> str:
        """The commit that the branch is at."""
        told = await git(self.repository.folder, "rev-parse", "refs/heads/main")
        return told.decode().strip()

    async def changed(self, since: str) -> list[str]:
        """The paths that differ from an earlier commit."""
        told = await git(self.repository.folder, "diff", "--name-only", since, "refs/heads/main")
        return told.decode().splitlines()

    async def subjects(self, since: str) -> list[str]:
        """The subjects of the branch's commits since then, oldest first."""
        told = await git(
            self.repository.folder, "log", "--reverse", "--format=%s", f"{since}..refs/heads/main"
        )
        return told.decode().splitlines()

    async def human(self, path: str, content: str | bytes | None, message: str = "By hand") -> str:
        commit = await self.repository.commit("main", message, {path: content})
        return commit.sha

    async def commits(self, since: str) -> int:
        """How many commits the branch has gained; asserts that it is a line."""
        span = f"{since}..main"
        told = await git(self.repository.folder, "rev-list", "--parents", span)
        lines = told.decode().splitlines()
        assert all(len(line.split()) == 2 for line in lines), "the history is not linear"
        return len(lines)

    def pushes(self) -> int:
        """How many pushes have moved the branch, told by the server's own log of its refs."""
        log = self.repository.folder / "logs" / "refs" / "heads" / "main"
        return sum(line.endswith("\tpush") for line in log.read_text().splitlines())

    def hook(self, name: str, script: str) -> None:
        """Install a hook on the server."""
        file = self.repository.folder / "hooks" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)


async def make_world(folder: Path, protocol: str, *services: str) -> World:
    """A repository with the overlays of these services, served by `file` or `http`."""
    repository = Repository(name=NAME, folder=folder / "gitops.git", clock=Clock())
    repository.create()
    await git(repository.folder, "config", "core.logAllRefUpdates", "true")
    files = files_of(*(services or ("order-service", "mail-service")))
    await repository.commit("main", "Begin", files | {"README.md": "# Places\r\n"})
    faults = Faults()
    known = {repository.name: repository}
    http = GitHttp(faults=faults, find=known.get, token=TOKEN)
    await http.start()
    token_file = folder / "token"
    token_file.write_text(TOKEN)
    return World(
        repository=repository,
        http=http,
        faults=faults,
        url=f"{http.url}/{NAME}.git" if protocol == "http" else f"file://{repository.folder}",
        state=folder / "state",
        token_file=token_file,
    )


def read_of(service: str, environment: str, commit: str) -> ReadImage:
    return ReadImage(service=service, environment=environment, commit=commit)


def states(bump: Bump) -> dict[str, str]:
    return {one.environment: one.state.value for one in bump.environments}
