"""Tekton's and Argo CD's clients against the sandbox's API server, with the hub's few rights."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hub.actions.action import Call
from hub.actions.argocd import ReadApplication
from hub.actions.tekton import PipelineRun, ReadPipelineRun, RunState, StartPipelineRun
from hub.clients.argocd import ArgoCD
from hub.clients.http import Http
from hub.clients.kubernetes import Kubernetes, Resource
from hub.clients.tekton import Tekton
from hub.clients.tekton.manifest import run_name
from hub.errors import PermanentError, TemporaryError
from hub.events.envelope import Envelope
from hub.sandbox.faults import Down, Faults, ResetAfterEffect, Status
from hub.sandbox.kubernetes import (
    APPLICATIONS,
    PIPELINE_RUNS,
    Access,
    Cluster,
    KubernetesApi,
    Rule,
)
from hub.sandbox.kubernetes.refusal import Refusal
from hub.secrets import SecretPlace
from hub.settings import KubernetesSettings, Secret

NAMESPACE = "tekton-pipelines"
TOKEN = "a-token-of-the-hubs-account"
START = StartPipelineRun(
    pipeline="microservice-ci",
    service="order-service",
    repository="company/order-service",
    clone_url="https://github.com/company/order-service.git",
    ref="refs/heads/main",
    revision="0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    push_image=True,
)
CALL = Call(
    event=Envelope(id="e", source="/s", type="com.github.push", partitionkey="k", data=b"{}"),
    handler="start_pipeline_run",
    step=0,
    attempt=1,
)


def account(token: str) -> Access:
    """The rights that the hub is installed with."""
    rules = (
        Rule(kind=PIPELINE_RUNS, verbs=frozenset({"create", "get"}), namespace=NAMESPACE),
        Rule(kind=APPLICATIONS, verbs=frozenset({"get"})),
    )
    return Access(user="system:serviceaccount:trunkline:hub", token=token, rules=rules)


@dataclass
class Time:
    now: float = 0.0


@dataclass
class Setting:
    cluster: Cluster
    faults: Faults
    kubernetes: Kubernetes
    tekton: Tekton
    argocd: ArgoCD
    token_file: Path
    time: Time

    def later(self, *, seconds: float) -> None:
        self.time.now += seconds

    def runs(self) -> list[str]:
        return [run["metadata"]["name"] for run in self.cluster.pipeline_runs()]

    def finish(self, run: PipelineRun, status: dict[str, Any]) -> None:
        body = {"status": status}
        self.cluster.patch(PIPELINE_RUNS, NAMESPACE, run.name, body, status=True)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    cluster = Cluster(namespaces=[NAMESPACE, "argocd"])
    faults = Faults()
    accounts = (account(TOKEN), account("the-next-token"))
    api = KubernetesApi(cluster=cluster, faults=faults, accounts=accounts)
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    place = Secret(file=token_file)
    settings = KubernetesSettings(url=await api.start(), token=place, namespace=NAMESPACE)
    time = Time()
    async with Http(monotonic=lambda: time.now) as http:
        kubernetes = Kubernetes(
            settings=settings, http=http, token=SecretPlace(place, name="kubernetes.token")
        )
        yield Setting(
            cluster=cluster,
            faults=faults,
            kubernetes=kubernetes,
            tekton=Tekton(settings=settings, kubernetes=kubernetes),
            argocd=ArgoCD(kubernetes),
            token_file=token_file,
            time=time,
        )
    await api.stop()


def read_of(run: PipelineRun) -> ReadPipelineRun:
    return ReadPipelineRun(namespace=run.namespace, run=run.name, uid=run.uid)


async def test_a_run_is_created_and_read_back(setting: Setting) -> None:
    started = await setting.tekton.start(START, CALL)
    read = await setting.tekton.read(read_of(started), CALL)

    assert started == read
    assert setting.runs() == [run_name(START)]
    assert (read.namespace, read.state, read.pipeline) == (
        NAMESPACE,
        RunState.RUNNING,
        "microservice-ci",
    )
    assert (read.service, read.repository, read.branch, read.revision) == (
        "order-service",
        "company/order-service",
        "main",
        START.revision,
    )
    assert read.uid
    assert read.started_at


async def test_row_81_the_same_build_again_is_the_same_run(setting: Setting) -> None:
    first = await setting.tekton.start(START, CALL)
    setting.finish(first, {"conditions": [{"type": "Succeeded", "status": "True"}]})

    second = await setting.tekton.start(START, replace(CALL, attempt=2))

    assert setting.runs() == [first.name]
    assert (second.uid, second.state) == (first.uid, RunState.SUCCEEDED)


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {}},
        {"labels": {"app.kubernetes.io/managed-by": "somebody"}},
        {
            "labels": {"app.kubernetes.io/managed-by": "trunkline"},
            "annotations": {"trunkline.dev/repository": "company/another"},
        },
    ],
)
async def test_row_81_a_name_that_somebody_else_has_taken_is_not_ours(
    setting: Setting, metadata: dict[str, Any]
) -> None:
    taken = {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": run_name(START), **metadata},
        "spec": {"pipelineRef": {"name": "other"}},
    }
    setting.cluster.create(PIPELINE_RUNS, NAMESPACE, taken)

    with pytest.raises(PermanentError, match="was not started by the hub"):
        await setting.tekton.start(START, CALL)


async def test_row_82_a_lost_answer_to_a_create_makes_no_second_run(setting: Setting) -> None:
    setting.faults.fail("kubernetes", ResetAfterEffect(), method="POST", times=1)
    with pytest.raises(TemporaryError):
        await setting.tekton.start(START, CALL)

    run = await setting.tekton.start(START, CALL)

    assert setting.runs() == [run.name]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Refusal(422, "Invalid", 'PipelineRun "x" is invalid: spec.params'), "spec.params"),
        (Refusal(403, "Forbidden", 'pipelineruns is forbidden: User "hub"'), "kubernetes.token"),
        (Refusal(400, "BadRequest", 'admission webhook "policy" denied: no'), "denied: no"),
        (Refusal(404, "NotFound", 'namespaces "x" not found'), "namespaces"),
    ],
)
async def test_rows_83_and_c20_a_refusal_is_told_and_not_tried_again(
    setting: Setting, refusal: Refusal, words: str
) -> None:
    setting.cluster.deny_creation(PIPELINE_RUNS, refusal)

    with pytest.raises(PermanentError) as caught:
        await setting.tekton.start(START, CALL)

    assert words in str(caught.value)
    assert str(refusal.code) in str(caught.value)
    assert TOKEN not in str(caught.value)


async def test_row_84_an_overloaded_server_says_when_to_come_back(setting: Setting) -> None:
    setting.faults.fail("kubernetes", Status(status=429, retry_after=5), times=1)

    with pytest.raises(TemporaryError) as caught:
        await setting.tekton.start(START, CALL)

    assert caught.value.after == 5


@pytest.mark.parametrize("kind", [Status(status=500), Status(status=503), Down()])
async def test_row_84_a_broken_server_is_tried_again(setting: Setting, kind: Status | Down) -> None:
    setting.faults.fail("kubernetes", kind, times=1)

    with pytest.raises(TemporaryError):
        await setting.tekton.start(START, CALL)
    run = await setting.tekton.start(START, CALL)

    assert setting.runs() == [run.name]


async def test_row_86_an_exhausted_quota_is_waited_for(setting: Setting) -> None:
    message = "pipelineruns is forbidden: exceeded quota: ci, requested: count=1, used: count=9"
    setting.cluster.deny_creation(PIPELINE_RUNS, Refusal(403, "Forbidden", message))
    with pytest.raises(TemporaryError, match="exceeded quota") as caught:
        await setting.tekton.start(START, CALL)
    assert caught.value.after == 60

    setting.cluster.deny_creation(PIPELINE_RUNS, None)
    assert (await setting.tekton.start(START, CALL)).state is RunState.RUNNING


async def test_a_projected_token_is_swapped_under_a_running_hub(setting: Setting) -> None:
    setting.token_file.write_text("a-token-that-has-expired")
    setting.later(seconds=2)
    with pytest.raises(PermanentError, match=r"401.*kubernetes\.token") as caught:
        await setting.tekton.start(START, CALL)
    assert "expired" not in str(caught.value)

    setting.token_file.write_text("the-next-token")
    await setting.tekton.start(START, CALL)

    assert setting.runs() == [run_name(START)]


async def test_a_finished_run_gives_its_results(setting: Setting) -> None:
    run = await setting.tekton.start(START, CALL)
    condition = {"type": "Succeeded", "status": "True", "reason": "Succeeded", "message": "done"}
    setting.finish(
        run,
        {
            "conditions": [condition],
            "startTime": "2026-01-31T09:30:00Z",
            "completionTime": "2026-01-31T09:33:00Z",
            "results": [{"name": "IMAGE_DIGEST", "value": "sha256:0"}],
        },
    )

    read = await setting.tekton.read(read_of(run), CALL)

    assert (read.state, read.reason, read.message) == (RunState.SUCCEEDED, "Succeeded", "done")
    assert (read.started_at, read.finished_at) == ("2026-01-31T09:30:00Z", "2026-01-31T09:33:00Z")
    assert read.results == {"IMAGE_DIGEST": "sha256:0"}


async def test_a_run_with_another_uid_or_elsewhere_is_gone(setting: Setting) -> None:
    run = await setting.tekton.start(START, CALL)

    for wrong in (
        replace(read_of(run), uid="another"),
        replace(read_of(run), uid=""),
        replace(read_of(run), run="another"),
        replace(read_of(run), run="../../../api/v1/secrets"),
        replace(read_of(run), run=""),
        replace(read_of(run), namespace="kube-system"),
    ):
        read = await setting.tekton.read(wrong, CALL)
        assert read.state is RunState.GONE
        assert (read.namespace, read.name) == (wrong.namespace, wrong.run)


async def test_a_kind_that_is_not_installed_is_not_taken_for_a_missing_object(
    setting: Setting,
) -> None:
    unknown = Resource(group="tekton.dev", version="v9", plural="pipelineruns")

    with pytest.raises(PermanentError, match=r"tekton\.dev/v9 pipelineruns"):
        await setting.kubernetes.get(unknown, namespace=NAMESPACE, name="x")


async def test_row_38_an_application_is_what_the_cluster_says(setting: Setting) -> None:
    content = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "order-service-staging"},
        "spec": {"project": "default", "destination": {"name": "in-cluster"}},
        "status": {"health": {"status": "Degraded"}, "sync": {"status": "Synced"}},
    }
    setting.cluster.create(APPLICATIONS, "argocd", content)

    app = await setting.argocd.read(
        ReadApplication(namespace="argocd", application="order-service-staging"), CALL
    )

    assert (app.exists, app.health, app.sync) == (True, "Degraded", "Synced")
    assert (app.service, app.environment) == ("order-service", "staging")


@pytest.mark.parametrize(
    ("namespace", "name"),
    [("argocd", "nothing"), ("argocd", "../x"), ("Not_A_Name", "x"), ("argocd", "")],
)
async def test_an_application_that_is_not_there_does_not_exist(
    setting: Setting, namespace: str, name: str
) -> None:
    app = await setting.argocd.read(ReadApplication(namespace=namespace, application=name), CALL)

    assert not app.exists
