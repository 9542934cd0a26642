"""What Trunkline has written to the branch before, as told by the trailers of its commits. Pure.

The branch is the only memory there is: the clone may be lost, and another replica may have
written. So every commit says in trailers (https://git-scm.com/docs/git-interpret-trailers) for
which event it was made and which build it wrote. Commits of people carry none and are passed over:
what they change stays until a newer build comes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hub.actions.gitops import BumpImage
from hub.clients.git import is_sha
from hub.clients.gitops.paths import check_name
from hub.clients.names import check_revision, split_repository
from hub.errors import PermanentError

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/-]{0,254}")
"""Registry and path: https://github.com/opencontainers/distribution-spec/blob/main/spec.md."""

MARK = "Trunkline-Revision"
"""The trailer that every bump carries, and few other commits do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The build that a commit wrote."""

    revision: str
    tag: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """The commit that was made for an event."""

    commit: str
    committed_at: int
    """Unix time, in seconds."""
    environments: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCommit:
    """A commit of the branch that carries trailers of ours."""

    sha: str
    committed_at: int
    trailers: Mapping[str, str]


class History:
    """The bumps up to `tip`: which event made which commit, and what was written last where.

    It takes about 500 bytes for each bump that was ever made.
    """

    def __init__(self) -> None:
        self.tip: str | None = None
        self.landed: dict[str, Landed] = {}
        """By the key of the event's call."""
        self.newest: dict[tuple[str, str], Build] = {}
        """By service and environment."""
        self._digests: dict[tuple[str, str], str] = {}

    def advance(self, tip: str, commits: Iterable[LoggedCommit]) -> None:
        """Take in the commits up to a new tip, oldest first."""
        for commit in commits:
            self._take(commit)
        self.tip = tip

    def digest(self, service: str, tag: str) -> str:
        """Return the digest that was last written with this tag; empty where there is none."""
        return self._digests.get((service, tag), "")

    def _take(self, commit: LoggedCommit) -> None:
        told = commit.trailers
        if not is_sha(told.get(MARK, "")):
            return
        service = told.get("Trunkline-Service", "")
        environments = frozenset(told.get("Trunkline-Environments", "").split(", "))
        build = Build(
            revision=told[MARK],
            tag=told.get("Trunkline-Tag", ""),
            digest=told.get("Trunkline-Digest", ""),
        )
        for environment in environments:
            self.newest[service, environment] = build
        self._digests[service, build.tag] = build.digest
        event = told.get("Trunkline-Event")
        if event:
            self.landed[event] = Landed(
                commit=commit.sha, committed_at=commit.committed_at, environments=environments
            )


def read_log(output: bytes) -> Iterator[LoggedCommit]:
    """Read `git log -z` with LOG_FORMAT."""
    for record in output.decode(errors="replace").split("\0"):
        lines = record.split("\n")
        if lines[0]:
            sha, _, committed_at = lines[0].partition(" ")
            trailers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            yield LoggedCommit(sha=sha, committed_at=int(committed_at), trailers=trailers)


LOG_FORMAT = "%H %ct%n%(trailers:only,unfold)"


def message(bump: BumpImage, *, environments: Iterable[str], event: str) -> str:
    """Return the commit message of a bump that was checked."""
    places = ", ".join(environments)
    trailers = {
        "Trunkline-Event": event,
        "Trunkline-Service": bump.service,
        "Trunkline-Environments": places,
        "Trunkline-Repository": bump.repository,
        MARK: bump.revision,
        "Trunkline-Tag": bump.image.tag,
        "Trunkline-Digest": bump.image.digest,
    }
    told = "\n".join(f"{key}: {value}" for key, value in trailers.items())
    return f"Bump {bump.service} to {bump.image.tag} in {places}\n\n{told}\n"


def check(bump: BumpImage) -> None:
    """Raise PermanentError where a value is not what it should be.

    What passes holds no control character, no space and no comma, so it can stand in a trailer, in
    a path and in YAML.
    """
    check_name(bump.service, what="service")
    for environment in bump.environments:
        check_name(environment, what="environment")
    split_repository(bump.repository)
    check_revision(bump.revision)
    for form, value, what in (
        (_IMAGE, bump.image.repository, "repository"),
        (_TAG, bump.image.tag, "tag"),
        (_DIGEST, bump.image.digest, "digest"),
    ):
        if form.fullmatch(value) is None:
            raise PermanentError(f"the {what} of the image is not well formed")
