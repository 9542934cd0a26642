"""What Slack refuses of a message's blocks.

https://docs.slack.dev/reference/block-kit/blocks. Knows the blocks that the hub may send, and
nothing of how it makes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_MAX_BLOCKS = 50
_MAX_TEXT = {"header": 150, "section": 3000, "context": 3000}
_MAX_ELEMENTS = 10
_KINDS = ("plain_text", "mrkdwn")


def are_valid(blocks: Sequence[Json]) -> bool:
    """Whether Slack would take these blocks; it answers others with `invalid_blocks`."""
    return len(blocks) <= _MAX_BLOCKS and all(map(_is_valid, blocks))


def texts(blocks: Sequence[Json]) -> Iterator[Json]:
    """Return the text objects of all blocks, in order."""
    for block in blocks:
        yield from _texts(block)


def _is_valid(block: Json) -> bool:
    limit = _MAX_TEXT.get(block.get("type", ""))
    found = list(_texts(block))
    if limit is None or not 1 <= len(found) <= _MAX_ELEMENTS:
        return False
    kinds = ("plain_text",) if block["type"] == "header" else _KINDS
    return all(one.get("type") in kinds and 1 <= len(one["text"]) <= limit for one in found)


def _texts(block: Json) -> Iterator[Json]:
    parts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    yield from (part for part in parts if isinstance(part, dict) and isinstance(part["text"], str))
