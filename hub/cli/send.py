"""`trunkline send` and `trunkline sign`: what GitHub does, by hand."""

import hashlib
import hmac
import json
import os
import shlex
import time
import uuid
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path

import aiohttp
import typer

from hub.cli.configured import settings_of
from hub.cli.output import Exit, complain, say, say_json
from hub.errors import SettingsError
from hub.secrets import KeyRing, RingKey
from hub.settings import Settings

_PATIENCE_SECONDS = 10.0
"""As long as GitHub waits for an answer."""

_PLACEHOLDER = "0" * 39 + "1"
"""The commit of the samples; every send is of a new one."""


async def send(
    source: str,
    event: str,
    *,
    payload: Path | None,
    delivery: str | None,
    url: str | None,
    config: Path | None,
    as_json: bool,
) -> int:
    """Post one signed delivery and show the answer; returns the exit code."""
    if source != "github":
        raise typer.BadParameter(f"`{source}` cannot be sent; `github` can", param_hint="SOURCE")
    body = _body(event, payload)
    settings = settings_of(config)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/trunkline",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
        "X-Hub-Signature-256": _signature(_github_key(settings), body),
    }
    target = url or _address(settings)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
            ) as session,
            session.post(target, data=body, headers=headers) as response,
        ):
            status, answer = response.status, await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        complain(f"{target} cannot be reached: {_why(error)}. Is `trunkline serve` running?")
        return Exit.UNAVAILABLE
    _show(status, answer, headers["X-GitHub-Delivery"], as_json=as_json)
    return 0 if status in {HTTPStatus.OK, HTTPStatus.ACCEPTED} else Exit.FAILED


def sign(payload: Path, config: Path | None, *, as_json: bool) -> None:
    """Print the signature of a file's bytes, and the curl command that sends it."""
    body = _read(payload)
    settings = settings_of(config)
    header = f"X-Hub-Signature-256: {_signature(_github_key(settings), body)}"
    if as_json:
        say_json({"header": header, "bytes": len(body)})
        return
    say(header)
    say()
    say(f"curl -i -X POST {_address(settings)} \\")
    say("  -H 'Content-Type: application/json' \\")
    say(f"  -H 'X-GitHub-Event: push' -H 'X-GitHub-Delivery: {uuid.uuid4()}' \\")
    say(f"  -H '{header}' \\")
    say(f"  --data-binary {shlex.quote(f'@{payload}')}")


def _body(event: str, payload: Path | None) -> bytes:
    if payload is not None:
        return _read(payload)
    samples = files("hub.cli") / "samples"
    sample = samples / f"{event}.json"
    known = sorted(one.name.removesuffix(".json") for one in samples.iterdir())
    if event not in known:
        said = f"there is no sample of `{event}` (there is {', '.join(known)}): use --payload"
        raise typer.BadParameter(said, param_hint="EVENT")
    commit = hashlib.sha1(uuid.uuid4().bytes, usedforsecurity=False).hexdigest()
    return sample.read_text("utf-8").replace(_PLACEHOLDER, commit).encode()


def _read(payload: Path) -> bytes:
    try:
        return payload.read_bytes()
    except OSError as error:
        said = f"{payload} cannot be read: {error.strerror}"
        raise typer.BadParameter(said, param_hint="PAYLOAD") from error


def _github_key(settings: Settings) -> RingKey:
    ring = KeyRing(settings.receiver.github.keys, name="receiver.github")
    keys = ring.keys(monotonic=time.monotonic(), wall=time.time())
    if not keys:
        raise SettingsError(["receiver.github.keys: no key is good now, so nothing can be signed"])
    return keys[0]


def _signature(key: RingKey, body: bytes) -> str:
    return f"sha256={hmac.new(key.octets, body, hashlib.sha256).hexdigest()}"


def _address(settings: Settings) -> str:
    return f"http://{settings.receiver.host}:{settings.receiver.port}/webhooks/github"


def _why(error: aiohttp.ClientError | TimeoutError) -> str:
    match error:
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case TimeoutError():
            return f"no answer within {_PATIENCE_SECONDS:g} seconds"
        case _:
            return str(error)


def _show(status: int, answer: str, delivery: str, *, as_json: bool) -> None:
    try:
        said = json.loads(answer)
    except ValueError:
        said = answer
    if as_json:
        say_json({"status": status, "delivery": delivery, "answer": said})
        return
    say(f"{status} {answer}")
    if status == HTTPStatus.ACCEPTED:
        say(f"trunkline explain {delivery}")
