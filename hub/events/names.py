"""Names that are made out of names: a service is called after its repository."""

import re

from hub.events.identity import derive_id

MAX_LABEL = 63
"""The longest DNS label: https://www.rfc-editor.org/rfc/rfc1123#section-2.1."""

_HASH_DIGITS = 8
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_UNFIT = re.compile(r"[^a-z0-9]+")


def service_name(repository_name: str) -> str:
    """Return the service that a repository (its name without the owner) is the source of.

    A DNS-1123 label, the same for the same name in any case, as on GitHub. A name that is no label
    as it stands gets a hash of itself behind it. Without that, `order_service` would be built and
    deployed as `order-service`, which may be somebody else's.
    """
    name = repository_name.lower()
    if _LABEL.fullmatch(name):
        return name
    digest = derive_id(name)[:_HASH_DIGITS]
    stem = _UNFIT.sub("-", name).strip("-")[: MAX_LABEL - 1 - _HASH_DIGITS].rstrip("-")
    return f"{stem or 'service'}-{digest}"
