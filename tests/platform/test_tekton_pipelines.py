"""Tekton's own code accepts the pipelines that ship and the runs of the hub, and finds faults."""

from collections.abc import Callable
from typing import Any

import pytest
from tekton_files import (
    TRUSTED,
    UNTRUSTED,
    Object,
    built,
    findings,
    run_of_the_hub,
    the,
)

pytestmark = pytest.mark.usefixtures("servers")


def pipeline(objects: list[Object]) -> Any:
    return the(objects, "Pipeline", "microservice-ci")["spec"]


def stage(objects: list[Object], name: str) -> Any:
    (found,) = (one for one in pipeline(objects)["tasks"] if one["name"] == name)
    return found


def task(objects: list[Object], name: str) -> Any:
    return the(objects, "Task", name)["spec"]


@pytest.mark.parametrize("folder", [".", "triggers"])
def test_tekton_finds_nothing_in_what_ships(folder: str) -> None:
    assert findings(built(folder)) == []


@pytest.mark.parametrize("push", [True, False])
@pytest.mark.parametrize(
    ("namespace", "account"), [(TRUSTED, "pipeline"), (UNTRUSTED, "pipeline-untrusted")]
)
def test_tekton_accepts_the_run_that_the_hub_creates(
    *, namespace: str, account: str, push: bool
) -> None:
    run = run_of_the_hub(namespace=namespace, account=account, push=push)
    assert findings([*built(), run]) == []
    assert the(built(), "ServiceAccount", account, namespace)


@pytest.mark.parametrize(
    ("namespace", "account"), [(TRUSTED, "pipeline"), (UNTRUSTED, "pipeline-untrusted")]
)
def test_tekton_accepts_the_run_of_a_pull_request_that_waits(namespace: str, account: str) -> None:
    run = run_of_the_hub(
        namespace=namespace, account=account, push=False, pull_request=7, runs_per_service=1
    )
    assert run["spec"]["status"] == "PipelineRunPending"
    assert run["spec"]["taskRunTemplate"] == {"serviceAccountName": account}
    assert findings([*built(), run]) == []


@pytest.mark.parametrize("namespace", [TRUSTED, UNTRUSTED])
def test_a_pipeline_takes_exactly_what_the_hub_sends(namespace: str) -> None:
    spec = the(built(), "Pipeline", "microservice-ci", namespace)["spec"]
    sent = run_of_the_hub()["spec"]
    assert [one["name"] for one in spec["params"]] == [one["name"] for one in sent["params"]]
    assert not any("default" in one for one in spec["params"])
    assert [one["name"] for one in spec["workspaces"]] == [
        one["name"] for one in sent["workspaces"]
    ]


def test_a_pipeline_that_pushes_gives_what_the_bump_reads() -> None:
    results = {one["name"] for one in pipeline(built())["results"]}
    assert results == {"IMAGE_URL", "IMAGE_DIGEST", "IMAGE_TAG"}


def _unknown_parameter(objects: list[Object]) -> None:
    stage(objects, "clone")["params"].append({"name": "depth", "value": "1"})


def _parameter_left_out(objects: list[Object]) -> None:
    stage(objects, "clone")["params"].pop()


def _undeclared_variable(objects: list[Object]) -> None:
    stage(objects, "sast")["params"][0]["value"] = "$(params.service)"


def _cycle(objects: list[Object]) -> None:
    stage(objects, "clone")["runAfter"] = ["push"]


def _missing_task(objects: list[Object]) -> None:
    stage(objects, "owasp")["taskRef"]["name"] = "owasp-check"


def _after_nothing(objects: list[Object]) -> None:
    stage(objects, "sast")["runAfter"] = ["unit-tests"]


def _bad_operator(objects: list[Object]) -> None:
    stage(objects, "push")["when"][0]["operator"] = "equals"


def _result_that_is_not_given(objects: list[Object]) -> None:
    stage(objects, "image-scan")["params"][0]["value"] = "$(tasks.image-build.results.DIGEST)"


def _result_of_the_pipeline_that_is_not_given(objects: list[Object]) -> None:
    pipeline(objects)["results"][0]["value"] = "$(tasks.push.results.URL)"


def _unknown_workspace(objects: list[Object]) -> None:
    stage(objects, "build-jar")["workspaces"][0]["workspace"] = "sources"


def _workspace_left_out(objects: list[Object]) -> None:
    del stage(objects, "build-jar")["workspaces"]


def _workspace_that_the_task_does_not_have(objects: list[Object]) -> None:
    stage(objects, "build-jar")["workspaces"][0]["name"] = "sources"


def _two_of_a_name(objects: list[Object]) -> None:
    pipeline(objects)["tasks"].append(dict(stage(objects, "clone")))


def _two_tasks_of_a_name(objects: list[Object]) -> None:
    objects.append(the(objects, "Task", "clone"))


def _misspelt_field(objects: list[Object]) -> None:
    stage(objects, "sast")["after"] = ["unit-test"]


def _old_resources(objects: list[Object]) -> None:
    step = task(objects, "push")["steps"][0]
    step["resources"] = step.pop("computeResources")


def _step_without_an_image(objects: list[Object]) -> None:
    del task(objects, "push")["steps"][0]["image"]


def _undeclared_result(objects: list[Object]) -> None:
    task(objects, "push")["results"].pop(0)


def _optional_workspace(objects: list[Object]) -> None:
    pipeline(objects)["workspaces"][0]["optional"] = True


def _status_outside_of_finally(objects: list[Object]) -> None:
    stage(objects, "sast")["params"][0]["value"] = "$(tasks.clone.status)"


def _final_task_after_another(objects: list[Object]) -> None:
    pipeline(objects)["finally"][0]["runAfter"] = ["push"]


FAULTS = {
    _unknown_parameter: "does not declare the parameter depth",
    _parameter_left_out: "missing values for these params which have no default values",
    _undeclared_variable: "non-existent variable",
    _cycle: "cycle detected",
    _missing_task: "there is no such Task",
    _after_nothing: "unit-tests",
    _bad_operator: 'operator "equals" is not recognized',
    _result_that_is_not_given: '"DIGEST" is not a named result',
    _result_of_the_pipeline_that_is_not_given: '"URL" is not a named result',
    _unknown_workspace: "sources",
    _workspace_left_out: 'declared workspace "source" is required',
    _workspace_that_the_task_does_not_have: 'declared workspace "source" is required',
    _two_of_a_name: "expected exactly one",
    _two_tasks_of_a_name: "there are two of the name",
    _misspelt_field: 'unknown field "after"',
    _old_resources: "resources",
    _step_without_an_image: "missing field(s): spec.steps[0].Image",
    _undeclared_result: "IMAGE_URL",
    _optional_workspace: "is marked optional",
    _status_outside_of_finally: "execution status",
    _final_task_after_another: "runAfter",
}


@pytest.mark.parametrize(
    ("spoil", "said"), FAULTS.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_tekton_finds_a_fault(spoil: Callable[[list[Object]], None], said: str) -> None:
    objects = [*built(), run_of_the_hub()]
    spoil(objects)
    assert said in "\n".join(findings(objects))


def _without_a_parameter(run: Object) -> None:
    run["spec"]["params"].pop()


def _with_a_list(run: Object) -> None:
    run["spec"]["params"][0]["value"] = ["a"]


def _without_its_workspace(run: Object) -> None:
    run["spec"]["workspaces"] = []


def _of_another_pipeline(run: Object) -> None:
    run["spec"]["pipelineRef"]["name"] = "microservice"


def _with_an_endless_time(run: Object) -> None:
    run["spec"]["timeouts"]["pipeline"] = "for ever"


FAULTS_OF_RUNS = {
    _without_a_parameter: "missing parameters: [image-tag]",
    _with_a_list: "git-url",
    _without_its_workspace: 'requires workspace with name "source"',
    _of_another_pipeline: "there is no Pipeline microservice",
    _with_an_endless_time: "for ever",
}


@pytest.mark.parametrize(
    ("spoil", "said"), FAULTS_OF_RUNS.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_tekton_finds_a_fault_in_a_run(spoil: Callable[[Object], None], said: str) -> None:
    run = run_of_the_hub()
    spoil(run)
    assert said in "\n".join(findings([*built(), run]))
