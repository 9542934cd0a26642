"""Names from outside, checked or cut before they stand in an address or a manifest. Pure."""

import re

from hub.errors import PermanentError

LABEL_LENGTH = 63
"""The longest DNS-1123 label, and the longest value of a Kubernetes label:
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/."""

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9._-]{1,100}")
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_LENGTH = 253
_OTHER = re.compile(r"[^a-z0-9]+")


def split_repository(repository: str) -> tuple[str, str]:
    """Return the owner and the name of an `owner/name`. Raises PermanentError."""
    owner, _, name = repository.partition("/")
    if _REPOSITORY.fullmatch(repository) is None or name in {".", ".."}:
        raise PermanentError("the repository's name is not of the form owner/name")
    return owner, name


def check_revision(revision: str) -> str:
    """Return a commit's full SHA, 40 or 64 hexadecimal digits. Raises PermanentError."""
    if _REVISION.fullmatch(revision) is None:
        raise PermanentError("the revision is not a full commit SHA")
    return revision


def is_object_name(name: str) -> bool:
    """Whether a Kubernetes object can have this name (DNS-1123 subdomain)."""
    return len(name) <= _SUBDOMAIN_LENGTH and _SUBDOMAIN.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """Whether a Kubernetes label can have this value, and does not have it empty."""
    return len(text) <= LABEL_LENGTH and _LABEL.fullmatch(text) is not None


def label_of(text: str, *, length: int = LABEL_LENGTH) -> str:
    """Return `text` as a DNS-1123 label of at most `length` characters; never empty."""
    return _OTHER.sub("-", text.lower()).strip("-")[:length].strip("-") or "unnamed"
