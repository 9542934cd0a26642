"""Large bodies, read in a process of their own.

Reading JSON holds the interpreter for as long as it takes, in a thread too: 25 MiB of it would
stop every other request for up to a second. So a body beyond `Limits.inline_bytes` goes through a
pipe to a process that lives for this one body, and has neither a secret nor an environment.

`python -m hub.receiver.aside` is that process: it reads a pickled (take, headers, hubkey) and then
the raw body from its standard input, and writes the pickled outcome. Both ends are this module, so
nobody else's pickle is ever read.
"""

import asyncio
import pickle
import sys
from pathlib import Path
from typing import cast

import hub
from hub.errors import Refused, TrunklineError
from hub.receiver.doors import Take
from hub.receiver.refusals import Overloaded
from hub.sources.interface import Headers, Taken

_AT_ONCE = 2
"""Processes at the same time. Large bodies are rare, and each keeps a core busy."""

_ENVIRONMENT = {
    "PYTHONPATH": str(Path(hub.__file__).parents[1]),
    "PYTHONSAFEPATH": "1",
}
"""All the process is told: where the hub is, and not to look for modules where it was started."""


class Aside:
    """Runs sources beside the event loop, one process for each body."""

    def __init__(self, *, seconds: float) -> None:
        """`seconds` is how long one body may take, its turn included."""
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def take(self, take: Take, headers: Headers, body: bytes, *, hubkey: str) -> Taken:
        """Do what `take` does. Raises what it raises, or Overloaded."""
        errand = pickle.dumps((take, headers, hubkey))
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                outcome = await _run(errand + body)
        except TimeoutError as error:
            raise Overloaded("the body could not be read in time; send it again later") from error
        if isinstance(outcome, Refused):
            raise outcome
        return outcome


async def _run(errand: bytes) -> Taken | Refused:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub.receiver.aside",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=_ENVIRONMENT,
    )
    try:
        answer, _ = await process.communicate(errand)
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status < 0:
        raise Overloaded("the body could not be read for want of memory; send it again later")
    if status > 0:
        raise TrunklineError("a large body could not be read; the lines above say why")
    return cast(Taken | Refused, pickle.loads(answer))  # noqa: S301  # our own process wrote it


def main() -> None:
    """Read one errand from standard input, and write what came of it to standard output."""
    take, headers, hubkey = pickle.load(sys.stdin.buffer)  # noqa: S301  # the receiver wrote it
    outcome: Taken | Refused
    try:
        outcome = take(headers, sys.stdin.buffer.read(), hubkey=hubkey)
    except Refused as refusal:
        outcome = refusal
    pickle.dump(outcome, sys.stdout.buffer)


if __name__ == "__main__":
    main()
