"""The sandbox's GitHub, over its real protocols: REST, git and signed webhooks."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hub.sandbox.clock import Clock
from hub.sandbox.faults import Faults, ResetAfterEffect, Status
from hub.sandbox.git import git
from hub.sandbox.github import GitHub
from hub.sandbox.history import NO_COMMIT
from hub.sandbox.loopback import Loopback

TOKEN = "ghs_0123456789012345678901234567890123456789"
SECRET = "a-webhook-secret-of-many-bytes-ünïcode"
ORDERS = "company/order-service"


@dataclass
class Receiver:
    """A webhook endpoint that keeps what it gets and answers as told."""

    status: int = 202
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, text="taken")

    def events(self, name: str) -> list[dict[str, Any]]:
        return [
            json.loads(body) for headers, body in self.requests if headers["X-GitHub-Event"] == name
        ]


@dataclass
class Setting:
    github: GitHub
    faults: Faults
    session: aiohttp.ClientSession
    receiver: Receiver
    receiver_url: str

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, self.github.url + path, json=body) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    faults, receiver = Faults(), Receiver()
    github = GitHub(faults=faults, folder=tmp_path, clock=Clock(), token=TOKEN)
    await github.start()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    server = Loopback(app)
    url = await server.start() + "/hook"
    github.create_repository(ORDERS)
    await github.push(ORDERS, "main", "Begin", {"README.md": "# Orders\n"})
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=bearer) as session:
        yield Setting(
            github=github, faults=faults, session=session, receiver=receiver, receiver_url=url
        )
    await github.stop()
    await server.stop()


async def head(setting: Setting) -> str:
    return await setting.github.repositories[ORDERS].resolve("main")


async def test_a_status_is_kept_and_shown_in_the_combined_one(setting: Setting) -> None:
    sha = await head(setting)
    path = f"/repos/{ORDERS}/statuses/{sha}"
    for state in ("pending", "success"):
        status, shown = await setting.ask("POST", path, {"state": state, "context": "ci"})
        assert (status, shown["state"]) == (201, state)
    status, combined = await setting.ask("GET", f"/repos/{ORDERS}/commits/main/status")
    assert (status, combined["state"], combined["sha"]) == (200, "success", sha)
    assert [one["context"] for one in combined["statuses"]] == ["ci"]
    assert [one.state for one in setting.github.statuses.of(ORDERS, sha)] == ["pending", "success"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"state": "ok"}, "state"),
        ({"state": "success", "description": "x" * 141}, "description"),
        ({"state": "success", "target_url": "javascript:alert(1)"}, "target_url"),
    ],
)
async def test_a_wrong_status_is_refused_by_field(
    setting: Setting, body: dict[str, str], field: str
) -> None:
    path = f"/repos/{ORDERS}/statuses/{await head(setting)}"
    status, problem = await setting.ask("POST", path, body)
    assert status == 422
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_the_thousand_and_first_status_of_a_context_is_refused(setting: Setting) -> None:
    path = f"/repos/{ORDERS}/statuses/{await head(setting)}"
    await asyncio.gather(*(setting.ask("POST", path, {"state": "pending"}) for _ in range(1000)))
    status, problem = await setting.ask("POST", path, {"state": "success"})
    assert status == 422
    assert "maximum number of statuses" in problem["message"]
    assert (await setting.ask("POST", path, {"state": "success", "context": "other"}))[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", f"/repos/{ORDERS}/statuses/{'a' * 40}", 422),
        ("POST", f"/repos/company/unknown/statuses/{'a' * 40}", 404),
        ("GET", f"/repos/{ORDERS}/commits/unknown", 422),
        ("GET", f"/repos/{ORDERS}/compare/main...unknown", 404),
        ("GET", "/nothing/here", 404),
        ("GET", f"/repos/{ORDERS}/hooks/7/deliveries", 404),
    ],
)
async def test_what_is_not_there_is_said_as_github_says_it(
    setting: Setting, method: str, path: str, expected: int
) -> None:
    status, problem = await setting.ask(method, path, {"state": "success"})
    assert status == expected
    assert problem["status"] == str(expected)
    assert problem["message"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": f"Bearer {TOKEN}", "User-Agent": ""}, 403),
    ],
)
async def test_without_proof_nothing_is_answered(
    setting: Setting, headers: dict[str, str], expected: int
) -> None:
    address = f"{setting.github.url}/repos/{ORDERS}/commits/main"
    async with aiohttp.request("GET", address, headers=headers) as answer:
        assert answer.status == expected


async def test_every_answer_tells_the_rate_limit(setting: Setting) -> None:
    remaining = []
    for _ in range(2):
        async with setting.session.get(setting.github.url + "/rate") as answer:
            remaining.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert remaining[0] - remaining[1] == 1


async def test_compare_tells_ahead_behind_identical_and_diverged(setting: Setting) -> None:
    when = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    first = await head(setting)
    second = await setting.github.push(ORDERS, "main", "Second", at=when)
    other = await setting.github.push(ORDERS, "topic/a", "Other")
    third = await setting.github.push(ORDERS, "main", "Third")
    expected = {
        (first, second.sha): ("ahead", 1, 0),
        (second.sha, first): ("behind", 0, 1),
        (second.sha, second.sha): ("identical", 0, 0),
        (third.sha, "topic/a"): ("diverged", 1, 1),
    }
    for (base, tip), outcome in expected.items():
        _, shown = await setting.ask("GET", f"/repos/{ORDERS}/compare/{base}...{tip}")
        assert (shown["status"], shown["ahead_by"], shown["behind_by"]) == outcome
    _, shown = await setting.ask("GET", f"/repos/{ORDERS}/compare/{first}...{other.sha}")
    assert [one["sha"] for one in shown["commits"]] == [second.sha, other.sha]
    assert shown["commits"][0]["commit"]["committer"]["date"] == "2026-01-31T09:30:00Z"


async def test_unrelated_histories_cannot_be_compared(setting: Setting) -> None:
    other = setting.github.create_repository("company/other")
    await other.commit("main", "Begin anew", {"other.txt": "x"})
    await setting.github.repositories[ORDERS].fetch(other, "main", "refs/heads/unrelated")
    status, _ = await setting.ask("GET", f"/repos/{ORDERS}/compare/main...unrelated")
    assert status == 404


async def test_a_commit_is_shown_with_its_parents_and_files(setting: Setting) -> None:
    first = await head(setting)
    commit = await setting.github.push(ORDERS, "main", "Drop it\n\nBody", {"README.md": None})
    status, shown = await setting.ask("GET", f"/repos/{ORDERS}/commits/main")
    assert (status, shown["sha"]) == (200, commit.sha)
    assert [parent["sha"] for parent in shown["parents"]] == [first]
    assert shown["files"] == [{"filename": "README.md", "status": "removed"}]
    assert shown["commit"]["message"] == "Drop it\n\nBody"


async def test_a_check_run_goes_from_queued_to_its_conclusion(setting: Setting) -> None:
    sha = await head(setting)
    path = f"/repos/{ORDERS}/check-runs"
    status, run = await setting.ask("POST", path, {"name": "build", "head_sha": sha})
    assert (status, run["status"], run["conclusion"]) == (201, "queued", None)
    status, _ = await setting.ask("PATCH", f"{path}/{run['id']}", {"status": "completed"})
    assert status == 422
    _, run = await setting.ask("PATCH", f"{path}/{run['id']}", {"conclusion": "failure"})
    assert (run["status"], run["conclusion"]) == ("completed", "failure")
    _, listed = await setting.ask("GET", f"/repos/{ORDERS}/commits/{sha}/check-runs")
    assert [one["name"] for one in listed["check_runs"]] == ["build"]


async def test_a_push_is_delivered_signed_and_whole(setting: Setting) -> None:
    setting.github.add_hook(ORDERS, url=setting.receiver_url, secret=SECRET)
    before = await head(setting)
    commit = await setting.github.push(ORDERS, "main", "Änder es", {"a b/ü.txt": "x"})
    await setting.github.settled()
    (push,) = setting.receiver.events("push")
    assert (push["ref"], push["before"], push["after"]) == ("refs/heads/main", before, commit.sha)
    assert push["head_commit"]["added"] == ["a b/ü.txt"]
    assert push["repository"]["full_name"] == ORDERS
    assert push["repository"]["url"] == f"{setting.github.git.url}/{ORDERS}"
    for headers, body in setting.receiver.requests:
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Hub-Signature-256"] == f"sha256={digest}"
    assert len({headers["X-GitHub-Delivery"] for headers, _ in setting.receiver.requests}) == 2
    assert len(setting.receiver.events("ping")) == 1


async def test_a_push_by_the_git_command_is_delivered_too(setting: Setting, tmp_path: Path) -> None:
    setting.github.add_hook(ORDERS, url=setting.receiver_url, secret=SECRET)
    host = setting.github.git.url.removeprefix("http://")
    remote = f"http://x-access-token:{TOKEN}@{host}/{ORDERS}.git"
    await git(tmp_path, "clone", "--quiet", remote, "clone")
    await git(tmp_path / "clone", "push", "--quiet", "origin", "main:topic/$(id)")
    await git(tmp_path / "clone", "push", "--quiet", "origin", "--delete", "topic/$(id)")
    await setting.github.settled()
    pushes = {push["deleted"]: push for push in setting.receiver.events("push")}
    assert pushes[False]["created"]
    assert pushes[False]["ref"] == "refs/heads/topic/$(id)"
    assert pushes[False]["commits"] == []
    assert pushes[True]["after"] == NO_COMMIT
    assert pushes[True]["head_commit"] is None


async def test_a_failed_delivery_is_kept_and_only_repeated_when_asked(setting: Setting) -> None:
    hook = setting.github.add_hook(ORDERS, url=setting.receiver_url, secret=SECRET)
    await setting.github.settled()
    setting.receiver.status = 503
    await setting.github.push(ORDERS, "main", "Missed")
    await setting.github.settled()
    path = f"/repos/{ORDERS}/hooks/{hook.id}/deliveries"
    _, (failed, _) = await setting.ask("GET", path)
    assert (failed["event"], failed["status_code"], failed["redelivery"]) == ("push", 503, False)
    setting.receiver.status = 202
    assert (await setting.ask("POST", f"{path}/{failed['id']}/attempts"))[0] == 202
    await setting.github.settled()
    _, (again, *_) = await setting.ask("GET", path)
    assert (again["guid"], again["status_code"]) == (failed["guid"], 202)
    assert again["redelivery"]
    _, whole = await setting.ask("GET", f"{path}/{again['id']}")
    assert whole["request"]["payload"]["head_commit"]["message"] == "Missed"
    assert whole["response"]["payload"] == "taken"


async def test_deliveries_come_in_pages(setting: Setting) -> None:
    hook = setting.github.add_hook(ORDERS, url=setting.receiver_url, secret=None)
    for number in range(4):
        await setting.github.push(ORDERS, "main", f"Push {number}")
    await setting.github.settled()
    address = f"{setting.github.url}/repos/{ORDERS}/hooks/{hook.id}/deliveries?per_page=2"
    seen = []
    while address:
        async with setting.session.get(address) as answer:
            seen += [one["id"] for one in await answer.json()]
            address = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


async def test_a_receiver_that_is_not_there_is_noted(setting: Setting) -> None:
    setting.github.add_hook(ORDERS, url="http://127.0.0.1:9/hook", secret=SECRET)
    await setting.github.settled()
    (delivery,) = setting.github.webhooks.deliveries.values()
    assert (delivery.status_code, delivery.status) == (502, "failed to connect to host")


async def test_a_form_hook_signs_the_form(setting: Setting) -> None:
    setting.github.add_hook(ORDERS, url=setting.receiver_url, secret=SECRET, form=True)
    await setting.github.settled()
    ((headers, body),) = setting.receiver.requests
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert body.startswith(b"payload=%7B")
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={digest}"


async def test_a_pull_request_follows_its_branch(setting: Setting) -> None:
    setting.github.add_hook(ORDERS, url=setting.receiver_url, secret=SECRET)
    first = await setting.github.push(ORDERS, "topic", "First")
    pull = await setting.github.open_pull_request(ORDERS, "topic", "Do it")
    second = await setting.github.push(ORDERS, "topic", "Second")
    await setting.github.settled()
    events = {one["action"]: one for one in setting.receiver.events("pull_request")}
    assert events["opened"]["pull_request"]["head"]["sha"] == first.sha
    assert events["synchronize"]["before"] == first.sha
    assert events["synchronize"]["after"] == second.sha
    kept = await setting.github.repositories[ORDERS].resolve(f"refs/pull/{pull.number}/head")
    assert kept == second.sha


async def test_a_fork_is_told_by_the_head_repository(setting: Setting) -> None:
    setting.github.add_hook(ORDERS, url=setting.receiver_url, secret=SECRET)
    fork = setting.github.fork(ORDERS, "somebody")
    await setting.github.push(fork.name, "topic", "From outside")
    await setting.github.open_pull_request(ORDERS, "topic", "Take it", head=fork.name)
    await setting.github.settled()
    (opened,) = setting.receiver.events("pull_request")
    assert opened["pull_request"]["head"]["repo"]["full_name"] == "somebody/order-service"
    assert opened["pull_request"]["head"]["repo"]["fork"]
    assert opened["repository"]["full_name"] == ORDERS
    assert setting.receiver.events("push") == []


async def test_told_to_fail_it_limits_and_loses_answers(setting: Setting) -> None:
    sha = await head(setting)
    path = f"/repos/{ORDERS}/statuses/{sha}"
    setting.faults.fail("github", Status(status=403, retry_after=7), times=1)
    async with setting.session.post(setting.github.url + path) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (403, "7")
        assert "secondary rate limit" in (await answer.json())["message"]
    setting.faults.fail("github", ResetAfterEffect(), method="POST", times=1)
    with pytest.raises(aiohttp.ClientError):
        await setting.ask("POST", path, {"state": "success"})
    assert [one.state for one in setting.github.statuses.of(ORDERS, sha)] == ["success"]
