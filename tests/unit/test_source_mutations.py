"""Drop, nullify or retype anything in a recorded payload: it is taken or refused, nothing else."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Malformed, Refused
from hub.events.argocd import ApplicationChanged
from hub.events.github import PullRequest, Push
from hub.events.tekton import PipelineRunFinished, PipelineRunStarted
from hub.events.view import View
from hub.sources import argocd, github, tekton
from hub.sources.interface import Ignored, Taken

DATA = Path(__file__).parents[1] / "data"
MANIFEST = json.loads((DATA / "manifest.json").read_text())
GITHUB = [(one["file"], one["event"]) for one in MANIFEST if one["check"] == "GH-ACCEPT"]
RENDERED = sorted((DATA / "argocd/rendered").glob("*/trunkline-*.json"))
RUNS = sorted((DATA / "tekton/runs").glob("*/pipelinerun*.json"))
VIEWS: tuple[type[View], ...] = (
    Push,
    PullRequest,
    PipelineRunStarted,
    PipelineRunFinished,
    ApplicationChanged,
)

# As text, so that each draw is an object of its own.
REPLACEMENTS = """null true -1 1e99 12345678901234567890 "" "\\u0000" [] [null] [[]] {} {"a":{}}"""
replacements = st.sampled_from([*REPLACEMENTS.split(), f'"{"x" * 2000}"']).map(json.loads)


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a JSON value but to itself."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        yield (name,)
        if isinstance(member, dict | list):
            yield from ((name, *rest) for rest in paths(member))


@st.composite
def mutations(draw: st.DrawFn, text: str) -> bytes:
    """Drop or replace up to three things in a JSON text."""
    payload = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        places = sorted(paths(payload), key=len)
        if not places:
            break
        # Those near the top are looked at, so they are drawn as often as all the others together.
        near = [place for place in places if len(place) <= 2]
        *way, last = draw(st.sampled_from(near) | st.sampled_from(places))
        parent = payload
        for step in way:
            parent = parent[step]
        if draw(st.booleans()):
            del parent[last]
        else:
            parent[last] = draw(replacements)
    return json.dumps(payload).encode()


def read_by_its_views(taken: Taken) -> None:
    """Read what was taken; a view may find it unfit, and do nothing else."""
    for event in () if isinstance(taken, Ignored) else taken:
        for view in VIEWS:
            if event.type in view.types:
                with suppress(Malformed):
                    view.read(event)


@settings(deadline=None)
@given(st.data())
def test_a_mutated_delivery_of_github_is_taken_or_refused(data: st.DataObject) -> None:
    file, event = data.draw(st.sampled_from(GITHUB))
    body = data.draw(mutations((DATA / file).read_text()))
    sent = {
        "x-github-event": event,
        "x-github-delivery": "1",
        "content-type": "application/json",
    }
    with suppress(Refused):
        read_by_its_views(github.take(sent, body, hubkey="github/a"))


@settings(deadline=None)
@given(st.data())
def test_a_mutated_notification_of_argocd_is_taken_or_refused(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(RENDERED))
    body = data.draw(mutations(file.read_text()))
    with suppress(Refused):
        read_by_its_views(argocd.take({}, body, hubkey="argocd/a"))


@settings(deadline=None)
@given(st.data(), st.sampled_from(["started", "running", "successful", "failed"]))
def test_a_mutated_event_of_tekton_is_taken_or_refused(data: st.DataObject, state: str) -> None:
    file = data.draw(st.sampled_from(RUNS))
    run = {"metadata": {"uid": "u", "labels": {}, "annotations": {}}}
    payload = {"pipelineRun": {**run, **json.loads(file.read_bytes())}}
    body = data.draw(mutations(json.dumps(payload)))
    sent = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/apis///namespaces/ns//name",
        "ce-type": f"dev.tekton.event.pipelinerun.{state}.v1",
        "content-type": "application/json",
    }
    with suppress(Refused):
        read_by_its_views(tekton.take(sent, body, hubkey="tekton/a"))
