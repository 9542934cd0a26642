"""What git's words about the remote mean."""

import pytest

from hub.clients.git import Ended
from hub.clients.gitops.remote import Verdict, push_verdict, remote_trouble
from hub.errors import PermanentError, TemporaryError


def pushed(reason: str, complaint: str = "") -> Ended:
    told = f"To https://git.example/x\n!\tabc:refs/heads/main\t{reason}\nDone\n"
    return Ended(status=1, output=told.encode(), complaint=complaint)


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("[rejected] (fetch first)", Verdict.LOST),
        ("[rejected] (non-fast-forward)", Verdict.LOST),
        ("[rejected] (stale info)", Verdict.LOST),
        ("[remote rejected] (cannot lock ref 'refs/heads/main': is at a but b)", Verdict.LOST),
        ("[remote rejected] (failed to update ref)", Verdict.LOST),
        ("[remote rejected] (incorrect old value provided)", Verdict.LOST),
        ("[remote failure] (remote failed to report status)", Verdict.UNCLEAR),
        ("[remote rejected] (unpacker error)", Verdict.UNCLEAR),
        ("[remote rejected] (Internal Server Error)", Verdict.UNCLEAR),
        ("[remote rejected] (pre-receive hook declined)", Verdict.DENIED),
        ("[remote rejected] (protected branch hook declined)", Verdict.DENIED),
        ("[remote rejected] (push declined due to repository rule violations)", Verdict.DENIED),
        ("[remote rejected] (something nobody has thought of)", Verdict.DENIED),
    ],
)
def test_a_rejected_push_is_lost_unclear_or_denied(reason: str, verdict: Verdict) -> None:
    assert push_verdict(pushed(reason))[0] is verdict


def test_a_denied_push_tells_what_the_other_side_said() -> None:
    complaint = (
        "remote: error: GH006: Protected branch update failed for refs/heads/main.\n"
        "remote: error: Changes must be made through a pull request. \x1b[31m\n"
        "error: failed to push some refs to 'https://git.example/x'\n"
    )
    _, words = push_verdict(pushed("[remote rejected] (protected branch hook declined)", complaint))
    assert words == (
        "[remote rejected] (protected branch hook declined) error: GH006: Protected branch update "
        "failed for refs/heads/main. error: Changes must be made through a pull request. [31m"
    )


def test_a_push_without_a_word_on_the_ref_is_neither_landed_nor_denied() -> None:
    ended = Ended(status=128, output=b"", complaint="fatal: the remote end hung up unexpectedly")
    assert push_verdict(ended)[0] is Verdict.UNSAID


@pytest.mark.parametrize(
    "words",
    [
        "fatal: couldn't find remote ref refs/heads/main",
        "fatal: Authentication failed for 'https://git.example/x/'",
        "fatal: could not read Username for 'https://git.example': terminal prompts disabled",
        "fatal: unable to access 'https://git.example/x/': The requested URL returned error: 403",
        "error: RPC failed; HTTP 403 curl 22 The requested URL returned error: 403",
        "fatal: repository 'https://git.example/x/' not found",
        "remote: Permission to company/gitops.git denied to bot.",
        "fatal: '/srv/x.git' does not appear to be a git repository",
        "fatal: unable to access 'https://git.example/x/': The requested URL returned error: 301",
        "fatal: transport 'ext' not allowed",
    ],
)
def test_what_the_remote_refuses_is_final(words: str) -> None:
    trouble = remote_trouble(Ended(status=128, output=b"", complaint=words), "; where")
    assert isinstance(trouble, PermanentError)
    assert str(trouble).endswith("; where")


@pytest.mark.parametrize(
    "words",
    [
        "fatal: unable to access 'https://git.example/x/': Could not resolve host: git.example",
        "fatal: unable to access 'http://127.0.0.1:1/x/': Failed to connect to 127.0.0.1 port 1",
        "fatal: unable to access 'https://git.example/x/': The requested URL returned error: 503",
        "error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502",
        "error: RPC failed; curl 56 Recv failure: Connection reset by peer",
        "fatal: unable to access 'https://git.example/x/': SSL certificate problem: expired",
        "fatal: early EOF",
        "fatal: the remote end hung up unexpectedly",
        "fatal: unable to access 'https://x/': Operation too slow. Less than 1000 bytes/sec",
    ],
)
def test_a_remote_that_is_away_may_come_back(words: str) -> None:
    trouble = remote_trouble(Ended(status=128, output=b"", complaint=words), "")
    assert isinstance(trouble, TemporaryError)


@pytest.mark.parametrize(
    "words",
    [
        "fatal: not a git repository: 'x'",
        "fatal: bad object abc",
        "error: cannot lock ref 'refs/trunkline/tip': Unable to create 'x.lock': File exists.",
        "fatal: loose object abc is corrupt",
        "fatal: write error: No space left on device",
        "",
    ],
)
def test_what_the_remote_did_not_say_is_looked_for_in_the_clone(words: str) -> None:
    assert remote_trouble(Ended(status=128, output=b"", complaint=words), "") is None
