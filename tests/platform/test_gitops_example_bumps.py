"""What the hub writes into the example of a gitops repository is what is deployed then."""

import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gitops_files import ENVIRONMENTS, applications, deployed, files, image

from handlers import bump_image_tag
from hub.actions.action import Call
from hub.actions.gitops import Bump, BumpImage, ReadImage
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState
from hub.clients.gitops import Comparison, Gitops, Order
from hub.configuration import load
from hub.dispatch.rehearsal import rehearse
from hub.events.envelope import Envelope
from hub.events.tekton import PipelineRunFinished
from hub.sandbox.clock import Clock
from hub.sandbox.repository import Repository
from hub.settings import Settings
from hub.wiring.installed import platform_of

ROOT = Path(__file__).parents[2]
REGISTRY = "registry.example.com/company/orders"
DIGEST = f"sha256:{hashlib.sha256(b'the next build').hexdigest()}"
TAG = "0123456789ab"
REVISION = TAG + "0" * 28
BUMPED = {"main": {"dev", "staging"}, "develop": {"dev"}}
FINISHED = {"pipelineRun": {"metadata": {"namespace": "ci", "name": "orders-1", "uid": "u"}}}

pytestmark = pytest.mark.usefixtures("servers")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The example settings, whose secrets stand nowhere."""
    for name in ("EVENTS_TOKEN", "SLACK_TOKEN"):
        monkeypatch.setenv(name, "good enough for an example")
    return load(ROOT / "trunkline.example.yaml", {})


class Newer:
    """Every commit comes after the one before it."""

    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        return Comparison(order=Order.AHEAD)


@pytest.fixture
async def repository(tmp_path: Path) -> Repository:
    made = Repository(name="company/gitops", folder=tmp_path / "gitops.git", clock=Clock())
    made.create()
    await made.commit("main", "Begin", files())
    return made


@pytest.fixture
async def writer(
    repository: Repository, example: Settings, tmp_path: Path
) -> AsyncIterator[Gitops]:
    assert example.gitops is not None
    made = Gitops(
        settings=example.gitops.model_copy(update={"url": f"file://{repository.folder}"}),
        order=Newer(),
        state=tmp_path / "state",
        token=None,
        chance=random.Random(0),
    )
    yield made
    await made.close()


def call() -> Call:
    event = Envelope(id="e", source="/tekton", type="t", partitionkey="k", data=b"{}")
    return Call(event=event, handler=bump_image_tag.name, step=1, attempt=1)


async def asked_for(example: Settings, branch: str) -> BumpImage:
    """Return what the hub's handler asks for when a pipeline of orders has succeeded."""
    run = PipelineRun(
        namespace="ci",
        name="orders-1",
        state=RunState.SUCCEEDED,
        service="orders",
        repository="company/orders",
        branch=branch,
        revision=REVISION,
        results={"IMAGE_URL": f"{REGISTRY}:{TAG}", "IMAGE_DIGEST": DIGEST},
    )
    rehearsal = await rehearse(
        bump_image_tag,
        PipelineRunFinished.model_validate(FINISHED),
        platform=platform_of(example),
        replies={ReadPipelineRun: run},
    )
    (bump,) = rehearsal.of(BumpImage)
    assert isinstance(bump, BumpImage)
    return bump


async def checked_out(repository: Repository, folder: Path) -> Path:
    for path in await repository.list_files("main"):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(await repository.read_file("main", path))
    return folder


async def running(repository: Repository, scratch: Path) -> dict[str, str]:
    """Return the image of the Deployment in each environment, as the repository says by now."""
    tree = await checked_out(repository, scratch / "tree")
    services = applications("services")
    return {
        name: image(deployed(services[f"orders-{name}"], scratch, tree=tree))
        for name in ENVIRONMENTS
    }


@pytest.mark.parametrize("branch", BUMPED)
async def test_the_image_of_a_build_is_deployed_where_its_branch_goes(
    repository: Repository, writer: Gitops, example: Settings, tmp_path: Path, branch: str
) -> None:
    before = await repository.resolve("main")
    said: Bump = await writer.bump(await asked_for(example, branch), call())
    assert said.commit == await repository.resolve("main") != before

    images = await running(repository, tmp_path / "built")
    new = f"{REGISTRY}:{TAG}@{DIGEST}"
    assert {name for name, one in images.items() if one == new} == BUMPED[branch]
    changed = {
        path
        for path, blob in (await repository.list_files("main")).items()
        if blob != (await repository.list_files(before))[path]
    }
    assert changed == {
        f"services/orders/overlays/{name}/kustomization.yaml" for name in BUMPED[branch]
    }


async def test_the_hub_reads_the_image_that_is_deployed(
    repository: Repository, writer: Gitops, tmp_path: Path
) -> None:
    commit = await repository.resolve("main")
    images = await running(repository, tmp_path / "built")
    for name in ENVIRONMENTS:
        read = await writer.read(
            ReadImage(service="orders", environment=name, commit=commit), call()
        )
        assert read is not None
        assert f"{read.repository}:{read.tag}@{read.digest}" == images[name]


async def test_the_database_s_folder_is_no_deployment(
    repository: Repository, writer: Gitops
) -> None:
    commit = await repository.resolve("main")
    asked = ReadImage(service="orders-production", environment="requests", commit=commit)
    assert await writer.read(asked, call()) is None
