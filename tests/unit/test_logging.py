"""The log: one event is one line, libraries are heard within bounds, and no secret passes."""

import base64
import io
import json
import logging
from urllib.parse import quote

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from hub.secrets import SecretText
from hub.telemetry.logging import (
    LIBRARY_LINES,
    LIBRARY_WINDOW_SECONDS,
    LibraryHandler,
    configure,
    render,
)
from hub.telemetry.redaction import MAX_TEXT, Redactor
from hub.token_shapes import masked

CANARY = 'c4n4ry "with\nquotes" \u00e4nd/slashes+'


class Log:
    """A log of its own, read back as it was written."""

    def __init__(self, level="info"):
        self.stream = io.BytesIO()
        self.redactor = configure(level, self.stream)
        self.say = structlog.get_logger()

    @property
    def lines(self):
        return self.stream.getvalue().decode().splitlines()

    @property
    def events(self):
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def log():
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield Log()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json_with_its_level_and_time(log):
    log.say.bind(event_id="e1").info("event_accepted", door="github", ms=1.5)
    (event,) = log.events
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "event_accepted",
        "event_id": "e1",
        "door": "github",
        "ms": 1.5,
        "level": "info",
    }


def test_context_that_was_bound_stands_in_every_event(log):
    with structlog.contextvars.bound_contextvars(handler="bump_image_tag"):
        log.say.warning("run_ended")
    assert log.events[0]["handler"] == "bump_image_tag"


def test_what_is_below_the_level_is_not_written(log):
    log.say.debug("step_done")
    assert log.lines == []


C0_AND_C1 = [*range(0x20), *range(0x7F, 0xA0)]
SEPARATORS = [0x2028, 0x2029]
BIDI = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
SURROGATES = [0xD800, 0xDFFF]


@given(st.text(max_size=30), st.sampled_from(C0_AND_C1 + SEPARATORS + BIDI + SURROGATES))
def test_no_character_breaks_the_line_or_reaches_a_terminal(text, control):
    hostile = f"{text}{chr(control)}{text}"
    event = Redactor()(None, "info", {"event": hostile, "nested": {hostile: [hostile]}})
    line = render(None, "info", event).decode()
    assert len(line.splitlines()) == 1
    assert not any(0x7F <= ord(char) < 0xA0 for char in line)
    assert chr(control) not in line
    assert json.loads(line) == orjson.loads(line)


def test_a_control_character_can_be_read_back(log):
    log.say.info("event_accepted", branch="a\x1b[31m\x9b\u202e\u2028b")
    assert log.events[0]["branch"] == "a\x1b[31m\x9b\u202e\u2028b"


WAYS = {
    "a value": lambda say, text: say.info("x", value=text),
    "the event's name": lambda say, text: say.info(text),
    "a list in a mapping": lambda say, text: say.info("x", value={"a": [{"b": (text,)}]}),
    "a set": lambda say, text: say.info("x", value={text}),
    "a key": lambda say, text: say.info("x", value={text: 1}),
    "bytes": lambda say, text: say.info("x", value=text.encode("ascii", "ignore")),
    "an error": lambda say, text: say.info("x", error=ValueError(text)),
    "a JSON body": lambda say, text: say.info("x", body=json.dumps({"a": text})),
    "an address": lambda say, text: say.info("x", url=f"https://x/?q={quote(text, safe='')}"),
    "a bound value": lambda say, text: say.bind(value=text).info("x"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", ["0123456789-canary", "xoxb-0123456789-canary"])
def test_a_secret_is_masked_wherever_it_stands(log, way, secret):
    log.redactor.add(SecretText(secret))
    WAYS[way](log.say, f"before {secret} after")
    assert len(log.events) == 1
    assert "canary" not in log.lines[0]
    assert "***" in log.lines[0]


@pytest.mark.parametrize("way", ["a value", "a list in a mapping", "an error", "an address"])
def test_a_secret_of_any_characters_is_masked(log, way):
    log.redactor.add(SecretText(CANARY))
    WAYS[way](log.say, f"before {CANARY} after")
    assert "c4n4ry" not in log.lines[0]


def test_a_secret_inside_a_json_body_is_masked(log):
    log.redactor.add(SecretText(CANARY))
    log.say.info("answered", body=orjson.dumps({"token": CANARY}).decode())
    assert "c4n4ry" not in log.lines[0]


def test_a_secret_that_begins_with_another_is_masked_whole(log):
    log.redactor.add(SecretText("abcdefgh"))
    log.redactor.add(SecretText("abcdefgh-canary"))
    log.say.info("x", value="abcdefgh-canary")
    assert log.events[0]["value"] == "***"


def test_a_word_too_short_for_a_secret_blanks_nothing(log):
    log.redactor.add(SecretText("push"))
    log.say.info("push_received")
    assert log.events[0]["event"] == "push_received"


BASIC = base64.b64encode(b"user:canarycanary").decode()


@pytest.mark.parametrize(
    "text",
    [
        "ghp_canary0123456789ABCDEFabcdef",
        "ghs_canary0123456789ABCDEFabcdef",
        "github_pat_11AAAAAAA0canary_canary",
        "glpat-canary0123456789abcd",
        "xoxb-1234-canary",
        "xapp-1-A1-canary0123",
        "https://hooks.slack.com/services/T0/B0/canary0123",
        "squ_0123456789abcdef0123456789abcdef01234567",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ",
        "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5",
        "Bearer canary.canary",
        f"Basic {BASIC}",
        "{'Authorization': 'token canarycanary'}",
        "https://user:canary@host/path",
        "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\ncanary, cut o",
    ],
)
def test_a_credential_nobody_told_of_is_known_by_its_shape(text):
    shown = masked(f"it said {text} and so on")
    assert "***" in shown
    assert "canary" not in shown
    assert text not in shown


@pytest.mark.parametrize(
    "text",
    [
        "com.github.pull_request.opened",
        "https://github.com/company/payments/actions/runs/1",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "git@github.com:company/payments.git",
        "http://127.0.0.1:8080/webhooks/github",
        "no bearer token was sent",
        "user@example.com: hello",
    ],
)
def test_ordinary_text_passes_unchanged(text):
    assert masked(text) == text


@pytest.mark.parametrize("name", ["authorization", "X-Hub-Signature-256", "routing_key", "Cookie"])
def test_a_field_with_a_telling_name_is_masked_whatever_it_holds(log, name):
    log.say.info("x", headers={name: "plain"}, **{name: "plain"})
    assert "plain" not in log.lines[0]


def test_an_exception_shows_no_locals_and_no_secret(log):
    log.redactor.add(SecretText("canary-in-the-message"))

    def fail():
        local = "canary-in-a-local"
        raise ValueError("canary-in-the-message", len(local))

    try:
        fail()
    except ValueError:
        log.say.exception("handler_failed")
    (event,) = log.events
    assert "ValueError: ('***', 17)" in event["exception"]
    assert "in fail" in event["exception"]
    assert "canary-in-a-local" not in event["exception"]


def test_long_text_is_cut(log):
    log.say.info("x", value="y" * (2 * MAX_TEXT))
    assert len(log.lines[0]) < MAX_TEXT + 200


def test_values_that_json_does_not_know_are_written_as_text(log):
    circle: list[object] = []
    circle.append(circle)
    log.say.info("x", number=2**70, path=io.BytesIO, circle=circle, nothing=float("nan"))
    assert log.events[0]["number"] == str(2**70)


@pytest.mark.usefixtures("log")
def test_a_stream_that_cannot_be_written_costs_only_the_line():
    class Full(io.RawIOBase):
        def write(self, _octets):
            raise OSError(28, "No space left on device")

    configure("info", Full())
    structlog.get_logger().info("event_accepted")


def test_what_a_library_reports_comes_out_the_same_way(log):
    log.redactor.add(SecretText("canary-0123"))
    logging.getLogger("asyncio").error("Task %s failed", "canary-0123", exc_info=ValueError("x"))
    (event,) = log.events
    assert event["event"] == "library_reported"
    assert event["level"] == "error"
    assert event["library"] == "asyncio"
    assert event["text"] == "Task *** failed"
    assert event["exception"] == "ValueError: x"


def test_what_a_library_tells_below_warning_is_left_out(log):
    logging.getLogger("aiohttp.access").info("GET /")
    assert log.lines == []


def test_configuring_twice_does_not_write_twice(log):
    again = Log()
    logging.getLogger("asyncio").warning("once")
    assert (len(log.lines), len(again.lines)) == (0, 1)


def test_a_library_that_floods_is_held_to_its_allowance_and_the_rest_is_counted(log):
    now = 0.0
    handler = LibraryHandler(now=lambda: now)

    def report(library, times):
        for _ in range(times):
            handler.emit(logging.LogRecord(library, logging.ERROR, "", 0, "bad", (), None))

    report("aiohttp.server", LIBRARY_LINES + 95)
    report("asyncio", 1)
    assert len(log.lines) == LIBRARY_LINES + 1
    now = LIBRARY_WINDOW_SECONDS
    report("aiohttp.server", 1)
    assert log.events[-1]["suppressed"] == 95
