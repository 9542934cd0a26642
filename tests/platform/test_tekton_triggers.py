"""Tekton's own door: its filters, in Tekton's own CEL, decide as the hub's handler does."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from tekton_files import Object, ask, built, findings, of_tekton, run_of_the_hub, the

from handlers import start_pipeline_run
from hub.actions.tekton import StartPipelineRun
from hub.dispatch.platform import Platform
from hub.dispatch.rehearsal import rehearse
from hub.events.envelope import Envelope
from hub.events.github import PullRequest, Push

pytestmark = pytest.mark.usefixtures("servers")

DATA = Path(__file__).parents[1] / "data"
SECRET = "it-is-a-secret-of-the-tests"
SHA = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
MANIFEST = json.loads((DATA / "manifest.json").read_text())
REAL = [
    (one["event"], one["file"])
    for one in MANIFEST
    if one.get("event") in {"push", "pull_request"}
    and one["file"].endswith(".json")
    and "gitea" not in one["file"]
]
STARTS = {"opened", "reopened", "synchronize"}


def push(**changes: Any) -> Object:
    repository = {
        "name": "order-service",
        "full_name": "company/order-service",
        "url": "https://github.com/company/order-service",
    }
    plain = {"ref": "refs/heads/main", "after": SHA, "deleted": False, "repository": repository}
    return {**plain, **changes}


def pull(*, action: str = "opened", head: str | None = "company/order-service") -> Object:
    return {
        "action": action,
        "repository": push()["repository"],
        "pull_request": {
            "number": 11,
            "head": {"sha": SHA, "ref": "x", "repo": head and {"full_name": head}},
            "base": {"ref": "main", "repo": {"full_name": "company/order-service"}},
        },
    }


def sent(event: str, body: bytes, *, secret: str = SECRET, delivery: str = DELIVERY) -> Any:
    """Return a delivery as GitHub signs and sends it."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Github-Event": event,
        "X-Github-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={digest}",
    }
    return {"header": {name: [value] for name, value in headers.items()}, "body": body.decode()}


def answers(*events: Any) -> list[list[Object]]:
    """Return, for each delivery, the runs that the listener creates."""
    question = {"objects": of_tekton(built("triggers")), "secret": SECRET, "events": events}
    said = ask("trigger", question)["answers"]
    return [[run for one in answer for run in one.get("objects", [])] for answer in said]


def runs(event: str, body: Object, **more: str) -> list[Object]:
    (answer,) = answers(sent(event, json.dumps(body).encode(), **more))
    return answer


async def hub_starts(event: str, body: bytes) -> bool:
    """Whether the hub's handler starts a run for this."""
    view = {"push": Push, "pull_request": PullRequest}[event]
    envelope = Envelope(
        id="1", source="/github", type=f"com.github.{event}", partitionkey="o/r", data=body
    )
    change = view.read(envelope)
    if event == "pull_request" and json.loads(body)["action"] not in STARTS:
        return False
    rehearsal = await rehearse(start_pipeline_run, change, platform=Platform())
    return bool(rehearsal.of(StartPipelineRun))


@pytest.mark.parametrize(
    ("changes", "builds"),
    [
        ({}, True),
        ({"ref": "refs/heads/develop"}, True),
        ({"ref": "refs/heads/feature/main"}, False),
        ({"ref": "refs/heads/main/x"}, False),
        ({"ref": "refs/heads/MAIN"}, False),
        ({"ref": "refs/tags/main"}, False),
        ({"ref": "main"}, False),
        ({"deleted": True}, False),
        ({"after": "0" * 40}, False),
        ({"deleted": True, "after": "0" * 40}, False),
        ({"forced": True}, True),
        ({"created": True, "commits": []}, True),
    ],
)
async def test_a_push_is_built_from_here_where_the_hub_builds_it(
    *, changes: Object, builds: bool
) -> None:
    body = push(**changes)
    assert bool(runs("push", body)) is builds
    assert await hub_starts("push", json.dumps(body).encode()) is builds


@pytest.mark.parametrize(
    ("changes", "builds"),
    [
        ({}, True),
        ({"action": "synchronize"}, True),
        ({"action": "reopened"}, True),
        ({"action": "closed"}, False),
        ({"action": "labeled"}, False),
        ({"head": "stranger/order-service"}, False),
        ({"head": None}, False),
    ],
)
async def test_a_pull_request_is_built_from_here_where_the_hub_builds_it(
    *, changes: Any, builds: bool
) -> None:
    body = pull(**changes)
    assert bool(runs("pull_request", body)) is builds
    assert await hub_starts("pull_request", json.dumps(body).encode()) is builds


async def test_of_real_deliveries_the_same_are_built() -> None:
    bodies = [(event, (DATA / file).read_bytes()) for event, file in REAL]
    built_here = [bool(one) for one in answers(*(sent(*one) for one in bodies))]
    built_there = [await hub_starts(*one) for one in bodies]
    differing = [
        file
        for (_, file), here, there in zip(REAL, built_here, built_there, strict=True)
        if here is not there
    ]
    assert differing == []
    assert len(REAL) >= 30
    assert True in built_here


def test_what_nobody_signed_starts_nothing() -> None:
    assert runs("push", push(), secret="another") == []
    unsigned = sent("push", json.dumps(push()).encode())
    del unsigned["header"]["X-Hub-Signature-256"]
    assert answers(unsigned) == [[]]


def test_an_event_of_another_kind_starts_nothing() -> None:
    assert runs("ping", push()) == []
    assert runs("pull_request", push()) == []


@pytest.mark.parametrize("name", ["order_service", "order.service", "a" * 64, "-x", ""])
def test_a_name_that_is_no_label_starts_nothing(name: str) -> None:
    repository = {**push()["repository"], "name": name, "full_name": f"company/{name}"}
    assert runs("push", push(repository=repository)) == []


@pytest.mark.parametrize("delivery", ["$(touch x)", 'a"b', "a\\b", ""])
def test_a_strange_delivery_starts_nothing(delivery: str) -> None:
    assert runs("push", push(), delivery=delivery) == []


def test_the_run_is_the_one_that_the_hub_would_create() -> None:
    (run,) = runs("push", push())
    hubs = run_of_the_hub()
    assert run["metadata"].pop("name") == f"order-servic-{SHA}-main"
    del hubs["metadata"]["name"]
    assert run == hubs


def test_the_run_of_a_pull_request_pushes_nothing() -> None:
    (run,) = runs("pull_request", pull())
    params = {one["name"]: one["value"] for one in run["spec"]["params"]}
    assert params == {
        "git-url": "https://github.com/company/order-service.git",
        "git-revision": SHA,
        "service-name": "order-service",
        "repository": "company/order-service",
        "push-image": "false",
        "image-tag": SHA[:12],
    }
    assert run["metadata"]["annotations"]["trunkline.dev/ref"] == "refs/pull/11/head"
    assert run["metadata"]["annotations"]["trunkline.dev/branch"] == ""


def test_the_same_push_is_the_same_run() -> None:
    one, again, other = (
        runs("push", push(ref=ref))[0]["metadata"]["name"]
        for ref in ("refs/heads/main", "refs/heads/main", "refs/heads/develop")
    )
    assert one == again != other


def test_tekton_accepts_the_runs_that_start_from_here() -> None:
    made = [*runs("push", push()), *runs("pull_request", pull())]
    assert findings([*built(), *made]) == []


def test_the_listener_may_create_runs_in_one_namespace_and_read_no_secret() -> None:
    objects = built("triggers")
    rules = [
        (one["metadata"].get("namespace"), rule)
        for one in objects
        if one["kind"] in {"Role", "ClusterRole"}
        for rule in one["rules"]
    ]
    assert not any("secrets" in rule["resources"] for _, rule in rules)
    starting = [
        (place, rule["verbs"]) for place, rule in rules if "tekton.dev" in rule["apiGroups"]
    ]
    assert starting == [("ci", ["create"])]
    listener = the(objects, "EventListener", "github", "ci-triggers")["spec"]
    assert listener["resources"]["kubernetesResource"]["serviceType"] == "ClusterIP"
