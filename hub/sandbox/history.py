"""Commits as git tells them: what one is, and how `git log` is read."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from hub.sandbox.git import git

NO_COMMIT = "0" * 40
"""What stands for a ref that does not exist."""

_FIELDS = ("H", "T", "P", "an", "ae", "aI", "cn", "ce", "cI", "B")
_STATUSES = frozenset("AMTD")
_FORMAT = "--format=" + "%x00".join(f"%{field}" for field in _FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An author or committer."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The paths that a commit touched, against its first parent; a merge lists none."""

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    authored_at: datetime
    committer: Person
    committed_at: datetime
    message: str
    files: Files


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How `head` stands to `base`, in the words of GitHub's compare API."""

    base: Commit
    merge_base: Commit
    ahead_by: int
    behind_by: int
    commits: tuple[Commit, ...]
    """Those of `head` that `base` lacks, oldest first."""

    @property
    def status(self) -> Literal["ahead", "behind", "identical", "diverged"]:
        """`ahead` where only the head has commits of its own, and so on."""
        match (self.ahead_by > 0, self.behind_by > 0):
            case (True, True):
                return "diverged"
            case (True, False):
                return "ahead"
            case (False, True):
                return "behind"
            case _:
                return "identical"


async def read_commits(folder: Path, revisions: str, *, limit: int) -> tuple[Commit, ...]:
    """Return the commits of a revision range (`a..b`, `sha`), newest first. Raises GitFailed."""
    told = await git(
        *(folder, "log", "-z", f"--max-count={limit}", "--no-renames", "--name-status"),
        *(_FORMAT, "--end-of-options", revisions),
    )
    return tuple(_parse(deque(told.decode(errors="replace").split("\0"))))


def _parse(tokens: deque[str]) -> Iterator[Commit]:
    """Read commits: so many fields each, then pairs of a status and the path that it is about."""
    while len(tokens) >= len(_FIELDS):
        fields = [tokens.popleft() for _ in _FIELDS]
        paths: dict[str, list[str]] = {}
        while tokens and tokens[0].lstrip("\n") in _STATUSES:
            status = tokens.popleft().lstrip("\n")
            paths.setdefault(status, []).append(tokens.popleft())
        yield _commit(fields, paths)


def _commit(fields: list[str], paths: dict[str, list[str]]) -> Commit:
    sha, tree, parents, author, author_email, authored_at = fields[:6]
    committer, committer_email, committed_at, message = fields[6:]
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(name=author, email=author_email),
        authored_at=datetime.fromisoformat(authored_at),
        committer=Person(name=committer, email=committer_email),
        committed_at=datetime.fromisoformat(committed_at),
        message=message.removesuffix("\n"),
        files=Files(
            added=tuple(paths.get("A", ())),
            modified=(*paths.get("M", ()), *paths.get("T", ())),
            removed=tuple(paths.get("D", ())),
        ),
    )
