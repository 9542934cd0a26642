"""GitHub's webhook deliveries: https://docs.github.com/en/webhooks.

Every kind of delivery becomes an event, known here or not, for GitHub adds kinds without notice.
The body is kept as it came, and only what names the event is read from it: building the whole
tree of each delivery would cost more than everything else on the way to the log.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder, decode

from hub.errors import Malformed, UnsupportedMedia
from hub.events.attributes import checked, is_text
from hub.events.envelope import Envelope
from hub.events.raw_members import raw_members
from hub.events.types import GITHUB
from hub.sources.interface import Headers, Ignored, Taken
from hub.sources.media import FORM, JSON, media_type

_EVENT = re.compile(r"[a-z_]{1,64}")
_DELIVERY = re.compile(r"[\x21-\x7e]{1,128}")
_ACTION = re.compile(r"[A-Za-z0-9_-]{1,64}")

_OTHERS = {
    "x-gitea-event": "Gitea",
    "x-forgejo-event": "Forgejo",
    "x-gogs-event": "Gogs",
    "x-gitlab-event": "GitLab",
    "x-event-key": "Bitbucket",
}
"""Headers of those who are not GitHub. Some of them send GitHub's headers too."""

_OF_A_REPOSITORY = frozenset({"push", "pull_request"})
"""What handlers act on. Without a repository it cannot be what it says it is."""

_NUMBERED = ("pull_request", "issue", "discussion")
"""What goes by a number in its repository."""

_NOWHERE = ("https://github.com", "github.com")
"""Source and key of what belongs to no account, such as a security advisory."""


class _Account(Struct):
    url: str | None = None
    login: str | None = None


class _Member(Struct):
    """What is looked at of an object in a delivery."""

    url: str | None = None
    full_name: str | None = None
    login: str | None = None
    number: int | None = None
    account: _Account | None = None


_NULL = Raw(b"null")
_MEMBER = Decoder(_Member | None)
_Said = Mapping[str, Raw]
"""A delivery, by the names of its members; what is looked at of them is read when it is."""


def take(headers: Headers, body: bytes, *, hubkey: str) -> Taken:
    """Make a delivery an event; a `ping` is only answered.

    Raises Malformed for what GitHub does not send, and UnsupportedMedia for a body that is neither
    JSON nor a form with JSON in it.
    """
    event = _event(headers)
    delivery = headers.get("x-github-delivery", "")
    if _DELIVERY.fullmatch(delivery) is None:
        raise Malformed("the header X-GitHub-Delivery is not 1 to 128 printable characters")
    data = _data(headers, body)
    said = raw_members(data)
    if event == "ping":
        return Ignored("ping", status=200)
    source, key = _origin(event, said)
    return (
        checked(
            Envelope(
                id=delivery,
                source=source,
                type=_type(event, said),
                partitionkey=key,
                subject=_subject(said),
                data=data,
                hubkey=hubkey,
            )
        ),
    )


def _event(headers: Headers) -> str:
    for header, name in _OTHERS.items():
        if header in headers:
            raise Malformed(f"this is a delivery of {name}, and only GitHub's are taken here")
    event = headers.get("x-github-event", "")
    if _EVENT.fullmatch(event) is None:
        raise Malformed("the header X-GitHub-Event is not 1 to 64 of a-z and _")
    return event


def _data(headers: Headers, body: bytes) -> bytes:
    media = media_type(headers)
    if media == JSON:
        return body
    if media != FORM:
        raise UnsupportedMedia(f"set the webhook's content type to {JSON}")
    name, _, value = body.partition(b"=")
    if name != b"payload" or b"&" in value:
        raise Malformed("the form does not have exactly one field, payload")
    return unquote_to_bytes(value.replace(b"+", b" "))


def _type(event: str, said: _Said) -> str:
    action = decode(said.get("action", _NULL))
    if action is None:
        return GITHUB + event
    if not isinstance(action, str):
        raise Malformed("action is not a string")
    if _ACTION.fullmatch(action) is None:
        # A repository_dispatch carries any text here; it stays in the data.
        return GITHUB + event
    return f"{GITHUB}{event}.{action}"


def _origin(event: str, said: _Said) -> tuple[str, str]:
    """Return the source and the key: the repository's, else the account's."""
    repository = _whole(said, "repository")
    if repository is not None:
        return _pair("repository", repository.url, repository.full_name)
    if event in _OF_A_REPOSITORY:
        raise Malformed("repository is missing")
    organization = _whole(said, "organization")
    if organization is not None:
        return _pair("organization", organization.url, organization.login)
    installation = _whole(said, "installation")
    if installation is not None and installation.account is not None:
        account = installation.account
        return _pair("installation.account", account.url, account.login)
    return _NOWHERE


def _pair(name: str, url: str | None, key: str | None) -> tuple[str, str]:
    if not url or not key:
        raise Malformed(f"{name} has no name or no url")
    return url, key


def _subject(said: _Said) -> str | None:
    """Return the ref, or the number of the pull request, issue or discussion."""
    ref = decode(said.get("ref", _NULL))
    if isinstance(ref, str) and is_text(ref):
        return ref
    for name in _NUMBERED:
        with suppress(Malformed):
            member = _whole(said, name)
            if member is not None and member.number is not None:
                return str(member.number)
    return None


def _whole(said: _Said, name: str) -> _Member | None:
    try:
        member: _Member | None = _MEMBER.decode(said.get(name, _NULL))
    except MsgspecError as error:
        raise Malformed(f"{name} is not as GitHub sends it") from error
    return member
