"""`trunkline demo`: the sandbox world and the hub in a scratch folder, and a push that travels."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from hub.cli.output import Exit, complain, say, say_json
from hub.configuration import load
from hub.events.deployment import Stage
from hub.sandbox.history import Commit
from hub.sandbox.promotion import promote
from hub.sandbox.world import SAMPLE_SERVICE, World
from hub.telemetry.logging import configure
from hub.views.journey import Arrival, follow
from hub.wiring.hub import Hub

STAGE_SECONDS = 0.4
"""How long each stage of the pretended pipeline and syncs takes: long enough to watch."""

PATIENCE_SECONDS = 60.0
"""For a push to arrive: many times what it takes."""

_LOOK_SECONDS = 0.01
_CHANNEL = "#deployments"
_MESSAGE = "Charge the card only once"


async def demo(*, once: bool, as_json: bool, port: int) -> int:
    """Run the demo; returns the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    with TemporaryDirectory(prefix="trunkline-demo-") as folder:
        scratch = Path(folder)
        with (scratch / "hub.log").open("wb", buffering=0) as log:
            return await _demo(scratch, log, stop, once=once, as_json=as_json, port=port)


async def _demo(
    scratch: Path, log: BinaryIO, stop: asyncio.Event, *, once: bool, as_json: bool, port: int
) -> int:
    redactor = configure("info", log)
    settings = scratch / "trunkline.yaml"
    world_folder = scratch / "world"
    world_folder.mkdir()
    async with World(scratch=world_folder, stage_seconds=STAGE_SECONDS) as world:
        _write_settings(world, settings, port=port, admin_port=0)
        async with Hub(load(settings, {}), learn=redactor.add) as hub:
            # Once more with the ports that the system chose: other commands read this file.
            _write_settings(world, settings, port=hub.port, admin_port=hub.admin_port)
            world.connect(f"http://127.0.0.1:{hub.port}")
            await world.settled()
            show = Show(world=world, hub=hub, quiet=as_json, settings=settings)
            return await show.run(stop, once=once)


def _write_settings(world: World, settings: Path, *, port: int, admin_port: int) -> None:
    world.write_settings(
        settings,
        state=settings.parent / "state",
        port=port,
        admin_port=admin_port,
        changes={"slack": {"seconds_per_message": 0.05}},
    )


@dataclass(slots=True, kw_only=True)
class Show:
    """The journey as it is shown."""

    world: World
    hub: Hub
    quiet: bool
    settings: Path
    arrivals: list[Arrival] = field(default_factory=list)
    _seen: set[tuple[str, str, Stage | None]] = field(default_factory=set)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, stop: asyncio.Event, *, once: bool) -> int:
        """Show a push travel; with `once` only to staging. Returns the exit code."""
        self._say_hello()
        watching = asyncio.create_task(self._watch(), name="demo watch")
        try:
            self._say(f'A developer pushes "{_MESSAGE}" to company/{SAMPLE_SERVICE}.')
            commit = await self.world.push(message=_MESSAGE)
            if not await self._arrives(commit, "staging", Stage.HEALTHY, stop):
                return _stuck(stop)
            await self.world.settled()
            await self._channel_says(commit)
            if once:
                self._report(commit)
                return 0
            if not await self._go_on(commit, stop):
                return _stuck(stop)
            self._say_invitation()
            await stop.wait()
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        return 0

    async def _go_on(self, commit: Commit, stop: asyncio.Event) -> bool:
        """To production, into trouble and out of it."""
        self._say("A release manager promotes what staging runs, and syncs production.")
        application = f"{SAMPLE_SERVICE}-production"
        await promote(self.world, SAMPLE_SERVICE)
        await self.world.settled()
        await self.world.argocd.sync(application)
        if not await self._arrives(commit, "production", Stage.HEALTHY, stop):
            return False
        self._say("Production is degraded.")
        self.world.argocd.degrade(application, "readiness probe failed")
        if not await self._arrives(commit, "production", Stage.DEGRADED, stop):
            return False
        if not await self._incident("triggered", stop):
            return False
        self._say("Production recovers.")
        self.world.argocd.recover(application)
        return await self._incident("resolved", stop)

    async def _watch(self) -> None:
        async for arrival in follow(self.hub.bus, pause=_looks()):
            key = (arrival.revision, arrival.environment, arrival.stage)
            if key in self._seen:
                continue
            async with self._came:
                self._seen.add(key)
                self.arrivals.append(arrival)
                self._say_arrival(arrival)
                self._came.notify_all()

    async def _arrives(
        self, commit: Commit, environment: str, stage: Stage, stop: asyncio.Event
    ) -> bool:
        key = (commit.sha, environment, stage)

        async def arrived() -> None:
            async with self._came:
                await self._came.wait_for(lambda: key in self._seen)

        return await _before(arrived(), stop)

    async def _channel_says(self, commit: Commit) -> None:
        """Wait until the channel shows what the log says."""
        words = f"staging: {Stage.HEALTHY} ({commit.sha[:7]})"

        async def said() -> None:
            async for _ in _looks():
                if any(words in one.text for one in self.world.slack.messages(_CHANNEL)):
                    return

        await asyncio.wait_for(said(), PATIENCE_SECONDS)

    async def _incident(self, state: str, stop: asyncio.Event) -> bool:
        async def reached() -> None:
            async for _ in _looks():
                incidents = self.world.pagerduty.incidents()
                if incidents and incidents[-1].state == state:
                    self._say(f"  PagerDuty: {incidents[-1].summary} ({state})")
                    return

        return await _before(reached(), stop)

    def _timeline(self, commit: Commit) -> list[dict[str, Any]]:
        mine = [one for one in self.arrivals if one.revision == commit.sha]
        return [
            {
                "stage": one.stage or "pushed",
                "environment": one.environment or None,
                "seconds": round(one.at - mine[0].at, 3),
            }
            for one in mine
        ]

    def _report(self, commit: Commit) -> None:
        timeline = self._timeline(commit)
        if not self.quiet:
            self._say(f"In staging after {timeline[-1]['seconds']:.2f} s.")
            self._say_channel()
            return
        say_json(
            {
                "service": SAMPLE_SERVICE,
                "revision": commit.sha,
                "environment": "staging",
                "seconds": timeline[-1]["seconds"],
                "timeline": timeline,
                "deployments": [one.text for one in self.world.slack.messages(_CHANNEL)],
            }
        )

    def _say(self, text: str) -> None:
        if not self.quiet:
            say(text)
            sys.stdout.flush()

    def _say_hello(self) -> None:
        self._say("A platform on this machine, and Trunkline in it.")
        self._say(f"  hub       http://127.0.0.1:{self.hub.port}")
        self._say(f"  settings  {self.settings}")
        self._say(f"  log       {self.settings.parent / 'hub.log'}")
        self._say("")

    def _say_arrival(self, arrival: Arrival) -> None:
        begun = next(one.at for one in self.arrivals if one.revision == arrival.revision)
        passed = f"  {arrival.at - begun:7.3f} s"
        if arrival.stage is None:
            self._say(f"{passed}  pushed               verified by {arrival.detail}, on disk, 202")
        else:
            place = f"{arrival.environment}: {arrival.stage}"
            self._say(f"{passed}  {place:<20} {arrival.detail}".rstrip())

    def _say_channel(self) -> None:
        self._say("")
        self._say(_CHANNEL)
        for message in self.world.slack.messages(_CHANNEL):
            for line in message.shown.splitlines():
                self._say(f"  | {line}")
            self._say("  |")

    def _say_invitation(self) -> None:
        self._say_channel()
        address = f"{self.world.github.git.url}/company/{SAMPLE_SERVICE}.git"
        token = self.world.credentials.github_token.file
        self._say("")
        self._say("It is your turn. In another terminal:")
        self._say(f"  export TRUNKLINE_CONFIG={self.settings}")
        self._say("  trunkline events")
        self._say(f"  trunkline explain {self.arrivals[0].record.envelope.id}")
        self._say("Push something yourself:")
        self._say(f"  git clone http://x:$(cat {token})@{address.removeprefix('http://')} mine")
        self._say("  cd mine && git commit --allow-empty -m 'Hello' && git push")
        self._say("Ctrl-C ends it.")


async def _looks() -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(_LOOK_SECONDS)


async def _before(happens: Any, stop: asyncio.Event) -> bool:
    """Wait until it happens; False where the user stops first, or it takes too long."""
    task = asyncio.create_task(happens)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait(
        [task, stopped], timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    happened = task.done()
    for one in (task, stopped):
        one.cancel()
    await asyncio.gather(task, stopped, return_exceptions=True)
    return happened


def _stuck(stop: asyncio.Event) -> int:
    if stop.is_set():
        return 0
    complain(f"The push did not arrive within {PATIENCE_SECONDS:g} seconds; see the hub's log.")
    return Exit.FAILED
