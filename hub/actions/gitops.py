"""The gitops repository: bump an image, and read which image a commit deploys."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from hub.actions.action import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A container image as a build names it."""

    repository: str
    """Registry and path, without tag or digest."""
    tag: str
    digest: str
    """`sha256:` and 64 hexadecimal digits."""


class BumpState(StrEnum):
    """What became of a bump in one environment."""

    BUMPED = "bumped"
    UNCHANGED = "unchanged"
    """This very build has been written there before; a human may have rolled it back since."""
    SUPERSEDED = "superseded"
    """A newer source commit has been written there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentBump:
    """What became of a bump in one environment, and why."""

    environment: str
    state: BumpState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bump:
    """What became of a bump."""

    commit: str | None
    """The gitops commit that carries it, or None where nothing had to be written."""
    committed_at: str = ""
    """RFC 3339 in UTC; empty without a commit."""
    environments: tuple[EnvironmentBump, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BumpImage(Action[Bump]):
    """Write an image's tag and digest into a service's overlays, in one commit.

    Builds are ordered by their source commits, not by arrival: an older one never overwrites a
    newer one, and one that a human rolled back stays away until a newer commit is built.
    """

    name: ClassVar[str] = "gitops.bump_image"
    result: ClassVar[type] = Bump
    timeout_seconds: ClassVar[float] = 120.0

    service: str
    environments: tuple[str, ...]
    image: Image
    repository: str
    """The source repository, `owner/name`."""
    revision: str
    """The source commit that was built."""

    def supposed(self) -> Bump:
        """Bumped everywhere."""
        return Bump(
            commit="supposed",
            committed_at="1970-01-01T00:00:00Z",
            environments=tuple(
                EnvironmentBump(environment=environment, state=BumpState.BUMPED)
                for environment in self.environments
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImage(Action[Image | None]):
    """Read which image a gitops commit deploys for a service in an environment."""

    name: ClassVar[str] = "gitops.read_image"
    result: ClassVar[object] = Image | None
    reads: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 120.0

    service: str
    environment: str
    commit: str

    def supposed(self) -> Image | None:
        """Nothing is deployed."""
        return None
