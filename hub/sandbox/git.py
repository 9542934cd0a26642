"""Runs the git command in a clean environment. Knows no repository of its own."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hub.errors import TrunklineError

_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": os.devnull,
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}
"""Nothing of the user's configuration, credentials or language gets in."""

_LONGEST_SECONDS = 60
"""A git command on a repository of the sandbox takes milliseconds."""


class GitFailed(TrunklineError):
    """Git ended with an error; the message is what it wrote."""


async def git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run `git -C folder arguments` and return what it wrote. Raises GitFailed."""
    return await run("git", "-C", str(folder), *arguments, stdin=stdin)


async def run(*command: str, stdin: bytes = b"", environment: Mapping[str, str] = {}) -> bytes:
    """Run a command, return its output, and leave no process behind. Raises GitFailed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_ENVIRONMENT | dict(environment),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            output, complaint = await process.communicate(stdin)
    except TimeoutError as error:
        raise GitFailed(f"{command[0]} did not end in {_LONGEST_SECONDS} s") from error
    finally:
        if process.returncode is None:
            await _kill(process)
    if process.returncode:
        raise GitFailed(complaint.decode(errors="replace").strip())
    return output


async def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        # The group, for `git http-backend` starts processes of its own.
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
