"""Event ids that are derived from what happened, not drawn at random.

A webhook, a watch and a sweep that see the same thing must make the same event, so the id of an
event that carries none of its own is a hash of the parts that name the thing.
"""

import hashlib

_DIGEST_BYTES = 16
"""128 bits: far beyond chance at any volume, and still short enough to read out over a call."""


def derive_id(*parts: str) -> str:
    """Return the id that these parts name, 32 hexadecimal digits.

    Each part goes in with its length, so that ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()
