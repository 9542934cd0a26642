"""What Tekton's and Argo CD's clients keep, on the sandbox's API server and on the real one.

Subclasses have a fixture `home`, like those of `KubernetesSuite`.
"""

from dataclasses import replace
from typing import Any

import pytest
from kubernetes_home import CALL, START, Home, read_of

from hub.actions.argocd import ReadApplication
from hub.actions.tekton import RunState
from hub.clients.tekton.manifest import run_name
from hub.errors import PermanentError


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
        await home.finish(first.name, {"conditions": [{"type": "Succeeded", "status": "True"}]})

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
        await home.finish(
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
