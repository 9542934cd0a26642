"""Health and metrics, on a port of their own that outsiders do not reach.

`/healthz`: is the process getting on with its work? `/readyz`: may senders be sent here? Both ask
probes and answer 200 or 503 with what is wrong. `/metrics`: everything that is counted, in
Prometheus' text format. Nothing here changes anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
from aiohttp.web import BaseRequest, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from hub.receiver import answers
from hub.receiver.limits import Limits
from hub.receiver.listener import Listener
from hub.receiver.refusals import UnknownPath, WrongMethod
from hub.settings import AdminSettings

Probe = Callable[[], Awaitable[str | None]]
"""Says in a few words what is wrong, or None. Asked every few seconds, so it must be cheap."""

_PROBE_SECONDS = 1.0
"""A probe that takes longer is itself a problem: kubelet waits one second unless told otherwise."""


class Admin:
    """The admin port."""

    def __init__(
        self,
        *,
        settings: AdminSettings,
        health: Mapping[str, Probe],
        readiness: Mapping[str, Probe],
        registry: CollectorRegistry,
        limits: Limits | None = None,
    ) -> None:
        """Build it. The probes are named for the answer."""
        self._probes = {"/healthz": health, "/readyz": readiness}
        self._registry = registry
        self._listener = Listener(
            host=settings.host,
            port=settings.port,
            answer=self._answer,
            limits=limits or Limits(),
            on_mishap=lambda _: None,
        )

    async def start(self) -> int:
        """Listen, and return the port. Raises SettingsError where the address cannot be had."""
        return await self._listener.start()

    async def stop(self) -> None:
        """Close the port."""
        await self._listener.stop()

    async def _answer(self, request: BaseRequest) -> Response:
        path = request.rel_url.raw_path
        if path not in {*self._probes, "/metrics"}:
            return answers.refused(UnknownPath("there is no such path"))
        if request.method not in {"GET", "HEAD"}:
            return answers.refused(WrongMethod("read it with GET", allow="GET, HEAD"))
        if path == "/metrics":
            return self._metrics()
        return _verdict(await _ask(self._probes[path]))

    def _metrics(self) -> Response:
        return Response(
            body=generate_latest(self._registry),
            headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4},
        )


async def _ask(probes: Mapping[str, Probe]) -> dict[str, str]:
    """Ask all probes at once; return the problems by the name of their probe."""
    said = await asyncio.gather(*(_problem(probe) for probe in probes.values()))
    return {name: problem for name, problem in zip(probes, said, strict=True) if problem}


async def _problem(probe: Probe) -> str | None:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            return await probe()
    except TimeoutError:
        return f"no answer within {_PROBE_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001  # a broken probe is a finding, not an outage
        return f"the probe failed ({type(error).__name__})"


def _verdict(problems: Mapping[str, str]) -> Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    content = {"status": "failing" if problems else "ok", "problems": problems}
    return Response(
        status=status,
        body=orjson.dumps(content),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )
