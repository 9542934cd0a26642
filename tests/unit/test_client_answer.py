"""What each answer of an outside system means for the run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clients.answer import (
    MAX_WAIT_SECONDS,
    Answer,
    Asked,
    OutcomeUnknownError,
    clean,
    fault,
    wait,
)
from hub.errors import PermanentError, TemporaryError

NOW = 1_800_000_000.0
ASKED = Asked(system="GitHub", credential="github.token (file /run/token)", hidden="s3cr3t-token")


def answer(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, PermanentError),
        (302, PermanentError),
        (400, PermanentError),
        (401, PermanentError),
        (403, PermanentError),
        (404, PermanentError),
        (408, TemporaryError),
        (409, PermanentError),
        (410, PermanentError),
        (422, PermanentError),
        (425, TemporaryError),
        (429, TemporaryError),
        (500, OutcomeUnknownError),
        (502, OutcomeUnknownError),
        (503, OutcomeUnknownError),
        (504, OutcomeUnknownError),
    ],
)
def test_every_status_is_either_tried_again_or_given_up(status: int, kind: type[Exception]) -> None:
    assert type(fault(answer(status), ASKED, wall=NOW)) is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3600"}, 3600),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Fri, 15 Jan 2027 08:01:00 GMT"}, 60),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "1e99"}, MAX_WAIT_SECONDS),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000090"}, 90),
        ({"x-ratelimit-remaining": "12", "x-ratelimit-reset": "1800000090"}, None),
        ({}, None),
    ],
)
def test_how_long_to_leave_it_alone_is_read_in_every_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert wait(answer(429, headers=headers), wall=NOW) == seconds


@given(st.text())
def test_no_retry_after_header_is_too_strange(header: str) -> None:
    seconds = wait(answer(429, headers={"retry-after": header}), wall=NOW)

    assert seconds is None or 0 <= seconds <= MAX_WAIT_SECONDS


@pytest.mark.parametrize(
    "limited",
    [
        answer(403, headers={"retry-after": "30"}),
        answer(
            403,
            headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 30)},
        ),
    ],
)
def test_row_34_githubs_403_with_a_time_is_a_rate_limit(limited: Answer) -> None:
    error = fault(limited, ASKED, wall=NOW)

    assert isinstance(error, TemporaryError)
    assert error.after == 30


def test_row_34_a_secondary_rate_limit_without_a_time_waits_a_minute() -> None:
    body = b'{"message": "You have exceeded a secondary rate limit."}'

    error = fault(answer(403, body), ASKED, wall=NOW)

    assert isinstance(error, TemporaryError)
    assert error.after == 60


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_named_by_its_place_and_not_its_value(status: int) -> None:
    body = b'{"message": "Bad credentials: s3cr3t-token"}'

    text = str(fault(answer(status, body), ASKED, wall=NOW))

    assert "github.token (file /run/token)" in text
    assert "s3cr3t-token" not in text
    assert "Bad credentials: ***" in text


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b'{"message": "Not Found"}', {}, "Not Found"),
        (
            b'{"message": "Validation Failed", "errors": [{"field": "state", "code": "invalid"}]}',
            {},
            "Validation Failed, state invalid",
        ),
        (b'{"errors": ["\'severity\' is wrong"]}', {}, "'severity' is wrong"),
        (b"no such thing\n", {"content-type": "text/plain; charset=utf-8"}, "no such thing"),
    ],
)
def test_the_other_sides_reason_is_told(body: bytes, headers: dict[str, str], words: str) -> None:
    assert str(fault(answer(422, body, headers), ASKED, wall=NOW)) == (
        f"GitHub answered 422: {words}"
    )


@pytest.mark.parametrize("body", [b"<html>oops</html>", b"\xff\xfe", b"[1]", b'{"message": 5}'])
def test_a_body_that_is_no_reason_is_left_out(body: bytes) -> None:
    assert str(fault(answer(422, body), ASKED, wall=NOW)) == "GitHub answered 422"


@given(st.text(max_size=5000))
def test_outside_words_become_one_short_printable_line(text: str) -> None:
    shown = clean(text)

    assert len(shown) <= 300
    assert shown.isprintable()
