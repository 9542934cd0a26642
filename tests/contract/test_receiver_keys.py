"""The keys of the doors: rotation under traffic, and keys that are no good."""

import base64
import hashlib
import hmac
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receiver_wire import (
    ARGOCD_KEY,
    GITHUB_KEY,
    PUSH,
    SIGNING_KEY,
    cloud_event,
    github,
    receiving,
    request,
    settings,
    write_key,
)

from hub.errors import SettingsError
from hub.receiver.doors import open_doors
from hub.settings import Door, EventsDoor, Key, ReceiverSettings

OLD = "the-old-key-of-many-bytes"
NEW = "the-new-key-of-many-bytes"
CUTOVER = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    """Monotonic seconds that pass when a test says so: files are looked at once a second."""

    def __init__(self) -> None:
        self._now = 1000.0

    def __call__(self) -> float:
        return self._now

    def forward(self, seconds: float) -> None:
        self._now += seconds


def rotating(folder: Path) -> ReceiverSettings:
    """Both keys serve for an hour; then only the new one."""
    keys = (
        Key(id="old", secret=write_key(folder, "old", OLD), not_after=CUTOVER),
        Key(
            id="new",
            secret=write_key(folder, "new", NEW),
            not_before=CUTOVER - timedelta(hours=1),
        ),
    )
    return settings(folder, github=Door(keys=keys))


@pytest.mark.parametrize(
    ("minutes", "old", "new"),
    [(-61, 202, 401), (-60, 202, 202), (-1, 202, 202), (0, 401, 202), (60, 401, 202)],
)
async def test_two_keys_overlap_and_the_metrics_tell_when_the_old_one_is_idle(
    tmp_path: Path, minutes: int, old: int, new: int
) -> None:
    """T8."""
    now = (CUTOVER + timedelta(minutes=minutes)).timestamp()
    async with receiving(tmp_path, configured=rotating(tmp_path), wall=lambda: now) as world:
        with_old = await world.exchange(github(key=OLD, delivery="d-1"))
        with_new = await world.exchange(github(key=NEW, delivery="d-2"))

    assert (with_old.status, with_new.status) == (old, new)
    good = [key for key, status in (("old", old), ("new", new)) if status == 202]
    assert world.counted.keys == [f"github/{key}" for key in good]


async def test_a_door_whose_keys_have_all_expired_refuses(tmp_path: Path) -> None:
    key = Key(id="past", secret=write_key(tmp_path, "past", OLD), not_after=CUTOVER)
    configured = settings(tmp_path, github=Door(keys=(key,)))
    async with receiving(
        tmp_path, configured=configured, wall=lambda: CUTOVER.timestamp() + 1
    ) as world:
        answer = await world.exchange(github(key=OLD))

    assert answer.status == 401


async def test_a_key_file_that_is_swapped_serves_without_a_restart(tmp_path: Path) -> None:
    """T8, T9: a request is verified against the keys of the moment in which its body was whole."""
    octets = github(key=NEW)
    clock = Clock()
    async with receiving(tmp_path, monotonic=clock) as world:
        assert (await world.exchange(github())).status == 202
        async with world.wire() as wire:
            await wire.send(octets[:-100])
            swap(tmp_path / "github", NEW)
            clock.forward(2)
            answer = await wire.exchange(octets[-100:])
        after = await world.exchange(github(delivery="d-2"))

    assert answer.status == 202
    assert after.status == 401


async def test_a_key_file_that_is_empty_for_a_moment_changes_nothing(tmp_path: Path) -> None:
    """T9: writers are not always atomic."""
    clock = Clock()
    async with receiving(tmp_path, monotonic=clock) as world:
        assert (await world.exchange(github())).status == 202
        swap(tmp_path / "github", "")
        clock.forward(2)
        answer = await world.exchange(github(delivery="d-2"))

    assert answer.status == 202


def swap(file: Path, secret: str) -> None:
    """Replace a mounted secret the way Kubernetes does: by renaming."""
    fresh = file.with_name("fresh")
    fresh.write_text(secret, "utf-8")
    os.replace(fresh, file)  # noqa: PTH105


def standard(body: bytes, *, at: float, key: bytes = SIGNING_KEY) -> list[tuple[str, str]]:
    timestamp = str(int(at))
    signed = f"msg_1.{timestamp}.".encode() + body
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", f"v1,{mac}"),
        ("ce-specversion", "1.0"),
        ("ce-id", "e-1"),
        ("ce-source", "/someone"),
        ("ce-type", "com.example.a"),
        ("Content-Type", "application/json"),
    ]


@pytest.mark.parametrize(
    ("off", "status"), [(-301, 401), (-299, 202), (0, 202), (299, 202), (301, 401)]
)
async def test_a_cloud_event_may_be_signed_instead_of_carrying_a_token(
    tmp_path: Path, off: int, status: int
) -> None:
    """T55: stale and future timestamps are refused alike."""
    now = 1_700_000_000.0
    body = b'{"some": "data"}'
    async with receiving(tmp_path, wall=lambda: now) as world:
        answer = await world.exchange(request("/events", body, standard(body, at=now + off)))

    assert answer.status == status
    assert world.counted.keys == (["events/signing-1"] if status == 202 else [])


async def test_a_signature_that_is_wrong_is_not_helped_by_a_good_token(tmp_path: Path) -> None:
    body = b'{"some": "data"}'
    headers = [*standard(body, at=time.time(), key=b"x" * 32), ("Authorization", "Bearer x")]
    async with receiving(tmp_path) as world:
        answer = await world.exchange(request("/events", body, headers))

    assert answer.status == 401


async def test_the_key_of_one_door_opens_no_other(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world:
        answers = [
            await world.exchange(octets)
            for octets in (
                cloud_event(token=ARGOCD_KEY),
                github(key=ARGOCD_KEY),
                request("/webhooks/argocd", b"{}", [("Authorization", f"Bearer {GITHUB_KEY}")]),
                request(f"/webhooks/tekton/{GITHUB_KEY}", PUSH),
            )
        ]

    assert [answer.status for answer in answers] == [401] * 4


def ring(folder: Path, name: str, secret: str) -> tuple[Key, ...]:
    return (Key(id=name, secret=write_key(folder, name, secret)),)


@pytest.mark.parametrize(
    ("configure", "says"),
    [
        pytest.param(
            lambda folder: {"github": Door(keys=ring(folder, "k", "short"))},
            ["receiver.github key k", "24 bytes"],
            id="short",
        ),
        pytest.param(
            lambda folder: {"argocd": Door(keys=ring(folder, "k", ""))},
            ["receiver.argocd key k", "empty"],
            id="empty",
        ),
        pytest.param(
            lambda folder: {"tekton": Door(keys=ring(folder, "k", "not/for/a/path?" * 3))},
            ["receiver.tekton key k", "path"],
            id="no path segment",
        ),
        pytest.param(
            lambda folder: {"events": EventsDoor(signing=ring(folder, "k", "no base64! " * 4))},
            ["receiver.events.signing key k", "whsec_"],
            id="no signing secret",
        ),
        pytest.param(
            lambda folder: {
                "github": Door(keys=ring(folder, "one", "short")),
                "events": EventsDoor(bearer=ring(folder, "two", "short")),
            },
            ["key one", "key two"],
            id="two at once",
        ),
    ],
)
def test_a_key_that_is_no_good_is_told_by_its_place_and_never_by_its_value(
    tmp_path: Path, configure: Callable[[Path], dict[str, Door | EventsDoor]], says: list[str]
) -> None:
    """C3."""
    configured = settings(tmp_path, **configure(tmp_path))

    with pytest.raises(SettingsError) as refused:
        open_doors(configured)

    assert all(word in str(refused.value) for word in says)
    assert "short" not in str(refused.value).replace("shorter", "")
    assert "no base64!" not in str(refused.value)
    assert "not/for" not in str(refused.value)
