"""Sends Tekton's CloudEvents: binary mode, unsigned, a new id each time, in no promised order.

Protocol: https://tekton.dev/docs/pipelines/events/. Retries are those of the CloudEvents SDK for Go
as Tekton calls it: exponential from 10 ms, ten times, on network faults and on 404, 413, 425, 429,
502, 503 and 504.
"""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp
import orjson

from hub.sandbox.background import Background
from hub.sandbox.kubernetes import Object
from hub.sandbox.outgoing import Outgoing
from hub.sandbox.tekton.states import to_v1beta1

_RETRIED = frozenset({404, 413, 425, 429, 502, 503, 504})
_RETRIES = 10


class CloudEvents:
    """The sender; it sends nothing until it has a sink."""

    def __init__(self, *, retry_seconds: float = 0.01) -> None:
        """`retry_seconds` is the first pause; each one is twice as long as the one before."""
        self.sink: str | None = None
        """The address that ConfigMap `config-events` names."""
        self.copies = 1
        """How often everything is sent; every copy has an id of its own."""
        self.backwards = False
        """Whether a run's events are kept until its end and then sent last first."""
        self.lost: list[str] = []
        """The types of what was given up."""
        self._kept: dict[str, list[tuple[str, Object]]] = {}
        self._retry_seconds = retry_seconds
        self._background = Background()
        self._outgoing = Outgoing()

    async def start(self) -> None:
        """Be ready to send."""
        await self._outgoing.start()

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._background.stop()
        await self._outgoing.stop()

    async def settled(self) -> None:
        """Wait until everything has been taken or given up."""
        await self._background.settled()

    def emit(self, name: str, run: Object, *, last: bool) -> None:
        """Tell that a PipelineRun is `started`, `running`, `successful` or `failed`."""
        event = (f"dev.tekton.event.pipelinerun.{name}.v1", run)
        if not self.backwards:
            self._background.start(self._send_all([event]))
            return
        kept = self._kept.setdefault(run["metadata"]["uid"], [])
        kept.append(event)
        if last:
            self._background.start(self._send_all(kept[::-1]))

    async def _send_all(self, events: list[tuple[str, Object]]) -> None:
        for kind, run in events:
            for _ in range(self.copies):
                await self._send(kind, run)

    async def _send(self, kind: str, run: Object) -> None:
        if self.sink is None:
            return
        body = orjson.dumps({"pipelineRun": to_v1beta1(run)})
        headers = _headers(kind, run)
        for retry in range(_RETRIES + 1):
            if await self._post(self.sink, headers, body):
                return
            await asyncio.sleep(self._retry_seconds * 2**retry)
        self.lost.append(kind)

    async def _post(self, sink: str, headers: dict[str, str], body: bytes) -> bool:
        """Post once; return False where it has to be tried again."""
        try:
            async with self._outgoing.post(sink, data=body, headers=headers) as answer:
                return answer.status not in _RETRIED
        except (aiohttp.ClientError, TimeoutError):
            return False


def _headers(kind: str, run: Object) -> dict[str, str]:
    metadata = run["metadata"]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Go-http-client/1.1",
        "Ce-Specversion": "1.0",
        "Ce-Id": str(uuid4()),
        # Group, version and kind are empty because Tekton's cache strips them.
        "Ce-Source": f"/apis///namespaces/{metadata['namespace']}//{metadata['name']}",
        "Ce-Type": kind,
        "Ce-Subject": metadata["name"],
        "Ce-Time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
