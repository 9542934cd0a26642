"""The sandbox's Tekton: what it makes of PipelineRuns, and what it sends to whom."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from hub.sandbox.kubernetes import PIPELINE_RUNS, Cluster
from hub.sandbox.loopback import Loopback
from hub.sandbox.pace import Pace
from hub.sandbox.tekton import Outcome, Tekton, digest_of

NAMESPACE = "tekton-pipelines"
REGISTRY = "registry.company.example"
REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Sink:
    """Takes CloudEvents, after failing as often as told."""

    failures: int = 0
    status: int = 503
    events: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.failures > 0:
            self.failures -= 1
            return web.Response(status=self.status)
        self.events.append((dict(request.headers), body["pipelineRun"]))
        return web.Response(status=202)

    @property
    def types(self) -> list[str]:
        return [headers["Ce-Type"].split(".")[-2] for headers, _ in self.events]


@dataclass
class Setting:
    cluster: Cluster
    tekton: Tekton
    sink: Sink

    def create(self, name: str = "orders-1", **params: str) -> dict[str, Any]:
        return self.cluster.create(PIPELINE_RUNS, NAMESPACE, pipeline_run(name, params))

    def run(self, name: str = "orders-1") -> dict[str, Any]:
        return self.cluster.get(PIPELINE_RUNS, NAMESPACE, name)

    def condition(self, name: str = "orders-1") -> tuple[str, str]:
        (condition,) = self.run(name)["status"]["conditions"]
        return condition["status"], condition["reason"]


def pipeline_run(name: str, params: dict[str, str]) -> dict[str, Any]:
    values = {
        "git-url": "http://127.0.0.1:9/company/order-service.git",
        "git-revision": REVISION,
        "image-tag": REVISION[:12],
    } | params
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": name, "labels": {"trunkline.dev/service": "order-service"}},
        "spec": {
            "pipelineRef": {"name": "microservice-ci"},
            "params": [{"name": name, "value": value} for name, value in values.items()],
            "taskRunTemplate": {"serviceAccountName": "pipeline"},
        },
    }


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    cluster, sink = Cluster(namespaces=[NAMESPACE]), Sink()
    tekton = Tekton(
        cluster=cluster,
        pace=Pace(stage_seconds=0),
        pipelines=["microservice-ci"],
        registry=REGISTRY,
    )
    app = web.Application()
    app.router.add_post("/webhooks/tekton/key", sink.take)
    server = Loopback(app)
    tekton.events.sink = await server.start() + "/webhooks/tekton/key"
    await tekton.start()
    yield Setting(cluster=cluster, tekton=tekton, sink=sink)
    await tekton.stop()
    await server.stop()


async def test_a_run_succeeds_with_the_images_results(setting: Setting) -> None:
    setting.create()
    await setting.tekton.settled()
    status = setting.run()["status"]
    assert setting.condition() == ("True", "Succeeded")
    assert status["startTime"] <= status["completionTime"]
    assert len(status["childReferences"]) == 4
    image = f"{REGISTRY}/company/order-service"
    assert {one["name"]: one["value"] for one in status["results"]} == {
        "IMAGE_URL": image,
        "IMAGE_TAG": REVISION[:12],
        "IMAGE_DIGEST": digest_of(image, REVISION),
    }


async def test_the_same_revision_gives_the_same_digest(setting: Setting) -> None:
    setting.create("first")
    setting.create("second")
    await setting.tekton.settled()
    assert setting.run("first")["status"]["results"] == setting.run("second")["status"]["results"]


async def test_a_build_that_is_not_pushed_has_no_image(setting: Setting) -> None:
    setting.create(**{"push-image": "false"})
    await setting.tekton.settled()
    assert "results" not in setting.run()["status"]


async def test_events_carry_the_old_version_of_the_object(setting: Setting) -> None:
    setting.create()
    await setting.tekton.settled()
    assert sorted(setting.sink.types) == ["running", "started", "successful"]
    headers, run = next(one for one in setting.sink.events if "successful" in one[0]["Ce-Type"])
    assert headers["Ce-Specversion"] == "1.0"
    assert headers["Ce-Source"] == f"/apis///namespaces/{NAMESPACE}//orders-1"
    assert run["spec"]["serviceAccountName"] == "pipeline"
    assert run["status"]["pipelineResults"][0]["name"] == "IMAGE_URL"
    assert run["metadata"]["labels"]["tekton.dev/pipeline"] == "microservice-ci"
    assert {"kind", "apiVersion"}.isdisjoint(run)


async def test_every_send_has_an_id_of_its_own(setting: Setting) -> None:
    setting.tekton.events.copies = 2
    setting.create()
    await setting.tekton.settled()
    assert len(setting.sink.events) == 6
    assert len({headers["Ce-Id"] for headers, _ in setting.sink.events}) == 6


async def test_events_can_come_last_first(setting: Setting) -> None:
    setting.tekton.events.backwards = True
    setting.create()
    await setting.tekton.settled()
    assert setting.sink.types == ["successful", "running", "started"]


async def test_a_sink_that_is_overloaded_is_asked_again(setting: Setting) -> None:
    setting.sink.failures = 4
    setting.create()
    await setting.tekton.settled()
    assert sorted(setting.sink.types) == ["running", "started", "successful"]


async def test_what_the_sink_refuses_is_not_sent_again(setting: Setting) -> None:
    setting.sink.failures, setting.sink.status = 3, 400
    setting.create()
    await setting.tekton.settled()
    assert setting.sink.events == []


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.FAILED, "Failed"),
        (Outcome.CANCELLED, "Cancelled"),
        (Outcome.TIMED_OUT, "PipelineRunTimeout"),
    ],
)
async def test_a_run_ends_as_told_and_is_sent_as_failed(
    setting: Setting, outcome: Outcome, reason: str
) -> None:
    setting.tekton.outcome("order-service", outcome, message="said so", times=1)
    setting.create()
    await setting.tekton.settled()
    assert setting.condition() == ("False", reason)
    assert "failed" in setting.sink.types
    assert setting.run()["status"]["conditions"][0]["message"] == "said so"
    setting.create("orders-2")
    await setting.tekton.settled()
    assert setting.condition("orders-2") == ("True", "Succeeded")


async def test_a_held_run_stands_still_and_can_be_cancelled(setting: Setting) -> None:
    setting.tekton.pace.hold()
    setting.create()
    await setting.cluster.until(PIPELINE_RUNS, lambda run: "status" in run)
    assert setting.condition() == ("Unknown", "Started")
    cancel = {"spec": {"status": "Cancelled"}}
    setting.cluster.patch(PIPELINE_RUNS, NAMESPACE, "orders-1", cancel)
    setting.tekton.pace.release()
    await setting.tekton.settled()
    assert setting.condition() == ("False", "Cancelled")


async def test_a_run_that_is_deleted_is_left_alone(setting: Setting) -> None:
    setting.tekton.pace.hold()
    setting.create()
    setting.cluster.delete(PIPELINE_RUNS, NAMESPACE, "orders-1")
    setting.tekton.pace.release()
    await setting.tekton.settled()
    assert setting.cluster.pipeline_runs() == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pipelineRef": {"name": "unknown"}}, "CouldntGetPipeline"),
        ({"params": []}, "ParameterMissing"),
    ],
)
async def test_a_run_that_cannot_begin_fails_at_once(
    setting: Setting, change: dict[str, Any], reason: str
) -> None:
    body = pipeline_run("orders-1", {})
    body["spec"] |= change
    setting.cluster.create(PIPELINE_RUNS, NAMESPACE, body)
    await setting.tekton.settled()
    assert setting.condition() == ("False", reason)
    assert setting.sink.types == ["failed"]
