"""The doors of Argo CD, of Tekton and of everybody who speaks CloudEvents."""

import json
from pathlib import Path

import pytest
from receiver_wire import (
    ARGOCD_KEY,
    BEARER_KEY,
    TEKTON_KEY,
    cloud_event,
    receiving,
    request,
    settings,
    tekton,
)

from hub.settings import EventsDoor

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer " + "x" * 32, "Basic " + ARGOCD_KEY, ARGOCD_KEY, "Bearer " + BEARER_KEY],
)
async def test_a_wrong_bearer_is_refused_with_no_hint_why(
    tmp_path: Path, authorization: str
) -> None:
    """T37."""
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            request("/webhooks/argocd", b"{}", [("Authorization", authorization)])
        )

    assert answer.status == 401
    assert answer.content == {"title": "Unauthorized", "status": 401}


async def test_an_argo_cd_notification_with_its_bearer_is_stored(tmp_path: Path) -> None:
    """T35."""
    body = (DATA / "argocd/applications/guestbook-succeeded.json").read_bytes()
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            request("/webhooks/argocd", body, [("Authorization", f"Bearer {ARGOCD_KEY}")])
        )
        (event,) = await world.events()

    assert answer.status == 202
    assert answer.content["source"] == event.source
    assert event.source.startswith("/argocd/")
    assert event.hubkey == "argocd/argocd-1"


async def test_the_same_operation_told_again_with_other_words_is_a_duplicate(
    tmp_path: Path,
) -> None:
    """T40: the id is derived from what happened, so another body is no conflict."""
    body = (DATA / "argocd/applications/guestbook-succeeded.json").read_bytes()
    retold = body.replace(b"successfully synced", b"synced, as said before")
    assert retold != body
    bearer = [("Authorization", f"Bearer {ARGOCD_KEY}")]
    async with receiving(tmp_path) as world:
        await world.exchange(request("/webhooks/argocd", body, bearer))
        answer = await world.exchange(request("/webhooks/argocd", retold, bearer))
        (event,) = await world.events()

    assert (answer.status, answer.content["duplicate"]) == (202, True)
    assert event.data == body


async def test_the_get_of_argo_cds_default_template_is_told_how_to_mend_it(
    tmp_path: Path,
) -> None:
    """T36."""
    bearer = [("Authorization", f"Bearer {ARGOCD_KEY}")]
    async with receiving(tmp_path) as world:
        by_get = await world.exchange(request("/webhooks/argocd", b"", bearer, method="GET"))
        empty = await world.exchange(request("/webhooks/argocd", b"", bearer))

    assert by_get.status == 405
    assert by_get.headers["allow"] == "POST"
    assert "method: POST" in by_get.content["detail"]
    assert empty.status == 400
    assert "method: POST" in empty.content["detail"]


async def test_tekton_is_known_by_the_secret_segment_of_its_path(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world:
        right = await world.exchange(tekton(f"/webhooks/tekton/{TEKTON_KEY}"))
        (event,) = await world.events()
        wrong = await world.exchange(tekton(f"/webhooks/tekton/{TEKTON_KEY[:-1]}x"))
        none = await world.exchange(tekton("/webhooks/tekton"))
        deeper = await world.exchange(tekton(f"/webhooks/tekton/{TEKTON_KEY}/x"))

    assert right.status == 202
    assert event.hubkey == "tekton/tekton-1"
    assert (wrong.status, none.status, deeper.status) == (401, 401, 404)
    assert TEKTON_KEY not in repr(world.lines.entries)


async def test_a_cloud_event_is_taken_in_all_three_modes(tmp_path: Path) -> None:
    """T54."""
    structured = {"specversion": "1.0", "id": "s-1", "source": "/someone", "type": "com.example.a"}
    bearer = ("Authorization", f"Bearer {BEARER_KEY}")
    async with receiving(tmp_path) as world:
        binary = await world.exchange(cloud_event())
        single = await world.exchange(
            request(
                "/events",
                json.dumps({**structured, "data": {}}).encode(),
                [("Content-Type", "application/cloudevents+json"), bearer],
            )
        )
        batch = await world.exchange(
            request(
                "/events",
                json.dumps([{**structured, "id": name, "data": {}} for name in "ab"]).encode(),
                [("Content-Type", "application/cloudevents-batch+json"), bearer],
            )
        )
        stored = await world.events()

    assert [binary.status, single.status, batch.status] == [202, 202, 202]
    assert [name["id"] for name in batch.content] == ["a", "b"]
    assert [event.id for event in stored] == ["e-1", "s-1", "a", "b"]


async def test_a_batch_is_stored_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """T54."""
    good = {"specversion": "1.0", "id": "a", "source": "/someone", "type": "com.example.a"}
    bad = {**good, "id": ""}
    headers = [
        ("Content-Type", "application/cloudevents-batch+json"),
        ("Authorization", f"Bearer {BEARER_KEY}"),
    ]
    async with receiving(tmp_path) as world:
        answer = await world.exchange(request("/events", json.dumps([good, bad]).encode(), headers))

        assert await world.events() == []
    assert answer.status == 400


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("id", ""),
        ("time", "yesterday"),
        ("source", "has a space"),
        ("type", "has/a/slash"),
        ("subject", "x" * 2000),
        ("traceparent", "nonsense"),
    ],
)
async def test_a_cloud_event_with_a_bad_attribute_is_told_which_one(
    tmp_path: Path, attribute: str, value: str
) -> None:
    """T52."""
    async with receiving(tmp_path) as world:
        answer = await world.exchange(cloud_event(**{attribute: value}))

    assert answer.status == 400
    assert attribute in answer.content["detail"]
    assert not value or value not in answer.content["detail"]


async def test_a_source_that_is_not_on_the_list_is_forbidden(tmp_path: Path) -> None:
    """T53."""
    given = settings(tmp_path)
    listed = EventsDoor(bearer=given.events.bearer, sources=("/someone/",))
    async with receiving(tmp_path, configured=settings(tmp_path, events=listed)) as world:
        stranger = await world.exchange(cloud_event(source="/somebody-else"))
        listed_one = await world.exchange(cloud_event(source="/someone/known"))

    assert (stranger.status, listed_one.status) == (403, 202)


@pytest.mark.parametrize(
    "claim",
    [
        {"source": "/trunkline/production"},
        {"type": "dev.trunkline.run.finished.v1"},
        {"hubhops": "9"},
        {"hubkey": "github/github-1"},
    ],
)
async def test_nobody_speaks_in_the_hubs_name(tmp_path: Path, claim: dict[str, str]) -> None:
    """T53, T56: hops that an outsider claims are no way to make or to break a loop."""
    async with receiving(tmp_path) as world:
        answer = await world.exchange(cloud_event(**claim))

        assert await world.events() == []
    assert answer.status in {400, 403}


async def test_what_is_authentic_but_of_no_interest_is_ignored_with_a_reason(
    tmp_path: Path,
) -> None:
    body = json.dumps({"kind": "ApplicationSet", "metadata": {"name": "services"}}).encode()
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            request("/webhooks/argocd", body, [("Authorization", f"Bearer {ARGOCD_KEY}")])
        )

    assert answer.status == 202
    assert answer.content == {"status": "ignored", "reason": "not an Application"}
