"""A notification of our own templates is the event that a sweep would make of the Application."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.errors import Malformed, UnsupportedMedia
from hub.events.argocd import (
    ApplicationChanged,
    created_change,
    deployed_change,
    envelope,
    health_change,
    latest_change,
    operation_change,
)
from hub.events.envelope import Envelope
from hub.events.identity import derive_id
from hub.sources.argocd import take
from hub.sources.interface import Ignored

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"
NOTIFICATIONS = ROOT / "argocd/notifications"
MANIFEST = json.loads((DATA / "manifest.json").read_text())
CONFIG = yaml.safe_load((NOTIFICATIONS / "argocd-notifications-cm.yaml").read_text())["data"]
TEMPLATES = {
    key.removeprefix("template."): yaml.safe_load(text)["webhook"]["trunkline"]
    for key, text in CONFIG.items()
    if key.startswith("template.")
}
TRIGGERS = {
    key.removeprefix("trigger."): yaml.safe_load(text)
    for key, text in CONFIG.items()
    if key.startswith("trigger.")
}


def as_kubernetes_has_it(document: Any) -> Any:
    """Take YAML's times for the strings that Kubernetes makes of them."""
    return json.loads(json.dumps(document, default=lambda time: f"{time:%Y-%m-%dT%H:%M:%SZ}"))


APPLICATIONS = {
    path.stem: as_kubernetes_has_it(
        json.loads(path.read_text()) if path.suffix == ".json" else yaml.safe_load(path.read_text())
    )
    for folder in (DATA / "argocd/applications", NOTIFICATIONS / "applications")
    for path in folder.iterdir()
}
NAMED = [name for name, app in APPLICATIONS.items() if "metadata" in app]
PREFIX = "io.argoproj.argocd.application."


def rendered(name: str, template: str) -> bytes:
    """What Argo CD's own engine made of a template for an Application."""
    return (DATA / "argocd/rendered" / name / f"{template}.json").read_bytes()


def one_event(body: bytes | dict[str, Any]) -> Envelope:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    taken = take({}, data, hubkey="argocd/a")
    assert not isinstance(taken, Ignored)
    assert len(taken) == 1
    assert taken[0].data == data
    return taken[0]


def view(app: dict[str, Any]) -> ApplicationChanged:
    data = json.dumps(app).encode()
    return ApplicationChanged.read(
        Envelope(id="1", source="/x", type="x", partitionkey="x", data=data)
    )


def app(phase: str = "", health: str = "", **more: Any) -> dict[str, Any]:
    operation = {"phase": phase, "startedAt": "2026-03-02T10:00:00Z", **more.pop("operation", {})}
    return {
        "metadata": {"namespace": "argocd", "name": "shop-dev", "uid": "u"},
        "status": {
            "operationState": operation if phase else None,
            "health": {"status": health, **more.pop("health_more", {})} if health else None,
        },
        **more,
    }


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("name", APPLICATIONS)
def test_what_the_engine_rendered_is_what_the_template_says_now(name: str, template: str) -> None:
    def value(action: re.Match[str]) -> str:
        found: Any = APPLICATIONS[name]
        for step in action[1].split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return json.dumps(found)

    body = re.sub(r"\{\{toJson \.app\.([A-Za-z.]+)\}\}", value, TEMPLATES[template]["body"])
    hand_written = re.sub(r'"(\\.|[^"\\])*"', "", TEMPLATES[template]["body"])
    assert re.sub(r"\{\{toJson \.app\.[A-Za-z.]+\}\}", "", hand_written).count("{{") == 0
    assert json.loads(body) == json.loads(rendered(name, template))


def test_every_template_posts_json_and_they_differ_in_nothing_but_what_they_are_about() -> None:
    bodies = set()
    for name, template in TEMPLATES.items():
        assert template["method"] == "POST"
        about = name.removeprefix("trunkline-")
        assert f'"about": "{about}"' in template["body"]
        bodies.add(template["body"].replace(f'"about": "{about}"', ""))
    assert len(bodies) == 1


def test_every_trigger_is_subscribed_and_sends_a_template_that_exists() -> None:
    (subscription,) = yaml.safe_load(CONFIG["subscriptions"])
    assert sorted(subscription["triggers"]) == sorted(TRIGGERS)
    assert subscription["recipients"] == ["trunkline"]
    for conditions in TRIGGERS.values():
        for condition in conditions:
            assert set(condition["send"]) <= set(TEMPLATES)
            assert "revision" not in condition["oncePer"]


def test_every_trigger_of_the_catalog_has_a_counterpart() -> None:
    readme = (NOTIFICATIONS / "README.md").read_text()
    for path in (DATA / "argocd/catalog/triggers").iterdir():
        (ours,) = re.findall(rf"^\| `([a-z-]+)` \| `{path.stem}` \|", readme, re.MULTILINE)
        assert ours in TRIGGERS


@pytest.mark.parametrize("name", APPLICATIONS)
def test_what_fired_is_taken_as_the_event_it_is_about(name: str) -> None:
    for fired in json.loads(rendered(name, "fired")):
        (template,) = fired["templates"]
        if name not in NAMED:
            with pytest.raises(Malformed, match="name"):
                take({}, rendered(name, template), hubkey="argocd/a")
            continue
        event = one_event(rendered(name, template))
        assert event.type == PREFIX + fired["trigger"].removeprefix("on-trunkline-") + ".v1"
        metadata = APPLICATIONS[name]["metadata"]
        assert event.source == f"/argocd/{metadata['namespace']}/{metadata['name']}"
        assert event.partitionkey == metadata["name"]
        assert event.hubkey == "argocd/a"


@pytest.mark.parametrize("name", NAMED)
def test_a_sweep_that_reads_the_object_makes_the_same_events(name: str) -> None:
    swept = view(APPLICATIONS[name])
    for template, change in (
        ("trunkline-operation", operation_change(swept)),
        ("trunkline-health", health_change(swept)),
        ("trunkline-deployed", deployed_change(swept)),
        ("trunkline-created", created_change(swept)),
    ):
        body = rendered(name, template)
        taken = take({}, body, hubkey="argocd/a")
        if change is None:
            assert isinstance(taken, Ignored)
        else:
            assert taken == (envelope(swept, change, data=body, hubkey="argocd/a"),)


def test_a_message_that_would_break_json_arrives_whole() -> None:
    event = one_event(rendered("failed-hostile-message", "trunkline-operation"))
    source = (NOTIFICATIONS / "applications/failed-hostile-message.yaml").read_text()
    message = yaml.safe_load(source)["status"]["operationState"]["message"]
    assert ApplicationChanged.read(event).message == message


@pytest.mark.parametrize(
    ("phase", "name"),
    [
        ("Running", "sync-running"),
        ("Succeeded", "sync-succeeded"),
        ("Failed", "sync-failed"),
        ("Error", "sync-failed"),
        ("Terminating", "sync-terminating"),
    ],
)
def test_an_operations_phase_is_the_type(phase: str, name: str) -> None:
    event = one_event({"about": "operation", "app": app(phase)})
    assert event.type == f"{PREFIX}{name}.v1"
    assert event.id == derive_id("u", "2026-03-02T10:00:00Z", phase)


@pytest.mark.parametrize(
    "health", ["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"]
)
def test_the_health_is_the_type(health: str) -> None:
    since = {"lastTransitionTime": "2026-03-02T11:00:00Z"}
    event = one_event({"about": "health", "app": app("Succeeded", health, health_more=since)})
    assert event.type == f"{PREFIX}health-{health.lower()}.v1"
    assert event.id == derive_id("u", health, "2026-03-02T11:00:00Z")
    assert event.time == "2026-03-02T11:00:00Z"


def test_syncing_the_same_commit_again_is_another_event() -> None:
    again = {"startedAt": "2026-03-02T12:00:00Z"}
    assert (
        one_event({"about": "operation", "app": app("Failed")}).id
        != one_event({"about": "operation", "app": app("Failed", operation=again)}).id
    )


def test_degraded_again_after_another_operation_is_another_event_where_since_is_unknown() -> None:
    again = {"startedAt": "2026-03-02T12:00:00Z"}
    first = one_event({"about": "health", "app": app("Succeeded", "Degraded")})
    finished = {"finishedAt": "2026-03-02T10:01:00Z"}
    still = one_event({"about": "health", "app": app("Succeeded", "Degraded", operation=finished)})
    later = one_event({"about": "health", "app": app("Succeeded", "Degraded", operation=again)})
    assert first.id == still.id != later.id


@pytest.mark.parametrize("about", ["operation", "health", "deployed"])
def test_an_application_in_no_state_yet_is_ignored(about: str) -> None:
    for state in (app(), app("Dreaming", "Sleepy"), {"metadata": {"name": "a"}, "status": None}):
        assert isinstance(
            take({}, json.dumps({"about": about, "app": state}).encode(), hubkey="a/b"), Ignored
        )


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: {"app": one}])
@pytest.mark.parametrize("name", NAMED)
def test_the_bare_object_tells_of_what_changed_last(name: str, wrap: Any) -> None:
    change = latest_change(view(APPLICATIONS[name]))
    taken = take({}, json.dumps(wrap(APPLICATIONS[name])).encode(), hubkey="argocd/a")
    if change is None:
        assert isinstance(taken, Ignored)
    else:
        assert not isinstance(taken, Ignored)
        assert (taken[0].id, taken[0].type) == (change.id, change.type)


MANIFESTS = [one["file"] for one in MANIFEST if one["file"].startswith("argocd/manifests/")]


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_manifest_that_was_never_applied_is_in_no_state_yet(file: str) -> None:
    for document in yaml.safe_load_all((DATA / file).read_text()):
        body = json.dumps(as_kubernetes_has_it(document)).encode()
        assert isinstance(take({}, body, hubkey="argocd/a"), Ignored)


def test_an_application_set_is_told_apart() -> None:
    text = (DATA / "argocd/applicationsets/healthyApplicationSet.yaml").read_text()
    document = as_kubernetes_has_it(yaml.safe_load(text))
    assert take({}, json.dumps(document).encode(), hubkey="a/b") == Ignored("not an Application")


def test_revisions_of_one_and_of_many_sources_are_read() -> None:
    many = ApplicationChanged.read(one_event(rendered("running-many-sources", "trunkline-health")))
    assert (many.revision, many.revisions) == ("1" * 40, ("1" * 40, "2" * 40))
    single = ApplicationChanged.read(one_event(rendered("healthy-since", "trunkline-operation")))
    assert (single.revision, single.revisions) == ("4" * 40, ("4" * 40,))
    none = ApplicationChanged.read(one_event(rendered("fakeAppWithDestName", "trunkline-created")))
    assert (none.revision, none.revisions) == ("", ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Application shop-dev has been synced.",
        b"[]",
        b'"text"',
        b"{}",
        b'{"message": "text"}',
        b'{"about": "weather", "app": {"metadata": {"name": "a"}}}',
        b'{"about": "health", "app": {"metadata": {"name": "../../a"}}}',
        b'{"about": "health", "app": {"metadata": {"name": "A b"}}}',
        b'{"about": "health", "app": {"metadata": {"name": "a", "namespace": "x/y"}}}',
        b'{"about": "health", "app": {"metadata": {"name": "a\\n"}}}',
        b'{"about": "health", "app": 5}',
    ],
)
def test_a_body_that_is_not_our_templates_gets_a_hint_what_to_set(body: bytes) -> None:
    with pytest.raises(Malformed, match="method: POST"):
        take({}, body, hubkey="argocd/a")


def test_the_media_type_may_be_missing_but_not_another() -> None:
    body = rendered("healthy-since", "trunkline-health")
    for headers in ({}, {"content-type": ""}, {"content-type": "application/json; charset=utf-8"}):
        assert not isinstance(take(headers, body, hubkey="argocd/a"), Ignored)
    with pytest.raises(UnsupportedMedia):
        take({"content-type": "text/plain"}, body, hubkey="argocd/a")
