"""The doors: for each a path, its keys, a proof, a reading and a size. No keys, no door."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hub.errors import Forbidden, SettingsError
from hub.events.envelope import Envelope
from hub.receiver import signatures
from hub.receiver.keys import Keys, RingReader, Rings
from hub.receiver.limits import BODY_BYTES, GITHUB_BODY_BYTES
from hub.secrets import Learn, SecretText
from hub.settings import ReceiverSettings
from hub.sources import argocd, cloudevents, github, tekton
from hub.sources.interface import Headers, Taken

_PATH_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)
"""What RFC 3986 lets stand in a path without an escape, so that it arrives as it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What a sender can show for itself."""

    headers: Headers
    body: bytes
    segment: str
    """What stood behind the door's path; empty where nothing did."""
    wall: float
    """When it came: Unix time, in seconds."""


class Take(Protocol):
    """A source. What a sender sent becomes envelopes, or nothing; raises Refused."""

    def __call__(self, headers: Headers, body: bytes, *, hubkey: str) -> Taken:
        """Read a verified request; `hubkey` names the key that verified it."""
        ...


def _forget(_key: SecretText) -> None:
    """Learn nothing of a key."""


def _admit_all(_: Envelope) -> None:
    """Take what the source makes: its key says whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One way in."""

    name: str
    path: str
    rings: Rings
    prove: Callable[[Keys, Knock], str]
    """Returns the id of the key that the sender has; raises Unauthentic."""
    take: Take
    """A function of a module, so that another process can be told to call it."""
    admit: Callable[[Envelope], None] = _admit_all
    """Raises Forbidden for an event that nobody may send in here."""
    body_bytes: int = BODY_BYTES
    has_segment: bool = False
    """Whether a secret segment follows the path."""
    derives_ids: bool = False
    """Whether an id says what happened and not what was sent: then the same id with another body is
    the same thing seen once more, at another moment."""
    wrong_method: str = "send it with POST"
    """What a sender is told that used another method."""


def open_doors(settings: ReceiverSettings, *, learn: Learn = _forget) -> tuple[Door, ...]:
    """Return the doors that have keys; `learn` is told of every key, now and when it changes.

    Raises SettingsError with all that is wrong with the keys.
    """
    reader = RingReader(learn=learn)
    doors = (
        _github(settings, reader),
        _argocd(settings, reader),
        _tekton(settings, reader),
        _events(settings, reader),
    )
    if reader.problems:
        raise SettingsError(reader.problems)
    return tuple(door for door in doors if door.rings)


def _github(settings: ReceiverSettings, reader: RingReader) -> Door:
    def prove(keys: Keys, knock: Knock) -> str:
        signature = knock.headers.get("x-hub-signature-256")
        return signatures.by_github(keys.signing, signature=signature, body=knock.body)

    return Door(
        name="github",
        path="/webhooks/github",
        rings=Rings(signing=reader.read(settings.github.keys, name="receiver.github")),
        prove=prove,
        take=github.take,
        body_bytes=GITHUB_BODY_BYTES,
    )


def _argocd(settings: ReceiverSettings, reader: RingReader) -> Door:
    return Door(
        name="argocd",
        path="/webhooks/argocd",
        rings=Rings(tokens=reader.read(settings.argocd.keys, name="receiver.argocd")),
        prove=_prove_by_bearer,
        take=argocd.take,
        derives_ids=True,
        wrong_method="send it with POST: without `method: POST` in its template, "
        "Argo CD sends a GET with no body",
    )


def _tekton(settings: ReceiverSettings, reader: RingReader) -> Door:
    def prove(keys: Keys, knock: Knock) -> str:
        return signatures.by_token(keys.tokens, token=knock.segment)

    keys = reader.read(settings.tekton.keys, name="receiver.tekton", misfit=_no_path_segment)
    return Door(
        name="tekton",
        path="/webhooks/tekton",
        rings=Rings(tokens=keys),
        prove=prove,
        take=tekton.take,
        has_segment=True,
        derives_ids=True,
    )


def _events(settings: ReceiverSettings, reader: RingReader) -> Door:
    def prove(keys: Keys, knock: Knock) -> str:
        if "webhook-signature" in knock.headers:
            return _prove_by_standard_webhook(keys, knock)
        return _prove_by_bearer(keys, knock)

    rings = Rings(
        tokens=reader.read(settings.events.bearer, name="receiver.events.bearer"),
        signing=reader.read(
            settings.events.signing,
            name="receiver.events.signing",
            misfit=_no_standard_webhook_key,
        ),
    )
    return Door(
        name="events",
        path="/events",
        rings=rings,
        prove=prove,
        take=cloudevents.take,
        admit=_only_from(settings.events.sources),
    )


def _prove_by_bearer(keys: Keys, knock: Knock) -> str:
    authorization = knock.headers.get("authorization")
    return signatures.by_bearer(keys.tokens, authorization=authorization)


def _prove_by_standard_webhook(keys: Keys, knock: Knock) -> str:
    return signatures.by_standard_webhook(
        keys.signing,
        message_id=knock.headers.get("webhook-id"),
        timestamp=knock.headers.get("webhook-timestamp"),
        signature=knock.headers.get("webhook-signature"),
        body=knock.body,
        wall=knock.wall,
    )


def _only_from(prefixes: Sequence[str]) -> Callable[[Envelope], None]:
    """Admit events whose `source` starts with one of these, or all where there are none."""
    allowed = tuple(prefixes) or ("",)

    def admit(event: Envelope) -> None:
        if not event.source.startswith(allowed):
            raise Forbidden("events of this source are not taken here")

    return admit


def _no_path_segment(secret: SecretText) -> str | None:
    if _PATH_SEGMENT.fullmatch(secret.expose()):
        return None
    return "holds more than letters, digits, `.`, `_`, `~` and `-`, and it stands in a path"


def _no_standard_webhook_key(secret: SecretText) -> str | None:
    if signatures.standard_webhook_key(secret) is not None:
        return None
    return "is no Standard Webhooks secret: `whsec_` and the base64 of 24 bytes or more"
