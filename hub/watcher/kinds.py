"""Which kinds are watched, as the API server has them now, and which source reads each."""

from collections.abc import Iterable, Iterator

from hub.clients.kubernetes import FoundKind, Kubernetes
from hub.settings import WatcherSettings
from hub.sources import argocd, crossplane, tekton
from hub.watcher.watched import See, WatchedKind

EVERYWHERE = "*"
"""All namespaces, where the settings name some."""


class Kinds:
    """Asks the API server for the kinds that the settings mean: those of a group come and go."""

    def __init__(self, kubernetes: Kubernetes, settings: WatcherSettings) -> None:
        self._kubernetes = kubernetes
        self._settings = settings

    async def find(self) -> tuple[WatchedKind, ...]:
        """Return what is to be watched now. Raises TemporaryError, PermanentError."""
        settings = self._settings
        return (
            *await self._every(settings.groups, crossplane.see_composite),
            *await self._every(settings.managed, crossplane.see_managed),
            *await self._one("tekton.dev", "pipelineruns", settings.pipeline_runs, tekton.see),
            *await self._one("argoproj.io", "applications", settings.applications, argocd.see),
        )

    async def _every(self, groups: Iterable[str], see: See) -> list[WatchedKind]:
        """Return all kinds of some groups: a group that nobody has installed yet has none."""
        return [
            WatchedKind(found=found, namespace=None, see=see)
            for group in groups
            for found in await self._kubernetes.kinds(group)
        ]

    async def _one(
        self, group: str, plural: str, namespaces: tuple[str, ...], see: See
    ) -> Iterator[WatchedKind]:
        found = await self._kubernetes.kinds(group) if namespaces else ()
        return (
            WatchedKind(
                found=one, namespace=None if namespace == EVERYWHERE else namespace, see=see
            )
            for one in _of(found, plural)
            for namespace in namespaces
        )


def _of(found: Iterable[FoundKind], plural: str) -> list[FoundKind]:
    return [one for one in found if one.resource.plural == plural]
