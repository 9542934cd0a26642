"""What a handler does wrong stays its own: the hub goes on, says so, and loses nothing."""

import os
import signal
from pathlib import Path

from misbehaving_handlers import RAISED
from served import Served, eventually
from surroundings import KEY, Alone
from wire import ask, delivery, line_to, push

from hub.journal.interface import Run, RunState

DISPATCH = {
    "handlers_module": "misbehaving_handlers",
    "retry_attempts": 2,
    "retry_base_seconds": 0.01,
}


def doing(what: str, *, lane: str, name: str | None = None) -> bytes:
    """Make a push for which the handler does something; a repository is a lane."""
    return delivery(name or what, push(f"company/{lane}", branch=what), key=KEY)


async def runs_of(hub: Served, handler: str = "misbehave") -> dict[str, Run]:
    """Wait until the hub is quiet, and return a handler's runs by their event."""
    async with hub.files() as files:
        await eventually(files.quiet)
        return {run.event_id: run for run in await files.journal.runs(handler=handler)}


async def test_whatever_a_handler_raises_ends_its_attempt_and_not_the_hub(alone: Alone) -> None:
    """T77: also what is meant to end a process or a task."""
    async with alone(dispatch=DISPATCH) as hub:
        await hub.start()
        async with line_to(hub.port) as line:
            for offence in (*RAISED, "talk"):
                await line.ask(doing(offence, lane=offence))
                await line.ask(doing("nothing", lane=offence, name=f"after-{offence}"))
        runs = await runs_of(hub)
        assert await hub.stop() == 0

    states = {name: run.state for name, run in runs.items()}
    assert states == {
        **dict.fromkeys([*RAISED, "talk"], RunState.DEAD),
        **dict.fromkeys([f"after-{offence}" for offence in (*RAISED, "talk")], RunState.DONE),
    }
    for offence, raised in RAISED.items():
        assert type(raised).__name__ in runs[offence].detail
        assert "after 2 attempts" in runs[offence].detail
    assert "and not str" in runs["talk"].detail


async def test_a_run_that_takes_the_process_with_it_every_time_is_given_up(alone: Alone) -> None:
    """T77: as a handler does that eats all memory."""
    async with alone(dispatch=DISPATCH) as hub:
        await hub.start()
        async with line_to(hub.port) as line:
            assert (await line.ask(doing("die", lane="one"))).status == 202
        assert await hub.ended() == -signal.SIGKILL
        await hub.spawn()
        assert await hub.ended() == -signal.SIGKILL
        await hub.start()
        runs = await runs_of(hub)
        assert await hub.stop() == 0

    assert runs["die"].state is RunState.DEAD
    assert runs["die"].detail == "the process has ended in the middle of it 2 times"


async def test_a_condition_that_wants_to_end_the_process_is_a_dead_letter(alone: Alone) -> None:
    async with alone(dispatch=DISPATCH) as hub:
        await hub.start()
        await ask(hub.port, doing("refuse", lane="one"))
        await ask(hub.port, doing("nothing", lane="one"))
        runs = await runs_of(hub, "choose")
        others = await runs_of(hub)
        assert await hub.stop() == 0

    assert runs["refuse"].state is RunState.DEAD
    assert "its condition failed: SystemExit: 4" in runs["refuse"].detail
    assert {run.state for run in others.values()} == {RunState.DONE}


async def test_a_handler_that_blocks_is_named_and_holds_up_others_no_longer_than_that(
    alone: Alone, tmp_path: Path
) -> None:
    """T76."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def named() -> bool:
        return any(line["running"] == "misbehave" for line in hub.said("loop_blocked"))

    async with alone(dispatch=DISPATCH) as hub:
        hub.environment["PIPE"] = str(pipe)
        await hub.start()
        async with line_to(hub.port) as line:
            assert (await line.ask(doing("stand-still", lane="one"))).status == 202
            await eventually(named)
            line.send(doing("nothing", lane="two"))
            pipe.write_bytes(b"go on")
            assert (await line.answer()).status == 202
        runs = await runs_of(hub)

    assert "misbehaving_handlers.py" in hub.said("loop_blocked")[-1]["stack"]
    assert {run.state for run in runs.values()} == {RunState.DONE}
    assert set(runs) == {"stand-still", "nothing"}
