"""The Dockerfile, read without Docker: what it is built from, and that what it copies runs."""

import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest
from deployment_files import FOLDER, ROOT, built, container, pod_spec, workloads

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_PIP_INSTALLS = re.compile(r"\bpip\b[^&]* install ")
_SECONDS = 60.0


class Line(NamedTuple):
    """One instruction, with continued lines joined, and the stage that it belongs to."""

    stage: int
    word: str
    rest: str


def dockerfile(text: str) -> list[Line]:
    lines, stage = [], -1
    for each in text.replace("\\\n", " ").splitlines():
        word, _, rest = each.strip().partition(" ")
        if word and not word.startswith("#"):
            stage += word == "FROM"
            lines.append(Line(stage, word, rest.strip()))
    return lines


def faults(text: str) -> Iterator[str]:
    """What may not stand in the Dockerfile."""
    lines = dockerfile(text)
    last = lines[-1].stage
    for line in lines:
        if line.word == "FROM" and not _DIGEST.search(re.split(" (?i:as) ", line.rest)[0]):
            yield "a base without a digest"
        if line.word == "ADD" or re.search(r"\b(curl|wget)\b", line.rest):
            yield "something is fetched that no hash covers"
        if _PIP_INSTALLS.search(line.rest) and not _hashed(line.rest):
            yield "packages without hashes"
        if line.stage == last and re.search(r"\b(gcc|build-essential|make|-dev)\b", line.rest):
            yield "tools to build with in what is shipped"
        if line.word in {"ENTRYPOINT", "CMD"} and not line.rest.startswith("["):
            yield "a shell around the process"
        if line.word == "ENV" and re.search(r"(?i)secret|token|password", line.rest):
            yield "a secret in the image"
    users = [line.rest for line in lines if line.word == "USER" and line.stage == last]
    if not users or users[-1] != "65532:65532":
        yield "a user that is somebody"


def _hashed(command: str) -> bool:
    return "--require-hashes" in command and "--only-binary :all:" in command


def text() -> str:
    return (ROOT / "Dockerfile").read_text()


def test_the_image_keeps_the_rules() -> None:
    assert list(faults(text())) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        (r"@sha256:[0-9a-f]{64}", "", "a base without a digest"),
        (r"@sha256:[0-9a-f]{64}", "@sha256:0a1b", "a base without a digest"),
        ("COPY LICENSE", "ADD https://example.com/LICENSE", "something is fetched"),
        ("--require-hashes ", "", "packages without hashes"),
        ("--only-binary :all: ", "", "packages without hashes"),
        ("--no-install-recommends git", "git gcc", "tools to build with"),
        (r'ENTRYPOINT \["(.+)"\]', r"ENTRYPOINT \1", "a shell around"),
        ("USER 65532:65532", "USER root", "a user that is somebody"),
        ("USER 65532:65532\n", "", "a user that is somebody"),
        ("PYTHONUNBUFFERED=1", "SLACK_TOKEN=1", "a secret in the image"),
    ],
)
def test_a_fault_that_is_planted_is_found(right: str, wrong: str, fault: str) -> None:
    spoilt = re.sub(right, wrong, text())
    assert spoilt != text()
    assert any(each.startswith(fault) for each in faults(spoilt))


def test_git_is_the_only_package_of_the_system() -> None:
    installed = re.findall(r"apt-get install (.+?) &&", text())
    assert installed == ["--yes --no-install-recommends git"]


def copied() -> dict[str, str]:
    """What is copied from the checkout, and to where."""
    lines = [line.rest for line in dockerfile(text()) if line.word == "COPY"]
    return dict(each.split() for each in lines if not each.startswith("--from"))


def packages() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_all_packages_of_the_project_are_copied() -> None:
    assert packages() <= copied().keys()
    assert copied().keys() == packages() | {"requirements.lock", "LICENSE"}


def test_nothing_else_of_the_checkout_can_get_into_the_image() -> None:
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert patterns[0] == "*"
    let_in = {line[1:] for line in patterns if line.startswith("!")}
    assert let_in == copied().keys()
    left_out = [line.removeprefix("**/") for line in patterns[1:] if not line.startswith("!")]
    assert any(fnmatch("store.pyc", pattern) for pattern in left_out)


def test_the_python_of_the_paths_is_the_one_of_the_base() -> None:
    bases = {line.rest.split()[0] for line in dockerfile(text()) if line.word == "FROM"}
    (version,) = {re.findall(r"python:(\d+\.\d+)-slim@", base)[0] for base in bases}
    assert set(re.findall(r"lib/python(\d+\.\d+)/", text())) == {version}


def test_what_is_copied_runs(tmp_path: Path) -> None:
    """With the packages of this environment; in the image they are those of the lock."""
    for name, place in copied().items():
        if name in packages():
            subprocess.run(["cp", "-r", ROOT / name, tmp_path / Path(place).name], check=True)
    (script,) = re.findall(r"printf '(.+?)'", text())
    entry = tmp_path / "trunkline"
    entry.write_text(
        script.replace("\\n", "\n").replace("/opt/trunkline/bin/python", sys.executable)
    )
    here = f"{tmp_path}:{sysconfig.get_path('purelib')}"
    done = subprocess.run(
        [sys.executable, "-S", entry, "serve", "--help"],
        env={"PYTHONPATH": here, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    assert "--role" in done.stdout
    found = subprocess.run(
        [sys.executable, "-S", "-c", "import hub; print(hub.__path__[0])"],
        env={"PYTHONPATH": here, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    assert found.stdout.strip() == str(tmp_path / "hub")


def test_the_pods_are_the_user_of_the_image_and_start_its_program(servers: None) -> None:
    assert 'ENTRYPOINT ["/opt/trunkline/bin/trunkline"]' in text()
    for overlay in ("single", "production"):
        for one in workloads(built(overlay)):
            assert pod_spec(one)["securityContext"]["runAsUser"] == 65532
            assert "command" not in container(one)
            assert container(one)["args"][0] == "serve"


def test_no_file_names_an_image_by_a_tag() -> None:
    for file in FOLDER.rglob("*.yaml"):
        for image in re.findall(r"^\s*-?\s*image: *(\S+)", file.read_text(), re.MULTILINE):
            assert image == "trunkline"
        assert "newTag" not in file.read_text()
