"""Large bodies, read in a process of their own.

Reading JSON holds the interpreter for as long as it takes, in a thread too: 25 MiB of it would
stop every other request for up to a second. So a body beyond `Limits.inline_bytes` is handed to a
process that lives for this one body, and has neither a secret nor an environment.

`python -m hub.receiver.aside` is that process: it reads a pickled (take, headers, hubkey) and then
the raw body from its standard input, and writes the pickled outcome, in which `None` stands for
events' data that is the body. Both ends are this module, so nobody else's pickle is ever read.
"""

import asyncio
import os
import pickle
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

import hub
from hub.errors import Refused, TrunklineError
from hub.events.envelope import Envelope
from hub.receiver.doors import Take
from hub.receiver.refusals import Overloaded
from hub.sources.interface import Headers, Ignored, Taken

_AT_ONCE = 2
"""Processes at the same time. Large bodies are rare, and each keeps a core busy."""

_NICENESS = 10
"""The neighbours of a large body go first."""

_ENVIRONMENT = {
    "PYTHONPATH": str(Path(hub.__file__).parents[1]),
    "PYTHONSAFEPATH": "1",
}
"""All the process is told: where the hub is, and not to look for modules where it was started."""

_Outcome = tuple[tuple[Envelope, bytes | None], ...] | Ignored | Refused
"""What comes back: events without their data, and the data where it is not the body."""


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
                outcome = await _run(errand, body)
        except TimeoutError as error:
            raise Overloaded("the body could not be read in time; send it again later") from error
        if isinstance(outcome, Refused):
            raise outcome
        if isinstance(outcome, Ignored):
            return outcome
        return tuple(replace(event, data=body if data is None else data) for event, data in outcome)


async def _run(errand: bytes, body: bytes) -> _Outcome:
    with _memory_file() as file:
        # In a thread: the kernel copies it without the interpreter.
        await asyncio.to_thread(_write, file, errand, body)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hub.receiver.aside",
            stdin=file,
            stdout=asyncio.subprocess.PIPE,
            env=_ENVIRONMENT,
        )
    try:
        answer, _ = await process.communicate()
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status < 0:
        raise Overloaded("the body could not be read for want of memory; send it again later")
    if status > 0:
        raise TrunklineError("a large body could not be read; the process has said why")
    return cast(_Outcome, pickle.loads(answer))  # noqa: S301  # our own process wrote it


def _memory_file() -> IO[bytes]:
    """Open a file without a name, in memory where there is such a thing."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("body"), "w+b")
    return tempfile.TemporaryFile()


def _write(file: IO[bytes], errand: bytes, body: bytes) -> None:
    file.write(errand)
    file.write(body)
    file.seek(0)


def _apart(taken: Taken, body: bytes) -> _Outcome:
    if isinstance(taken, Ignored):
        return taken
    return tuple(
        (replace(event, data=b""), None if event.data == body else event.data) for event in taken
    )


def main() -> None:
    """Read one errand from standard input, and write what came of it to standard output."""
    os.nice(_NICENESS)
    take, headers, hubkey = pickle.load(sys.stdin.buffer)  # noqa: S301  # the receiver wrote it
    body = sys.stdin.buffer.read()
    outcome: _Outcome
    try:
        outcome = _apart(take(headers, body, hubkey=hubkey), body)
    except Refused as refusal:
        outcome = refusal
    pickle.dump(outcome, sys.stdout.buffer)


if __name__ == "__main__":
    main()
