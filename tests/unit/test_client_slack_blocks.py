"""How messages look in Slack, and what no outside text can do to them."""

import html
import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.actions.slack import MessageLine
from hub.clients.slack.blocks import (
    MAX_BLOCKS,
    MAX_SECTION,
    MAX_TITLE,
    Message,
    fit,
    link,
    render,
    render_reply,
)

HOSTS = frozenset({"argocd.example.com"})
URL = "https://argocd.example.com/applications/argocd/orders-staging"

HOSTILE = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            [
                "<!channel>",
                "<!here|here>",
                "<@U012AB3CD>",
                "<#C012AB3CD>",
                "<https://evil.example|argocd>",
                "@channel",
                "@Everyone",
                "&lt;",
                "&amp;lt;!channel&amp;gt;",
                "\u202e",
                "\n",
                "|",
                ">",
                "*b*",
                " ",
                "x" * 160,
            ]
        ),
        max_size=40,
    ).map("".join),
)


def strings(message: Message) -> Iterator[tuple[str, str]]:
    """Every text that Slack gets, with its type."""
    yield "mrkdwn", message.text
    for block in message.blocks:
        shown = block.to_dict()
        for part in [shown.get("text"), *shown.get("elements", ())]:
            if part is not None:
                yield part["type"], part["text"]


def assert_harmless(message: Message) -> None:
    for kind, text in strings(message):
        tokens = re.findall(r"<[^>]*>?", text)
        assert all(re.match(rf"<{re.escape(URL)}\|[^<>]*>\Z", one) for one in tokens), text
        assert kind == "mrkdwn" or not tokens
        assert re.search(r"@(channel|here|everyone|group)\b", text, re.IGNORECASE) is None
        assert re.sub(r"&(amp|lt|gt);", "", text).count("&") == 0
        assert "\u202e" not in text


@given(
    title=HOSTILE,
    lines=st.lists(
        st.builds(
            MessageLine,
            label=HOSTILE,
            text=HOSTILE,
            url=st.sampled_from([None, URL, "https://evil.example/x", "javascript:alert(1)"]),
        ),
        max_size=8,
    ).map(tuple),
)
def test_row_100_no_outside_text_makes_a_control_sequence(
    title: str, lines: tuple[MessageLine, ...]
) -> None:
    assert_harmless(render(title, lines, HOSTS))


@given(text=HOSTILE)
def test_row_100_no_outside_text_makes_a_control_sequence_in_a_reply(text: str) -> None:
    assert_harmless(render_reply(text))


@given(text=st.text(max_size=400), limit=st.integers(min_value=1, max_value=300))
def test_text_is_cut_to_its_limit_and_never_inside_an_entity(text: str, limit: int) -> None:
    shown = fit(text, limit)

    assert len(shown) <= limit
    assert re.fullmatch(r"(?:[^&<>]|&(?:amp|lt|gt);)*", shown, re.DOTALL)


def test_text_that_fits_reads_as_it_was_written() -> None:
    text = "fix <b> & 'c' for registry/app@sha256:0123"

    assert html.unescape(fit(text, 3000)) == text


def test_row_100_fifty_kilobytes_and_hundreds_of_lines_stay_within_slacks_limits() -> None:
    lines = tuple(MessageLine(label=str(n), text="&" * 50_000, url=URL) for n in range(300))

    message = render("t" * 50_000, lines, HOSTS)

    assert len(message.blocks) <= MAX_BLOCKS
    for block in message.blocks:
        block.validate_json()
        shown = block.to_dict()
        if shown["type"] == "section":
            assert 1 <= len(shown["text"]["text"]) <= MAX_SECTION
        if shown["type"] == "header":
            assert len(shown["text"]["text"]) == MAX_TITLE
    assert len(message.text) <= MAX_SECTION
    assert len(json.dumps([block.to_dict() for block in message.blocks])) < 1_000_000


def test_a_message_shows_its_lines_together_and_its_links_below() -> None:
    lines = (
        MessageLine(label="built", text="in 3 min", url=URL),
        MessageLine(label="synced", text="to dev"),
    )

    blocks = [block.to_dict() for block in render("orders → dev", lines, HOSTS).blocks]

    assert [block["type"] for block in blocks] == ["header", "section", "context"]
    assert blocks[1]["text"]["text"] == "built: in 3 min\nsynced: to dev"
    assert blocks[2]["elements"][0]["text"] == f"<{URL}|built>"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://argocd.example.com.evil.example/",
        "https://argocd.example.com@evil.example/",
        "https://user@argocd.example.com/",
        "javascript:alert(1)//argocd.example.com",
        "//argocd.example.com/",
        "https://[argocd.example.com/",
        f"{URL}?{'x' * 3000}",
    ],
)
def test_only_allowed_hosts_become_links(url: str) -> None:
    assert link(url, "open", HOSTS) is None


def test_an_address_cannot_end_its_own_link() -> None:
    assert link(f"{URL}?a=1&b=|<!channel>", "open", HOSTS) == (
        f"<{URL}?a=1&amp;b=%7C%3C!channel%3E|open>"
    )


def test_a_message_without_words_is_still_a_message() -> None:
    for message in (render("", (), HOSTS), render_reply(" \n ")):
        assert all(text for _, text in strings(message))
