"""The views of GitHub's events read every real payload, and say what handlers ask."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Malformed
from hub.events.envelope import Envelope
from hub.events.github import CheckRunRerequested, CheckSuiteRerequested, PullRequest, Push

DATA = Path(__file__).parents[1] / "data"
MANIFEST = json.loads((DATA / "manifest.json").read_text())
PUSHES = [
    one["file"] for one in MANIFEST if one.get("event") == "push" and "gitea" not in one["file"]
]
CHECKS = [
    one["file"]
    for one in MANIFEST
    if one.get("event") in {"check_run", "check_suite"} and "gitea" not in one["file"]
]
PULLS = [one["file"] for one in MANIFEST if one.get("event") == "pull_request"]
ZEROS = "0" * 40
SHA = "1" * 40


def event(body: bytes | dict[str, Any]) -> Envelope:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Envelope(id="1", source="/github", type="com.github.x", partitionkey="o/r", data=data)


def push(**more: Any) -> Push:
    return Push.read(event({"repository": {"full_name": "o/r"}, "ref": "", "after": SHA, **more}))


def pull(head: Any, base: Any) -> PullRequest:
    body = {"number": 7, "head": {"sha": SHA, "repo": head}, "base": {"repo": base}}
    return PullRequest.read(event({"repository": {"full_name": "o/r"}, "pull_request": body}))


@pytest.mark.parametrize("file", PUSHES)
def test_every_recorded_push_is_read(file: str) -> None:
    payload = json.loads((DATA / file).read_bytes())
    read = Push.read(event((DATA / file).read_bytes()))
    assert read.repository == payload["repository"]["full_name"]
    assert read.name == payload["repository"]["name"]
    assert read.clone_url == payload["repository"].get("clone_url")
    assert (read.ref, read.after, read.before) == (
        payload["ref"],
        payload["after"],
        payload["before"],
    )
    assert read.forced == payload["forced"]
    assert read.deleted == (payload["deleted"] or payload["after"] == ZEROS)
    assert (read.branch is None) == (not payload["ref"].startswith("refs/heads/"))
    assert read.compare_url == payload["compare"]
    if payload["head_commit"] is None:
        assert read.title == ""
    else:
        assert payload["head_commit"]["message"].startswith(read.title)
        assert "\n" not in read.title
    assert read.author


@pytest.mark.parametrize("file", PULLS)
def test_every_recorded_pull_request_is_read(file: str) -> None:
    payload = json.loads((DATA / file).read_bytes())
    read = PullRequest.read(event((DATA / file).read_bytes()))
    theirs, head = payload["pull_request"], payload["pull_request"]["head"]
    assert read.repository == payload["repository"]["full_name"]
    assert read.name == payload["repository"]["name"]
    assert (read.number, read.title, read.url) == (
        theirs["number"],
        theirs["title"],
        theirs["html_url"],
    )
    assert (read.head_sha, read.head_ref, read.base_ref) == (
        head["sha"],
        head["ref"],
        theirs["base"]["ref"],
    )
    assert read.ref == f"refs/pull/{payload['number']}/head"
    same = head["repo"] is not None and (
        head["repo"]["full_name"] == theirs["base"]["repo"]["full_name"]
    )
    assert read.fork is not same


@pytest.mark.parametrize(
    ("ref", "branch", "tag"),
    [
        ("refs/heads/main", "main", None),
        ("refs/heads/feature/login/v2", "feature/login/v2", None),
        ("refs/heads/refs/heads/x", "refs/heads/x", None),
        ("refs/heads/--upload-pack=x", "--upload-pack=x", None),
        ("refs/tags/v1.0", None, "v1.0"),
        ("refs/tags/heads/main", None, "heads/main"),
        ("refs/pull/1/head", None, None),
        ("refs/notes/heads/main", None, None),
        ("main", None, None),
        ("heads/main", None, None),
        ("", None, None),
    ],
)
def test_a_branch_is_everything_after_refs_heads(
    ref: str, branch: str | None, tag: str | None
) -> None:
    assert (push(ref=ref).branch, push(ref=ref).tag) == (branch, tag)


@pytest.mark.parametrize(
    ("sent", "deleted"),
    [
        ({"deleted": False, "after": SHA}, False),
        ({"after": SHA}, False),
        ({"deleted": True, "after": ZEROS}, True),
        ({"deleted": True, "after": SHA}, True),
        ({"deleted": False, "after": ZEROS}, True),
        ({"deleted": False, "after": "0" * 64}, True),
    ],
)
def test_a_ref_is_deleted_where_either_sign_says_so(
    sent: dict[str, Any],
    deleted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert push(**sent).deleted is deleted


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("Fix it", "Fix it"),
        ("Fix it\n\nBecause.", "Fix it"),
        ("Fix it\r\nnow", "Fix it"),
        ("\n\n Fix it \n", "Fix it"),
        ("", ""),
        ("\n", ""),
        (None, ""),
    ],
)
def test_the_title_is_the_first_line_of_the_message(message: str | None, title: str) -> None:
    assert push(head_commit={"message": message}).title == title
    assert push(head_commit=None).title == ""


def test_who_pushed_is_the_sender_else_the_pusher() -> None:
    assert push(sender={"login": "a"}, pusher={"name": "b"}).author == "a"
    assert push(pusher={"name": "b"}).author == "b"
    assert push().author == ""


def test_a_pull_request_of_the_repository_itself_is_no_fork() -> None:
    assert not pull({"full_name": "o/r"}, {"full_name": "o/r"}).fork


@pytest.mark.parametrize("head", [{"full_name": "else/r"}, {"full_name": None}, {}, None])
def test_commits_from_elsewhere_or_from_nowhere_are_a_fork(head: Any) -> None:
    assert pull(head, {"full_name": "o/r"}).fork


def test_a_fork_of_which_nothing_is_known_is_a_fork() -> None:
    assert pull(None, None).fork


def test_what_a_handler_needs_is_demanded_by_name_and_never_repeated() -> None:
    with pytest.raises(Malformed, match="after") as refused:
        Push.read(event({"repository": {"full_name": "o/r"}, "ref": 5, "after": ["canary"]}))
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("file", CHECKS)
def test_every_recorded_check_is_read(file: str) -> None:
    payload = json.loads((DATA / file).read_bytes())
    name = "check_run" if "check_run" in payload else "check_suite"
    view = {"check_run": CheckRunRerequested, "check_suite": CheckSuiteRerequested}[name]
    read = view.read(event(payload))
    assert isinstance(read, CheckRunRerequested | CheckSuiteRerequested)
    assert read.repository == payload["repository"]["full_name"]
    assert read.revision == payload[name]["head_sha"]
