"""What is known of one deployment: a revision of a service on its way into an environment.

Events about it arrive late, twice and out of order, so it is a set of sightings that is merged,
and everything shown of it is derived from that set.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Stage(StrEnum):
    """The stages of a deployment, in the order of its way: what is mended stands before."""

    BUILDING = "building"
    BUILT = "built"
    BUILD_FAILED = "build failed"
    BUMP_FAILED = "bump failed"
    BUMPED = "bumped"
    NOT_BUMPED = "not bumped"
    SYNCING = "syncing"
    SYNCED = "synced"
    SYNC_FAILED = "sync failed"
    DEGRADED = "degraded"
    HEALTHY = "healthy"

    @property
    def failed(self) -> bool:
        """Whether somebody has to look."""
        return self in {
            Stage.BUILD_FAILED,
            Stage.BUMP_FAILED,
            Stage.SYNC_FAILED,
            Stage.DEGRADED,
        }


_ORDER = {stage: number for number, stage in enumerate(Stage)}

_LIVE = frozenset({Stage.SYNCING, Stage.SYNCED, Stage.SYNC_FAILED, Stage.DEGRADED, Stage.HEALTHY})
"""Stages that come and go in the cluster; the ones before them are passed once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One stage, seen at one time (RFC 3339, UTC)."""

    stage: Stage
    at: str
    detail: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """All that has been seen of one (service, environment, revision)."""

    service: str
    environment: str
    revision: str
    sightings: tuple[Sighting, ...] = ()

    @property
    def key(self) -> str:
        """What the deployment is called in the journal and in Slack."""
        return f"deployment/{self.service}/{self.environment}/{self.revision}"

    @property
    def current(self) -> Sighting | None:
        """Where it stands now: in the cluster the latest sighting, before that the furthest.

        Before the cluster the stages tell their order better than the clocks of several machines.
        """
        live = [one for one in self.sightings if one.stage in _LIVE]
        if live:
            return live[-1]
        return max(self.sightings, key=lambda one: _ORDER[one.stage], default=None)

    @property
    def version(self) -> int:
        """Grows with every sighting that is new."""
        return len(self.sightings)

    def seen(self, sighting: Sighting) -> "Deployment":
        """Return the deployment with this sighting in its place."""
        merged = {*self.sightings, sighting}
        in_order = sorted(merged, key=lambda one: (one.at, _ORDER[one.stage], one.detail))
        return replace(self, sightings=tuple(in_order))
