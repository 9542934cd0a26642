"""A run that the hub creates is taken through its stages by Tekton's own controller.

What Tekton sends of it is what the hub takes, and what the hub sees by watching is the same.
Nothing runs in the pods: a test says how they end.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from servers.kubernetes import KubernetesServer, kubernetes
from servers.tekton import CONFIGURED, NAMESPACE, Sink, sink, tekton
from tekton_files import TRUSTED, Object, built, documents, run_of_the_hub
from tekton_pods import PATIENCE, End, end_pods

from hub.actions.action import Call
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState
from hub.clients.http import Http
from hub.clients.kubernetes import Kubernetes
from hub.clients.tekton import Tekton
from hub.events.envelope import Envelope
from hub.events.tekton import PipelineRunFinished
from hub.secrets import SecretPlace
from hub.settings import KubernetesSettings, Secret
from hub.sources.interface import Ignored, Sighting
from hub.sources.tekton import see, take

CRDS = sorted((Path(__file__).parents[1] / "data" / "tekton-crds").glob("*.yaml"))
KEY = "/webhooks/tekton/KEY"


@pytest.fixture(scope="module")
def listener() -> Iterator[Sink]:
    with sink() as one:
        yield one


@pytest.fixture(scope="module")
def cluster(
    servers: None, listener: Sink, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubernetesServer]:
    """A cluster with Tekton and our pipelines in it."""
    with kubernetes() as server:
        server.install(*CRDS)
        server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        server.apply(*[one for one in built() if one["kind"] != "ExternalSecret"])
        server.apply(*[configured(name, listener) for name in CONFIGURED])
        with tekton(server, tmp_path_factory.mktemp("tekton")):
            yield server


def configured(name: str, listener: Sink) -> Object:
    """Return our ConfigMap of this name, or an empty one, with events going to the listener."""
    empty: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {},
    }
    file = Path(__file__).parents[2] / "tekton" / "config" / f"{name}.yaml"
    one = documents(f"config/{name}.yaml")[0] if file.exists() else empty
    if name == "config-events":
        one["data"]["sink"] = f"{listener.url}{KEY}"
    return one


def renamed(name: str, **changes: Object) -> Object:
    run = run_of_the_hub()
    return {**run, "metadata": {**run["metadata"], "name": name}, **changes}


def now(cluster: KubernetesServer, run: Object) -> Object:
    found = cluster.get(run)
    assert found is not None
    return found


def reason(run: Object) -> str:
    conditions = run.get("status", {}).get("conditions", [])
    return str(conditions[0]["reason"]) if conditions else ""


def tasks(run: Object) -> list[str]:
    """Which of the pipeline's tasks have begun."""
    return [one["pipelineTaskName"] for one in run["status"].get("childReferences", [])]


async def until(cluster: KubernetesServer, run: Object, holds: Callable[[Object], bool]) -> Object:
    async with asyncio.timeout(PATIENCE):
        while not holds(found := await asyncio.to_thread(now, cluster, run)):
            await asyncio.sleep(0.05)
    return found


async def until_heard(listener: Sink, run: Object, kind: str) -> Envelope:
    """Wait until Tekton has sent this of a run, and return what the hub makes of it."""
    wanted = f"dev.tekton.event.pipelinerun.{kind}.v1"
    async with asyncio.timeout(PATIENCE):
        while not (heard := [one for one in taken(listener, run) if one.type == wanted]):
            await asyncio.sleep(0.05)
    return heard[-1]


def taken(listener: Sink, run: Object) -> list[Envelope]:
    events: list[Envelope] = []
    for one in list(listener.sent):
        assert one.path == KEY
        said = take(one.headers, one.body, hubkey="tekton/sink")
        events += () if isinstance(said, Ignored) else said
    return [one for one in events if one.subject == run["metadata"]["name"]]


def watched(run: Object) -> Envelope:
    sighting = Sighting(
        cluster="platform",
        group="tekton.dev",
        version="v1",
        plural="pipelineruns",
        kind="PipelineRun",
        body=orjson.dumps(run),
    )
    (event,) = see(sighting).events
    return event


async def test_a_run_is_begun_with_the_pipeline_s_first_task(
    cluster: KubernetesServer, listener: Sink
) -> None:
    run = await asyncio.to_thread(cluster.create, run_of_the_hub())
    begun = await until(cluster, run, lambda one: reason(one) == "Running")
    assert tasks(begun) == ["clone"]

    heard = await until_heard(listener, run, "running")
    assert heard.partitionkey == "company/order-service"
    seen = watched(begun)
    assert (seen.source, seen.id, seen.type) == (heard.source, heard.id, heard.type)


async def test_a_run_that_is_cancelled_stops_but_for_telling_and_is_told_of(
    cluster: KubernetesServer, listener: Sink
) -> None:
    run = await asyncio.to_thread(cluster.create, renamed("order-service-cancelled"))
    await until(cluster, run, lambda one: reason(one) == "Running")
    await asyncio.to_thread(cluster.patch, run, {"spec": {"status": "CancelledRunFinally"}})
    stopping = await until(cluster, run, lambda one: tasks(one) == ["clone", "notify"])
    assert reason(stopping) == "CancelledRunningFinally"

    # Without nodes nothing ever ends by itself.
    await asyncio.to_thread(cluster.patch, run, {"spec": {"status": "Cancelled"}})
    ended = await until(cluster, run, lambda one: reason(one) == "Cancelled")
    heard = await until_heard(listener, run, "failed")
    assert (watched(ended).type, watched(ended).id) == (heard.type, heard.id)


async def test_a_run_that_waits_is_left_alone_until_it_may_begin(
    cluster: KubernetesServer,
) -> None:
    waiting = run_of_the_hub(runs_per_service=1)
    waiting["metadata"]["name"] = "order-service-waiting"
    assert waiting["spec"]["status"] == "PipelineRunPending"
    run = await asyncio.to_thread(cluster.create, waiting)
    held = await until(cluster, run, lambda one: reason(one) != "")
    assert reason(held) == "PipelineRunPending"
    assert "childReferences" not in held["status"]

    await asyncio.to_thread(cluster.patch, run, {"spec": {"status": None}})
    await until(cluster, run, lambda one: reason(one) == "Running")


async def test_a_run_that_is_cancelled_while_it_waits_ends_at_once_and_begins_nothing(
    cluster: KubernetesServer, listener: Sink
) -> None:
    waiting = run_of_the_hub(runs_per_service=1)
    waiting["metadata"]["name"] = "order-service-superseded"
    run = await asyncio.to_thread(cluster.create, waiting)
    await until(cluster, run, lambda one: reason(one) == "PipelineRunPending")
    await asyncio.to_thread(cluster.patch, run, {"spec": {"status": "Cancelled"}})
    ended = await until(cluster, run, lambda one: reason(one) == "Cancelled")
    assert "childReferences" not in ended["status"]
    known = await read(cluster, await until_heard(listener, run, "failed"))
    assert known.state is RunState.CANCELLED


DIGEST = f"sha256:{'1f' * 32}"
URL = "registry.example.com/order-service:0a1b2c3d4e5f"
BUILT = {
    "image-build": End(results={"IMAGE_DIGEST": DIGEST}),
    "image-scan": End(results={"IMAGE_DIGEST": DIGEST}),
}
PUSHED = {"IMAGE_URL": URL, "IMAGE_DIGEST": DIGEST, "IMAGE_TAG": "0a1b2c3d4e5f"}
STAGES = [
    *("clone", "owasp", "unit-test", "sast"),
    *("build-jar", "image-build", "image-scan", "push", "notify"),
]


async def ended(cluster: KubernetesServer, run: Object, ends: dict[str, End]) -> list[str]:
    """End the tasks of a run, and return them in their order, those at the same time by name."""
    tasks = await end_pods(cluster, run, ends)
    return [tasks[0], *sorted(tasks[1:3]), *tasks[3:]]


async def read(cluster: KubernetesServer, event: Envelope) -> PipelineRun:
    """Read the run that an event tells of, as the hub does."""
    told = PipelineRunFinished.read(event)
    settings = KubernetesSettings(
        url=cluster.url,
        ca_file=cluster.ca_file,
        token=Secret(file=cluster.admin_token_file),
        namespace=TRUSTED,
    )
    token = SecretPlace(Secret(file=cluster.admin_token_file), name="kubernetes.token")
    call = Call(event=event, handler="report_pipeline_status", step=0, attempt=1)
    async with Http() as http:
        kubernetes = Kubernetes(settings=settings, http=http, token=token)
        client = Tekton(settings=settings, kubernetes=kubernetes)
        return await client.read(ReadPipelineRun.told_of_by(told), call)


async def test_a_run_goes_through_its_stages_and_gives_the_hub_the_image_it_has_pushed(
    cluster: KubernetesServer, listener: Sink
) -> None:
    run = await asyncio.to_thread(cluster.create, renamed("order-service-pushed"))
    assert await ended(cluster, run, BUILT | {"push": End(results=PUSHED)}) == STAGES

    heard = await until_heard(listener, run, "successful")
    assert PipelineRunFinished.read(heard).results == PUSHED
    known = await read(cluster, heard)
    assert (known.state, known.results) == (RunState.SUCCEEDED, PUSHED)


async def test_a_pull_request_s_run_pushes_nothing_and_has_no_image(
    cluster: KubernetesServer, listener: Sink
) -> None:
    pulled = run_of_the_hub(push=False, pull_request=7)
    pulled["metadata"]["name"] = "order-service-pulled"
    run = await asyncio.to_thread(cluster.create, pulled)
    assert await ended(cluster, run, BUILT) == [one for one in STAGES if one != "push"]

    known = await read(cluster, await until_heard(listener, run, "successful"))
    assert (known.state, known.results) == (RunState.SUCCEEDED, {})


@pytest.mark.parametrize(
    ("stage", "after"),
    [("unit-test", ["notify"]), ("image-scan", [*STAGES[3:7], "notify"])],
)
async def test_a_run_that_fails_at_a_gate_pushes_nothing_and_names_the_gate(
    cluster: KubernetesServer, listener: Sink, stage: str, after: list[str]
) -> None:
    run = await asyncio.to_thread(cluster.create, renamed(f"order-service-not-{stage}"))
    tasks = await ended(cluster, run, BUILT | {stage: End(exit_code=1)})
    assert tasks[3:] == after

    known = await read(cluster, await until_heard(listener, run, "failed"))
    assert (known.state, known.failed_tasks) == (RunState.FAILED, (stage,))
