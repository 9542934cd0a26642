"""In whatever order builds arrive: the newest stays, and a human's word stands until the next."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.actions.gitops import Bump, BumpImage, BumpState, Image
from hub.clients.gitops.decision import Asked, Draft
from hub.clients.gitops.history import History, LoggedCommit, read_log
from hub.clients.gitops.order import Comparison, Order, SourceHistory
from hub.clients.gitops.paths import FilePatterns
from hub.clients.gitops.planning import Planner, Rewrites
from hub.clients.gitops.snapshot import Snapshot, Tree

PATTERN = "services/{service}/{environment}/kustomization.yaml"
SERVICES = ("mail", "shop")
ENVIRONMENTS = ("dev", "staging")


class ByNumber:
    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        return Comparison(order=Order.AHEAD if int(head, 16) > int(base, 16) else Order.BEHIND)


def content(service: str, number: int) -> bytes:
    return f"images:\n- name: r/{service}\n  newTag: v{number}\n".encode()


def number_in(octets: bytes) -> int:
    return int(octets.decode().strip().rpartition("v")[2])


@dataclass
class Branch:
    """The branch as git would keep it: its files, and the trailers of its commits."""

    files: dict[str, bytes] = field(default_factory=dict)
    history: History = field(default_factory=History)
    order: SourceHistory = field(default_factory=lambda: SourceHistory(ByNumber()))
    commits: int = 0

    def tip(self) -> Snapshot:
        blobs = {f"{number:040x}": octets for number, octets in enumerate(self.files.values())}
        listing = "".join(
            f"100644 blob {sha}\t{path}\0" for path, sha in zip(self.files, blobs, strict=True)
        )
        return Snapshot(Tree(listing.encode()), blobs)

    async def bump(self, *batch: Asked) -> dict[str, Bump]:
        planner = Planner(
            snapshot=self.tip(),
            history=self.history,
            order=self.order,
            patterns=FilePatterns([PATTERN]),
            rewrites=Rewrites(),
            now=0,
        )
        answers = {}
        for asked, made in await planner.plan(batch):
            if isinstance(made, Draft):
                answers[asked.event] = made.landed(self.land(made))
            else:
                assert isinstance(made, Bump)
                answers[asked.event] = made
        self.history.newest.update(planner.noted)
        return answers

    def land(self, draft: Draft) -> str:
        self.commits += 1
        sha = f"{self.commits:040x}"
        for path, change in draft.commit.files.items():
            self.files[path] = change.octets
        trailers = draft.commit.message.partition("\n\n")[2]
        self.history.advance(sha, read_log(f"{sha} 0\n{trailers}\0".encode()))
        return sha


def begin() -> Branch:
    branch = Branch()
    for service in SERVICES:
        for environment in ENVIRONMENTS:
            path = PATTERN.format(service=service, environment=environment)
            branch.files[path] = content(service, 0)
    return branch


def asked(service: str, number: int, environments: tuple[str, ...], event: str) -> Asked:
    image = Image(repository=f"r/{service}", tag=f"v{number}", digest=f"sha256:{number:064x}")
    bump = BumpImage(
        service=service,
        environments=environments,
        image=image,
        repository=f"company/{service}",
        revision=f"{number:040x}",
    )
    return Asked(bump=bump, event=event)


BUMPS = st.tuples(
    st.sampled_from(SERVICES),
    st.integers(1, 9),
    st.sampled_from([("dev",), ("staging",), ENVIRONMENTS]),
)
BATCHES = st.lists(st.lists(BUMPS, min_size=1, max_size=5), min_size=1, max_size=5)


@settings(deadline=None, max_examples=60)
@given(BATCHES)
def test_in_any_order_and_any_batches_each_place_ends_with_its_newest_build(
    batches: list[list[tuple[str, int, tuple[str, ...]]]],
) -> None:
    branch = begin()

    async def deliver() -> None:
        for turn, batch in enumerate(batches):
            events = [asked(*one, f"{turn}/{place}") for place, one in enumerate(batch)]
            await branch.bump(*events)

    asyncio.run(deliver())
    for service in SERVICES:
        for environment in ENVIRONMENTS:
            builds = [
                number
                for batch in batches
                for name, number, environments in batch
                if name == service and environment in environments
            ]
            path = PATTERN.format(service=service, environment=environment)
            assert number_in(branch.files[path]) == max(builds, default=0)


@settings(deadline=None, max_examples=60)
@given(BATCHES)
def test_replaying_everything_changes_nothing(
    batches: list[list[tuple[str, int, tuple[str, ...]]]],
) -> None:
    branch = begin()

    async def deliver() -> list[dict[str, Bump]]:
        return [
            await branch.bump(*(asked(*one, f"{turn}/{place}") for place, one in enumerate(batch)))
            for turn, batch in enumerate(batches)
        ]

    first = asyncio.run(deliver())
    files, commits = dict(branch.files), branch.commits
    second = asyncio.run(deliver())
    assert branch.files == files
    assert branch.commits == commits
    assert commits_of(second) == commits_of(first)


def commits_of(answers: list[dict[str, Bump]]) -> dict[str, str]:
    """The commit of each event that has one."""
    return {event: bump.commit for batch in answers for event, bump in batch.items() if bump.commit}


@settings(deadline=None, max_examples=60)
@given(st.permutations([1, 2, 3, 4]), st.integers(0, 3), st.integers(0, 4))
def test_what_a_human_writes_stays_until_something_newer_than_all_is_built(
    arrivals: list[int], place_of_human: int, by_hand: int
) -> None:
    branch = begin()
    path = PATTERN.format(service="shop", environment="dev")

    async def deliver() -> None:
        for place, number in enumerate(arrivals):
            shown = number_in(branch.files[path])
            answers = await branch.bump(asked("shop", number, ("dev",), str(number)))
            (outcome,) = answers[str(number)].environments
            if number == max(arrivals[: place + 1]):
                assert outcome.state is not BumpState.SUPERSEDED
                assert number_in(branch.files[path]) == number
            else:
                assert outcome.state is BumpState.SUPERSEDED
                assert number_in(branch.files[path]) == shown
            if place == place_of_human:
                branch.files[path] = content("shop", by_hand)

    asyncio.run(deliver())


def test_only_whole_trailers_of_full_commits_are_believed() -> None:
    history = History()
    good = {
        "Trunkline-Service": "shop",
        "Trunkline-Environments": "dev, staging",
        "Trunkline-Revision": "1" * 40,
        "Trunkline-Event": "key",
    }
    for revision in ("", "main", "--output=x", "1" * 39, "G" * 40):
        history.advance(
            "tip",
            [
                LoggedCommit(
                    sha="a", committed_at=0, trailers=good | {"Trunkline-Revision": revision}
                )
            ],
        )
    assert not history.landed
    assert not history.newest
    history.advance("tip", [LoggedCommit(sha="a", committed_at=0, trailers=good)])
    assert set(history.newest) == {("shop", "dev"), ("shop", "staging")}
    assert history.landed["key"].commit == "a"
