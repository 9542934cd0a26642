"""What this platform's owners have agreed on, as handlers see it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType

from hub.settings import PlatformSettings

_BRANCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"main": ("dev", "staging"), "develop": ("dev",)}
)

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]/[A-Za-z0-9_.-]*[A-Za-z0-9_-]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The agreements. A test makes one with just what it is about."""

    repositories: tuple[str, ...] = ("*",)
    clone_url_pattern: str = "https://github.com/{repository}.git"
    pipeline: str = "microservice-ci"
    branches: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _BRANCHES)
    fork_pipeline: str | None = None
    """What builds an approved commit of a fork; None where forks are never built."""
    production: str = "production"
    channel: str = "#deployments"
    channels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The channels of the teams that own something, by the team."""
    status_context: str = "trunkline/ci"
    checks: bool = False
    """Whether a run's state stands on its commit as a check run, and not as a commit status."""
    run_url: str | None = None
    application_url: str | None = None

    @classmethod
    def of(
        cls,
        settings: PlatformSettings,
        *,
        status_context: str,
        checks: bool = False,
        fork_pipeline: str | None = None,
    ) -> "Platform":
        """Take the agreements from the settings."""
        return cls(
            repositories=settings.repositories,
            clone_url_pattern=settings.clone_url,
            pipeline=settings.pipeline,
            branches=MappingProxyType(dict(settings.branches)),
            fork_pipeline=fork_pipeline,
            production=settings.production,
            channel=settings.channel,
            channels=MappingProxyType(dict(settings.channels)),
            status_context=status_context,
            checks=checks,
            run_url=settings.run_url,
            application_url=settings.application_url,
        )

    def builds(self, repository: str) -> bool:
        """Whether this repository is one that is built: a well-formed `owner/name`, and listed."""
        return _REPOSITORY.fullmatch(repository) is not None and any(
            fnmatchcase(repository, pattern) for pattern in self.repositories
        )

    def clone_url(self, repository: str) -> str:
        """Return where a repository is cloned from: what an event says of that is not asked."""
        return self.clone_url_pattern.format(repository=repository)

    def environments(self, branch: str) -> tuple[str, ...]:
        """Return the environments that a branch's builds go to; none where it is not built."""
        return self.branches.get(branch, ())

    def channel_of(self, owner: str) -> str:
        """Return the channel of a team; that of the deployments where it has none of its own."""
        return self.channels.get(owner, self.channel)

    def run_link(self, namespace: str, name: str) -> str | None:
        """Return the page of a PipelineRun, where there is one."""
        return self.run_url and f"{self.run_url}/{namespace}/{name}"

    def application_link(self, namespace: str, name: str) -> str | None:
        """Return the page of an Application, where there is one."""
        return self.application_url and f"{self.application_url}/{namespace}/{name}"
