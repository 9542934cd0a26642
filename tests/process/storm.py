"""A platform at work while its hub is killed again and again, and what is left of it afterwards."""

import asyncio
import random
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from served import PATIENCE_SECONDS, Files, eventually, let_pass
from wire import ask, delivery, push

from hub.events.deployment import Stage
from hub.sandbox.history import Commit, read_commits
from hub.sandbox.promotion import promote
from hub.sandbox.samples import OWNER, image_of
from hub.sandbox.tekton import digest_of
from hub.sandbox.world import World

SERVICES = ("order-service", "payment-service", "shipping-service", "search-service")
DEGRADED, RECOVERING = (f"{service}-production" for service in SERVICES[:2])
CHANNEL = "#deployments"

STRAYS = 60
"""Deliveries in each round of which nothing comes but a skipped run."""
LONGEST_LIFE_SECONDS = 1.5
"""A push is in staging after about half of it, so a life ends at any stage of its way."""
EFFECT_SECONDS = 5.0
"""In which something is done outside, if there is anything to do."""
UNREADY_LIVES = 0.25
"""The share of lives that may end before they have begun."""

_MESSAGE = re.compile(r"(?P<service>\S+) → (?P<environment>\S+): (?P<stage>.+) \((?P<sha>\w{7})\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndState:
    """What the world looks like at the end, with every commit under a name of its own."""

    gitops: Mapping[str, str]
    """The files by their path."""
    running: Mapping[str, Sequence[str]]
    """The images by `service/environment`."""
    statuses: Mapping[str, Sequence[str]]
    """The states on a source commit, by its name."""
    messages: Mapping[str, str]
    """What the channel says of a service's last commit, by `service/environment`."""
    announced: frozenset[str]
    """All that the channel has a message for, as `service/environment name`."""
    incidents: Sequence[tuple[str, str]]
    """Dedup keys and states."""
    changes: frozenset[str]
    """The change events' summaries; repeats are declared, so they are not counted."""


class Target(Protocol):
    """The hub that the storm rages around: one process, or several."""

    @property
    def url(self) -> str: ...

    @property
    def port(self) -> int: ...

    async def start(self) -> None: ...

    async def ready(self) -> None: ...

    async def kill(self) -> None:
        """Have something terrible happen to it."""
        ...

    async def spawn(self) -> None:
        """Let it begin to come back."""
        ...

    def files(self) -> AbstractAsyncContextManager[Files]: ...


class Storm:
    """Pushes of developers, deliveries of strangers, trouble in production, kills."""

    def __init__(self, world: World, hub: Target, *, seed: int) -> None:
        self.world = world
        self.hub = hub
        self.acknowledged: set[str] = set()
        """The strays that were answered with 202."""
        self.commits: dict[str, Commit] = {}
        """Every commit that was pushed, by its name: `order-service#3`."""
        self._beginnings: dict[str, str] = {}
        self._what = random.Random(seed)
        self._when = random.Random(seed + 1)

    async def begin(self) -> None:
        """Bring a first commit of the services that will be in trouble to production."""
        await self.world.add_services(SERVICES[1:])
        for service in SERVICES:
            source = self.world.github.repositories[f"{OWNER}/{service}"]
            self._beginnings[f"{service}#begin"] = await source.resolve("main")
        await self.hub.start()
        self.world.connect(self.hub.url)
        for service in SERVICES[:2]:
            await self._push(service)
        await self.settle()
        for service in SERVICES[:2]:
            await promote(self.world, service)
            await self.world.settled()
            await self.world.argocd.sync(f"{service}-production")
        await self.settle()

    async def rage(self, rounds: int, *, killing: bool) -> None:
        """Play the rounds; with `killing` each of them is a life of the hub."""
        for number in range(rounds):
            if number == 0:
                for application in (DEGRADED, RECOVERING):
                    self.world.argocd.degrade(application, "readiness probe failed")
            if number == rounds // 2:
                await self._recover()
            for service in self._what.sample(SERVICES, 2):
                await self._push(service)
            strays = asyncio.create_task(self._post_strays(number))
            if killing:
                await self._die_and_rise()
            await strays
        await self.hub.ready()

    async def settle(self) -> None:
        """Wait until the world and the hub have nothing left to do, all that was missed told."""
        async with self.hub.files() as files:

            async def is_over() -> bool:
                before = await files.bus.recent(1)
                await self.world.settled()
                told = self._tell_again()
                quiet = await files.quiet()
                return not told and quiet and before == await files.bus.recent(1)

            await eventually(is_over, within_seconds=PATIENCE_SECONDS + len(self.commits))

    async def end_state(self) -> EndState:
        world = self.world
        files = await world.gitops.list_files("main")
        contents = await world.gitops.read_blobs(files.values())
        titles = [_title(one.text) for one in world.slack.messages(CHANNEL)]
        last = {name.partition("#")[0]: commit.sha for name, commit in self.commits.items()}
        return EndState(
            gitops={path: self._named(contents[blob].decode()) for path, blob in files.items()},
            running={
                f"{service}/{environment}": [
                    self._named(image) for image in world.running(service, environment)
                ]
                for service in SERVICES
                for environment in ("dev", "staging", "production")
            },
            statuses={
                name: [one.state for one in world.github.statuses.latest(_source(name), one.sha)]
                for name, one in self.commits.items()
            },
            messages={
                f"{title['service']}/{title['environment']}": title["stage"]
                for title in titles
                if last[title["service"]].startswith(title["sha"])
            },
            announced=frozenset(
                f"{title['service']}/{title['environment']} {self._named(title['sha'])}"
                for title in titles
            ),
            incidents=sorted((one.dedup_key, one.state) for one in world.pagerduty.incidents()),
            changes=frozenset(one.summary for one in world.pagerduty.changes()),
        )

    async def _push(self, service: str) -> None:
        number = sum(name.startswith(f"{service}#") for name in self.commits)
        name = f"{service}#{number}"
        self.commits[name] = await self.world.push(service, message=f"Change {name}")

    async def _post_strays(self, number: int) -> None:
        for stray in range(STRAYS):
            name = f"stray-{number}-{stray}"
            try:
                answer = await ask(
                    self.hub.port,
                    delivery(
                        name,
                        push(f"{OWNER}/stray-{stray % 7}"),
                        key=self.world.credentials.github_webhook.text,
                    ),
                )
            except (ConnectionError, EOFError):
                continue
            assert answer.status == 202
            self.acknowledged.add(name)

    async def _recover(self) -> None:
        """Recover what is degraded, once somebody was paged for it."""

        async def is_paged() -> bool:
            self.world.argocd.notifications.repeat(RECOVERING)
            await self.hub.ready()
            return any(one.source == RECOVERING for one in self.world.pagerduty.incidents())

        await eventually(is_paged)
        self.world.argocd.recover(RECOVERING)

    async def _die_and_rise(self) -> None:
        if look := self._when.choice([None, *self._effects()]):
            await _until_it_changes(look)
        else:
            await let_pass(self._when.uniform(0.0, LONGEST_LIFE_SECONDS))
        await self.hub.kill()
        await self.hub.spawn()
        if self._when.random() >= UNREADY_LIVES:
            await self.hub.ready()

    def _effects(self) -> Sequence[Callable[[], object]]:
        """Return looks at what the hub does outside.

        A life that ends when one of them changes ends between an effect and the note of it.
        """
        world = self.world

        def statuses() -> int:
            made = ((_source(name), one.sha) for name, one in self.commits.items())
            return sum(len(world.github.statuses.of(*commit)) for commit in made)

        return (
            lambda: len(world.cluster.pipeline_runs()),
            lambda: world.gitops.refs["refs/heads/main"],
            lambda: len(world.slack.messages(CHANNEL)),
            statuses,
        )

    def _tell_again(self) -> bool:
        """Tell what was given up once more, and return whether there was anything.

        GitHub's by redelivery. Tekton's and Argo CD's by hand: it is what a sweep is for.
        """
        webhooks, events = self.world.github.webhooks, self.world.tekton.events
        accepted = {one.guid for one in webhooks.deliveries.values() if one.accepted}
        missed = {one.guid: one.id for one in webhooks.deliveries.values()}
        for guid in missed.keys() - accepted:
            webhooks.redeliver(missed[guid])
        lost = bool(events.lost or self.world.argocd.notifications.lost)
        if events.lost:
            for run in self.world.cluster.pipeline_runs():
                events.emit("successful", run, last=True)
        if self.world.argocd.notifications.lost:
            for application in self.world.cluster.applications():
                self.world.argocd.notifications.repeat(application["metadata"]["name"])
        events.lost.clear()
        self.world.argocd.notifications.lost.clear()
        return lost or bool(missed.keys() - accepted)

    def _named(self, text: str) -> str:
        """Replace whatever names a commit or its image by the commit's name."""
        pushed = {name: commit.sha for name, commit in self.commits.items()}
        for name, sha in (self._beginnings | pushed).items():
            digest = digest_of(image_of(name.partition("#")[0]), sha)
            for sign in (digest, sha, sha[:12], sha[:7]):
                text = text.replace(sign, name)
        return text


async def _until_it_changes(look: Callable[[], object]) -> None:
    """Return in the same turn of the loop in which it changes, if it does in time."""
    before = look()
    with suppress(TimeoutError):
        async with asyncio.timeout(EFFECT_SECONDS):
            while look() == before:
                await asyncio.sleep(0)


def _source(name: str) -> str:
    return f"{OWNER}/{name.partition('#')[0]}"


def _title(text: str) -> dict[str, str]:
    found = _MESSAGE.match(text)
    assert found is not None, text
    assert found["stage"] in set(Stage), text
    return found.groupdict()


async def bumps_in(folder: Path) -> list[dict[str, str]]:
    """Return the trailers of every bump in a gitops repository; its history must be one line."""
    commits = await read_commits(folder, "main", limit=1_000_000)
    assert [len(commit.parents) for commit in commits] == [1] * (len(commits) - 1) + [0]
    lines = [commit.message.splitlines() for commit in commits if commit.author.name == "trunkline"]
    return [
        dict(line.split(": ", 1) for line in text if line.startswith("Trunkline-"))
        for text in lines
    ]
