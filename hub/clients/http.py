"""The only way out over HTTP: one session, bounded in time and size, that follows no redirect.

What it connects to is checked after the name was looked up. Nothing here knows a credential or
reads a body: see `endpoint`, and the client of each system.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from hub.clients.addresses import refusal
from hub.clients.answer import Answer, OutcomeUnknownError, clean
from hub.errors import PermanentError, TemporaryError

CALL_SECONDS = 10.0
"""One call, from the name look-up to the last byte: a third of what an action may take."""

CONNECT_SECONDS = 5.0
"""Name look-up and connecting; a resolver that hangs must not eat the whole call."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""The largest answer that is read. A PipelineRun or an Application with its managed fields can
reach 1.5 MB (the limit of an object in etcd); nothing that is asked for comes near this."""

_CONNECTIONS_PER_HOST = 20
"""So that a system which hangs holds only its own connections; GitHub allows 100 at once."""


class AnswerTooLargeError(PermanentError):
    """The answer is larger than MAX_ANSWER_BYTES; whoever asked may ask for less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to an endpoint. `path` is made by `path_of`, or is a constant."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    """JSON."""
    lane: str = ""
    """What a rate limit met by this request holds for; empty for the whole system."""


def path_of(*segments: str) -> str:
    """Return a path of these segments, each quoted. Raises PermanentError for one that climbs."""
    if any(segment in {"", ".", ".."} for segment in segments):
        raise PermanentError("an address cannot have an empty part or one made of dots")
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


class Http:
    """Owns the session. Use it as an async context, or `close` it."""

    def __init__(
        self,
        *,
        resolver: AbstractResolver | None = None,
        call_seconds: float = CALL_SECONDS,
        connections_per_host: int = _CONNECTIONS_PER_HOST,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.monotonic = monotonic
        self.wall = wall
        self._resolver = resolver
        self._connections_per_host = connections_per_host
        self._timeout = aiohttp.ClientTimeout(
            total=call_seconds,
            connect=min(CONNECT_SECONDS, call_seconds),
        )
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection. What is called afterwards raises TemporaryError."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self, url: URL, request: Request, *, headers: dict[str, str], tls: ssl.SSLContext | bool
    ) -> Answer:
        """Send one request and read its whole answer, whatever its status.

        Raises TemporaryError where nothing was sent, OutcomeUnknownError where the answer was
        lost, PermanentError where the address is refused, AnswerTooLargeError.
        """
        with _translated(url.host or ""):
            async with self._open().request(
                request.method,
                url,
                data=request.body,
                headers=headers,
                ssl=tls,
                allow_redirects=False,
            ) as response:
                return await _read(response)

    @asynccontextmanager
    async def stream(
        self,
        url: URL,
        request: Request,
        *,
        headers: dict[str, str],
        tls: ssl.SSLContext | bool,
        silence_seconds: float,
    ) -> AsyncIterator["Streamed"]:
        """Send one request, and hand out its answer while it is still coming.

        It may last as long as it likes, but for `silence_seconds` without a byte. Raises as `send`.
        """
        with _translated(url.host or ""):
            response = await self._open().request(
                request.method,
                url,
                headers=headers,
                ssl=tls,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=self._timeout.connect, sock_read=silence_seconds
                ),
            )
        try:
            yield Streamed(response, url.host or "")
        finally:
            _cut(response)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise TemporaryError("the hub is shutting down")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_CheckedResolver(self._resolver or aiohttp.ThreadedResolver()),
                    limit=0,
                    limit_per_host=self._connections_per_host,
                ),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers={"User-Agent": "trunkline", "Accept-Encoding": "identity"},
            )
        return self._session


class Streamed:
    """An answer that is still coming."""

    def __init__(self, response: aiohttp.ClientResponse, host: str) -> None:
        self.status = response.status
        self._response = response
        self._host = host

    async def whole(self) -> Answer:
        """Return all of it, as for an error. Raises as `Http.send`."""
        with _translated(self._host):
            return await _read(self._response)

    async def lines(self, *, most_bytes: int) -> AsyncIterator[bytes]:
        """Yield it line by line; what comes after the last line break is cut off, and left out.

        Raises TemporaryError for silence and for a lost connection, PermanentError for a line that
        is longer than `most_bytes`.
        """
        rest = bytearray()
        chunks = self._response.content.iter_any()
        while True:
            with _translated(self._host):
                chunk = await anext(chunks, b"")
            if not chunk:
                return
            *lines, last = chunk.split(b"\n")
            for line in lines:
                yield bytes(rest) + line
                rest.clear()
            rest += last
            if len(rest) > most_bytes:
                raise AnswerTooLargeError(f"a line is longer than {most_bytes} bytes")


def _cut(response: aiohttp.ClientResponse) -> None:
    """Leave an answer that has not ended: over TLS, `close` alone waits for the other side."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


@contextmanager
def _translated(host: str) -> Iterator[None]:
    """Let the library's exceptions end here, as `Http.send` says."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise TemporaryError(f"{host} cannot be reached: {clean(str(error))}") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise TemporaryError(f"{host} did not take a connection in time") from error
    except TimeoutError as error:
        raise OutcomeUnknownError(f"{host} did not answer in time") from error
    except ValueError as error:
        raise PermanentError(f"the request to {host} cannot be written") from error
    except (aiohttp.ClientError, OSError) as error:
        name = type(error).__name__
        raise OutcomeUnknownError(f"the answer of {host} was lost: {name}") from error


class _CheckedResolver(AbstractResolver):
    """Looks names up, and refuses what must not be connected to.

    The connector connects to the very addresses that were checked, so a name that changes its
    mind between the check and the connection gains nothing.
    """

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look a name up. Raises PermanentError where any of its addresses is refused."""
        for result in (results := await self._look_up(host, port, family)):
            reason = refusal(host, result["host"])
            if reason is not None:
                raise PermanentError(f"not connected: {reason}")
        return results

    async def _look_up(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> list[ResolveResult]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._inner.resolve(host, port, family)
        except TimeoutError as error:
            raise TemporaryError(f"the name {host} was not resolved in time") from error

    async def close(self) -> None:
        """Close what looks names up."""
        await self._inner.close()


async def _read(response: aiohttp.ClientResponse) -> Answer:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise AnswerTooLargeError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status, headers=headers, body=bytes(body))
