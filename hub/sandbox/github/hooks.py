"""Webhooks: signs and delivers events, keeps what came of each delivery, never repeats by itself.

Protocol: https://docs.github.com/en/webhooks/webhook-events-and-payloads.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
import orjson

from hub.errors import TrunklineError
from hub.sandbox.background import Background
from hub.sandbox.github.objects import stable_number
from hub.sandbox.outgoing import Outgoing

_MAX_KEPT = 10_000
"""GitHub keeps three days of deliveries; the sandbox the last ones."""


class NoDelivery(TrunklineError):
    """There is no delivery with this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One configured webhook of a repository."""

    id: int
    repository: str
    url: str
    secret: str | None = field(repr=False)
    events: tuple[str, ...]
    form: bool
    """Whether the payload goes as `application/x-www-form-urlencoded`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver an event, and what came of it."""

    id: int
    hook: Hook
    guid: str
    event: str
    action: str | None
    payload: bytes
    """The JSON, before any form encoding."""
    redelivery: bool = False
    delivered_at: datetime
    duration: float = 0.0
    """Seconds."""
    status: str = ""
    status_code: int = 0
    request_headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response_body: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the receiver answered with success."""
        return 200 <= self.status_code < 300  # noqa: PLR2004 - the range is HTTP's own


class Webhooks:
    """The hooks of all repositories, and every delivery."""

    def __init__(self) -> None:
        self.deliveries: dict[int, Delivery] = {}
        """Finished ones, the oldest first."""
        self._hooks: dict[int, Hook] = {}
        self._numbers = count(1)
        self._background = Background()
        self._outgoing = Outgoing()

    async def start(self) -> None:
        """Be ready to deliver."""
        await self._outgoing.start()

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._background.stop()
        await self._outgoing.stop()

    def add(
        self,
        repository: str,
        *,
        url: str,
        secret: str | None,
        events: Sequence[str],
        form: bool = False,
    ) -> Hook:
        """Configure a hook; `events` may be `*`."""
        number = next(self._numbers)
        hook = Hook(
            id=number,
            repository=repository,
            url=url,
            secret=secret,
            events=tuple(events),
            form=form,
        )
        self._hooks[number] = hook
        return hook

    def remove(self, hook: Hook) -> None:
        """Deliver nothing more to a hook."""
        self._hooks.pop(hook.id, None)

    def find(self, repository: str, number: int) -> Hook | None:
        """Return a repository's hook."""
        hook = self._hooks.get(number)
        return hook if hook is not None and hook.repository == repository else None

    def wanting(self, repository: str, event: str) -> Sequence[Hook]:
        """Return the hooks that an event of a repository is delivered to."""
        return [
            hook
            for hook in self._hooks.values()
            if hook.repository == repository and {event, "*"} & {*hook.events}
        ]

    def send(self, repository: str, event: str, payload: Mapping[str, Any]) -> None:
        """Deliver an event to every hook that wants it, each under a GUID of its own."""
        body = orjson.dumps(payload)
        for hook in self.wanting(repository, event):
            self._background.start(self._deliver(self._new(hook, event, payload, body)))

    def ping(self, hook: Hook, payload: Mapping[str, Any]) -> None:
        """Deliver the `ping` that greets a new hook."""
        delivery = self._new(hook, "ping", payload, orjson.dumps(payload))
        self._background.start(self._deliver(delivery))

    def redeliver(self, number: int) -> None:
        """Deliver again under the same GUID. Raises NoDelivery."""
        if number not in self.deliveries:
            raise NoDelivery(f"no delivery {number}")
        again = replace(
            self.deliveries[number],
            id=next(self._numbers),
            redelivery=True,
            delivered_at=datetime.now(UTC),
        )
        self._background.start(self._deliver(again))

    async def settled(self) -> None:
        """Wait until every delivery has been answered or given up."""
        await self._background.settled()

    def _new(self, hook: Hook, event: str, payload: Mapping[str, Any], body: bytes) -> Delivery:
        return Delivery(
            id=next(self._numbers),
            hook=hook,
            guid=str(uuid4()),
            event=event,
            action=payload.get("action"),
            payload=body,
            delivered_at=datetime.now(UTC),
        )

    async def _deliver(self, delivery: Delivery) -> None:
        body = urlencode({"payload": delivery.payload}).encode()
        body = body if delivery.hook.form else delivery.payload
        asked = replace(delivery, request_headers=_headers(delivery, body))
        began = time.monotonic()
        done = await self._post(asked, body)
        self.deliveries[delivery.id] = replace(done, duration=time.monotonic() - began)
        while len(self.deliveries) > _MAX_KEPT:
            self.deliveries.pop(next(iter(self.deliveries)))

    async def _post(self, delivery: Delivery, body: bytes) -> Delivery:
        headers = dict(delivery.request_headers)
        try:
            async with self._outgoing.post(delivery.hook.url, data=body, headers=headers) as answer:
                return replace(
                    delivery,
                    status=answer.reason or "",
                    status_code=answer.status,
                    response_headers={str(name): value for name, value in answer.headers.items()},
                    response_body=await answer.text(errors="replace"),
                )
        except TimeoutError:
            return replace(delivery, status="timed out", status_code=504)
        except aiohttp.ClientError:
            return replace(delivery, status="failed to connect to host", status_code=502)


def _headers(delivery: Delivery, body: bytes) -> dict[str, str]:
    hook = delivery.hook
    media_type = "x-www-form-urlencoded" if hook.form else "json"
    headers = {
        "Accept": "*/*",
        "Content-Type": f"application/{media_type}",
        "User-Agent": "GitHub-Hookshot/5a4c3c1",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(hook.id),
        "X-GitHub-Hook-Installation-Target-ID": str(stable_number(hook.repository)),
        "X-GitHub-Hook-Installation-Target-Type": "repository",
    }
    if hook.secret is not None:
        key = hook.secret.encode()
        # GitHub still sends the old one too; nobody should look at it.
        headers["X-Hub-Signature"] = "sha1=" + hmac.new(key, body, hashlib.sha1).hexdigest()
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.new(key, body, "sha256").hexdigest()
    return headers
