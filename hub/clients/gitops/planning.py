"""What a batch of bumps makes of the branch as it stands: which commits, which answers.

A bump that cannot be made fails alone; the others go on as if it had never been asked for.
"""

import asyncio
from collections import ChainMap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.actions.gitops import Bump, BumpImage, BumpState, EnvironmentBump, Image
from hub.clients.gitops.commits import FileChange, NewCommit
from hub.clients.gitops.history import Build, History, Landed, message
from hub.clients.gitops.images import write_image
from hub.clients.gitops.order import SourceHistory
from hub.clients.gitops.paths import FilePatterns
from hub.clients.gitops.snapshot import Snapshot
from hub.errors import PermanentError, TrunklineError

_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A bump that somebody waits for; its values were checked."""

    bump: BumpImage
    event: str
    """The key of the call: the same for every attempt at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A bump that needs a commit."""

    commit: NewCommit
    environments: tuple[EnvironmentBump, ...]

    def landed(self, sha: str) -> Bump:
        """Return the answer, once the commit is on the branch."""
        return Bump(
            commit=sha, committed_at=_rfc3339(self.commit.at), environments=self.environments
        )


Decision = Draft | Bump | TrunklineError
"""A commit to be made, the answer where there is none to make, or why the bump cannot be made."""


class Rewrites:
    """What files become, remembered for a batch: a push that came second is decided again soon."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes, Image], bytes] = {}

    def write(self, octets: bytes, image: Image, *, path: str) -> bytes:
        """Return what `write_image` does. Raises PermanentError."""
        asked = (path, octets, image)
        if asked not in self._known:
            self._known[asked] = write_image(octets, image, path=path)
        return self._known[asked]


class Planner:
    """Decides for one batch upon one tip of the branch."""

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        history: History,
        order: SourceHistory,
        patterns: FilePatterns,
        rewrites: Rewrites,
        now: int,
    ) -> None:
        """`snapshot` and `history` are those of the tip; `now` is the commits' Unix time."""
        self._snapshot = snapshot
        self._landed = history.landed
        self._newest: ChainMap[tuple[str, str], Build] = ChainMap({}, history.newest)
        self._order = order
        self._patterns = patterns
        self._rewrites = rewrites
        self._now = now

    async def plan(self, batch: Sequence[Asked]) -> list[tuple[Asked, Decision]]:
        """Decide for all, those of one service in the order of their source commits."""
        services: dict[str, list[Asked]] = {}
        for asked in batch:
            services.setdefault(asked.bump.service, []).append(asked)
        ordered = await asyncio.gather(*map(self._in_source_order, services.values()))
        return [(asked, await self._decide(asked)) for group in ordered for asked in group]

    async def _in_source_order(self, group: Sequence[Asked]) -> Sequence[Asked]:
        """Sort the bumps of one service; those without an order come last, to fail there."""
        ordered: list[Asked] = []
        for asked in group:
            place = len(ordered)
            with suppress(TrunklineError):
                place = await self._place(asked, ordered)
            ordered.insert(place, asked)
        # Here the services ask at the same time what deciding will ask one by one.
        with suppress(TrunklineError):
            for environment in ordered[0].bump.environments:
                await self._judge(ordered[0].bump, environment)
        return ordered

    async def _place(self, asked: Asked, ordered: Sequence[Asked]) -> int:
        low, high = 0, len(ordered)
        # Bumps mostly come in order, so the last one is looked at first.
        middle = high - 1
        while low < high:
            if await self._is_before(asked.bump, ordered[middle].bump):
                high = middle
            else:
                low = middle + 1
            middle = (low + high) // 2
        return low

    async def _is_before(self, bump: BumpImage, other: BumpImage) -> bool:
        if bump.revision == other.revision:
            return False
        return await self._order.is_newer(bump.repository, other.revision, than=bump.revision)

    async def _decide(self, asked: Asked) -> Decision:
        landed = self._landed.get(asked.event)
        if landed:
            return _again(asked.bump, landed)
        try:
            judged = [
                await self._judge(asked.bump, environment)
                for environment in asked.bump.environments
            ]
            # Parsing takes up to tenths of a second, which the event loop does not have.
            return await asyncio.to_thread(self._draft, asked, judged)
        except TrunklineError as error:
            return error

    async def _judge(self, bump: BumpImage, environment: str) -> EnvironmentBump:
        """Say what becomes of the bump in the environment, as far as its order decides."""
        last = self._newest.get((bump.service, environment))
        if last and last.revision == bump.revision:
            same = last.digest == bump.image.digest
            return EnvironmentBump(
                environment=environment,
                state=BumpState.UNCHANGED,
                reason=f"{_short(bump.revision)} was written there before"
                + ("" if same else f", as {last.digest}"),
            )
        if last and not await self._order.is_newer(
            bump.repository, bump.revision, than=last.revision
        ):
            return EnvironmentBump(
                environment=environment,
                state=BumpState.SUPERSEDED,
                reason=f"{_short(last.revision)}, written there before, is newer",
            )
        return EnvironmentBump(environment=environment, state=BumpState.BUMPED)

    def _draft(self, asked: Asked, judged: Sequence[EnvironmentBump]) -> Draft | Bump:
        bump = asked.bump
        files: dict[str, FileChange] = {}
        environments = []
        for one in judged:
            changed = self._changed(bump, one.environment) if _is_on(one) else {}
            files.update(changed)
            environments.append(one if changed or not _is_on(one) else _as_it_should(one))
        if not files:
            return Bump(commit=None, environments=tuple(environments))
        written = [one.environment for one in environments if _is_on(one)]
        self._note(bump, written, files)
        commit = NewCommit(
            message=message(bump, environments=written, event=asked.event),
            at=self._now,
            files=files,
        )
        return Draft(commit=commit, environments=tuple(environments))

    def _changed(self, bump: BumpImage, environment: str) -> dict[str, FileChange]:
        paths = self._patterns.paths(service=bump.service, environment=environment)
        files = self._snapshot.files(paths)
        if not files:
            raise PermanentError(f"the gitops repository has no {' and no '.join(paths)}")
        changed = {}
        for path, file in files.items():
            octets = self._rewrites.write(file.octets, bump.image, path=path)
            if octets != file.octets:
                changed[path] = FileChange(mode=file.mode, octets=octets)
        return changed

    def _note(
        self, bump: BumpImage, environments: Sequence[str], files: Mapping[str, FileChange]
    ) -> None:
        self._snapshot.change(files)
        build = Build(revision=bump.revision, tag=bump.image.tag, digest=bump.image.digest)
        for environment in environments:
            self._newest[bump.service, environment] = build


def _is_on(one: EnvironmentBump) -> bool:
    return one.state is BumpState.BUMPED


def _as_it_should(one: EnvironmentBump) -> EnvironmentBump:
    return EnvironmentBump(
        environment=one.environment,
        state=BumpState.UNCHANGED,
        reason="the image stands there already",
    )


def _again(bump: BumpImage, landed: Landed) -> Bump:
    """Answer with the commit that was made for this very call before."""
    return Bump(
        commit=landed.commit,
        committed_at=_rfc3339(landed.committed_at),
        environments=tuple(
            EnvironmentBump(environment=environment, state=BumpState.BUMPED)
            if environment in landed.environments
            else EnvironmentBump(
                environment=environment,
                state=BumpState.UNCHANGED,
                reason=f"{_short(landed.commit)}, made for this event, left it as it was",
            )
            for environment in bump.environments
        ),
    )


def _short(sha: str) -> str:
    return sha[:_SHOWN_DIGITS]


def _rfc3339(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
