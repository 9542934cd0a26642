"""A deployment is a set of sightings: order and repetition must not matter."""

from hypothesis import given
from hypothesis import strategies as st

from hub.events.deployment import Deployment, Sighting, Stage

NEW = Deployment(service="order-service", environment="staging", revision="a" * 40)

SIGHTINGS = st.builds(
    Sighting,
    stage=st.sampled_from(Stage),
    at=st.sampled_from([f"2026-11-22T10:00:0{second}Z" for second in range(5)]),
    detail=st.sampled_from(["", "why"]),
)


def at(stage: Stage, second: int) -> Sighting:
    return Sighting(stage=stage, at=f"2026-11-22T10:00:{second:02d}Z")


def merged(*sightings: Sighting) -> Deployment:
    deployment = NEW
    for sighting in sightings:
        deployment = deployment.seen(sighting)
    return deployment


@given(st.lists(SIGHTINGS).flatmap(lambda seen: st.tuples(st.just(seen), st.permutations(seen))))
def test_the_order_in_which_stages_are_seen_does_not_matter(pair):
    seen, shuffled = pair
    assert merged(*seen) == merged(*shuffled)


@given(st.lists(SIGHTINGS))
def test_seeing_a_stage_again_changes_nothing(seen):
    assert merged(*seen, *seen) == merged(*seen)


def test_nothing_seen_has_no_current_stage():
    assert NEW.current is None


def test_before_the_cluster_the_furthest_stage_counts_whatever_the_clocks_say():
    late_clock_of_the_build = at(Stage.BUILT, 9)
    assert merged(late_clock_of_the_build, at(Stage.BUMPED, 5)).current.stage is Stage.BUMPED


def test_in_the_cluster_the_latest_stage_counts():
    healthy_again = merged(
        at(Stage.SYNCING, 10),
        at(Stage.HEALTHY, 12),
        at(Stage.DEGRADED, 20),
        at(Stage.HEALTHY, 30),
    )
    assert healthy_again.current == at(Stage.HEALTHY, 30)
    assert healthy_again.seen(at(Stage.DEGRADED, 40)).current.stage is Stage.DEGRADED


def test_a_build_event_that_comes_late_does_not_take_the_deployment_back():
    assert merged(at(Stage.HEALTHY, 12), at(Stage.BUILDING, 1)).current.stage is Stage.HEALTHY


def test_each_new_sighting_raises_the_version():
    assert [
        merged(at(Stage.BUILDING, 1)).version,
        merged(at(Stage.BUILDING, 1), at(Stage.BUILT, 2)).version,
    ] == [1, 2]
