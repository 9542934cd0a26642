"""What a sender sees: every row of the table of answers."""

import asyncio
import json
import random
from pathlib import Path

import pytest
from receiver_wire import (
    ARGOCD_KEY,
    BEARER_KEY,
    GITHUB_KEY,
    PUSH,
    TEKTON_KEY,
    cloud_event,
    github,
    github_headers,
    receiving,
    request,
    settings,
    tekton,
)

from hub.receiver.metrics import Outcome
from hub.settings import Door, EventsDoor

DATA = Path(__file__).parents[1] / "data"
FORM = (DATA / "github/form/gidgethub-ping_urlencoded/body").read_bytes()


async def test_a_signed_push_is_stored_and_answered_with_its_name(tmp_path: Path) -> None:
    """T1."""
    async with receiving(tmp_path) as world:
        answer = await world.exchange(github(delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958"))
        (event,) = await world.events()

    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == {"id": event.id, "source": event.source, "type": "com.github.push"}
    assert event.id == "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    assert event.data == PUSH
    assert event.hubkey == "github/github-1"
    assert world.counted.keys == ["github/github-1"]
    assert world.counted.answers == [("github", Outcome.ACCEPTED, 202, len(PUSH))]
    assert world.counted.stores == ["github"]


async def test_every_kind_of_delivery_is_taken_and_with_one_bit_changed_refused(
    tmp_path: Path,
) -> None:
    """T1, T5."""
    manifest = json.loads((DATA / "manifest.json").read_text("utf-8"))
    deliveries = [entry for entry in manifest if entry["check"] == "GH-ACCEPT"]
    chance = random.Random(20301122)  # repeatable, not secret
    refused, taken = set(), set()
    async with receiving(tmp_path) as world, world.wire() as wire:
        for number, entry in enumerate(deliveries):
            body = (DATA / entry["file"]).read_bytes()
            headers = github_headers(body, delivery=f"d-{number}", event=entry["event"])
            flipped = bytearray(body)
            flipped[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
            for statuses, sent in ((refused, bytes(flipped)), (taken, body)):
                answer = await wire.exchange(request("/webhooks/github", sent, headers))
                statuses.add(answer.status)
        pings = sum(entry["event"] == "ping" for entry in deliveries)

        assert len(await world.events()) == len(deliveries) - pings
    assert len(deliveries) > 100
    assert refused == {401}
    assert taken <= {200, 202}


async def test_the_same_delivery_again_is_called_a_duplicate_and_stored_once(
    tmp_path: Path,
) -> None:
    """T2."""
    async with receiving(tmp_path) as world:
        first = await world.exchange(github())
        second = await world.exchange(github())

        assert len(await world.events()) == 1
    assert second.status == 202
    assert second.content == {**first.content, "duplicate": True}
    assert world.counted.answers[1][1] is Outcome.DUPLICATE


async def test_the_same_id_with_another_body_is_a_conflict_and_the_first_stands(
    tmp_path: Path,
) -> None:
    """T3."""
    other = PUSH.replace(b'"refs/tags/', b'"refs/tags/v2-').replace(b'"before"', b' "before"')
    assert other != PUSH
    async with receiving(tmp_path) as world:
        await world.exchange(github())
        answer = await world.exchange(github(other))
        (event,) = await world.events()

    assert answer.status == 409
    assert event.data == PUSH
    assert [line["status"] for line in world.lines.entries if "status" in line] == [409]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no signature"),
        pytest.param([("X-Hub-Signature-256", "sha256=" + "0" * 64)], id="wrong signature"),
        pytest.param([("X-Hub-Signature", "sha1=" + "0" * 40)], id="sha1 only"),
        pytest.param(github_headers(key="another-secret-of-many-bytes")[3:], id="wrong secret"),
    ],
)
async def test_a_push_without_the_right_signature_is_refused_with_no_hint_which(
    tmp_path: Path, headers: list[tuple[str, str]]
) -> None:
    """T4, T5, T6: the body is not even JSON, and nobody notices before the signature."""
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            request("/webhooks/github", b"{", [*github_headers()[:3], *headers])
        )

        assert await world.events() == []
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.content == {"title": "Unauthorized", "status": 401}


async def test_an_unknown_event_and_an_unknown_action_are_welcome(tmp_path: Path) -> None:
    """T23: GitHub adds kinds without notice."""
    body = json.dumps(
        {"action": "transmogrified", "repository": {"full_name": "a/b", "url": "https://x/a/b"}}
    ).encode()
    async with receiving(tmp_path) as world:
        answer = await world.exchange(github(body, event="brand_new_thing"))

    assert answer.status == 202


@pytest.mark.parametrize("form", [False, True], ids=["JSON", "form"])
async def test_a_ping_is_answered_with_200_and_stored_nowhere(tmp_path: Path, form: bool) -> None:  # noqa: FBT001
    """T24; the form is signed as it was sent (T10)."""
    body = FORM if form else b'{"zen": "Keep it logically awesome.", "hook_id": 1}'
    media = "application/x-www-form-urlencoded" if form else "application/json"
    headers = [("Content-Type", media), *github_headers(body, event="ping")[1:]]
    async with receiving(tmp_path) as world:
        answer = await world.exchange(request("/webhooks/github", body, headers))

        assert await world.events() == []
    assert answer.status == 200
    assert answer.content == {"status": "ignored", "reason": "ping"}
    assert world.counted.answers == [("github", Outcome.IGNORED, 200, len(body))]
    assert world.counted.keys == ["github/github-1"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"a":' * 5_000 + b"1" + b"}" * 5_000, id="deep objects"),
        pytest.param(b'{"number": ' + b"1" * 10_000 + b"}", id="ten thousand digits"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": "\\ud800"}', id="lone surrogate"),
        pytest.param('{"a": 1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', id="byte order mark"),
        pytest.param(b'{"action": "a", "action": "b"}', id="a member twice"),
        pytest.param(b'{"a": "\xff"}', id="bad UTF-8"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"string"', id="string"),
    ],
)
async def test_a_signed_body_that_is_no_json_object_is_malformed(
    tmp_path: Path, body: bytes
) -> None:
    """T20, T21."""
    async with receiving(tmp_path) as world:
        answer = await world.exchange(github(body))

        assert await world.events() == []
    assert answer.status == 400
    assert "JSON" in answer.content["detail"]


async def test_a_field_that_is_needed_and_missing_is_named(tmp_path: Path) -> None:
    """T22."""
    async with receiving(tmp_path) as world:
        no_repository = await world.exchange(github(b"{}"))
        no_event = await world.exchange(
            request("/webhooks/github", PUSH, [github_headers()[0], *github_headers()[2:]])
        )
        no_delivery = await world.exchange(
            request("/webhooks/github", PUSH, [*github_headers()[:2], github_headers()[3]])
        )

    assert [no_repository.status, no_event.status, no_delivery.status] == [400, 400, 400]
    assert "repository" in no_repository.content["detail"]
    assert "X-GitHub-Event" in no_event.content["detail"]
    assert "X-GitHub-Delivery" in no_delivery.content["detail"]


async def test_a_media_type_that_is_not_json_is_told_what_is(tmp_path: Path) -> None:
    """T10."""
    headers = [("Content-Type", "text/plain"), *github_headers()[1:]]
    async with receiving(tmp_path) as world:
        answer = await world.exchange(request("/webhooks/github", PUSH, headers))

    assert answer.status == 415
    assert "application/json" in answer.content["detail"]


async def test_a_log_that_cannot_be_written_is_503_and_the_event_comes_with_the_next_try(
    tmp_path: Path,
) -> None:
    """T58, T70."""
    async with receiving(tmp_path) as world:
        world.bus.full = True
        full = await world.exchange(github())
        world.bus.full = False
        again = await world.exchange(github())

    assert full.status == 503
    assert int(full.headers["retry-after"]) > 0
    assert full.content["title"] == "Service Unavailable"
    assert again.status == 202
    assert "duplicate" not in again.content
    assert [answer[1] for answer in world.counted.answers] == [
        Outcome.UNWRITABLE,
        Outcome.ACCEPTED,
    ]


async def test_no_202_leaves_before_the_event_is_durable(tmp_path: Path) -> None:
    """T1."""
    async with receiving(tmp_path) as world, world.wire() as wire:
        world.bus.open.clear()
        await wire.send(github())
        await world.bus.waiting.wait()
        early = asyncio.ensure_future(wire.answer())
        done, _ = await asyncio.wait([early], timeout=0.05)
        assert done == set()
        world.bus.open.set()

        assert (await early).status == 202


@pytest.mark.parametrize(
    "path",
    ["/", "/webhooks", "/webhooks/github/", "/webhooks/GITHUB", "/metrics", "/healthz", "/debug",
     "/webhooks/github/../github", "/webhooks/%67ithub", "//webhooks/github", "/events/x"],
)  # fmt: skip
async def test_an_unknown_path_is_404(tmp_path: Path, path: str) -> None:
    """T127: neither metrics nor health nor anything else is on the port of the doors."""
    async with receiving(tmp_path) as world:
        answer = await world.exchange(request(path, PUSH, github_headers()))

    assert answer.status == 404
    assert path not in answer.content["detail"] or path == "/"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
async def test_every_method_but_post_is_405(tmp_path: Path, method: str) -> None:
    async with receiving(tmp_path) as world, world.wire() as wire:
        await wire.send(request("/webhooks/github", method=method))
        head = await wire.reader.readuntil(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: POST\r\n" in head


async def test_a_door_without_a_key_does_not_exist(tmp_path: Path) -> None:
    none = settings(tmp_path, github=Door(), argocd=Door(), tekton=Door(), events=EventsDoor())
    async with receiving(tmp_path, configured=none) as world:
        answers = [
            await world.exchange(request(path, PUSH, github_headers()))
            for path in ("/webhooks/github", "/webhooks/argocd", "/webhooks/tekton", "/events")
        ]

    assert [answer.status for answer in answers] == [404] * 4
    assert {answer[0] for answer in world.counted.answers} == {"none"}


async def test_the_query_of_a_path_is_of_no_importance(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world:
        answer = await world.exchange(request("/webhooks/github?a=b", PUSH, github_headers()))

    assert answer.status == 202


async def test_one_connection_carries_many_deliveries(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world, world.wire() as wire:
        for number in range(5):
            answer = await wire.exchange(github(delivery=f"d-{number}"))
            assert answer.status == 202
        wrong = await wire.exchange(github(key="x" * 32))
        right = await wire.exchange(github(delivery="d-6"))

    assert (wrong.status, right.status) == (401, 202)


async def test_an_answer_never_repeats_what_was_sent(tmp_path: Path) -> None:
    canary = "CANARY-e7f3"
    attacks = [
        request(f"/{canary}", PUSH),
        request("/webhooks/github", canary.encode(), github_headers(canary.encode())),
        github(json.dumps({canary: canary, "repository": canary}).encode()),
        github(event=canary),
        request(
            "/webhooks/github", PUSH, [(f"X-GitHub-{canary}", "1"), (f"X-GitHub-{canary}", "2")]
        ),
        cloud_event(subject="x" * 2000 + canary),
        cloud_event(**{canary.lower().replace("-", ""): "\u00e9"}),
        f"POST /{canary} HTTP/9.9\r\n{canary}\r\n\r\n".encode(),
        f"{canary}\r\n\r\n".encode(),
    ]
    async with receiving(tmp_path) as world:
        answers = [await world.exchange(attack) for attack in attacks]

    assert all(400 <= answer.status < 500 for answer in answers)
    assert not any(canary.lower().encode() in answer.body.lower() for answer in answers)


async def test_strangers_add_no_values_to_the_labels(tmp_path: Path) -> None:
    """T126: neither paths nor repositories nor events become labels."""
    async with receiving(tmp_path) as world:
        for number in range(30):
            body = json.dumps(
                {"repository": {"full_name": f"a/{number}", "url": f"https://x/a/{number}"}}
            ).encode()
            await world.exchange(github(body, event="push", delivery=f"d-{number}"))
            await world.exchange(request(f"/{number}"))
            await world.exchange(github(body, event=f"event_{number}", key="x" * 32))

    labels = {(door, outcome.value, status) for door, outcome, status, _ in world.counted.answers}
    assert len(world.counted.answers) == 90
    assert labels == {
        ("github", "accepted", 202),
        ("none", "refused", 404),
        ("github", "refused", 401),
    }
    assert set(world.counted.keys) == {"github/github-1"}


async def test_secrets_reach_neither_log_nor_answer(tmp_path: Path) -> None:
    """C6: every key in use, and every header with a proof in it."""
    async with receiving(tmp_path) as world:
        answers = [
            await world.exchange(octets)
            for octets in (
                github(),
                cloud_event(),
                cloud_event(token="wrong-" + BEARER_KEY),
                tekton(f"/webhooks/tekton/{TEKTON_KEY}"),
                tekton(f"/webhooks/tekton/{TEKTON_KEY}x"),
                request("/webhooks/argocd", b"{", [("Authorization", f"Bearer {ARGOCD_KEY}")]),
            )
        ]
        said = repr([answer.body for answer in answers]) + repr(world.lines.entries)
        said += repr(await world.events())

    assert len(world.lines.entries) == len(answers)
    for key in (GITHUB_KEY, ARGOCD_KEY, TEKTON_KEY, BEARER_KEY, github_headers()[3][1]):
        assert key not in said
