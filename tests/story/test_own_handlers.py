"""Handlers of one's own platform: they work as CONTRIBUTING.md says, and harm only themselves."""

import re
import sys
from pathlib import Path

import aiohttp
import pytest
from story_platform import SOURCE, eventually, tag_of, with_settings

from handlers import HANDLERS
from hub.dispatch.rehearsal import rehearse
from hub.events.envelope import MAX_HOPS
from hub.events.tekton import PipelineRunFinished
from hub.sandbox.tekton import Outcome

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"

ECHO = '''
from typing import ClassVar

from hub.actions.hub import Emit
from hub.dispatch import on
from hub.events.github import Push
from hub.events.view import View


class Echo(View):
    types: ClassVar[tuple[str, ...]] = ("dev.trunkline.echo.heard.v1",)


@on(Push, Echo)
async def echo(heard, do):
    """Say it again, and again."""
    await do(Emit(type=Echo.types[0], subject="echo", data="{}"))


HANDLERS = (echo,)
'''

RAISES = '''
from hub.dispatch import on
from hub.events.github import Push


@on(Push)
async def stumble(push, do):
    """Fail on every push."""
    raise ZeroDivisionError(push.repository)


HANDLERS = (stumble,)
'''

HANGS = '''
import asyncio

from hub.dispatch import on
from hub.events.github import Push

hangs = asyncio.Event()
let_go = asyncio.Event()


@on(Push)
async def hang(push, do):
    """Think about it for a long time."""
    hangs.set()
    await let_go.wait()


HANDLERS = (hang,)
'''

BLOCKS = '''
import time

from hub.dispatch import on
from hub.events.github import Push


@on(Push)
async def block(push, do):
    """Forget to await."""
    time.sleep(0.4)


HANDLERS = (block,)
'''

POSTPONES = '''
from hub.dispatch import on
from hub.errors import TemporaryError
from hub.events.github import Push


@on(Push)
async def postpone(push, do):
    """Put it off for an hour."""
    raise TemporaryError("not now", after=3600)


HANDLERS = (postpone,)
'''


def examples():
    """The Python of CONTRIBUTING.md: a handler, and its test."""
    blocks = re.findall(r"```python\n(.*?)```", CONTRIBUTING.read_text(), re.DOTALL)
    handler, its_test = blocks[:2]
    return f"{handler}\nHANDLERS = (encourage_author,)\n", its_test


@pytest.fixture
def code():
    """What stands in the module of the platform's owners."""
    return "HANDLERS = ()"


@pytest.fixture
def module(code, tmp_path, monkeypatch):
    """The name of a module that can be imported for the time of a story."""
    name = f"handlers_of_{tmp_path.name}"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def settings(module):
    return with_settings(dispatch={"handlers_module": module, "retry_attempts": 3})


async def deployed(platform, commit):
    for environment in ("dev", "staging"):
        await platform.until_stage(environment, commit, "healthy")
        assert platform.running(environment) == tag_of(commit)


@pytest.mark.parametrize("code", [ECHO])
async def test_an_event_that_causes_itself_ends_as_a_dead_letter(platform):
    """T56."""
    commit = await platform.world.push()
    await platform.settled()

    heard = await platform.events("dev.trunkline.echo.heard")
    assert [event.hubhops for event in heard] == list(range(1, MAX_HOPS + 1))
    (letter,) = await platform.dead_letters()
    assert letter.handler == "echo"
    assert "this looks like a loop" in letter.detail
    await deployed(platform, commit)


@pytest.mark.parametrize("code", [examples()[0]])
async def test_the_handler_of_the_contributing_guide_works(platform):
    platform.world.tekton.outcome("order-service", Outcome.FAILED)
    commit = await platform.world.push()
    await platform.settled()

    moods = [
        status
        for status in platform.world.github.statuses.latest(SOURCE, commit.sha)
        if status.context == "mood"
    ]
    assert [(one.state, one.description) for one in moods] == [("pending", "You will get there.")]
    assert await platform.handlers() == [*(one.name for one in HANDLERS), "encourage_author"]


async def test_the_test_of_the_contributing_guide_passes():
    handler, its_test = examples()
    failed_run = PipelineRunFinished.model_validate(
        {
            "pipelineRun": {
                "metadata": {"namespace": "ci", "name": "order-service-a1", "uid": "u"},
                "status": {"conditions": [{"type": "Succeeded", "status": "False"}]},
            }
        }
    )
    names = {"rehearse": rehearse, "failed_run": failed_run}
    exec(handler, names)  # noqa: S102 - it is our own documentation
    exec(its_test, names)  # noqa: S102
    await names["test_a_failed_build_is_encouraged"]()


@pytest.mark.parametrize("code", [RAISES])
async def test_a_handler_that_raises_is_tried_again_and_then_a_dead_letter(platform):
    """T75."""
    commit = await platform.world.push()
    await platform.settled()

    (letter,) = await platform.dead_letters()
    assert (letter.handler, letter.attempts) == ("stumble", 3)
    assert letter.detail == f"ZeroDivisionError: {SOURCE} (after 3 attempts)"
    attempts = await platform.hub.journal.attempts(letter.id)
    assert [str(one.outcome) for one in attempts] == ["retrying", "retrying", "dead"]
    await deployed(platform, commit)


@pytest.mark.parametrize("code", [HANGS])
async def test_a_handler_that_hangs_holds_up_nobody_else(platform, module):
    """T75."""
    commit = await platform.world.push()
    await sys.modules[module].hangs.wait()
    await deployed(platform, commit)
    (run,) = await platform.runs("hang")
    assert run.state == "running"

    sys.modules[module].let_go.set()
    await platform.settled()
    (run,) = await platform.runs("hang")
    assert run.state == "done"


@pytest.mark.parametrize("code", [BLOCKS])
async def test_a_handler_that_blocks_the_loop_is_counted(platform):
    """T76."""
    commit = await platform.world.push()
    await deployed(platform, commit)

    async def is_counted():
        text = await metrics(platform)
        return re.search(
            r"^trunkline_\w*loop_blocked\w*_total(?:\{.*\})? [1-9]", text, re.MULTILINE
        )

    await eventually(is_counted)


@pytest.mark.parametrize("code", [POSTPONES])
async def test_a_handler_that_was_taken_out_leaves_its_runs_parked(platform, settings):
    """T79."""
    commit = await platform.world.push()
    await platform.settled(retrying=True)
    platform.changes = with_settings()
    await platform.restart()
    platform.clock.skip(3601)
    await platform.settled()
    (parked,) = await platform.dead_letters()
    assert (parked.handler, parked.state) == ("postpone", "parked")
    assert parked.detail == "no handler named postpone is installed"
    await deployed(platform, commit)

    platform.changes = settings
    await platform.restart()
    await platform.replay_dead_letters()
    await platform.settled(retrying=True)
    (run,) = await platform.runs("postpone")
    assert (run.state, run.detail) == ("retrying", "not now")


async def metrics(platform):
    url = f"http://127.0.0.1:{platform.hub.admin_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()
