"""`Repository`: a real bare git repository on disk, changed by plumbing or by pushes over HTTP.

Whoever changes its refs calls `announce`, and everybody who has subscribed hears which ones moved.
"""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

from hub.sandbox.clock import Clock
from hub.sandbox.fast_import import Contents, commit_script
from hub.sandbox.git import GitFailed, git
from hub.sandbox.history import NO_COMMIT, Commit, Comparison, Person, read_commits

DEVELOPER = Person(name="Developer", email="developer@company.example")
"""Who commits where nobody else is named."""

_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[http]
\treceivepack = true
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[receive]
\tfsckObjects = true
[gc]
\tauto = 0
"""
"""As GitHub serves it. No automatic `git gc`, which would outlive the world."""

_REFUSAL = """\
#!/bin/sh
echo 'error: GH006: Protected branch update failed for this repository.' >&2
exit 1
"""
_LOST_RACE_TRIES = 50
"""How often a commit is made anew because a push over HTTP came first."""
_LOST_RACE = "does not contain"
"""What fast-import says when the branch has moved on under it."""
MAX_COMMITS = 250
"""What GitHub's compare API lists at most."""
_HEADS = "refs/heads/"
_SHA = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One ref that moved."""

    ref: str
    before: str
    after: str
    forced: bool

    @property
    def created(self) -> bool:
        """Whether the ref is new."""
        return self.before == NO_COMMIT

    @property
    def deleted(self) -> bool:
        """Whether the ref is gone."""
        return self.after == NO_COMMIT


Listener = Callable[["Repository", Sequence[Change]], Awaitable[None]]


class Repository:
    """One bare repository."""

    def __init__(
        self,
        *,
        name: str,
        folder: Path,
        clock: Clock,
        default_branch: str = "main",
        is_fork: bool = False,
    ) -> None:
        """`name` is `owner/name`; `folder` is the repository itself, made by `create`."""
        self.name = name
        self.folder = folder
        self.default_branch = default_branch
        self.is_fork = is_fork
        self.changes: list[Change] = []
        """Every ref that ever moved, in order."""
        self._clock = clock
        self.refs: dict[str, str] = {}
        """Where every ref stood when the last change was announced."""
        self._seen: set[str] = set()
        self._listeners: list[Listener] = []
        self._writing = asyncio.Lock()
        self._announcing = asyncio.Lock()

    def create(self, *, like: "Repository | None" = None) -> None:
        """Write a bare repository, as gitrepository-layout(5) has it: empty, or a copy of one."""
        if like is not None:
            shutil.copytree(like.folder, self.folder)
            self.refs = dict(like.refs)
            return
        for part in ("objects", "refs/heads", "hooks"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "HEAD").write_text(f"ref: {_HEADS}{self.default_branch}\n")
        (self.folder / "config").write_text(_CONFIG)

    def subscribe(self, listener: Listener) -> None:
        """Have every later change of refs told to `listener`."""
        self._listeners.append(listener)

    async def commit(
        self,
        branch: str,
        message: str,
        files: Contents,
        *,
        at: datetime | None = None,
        by: Person = DEVELOPER,
    ) -> Commit:
        """Commit `files` (None removes one) on top of a branch, and announce it.

        A new branch starts from the default one. `at` is author's and committer's date; without it
        every commit is a second or more later than the one before. Raises GitFailed.
        """
        when = at or self._clock.tick(self.name)
        async with self._writing:
            made = await self._import(branch, message, files, when, by)
        await self._announce(made)
        return await self.read_commit(made.after)

    async def set_ref(self, ref: str, revision: str | None) -> None:
        """Point a ref (`refs/heads/...`) anywhere, or delete it, as a forced push does."""
        if revision is None:
            await git(self.folder, "update-ref", "-d", ref)
        else:
            await git(self.folder, "update-ref", ref, await self.resolve(revision))
        await self.announce()

    async def fetch(self, other: "Repository", branch: str, ref: str) -> None:
        """Take over a branch of another repository under a ref of this one."""
        source = f"+{_HEADS}{branch}:{ref}"
        await git(self.folder, "fetch", "--quiet", "--no-tags", str(other.folder), source)
        await self.announce()

    async def resolve(self, revision: str) -> str:
        """Return the commit that a branch, a tag or a SHA names. Raises GitFailed."""
        if revision in self._seen:
            return revision
        is_sha = _SHA.fullmatch(revision) is not None
        names = (revision,) if is_sha else (_HEADS + revision, f"refs/tags/{revision}", revision)
        for candidate in names:
            try:
                told = await git(
                    *(self.folder, "rev-parse", "--verify", "--quiet"),
                    *("--end-of-options", f"{candidate}^{{commit}}"),
                )
            except GitFailed:
                continue
            sha = told.decode().strip()
            self._seen.add(sha)
            return sha
        raise GitFailed(f"no commit found for {revision}")

    async def read_commit(self, revision: str) -> Commit:
        """Return one commit. Raises GitFailed."""
        (commit,) = await read_commits(self.folder, await self.resolve(revision), limit=1)
        return commit

    async def read_range(self, base: str | None, head: str) -> tuple[Commit, ...]:
        """Return the last commits of `head` that `base` lacks, the oldest first."""
        revisions = f"{base}..{head}" if base else head
        newest_first = await read_commits(self.folder, revisions, limit=MAX_COMMITS)
        return newest_first[::-1]

    async def read_file(self, revision: str, path: str) -> bytes:
        """Return a file at a revision. Raises GitFailed where there is none."""
        commit = await self.resolve(revision)
        return await git(self.folder, "cat-file", "blob", f"{commit}:{path}")

    async def list_files(self, revision: str) -> dict[str, str]:
        """Return the blob of every file at a revision, by path."""
        told = await git(self.folder, "ls-tree", "-r", "-z", await self.resolve(revision))
        entries = told.decode(errors="surrogateescape").split("\0")[:-1]
        pairs = (entry.split("\t", 1) for entry in entries)
        return {path: facts.split(" ")[2] for facts, path in pairs}

    async def read_blobs(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of blobs, by one process however many they are."""
        wanted = list(dict.fromkeys(blobs))
        asked = "".join(f"{blob}\n" for blob in wanted).encode()
        stream = BytesIO(await git(self.folder, "cat-file", "--batch", stdin=asked))
        contents = {}
        for blob in wanted:
            size = int(stream.readline().split()[2])
            contents[blob] = stream.read(size)
            stream.readline()
        return contents

    async def compare(self, base: str, head: str) -> Comparison:
        """Compare two revisions. Raises GitFailed where they have no common ancestor."""
        first, second = await self.resolve(base), await self.resolve(head)
        merge_base = (await git(self.folder, "merge-base", first, second)).decode().strip()
        counts = await git(
            self.folder, "rev-list", "--left-right", "--count", f"{first}...{second}"
        )
        behind, ahead = (int(count) for count in counts.split())
        return Comparison(
            base=await self.read_commit(first),
            merge_base=await self.read_commit(merge_base),
            ahead_by=ahead,
            behind_by=behind,
            commits=await self.read_range(first, second),
        )

    def refuse_pushes(self) -> None:
        """Have a hook decline every push from now on, as a protected branch does."""
        hook = self.folder / "hooks" / "pre-receive"
        hook.write_text(_REFUSAL)
        hook.chmod(0o755)

    def accept_pushes(self) -> None:
        """Take pushes again."""
        (self.folder / "hooks" / "pre-receive").unlink(missing_ok=True)

    async def announce(self) -> Sequence[Change]:
        """Tell the listeners which refs have moved since the last time, and return those."""
        async with self._announcing:
            refs = await self._read_refs()
            changes = await self._moved(self.refs, refs)
            self.refs = refs
            self.changes.extend(changes)
        await self._tell(changes)
        return changes

    async def _announce(self, made: Change) -> None:
        """Announce one change of our own, without asking git unless somebody else was at it."""
        async with self._announcing:
            expected = self.refs.get(made.ref, NO_COMMIT) == made.before
            if expected:
                self.refs[made.ref] = made.after
                self.changes.append(made)
        if expected:
            await self._tell([made])
        else:
            await self.announce()

    async def _tell(self, changes: Sequence[Change]) -> None:
        for listener in self._listeners if changes else ():
            await listener(self, changes)

    async def _read_refs(self) -> dict[str, str]:
        told = await git(self.folder, "for-each-ref", "--format=%(objectname) %(refname)")
        pairs = (line.split(" ", 1) for line in told.decode().splitlines())
        return {ref: sha for sha, ref in pairs}

    async def _moved(self, known: Mapping[str, str], refs: Mapping[str, str]) -> list[Change]:
        moved = []
        for ref in sorted(known.keys() | refs.keys()):
            before, after = known.get(ref, NO_COMMIT), refs.get(ref, NO_COMMIT)
            if before != after:
                forced = await self._is_forced(before, after)
                moved.append(Change(ref=ref, before=before, after=after, forced=forced))
        return moved

    async def _is_forced(self, before: str, after: str) -> bool:
        if NO_COMMIT in {before, after}:
            return False
        try:
            await git(self.folder, "merge-base", "--is-ancestor", before, after)
        except GitFailed:
            return True
        return False

    async def _import(
        self, branch: str, message: str, files: Contents, at: datetime, by: Person
    ) -> Change:
        """Commit on top of the branch wherever it is now, also while others push to it."""
        ref, trunk = _HEADS + branch, _HEADS + self.default_branch
        for _ in range(_LOST_RACE_TRIES):
            refs = await self._read_refs()
            parent = refs.get(ref) or refs.get(trunk)
            script = commit_script(ref, parent=parent, message=message, files=files, at=at, by=by)
            try:
                told = await git(self.folder, "fast-import", "--quiet", stdin=script)
            except GitFailed as error:
                if _LOST_RACE not in str(error):
                    raise
            else:
                sha = told.decode().strip()
                self._seen.add(sha)
                return Change(ref=ref, before=refs.get(ref, NO_COMMIT), after=sha, forced=False)
        raise GitFailed(f"{self.name}: somebody else was always faster on {branch}")
