"""Verification, on other projects' vectors and on what attackers try."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Unauthentic
from hub.receiver import signatures
from hub.secrets import RingKey, SecretText

DATA = Path(__file__).parents[1] / "data"
GITHUB = json.loads((DATA / "github/vectors/signatures.json").read_text("utf-8"))
STANDARD = json.loads((DATA / "standard-webhooks/vectors.json").read_text("utf-8"))

OLD = RingKey(id="old", secret=SecretText("o" * 32))
NEW = RingKey(id="new", secret=SecretText("ünïcode-secret-of-many-bytes"))
BODY = '{"zen": "Käse"}'.encode()
NOW = 1_700_000_000.0
WHSEC = RingKey(id="whsec", secret=SecretText("whsec_" + base64.b64encode(b"k" * 32).decode()))


def by_id(vector: dict[str, Any]) -> str:
    return str(vector["id"])


def ring(*secrets: str) -> list[RingKey]:
    return [
        RingKey(id=f"key-{place}", secret=SecretText(secret))
        for place, secret in enumerate(secrets)
    ]


def github_header(key: RingKey, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(key.octets, body, hashlib.sha256).hexdigest()


def standard_claim(message_id: str, timestamp: str, body: bytes, key: bytes = b"k" * 32) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def proves(check: Callable[..., str], *given: Any, **named: Any) -> bool:
    try:
        check(*given, **named)
    except Unauthentic:
        return False
    return True


@pytest.mark.parametrize("vector", GITHUB, ids=by_id)
def test_github_signatures_of_other_projects_are_judged_as_they_judge_them(
    vector: dict[str, Any],
) -> None:
    """T1, T4, T5."""
    verdict = proves(
        signatures.by_github,
        ring(*vector["secrets"]),
        signature=vector["headers"].get("X-Hub-Signature-256"),
        body=vector["body"].encode(),
    )

    assert verdict == vector["mac_matches"]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda right: "", id="empty"),
        pytest.param(lambda right: right.upper(), id="all upper case"),
        pytest.param(lambda right: right.replace("sha256", "SHA256"), id="upper-case prefix"),
        pytest.param(lambda right: "sha256=" + right[7:].upper(), id="upper-case digits"),
        pytest.param(lambda right: right[7:], id="no prefix"),
        pytest.param(lambda right: right[:-1], id="a digit short"),
        pytest.param(lambda right: right + "0", id="a digit long"),
        pytest.param(lambda right: right + "\n", id="a line end after it"),
        pytest.param(lambda right: f" {right}", id="a space before it"),
        pytest.param(lambda right: f"{right},{right}", id="comma list"),
        pytest.param(lambda right: f"{right} {right}", id="space list"),
        pytest.param(lambda right: "sha1=" + right[7:47], id="sha1"),
        pytest.param(lambda right: "sha512=" + right[7:] * 2, id="sha512"),
        pytest.param(lambda right: right.replace("sha256=", "sha256=é"), id="not ASCII"),
        pytest.param(lambda right: "sha256=" + "\udcc3\udca9" * 32, id="raw bytes"),
        pytest.param(lambda right: "sha256=" + "\u0663" * 64, id="digits of another script"),
    ],
)
def test_only_the_exact_form_that_github_sends_is_a_signature(
    spoil: Callable[[str], str],
) -> None:
    """T5, T6, T7."""
    assert not proves(signatures.by_github, [OLD], signature=spoil(github_header(OLD)), body=BODY)


def test_a_missing_signature_proves_nothing() -> None:
    """T4."""
    assert not proves(signatures.by_github, [OLD], signature=None, body=BODY)


def test_a_signature_with_sha1_alone_proves_nothing() -> None:
    """T6."""
    sha1 = "sha1=" + hmac.new(OLD.octets, BODY, hashlib.sha1).hexdigest()

    assert not proves(signatures.by_github, [OLD], signature=sha1, body=BODY)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_one_flipped_bit_in_the_body_or_the_signature_is_noticed(
    body: bytes, data: st.DataObject
) -> None:
    """T5."""
    header = github_header(OLD, body)
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    flipped = bytearray(body)
    flipped[bit // 8] ^= 1 << bit % 8
    digit = data.draw(st.integers(7, 70))
    other = header[:digit] + format(int(header[digit], 16) ^ 1, "x") + header[digit + 1 :]

    assert proves(signatures.by_github, [OLD], signature=header, body=body)
    assert not proves(signatures.by_github, [OLD], signature=header, body=bytes(flipped))
    assert not proves(signatures.by_github, [OLD], signature=other, body=body)


@pytest.mark.parametrize("key", [OLD, NEW], ids=["old", "new"])
@pytest.mark.parametrize("keys", [[OLD, NEW], [NEW, OLD]], ids=["old first", "new first"])
def test_every_key_of_the_ring_is_tried_and_the_one_that_matched_is_named(
    keys: list[RingKey], key: RingKey
) -> None:
    """T8."""
    assert signatures.by_github(keys, signature=github_header(key), body=BODY) == key.id


def test_a_ring_without_keys_proves_nothing() -> None:
    empty = hmac.new(b"", BODY, hashlib.sha256).hexdigest()

    assert not proves(signatures.by_github, [], signature=f"sha256={empty}", body=BODY)
    assert not proves(signatures.by_bearer, [], authorization="Bearer ")
    assert not proves(signatures.by_token, [], token="")


@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda raw: raw.decode("latin-1")))
def test_no_text_makes_a_check_raise_anything_but_unauthentic(text: str) -> None:
    """T7."""
    assert not proves(signatures.by_github, [OLD, NEW], signature=text, body=BODY)
    assert not proves(signatures.by_bearer, [OLD, NEW], authorization=text)
    assert not proves(signatures.by_token, [OLD, NEW], token=text)
    assert not proves(
        signatures.by_standard_webhook,
        [WHSEC],
        message_id=text,
        timestamp=text,
        signature=text,
        body=BODY,
        wall=NOW,
    )


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_bearer_scheme_may_be_written_in_any_case(scheme: str) -> None:
    """T37."""
    sent = f"{scheme} {OLD.secret.expose()}"

    assert signatures.by_bearer([NEW, OLD], authorization=sent) == "old"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "o" * 32,
        "Basic " + "o" * 32,
        "Bearer " + "o" * 31,
        "Bearer " + "o" * 33,
        "Bearer " + "O" * 32,
        "Bearer " + "o" * 32 + " ",
        "Bearer " + "o" * 32 + ", Bearer " + "o" * 32,
        "Bearer \udcc3\udca9",
    ],
)
def test_no_other_authorization_than_the_token_itself_is_enough(
    authorization: str | None,
) -> None:
    """T37."""
    assert not proves(signatures.by_bearer, [OLD, NEW], authorization=authorization)


def test_a_token_that_is_not_ascii_is_compared_as_bytes() -> None:
    assert signatures.by_token([OLD, NEW], token=NEW.secret.expose()) == "new"


@pytest.mark.parametrize("vector", STANDARD, ids=by_id)
def test_standard_webhooks_vectors_are_judged_as_the_reference_libraries_do(
    vector: dict[str, Any],
) -> None:
    """T55."""
    headers = vector["headers"]
    verdict = proves(
        signatures.by_standard_webhook,
        ring(vector["secret"]),
        message_id=headers.get("webhook-id"),
        timestamp=headers.get("webhook-timestamp"),
        signature=headers.get("webhook-signature"),
        body=vector["payload"].encode(),
        wall=vector["now"],
    )

    assert verdict == vector["accept"]


@pytest.mark.parametrize(
    ("off", "good"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)]
)
def test_a_timestamp_may_be_five_minutes_off_in_either_direction(off: int, good: bool) -> None:  # noqa: FBT001
    """T55."""
    timestamp = str(int(NOW) + off)

    assert good == proves(
        signatures.by_standard_webhook,
        [WHSEC],
        message_id="msg_1",
        timestamp=timestamp,
        signature=standard_claim("msg_1", timestamp, BODY),
        body=BODY,
        wall=NOW,
    )


@pytest.mark.parametrize(
    "timestamp", ["", "-1", "1e9", "1700000000.0", " 1700000000", "\u0661", "9" * 40]
)
def test_a_timestamp_that_is_no_plain_number_is_refused(timestamp: str) -> None:
    """T55."""
    assert not proves(
        signatures.by_standard_webhook,
        [WHSEC],
        message_id="msg_1",
        timestamp=timestamp,
        signature=standard_claim("msg_1", timestamp, BODY),
        body=BODY,
        wall=NOW,
    )


@pytest.mark.parametrize("wrong", ["v1,AAAA", "v1a,abc", "v2,abc", "", "v1"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_one_right_signature_among_several_is_enough(wrong: str, place: str) -> None:
    """T8: a sender that rotates its key signs with both."""
    right = standard_claim("msg_1", str(int(NOW)), BODY)
    several = f"{right} {wrong}" if place == "first" else f"{wrong} {right}"

    matched = signatures.by_standard_webhook(
        [RingKey(id="other", secret=SecretText(base64.b64encode(b"x" * 24).decode())), WHSEC],
        message_id="msg_1",
        timestamp=str(int(NOW)),
        signature=several,
        body=BODY,
        wall=NOW,
    )

    assert matched == "whsec"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda claim: claim.replace("v1,", "v1a,"), id="asymmetric"),
        pytest.param(lambda claim: claim.replace("v1,", "v2,"), id="version 2"),
        pytest.param(lambda claim: claim.replace("v1,", ""), id="no version"),
        pytest.param(lambda claim: claim.rstrip("="), id="no padding"),
        pytest.param(lambda claim: claim[:-2] + chr(ord(claim[-2]) + 1) + "=", id="unused bits"),
        pytest.param(lambda claim: f"{claim},{claim}", id="comma list"),
    ],
)
def test_a_signature_that_is_nearly_right_is_wrong(spoil: Callable[[str], str]) -> None:
    """T5."""
    assert not proves(
        signatures.by_standard_webhook,
        [WHSEC],
        message_id="msg_1",
        timestamp=str(int(NOW)),
        signature=spoil(standard_claim("msg_1", str(int(NOW)), BODY)),
        body=BODY,
        wall=NOW,
    )


def test_the_border_between_id_time_and_body_cannot_be_moved() -> None:
    """The same signed bytes, cut elsewhere: the id would hold a full stop."""
    claim = standard_claim("msg_1", str(int(NOW)), b"1700000000.5")

    assert not proves(
        signatures.by_standard_webhook,
        [WHSEC],
        message_id=f"msg_1.{int(NOW)}",
        timestamp="1700000000",
        signature=claim,
        body=b"5",
        wall=NOW,
    )


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_!!!!", "whsec_" + "QUJD" * 7 + "é", "QUJD" * 5]
)
def test_a_signing_secret_that_is_short_or_not_base64_is_no_key(secret: str) -> None:
    assert signatures.standard_webhook_key(SecretText(secret)) is None
    assert not proves(
        signatures.by_standard_webhook,
        ring(secret),
        message_id="msg_1",
        timestamp=str(int(NOW)),
        signature=standard_claim("msg_1", str(int(NOW)), BODY, key=b""),
        body=BODY,
        wall=NOW,
    )
