"""A process that keeps a journal is killed again and again, and nothing is lost or done twice.

The same file is the process that is killed: `python test_journal_kill.py plan|work FILE`. It says
on standard output what the journal has acknowledged, line by line.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import hub
from hub.events.envelope import Envelope
from hub.journal.interface import Claim, Finished, PlannedRun, Run, RunId, RunState, Step
from hub.journal.schema import MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database

RUNS = 120
LANES = 12
STEPS = 3
KILLS = 25
PATIENCE_SECONDS = 60.0


def planned(number: int) -> PlannedRun:
    envelope = Envelope(
        id=f"{number:04d}",
        source="https://api.github.com/repos/company/payments",
        type="com.github.push",
        partitionkey=f"lane {number % LANES}",
        data=b'{"ref": "refs/heads/main"}',
    )
    return PlannedRun(envelope=envelope, handler="build", lane=f"build/{envelope.partitionkey}")


def say(*words: object) -> None:
    """Tell the parent at once: one write, so that a kill cannot cut it in two."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def plan(journal: SqliteJournal) -> None:
    for number in range(0, RUNS, 2):
        await journal.plan([planned(number), planned(number + 1)])
        say("planned", number, number + 1)


async def work(journal: SqliteJournal) -> None:
    while claims := await journal.claim(worker=f"process {os.getpid()}", limit=4):
        await asyncio.gather(*(execute(journal, claim) for claim in claims))


async def execute(journal: SqliteJournal, claim: Claim) -> None:
    for number in range(len(claim.steps) + 1, STEPS + 1):
        step = Step(
            number=number,
            name="slack.post",
            action="{}",
            result=f'"{claim.attempt}"',
            started_at=time.time(),
            finished_at=time.time(),
        )
        await journal.record_steps(claim, [step])
        say("step", claim.run, number, claim.attempt)
    await journal.finish(claim, Finished(state=RunState.DONE))
    say("finished", claim.run)


async def child(what: str, path: Path) -> None:
    database = await Database.own(path)
    await database.migrate("journal", MIGRATIONS)
    journal = SqliteJournal(store=database, clock=time.time)
    await journal.recover()
    await {"plan": plan, "work": work}[what](journal)
    await database.close()


async def acknowledged(what: str, path: Path, *, kill_after: int | None) -> Sequence[list[str]]:
    """Run the child, kill it after so many lines, and return all that it could say before."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        what,
        str(path),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(hub.__file__).parents[1])},
    )
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for line in process.stdout:
            lines.append(line.decode().split())
            if len(lines) == kill_after:
                process.kill()
        assert await process.wait() == (0 if kill_after is None else -9)
    return lines


@asynccontextmanager
async def looking(path: Path) -> AsyncIterator[SqliteJournal]:
    database = await Database.visit(path)
    yield SqliteJournal(store=database, clock=time.time)
    await database.close()


async def listed(journal: SqliteJournal) -> Sequence[Run]:
    """Return all runs in the order of planning."""
    return list(reversed(await journal.runs(limit=10 * RUNS)))


async def test_what_was_planned_before_a_kill_is_there_and_is_not_planned_twice(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    said = [
        line
        for kill_after in (1, 7, 20)
        for line in await acknowledged("plan", path, kill_after=kill_after)
    ]
    async with looking(path) as journal:
        found = {run.event_id for run in await listed(journal)}
    assert {f"{int(number):04d}" for line in said for number in line[1:]} <= found
    await acknowledged("plan", path, kill_after=None)
    async with looking(path) as journal:
        names = [run.event_id for run in await listed(journal)]
        assert names == [f"{number:04d}" for number in range(RUNS)]
        assert (await journal.counts())[RunState.READY] == RUNS


async def test_a_worker_killed_again_and_again_loses_nothing_and_notes_no_step_twice(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    await acknowledged("plan", path, kill_after=None)
    said: list[list[str]] = []
    attempts_before = [0] * RUNS
    for number in range(KILLS):
        said += await acknowledged("work", path, kill_after=1 + 7 * number % 20)
        async with looking(path) as journal:
            attempts = [run.attempts for run in await listed(journal)]
            await everything_said_is_there(journal, said)
        assert all(now >= before for now, before in zip(attempts, attempts_before, strict=True))
        attempts_before = attempts
    said += await acknowledged("work", path, kill_after=None)
    async with looking(path) as journal:
        await everything_said_is_there(journal, said)
        for run in await listed(journal):
            await everything_was_done_once(journal, run)
        assert (await journal.counts())[RunState.DONE] == RUNS
    assert_lanes_in_order([int(line[1]) for line in said if line[0] == "finished"])


async def everything_said_is_there(journal: SqliteJournal, said: Sequence[list[str]]) -> None:
    done = {run.id for run in await listed(journal) if run.state is RunState.DONE}
    assert {int(line[1]) for line in said if line[0] == "finished"} <= done
    for run in {RunId(int(line[1])) for line in said}:
        steps = {(step.number, step.result) for step in await journal.steps(run)}
        told = [line for line in said if line[0] == "step" and int(line[1]) == run]
        assert {(int(number), f'"{attempt}"') for _, _, number, attempt in told} <= steps


async def everything_was_done_once(journal: SqliteJournal, run: Run) -> None:
    assert run.state is RunState.DONE
    assert [step.number for step in await journal.steps(run.id)] == list(range(1, STEPS + 1))
    attempts = await journal.attempts(run.id)
    assert [one.number for one in attempts] == list(range(1, run.attempts + 1))
    outcomes = [one.outcome for one in attempts]
    assert outcomes == [RunState.READY] * (run.attempts - 1) + [RunState.DONE]


def assert_lanes_in_order(finished: Sequence[int]) -> None:
    for lane in range(LANES):
        ran = [run for run in finished if (run - 1) % LANES == lane]
        assert ran == sorted(ran)


if __name__ == "__main__":
    asyncio.run(child(sys.argv[1], Path(sys.argv[2])))
