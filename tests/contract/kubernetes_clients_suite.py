"""What the clients of Tekton, Argo CD and Crossplane keep, on the sandbox and the real API server.

Subclasses have a fixture `home`, like those of `KubernetesSuite`.
"""

from dataclasses import replace
from typing import Any

import pytest
from kubernetes_home import (
    CALL,
    COMPOSITES,
    PULLED,
    START,
    Home,
    Object,
    database_manifest,
    end_task,
    ended,
    finish,
    read_of,
)

from hub.actions.argocd import ReadApplication
from hub.actions.crossplane import CompositeState, ReadComposite
from hub.actions.tekton import CancelSuperseded, ReleasePipelineRuns, RunState
from hub.clients.tekton.manifest import run_name
from hub.errors import PermanentError

SINCE = "2026-01-31T09:30:00Z"


class TektonSuite:
    async def test_a_run_is_created_and_read_back(self, home: Home) -> None:
        started = await home.clients.tekton.start(START, CALL)
        read = await home.clients.tekton.read(read_of(started), CALL)

        assert started == read
        assert await home.runs() == [run_name(START)]
        assert (read.namespace, read.state, read.pipeline) == (
            home.namespace,
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

    async def test_row_81_the_same_build_again_is_the_same_run(self, home: Home) -> None:
        first = await home.clients.tekton.start(START, CALL)
        await finish(home, first.name, ended(succeeded=True))

        second = await home.clients.tekton.start(START, replace(CALL, attempt=2))

        assert await home.runs() == [first.name]
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
        self, home: Home, metadata: dict[str, Any]
    ) -> None:
        taken = {
            "apiVersion": "tekton.dev/v1",
            "kind": "PipelineRun",
            "metadata": {"name": run_name(START), **metadata},
            "spec": {"pipelineRef": {"name": "other"}},
        }
        await home.put(taken)

        with pytest.raises(PermanentError, match="was not started by the hub"):
            await home.clients.tekton.start(START, CALL)

    async def test_a_finished_run_gives_its_results(self, home: Home) -> None:
        run = await home.clients.tekton.start(START, CALL)
        condition = {
            "type": "Succeeded",
            "status": "True",
            "reason": "Succeeded",
            "message": "done",
        }
        await finish(
            home,
            run.name,
            {
                "conditions": [condition],
                "startTime": "2026-01-31T09:30:00Z",
                "completionTime": "2026-01-31T09:33:00Z",
                "results": [{"name": "IMAGE_DIGEST", "value": "sha256:0"}],
            },
        )

        read = await home.clients.tekton.read(read_of(run), CALL)

        assert (read.state, read.reason, read.message) == (RunState.SUCCEEDED, "Succeeded", "done")
        assert (read.started_at, read.finished_at) == (
            "2026-01-31T09:30:00Z",
            "2026-01-31T09:33:00Z",
        )
        assert read.results == {"IMAGE_DIGEST": "sha256:0"}

    async def test_a_run_that_failed_names_its_tasks_that_did(self, home: Home) -> None:
        run = await home.clients.tekton.start(START, CALL)
        other = await home.clients.tekton.start(replace(START, revision="b" * 40), CALL)
        await end_task(home, run.name, "unit-test", succeeded=False)
        await end_task(home, run.name, "owasp", succeeded=False)
        await end_task(home, run.name, "clone", succeeded=True)
        await end_task(home, other.name, "clone", succeeded=False)
        await finish(home, run.name, ended(succeeded=False))

        read = await home.clients.tekton.read(read_of(run), CALL)

        assert read.state is RunState.FAILED
        assert read.failed_tasks == ("owasp", "unit-test")

    async def test_a_run_with_another_uid_or_elsewhere_is_gone(self, home: Home) -> None:
        run = await home.clients.tekton.start(START, CALL)

        for wrong in (
            replace(read_of(run), uid="another"),
            replace(read_of(run), uid=""),
            replace(read_of(run), run="another"),
            replace(read_of(run), run="../../../api/v1/secrets"),
            replace(read_of(run), run=""),
            replace(read_of(run), namespace="kube-system"),
        ):
            read = await home.clients.tekton.read(wrong, CALL)
            assert read.state is RunState.GONE
            assert (read.namespace, read.name) == (wrong.namespace, wrong.run)

    async def test_what_runs_for_an_older_commit_of_a_pull_request_is_cancelled(
        self, home: Home
    ) -> None:
        tekton = home.clients.tekton
        old = await tekton.start(PULLED, CALL)
        new = await tekton.start(replace(PULLED, revision="b" * 40), CALL)
        other = await tekton.start(replace(PULLED, revision="c" * 40, pull_request=8), CALL)
        push = await tekton.start(START, CALL)

        cancelled = await tekton.cancel_superseded(superseded(head="b" * 40), CALL)

        assert cancelled == (old.name,)
        assert (await home.spec(old.name))["status"] == "CancelledRunFinally"
        for kept in (new, other, push):
            assert "status" not in await home.spec(kept.name)

    async def test_what_waits_for_an_older_commit_is_cancelled_and_begins_nothing(
        self, home: Home
    ) -> None:
        tekton = home.clients.limited(1)
        going_on = await tekton.start(PULLED, CALL)
        waiting = await tekton.start(replace(PULLED, revision="c" * 40), CALL)

        await tekton.cancel_superseded(superseded(head="b" * 40), CALL)

        assert (await home.spec(going_on.name))["status"] == "CancelledRunFinally"
        assert (await home.spec(waiting.name))["status"] == "Cancelled"

    async def test_cancelling_again_or_what_has_finished_changes_nothing(self, home: Home) -> None:
        tekton = home.clients.tekton
        finished = await tekton.start(PULLED, CALL)
        await finish(home, finished.name, ended(succeeded=True))
        going_on = await tekton.start(replace(PULLED, revision="c" * 40), CALL)
        head = superseded(head="b" * 40)

        assert await tekton.cancel_superseded(head, CALL) == (going_on.name,)
        assert await tekton.cancel_superseded(head, CALL) == ()
        assert "status" not in await home.spec(finished.name)

    async def test_a_run_beyond_the_limit_waits_and_the_oldest_begins_first(
        self, home: Home
    ) -> None:
        tekton = home.clients.limited(1)
        runs = [await tekton.start(replace(START, revision=digit * 40), CALL) for digit in "abcd"]
        release = ReleasePipelineRuns(namespace=home.namespace, service="order-service")

        assert [run.state for run in runs] == [RunState.RUNNING, *[RunState.PENDING] * 3]
        assert len(await tekton.release(release, CALL)) == 3
        await finish(home, runs[0].name, ended(succeeded=False))
        waiting = await tekton.release(release, CALL)

        assert len(waiting) == 2
        begun = [run.name for run in runs if "status" not in await home.spec(run.name)]
        assert begun == [run.name for run in runs if run.name not in waiting]
        assert await home.clients.limited(0).release(release, CALL) == ()

    async def test_a_fork_s_run_without_a_place_for_it_is_refused(self, home: Home) -> None:
        with pytest.raises(PermanentError, match=r"no kubernetes\.forks"):
            await home.clients.tekton.start(replace(PULLED, fork=True), CALL)
        assert await home.runs() == []


def superseded(*, head: str) -> CancelSuperseded:
    return CancelSuperseded(
        service=PULLED.service, repository=PULLED.repository, pull_request=7, head=head
    )


class ArgoSuite:
    async def test_row_38_an_application_is_what_the_cluster_says(self, home: Home) -> None:
        content = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "order-service-staging"},
            "spec": {"project": "default", "destination": {"name": "in-cluster"}},
            "status": {"health": {"status": "Degraded"}, "sync": {"status": "Synced"}},
        }
        await home.put(content)

        app = await home.clients.argocd.read(
            ReadApplication(namespace=home.namespace, application="order-service-staging"), CALL
        )

        assert (app.exists, app.health, app.sync) == (True, "Degraded", "Synced")
        assert (app.service, app.environment) == ("order-service", "staging")

    @pytest.mark.parametrize("name", ["nothing", "../x", "Not_A_Name", ""])
    async def test_an_application_that_is_not_there_does_not_exist(
        self, home: Home, name: str
    ) -> None:
        read = ReadApplication(namespace=home.namespace, application=name)
        assert not (await home.clients.argocd.read(read, CALL)).exists

    async def test_a_namespace_that_can_have_no_applications_has_none(self, home: Home) -> None:
        read = ReadApplication(namespace="Not_A_Name", application="x")
        assert not (await home.clients.argocd.read(read, CALL)).exists


class CrossplaneSuite:
    @pytest.mark.parametrize(
        ("conditions", "state"),
        [
            ({}, CompositeState.PENDING),
            ({"Ready": "False", "Synced": "True"}, CompositeState.PENDING),
            ({"Ready": "True", "Synced": "True"}, CompositeState.READY),
            ({"Ready": "True", "Synced": "False"}, CompositeState.FAILED),
            ({"Ready": "True", "Synced": "False/ReconcilePaused"}, CompositeState.PAUSED),
        ],
    )
    async def test_the_conditions_say_how_a_composite_stands(
        self, home: Home, conditions: dict[str, str], state: CompositeState
    ) -> None:
        read = await asked_for(home)
        await say(home, **conditions)
        assert (await home.clients.crossplane.read(read, CALL)).state is state

    async def test_whose_it_is_and_what_is_wrong_is_read_with_it(self, home: Home) -> None:
        read = await asked_for(home, owner="orders", environment="production")
        await say(home, message="no subnet", Ready="True", Synced="False")
        found = await home.clients.crossplane.read(read, CALL)
        assert (found.owner, found.environment, found.message, found.claim) == (
            "orders",
            "production",
            "no subnet",
            "",
        )
        assert found.since == SINCE

    async def test_the_last_warning_is_read_of_one_that_is_not_ready(self, home: Home) -> None:
        other = await home.put(database_manifest("other"))
        read = await asked_for(home)
        about = await home.put(database_manifest("warned"))
        warned = replace(read, composite="warned", uid=about["metadata"]["uid"])
        for reason, note, hour in (("A", "first", 8), ("B", "last", 10), ("C", "between", 9)):
            at = f"2026-01-31T{hour:02}:30:00Z"
            await home.warn(about, reason=reason, note=note, at=at)
        await home.warn(other, reason="D", note="another's", at="2026-01-31T11:30:00Z")

        client = home.clients.crossplane
        assert (await client.read(warned, CALL)).warning == "B: last"
        assert (await client.read(read, CALL)).warning == ""
        await say(home, name="warned", Ready="True", Synced="True")
        assert (await client.read(warned, CALL)).warning == ""

    async def test_another_object_of_its_name_and_one_that_is_not_there_are_not_it(
        self, home: Home
    ) -> None:
        read = await asked_for(home)
        for wrong in (replace(read, uid="another"), replace(read, composite="another")):
            found = await home.clients.crossplane.read(wrong, CALL)
            assert found.state is CompositeState.GONE

    async def test_an_event_cannot_have_anything_else_read(self, home: Home) -> None:
        read = await asked_for(home)
        secrets = replace(read, group="external-secrets.io", plural="externalsecrets")
        with pytest.raises(PermanentError, match=r"watcher\.groups"):
            await home.clients.crossplane.read(secrets, CALL)
        for name in ("../secrets/db", "db/status", "", "DB"):
            found = await home.clients.crossplane.read(replace(read, composite=name), CALL)
            assert found.state is CompositeState.GONE


async def asked_for(home: Home, **labels: str) -> ReadComposite:
    """Ask for a database, and return how it is read."""
    made = await home.put(database_manifest("db", **labels))
    return ReadComposite(
        group=COMPOSITES,
        version="v1alpha1",
        plural="postgresqlinstances",
        namespace=home.namespace,
        composite="db",
        uid=made["metadata"]["uid"],
    )


async def say(home: Home, *, name: str = "db", message: str = "", **statuses: str) -> None:
    """Let a database's conditions be so, `Ready="False/Creating"`, as Crossplane does."""
    conditions: list[Object] = [
        {
            "type": kind,
            "status": status.partition("/")[0],
            "reason": status.partition("/")[2] or "Said",
            "message": "" if status == "True" else message,
            "lastTransitionTime": SINCE,
        }
        for kind, status in statuses.items()
    ]
    await home.set_status(database_manifest(name), {"conditions": conditions})
