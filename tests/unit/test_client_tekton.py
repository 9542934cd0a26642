"""The PipelineRun that the hub writes, and what it reads of one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub.actions.action import Call
from hub.actions.tekton import RunState, StartPipelineRun
from hub.clients.tekton.manifest import manifest, run_name
from hub.clients.tekton.reading import read_run, read_unfinished
from hub.errors import PermanentError
from hub.events.envelope import Envelope
from hub.settings import KubernetesSettings

DATA = Path(__file__).parent.parent / "data"
SHA = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
SETTINGS = KubernetesSettings(url="https://kubernetes.default.svc", namespace="ci")
DNS_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def start(**changes: Any) -> StartPipelineRun:
    plain = {
        "pipeline": "microservice-ci",
        "service": "order-service",
        "repository": "company/order-service",
        "clone_url": "https://github.com/company/order-service.git",
        "ref": "refs/heads/feature/a_b",
        "revision": SHA,
        "push_image": True,
    }
    return StartPipelineRun(**{**plain, **changes})


def call(event_id: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958") -> Call:
    event = Envelope(
        id=event_id,
        source="https://github.com/company/order-service",
        type="com.github.push",
        partitionkey="company/order-service",
        data=b"{}",
    )
    return Call(event=event, handler="start_pipeline_run", step=0, attempt=1)


def written(action: StartPipelineRun) -> Any:
    return json.loads(manifest(action, call(), SETTINGS).to_json())


def violations(value: Any, schema: Any, place: str = "$") -> list[str]:
    """What a CRD's schema says against a value; fields that it does not know count too."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    kind = kinds.get(schema.get("type"), object)
    if not isinstance(value, kind):
        return [f"{place} is no {schema['type']}"]
    if isinstance(value, list):
        return [
            problem
            for number, one in enumerate(value)
            for problem in violations(one, schema["items"], f"{place}[{number}]")
        ]
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        return [
            *(f"{place}.{name} is unknown" for name in value.keys() - known.keys()),
            *(f"{place}.{name} is missing" for name in {*schema.get("required", ())} - {*value}),
            *(
                problem
                for name in value.keys() & known.keys()
                for problem in violations(value[name], known[name], f"{place}.{name}")
            ),
        ]
    return []


def crd_schema() -> Any:
    crd = yaml.load((DATA / "crds/tekton/pipelinerun.yaml").read_text("utf-8"), yaml.CSafeLoader)
    return next(
        one["schema"]["openAPIV3Schema"] for one in crd["spec"]["versions"] if one["name"] == "v1"
    )


def test_the_manifest_is_valid_by_tektons_own_schema() -> None:
    body = written(start())

    problems = violations({**body, "metadata": {}}, crd_schema())

    assert problems == []
    assert violations({**body, "metadata": {}, "sepc": {}}, crd_schema()) != []


def test_the_manifest_says_what_is_built_and_where_it_came_from() -> None:
    body = written(start())

    assert body["apiVersion"] == "tekton.dev/v1"
    assert body["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "trunkline",
        "app.kubernetes.io/name": "order-service",
        "app.kubernetes.io/component": "ci",
        "backstage.io/kubernetes-id": "order-service",
        "trunkline.dev/service": "order-service",
        "trunkline.dev/event-id": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    }
    assert body["metadata"]["annotations"] == {
        "trunkline.dev/repository": "company/order-service",
        "trunkline.dev/ref": "refs/heads/feature/a_b",
        "trunkline.dev/branch": "feature/a_b",
        "trunkline.dev/revision": SHA,
        "trunkline.dev/event-id": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "trunkline.dev/event-source": "https://github.com/company/order-service",
        "trunkline.dev/attempt": "1",
        "pruner.tekton.dev/resourceNameLabelKey": "trunkline.dev/service",
    }
    assert body["spec"] == {
        "pipelineRef": {"name": "microservice-ci"},
        "params": [
            {"name": "git-url", "value": "https://github.com/company/order-service.git"},
            {"name": "git-revision", "value": SHA},
            {"name": "service-name", "value": "order-service"},
            {"name": "repository", "value": "company/order-service"},
            {"name": "push-image", "value": "true"},
            {"name": "image-tag", "value": SHA[:12]},
        ],
        "taskRunTemplate": {"serviceAccountName": "pipeline"},
        "workspaces": [
            {
                "name": "source",
                "volumeClaimTemplate": {
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "2Gi"}},
                    }
                },
            }
        ],
        "timeouts": {"pipeline": "1h0m0s"},
    }


@pytest.mark.parametrize("id_", ["a" * 64, "with space", "-x", "ünïcode", "a/b"])
def test_an_event_s_id_that_no_label_can_have_stands_in_the_annotation_alone(id_: str) -> None:
    metadata = json.loads(manifest(start(), call(id_), SETTINGS).to_json())["metadata"]

    assert "trunkline.dev/event-id" not in metadata["labels"]
    assert metadata["annotations"]["trunkline.dev/event-id"] == id_


HOSTILE = st.one_of(
    st.text(max_size=200),
    st.sampled_from(["../../etc", "--upload-pack=x", "$(id)", "a" * 300, "---", "Ünïcode_.x"]),
)


@given(service=HOSTILE, ref=HOSTILE)
def test_rows_124_and_c19_nothing_from_outside_makes_a_name_or_grants_a_right(
    service: str, ref: str
) -> None:
    body = written(start(service=service, ref=f"refs/heads/{ref}"))

    name = body["metadata"]["name"]
    assert DNS_1123.fullmatch(name)
    assert len(name) <= 63
    for value in body["metadata"]["labels"].values():
        assert LABEL_VALUE.fullmatch(value)
        assert len(value) <= 63
    assert "namespace" not in body["metadata"]
    assert body["spec"]["taskRunTemplate"] == {"serviceAccountName": "pipeline"}
    params = {one["name"]: one["value"] for one in body["spec"]["params"]}
    assert params["git-revision"] == SHA
    assert DNS_1123.fullmatch(params["service-name"])


def test_one_build_has_one_name_whatever_event_asks_for_it() -> None:
    first = manifest(start(), call("one"), SETTINGS).metadata.name
    second = manifest(start(), call("two"), SETTINGS).metadata.name

    assert first == second
    assert re.fullmatch(r"order-service-0a1b2c3-[0-9a-f]{10}", first)


@pytest.mark.parametrize(
    "change",
    [
        {"repository": "company/orders"},
        {"ref": "refs/heads/main"},
        {"revision": "f" * 40},
        {"pipeline": "other"},
        {"attempt": 2},
    ],
)
def test_another_build_has_another_name(change: dict[str, Any]) -> None:
    assert run_name(start(**change)) != run_name(start())


def test_a_pull_request_has_no_branch_and_pushes_no_image() -> None:
    body = written(start(ref="refs/pull/7/head", push_image=False))

    assert body["metadata"]["annotations"]["trunkline.dev/branch"] == ""
    assert {"name": "push-image", "value": "false"} in body["spec"]["params"]


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "main"},
        {"revision": "--upload-pack=x"},
        {"revision": SHA[:-1]},
        {"revision": f"{SHA}\n"},
        {"repository": "company"},
        {"repository": "company/../x"},
        {"repository": "company/.."},
        {"repository": "company/a/b"},
        {"repository": "-x/y"},
        {"clone_url": "ext::sh -c id"},
        {"clone_url": "--upload-pack=x"},
        {"clone_url": "ssh://-oProxyCommand=x/y"},
        {"clone_url": "file:///etc"},
        {"clone_url": "https://token@github.com/x/y"},
        {"clone_url": "https://github.com/x y"},
        {"clone_url": "https:///x"},
    ],
)
def test_what_git_could_take_for_something_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PermanentError):
        manifest(start(**change), call(), SETTINGS)


def run_json(**status: Any) -> bytes:
    return json.dumps({"metadata": {"name": "r", "uid": "u"}, "status": status}).encode()


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        ("Unknown", "Running", RunState.RUNNING),
        ("Unknown", "CancelledRunningFinally", RunState.RUNNING),
        ("True", "Succeeded", RunState.SUCCEEDED),
        ("True", "Completed", RunState.SUCCEEDED),
        ("False", "Failed", RunState.FAILED),
        ("False", "CouldntGetPipeline", RunState.FAILED),
        ("False", "Cancelled", RunState.CANCELLED),
        ("False", "PipelineRunCancelled", RunState.CANCELLED),
        ("False", "PipelineRunTimeout", RunState.TIMED_OUT),
    ],
)
def test_the_succeeded_condition_tells_how_a_run_stands(
    status: str, reason: str, state: RunState
) -> None:
    condition = {"type": "Succeeded", "status": status, "reason": reason, "message": "why"}

    run = read_run(run_json(conditions=[{"type": "Other", "status": "True"}, condition]))

    assert (run.state, run.reason, run.message) == (state, reason, "why")


@pytest.mark.parametrize("field", ["results", "pipelineResults"])
def test_string_results_are_read_under_both_names(field: str) -> None:
    results = [
        {"name": "IMAGE_DIGEST", "value": "sha256:0"},
        {"name": "LIST", "value": ["a"]},
        {"name": "MAP", "value": {"a": "b"}},
    ]

    assert read_run(run_json(**{field: results})).results == {"IMAGE_DIGEST": "sha256:0"}


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"metadata": {"creationTimestamp": null}, "spec": null, "status": null}'],
)
def test_a_run_that_says_nothing_is_running(body: bytes) -> None:
    assert read_run(body).state is RunState.RUNNING


def test_a_run_is_read_however_deep_its_parameters_are() -> None:
    deep = b'{"a":' * 3_000 + b"1" + b"}" * 3_000
    body = b'{"metadata":{"name":"one"},"spec":{"params":[{"name":"deep","value":%b}]}}' % deep
    run = read_unfinished(body)
    assert run is not None
    assert run.name == "one"


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"status": {"conditions": "x"}}'])
def test_what_is_no_run_is_an_error_of_ours_and_not_a_crash(body: bytes) -> None:
    with pytest.raises(PermanentError):
        read_run(body)


@pytest.mark.parametrize(
    "file",
    sorted(
        [*DATA.glob("tekton/runs/*/pipelinerun*.json"), *DATA.glob("tekton/docs/pipelineruns-*")]
    ),
    ids=lambda file: f"{file.parent.name}/{file.name}",
)
def test_every_real_run_is_read(file: Path) -> None:
    real = yaml.safe_load(file.read_text("utf-8").replace("\t", " "))

    run = read_run(json.dumps(real, default=str).encode())

    expected = RunState.FAILED if "Failed" in file.name else RunState.SUCCEEDED
    assert run.state is expected
    assert run.reason


def test_a_real_run_gives_its_image() -> None:
    body = (DATA / "tekton/runs/pipeline-v1/pipelinerun-childrefs.json").read_bytes()

    run = read_run(body)

    assert run.pipeline == "test-pipeline"
    assert run.results["IMAGE_URL"] == "test.io/test/image"
    assert (run.started_at, run.finished_at) == ("2021-03-29T09:50:00Z", "2021-03-29T09:50:15Z")
