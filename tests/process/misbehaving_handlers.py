"""A user's handlers: one that does what a handler must not, told by the branch of the push."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from hub.dispatch import Do, on
from hub.events.github import Push


class Odd(BaseException):
    """No Exception, and nobody's."""


RAISED: dict[str, BaseException] = {
    "exit": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "cancelled": asyncio.CancelledError(),
    "generator-exit": GeneratorExit(),
    "odd": Odd("no exception"),
    "memory": MemoryError(),
    "recursion": RecursionError(),
}


@on(Push)
async def misbehave(push: Push, do: Do) -> Any:
    """Do what the branch is called."""
    if push.branch in RAISED:
        raise RAISED[push.branch]
    match push.branch:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "talk":
            return "nothing that a handler may return"
        case "stand-still":
            # Holds up the whole event loop until somebody writes into the pipe.
            Path(os.environ["PIPE"]).read_bytes()  # this is the offence
        case "take-long":
            await asyncio.to_thread(Path(os.environ["PIPE"]).read_bytes)
        case "cling":
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue
        case "never-end":
            await asyncio.Event().wait()
        case _:
            pass
    return None


def _refuse(push: Push) -> bool:
    if push.branch == "refuse":
        raise SystemExit(4)
    return False


@on(Push, when=_refuse)
async def choose(push: Push, do: Do) -> None:
    """Never get so far: the condition holds for nothing, and for one branch it cannot be told."""


HANDLERS = (misbehave, choose)
