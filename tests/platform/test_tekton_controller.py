"""A run that the hub creates is begun, held back and ended by Tekton's own controller.

What Tekton sends of it is what the hub takes, and what the hub sees by watching is the same.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from servers.kubernetes import KubernetesServer, kubernetes
from servers.tekton import CONFIGURED, NAMESPACE, Sink, sink, tekton
from tekton_files import Object, built, documents, run_of_the_hub

from hub.events.envelope import Envelope
from hub.sources.interface import Ignored, Sighting
from hub.sources.tekton import see, take

CRDS = sorted((Path(__file__).parents[1] / "data" / "tekton-crds").glob("*.yaml"))
KEY = "/webhooks/tekton/KEY"
PATIENCE = 60.0


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
