"""The Kubernetes clients against the sandbox's API server, which can be told to fail."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kubernetes_clients_suite import ArgoSuite, CrossplaneSuite, TektonSuite, asked_for, say
from kubernetes_home import CALL, LEASES, RUNS, START, end_task, ended, finish, read_of
from kubernetes_sandbox_home import TOKEN, SandboxHome, sandbox_home
from kubernetes_suite import KubernetesSuite
from kubernetes_watching_suite import FollowingSuite

from hub.actions.crossplane import CompositeState
from hub.actions.tekton import RunState
from hub.clients.tekton.manifest import run_name
from hub.errors import PermanentError, TemporaryError
from hub.sandbox.faults import Down, ResetAfterEffect, Status
from hub.sandbox.kubernetes import PIPELINE_RUNS, POSTGRESQL_INSTANCES
from hub.sandbox.kubernetes.refusal import Refusal


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[SandboxHome]:
    async with sandbox_home(tmp_path) as opened:
        yield opened


class TestSandbox(KubernetesSuite, FollowingSuite, TektonSuite, ArgoSuite, CrossplaneSuite):
    pass


async def test_row_82_a_lost_answer_to_a_create_makes_no_second_run(home: SandboxHome) -> None:
    home.faults.fail("kubernetes", ResetAfterEffect(), method="POST", times=1)
    with pytest.raises(TemporaryError):
        await home.clients.tekton.start(START, CALL)

    run = await home.clients.tekton.start(START, CALL)

    assert await home.runs() == [run.name]


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
    home: SandboxHome, refusal: Refusal, words: str
) -> None:
    home.cluster.deny_creation(PIPELINE_RUNS, refusal)

    with pytest.raises(PermanentError) as caught:
        await home.clients.tekton.start(START, CALL)

    assert words in str(caught.value)
    assert str(refusal.code) in str(caught.value)
    assert TOKEN not in str(caught.value)


async def test_row_84_an_overloaded_server_says_when_to_come_back(home: SandboxHome) -> None:
    home.faults.fail("kubernetes", Status(status=429, retry_after=5), times=1)

    with pytest.raises(TemporaryError) as caught:
        await home.clients.tekton.start(START, CALL)

    assert caught.value.after == 5


@pytest.mark.parametrize("kind", [Status(status=500), Status(status=503), Down()])
async def test_row_84_a_broken_server_is_tried_again(
    home: SandboxHome, kind: Status | Down
) -> None:
    home.faults.fail("kubernetes", kind, times=1)

    with pytest.raises(TemporaryError):
        await home.clients.tekton.start(START, CALL)
    run = await home.clients.tekton.start(START, CALL)

    assert await home.runs() == [run.name]


async def test_row_86_a_build_that_a_quota_holds_up_starts_when_there_is_room(
    home: SandboxHome,
) -> None:
    await home.limit_runs(0)
    with pytest.raises(TemporaryError, match="exceeded quota") as caught:
        await home.clients.tekton.start(START, CALL)
    assert caught.value.after == 60

    await home.limit_runs(1)
    assert (await home.clients.tekton.start(START, CALL)).name == run_name(START)


async def test_a_cluster_that_does_not_show_its_tasks_still_says_that_the_run_failed(
    home: SandboxHome,
) -> None:
    run = await home.clients.tekton.start(START, CALL)
    await end_task(home, run.name, "unit-test", succeeded=False)
    await finish(home, run.name, ended(succeeded=False))
    home.faults.fail("kubernetes", Status(status=403), path="/taskruns")

    read = await home.clients.tekton.read(read_of(run), CALL)

    assert (read.state, read.failed_tasks) == (RunState.FAILED, ())


async def test_a_database_that_is_being_deleted_has_not_failed(home: SandboxHome) -> None:
    read = await asked_for(home)
    change = {"metadata": {"deletionTimestamp": "2026-03-02T12:00:00Z"}}
    home.cluster.patch(POSTGRESQL_INSTANCES, home.namespace, "db", change)

    assert (await home.clients.crossplane.read(read, CALL)).state is CompositeState.DELETING


async def test_a_cluster_that_shows_no_events_still_says_how_a_database_stands(
    home: SandboxHome,
) -> None:
    read = await asked_for(home)
    await say(home, message="no subnet", Synced="False")
    home.faults.fail("kubernetes", Status(status=403), path="/events$")

    found = await home.clients.crossplane.read(read, CALL)

    assert (found.state, found.message, found.warning) == (CompositeState.FAILED, "no subnet", "")


async def test_an_overload_that_does_not_say_how_long_it_lasts_is_soon_over(
    home: SandboxHome,
) -> None:
    home.faults.fail("kubernetes", Status(status=429), times=1)
    with pytest.raises(TemporaryError) as caught:
        await home.clients.kubernetes.page(RUNS, namespace=home.namespace)
    assert caught.value.after == 1


async def test_an_overload_with_one_kind_holds_up_no_other(home: SandboxHome) -> None:
    home.faults.fail("kubernetes", Status(status=429, retry_after=40), path="pipelineruns", times=1)
    kubernetes, here = home.clients.kubernetes, home.namespace
    with pytest.raises(TemporaryError, match="429"):
        await kubernetes.page(RUNS, namespace=here)

    lease = await kubernetes.get(LEASES, namespace=here, name="one")

    assert lease is None
    with pytest.raises(TemporaryError, match="left alone"):
        await kubernetes.get(RUNS, namespace=here, name="one")
