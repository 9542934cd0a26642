"""A platform for a story: the sandbox world and a hub in it, told in the user's words."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from hub.configuration import load
from hub.events.envelope import Envelope
from hub.journal.interface import Run, RunState
from hub.sandbox.argocd.rendering import TRIGGERS, body
from hub.sandbox.github.hooks import Delivery
from hub.sandbox.history import Commit
from hub.sandbox.kubernetes import APPLICATIONS, PIPELINE_RUNS, Object
from hub.sandbox.kubernetes.cluster import merge
from hub.sandbox.slack.workspace import SlackMessage
from hub.sandbox.tekton.states import to_v1beta1
from hub.sandbox.world import SAMPLE_SERVICE, World
from hub.telemetry.redaction import Redactor
from hub.views.explain import Explanation, explain
from hub.wiring.clock import Clocks
from hub.wiring.hub import Hub
from hub.wiring.installed import installed_handlers

PATIENCE_SECONDS = 60.0
"""Then a story is stuck, whatever the machine is busy with."""

_LOOK_SECONDS = 0.02

CHANNEL = "#deployments"
SOURCE = f"company/{SAMPLE_SERVICE}"
PRODUCTION = f"{SAMPLE_SERVICE}-production"

QUICK: Mapping[str, Any] = {
    "slack": {"seconds_per_message": 0},
    "dispatch": {
        "retry_attempts": 1_000,
        "retry_base_seconds": 0.01,
        "retry_cap_seconds": 0.05,
    },
}
"""A story does not wait for what only has to wait in the world outside."""

_ARGOCD = "argocd"
_UNFINISHED = (RunState.READY, RunState.RUNNING, RunState.RETRYING)
_TAG = re.compile(r"newTag: *\"?(?P<tag>[^\s\"#]+)")


class MovableClock:
    """The hub's clocks, which a story moves on instead of waiting."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def skip(self, seconds: float) -> None:
        """Let so much time have passed."""
        self._ahead += seconds

    @property
    def clocks(self) -> Clocks:
        return Clocks(
            wall=lambda: time.time() + self._ahead,
            monotonic=lambda: time.monotonic() + self._ahead,
        )


class Platform:
    """The world, and the hub that is to keep up with it."""

    def __init__(self, folder: Path, changes: Mapping[str, Any], *, retry_seconds: float) -> None:
        """`changes` go into the settings; `retry_seconds` is Argo CD's first pause."""
        self.file = folder / "trunkline.yaml"
        self.state = folder / "state"
        self.clock = MovableClock()
        self.redactor = Redactor()
        self.hub: Hub
        self.changes = changes
        self._port = 0
        scratch = folder / "world"
        scratch.mkdir()
        self.world = World(scratch=scratch, notification_retry_seconds=retry_seconds)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Platform"]:
        async with self.world:
            await self.start()
            try:
                self.world.connect(f"http://127.0.0.1:{self._port}")
                await self.world.settled()
                yield self
            finally:
                await self.stop()

    async def start(self) -> None:
        """Start a hub on the log that is there, at the address that it had."""
        self.world.write_settings(
            self.file, state=self.state, port=self._port, admin_port=0, changes=self.changes
        )
        settings = load(self.file, {})
        self.hub = Hub(settings, learn=self.redactor.add, clocks=self.clock.clocks)
        await self.hub.__aenter__()
        self._port = self.hub.port

    async def stop(self) -> None:
        await self.hub.__aexit__(None, None, None)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def settled(self, *, retrying: bool = False) -> None:
        """Wait until neither the world nor the hub has anything left to do by itself.

        With `retrying`, what has failed and is tried again later is not waited for.
        """
        await eventually(lambda: self._is_quiet(retrying=retrying))

    async def hub_is_idle(self, *, retrying: bool = False) -> None:
        """Wait until the hub has nothing to do, whatever the world is at."""
        await eventually(lambda: self._is_idle(retrying=retrying))

    async def hub_has_heard(self) -> None:
        """Wait until the hub has done what GitHub's events ask for, while pipelines may stand."""
        await self.world.github.settled()
        await self.hub_is_idle()

    async def _is_quiet(self, *, retrying: bool) -> bool:
        before = await self._last_position()
        await self.world.settled()
        if not await self._is_idle(retrying=retrying):
            return False
        await self.world.settled()
        return await self._last_position() == before and await self._is_idle(retrying=retrying)

    async def _is_idle(self, *, retrying: bool) -> bool:
        await self.hub.backlog.refresh()
        if self.hub.backlog.lag() != 0:
            return False
        unfinished = await self.hub.journal.runs(states=_UNFINISHED, limit=10_000)
        # Newest first, so what stays for a lane is the run that the others of it wait for.
        heads = {run.lane: run for run in unfinished}.values()
        return all(retrying and _has_failed_before(run) for run in heads)

    async def _last_position(self) -> str:
        records = await self.hub.bus.recent(1)
        return records[-1].position if records else ""

    async def events(self, kind: str = "") -> list[Envelope]:
        """The events on the log whose type begins so, in order."""
        records = await self.hub.bus.read(after=None, limit=10_000)
        return [one.envelope for one in records if one.envelope.type.startswith(kind)]

    async def until_event(self, kind: str) -> None:
        """Wait until an event whose type begins so is on the log."""
        await self.until_events(1, kind)

    async def until_events(self, count: int, kind: str) -> None:
        """Wait until so many events whose type begins so are on the log."""

        async def are_there() -> bool:
            return len(await self.events(kind)) >= count

        await eventually(are_there)

    async def explain(self, event_id: str) -> Explanation:
        settings = load(self.file, {})
        (explanation,) = await explain(
            bus=self.hub.bus,
            journal=self.hub.journal,
            handlers=installed_handlers(settings.dispatch),
            event_id=event_id,
        )
        return explanation

    async def verdict(self, handler: str, event_id: str) -> str:
        """What `explain` says of one handler: `done`, `skipped: <why>`, or why it had no run."""
        explanation = await self.explain(event_id)
        (one,) = [one for one in explanation.handlers if one.handler == handler]
        if one.story is None:
            return one.reason
        run = one.story.run
        return f"{run.state}: {run.detail}" if run.detail else str(run.state)

    async def runs(self, handler: str) -> list[Run]:
        return list(await self.hub.journal.runs(handler=handler, limit=10_000))

    async def handlers(self) -> list[str]:
        return [one.name for one in installed_handlers(load(self.file, {}).dispatch)]

    async def dead_letters(self) -> list[Run]:
        states = (RunState.DEAD, RunState.PARKED)
        return list(await self.hub.journal.runs(states=states, limit=10_000))

    async def replay_dead_letters(self) -> None:
        """What `trunkline replay` does, once the cause has been mended."""
        for run in await self.dead_letters():
            assert await self.hub.journal.replay(run.id, again=False)

    def pipeline_runs(self) -> list[Object]:
        return self.world.cluster.pipeline_runs()

    def prune_pipeline_runs(self) -> None:
        """Delete every PipelineRun, as a clean-up job does."""
        for run in self.pipeline_runs():
            metadata = run["metadata"]
            self.world.cluster.delete(PIPELINE_RUNS, metadata["namespace"], metadata["name"])

    def revisions_built(self) -> list[str]:
        """The commits that PipelineRuns were started for."""
        runs = self.pipeline_runs()
        return [run["metadata"]["annotations"]["trunkline.dev/revision"] for run in runs]

    def states(self) -> dict[str, str]:
        """How each PipelineRun stands, by its commit: `Running`, `Cancelled` ..."""
        return {
            run["metadata"]["annotations"]["trunkline.dev/revision"]: (
                run.get("status", {}).get("conditions", [{}])[0].get("reason", "")
            )
            for run in self.pipeline_runs()
        }

    async def until_state(self, commit: Commit, reason: str) -> None:
        """Wait until the PipelineRun of a commit stands so."""

        async def stands() -> bool:
            return self.states().get(commit.sha) == reason

        await eventually(stands)

    def statuses(self, commit: Commit, *, repository: str = SOURCE) -> list[str]:
        """Every state that a commit was given, in order."""
        return [one.state for one in self.world.github.statuses.of(repository, commit.sha)]

    def messages(self, about: str = "") -> list[SlackMessage]:
        """The channel's messages: all, or those whose key begins so (`deployment/`)."""
        return [one for one in self.world.slack.messages(CHANNEL) if _key(one).startswith(about)]

    def messages_about(
        self, environment: str, commit: Commit, *, service: str = SAMPLE_SERVICE
    ) -> list[SlackMessage]:
        start, end = f"{service} → {environment}: ", f"({commit.sha[:7]})"
        titles = [(one, one.text.partition("\n")[0]) for one in self.messages()]
        return [one for one, title in titles if title.startswith(start) and title.endswith(end)]

    def message(
        self, environment: str, commit: Commit, *, service: str = SAMPLE_SERVICE
    ) -> SlackMessage:
        """The one message about a deployment."""
        (found,) = self.messages_about(environment, commit, service=service)
        return found

    def stage(self, environment: str, commit: Commit, *, service: str = SAMPLE_SERVICE) -> str:
        """Where the message says that a deployment stands."""
        text = self.message(environment, commit, service=service).text
        return text.partition(": ")[2].partition(" (")[0]

    async def until_stage(
        self, environment: str, commit: Commit, stage: str, *, service: str = SAMPLE_SERVICE
    ) -> None:
        """Wait until the message says that a deployment stands there."""

        async def says_so() -> bool:
            found = self.messages_about(environment, commit, service=service)
            return bool(found) and self.stage(environment, commit, service=service) == stage

        await eventually(says_so)

    def replies(self, environment: str, commit: Commit) -> list[str]:
        thread = self.world.slack.thread(self.message(environment, commit).ts)
        return [one.shown for one in thread]

    def running(self, environment: str, *, service: str = SAMPLE_SERVICE) -> str:
        """The tag that runs in an environment: twelve digits of a source commit."""
        (image,) = self.world.running(service, environment)
        return image.partition("@")[0].rpartition(":")[2]

    async def wanted(self, environment: str, *, service: str = SAMPLE_SERVICE) -> str:
        """The tag that the gitops repository has for an environment."""
        return _tag(
            await self.world.gitops.read_file("main", overlay(environment, service=service))
        )

    async def tags_over_time(self, environment: str) -> list[str]:
        """Every tag that the gitops repository has had for an environment, in order."""
        commits = await self.world.gitops.read_range(None, "main")
        path = overlay(environment)
        touching = [one for one in commits if path in (*one.files.added, *one.files.modified)]
        contents = [await self.world.gitops.read_file(one.sha, path) for one in touching]
        return [_tag(content) for content in contents]

    async def bumps(self) -> list[Commit]:
        """The hub's commits in the gitops repository, oldest first."""
        commits = await self.world.gitops.read_range(None, "main")
        return [one for one in commits if one.author.name == "trunkline"]

    def last_delivery(self, event: str = "push") -> Delivery:
        deliveries = self.world.github.webhooks.deliveries.values()
        return [one for one in deliveries if one.event == event][-1]

    def application(self, name: str) -> Object:
        return self.world.cluster.get(APPLICATIONS, _ARGOCD, name)

    async def tell_as_tekton(self, event: str, run: Object) -> int:
        """Send an event of a PipelineRun to the hub's own door; returns the answer's status."""
        assert self.world.tekton.events.sink is not None
        headers = {
            "Content-Type": "application/json",
            "Ce-Specversion": "1.0",
            "Ce-Id": "told-by-somebody",
            "Ce-Source": f"/apis///namespaces/{run['metadata']['namespace']}//told",
            "Ce-Type": f"dev.tekton.event.pipelinerun.{event}.v1",
        }
        told = {"pipelineRun": to_v1beta1(run)}
        return await _post(self.world.tekton.events.sink, told, headers)

    async def tell_as_argocd(self, about: str, app: Object) -> int:
        """Send a notification of an Application with the right token; returns the status."""
        service = self.world.argocd.notifications.service
        assert service is not None
        trigger = next(one for one in TRIGGERS if one.about == about)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {service.token}"}
        return await _post(service.url, orjson.loads(body(trigger, app)), headers)


def with_settings(**changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a story that changes more of them."""
    return merge(QUICK, changes)


def overlay(environment: str, *, service: str = SAMPLE_SERVICE) -> str:
    """Where the gitops repository names a service's image."""
    return f"services/{service}/overlays/{environment}/kustomization.yaml"


def tag_of(commit: Commit) -> str:
    """The tag of the image that is built of a commit."""
    return commit.sha[:12]


def _has_failed_before(run: Run) -> bool:
    return run.state is RunState.RETRYING or run.attempts > 1


def _key(message: SlackMessage) -> str:
    key: str = (message.metadata or {"event_payload": {"key": ""}})["event_payload"]["key"]
    return key


def _tag(kustomization: bytes) -> str:
    found = _TAG.search(kustomization.decode())
    assert found is not None
    return found["tag"]


async def eventually(holds: Callable[[], Awaitable[object]]) -> None:
    """Look until it holds. The one place in the stories that waits by looking."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(_LOOK_SECONDS)


async def _post(url: str, content: object, headers: Mapping[str, str]) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=orjson.dumps(content), headers=headers) as answer,
    ):
        return answer.status
