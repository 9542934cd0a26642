"""`Notifications`: Argo CD's notifications controller, with its webhook service and its faults.

Four attempts, on network faults and 5xx only; what was given up is never tried again, because
`oncePer` already counts it as told. An Application's notifications go out in order, one by one.
Documentation: https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp

from hub.sandbox.argocd.applications import NAMESPACE
from hub.sandbox.argocd.rendering import Trigger, body, fired
from hub.sandbox.background import Background
from hub.sandbox.kubernetes import APPLICATIONS, Cluster, Object
from hub.sandbox.kubernetes.changes import Follower
from hub.sandbox.outgoing import Outgoing

_ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The webhook service: where to, and the token in its Authorization header."""

    url: str
    token: str = field(repr=False)


class Notifications:
    """The notifications controller; it notifies nobody until it has a service."""

    def __init__(self, *, cluster: Cluster, retry_seconds: float = 0.01) -> None:
        """`retry_seconds` is the first pause (Argo CD's is 1), and each one is twice as long."""
        self.service: Service | None = None
        self.lost: list[str] = []
        """The triggers of what was given up."""
        self._cluster = cluster
        self._retry_seconds = retry_seconds
        self._told: set[str] = set()
        self._sending: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._background = Background()
        self._controller = Background()
        self._changes: Follower | None = None
        self._outgoing = Outgoing()

    async def start(self) -> None:
        """Begin to watch the Applications."""
        await self._outgoing.start()
        self._changes = self._cluster.follow(APPLICATIONS)
        self._controller.start(self._control(self._changes))

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._controller.stop()
        await self._background.stop()
        if self._changes is not None:
            self._changes.close()
        await self._outgoing.stop()

    async def settled(self) -> None:
        """Wait until every notification has been taken or given up."""
        if self._changes is not None:
            await self._changes.caught_up()
        await self._background.settled()

    def repeat(self, name: str) -> None:
        """Notify of an Application's present state again, as after a crash before it was noted."""
        app = self._cluster.get(APPLICATIONS, NAMESPACE, name)
        for _, key in fired(app):
            self._told.discard(key)
        self._notify(app)

    async def _control(self, changes: Follower) -> None:
        async for change in changes:
            if change.after is not None:
                self._notify(change.after)

    def _notify(self, app: Object) -> None:
        due = [trigger for trigger, key in fired(app) if not self._remember(key)]
        if due and self.service is not None:
            self._background.start(self._send_all(self.service, due, app))

    def _remember(self, key: str) -> bool:
        """Note that this is told, and return whether it had been before."""
        known = key in self._told
        self._told.add(key)
        return known

    async def _send_all(self, service: Service, due: list[Trigger], app: Object) -> None:
        # Locks are fair, so an Application's states go out in the order they came.
        async with self._sending[app["metadata"]["uid"]]:
            for trigger in due:
                if not await self._send(service, body(trigger, app)):
                    self.lost.append(trigger.name)

    async def _send(self, service: Service, content: bytes) -> bool:
        for attempt in range(_ATTEMPTS):
            if await self._post(service, content):
                return True
            if attempt < _ATTEMPTS - 1:
                await asyncio.sleep(self._retry_seconds * 2**attempt)
        return False

    async def _post(self, service: Service, content: bytes) -> bool:
        """Post once; return False where it has to be tried again."""
        headers = {
            "Authorization": f"Bearer {service.token}",
            "Content-Type": "application/json",
            "User-Agent": "Go-http-client/1.1",
        }
        try:
            async with self._outgoing.post(service.url, data=content, headers=headers) as answer:
                return answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
        except (aiohttp.ClientError, TimeoutError):
            return False
