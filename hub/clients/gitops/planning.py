"""What a batch of bumps makes of the branch as it stands: which commits, which answers.

A bump that cannot be made fails alone; the others go on as if it had never been asked for.
"""

import asyncio
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import structlog

from hub.actions.gitops import Bump, BumpImage, BumpState, EnvironmentBump, Image
from hub.clients.gitops.commits import FileChange, NewCommit
from hub.clients.gitops.decision import Asked, Decision, Draft, answer_again, short
from hub.clients.gitops.history import Build, History, message
from hub.clients.gitops.images import write_image
from hub.clients.gitops.order import SourceHistory
from hub.clients.gitops.paths import FilePatterns
from hub.clients.gitops.snapshot import Snapshot
from hub.errors import PermanentError, TrunklineError


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
        self.noted: dict[tuple[str, str], Build] = {}
        """What will stand where, by service and environment. What a human has put there before its
        build asked for it is among it, so that no older build takes its place."""
        self._newest = ChainMap(self.noted, history.newest)
        self._order = order
        self._patterns = patterns
        self._rewrites = rewrites
        self._now = now
        self._log = structlog.get_logger()

    async def plan(self, batch: Sequence[Asked]) -> list[tuple[Asked, Decision]]:
        """Decide for all, those of one service in the order of their source commits."""
        again: list[tuple[Asked, Decision]] = []
        services: dict[str, list[Asked]] = {}
        for asked in batch:
            landed = self._landed.get(asked.event)
            if landed:
                again.append((asked, answer_again(asked.bump, landed)))
            else:
                services.setdefault(asked.bump.service, []).append(asked)
        ordered = await asyncio.gather(*map(self._in_source_order, services.values()))
        return again + [(asked, await self._decide(asked)) for group in ordered for asked in group]

    async def _in_source_order(self, group: Sequence[Asked]) -> Sequence[Asked]:
        """Sort the bumps of one service; those without an order come last.

        What fails here fails again, and for its own bump alone, when that is decided.
        """
        ordered: list[Asked] = []
        for asked in group:
            place = len(ordered)
            with suppress(Exception):
                place = await self._place(asked, ordered)
            ordered.insert(place, asked)
        # Here the services ask at the same time what deciding will ask one by one.
        with suppress(Exception):
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
        try:
            judged = [
                await self._judge(asked.bump, environment)
                for environment in asked.bump.environments
            ]
            # A large file takes up to a second, which the event loop does not have.
            return await asyncio.to_thread(self._draft, asked, judged)
        except TrunklineError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a mistake in one bump must not stop all others
            self._log.exception("gitops_bump_failed", service=asked.bump.service)
            return PermanentError(f"the bump cannot be decided ({type(error).__name__})")

    async def _judge(self, bump: BumpImage, environment: str) -> EnvironmentBump:
        """Say what becomes of the bump in the environment, as far as its order decides."""
        last = self._newest.get((bump.service, environment))
        if last and last.revision == bump.revision:
            same = last.digest == bump.image.digest
            return EnvironmentBump(
                environment=environment,
                state=BumpState.UNCHANGED,
                reason=f"{short(bump.revision)} was written there before"
                + ("" if same else f", as {last.digest}"),
            )
        if last and not await self._order.is_newer(
            bump.repository, bump.revision, than=last.revision
        ):
            return EnvironmentBump(
                environment=environment,
                state=BumpState.SUPERSEDED,
                reason=f"{short(last.revision)}, written there before, is newer",
            )
        return EnvironmentBump(environment=environment, state=BumpState.BUMPED)

    def _draft(self, asked: Asked, judged: Sequence[EnvironmentBump]) -> Draft | Bump:
        bump = asked.bump
        files: dict[str, FileChange] = {}
        environments = []
        for one in judged:
            changed = self._changed(bump, one.environment) if _is_on(one) else {}
            files.update(changed)
            environments.append(one if changed or not _is_on(one) else _already_there(one))
        self._note(bump, filter(_is_on, judged), files)
        if not files:
            return Bump(commit=None, environments=tuple(environments))
        written = [one.environment for one in environments if _is_on(one)]
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
        self, bump: BumpImage, judged: Iterable[EnvironmentBump], files: Mapping[str, FileChange]
    ) -> None:
        self._snapshot.change(files)
        build = Build(revision=bump.revision, tag=bump.image.tag, digest=bump.image.digest)
        for one in judged:
            self.noted[bump.service, one.environment] = build


def _is_on(one: EnvironmentBump) -> bool:
    return one.state is BumpState.BUMPED


def _already_there(one: EnvironmentBump) -> EnvironmentBump:
    return EnvironmentBump(
        environment=one.environment,
        state=BumpState.UNCHANGED,
        reason="the image stands there already",
    )
