"""A second process looks into the journal and replays a dead letter while its owner runs.

The same file is the visitor: `python test_journal_visitor.py FILE RUN`.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

import hub
from hub.errors import StorageOwned
from hub.events.envelope import Envelope
from hub.journal.interface import Finished, PlannedRun, RunId, RunState, Step
from hub.journal.schema import MIGRATIONS
from hub.journal.sqlite import SqliteJournal
from hub.sqlite import Database

PATIENCE_SECONDS = 30.0

EVENT = Envelope(
    id="72d3162e",
    source="https://api.github.com/repos/company/payments",
    type="com.github.push",
    partitionkey="company/payments",
    data=b'{"ref": "refs/heads/main"}',
)


async def visit(path: Path, run: RunId) -> None:
    database = await Database.visit(path)
    await database.migrate("journal", MIGRATIONS)
    journal = SqliteJournal(store=database, clock=time.time)
    found = await journal.run(run)
    assert found is not None
    seen = {
        "listed": [one.event_id for one in await journal.runs(states=[RunState.DEAD])],
        "data": found[1].data.decode(),
        "attempts": [one.detail for one in await journal.attempts(run)],
        "steps": [one.result for one in await journal.steps(run)],
        "dead": (await journal.counts())[RunState.DEAD],
        "replayed": await journal.replay(run, again=False),
    }
    await database.close()
    os.write(1, json.dumps(seen).encode())


async def visitor(path: Path, run: RunId) -> dict[str, object]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        str(path),
        str(run),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(hub.__file__).parents[1])},
    )
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode == 0
    seen: dict[str, object] = json.loads(said)
    return seen


async def dead_letter(journal: SqliteJournal) -> RunId:
    await journal.plan([PlannedRun(envelope=EVENT, handler="build", lane="build/payments")])
    (claim,) = await journal.claim(worker="owner", limit=1)
    step = Step(
        number=1, name="slack.post", action="{}", result='"ts"', started_at=1.0, finished_at=2.0
    )
    await journal.record_steps(claim, [step])
    await journal.finish(claim, Finished(state=RunState.DEAD, detail="no such pipeline"))
    return claim.run


async def test_a_visitor_replays_a_dead_letter_and_the_idle_owner_notices(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    database = await Database.own(path)
    await database.migrate("journal", MIGRATIONS)
    journal = SqliteJournal(store=database, clock=time.time)
    await journal.recover()
    run = await dead_letter(journal)
    await journal.wait_for_work(0.001)
    idle = asyncio.create_task(journal.wait_for_work(3600))
    assert await visitor(path, run) == {
        "listed": [EVENT.id],
        "data": EVENT.data.decode(),
        "attempts": ["no such pipeline"],
        "steps": ['"ts"'],
        "dead": 1,
        "replayed": True,
    }
    await asyncio.wait_for(idle, PATIENCE_SECONDS)
    (claim,) = await journal.claim(worker="owner", limit=1)
    assert (claim.run, claim.attempt, len(claim.steps)) == (run, 1, 1)
    with pytest.raises(StorageOwned):
        await Database.own(path)
    await database.close()


if __name__ == "__main__":
    asyncio.run(visit(Path(sys.argv[1]), RunId(int(sys.argv[2]))))
