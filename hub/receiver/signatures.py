"""Who sent this? Pure verification: bytes in, the id of the key that matched out.

Every check tries every key that is good now, without stopping at the first match, and compares in
constant time on bytes, so that time tells nothing about which key or which byte was right. All of
them raise Unauthentic and none says why. Nothing here reads a clock, a file or the network.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence

from hub.errors import Unauthentic
from hub.secrets import MIN_KEY_BYTES, RingKey, SecretText

TOLERANCE_SECONDS = 300
"""How far a signed timestamp may be off, either way; what Standard Webhooks' libraries allow."""

_DIGEST = "sha256"
_GITHUB = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)
_BEARER = re.compile(r"(?i:bearer) +([!-~]+)", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_MESSAGE_ID = re.compile(r"[!-\-/-~]{1,256}", re.ASCII)
"""Printable and without a full stop, which separates the id from the time in what is signed."""
_SYMMETRIC = b"v1,"


def by_github(keys: Sequence[RingKey], *, signature: str | None, body: bytes) -> str:
    """Check `X-Hub-Signature-256` over the raw body; return the id of the key that matched.

    Exactly `sha256=` and 64 lower-case hexadecimal digits, as GitHub sends it:
    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
    """
    claim = _GITHUB.fullmatch(signature or "")
    if claim is None:
        raise Unauthentic
    claimed = bytes.fromhex(claim[1])
    return _first(
        [key.id for key in keys if hmac.compare_digest(_mac(key.octets, body), claimed)],
    )


def by_bearer(keys: Sequence[RingKey], *, authorization: str | None) -> str:
    """Check `Authorization: Bearer <token>`; return the id of the key that matched.

    https://www.rfc-editor.org/rfc/rfc6750#section-2.1.
    """
    claim = _BEARER.fullmatch(authorization or "")
    return by_token(keys, token="" if claim is None else claim[1])


def by_token(keys: Sequence[RingKey], *, token: str) -> str:
    """Check a secret that was sent as it is; return the id of the key that matched."""
    claimed = _octets(token)
    return _first([key.id for key in keys if hmac.compare_digest(key.octets, claimed)])


def by_standard_webhook(
    keys: Sequence[RingKey],
    *,
    message_id: str | None,
    timestamp: str | None,
    signature: str | None,
    body: bytes,
    wall: float,
) -> str:
    """Check a Standard Webhooks 1.0 signature; return the id of the key that matched.

    `signature` may hold several, separated by spaces; one right `v1` is enough. `wall` is Unix
    time in seconds. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
    """
    if not _MESSAGE_ID.fullmatch(message_id or "") or not _SECONDS.fullmatch(timestamp or ""):
        raise Unauthentic
    if abs(wall - int(timestamp or "")) > TOLERANCE_SECONDS:
        raise Unauthentic
    signed = f"{message_id}.{timestamp}.".encode() + body
    claims = [claim for claim in _octets(signature or "").split(b" ") if claim[:3] == _SYMMETRIC]
    return _first([key.id for key in keys if _among(claims, _standard_claim(key, signed))])


def standard_webhook_key(secret: SecretText) -> bytes | None:
    """Return the key in a serialised signing secret (base64, usually after `whsec_`).

    None where it is not base64 or holds fewer bytes than the specification asks for.
    """
    try:
        key = binascii.a2b_base64(secret.expose().removeprefix("whsec_"), strict_mode=True)
    except ValueError:
        return None
    return key if len(key) >= MIN_KEY_BYTES else None


def _standard_claim(key: RingKey, signed: bytes) -> bytes | None:
    octets = standard_webhook_key(key.secret)
    return octets and _SYMMETRIC + base64.b64encode(_mac(octets, signed))


def _among(claims: Sequence[bytes], expected: bytes | None) -> bool:
    """Whether one of the claims is the expected one; a key that was no key expects nothing."""
    if expected is None:
        return False
    # A sum, because `any` would stop at the first match.
    return sum(hmac.compare_digest(claim, expected) for claim in claims) > 0


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, _DIGEST)


def _octets(text: str) -> bytes:
    """Header text as bytes: `compare_digest` raises TypeError on text that is not ASCII."""
    return text.encode("utf-8", "backslashreplace")


def _first(matches: Sequence[str]) -> str:
    if not matches:
        raise Unauthentic
    return matches[0]
