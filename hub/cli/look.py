"""Commands that look at the past: events, explain, runs, dead-letters, handlers."""

import asyncio
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from hub.bus.interface import Record
from hub.cli.configured import settings_of
from hub.cli.output import Exit, complain, say, say_json, say_table, when
from hub.cli.places import desk
from hub.journal.interface import Run, RunState
from hub.views.explain import Explanation, HandlerStory, RunStory
from hub.views.explain import explain as explain_event
from hub.wiring.installed import installed_handlers

_FOLLOW_SECONDS = 0.5
"""How often `events --follow` looks: quick enough for eyes."""

_EVENT_HEADS = ("RECEIVED", "TYPE", "KEY", "ID")


async def events(config: Path | None, *, limit: int, follow: bool, as_json: bool) -> None:
    """List the last events, and go on with `follow`."""
    async with desk(config) as place:
        records = await place.bus.recent(limit)
        _say_events(records, as_json=as_json, heads=True)
        sys.stdout.flush()
        last = records[-1].position if records else None
        while follow:
            await asyncio.sleep(_FOLLOW_SECONDS)
            records = await place.bus.read(after=last, limit=1000)
            _say_events(records, as_json=as_json, heads=False)
            sys.stdout.flush()
            last = records[-1].position if records else last


def _say_events(records: Sequence[Record], *, as_json: bool, heads: bool) -> None:
    if as_json:
        for record in records:
            say_json(event_json(record))
        return
    rows = [
        (
            when(record.received_at),
            record.envelope.type,
            record.envelope.partitionkey,
            record.envelope.id,
        )
        for record in records
    ]
    if heads:
        say_table(_EVENT_HEADS, rows)
    else:
        for row in rows:
            say("  ".join(row))


def event_json(record: Record) -> dict[str, Any]:
    """Return an event's attributes for JSON output; its data stays on the log."""
    envelope = record.envelope
    return {
        "position": record.position,
        "received_at": record.received_at,
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "subject": envelope.subject,
        "partitionkey": envelope.partitionkey,
        "verified_by": envelope.hubkey,
        "hops": envelope.hubhops,
        "bytes": len(envelope.data),
    }


async def explain(config: Path | None, event: str, *, as_json: bool) -> int:
    """Explain an event; returns the exit code."""
    async with desk(config) as place:
        found = await explain_event(
            bus=place.bus, journal=place.journal, handlers=place.handlers, event_id=event
        )
    if not found:
        complain(f"No event on the log has the id {event}. `trunkline events` lists the last ones.")
        return Exit.FAILED
    for explanation in found:
        if as_json:
            say_json(_explanation_json(explanation))
        else:
            _say_explanation(explanation)
    return 0


def _say_explanation(explanation: Explanation) -> None:
    envelope = explanation.record.envelope
    say(f"{envelope.type}  {envelope.id}")
    say(f"  from      {envelope.source}")
    say(f"  received  {when(explanation.record.received_at)} UTC, {len(envelope.data)} bytes")
    say(f"  verified  {_verified(envelope.hubkey)}")
    say(f"  ordered   with {envelope.partitionkey}")
    for handler in explanation.handlers:
        _say_handler(handler)
    say(f"  replay    {explanation.replay_command}")


def _verified(hubkey: str | None) -> str:
    return f"by the key {hubkey}" if hubkey else "made by the hub itself"


def _say_handler(handler: HandlerStory) -> None:
    if handler.story is None:
        verdict = (
            handler.reason or "no run yet: the router has not come to it, or it was added later"
        )
        say(f"  - {handler.handler}: {verdict}")
        return
    run = handler.story.run
    detail = f": {run.detail}" if run.detail else ""
    due = f" (again {when(run.due_at)} UTC)" if run.due_at else ""
    say(f"  - {handler.handler}: {run.state}{detail}{due}")
    for attempt in handler.story.attempts:
        took = (attempt.finished_at - attempt.started_at) * 1000
        said = f": {attempt.detail}" if attempt.detail else ""
        say(f"      attempt {attempt.number}: {attempt.outcome} after {took:.0f} ms{said}")
    for step in handler.story.steps:
        took = (step.finished_at - step.started_at) * 1000
        say(f"      step {step.number}: {step.name} in {took:.0f} ms")
        say(f"        {step.action}")
        if step.result != "null":
            say(f"        -> {step.result}")


def _explanation_json(explanation: Explanation) -> dict[str, Any]:
    return {
        "event": event_json(explanation.record),
        "handlers": [
            {
                "handler": one.handler,
                "wanted": one.wanted,
                "reason": one.reason,
                "run": one.story and _story_json(one.story),
            }
            for one in explanation.handlers
        ],
        "replay": explanation.replay_command,
    }


def _story_json(story: RunStory) -> dict[str, Any]:
    return {
        **asdict(story.run),
        "attempted": [asdict(attempt) for attempt in story.attempts],
        "steps": [asdict(step) for step in story.steps],
    }


async def runs(
    config: Path | None, *, handler: str | None, states: Sequence[str], limit: int, as_json: bool
) -> None:
    """List the newest runs."""
    async with desk(config) as place:
        found = await place.journal.runs(states=_states(states), handler=handler, limit=limit)
    _say_runs(found, as_json=as_json)


def _states(names: Sequence[str]) -> tuple[RunState, ...]:
    unknown = [name for name in names if name not in set(RunState)]
    if unknown:
        said = f"{', '.join(unknown)} is none of {', '.join(RunState)}"
        raise typer.BadParameter(said, param_hint="--state")
    return tuple(RunState(name) for name in names)


def _say_runs(found: Sequence[Run], *, as_json: bool) -> None:
    if as_json:
        for run in found:
            say_json(asdict(run))
        return
    say_table(
        ("PLANNED", "HANDLER", "STATE", "TRIES", "EVENT", "DETAIL"),
        [
            (
                when(run.planned_at),
                run.handler,
                run.state,
                str(run.attempts),
                run.event_id,
                run.detail,
            )
            for run in found
        ],
    )


async def dead_letters(config: Path | None, *, limit: int, as_json: bool) -> None:
    """List the runs that are dead or parked."""
    async with desk(config) as place:
        found = await place.journal.runs(states=(RunState.DEAD, RunState.PARKED), limit=limit)
    if as_json:
        _say_runs(found, as_json=True)
        return
    if not found:
        say("No dead letters.")
    for run in found:
        say(f"{when(run.finished_at)}  {run.handler}  {run.state} after {run.attempts} attempts")
        say(f"  event   {run.event_type} {run.event_id}")
        say(f"  error   {run.detail}")
        say(f"  replay  trunkline replay {shlex.quote(run.event_id)} --handler {run.handler}")


def handlers(config: Path | None, *, as_json: bool) -> None:
    """List the handlers."""
    for handler in installed_handlers(settings_of(config).dispatch):
        types = [one for view in handler.views for one in view.types]
        if as_json:
            say_json({"handler": handler.name, "summary": handler.summary, "types": types})
            continue
        say(f"{handler.name}: {handler.summary}")
        for one in types:
            say(f"    {one}")
