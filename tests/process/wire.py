"""Signed GitHub deliveries, as octets on connections that one can hold, cut and starve."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 60.0
END_OF_HEADERS = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def duplicate(self) -> bool:
        """Whether the hub says that it has seen this before."""
        return bool(self.content.get("duplicate", False))


class Line:
    """One keep-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, octets: bytes) -> None:
        self._writer.write(octets)

    async def answer(self) -> Answer:
        """Read one answer. Raises EOFError and ConnectionError where it does not come whole."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            first, *fields = (await self._reader.readuntil(END_OF_HEADERS)).decode().splitlines()
            pairs = (field.split(": ", 1) for field in fields if field)
            headers = {name.lower(): value for name, value in pairs}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(status=int(first.split(" ")[1]), headers=headers, body=body)

    async def ask(self, octets: bytes) -> Answer:
        self.send(octets)
        return await self.answer()

    async def is_cut(self) -> bool:
        """Wait until the other side says something or ends; whether it has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self._reader.read(1) == b""
            except ConnectionError:
                return True

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    line = Line(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield line
    finally:
        line.close()


async def ask(port: int, octets: bytes) -> Answer:
    """Ask once, on a connection of its own."""
    async with line_to(port) as line:
        return await line.ask(octets)


def push(
    repository: str = "company/order-service",
    /,
    *,
    branch: str = "feature/x",
    after: str = "1" * 40,
    **more: Any,
) -> bytes:
    """Make the body of a push; the branch is one that is not built, unless told otherwise."""
    place = {"full_name": repository, "url": f"https://github.com/{repository}"}
    return json.dumps(
        {"ref": f"refs/heads/{branch}", "after": after, "repository": place, **more}
    ).encode()


def delivery(name: str, body: bytes, *, key: str, event: str = "push") -> bytes:
    """Sign a body and make the request of it, as GitHub does."""
    signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    head = (
        "POST /webhooks/github HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
        f"X-GitHub-Event: {event}\r\nX-GitHub-Delivery: {name}\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n"
    )
    return f"{head}\r\n".encode() + body
