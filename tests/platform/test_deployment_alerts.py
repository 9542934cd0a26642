"""The alerts, judged by Prometheus itself: each wakes somebody when it should, and else nobody."""

import copy
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deployment_files import ROOT, Object, built, of_kind
from servers.place import program

from hub.telemetry.metrics import Backlog, new_metrics

_SECONDS = 60.0
_OF_PROMETHEUS = {"up", "process_start_time_seconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series over two hours, one value a minute, and how many alerts fire at a minute of them."""

    alert: str
    series: dict[str, str]
    fires: int
    minute: int = 60


JOB = 'job="trunkline-metrics",pod="worker-0"'
UP = f"up{{{JOB}}}"
STARTED = f"process_start_time_seconds{{{JOB}}}"
REFUSED = 'trunkline_requests_total{door="github",outcome="unavailable",status="503"}'
WRONG = 'trunkline_requests_total{door="github",outcome="refused",status="401"}'
LAG = "trunkline_lag_events"
HEARD, HEARD_TOO = (
    f'trunkline_watcher_heard_timestamp_seconds{{kind="applications.argoproj.io",pod="{pod}"}}'
    for pod in ("worker-0", "worker-1")
)
LEADING, LEADING_TOO = (
    f'trunkline_watcher_leading{{pod="{pod}"}}' for pod in ("worker-0", "worker-1")
)
BLOCKED = f"trunkline_loop_blocked_total{{{JOB}}}"


def runs(state: str) -> str:
    return f'trunkline_runs{{pod="worker-0",state="{state}"}}'


CASES = (
    Case(alert="TrunklineAbsent", series={UP: "0x120"}, fires=1),
    Case(alert="TrunklineAbsent", series={}, fires=1),
    Case(alert="TrunklineAbsent", series={UP: "1x120"}, fires=0),
    Case(alert="TrunklineAbsent", series={UP: "1x57 0x60"}, fires=0),
    Case(alert="TrunklineRestarts", series={STARTED: "0+300x120"}, fires=1),
    Case(alert="TrunklineRestarts", series={STARTED: "7x50 9x120"}, fires=0),
    Case(alert="TrunklineRefusesEvents", series={REFUSED: "0+1x120"}, fires=1),
    Case(alert="TrunklineRefusesEvents", series={REFUSED: "50x120"}, fires=0),
    Case(alert="TrunklineWrongKeys", series={WRONG: "0+2x120"}, fires=1),
    Case(alert="TrunklineWrongKeys", series={WRONG: "0x50 3x120"}, fires=0),
    Case(alert="TrunklineLagGrows", series={LAG: "0+50x120"}, fires=1),
    Case(alert="TrunklineLagGrows", series={LAG: "6000-50x120"}, fires=0),
    Case(alert="TrunklineLagGrows", series={LAG: "0x56 40x2 0x120"}, fires=0),
    Case(alert="TrunklineRunsWait", series={runs("ready"): "0+5x120"}, fires=1),
    Case(alert="TrunklineRunsWait", series={runs("ready"): "5x120"}, fires=0),
    Case(alert="TrunklineRunsWait", series={runs("running"): "0+5x120"}, fires=0),
    Case(alert="TrunklineRunsNeedSomebody", series={runs("dead"): "2x55 3x120"}, fires=1),
    Case(alert="TrunklineRunsNeedSomebody", series={runs("parked"): "_x55 1x120"}, fires=1),
    Case(alert="TrunklineRunsNeedSomebody", series={runs("dead"): "2x120"}, fires=0),
    Case(alert="TrunklineRunsNeedSomebody", series={runs("done"): "0+9x120"}, fires=0),
    Case(alert="TrunklineRetries", series={runs("retrying"): "60x120"}, fires=1),
    Case(alert="TrunklineRetries", series={runs("retrying"): "60x20 3x120"}, fires=0),
    Case(alert="TrunklineWatchSilent", series={HEARD: "0x120"}, fires=1),
    Case(alert="TrunklineWatchSilent", series={HEARD: "0+60x120"}, fires=0),
    Case(alert="TrunklineWatchSilent", series={HEARD: "0x120", HEARD_TOO: "0+60x120"}, fires=0),
    Case(alert="TrunklineNobodyWatches", series={LEADING: "0x120"}, fires=1),
    Case(alert="TrunklineNobodyWatches", series={LEADING: "0x120", LEADING_TOO: "1x120"}, fires=0),
    Case(alert="TrunklineNobodyWatches", series={}, fires=0),
    Case(alert="TrunklineLoopBlocked", series={BLOCKED: "0+1x120"}, fires=1),
    Case(alert="TrunklineLoopBlocked", series={BLOCKED: "0x50 1x120"}, fires=0),
)


@pytest.fixture(autouse=True)
def _programs(servers: None) -> None:
    """Kustomize and Prometheus's own tool."""


def rules() -> Any:
    (found,) = of_kind(built("production"), "PrometheusRule")
    return found["spec"]


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("promtool"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def judged(case: Case, spec: Object, folder: Path) -> str:
    """What Prometheus says where a case does not come out as it has it; nothing where it does."""
    (folder / "rules.json").write_text(json.dumps(spec))
    (alert,) = [one for one in spec["groups"][0]["rules"] if one["alert"] == case.alert]
    asked = {
        "expr": f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}}) or vector(0)',
        "eval_time": f"{case.minute}m",
        "exp_samples": [{"labels": "{}", "value": case.fires}],
    }
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    test = {
        "rule_files": ["rules.json"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": [asked]}],
    }
    assert alert["annotations"]["summary"]
    (folder / "test.json").write_text(json.dumps(test))
    done = promtool("test", "rules", folder / "test.json")
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda one: f"{one.alert}-{one.fires}")
def test_an_alert_fires_when_it_should_and_not_otherwise(case: Case, tmp_path: Path) -> None:
    assert judged(case, rules(), tmp_path) == ""


def test_every_alert_has_been_seen_to_fire_and_to_keep_quiet() -> None:
    names = {one["alert"] for one in rules()["groups"][0]["rules"]}
    for fires in (0, 1):
        assert {case.alert for case in CASES if case.fires == fires} == names


def test_prometheus_takes_the_rules_and_finds_a_fault_planted_in_them(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(rules()))
    assert promtool("check", "rules", file).returncode == 0
    spoilt = copy.deepcopy(rules())
    spoilt["groups"][0]["rules"][0]["expr"] = "absent(up"
    file.write_text(json.dumps(spoilt))
    assert promtool("check", "rules", file).returncode != 0


def test_an_alert_that_never_fires_is_found(tmp_path: Path) -> None:
    spoilt = copy.deepcopy(rules())
    for rule in spoilt["groups"][0]["rules"]:
        rule["expr"] = f"({rule['expr']}) and vector(1) > 1"
    wakes = [case for case in CASES if case.fires]
    assert [case.alert for case in wakes if judged(case, spoilt, tmp_path) == ""] == []


def counted() -> set[str]:
    """The names of all that a hub counts that may watch."""
    metrics = new_metrics()
    metrics.watcher.leading(is_leading=False)
    metrics.watch(Backlog(runs=lambda: {"ready": 0}, lag=lambda: 0))
    found = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    families = {family.name for family in metrics.registry.collect()}
    return found | families | {f"{name}_total" for name in families}


def test_alerts_and_autoscaling_ask_for_metrics_that_there_are() -> None:
    (scaled,) = of_kind(built("production"), "ScaledObject")
    asked = " ".join(
        [
            *(rule["expr"] for rule in rules()["groups"][0]["rules"]),
            *(one["metadata"]["query"] for one in scaled["spec"]["triggers"]),
        ]
    )
    named = set(re.findall(r"\b(?:trunkline|process)_\w+|\bup\b", asked))
    assert len(named) > 5
    assert named - _OF_PROMETHEUS <= counted()
    assert "process_start_time_seconds" in counted()


def test_each_sign_that_operators_are_told_of_has_an_alert() -> None:
    page = (ROOT / "docs/operating.md").read_text("utf-8")
    table = page.partition("| sign | means | do |")[2].partition("\n\n")[0]
    signs = set(re.findall(r"`(trunkline_\w+)", table))
    asked = " ".join(rule["expr"] for rule in rules()["groups"][0]["rules"])
    assert len(signs) >= 3
    assert {sign for sign in signs if sign not in asked} <= {"trunkline_verified_total"}
