"""What the hub says of itself reads back as it was said."""

from hub.events import types
from hub.events.attributes import checked
from hub.events.envelope import Envelope
from hub.events.trunkline import ImageBumped, RunDeadLettered


def said(type_: str, data: str) -> Envelope:
    return checked(
        Envelope(
            id="1", source="/trunkline/main", type=type_, partitionkey="o/r", data=data.encode()
        )
    )


def test_a_bumped_image_reads_back_as_it_was_said() -> None:
    bumped = ImageBumped(
        service="shop",
        environment="dev",
        repository="o/r",
        revision="1" * 40,
        digest="sha256:" + "2" * 64,
        tag='v1 "quoted" \U0001f680',
        commit="3" * 40,
        bumped_at="2026-03-02T10:00:00Z",
    )
    assert ImageBumped.read(said(types.IMAGE_BUMPED, bumped.to_json())) == bumped


def test_a_dead_letter_reads_back_as_it_was_said() -> None:
    dead = RunDeadLettered(
        handler="bump_image_tag",
        event_id="1",
        event_source="/x",
        event_type="com.github.push",
        state="parked",
        error="line one\nline two",
        attempts=40,
    )
    assert RunDeadLettered.read(said(types.RUN_DEAD_LETTERED, dead.to_json())) == dead


def test_every_type_has_one_name_and_belongs_to_somebody() -> None:
    names = [value for name, value in vars(types).items() if name.isupper()]
    assert len(set(names)) == len(names)
    owners = (
        types.GITHUB,
        types.TEKTON,
        types.APPLICATION,
        types.COMPOSITE,
        types.MANAGED,
        types.HUB,
    )
    for name in names:
        assert name.startswith(owners)
        if name not in owners:
            assert said(name, "{}").type == name
