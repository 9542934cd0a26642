"""`GitHub`: repositories that are pushed to, forked and asked to be merged into; who hears of it.

Whatever moves a ref, a helper of a test or a real `git push`, ends in the same webhooks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hub.sandbox.clock import Clock
from hub.sandbox.faults import Faults
from hub.sandbox.git_http import GitHttp
from hub.sandbox.github import payloads
from hub.sandbox.github.api import build_api
from hub.sandbox.github.checks import CheckRun, Checks
from hub.sandbox.github.deliveries import Deliveries
from hub.sandbox.github.hooks import Hook, Webhooks
from hub.sandbox.github.objects import Places
from hub.sandbox.github.payloads import PullRequest
from hub.sandbox.github.people import People
from hub.sandbox.github.statuses import Statuses
from hub.sandbox.history import Commit, Person
from hub.sandbox.loopback import Loopback
from hub.sandbox.repository import DEVELOPER, Change, Repository

_HEADS = "refs/heads/"
_BRANCHES_AND_TAGS = (_HEADS, "refs/tags/")
_EVENTS = ("push", "pull_request", "issue_comment", "check_run", "check_suite")


class GitHub:
    """One GitHub: `git` serves the repositories, `url` is the base address of the API."""

    def __init__(self, *, faults: Faults, folder: Path, clock: Clock, token: str | None) -> None:
        """Repositories live under `folder`; with a `token` every request must carry it."""
        self.repositories: dict[str, Repository] = {}
        self.statuses = Statuses()
        self.checks = Checks()
        self.webhooks = Webhooks()
        self.pull_requests: list[PullRequest] = []
        self.people = People(lambda: self.pull_requests)
        self.git = GitHttp(faults=faults, find=self.find, token=token)
        self._folder = folder
        self._clock = clock
        self._server = Loopback(
            build_api(
                faults=faults,
                token=token,
                find=self.find,
                places=lambda: self.places,
                statuses=self.statuses,
                checks=self.checks,
                deliveries=Deliveries(self.webhooks),
                people=self.people,
            )
        )

    @property
    def url(self) -> str:
        """The base address of the REST API, known once started."""
        return self._server.url

    @property
    def places(self) -> Places:
        """The addresses that stand in payloads."""
        return Places(api=self._server.url, web=self.git.url)

    async def start(self) -> str:
        """Listen, and return the base address of the REST API."""
        await self.git.start()
        await self.webhooks.start()
        return await self._server.start()

    async def stop(self) -> None:
        """Stop listening and delivering."""
        await self.webhooks.stop()
        await self._server.stop()
        await self.git.stop()

    def find(self, name: str) -> Repository | None:
        """Return a repository by its `owner/name`, if there is one."""
        return self.repositories.get(name)

    def create_repository(
        self, name: str, *, like: Repository | None = None, is_fork: bool = False
    ) -> Repository:
        """Create a repository, `owner/name`: empty, or with the history of another one."""
        repository = Repository(
            name=name, folder=self._folder / f"{name}.git", clock=self._clock, is_fork=is_fork
        )
        repository.create(like=like)
        repository.subscribe(self._hear)
        self.repositories[name] = repository
        return repository

    def add_hook(
        self,
        name: str,
        *,
        url: str,
        secret: str | None,
        events: Sequence[str] = _EVENTS,
        form: bool = False,
    ) -> Hook:
        """Configure a webhook of a repository; GitHub greets it with a `ping`."""
        hook = self.webhooks.add(name, url=url, secret=secret, events=events, form=form)
        greeting = payloads.ping(
            self.places, self.repositories[name], hook=hook.id, events=hook.events
        )
        self.webhooks.ping(hook, greeting)
        return hook

    async def push(
        self,
        name: str,
        branch: str,
        message: str,
        files: Mapping[str, str | bytes | None] | None = None,
        *,
        at: datetime | None = None,
        by: Person = DEVELOPER,
    ) -> Commit:
        """Commit and push; the webhooks are under way when this returns, see `settled`."""
        contents = files if files is not None else {"CHANGES.md": f"{message}\n"}
        return await self.repositories[name].commit(branch, message, contents, at=at, by=by)

    def fork(self, name: str, owner: str) -> Repository:
        """Fork a repository into another account."""
        base = self.repositories[name]
        return self.create_repository(f"{owner}/{name.split('/')[1]}", like=base, is_fork=True)

    async def open_pull_request(
        self, base: str, branch: str, title: str, *, head: str | None = None
    ) -> PullRequest:
        """Ask for `branch` of `head` (a fork; else the same repository) to be merged to `base`."""
        target, origin = self.repositories[base], self.repositories[head or base]
        pull = PullRequest(
            number=len(self.pull_requests) + 1,
            base=target,
            base_branch=target.default_branch,
            base_sha=await target.resolve(target.default_branch),
            head=origin,
            head_branch=branch,
            head_sha=await origin.resolve(branch),
            title=title,
            opened_at=self._clock.tick(base),
        )
        self.pull_requests.append(pull)
        await self._publish(pull, "opened", before="")
        return pull

    def comment(self, pull: PullRequest, body: str, *, by: str, action: str = "created") -> None:
        """Comment on a pull request; the webhooks are under way when this returns."""
        payload = payloads.issue_comment(self.places, pull, body, by=by, action=action)
        self.webhooks.send(pull.base.name, "issue_comment", payload)

    def ask_again(self, check: CheckRun) -> None:
        """Ask that a check is run again, as somebody does on its page."""
        shown = self.checks.shown(self.places, check)
        repository = self.repositories[check.repository]
        payload = payloads.check_run(self.places, repository, shown, action="rerequested")
        self.webhooks.send(check.repository, "check_run", payload)

    def ask_all_again(self, repository: str, sha: str) -> None:
        """Ask that all checks of a commit are run again, as somebody does on its page."""
        suite = {"id": self.checks.suite_of(repository, sha), "head_sha": sha}
        place = self.repositories[repository]
        payload = payloads.check_suite(self.places, place, suite, action="rerequested")
        self.webhooks.send(repository, "check_suite", payload)

    def close_pull_request(self, pull: PullRequest) -> None:
        """Close a pull request, of which nobody is told here."""
        self.pull_requests = [
            replace(one, open=False) if one.number == pull.number else one
            for one in self.pull_requests
        ]

    async def settled(self) -> None:
        """Wait until every webhook has been answered or given up."""
        await self.webhooks.settled()

    async def _hear(self, repository: Repository, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.ref.startswith(_BRANCHES_AND_TAGS):
                await self._publish_push(repository, change)
                await self._synchronize(repository, change)

    async def _publish_push(self, repository: Repository, change: Change) -> None:
        if not self.webhooks.wanting(repository.name, "push"):
            return
        head = None if change.deleted else await repository.read_commit(change.after)
        commits = await self._new_commits(repository, change)
        payload = payloads.push(self.places, repository, change, commits=commits, head=head)
        self.webhooks.send(repository.name, "push", payload)

    async def _new_commits(self, repository: Repository, change: Change) -> Sequence[Commit]:
        if change.deleted or not change.ref.startswith(_HEADS):
            return ()
        if not change.created:
            return await repository.read_range(change.before, change.after)
        if change.ref == _HEADS + repository.default_branch:
            return await repository.read_range(None, change.after)
        trunk = await repository.resolve(repository.default_branch)
        return await repository.read_range(trunk, change.after)

    async def _synchronize(self, repository: Repository, change: Change) -> None:
        branch = change.ref.removeprefix(_HEADS)
        for place, pull in enumerate(self.pull_requests):
            if (pull.head, pull.head_branch) == (repository, branch) and not change.deleted:
                moved = replace(pull, head_sha=change.after)
                self.pull_requests[place] = moved
                await self._publish(moved, "synchronize", before=change.before)

    async def _publish(self, pull: PullRequest, action: str, *, before: str) -> None:
        """Deliver the event, and keep the head in the base repository as GitHub does."""
        ref = f"refs/pull/{pull.number}/head"
        await pull.base.fetch(pull.head, pull.head_branch, ref)
        payload = payloads.pull_request(self.places, pull, action, before=before)
        self.webhooks.send(pull.base.name, "pull_request", payload)
