"""`ArgoCD`: keeps an Application for every overlay of the gitops repository, and syncs it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from hub.sandbox.argocd import applications
from hub.sandbox.argocd.applications import NAMESPACE, Source
from hub.sandbox.argocd.desired import Desired, Manifests, Overlay, overlays_in, render
from hub.sandbox.argocd.notifications import Notifications
from hub.sandbox.background import Background
from hub.sandbox.clock import Clock, rfc3339
from hub.sandbox.kubernetes import APPLICATIONS, Cluster, Object
from hub.sandbox.pace import Pace
from hub.sandbox.repository import Change, Repository


class ArgoCD:
    """The application controller."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        gitops: Repository,
        address: Callable[[], str],
        clock: Clock,
        pace: Pace,
        automated: Collection[str],
        notifications: Notifications,
    ) -> None:
        """`address` tells where the gitops repository is; `automated` environments sync alone."""
        self.notifications = notifications
        self.pace = pace
        self._cluster = cluster
        self._gitops = gitops
        self._address = address
        self._clock = clock
        self._automated = frozenset(automated)
        self._desired: dict[Overlay, Desired] = {}
        self._rendered: dict[str, Manifests] = {}
        self._live: dict[Overlay, Desired] = {}
        self._given_up: dict[Overlay, str] = {}
        self._failures: dict[str, str] = {}
        self._busy: defaultdict[Overlay, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._refreshing = asyncio.Lock()
        self._background = Background()
        gitops.subscribe(self._hear)

    async def start(self) -> None:
        """Begin to notify, and look at the repository."""
        await self.notifications.start()
        self._background.start(self._refresh())

    async def stop(self) -> None:
        """Leave everything as it is."""
        await self._background.stop()
        await self.notifications.stop()

    async def settled(self) -> None:
        """Wait until everything is as the repository wants it, and every notification is sent."""
        await self._background.settled()
        await self.notifications.settled()

    async def sync(self, name: str, *, by: str = "release-manager") -> None:
        """Sync an Application to the newest commit, as a person does; return at the end of it."""
        overlay = self._overlay(name)
        async with self._busy[overlay]:
            await self._operate(overlay, self._desired[overlay], by=by)

    def fail_next_sync(self, name: str, message: str) -> None:
        """Let the next operation of an Application fail."""
        self._failures[name] = message

    def degrade(self, name: str, message: str) -> None:
        """Let an Application become Degraded."""
        self._patch(name, applications.health("Degraded", at=self._tick(name), message=message))

    def recover(self, name: str) -> None:
        """Let an Application become Healthy."""
        self._patch(name, applications.health("Healthy", at=self._tick(name)))

    async def _hear(self, repository: Repository, changes: Sequence[Change]) -> None:
        branch = f"refs/heads/{repository.default_branch}"
        if any(change.ref == branch and not change.deleted for change in changes):
            self._background.start(self._notice())

    async def _notice(self) -> None:
        """Look at a push a moment later: as in the world, who pushed hears of it before."""
        await asyncio.sleep(self.pace.stage_seconds)
        await self._refresh()

    async def _refresh(self) -> None:
        """Look at the newest commit, and reconcile whatever it changes."""
        async with self._refreshing:
            for overlay, desired in (await self._read()).items():
                before = self._desired.get(overlay)
                self._desired[overlay] = desired
                if before is None:
                    self._create(overlay)
                if before is None or before.files != desired.files:
                    self._background.start(self._reconcile(overlay))

    async def _read(self) -> dict[Overlay, Desired]:
        revision = await self._gitops.resolve(self._gitops.default_branch)
        files = await self._gitops.list_files(revision)
        overlays = overlays_in(files)
        await self._render(files[overlay.kustomization] for overlay in overlays)
        return {
            overlay: Desired(
                revision=revision,
                files=parts,
                manifests=self._rendered[files[overlay.kustomization]],
            )
            for overlay, parts in overlays.items()
        }

    async def _render(self, blobs: Iterable[str]) -> None:
        """Render the kustomizations that have not been seen before."""
        unknown = [blob for blob in blobs if blob not in self._rendered]
        for blob, content in (await self._gitops.read_blobs(unknown)).items():
            self._rendered[blob] = render(content)

    def _create(self, overlay: Overlay) -> None:
        automated = overlay.environment in self._automated
        made = applications.application(overlay, self._source, automated=automated)
        self._cluster.create(APPLICATIONS, NAMESPACE, made)

    async def _reconcile(self, overlay: Overlay) -> None:
        """Compare what is wanted with what is there, and sync where that is automatic."""
        async with self._busy[overlay]:
            desired, live = self._desired[overlay], self._live.get(overlay)
            if desired.manifests.error:
                self._compare(overlay, "Unknown", desired)
            elif live is not None and live.files == desired.files:
                self._compare(overlay, "Synced", desired)
            else:
                self._compare(overlay, "OutOfSync", desired)
                if self._syncs_alone(overlay, desired):
                    await self._operate(overlay, desired, by="")

    def _syncs_alone(self, overlay: Overlay, desired: Desired) -> bool:
        """Whether to sync now: a commit that has failed once is not tried again."""
        tried = self._given_up.get(overlay) == desired.revision
        return overlay.environment in self._automated and not tried

    def _compare(self, overlay: Overlay, status: str, desired: Desired) -> None:
        at = self._later(overlay.name)
        patch = applications.compared(
            status, desired.revision, at=at, error=desired.manifests.error
        )
        self._patch(overlay.name, patch)

    async def _operate(self, overlay: Overlay, desired: Desired, *, by: str) -> None:
        name, revision = overlay.name, desired.revision
        begun = applications.started(overlay, self._source, revision, at=self._tick(name), by=by)
        self._patch(name, begun)
        await self.pace.stage()
        message = self._failures.pop(name, None) or desired.manifests.error
        if message:
            self._given_up[overlay] = revision
            self._patch(name, applications.failed(message, at=self._later(name)))
            return
        self._live[overlay] = desired
        app = self._cluster.get(APPLICATIONS, NAMESPACE, name)
        done = applications.succeeded(app, desired.manifests.images, revision, at=self._later(name))
        self._patch(name, done)
        await self.pace.stage()
        self._patch(name, applications.health("Healthy", at=self._later(name)))

    def _patch(self, name: str, patch: Object) -> None:
        self._cluster.patch(APPLICATIONS, NAMESPACE, name, patch)

    def _tick(self, name: str) -> str:
        return rfc3339(self._clock.tick(name))

    def _later(self, name: str) -> str:
        return rfc3339(self._clock.later(name))

    def _overlay(self, name: str) -> Overlay:
        return {overlay.name: overlay for overlay in self._desired}[name]

    @property
    def _source(self) -> Source:
        return Source(repository=self._address(), branch=self._gitops.default_branch)
