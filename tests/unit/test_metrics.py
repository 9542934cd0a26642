"""What is counted, and that nobody from outside decides how much memory counting takes."""

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hub.telemetry.metrics import OTHER, Backlog, Series, new_metrics


@pytest.fixture
def metrics():
    return new_metrics()


def scraped(registry):
    """Return every sample as Prometheus reads it."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_request_is_counted_with_its_door_its_answer_and_its_size(metrics):
    for size in (7_000, 25_000):
        metrics.receiver.answered(door="github", outcome="accepted", status=202, body_bytes=size)
    metrics.receiver.answered(door="none", outcome="refused", status=404, body_bytes=0)
    samples = scraped(metrics.registry)
    assert samples["trunkline_requests_total", ("github", "accepted", "202")] == 2
    assert samples["trunkline_requests_total", ("none", "refused", "404")] == 1
    assert samples["trunkline_request_body_bytes_sum", ("github",)] == 32_000
    assert samples["trunkline_request_body_bytes_bucket", ("github", "16384.0")] == 1


def test_the_key_that_verified_and_the_time_to_the_disk_are_counted(metrics):
    metrics.receiver.verified(door="github", key="2026-03")
    metrics.receiver.stored(door="github", seconds=0.004)
    metrics.receiver.cut(reason="slow-headers")
    samples = scraped(metrics.registry)
    assert samples["trunkline_verified_total", ("github", "2026-03")] == 1
    assert samples["trunkline_storing_seconds_bucket", ("github", "0.005")] == 1
    assert samples["trunkline_storing_seconds_bucket", ("github", "0.0025")] == 0
    assert samples["trunkline_connections_cut_total", ("slow-headers",)] == 1


def test_attempts_and_steps_are_counted_by_how_they_ended(metrics):
    metrics.dispatch.run_ended(handler="bump_image_tag", outcome="retrying", seconds=0.2)
    metrics.dispatch.run_ended(handler="bump_image_tag", outcome="dead", seconds=0.3)
    metrics.dispatch.step_ended(action="gitops.bump_image", outcome="done", seconds=2.0)
    samples = scraped(metrics.registry)
    assert samples["trunkline_attempts_total", ("bump_image_tag", "retrying")] == 1
    assert samples["trunkline_attempts_total", ("bump_image_tag", "dead")] == 1
    assert samples["trunkline_attempt_seconds_sum", ("bump_image_tag",)] == 0.5
    assert samples["trunkline_steps_total", ("gitops.bump_image", "done")] == 1
    assert samples["trunkline_step_seconds_bucket", ("gitops.bump_image", "2.5")] == 1


def test_the_backlog_is_read_at_each_scrape(metrics):
    runs = {"ready": 3, "dead": 1}
    metrics.watch(Backlog(runs=lambda: runs, lag=lambda: 7))
    assert scraped(metrics.registry)["trunkline_runs", ("ready",)] == 3
    runs["ready"] = 0
    samples = scraped(metrics.registry)
    assert samples["trunkline_runs", ("ready",)] == 0
    assert samples["trunkline_lag_events", ()] == 7


def test_a_lag_that_nobody_knows_is_not_told_as_none(metrics):
    metrics.watch(Backlog(runs=dict, lag=lambda: None))
    assert ("trunkline_lag_events", ()) not in scraped(metrics.registry)


def test_a_blocked_loop_is_counted(metrics):
    metrics.loop_blocked.inc()
    assert scraped(metrics.registry)["trunkline_loop_blocked_total", ()] == 1


def test_two_hubs_in_one_process_count_apart(metrics):
    metrics.loop_blocked.inc()
    assert scraped(new_metrics().registry)["trunkline_loop_blocked_total", ()] == 0


def test_labels_from_outside_take_a_bounded_number_of_values():
    registry = CollectorRegistry()
    series = Series(
        Counter("seen", "", ("handler", "outcome"), registry=registry),
        labels=2,
        most_values=3,
    )
    for number in range(1000):
        series.of(f"company/service-{number}", "accepted").inc()
    series.of("company/service-0", "refused").inc()
    totals = {key: value for key, value in scraped(registry).items() if key[0] == "seen_total"}
    assert totals == {
        ("seen_total", ("company/service-0", "accepted")): 1,
        ("seen_total", ("company/service-1", "accepted")): 1,
        ("seen_total", ("company/service-2", "accepted")): 1,
        ("seen_total", (OTHER, "accepted")): 997,
        ("seen_total", ("company/service-0", "refused")): 1,
    }


def test_a_hostile_label_value_cannot_add_lines(metrics):
    metrics.receiver.verified(door='x"} 9\ntrunkline_verified_total{door="y', key="k")
    names = [
        labels for name, labels in scraped(metrics.registry) if name.endswith("verified_total")
    ]
    assert names == [('x"} 9\ntrunkline_verified_total{door="y', "k")]


def test_only_a_process_that_may_watch_says_whether_it_does(metrics):
    assert ("trunkline_watcher_leading", ()) not in scraped(metrics.registry)
    for leads in (False, True):
        metrics.watcher.leading(is_leading=leads)
        assert scraped(metrics.registry)["trunkline_watcher_leading", ()] == leads
