"""Brings a batch of bumps onto the branch: one commit for each, one push for all of them.

A push moves the branch only from the tip that everything was decided upon. Where somebody else
came first, it is decided again on theirs; where the answer to a push was lost, the trailers in
what is fetched next tell what landed.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from hub.clients.gitops.clone import Clone, PushDenied, PushLost
from hub.clients.gitops.decision import Asked, Draft
from hub.clients.gitops.lane import Answer
from hub.clients.gitops.order import SourceHistory
from hub.clients.gitops.paths import FilePatterns
from hub.clients.gitops.planning import Planner, Rewrites
from hub.clients.gitops.snapshot import Snapshot
from hub.errors import TemporaryError, TrunklineError

MAX_ROUNDS = 10
"""How many pushes in a row may come second before the runs are told to try again later."""

MAX_DENIED = 16
"""Finding one poisoned bump among 200 by halving takes this many pushes: twice the logarithm."""

_JITTER_BASE_SECONDS = 0.05
"""A round takes a few times this against a server nearby."""
_JITTER_CAP_SECONDS = 2.0
"""Ten rounds then take no more than ten seconds of waiting."""


class Landing:
    """Serves the batches of one branch."""

    def __init__(
        self,
        *,
        clone: Clone,
        order: SourceHistory,
        patterns: FilePatterns,
        person: str,
        wall: Callable[[], float],
        chance: random.Random,
    ) -> None:
        """`person` is `name <email>`, `wall` the Unix time, `chance` spreads repeated pushes."""
        self._clone = clone
        self._order = order
        self._patterns = patterns
        self._person = person
        self._wall = wall
        self._chance = chance
        self._log = structlog.get_logger()

    async def land(self, batch: Sequence[Asked]) -> dict[str, Answer]:
        """Answer every bump of the batch, by its event.

        A batch that the other side denies is halved, until what it does not want stands alone.
        """
        self._order.forget_failures()
        rewrites = Rewrites()
        answers: dict[str, Answer] = {}
        parts = [batch]
        denied = 0
        while parts:
            part = parts.pop()
            try:
                answers |= await self._rounds(part, rewrites)
            except PushDenied as error:
                denied += 1
                if len(part) == 1 or denied > MAX_DENIED:
                    answers |= {asked.event: error for asked in part}
                else:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
            except TrunklineError as error:
                answers |= {asked.event: error for asked in part}
        return answers

    async def _rounds(self, part: Sequence[Asked], rewrites: Rewrites) -> dict[str, Answer]:
        problem = ""
        for number in range(MAX_ROUNDS):
            try:
                return await self._clone.alone(lambda: self._round(part, rewrites))
            except PushLost as error:
                problem = str(error)
                self._log.info("gitops_push_lost", round=number + 1, problem=problem)
            ceiling = min(_JITTER_CAP_SECONDS, _JITTER_BASE_SECONDS * 2**number)
            await asyncio.sleep(self._chance.uniform(0, ceiling))
        raise TemporaryError(f"{MAX_ROUNDS} times in a row, {problem}")

    async def _round(self, part: Sequence[Asked], rewrites: Rewrites) -> dict[str, Answer]:
        tip = await self._clone.fetch()
        planner = Planner(
            snapshot=await self._snapshot(tip, part),
            history=self._clone.history,
            order=self._order,
            patterns=self._patterns,
            rewrites=rewrites,
            now=int(self._wall()),
        )
        decisions = await planner.plan(part)
        drafts = [(asked, made) for asked, made in decisions if isinstance(made, Draft)]
        answers = {asked.event: made for asked, made in decisions if not isinstance(made, Draft)}
        if drafts:
            commits = [draft.commit for _, draft in drafts]
            shas = await self._clone.write(commits, parent=tip, person=self._person)
            await self._clone.push(shas[-1], expected=tip)
            self._log.info("gitops_pushed", commits=len(shas), tip=shas[-1])
            landed = zip(drafts, shas, strict=True)
            answers |= {asked.event: draft.landed(sha) for (asked, draft), sha in landed}
        self._clone.history.newest.update(planner.noted)
        return answers

    async def _snapshot(self, tip: str, part: Sequence[Asked]) -> Snapshot:
        tree = await self._clone.tree(tip)
        paths = {
            path
            for asked in part
            for environment in asked.bump.environments
            for path in self._patterns.paths(service=asked.bump.service, environment=environment)
        }
        return Snapshot(tree, await self._clone.blobs(tree.blobs(paths)))
