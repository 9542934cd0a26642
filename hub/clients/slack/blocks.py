"""How a message looks in Slack: from plain text to blocks. Pure: no I/O.

Everything comes from outside (commit messages, branch names, errors of other systems), so all of it
is escaped and stands in plain_text, where Slack interprets nothing; the only control sequences are
the links made here, to hosts that the settings allow.

Text: https://docs.slack.dev/messaging/formatting-message-text.
Blocks and their limits: https://docs.slack.dev/reference/block-kit/blocks.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from urllib.parse import quote, urlsplit

from slack_sdk.models.blocks import Block, ContextBlock, HeaderBlock, SectionBlock
from slack_sdk.models.blocks.basic_components import MarkdownTextObject, PlainTextObject

from hub.actions.slack import MessageLine

MAX_TITLE = 150
MAX_SECTION = 3000
MAX_BLOCKS = 50
MAX_LINKS = 10
"""Elements of a context block."""

_MAX_LABEL = 75
_MAX_URL = 2000
_MAX_FALLBACK = 3000
"""Slack cuts the fallback text at 40,000 and advises 4,000; notifications show far less."""

_SECTIONS = MAX_BLOCKS - 2
"""What the title and the links leave."""

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MENTION = re.compile(r"@(?=(?:channel|here|everyone|group)\b)", re.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make text read otherwise than it is written."""

_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"
"""Kept in an address; what would end a link (`|`, `>`, space) is not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as Slack takes it; `text` is what notifications and screen readers get."""

    text: str
    blocks: tuple[Block, ...]


def render(title: str, lines: Sequence[MessageLine], hosts: Collection[str]) -> Message:
    """Lay out a message: its title, a line for each thing there is to say, and its links."""
    written = [fit(_one_line(f"{line.label}: {line.text}"), MAX_SECTION) for line in lines]
    heading = fit(_one_line(title), MAX_TITLE) or "…"
    return Message(
        text=_joined([heading, *written], limit=_MAX_FALLBACK),
        blocks=(
            HeaderBlock(text=_plain(heading)),
            *(SectionBlock(text=_plain(text)) for text in _sections(written)),
            *_link_row(lines, hosts),
        ),
    )


def render_reply(text: str) -> Message:
    """Lay out a detail: its lines stay lines."""
    kept = "\n".join(_one_line(line) for line in text.splitlines())
    shown = fit(kept.strip(), MAX_SECTION) or "…"
    return Message(text=shown, blocks=(SectionBlock(text=_plain(shown)),))


def fit(text: str, limit: int) -> str:
    """Return outside text without control sequences, in at most `limit` characters."""
    silent = _MENTION.sub("@" + _ZERO_WIDTH_SPACE, text[: limit + 1])
    pieces = [_ESCAPES.get(one, one) for one in silent]
    ends = list(accumulate(map(len, pieces)))
    if not ends or ends[-1] <= limit:
        return "".join(pieces)
    return "".join(pieces[: bisect_right(ends, limit - 1)]) + "…"


def link(url: str, label: str, hosts: Collection[str]) -> str | None:
    """Return a link, or None where its host is not one that may be linked to."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    allowed = parts.scheme in {"https", "http"} and parts.hostname in hosts
    if not allowed or parts.username is not None or len(url) > _MAX_URL:
        return None
    target = quote(url, safe=_URL_SAFE).replace("&", "&amp;")
    return f"<{target}|{fit(_one_line(label), _MAX_LABEL)}>"


def _one_line(text: str) -> str:
    """Return the text on one line, without characters that control or reorder it."""
    shown = "".join(
        " " if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} else one
        for one in text
        if one not in _REORDERING
    )
    return " ".join(shown.split())


def _plain(text: str) -> PlainTextObject:
    return PlainTextObject(text=text, emoji=False)


def _sections(written: Iterable[str]) -> list[str]:
    """Put as many lines as fit into each section."""
    sections: list[str] = []
    for text in written:
        if sections and len(sections[-1]) + 1 + len(text) <= MAX_SECTION:
            sections[-1] += f"\n{text}"
        else:
            sections.append(text)
    return sections if len(sections) <= _SECTIONS else [*sections[: _SECTIONS - 1], "…"]


def _link_row(lines: Sequence[MessageLine], hosts: Collection[str]) -> tuple[Block, ...]:
    made = (link(line.url, line.label, hosts) for line in lines if line.url is not None)
    links = list(dict.fromkeys(one for one in made if one is not None))[-MAX_LINKS:]
    if not links:
        return ()
    # Verbatim: Slack is not to look for further links and names in what stands here.
    elements = [MarkdownTextObject(text=one, verbatim=True) for one in links]
    return (ContextBlock(elements=elements),)


def _joined(texts: Iterable[str], *, limit: int) -> str:
    """Join texts that are escaped already, leaving out those that do not fit."""
    joined = ""
    for text in texts:
        longer = f"{joined}\n{text}" if joined else text
        if len(longer) > limit:
            return joined
        joined = longer
    return joined
