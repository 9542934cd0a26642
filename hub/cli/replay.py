"""`trunkline replay`: run an event's handlers again, or show what they would do."""

from collections.abc import Sequence
from pathlib import Path

from hub.actions.action import encode_action
from hub.bus.interface import Record
from hub.cli.output import Exit, complain, say, say_json
from hub.cli.places import Desk, desk
from hub.dispatch.attempt import outcome_name
from hub.dispatch.handler import Handler
from hub.dispatch.outcome import Dead, Outcome, Skipped
from hub.dispatch.platform import Platform
from hub.dispatch.rehearsal import Rehearsal, rehearse
from hub.dispatch.routing import Wanted, decide
from hub.journal.interface import PlannedRun, Run
from hub.telemetry.redaction import Redactor
from hub.views.finding import find_events
from hub.wiring.installed import platform_of
from hub.wiring.outside import reading_performers
from hub.wiring.secrets import open_secrets


async def replay(
    config: Path | None,
    event: str,
    *,
    handler: str | None,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Replay one event; returns the exit code."""
    async with desk(config) as place:
        records = await find_events(event, bus=place.bus, journal=place.journal)
        if len(records) != 1:
            complain(f"{len(records)} events have an id like {event}; name one in full.")
            return Exit.FAILED
        record = records[0]
        wanted = [
            (one, decision.lane)
            for one, decision in decide(place.handlers, record.envelope)
            if isinstance(decision, Wanted) and handler in {None, one.name}
        ]
        if not wanted:
            complain(f"No handler{f' named {handler}' if handler else ''} wants this event.")
            return Exit.FAILED
        if dry_run:
            return await _rehearse(place, record, [one for one, _ in wanted], as_json=as_json)
        await _run_again(place, record, wanted, again=again, as_json=as_json)
    return 0


async def _rehearse(
    place: Desk, record: Record, wanted: Sequence[Handler], *, as_json: bool
) -> int:
    """Show what each handler would do; returns the exit code. One that fails stops no other."""
    failed = False
    platform: Platform = platform_of(place.settings)
    secrets = open_secrets(place.settings, learn=Redactor().add)
    async with reading_performers(
        place.settings, secrets, bus=place.bus, journal=place.journal, records=place.records
    ) as readers:
        for one in wanted:
            try:
                rehearsal = await rehearse(one, record.envelope, platform=platform, readers=readers)
            except Exception as error:  # noqa: BLE001 - a handler is anybody's code
                complain(f"{one.name} failed: {type(error).__name__}: {error}")
                failed = True
            else:
                _say_rehearsal(rehearsal, as_json=as_json)
    return Exit.FAILED if failed else 0


def _say_rehearsal(rehearsal: Rehearsal, *, as_json: bool) -> None:
    actions = [(action.name, encode_action(action)) for action in rehearsal.actions]
    outcome = outcome_name(rehearsal.outcome)
    said = _detail(rehearsal.outcome)
    if as_json:
        say_json(
            {
                "handler": rehearsal.handler,
                "outcome": outcome,
                "detail": said,
                "actions": [{"name": name, "action": action} for name, action in actions],
            }
        )
        return
    say(f"{rehearsal.handler} would be {outcome}{f': {said}' if said else ''}")
    for name, action in actions:
        say(f"    {name} {action}")


def _detail(outcome: Outcome) -> str:
    match outcome:
        case Skipped(said) | Dead(said):
            return said
        case _:
            return ""


async def _run_again(
    place: Desk,
    record: Record,
    wanted: Sequence[tuple[Handler, str]],
    *,
    again: bool,
    as_json: bool,
) -> None:
    envelope = record.envelope
    before = {run.handler: run for run in await _runs(place, record)}
    await place.journal.plan(
        [PlannedRun(envelope=envelope, handler=one.name, lane=lane) for one, lane in wanted]
    )
    for one, _ in wanted:
        run = before.get(one.name)
        verdict = "planned" if run is None else await _replay(place, run, again=again)
        if as_json:
            say_json({"handler": one.name, "verdict": verdict})
        else:
            say(f"{one.name}: {verdict}")


async def _replay(place: Desk, run: Run, *, again: bool) -> str:
    if await place.journal.replay(run.id, again=again):
        return "ready to run again"
    hint = "" if again else " (--again runs it all the same)"
    return f"left alone: it is {run.state}{hint}"


async def _runs(place: Desk, record: Record) -> Sequence[Run]:
    return await place.journal.runs(event=(record.envelope.source, record.envelope.id))
