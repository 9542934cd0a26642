"""A delivery of GitHub becomes one event, whatever kind it is; anything else is refused."""

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Malformed, Refused, UnsupportedMedia
from hub.events.attributes import checked
from hub.events.envelope import Envelope
from hub.sources.github import take
from hub.sources.interface import Ignored

DATA = Path(__file__).parents[1] / "data"
MANIFEST = json.loads((DATA / "manifest.json").read_text())
DELIVERIES = [(one["file"], one["event"]) for one in MANIFEST if one["check"] == "GH-ACCEPT"]
EVENTS = [(file, event) for file, event in DELIVERIES if event != "ping"]
PINGS = [(file, event) for file, event in DELIVERIES if event == "ping"]
FORM = "application/x-www-form-urlencoded"
PUSH = DATA / "github/real/rust-lang__bors/push.json"
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def headers(event: str = "push", **more: str) -> dict[str, str]:
    return {
        "x-github-event": event,
        "x-github-delivery": DELIVERY,
        "content-type": "application/json",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def one_event(event: str, body: bytes, **more: str) -> Envelope:
    taken = take(headers(event, **more), body, hubkey="github/a")
    assert not isinstance(taken, Ignored)
    assert len(taken) == 1
    return taken[0]


@pytest.mark.parametrize(("file", "event"), EVENTS)
def test_every_recorded_delivery_is_one_well_formed_event(file: str, event: str) -> None:
    body = (DATA / file).read_bytes()
    payload = json.loads(body)
    taken = one_event(event, body)
    assert taken == checked(taken)
    assert taken.data == body
    assert taken.id == DELIVERY
    assert taken.hubkey == "github/a"
    action = payload.get("action", " ")
    assert taken.type == f"com.github.{event}" + ("" if " " in action else f".{action}")
    if "repository" in payload:
        assert taken.source == payload["repository"]["url"]
        assert taken.partitionkey == payload["repository"]["full_name"]


@pytest.mark.parametrize(("file", "event"), PINGS)
def test_a_ping_is_answered_200_and_is_no_event(file: str, event: str) -> None:
    taken = take(headers(event), (DATA / file).read_bytes(), hubkey="github/a")
    assert taken == Ignored("ping", status=200)


def test_an_event_that_belongs_to_no_repository_belongs_to_its_account() -> None:
    folder = DATA / "github/octokit/api.github.com"
    team = one_event("team", (folder / "team/created.payload.json").read_bytes())
    assert (team.source, team.partitionkey) == (
        "https://api.github.com/orgs/Octocoders",
        "Octocoders",
    )
    gone = one_event("installation", (folder / "installation/deleted.payload.json").read_bytes())
    assert (gone.source, gone.partitionkey) == ("https://api.github.com/users/octocat", "octocat")
    advisory = (folder / "security_advisory/published.payload.json").read_bytes()
    assert one_event("security_advisory", advisory).source == "https://github.com"


@pytest.mark.parametrize("action", ["renamed", "transferred"])
def test_a_repository_that_moved_is_told_of_under_its_new_name(action: str) -> None:
    """T28."""
    file = DATA / f"github/octokit/api.github.com/repository/{action}.payload.json"
    payload = json.loads(file.read_bytes())
    moved = one_event("repository", file.read_bytes())
    assert moved.type == f"com.github.repository.{action}"
    assert moved.partitionkey == payload["repository"]["full_name"]
    assert moved.source == payload["repository"]["url"]
    assert json.loads(moved.data)["changes"] == payload["changes"]


def test_the_subject_is_the_ref_or_the_number() -> None:
    assert one_event("push", PUSH.read_bytes()).subject == json.loads(PUSH.read_bytes())["ref"]
    pull = DATA / "github/real/rust-lang__bors/pull-request-opened.json"
    number = json.loads(pull.read_bytes())["number"]
    assert one_event("pull_request", pull.read_bytes()).subject == str(number)
    comment = DATA / "github/real/rust-lang__bors/issue-comment.json"
    number = json.loads(comment.read_bytes())["issue"]["number"]
    assert one_event("issue_comment", comment.read_bytes()).subject == str(number)


def test_a_kind_and_an_action_that_nobody_knows_yet_are_an_event() -> None:
    body = b'{"action": "teleported", "repository": {"url": "https://h/r", "full_name": "o/r"}}'
    assert one_event("quantum_state", body).type == "com.github.quantum_state.teleported"


def test_an_action_in_free_text_stays_out_of_the_type() -> None:
    body = (
        b'{"action": "Deploy, please!", "repository": {"url": "https://h/r", "full_name": "o/r"}}'
    )
    assert one_event("repository_dispatch", body).type == "com.github.repository_dispatch"


@pytest.mark.parametrize(
    "branch", ["--upload-pack=x", "$(id)", "a;b", "x" * 255, "\u202egnitset", "\U0001f680/\u200d"]
)
def test_a_hostile_branch_name_is_only_data(branch: str) -> None:
    body = json.dumps({**json.loads(PUSH.read_bytes()), "ref": f"refs/heads/{branch}"}).encode()
    assert one_event("push", body).subject == f"refs/heads/{branch}"


def test_a_branch_name_that_no_attribute_can_hold_stays_in_the_data() -> None:
    body = json.dumps({**json.loads(PUSH.read_bytes()), "ref": "refs/heads/\u0085"}).encode()
    taken = one_event("push", body)
    assert (taken.subject, taken.data) == (None, body)


def test_a_form_gives_the_same_event_as_the_json_in_it() -> None:
    body = PUSH.read_bytes()
    form = b"payload=" + quote_plus(body).encode()
    assert one_event("push", form, content_type=FORM) == one_event("push", body)


def test_the_recorded_form_is_a_ping() -> None:
    folder = DATA / "github/form/gidgethub-ping_urlencoded"
    sent = json.loads((folder / "headers.json").read_text())
    taken = take(sent, (folder / "body").read_bytes(), hubkey="github/a")
    assert taken == Ignored("ping", status=200)
    body = (folder / "body").read_bytes()
    assert json.loads(one_event("public", body, content_type=FORM).data)["zen"] == (
        "Keep it logically awesome."
    )


@pytest.mark.parametrize(
    "form",
    [b"", b"payload", b"other=%7B%7D", b"payload=%7B%7D&x=1", b"payload=%7B", b"a=&payload="],
)
def test_a_form_that_is_not_one_payload_is_malformed(form: bytes) -> None:
    with pytest.raises(Malformed):
        take(headers(content_type=FORM), form, hubkey="github/a")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/xml",
        "multipart/form-data",
        "application/json; charset=utf-16",
    ],
)
def test_a_body_that_is_not_said_to_be_json_is_refused_with_415(content_type: str) -> None:
    with pytest.raises(UnsupportedMedia):
        take(headers(content_type=content_type), PUSH.read_bytes(), hubkey="github/a")


@pytest.mark.parametrize(
    "content_type", ["application/json;charset=utf-8", 'Application/JSON ; charset="UTF-8"']
)
def test_json_may_say_that_it_is_utf_8(content_type: str) -> None:
    assert one_event("push", PUSH.read_bytes(), content_type=content_type).type == "com.github.push"


@pytest.mark.parametrize("delivery", ["", " ", "a b", "x" * 129, "caf\xe9", "a\n", "\udc80"])
def test_a_delivery_without_a_fit_id_is_malformed(delivery: str) -> None:
    with pytest.raises(Malformed, match="X-GitHub-Delivery"):
        take(headers(x_github_delivery=delivery), PUSH.read_bytes(), hubkey="github/a")


def test_a_delivery_without_an_id_header_is_malformed() -> None:
    sent = headers()
    del sent["x-github-delivery"]
    with pytest.raises(Malformed, match="X-GitHub-Delivery"):
        take(sent, PUSH.read_bytes(), hubkey="github/a")


@pytest.mark.parametrize("event", ["", "Push", "push.opened", "push\n", "x" * 65, "pu sh", "-"])
def test_an_event_header_that_is_no_name_is_malformed(event: str) -> None:
    with pytest.raises(Malformed, match="X-GitHub-Event"):
        take(headers(event), PUSH.read_bytes(), hubkey="github/a")


@pytest.mark.parametrize(
    ("header", "value", "name"),
    [
        ("x-gitea-event", "push", "Gitea"),
        ("x-forgejo-event", "push", "Forgejo"),
        ("x-gogs-event", "push", "Gogs"),
        ("x-gitlab-event", "Push Hook", "GitLab"),
        ("x-event-key", "repo:push", "Bitbucket"),
    ],
)
def test_others_are_told_that_only_github_is_taken(header: str, value: str, name: str) -> None:
    for file in ("push", "create"):
        body = (DATA / f"gitea/go-playground/{file}.json").read_bytes()
        with pytest.raises(Malformed, match=name):
            take({**headers(), header: value}, body, hubkey="github/a")


def test_a_push_or_pull_request_of_no_repository_is_malformed() -> None:
    azure = b'{"eventType": "git.push", "resource": {"repository": {"name": "r"}}}'
    for event in ("push", "pull_request"):
        with pytest.raises(Malformed, match="repository"):
            take(headers(event), azure, hubkey="github/a")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"[]",
        b"null",
        b'"push"',
        b"1",
        b"{",
        b"{}x",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": [-Infinity]}',
        b'{"a": 01}',
        b'{"a": "\n"}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b'{"a": ' * 500 + b"1" + b"}" * 501,
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        '{"a": 1}'.encode("utf-32"),
        b'{"action": "opened", "action": "closed"}',
        b'{"repository": {}, "\\u0072epository": {}}',
    ],
    ids=range(26),
)
def test_hostile_json_is_malformed_and_never_anything_else(body: bytes) -> None:
    for event in ("push", "watch", "ping"):
        with pytest.raises(Malformed):
            take(headers(event), body, hubkey="github/a")


def test_a_word_that_looks_like_no_number_may_stand_in_a_text() -> None:
    body = json.dumps({**json.loads(PUSH.read_bytes()), "note": "NaN, Infinity"}).encode()
    assert one_event("push", body).data == body


@settings(deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(["push", "issues", "ping"]),
    st.sampled_from(["application/json", FORM]),
)
def test_no_bytes_do_anything_but_be_refused_or_taken(
    body: bytes, event: str, content_type: str
) -> None:
    with suppress(Malformed):
        take(headers(event, content_type=content_type), body, hubkey="github/a")


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["x-github-event", "x-github-delivery", "content-type", "x-gitea-event", "x-other"]
        ),
        st.text(max_size=80),
    )
)
def test_no_headers_do_anything_but_be_refused_or_taken(sent: dict[str, str]) -> None:
    with suppress(Malformed, UnsupportedMedia):
        take(sent, PUSH.read_bytes(), hubkey="github/a")


def test_what_is_wrong_is_said_without_repeating_it() -> None:
    canary = "canary-7f3a"
    for sent, body in (
        (headers(canary), b"{}"),
        (headers(x_github_delivery=f"{canary} "), b"{}"),
        (headers(content_type=canary), b"{}"),
        (headers(), b'{"repository": "' + canary.encode() + b'"}'),
        (headers(), b'{"' + canary.encode() + b'": nul}'),
        (headers(), b'{"action": {"' + canary.encode() + b'": 1}, "repository": {"url": 5}}'),
    ):
        with pytest.raises(Refused) as refused:
            take(sent, body, hubkey="github/a")
        assert canary not in str(refused.value)
