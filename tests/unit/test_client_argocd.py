"""What the hub reads of an Application."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.actions.argocd import Application
from hub.clients.argocd import read_application
from hub.errors import PermanentError

DATA = Path(__file__).parent.parent / "data" / "argocd" / "applications"
COMMIT = "53e28ff20cc530b9ada2173fbbd64d48338583ba"


def read(content: Any, name: str = "order-service-staging") -> Application:
    named = Application(namespace="argocd", name=name, exists=False)
    return read_application(json.dumps(content, default=str).encode(), named)


@pytest.mark.parametrize("file", sorted(DATA.iterdir()), ids=lambda file: file.name)
def test_every_real_application_is_read(file: Path) -> None:
    app = read(yaml.safe_load(file.read_text("utf-8")))

    assert app.exists
    assert (app.namespace, app.name) == ("argocd", "order-service-staging")


def test_a_real_sync_is_read_whole() -> None:
    app = read(json.loads((DATA / "guestbook-succeeded.json").read_text("utf-8")), "test-app")

    assert app == Application(
        namespace="argocd",
        name="test-app",
        exists=True,
        health="Healthy",
        sync="Synced",
        phase="Succeeded",
        revision=COMMIT,
        started_at="2021-08-11T11:38:52Z",
        finished_at="2021-08-11T11:38:52Z",
        message="successfully synced (all tasks run)",
        service="test",
        environment="app",
    )


def test_what_lies_deep_in_an_application_does_not_hide_how_it_is() -> None:
    values: dict[str, Any] = {}
    for _ in range(500):
        values = {"a": values}
    helm = {"helm": {"valuesObject": values}}
    status = {"sync": {"comparedTo": {"source": helm}}, "health": {"status": "Degraded"}}
    assert read({"spec": {"source": helm}, "status": status}).health == "Degraded"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"metadata": None, "spec": {"sources": [{}]}, "status": None},
        {"status": {"operationState": None, "health": None, "sync": None}},
        {"status": {"operationState": {"syncResult": None, "operation": {"sync": None}}}},
    ],
)
def test_an_application_that_says_nothing_is_read_as_nothing(content: Any) -> None:
    app = read(content)

    assert app.exists
    assert (app.health, app.sync, app.phase, app.revision) == ("", "", "", "")


def test_of_several_sources_the_first_commit_is_the_gitops_revision() -> None:
    revisions = ["1.4.2", COMMIT, "f" * 40]

    app = read({"status": {"operationState": {"syncResult": {"revisions": revisions}}}})

    assert app.revision == COMMIT


def test_a_sync_that_has_no_result_yet_tells_what_was_asked_for() -> None:
    asked = {"sync": {"revision": COMMIT}}

    app = read({"status": {"operationState": {"phase": "Running", "operation": asked}}})

    assert app.revision == COMMIT


def test_a_symbolic_revision_is_no_commit() -> None:
    asked = {"sync": {"revision": "HEAD"}}

    assert read({"status": {"operationState": {"operation": asked}}}).revision == ""


@pytest.mark.parametrize(
    ("labels", "name", "expected"),
    [
        ({}, "order-service-staging", ("order-service", "staging")),
        ({}, "orders", ("orders", "")),
        ({"trunkline.dev/service": "orders"}, "x-dev", ("orders", "dev")),
        (
            {"trunkline.dev/service": "orders", "trunkline.dev/environment": "eu-production"},
            "orders-eu-production",
            ("orders", "eu-production"),
        ),
    ],
)
def test_labels_say_what_is_deployed_where_else_the_name_does(
    labels: dict[str, str], name: str, expected: tuple[str, str]
) -> None:
    app = read({"metadata": {"labels": labels}}, name)

    assert (app.service, app.environment) == expected


def test_what_is_no_application_is_an_error_of_ours_and_not_a_crash() -> None:
    with pytest.raises(PermanentError):
        read([])
