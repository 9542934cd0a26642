"""Faults: how a part of the sandbox world is told to fail.

Each part serves HTTP behind `Faults.middleware`. A fault is exact (which system, method and path,
how often) and never depends on a clock: what is slow waits until it is cleared.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Answer with an error status; nothing else happens."""

    status: int
    retry_after: float | None = None
    """Seconds, sent as `Retry-After` where given."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers, such as GitHub's `X-RateLimit-Reset`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetAfterEffect:
    """Do what was asked, then cut the connection before the answer: the caller cannot know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Hold the request until the fault is cleared, then serve it as usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """Cut the connection before anything happens."""


Kind = Status | ResetAfterEffect | Slow | Down


class Fault:
    """One thing that goes wrong, until it is cleared or has happened often enough."""

    def __init__(self, kind: Kind, *, method: str | None, path: str, times: int | None) -> None:
        self.kind = kind
        self.hits = 0
        """How many requests it has met."""
        self._method = method
        self._path = re.compile(path)
        self._times = times
        self._cleared = asyncio.Event()
        self._met = asyncio.Condition()

    def clear(self) -> None:
        """Let it be over: what it holds is served, and what comes is not touched."""
        self._cleared.set()

    async def met(self, hits: int = 1, *, timeout: float = 10.0) -> None:
        """Wait until it has met so many requests. Raises TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout), self._met:
            await self._met.wait_for(lambda: self.hits >= hits)

    async def meet(self) -> None:
        """Count one request that it applies to."""
        self.hits += 1
        async with self._met:
            self._met.notify_all()

    async def over(self) -> None:
        """Wait until it is cleared."""
        await self._cleared.wait()

    def applies(self, request: web.Request) -> bool:
        """Whether this request is one that it spoils."""
        exhausted = self._times is not None and self.hits >= self._times
        return (
            not exhausted
            and not self._cleared.is_set()
            and self._method in {None, request.method}
            and self._path.search(request.path) is not None
        )


def _plain(fault: Status) -> web.Response:
    return web.Response(status=fault.status, text=f"sandbox: {fault.status}\n")


class Faults:
    """The faults of one world, by system (`github`, `git`, `kubernetes`, `slack`, `pagerduty`)."""

    def __init__(self) -> None:
        self._faults: dict[str, list[Fault]] = {}

    def fail(
        self,
        system: str,
        kind: Kind,
        *,
        method: str | None = None,
        path: str = "",
        times: int | None = None,
    ) -> Fault:
        """Let requests to `system` fail where `path`, a regular expression, is found in theirs.

        `times` None means until cleared. Where several faults apply, the one told first does.
        """
        fault = Fault(kind, method=method, path=path, times=times)
        self._faults.setdefault(system, []).append(fault)
        return fault

    def clear(self, system: str | None = None) -> None:
        """Clear every fault of one system, or of all."""
        for name in [system] if system is not None else list(self._faults):
            for fault in self._faults.pop(name, []):
                fault.clear()

    def middleware(
        self, system: str, *, answer: Callable[[Status], web.Response] = _plain
    ) -> Middleware:
        """Return the aiohttp middleware of one system.

        `answer` makes the error that this system would send; `Retry-After` is added here.
        """

        @web.middleware
        async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
            fault = self._find(system, request)
            if fault is None:
                return await handler(request)
            await fault.meet()
            return await _spoilt(fault, answer, request, handler)

        return spoil

    def _find(self, system: str, request: web.Request) -> Fault | None:
        faults = self._faults.get(system, [])
        return next((fault for fault in faults if fault.applies(request)), None)


async def _spoilt(
    fault: Fault,
    answer: Callable[[Status], web.Response],
    request: web.Request,
    handler: Handler,
) -> web.StreamResponse:
    match fault.kind:
        case Status() as kind:
            response = answer(kind)
            response.headers.update(kind.headers)
            if kind.retry_after is not None:
                response.headers["Retry-After"] = f"{kind.retry_after:g}"
            return response
        case Slow():
            await fault.over()
            return await handler(request)
        case Down():
            return _cut(request)
        case ResetAfterEffect():
            await handler(request)
            return _cut(request)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    # aiohttp notices the dead transport when it writes this, so nobody reads it.
    return web.Response(status=500)
