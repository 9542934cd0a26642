"""Properties of every log, for whatever hypothesis makes up; each engine chooses how often."""

from bus_home import Home, event, everything, kinds
from hypothesis import strategies as st

from hub.errors import Conflicting, Malformed
from hub.events.attributes import NAMES as TAKEN
from hub.events.attributes import checked
from hub.events.envelope import Envelope

_PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)


def _is_fit(envelope: Envelope) -> bool:
    try:
        checked(envelope)
    except Malformed:
        return False
    return True


FIT_ENVELOPES = st.builds(
    Envelope,
    id=_PRINTABLE,
    source=st.from_regex(r"/[a-z0-9/._~-]{0,30}", fullmatch=True),
    type=st.from_regex(r"[a-z][a-z0-9._-]{0,30}", fullmatch=True),
    partitionkey=_PRINTABLE,
    data=st.binary(max_size=2000),
    subject=st.none() | _PRINTABLE,
    time=st.none() | st.just("2026-03-02t10:00:00.123456789+01:30"),
    datacontenttype=st.sampled_from(["application/json", "text/plain", "image/png"]),
    dataschema=st.none() | st.just("https://schemas.example.com/push"),
    traceparent=st.none() | st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
    hubhops=st.integers(0, 8),
    hubkey=st.none() | st.just("github/main"),
    extensions=st.dictionaries(
        st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in TAKEN),
        _PRINTABLE,
        max_size=4,
    ).map(lambda extensions: tuple(extensions.items())),
).filter(_is_fit)
"""Events that may go over any wire."""

SEQUENCES = st.lists(FIT_ENVELOPES, max_size=8, unique_by=lambda one: (one.source, one.id))

FEW = st.builds(event, st.sampled_from("abcd"), st.sampled_from([b"1", b"1", b"2"]))
STEPS = st.lists(st.lists(FEW, max_size=4), max_size=12)
"""Sequences of few events that often meet the same ones again."""


async def check_envelopes_come_back(home: Home, events: list[Envelope]) -> None:
    await home.bus.append(events)
    await home.restart()
    read = [record.envelope for record in await everything(home)]
    assert sorted(read, key=_name) == sorted(events, key=_name)
    for one in events:
        assert one in [record.envelope for record in await home.bus.find(one.id)]


async def check_answers_are_those_of_a_dictionary(
    home: Home, steps: list[list[Envelope] | str]
) -> None:
    """Append each sequence; where a step is a word, start anew."""
    model: dict[str, bytes] = {}
    for step in steps:
        if isinstance(step, str):
            await home.restart()
        else:
            assert await _answers(home, step) == _expected(model, step)
    records = await everything(home)
    assert [(one.envelope.id, one.envelope.data) for one in records] == list(model.items())


def _name(envelope: Envelope) -> tuple[str, str]:
    return (envelope.source, envelope.id)


async def _answers(home: Home, events: list[Envelope]) -> list[str]:
    try:
        return kinds(await home.bus.append(events))
    except Conflicting:
        return ["contradiction"]


def _expected(model: dict[str, bytes], events: list[Envelope]) -> list[str]:
    bodies = {one.id: one.data for one in reversed(events)}
    if any(bodies[one.id] != one.data for one in events):
        return ["contradiction"]
    clash = any(model.get(name, data) != data for name, data in bodies.items())
    answers = []
    after = dict(model)
    for one in events:
        differs = model.get(one.id, one.data) != one.data
        if clash and (differs or one.id not in model):
            answers.append("Conflict")
        else:
            answers.append("Duplicate" if one.id in after else "Stored")
            after[one.id] = one.data
    if not clash:
        model.update(after)
    return answers
