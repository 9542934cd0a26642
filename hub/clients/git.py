"""Runs the git command: a clean environment, bounded time and output, nothing left behind.

Nothing of the user's configuration, credentials, hooks or language gets in, and no secret gets
into an argument, a URL or an error. It knows no repository; `hub/clients/gitops/` does.

Git's variables: https://git-scm.com/docs/git#_environment_variables. It takes git 2.31 or later:
an older one does not read its configuration from them.
"""

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub.clients.answer import clean
from hub.clients.git_credential import Credential
from hub.errors import PermanentError, TemporaryError

MAX_OUTPUT_BYTES = 256 * 1024 * 1024
"""The log of half a million bumps. More is a repository that does not fit the memory."""

_MAX_COMPLAINT_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_PASSED_ON = (
    "PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)
"""What belongs to the machine and not to a user: where programs, authorities and proxies are."""

_FIXED = {
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
}

_CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    # A process that outlives its command could be neither waited for nor killed.
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    # A redirect would carry the request, and with it the credential, to another place.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "transfer.credentialsInUrl": "die",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a git command ended."""

    status: int
    output: bytes
    complaint: str
    """What it wrote to its error stream, without the credential."""

    @property
    def words(self) -> str:
        """The complaint as it may stand in an error: printable and short."""
        return clean(self.complaint)


def is_sha(text: str) -> bool:
    """Whether this is the full name of an object: the only kind of revision that git is given."""
    return _SHA.fullmatch(text) is not None


class Git:
    """The git command for one repository folder and one protocol."""

    def __init__(self, *, folder: Path, home: Path, protocol: str) -> None:
        """`folder` is a bare repository, or will be; `home` is empty and stays so."""
        self._base = {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            **_FIXED,
            "HOME": str(home),
            "GIT_DIR": str(folder),
            "GIT_ALLOW_PROTOCOL": protocol,
        }

    async def run(
        self,
        *command: str,
        values: Sequence[str] = (),
        stdin: bytes = b"",
        timeout: float,
        credential: Credential | None = None,
    ) -> Ended:
        """Run `git command`, with `values` behind `--end-of-options` where none can be an option.

        The command is fixed in the source. What varies goes into `values` or `stdin`, or was
        checked and is attached to its option by `=`. `timeout` is in seconds. Raises TemporaryError
        where git does not end in time or writes too much, and PermanentError where there is no git.
        """
        arguments = (*command, "--end-of-options", *values) if values else command
        process = await self._start(arguments, credential)
        try:
            async with asyncio.timeout(timeout):
                output, complaint = await _talk(process, stdin)
        except TimeoutError as error:
            raise TemporaryError(f"git {command[0]} did not end in {timeout:g} s") from error
        finally:
            await _end(process)
        if len(output) > MAX_OUTPUT_BYTES:
            raise TemporaryError(f"git {command[0]} wrote more than {MAX_OUTPUT_BYTES} bytes")
        words = complaint.decode(errors="replace")
        return Ended(
            status=process.returncode or 0,
            output=output,
            complaint=credential.hide(words) if credential else words,
        )

    async def _start(
        self, arguments: Sequence[str], credential: Credential | None
    ) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                "git",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._base | _configuration(credential),
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise PermanentError("there is no git command on this machine") from error
        except OSError as error:
            raise TemporaryError(f"git cannot be started ({error.strerror})") from error


def _configuration(credential: Credential | None) -> dict[str, str]:
    """Return git's configuration as variables, which other users of the machine cannot see."""
    settings = dict(_CONFIG)
    if credential:
        settings[f"http.{credential.url}.extraHeader"] = f"Authorization: {credential.header}"
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


async def _talk(process: asyncio.subprocess.Process, stdin: bytes) -> tuple[bytes, bytes]:
    if not (process.stdin and process.stdout and process.stderr):
        raise TemporaryError("git was started without pipes")
    _, output, complaint, _ = await asyncio.gather(
        _write(process.stdin, stdin),
        _read(process.stdout, MAX_OUTPUT_BYTES + 1),
        _read(process.stderr, _MAX_COMPLAINT_BYTES),
        process.wait(),
    )
    return output, complaint


async def _write(stream: asyncio.StreamWriter, octets: bytes) -> None:
    # Git may end without reading all; its status and words then say why.
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.write(octets)
        await stream.drain()
    stream.close()


async def _read(stream: asyncio.StreamReader, limit: int) -> bytes:
    """Read to the end, and keep no more than the first `limit` bytes."""
    kept = bytearray()
    while chunk := await stream.read(_CHUNK_BYTES):
        kept += chunk[: limit - len(kept)]
    return bytes(kept)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _kill(process)
        await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        # The group: fetch and push start processes of their own.
        os.killpg(process.pid, signal.SIGKILL)
