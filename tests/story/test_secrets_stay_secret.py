"""No secret comes out anywhere: not in a day's work, not in trouble, not where it was misdirected.

The hub runs as a process here, so that its log is all that it writes and its arguments can be read.
"""

import asyncio
import os
import re
import signal
import sys
from base64 import b64encode
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from story_platform import CHANNEL, PRODUCTION, QUICK, SOURCE, eventually

from hub.cli import look
from hub.cli.places import desk
from hub.sandbox.faults import Status
from hub.sandbox.git import git
from hub.sandbox.promotion import promote
from hub.sandbox.tekton import Outcome
from hub.sandbox.world import World

FROM_A_VARIABLE = "TRUNKLINE_STORY_ROUTING_KEY"


@pytest.fixture
async def world(tmp_path):
    scratch = tmp_path / "world"
    scratch.mkdir()
    async with World(scratch=scratch) as world:
        yield world


@pytest.fixture
def canaries(world):
    """Every secret, and what travels in its place."""
    drawn = world.credentials
    secrets = {name: getattr(drawn, name).text for name in drawn.__slots__}
    basic = f"x-access-token:{drawn.github_token.text}".encode()
    return secrets | {"github_token in a header": b64encode(basic).decode()}


class ServedHub:
    """`trunkline serve`, as somebody runs it."""

    def __init__(self, folder: Path, world: World) -> None:
        self.file = folder / "trunkline.yaml"
        self.state = folder / "state"
        self.world = world
        self.command_line = b""
        self._log = folder / "hub.log"

    @property
    def log(self):
        return self._log.read_bytes()

    def started(self, name):
        """What the log says about a port, once the hub has started."""
        found = re.search(rb'"hub_started".*', self.log)
        return found and int(re.search(rb'"%b":(\d+)' % name, self.log)[1])

    async def has_logged(self, text):
        async def is_there():
            return text in self.log

        await eventually(is_there)

    @asynccontextmanager
    async def running(self):
        key = {"routing_key": {"file": None, "variable": FROM_A_VARIABLE}}
        changes = {**QUICK, "log_level": "debug", "pagerduty": key}
        self.world.write_settings(
            self.file, state=self.state, port=0, admin_port=0, changes=changes
        )
        with self._log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hub", "serve", "--config", str(self.file)),
                stdout=log,
                stderr=log,
                env=os.environ | {FROM_A_VARIABLE: self.world.credentials.pagerduty_key.text},
            )
            try:
                await self.has_logged(b'"hub_started"')
                self.command_line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                self.world.connect(f"http://127.0.0.1:{self.started(b'port')}")
                yield self
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()


@pytest.fixture
async def served(tmp_path, world, monkeypatch):
    monkeypatch.setenv(FROM_A_VARIABLE, world.credentials.pagerduty_key.text)
    # It is the tests' own, and no setting.
    monkeypatch.delenv("TRUNKLINE_SERVERS", raising=False)
    hub = ServedHub(tmp_path, world)
    async with hub.running():
        yield hub


async def until_said(world, *words):
    async def is_said():
        return all(any(one in m.text for m in world.slack.messages(CHANNEL)) for one in words)

    await eventually(is_said)


async def a_day_of_work(world):
    """Everything that the hub does: builds, bumps, messages, a page that is resolved."""
    await world.push(message="Good")
    await until_said(world, "dev: healthy", "staging: healthy")
    await promote(world, "order-service")
    await world.settled()
    await world.argocd.sync(PRODUCTION)
    await until_said(world, "production: healthy")
    world.argocd.degrade(PRODUCTION, "probe failed")
    await until_said(world, "production: degraded")
    world.argocd.recover(PRODUCTION)

    async def is_over():
        return [one.state for one in world.pagerduty.incidents()] == ["resolved"]

    await eventually(is_over)


async def trouble(served):
    """Every credential is refused once, and a build fails."""
    world = served.world
    world.faults.fail("github", Status(status=401), path="/statuses/", times=2)
    world.faults.fail("kubernetes", Status(status=403), method="POST", times=1)
    world.faults.fail("pagerduty", Status(status=400), times=1)
    world.faults.fail("git", Status(status=401), times=2)
    world.argocd.degrade(PRODUCTION, "probe failed")
    await served.has_logged(b"PagerDuty answered 400")
    await world.push(message="Refused by the cluster")
    await served.has_logged(b"the Kubernetes API answered 403")
    world.tekton.outcome("order-service", Outcome.FAILED, times=1)
    await world.push(message="Fails")
    await until_said(world, "build failed")
    await served.has_logged(b"GitHub answered 401")
    world.slack.rotate_token("xoxb-another")
    await world.push(message="Unheard")
    await served.has_logged(b"Slack answered invalid_auth")


async def misdirected(world, port):
    """Secrets are sent where they do not belong, or with something broken beside them."""
    keys = {name: getattr(world.credentials, name).text for name in world.credentials.__slots__}
    tekton, github = keys["tekton_key"], keys["github_webhook"]
    base = f"http://127.0.0.1:{port}"
    bearers = [{"Authorization": f"Bearer {text}"} for text in keys.values()]
    async with aiohttp.ClientSession() as session:
        for path in (
            f"/webhooks/tekton/{tekton}/x",
            f"/webhooks/{tekton}",
            f"/{tekton}?k={github}",
        ):
            await session.post(base + path, data=b"{}")
        await session.get(f"{base}/webhooks/tekton/{tekton}")
        await session.post(f"{base}/webhooks/tekton/{tekton}", data=f"{{{tekton}".encode())
        for headers in bearers:
            await session.post(f"{base}/webhooks/argocd", data=b"{nonsense", headers=headers)
        headers = {"X-Hub-Signature-256": f"sha256={github}", "X-GitHub-Event": github}
        await session.post(f"{base}/webhooks/github", data=b"{}", headers=headers)


async def commands_say(served, capsys):
    """What the commands that look at the past write, as JSON and for people."""
    async with desk(served.file) as place:
        records = await place.bus.read(after=None, limit=10_000)
    capsys.readouterr()
    for as_json in (True, False):
        await look.events(served.file, limit=10_000, follow=False, as_json=as_json)
        await look.runs(served.file, handler=None, states=(), limit=10_000, as_json=as_json)
        await look.dead_letters(served.file, limit=10_000, as_json=as_json)
        for record in records:
            await look.explain(served.file, record.envelope.id, as_json=as_json)
    written = capsys.readouterr()
    return (written.out + written.err).encode(), repr(records).encode()


async def metrics(port):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        return await answer.read()


async def told_to_the_world(world):
    """Everything that the other systems have of the hub."""
    messages = world.slack.messages(CHANNEL)
    replies = [world.slack.thread(message.ts) for message in messages]
    statuses = [
        world.github.statuses.of(SOURCE, commit.sha)
        for commit in await world.github.repositories[SOURCE].read_range(None, "main")
    ]
    return {
        "Slack": repr((messages, replies)).encode(),
        "PagerDuty": repr((world.pagerduty.incidents(), world.pagerduty.changes())).encode(),
        "GitHub": repr((statuses, world.github.webhooks.deliveries)).encode(),
        "the cluster": repr(world.cluster.pipeline_runs()).encode(),
        "gitops": await git(world.gitops.folder, "log", "-p", "--all", "--format=raw"),
    }


async def test_no_secret_comes_out_anywhere(served, canaries, capsys):
    """I6, C6."""
    world = served.world
    await a_day_of_work(world)
    await misdirected(world, served.started(b"port"))
    await trouble(served)
    said, stored = await commands_say(served, capsys)
    places = await told_to_the_world(world) | {
        "the commands": said,
        "the log of events": stored,
        "metrics": await metrics(served.started(b"admin_port")),
        "the arguments": served.command_line,
        "the log": served.log,
        "the settings": served.file.read_bytes(),
    }
    places |= {str(file): file.read_bytes() for file in served.state.rglob("*") if file.is_file()}

    assert b"healthy" in places["Slack"]
    assert b"bump_image_tag" in places["the commands"]
    assert b"trunkline_attempts_total" in places["metrics"]
    found = [
        (name, place)
        for name, secret in canaries.items()
        for place, content in places.items()
        if secret.encode() in content
    ]
    assert found == []
