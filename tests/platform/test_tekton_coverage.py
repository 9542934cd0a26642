"""The gate on coverage reads JaCoCo's own reports, and fails where it cannot."""

import os
import subprocess
from pathlib import Path

import pytest
from tekton_files import step

pytestmark = pytest.mark.usefixtures("servers")

HEAD = (
    "GROUP,PACKAGE,CLASS,INSTRUCTION_MISSED,INSTRUCTION_COVERED,BRANCH_MISSED,BRANCH_COVERED,"
    "LINE_MISSED,LINE_COVERED,COMPLEXITY_MISSED,COMPLEXITY_COVERED,METHOD_MISSED,METHOD_COVERED\n"
)


def row(missed: int | str, covered: int | str, name: str = "Order") -> str:
    return f"orders,com.company.orders,{name},900,1,90,1,{missed},{covered},7,3,5,2\n"


def judge(folder: Path, *reports: str, minimum: str = "80") -> subprocess.CompletedProcess[str]:
    """Run the gate over a report for each module."""
    for number, report in enumerate(reports):
        place = folder / "source" / f"module {number}" / "target" / "site" / "jacoco"
        place.mkdir(parents=True)
        (place / "jacoco.csv").write_text(report)
    (folder / "source").mkdir(exist_ok=True)
    return subprocess.run(
        ["sh", "-c", step("unit-test", "coverage")["script"]],
        env={"PATH": os.environ["PATH"], "WORKSPACE": str(folder), "MINIMUM": minimum},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_report_of_jacoco_itself_is_read(tmp_path: Path) -> None:
    """One method of two is covered; the other has two lines."""
    done = judge(tmp_path, f"{HEAD}a,a,A,4,5,0,0,2,1,1,2,1,2\n")
    assert done.returncode == 1
    assert "1 of 3 lines are covered" in done.stdout


@pytest.mark.parametrize(
    ("missed", "covered", "passes"),
    [(20, 80, True), (21, 80, False), (201, 799, False), (0, 1, True), (1, 0, False)],
)
def test_four_lines_in_five_have_to_be_covered(
    tmp_path: Path, *, missed: int, covered: int, passes: bool
) -> None:
    done = judge(tmp_path, HEAD + row(missed, covered))
    assert (done.returncode == 0) is passes, done.stdout
    assert f"{covered} of {missed + covered} lines" in done.stdout


def test_all_classes_of_all_modules_count_together(tmp_path: Path) -> None:
    done = judge(tmp_path, HEAD + row(0, 50) + row(10, 10), HEAD + row(10, 20))
    assert done.returncode == 0
    assert "80 of 100 lines" in done.stdout


def test_a_name_with_a_comma_moves_no_column(tmp_path: Path) -> None:
    done = judge(tmp_path, HEAD + row(10, 90, name='"Pair.new Function<A, B>() {...}"'))
    assert "90 of 100 lines" in done.stdout


def test_no_report_is_a_failure(tmp_path: Path) -> None:
    done = judge(tmp_path)
    assert done.returncode == 1
    assert "no coverage report" in done.stderr


@pytest.mark.parametrize(
    "report",
    ["", HEAD, HEAD + row(0, 0), HEAD + row("x", 5), HEAD + "nothing\n", HEAD + row(-5, 9)],
)
def test_a_report_that_says_nothing_is_a_failure(tmp_path: Path, report: str) -> None:
    assert judge(tmp_path, report).returncode != 0


@pytest.mark.parametrize("minimum", ["", "-1", "0x0", "80; true", "8O"])
def test_a_minimum_that_is_no_number_is_a_failure(tmp_path: Path, minimum: str) -> None:
    assert judge(tmp_path, HEAD + row(0, 9), minimum=minimum).returncode == 1
