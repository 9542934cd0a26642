"""One of several processes at a time: a Lease of Kubernetes says which.

The protocol is that of client-go's leader election
(https://kubernetes.io/docs/concepts/architecture/leases/): whoever finds a lease that has not been
renewed for its duration, by the finder's own clock that only goes on, takes it. Two processes that
lead for a moment do no harm here; the lease spares the API server, it protects nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import structlog
from pydantic import ValidationError

from hub.clients.kubernetes import Created, Kubernetes, ObjectPart, Resource
from hub.errors import PermanentError, TemporaryError

LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases")

LEASE_SECONDS = 15
"""A leader that was not heard of for so long has gone."""

RENEW_SECONDS = 5.0
"""Between two renewals, and between two looks of those that do not lead."""

GIVE_UP_SECONDS = 10.0
"""After the last renewal a leader stops by itself: before anybody else may begin."""

CALL_SECONDS = 4.0

Sleep = Callable[[float], Awaitable[object]]

_log = structlog.get_logger()


class _Spec(ObjectPart):
    holder_identity: str = ""
    lease_duration_seconds: int = LEASE_SECONDS
    acquire_time: str = ""
    renew_time: str = ""
    lease_transitions: int = 0


class _Metadata(ObjectPart):
    resource_version: str = ""


class _Lease(ObjectPart):
    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Where the lease is, and who asks for it."""

    namespace: str
    name: str
    holder: str
    """Another name for every process."""


class Election:
    """Lets a process work while it holds a lease."""

    def __init__(
        self,
        lease: Lease,
        *,
        kubernetes: Kubernetes,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`wall` is what the lease shows to people; only `monotonic` decides anything."""
        self._lease = lease
        self._kubernetes = kubernetes
        self._wall = wall
        self._monotonic = monotonic
        self._sleep = sleep
        self._seen: tuple[_Lease, float] | None = None
        self._said = ""

    async def lead(
        self, work: Callable[[], Awaitable[None]], *, told: Callable[[bool], None]
    ) -> None:
        """Do the work whenever this process leads, until cancelled.

        `told` hears that it does not yet, and of each change.
        """
        told(False)
        while True:
            since = self._monotonic()
            if await self._try():
                _log.info("watching_begun", holder=self._lease.holder)
                told(True)
                try:
                    await self._work(work, since)
                finally:
                    told(False)
                    await self._release()
                _log.warning("watching_lost", holder=self._lease.holder)
            await self._sleep(RENEW_SECONDS)

    async def _work(self, work: Callable[[], Awaitable[None]], since: float) -> None:
        """Work until the lease is lost. Raises what the work raises."""
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._keep(since))
        try:
            await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.wait([working, renewing])
        for task in (working, renewing):
            if not task.cancelled():
                task.result()

    async def _keep(self, since: float) -> None:
        """Renew the lease until that has failed for too long."""
        while self._monotonic() - since < GIVE_UP_SECONDS:
            await self._sleep(RENEW_SECONDS)
            asked = self._monotonic()
            if await self._try():
                since = asked
            elif self._is_held_by_another():
                return

    async def _try(self) -> bool:
        """Take the lease, or renew it; say whether it is held now."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                held = await self._take()
        except (TemporaryError, PermanentError, TimeoutError) as error:
            self._say(str(error) or "the Kubernetes API did not answer in time")
            return False
        self._said = ""
        return held

    def _say(self, error: str) -> None:
        level = _log.debug if error == self._said else _log.warning
        level("lease_not_reached", lease=self._lease.name, error=error)
        self._said = error

    async def _take(self) -> bool:
        place = self._lease.namespace
        body = await self._kubernetes.get(LEASES, namespace=place, name=self._lease.name)
        if body is None:
            made = await self._kubernetes.create(
                LEASES, namespace=place, manifest=self._manifest(_Lease(), self._lease.holder)
            )
            if isinstance(made, Created):
                self._notice(_read(made.body))
            return isinstance(made, Created)
        found = _read(body)
        if not self._may_take(found):
            return False
        written = await self._kubernetes.replace(
            LEASES,
            namespace=place,
            name=self._lease.name,
            manifest=self._manifest(found, self._lease.holder),
        )
        if written is not None:
            self._notice(_read(written))
        return written is not None

    def _may_take(self, found: _Lease) -> bool:
        noticed = self._notice(found)
        if found.spec.holder_identity in {"", self._lease.holder}:
            return True
        return self._monotonic() - noticed > max(found.spec.lease_duration_seconds, LEASE_SECONDS)

    def _notice(self, found: _Lease) -> float:
        """Return since when the lease has been as it is, by our own clock."""
        if self._seen is None or self._seen[0] != found:
            self._seen = (found, self._monotonic())
        return self._seen[1]

    def _is_held_by_another(self) -> bool:
        holder = self._seen[0].spec.holder_identity if self._seen else ""
        return holder not in {"", self._lease.holder}

    async def _release(self) -> None:
        """Give the lease up, so that another one need not wait for its end."""
        if self._seen is None or self._is_held_by_another():
            return
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._kubernetes.replace(
                    LEASES,
                    namespace=self._lease.namespace,
                    name=self._lease.name,
                    manifest=self._manifest(self._seen[0], ""),
                )
        except (TemporaryError, PermanentError, TimeoutError):
            return

    def _manifest(self, before: _Lease, holder: str) -> bytes:
        """Return the lease as it is to be: held by `holder` from now, or by nobody."""
        now = datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_same = before.spec.holder_identity == holder
        metadata: dict[str, str] = {"name": self._lease.name, "namespace": self._lease.namespace}
        if before.metadata.resource_version:
            metadata["resourceVersion"] = before.metadata.resource_version
        return orjson.dumps(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": metadata,
                "spec": {
                    "holderIdentity": holder,
                    "leaseDurationSeconds": LEASE_SECONDS,
                    "acquireTime": before.spec.acquire_time if is_same else now,
                    "renewTime": now,
                    "leaseTransitions": before.spec.lease_transitions + (not is_same),
                },
            }
        )


def _read(body: bytes) -> _Lease:
    try:
        return _Lease.model_validate_json(body)
    except ValidationError as error:
        raise TemporaryError("the lease cannot be read") from error
