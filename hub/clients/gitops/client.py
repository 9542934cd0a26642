"""The gitops repository: bumps images in it, and reads which image a commit deploys.

The order of events: `lane` gathers bumps while a push is on its way, `landing` brings a batch onto
the branch, `planning` decides what becomes of each bump, `images` changes the files. `clone` talks
to git.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hub.actions.action import Call
from hub.actions.gitops import Bump, BumpImage, Image, ReadImage
from hub.clients.git import is_sha
from hub.clients.git_credential import CredentialPlace
from hub.clients.gitops.clone import Clone
from hub.clients.gitops.decision import Asked
from hub.clients.gitops.history import check
from hub.clients.gitops.images import read_image
from hub.clients.gitops.landing import Landing
from hub.clients.gitops.lane import Lane
from hub.clients.gitops.order import SourceHistory, SourceOrder
from hub.clients.gitops.paths import FilePatterns, is_name
from hub.clients.gitops.remote import Remote
from hub.clients.gitops.snapshot import Snapshot
from hub.errors import SettingsError
from hub.events.identity import derive_id
from hub.secrets import SecretPlace
from hub.settings import GitopsSettings

_MAX_REMEMBERED = 1_000
"""Answers of `read` that are kept: every service and environment of one round of syncs."""

_PERSON_PART = re.compile(r"[^\x00-\x1f\x7f<>]+")


class Gitops:
    """The one writer of one branch. There must be no second one for it in the process."""

    def __init__(
        self,
        *,
        settings: GitopsSettings,
        order: SourceOrder,
        state: Path,
        token: SecretPlace | None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        chance: random.Random | None = None,
    ) -> None:
        """`state` is a folder for the clone. Raises SettingsError; touches neither disk nor net."""
        self._patterns = FilePatterns(settings.files)
        self._clone = Clone(
            remote=Remote(url=settings.url, branch=settings.branch),
            folder=state / f"gitops-{derive_id(settings.url, settings.branch)[:16]}",
            credentials=CredentialPlace(
                url=settings.url, username=settings.username, token=token, monotonic=monotonic
            ),
        )
        landing = Landing(
            clone=self._clone,
            order=SourceHistory(order),
            patterns=self._patterns,
            person=_person(settings),
            wall=wall,
            chance=chance or random.Random(),  # noqa: S311 - spreads retries, guards nothing
        )
        self._lane = Lane(landing.land)
        self._read_before: dict[ReadImage, Image] = {}

    async def bump(self, action: BumpImage, call: Call) -> Bump:
        """Write the image where it is newer than what was written there; see `BumpImage`.

        At most one commit is ever made for a call: its key stands in the commit's trailers, and is
        looked for before anything is written. Raises TemporaryError and PermanentError.
        """
        check(action)
        if not action.environments:
            return Bump(commit=None)
        return await self._lane.ask(Asked(bump=action, event=call.key))

    async def read(self, action: ReadImage, _call: Call) -> Image | None:
        """Return the image that the commit deploys; see `ReadImage`.

        None where the branch has no such commit, or it names no image that can be told to be the
        service's. A digest that the files do not tell is the one that was last written with their
        tag; it is empty where none was. Raises TemporaryError, and PermanentError for a file that
        cannot be read.
        """
        names = (action.service, action.environment)
        if not (is_sha(action.commit) and all(map(is_name, names))):
            return None
        known = self._read_before.get(action)
        if known is None:
            known = await self._clone.alone(lambda: self._read(action))
            if known is not None:
                self._remember(action, known)
        return known

    def _remember(self, action: ReadImage, image: Image) -> None:
        """A commit never changes, and each is asked about by every notification of its sync."""
        if len(self._read_before) >= _MAX_REMEMBERED:
            self._read_before.clear()
        self._read_before[action] = image

    async def close(self) -> None:
        """Stop writing. Whoever still waits is told to try again later."""
        await self._lane.close()

    async def _read(self, action: ReadImage) -> Image | None:
        clone = self._clone
        if not (clone.history.tip and await clone.has(action.commit)):
            await clone.fetch()
        if not await clone.has(action.commit):
            return None
        tree = await clone.tree(action.commit)
        paths = self._patterns.paths(service=action.service, environment=action.environment)
        snapshot = Snapshot(tree, await clone.blobs(tree.blobs(paths)))
        image = await asyncio.to_thread(_first_image, snapshot, paths, action.service)
        if image is None or image.digest:
            return image
        return replace(image, digest=clone.history.digest(action.service, image.tag))


def _first_image(snapshot: Snapshot, paths: Sequence[str], service: str) -> Image | None:
    images = (
        read_image(file.octets, service=service, path=path)
        for path, file in snapshot.files(paths).items()
    )
    return next((image for image in images if image), None)


def _person(settings: GitopsSettings) -> str:
    parts = {"author_name": settings.author_name, "author_email": settings.author_email}
    problems = [
        f"gitops.{name}: holds an angle bracket or a control character, or nothing"
        for name, value in parts.items()
        if _PERSON_PART.fullmatch(value) is None
    ]
    if problems:
        raise SettingsError(problems)
    return f"{settings.author_name} <{settings.author_email}>"
