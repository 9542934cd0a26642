"""The scripts of the Tasks, run under sh with values that somebody hostile chose."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tekton_files import SHA, built, step

pytestmark = pytest.mark.usefixtures("servers")

HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "a\ntouch pwned",
    "-rf",
    '" && touch pwned "',
    "*",
]
TMP = "/tmp/"  # noqa: S108
DIGEST = "sha256:" + "d" * 64
INDEX = '{"schemaVersion": 2, "manifests": [{"size": 1, "digest": "%s"}]}'
STUB = """#!/bin/sh
{{
  printf '%s' {name}
  for one in "$@"; do printf '\\036%s' "$one"; done
  printf '\\035'
}} >> "$CALLS"
{then}
"""


@dataclass
class Shell:
    """A folder to run a script in, with stubs on the path that write down how they were called."""

    folder: Path

    def stub(self, *names: str, then: str = "") -> None:
        for name in names:
            file = self.folder / "bin" / name
            file.write_text(STUB.format(name=name, then=then))
            file.chmod(0o755)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script; what it calls by its whole path in an image is on the path here."""
        text = script.replace("/kaniko/executor", "executor").replace(TMP, f"{self.folder}{TMP}")
        return subprocess.run(
            ["sh", "-c", text],
            cwd=self.folder / "work",
            env={
                "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
                "CALLS": str(self.folder / "calls"),
                "HOME": str(self.folder / "home"),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def calls(self) -> list[list[str]]:
        file = self.folder / "calls"
        said = file.read_text() if file.exists() else ""
        return [one.split("\036") for one in said.split("\035")[:-1]]

    @property
    def pwned(self) -> bool:
        return any(self.folder.rglob("pwned"))

    def layout(self, digest: str = DIGEST) -> str:
        folder = self.folder / "image"
        folder.mkdir(exist_ok=True)
        (folder / "index.json").write_text(INDEX % digest)
        return str(folder)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    for name in ("bin", "work", "home", "tmp"):
        (tmp_path / name).mkdir()
    return Shell(tmp_path)


def scripts() -> Iterator[tuple[str, str]]:
    for one in built():
        if one["kind"] == "Task":
            for each in one["spec"]["steps"]:
                if "script" in each:
                    yield f"{one['metadata']['name']}/{each['name']}", each["script"]


def test_no_value_is_written_into_a_script() -> None:
    assert len(list(scripts())) >= 10
    for name, script in scripts():
        assert not re.search(r"\$\((params|tasks|context|workspaces|results)\b", script), name


def test_every_script_stops_at_its_first_failure() -> None:
    for name, script in scripts():
        first, second = script.splitlines()[:2]
        assert first in {"#!/bin/sh", "#!/busybox/sh"}, name
        assert second == "set -eu", name


@pytest.mark.parametrize("value", [*HOSTILE, "main", "", SHA[:12], SHA.upper()])
def test_only_a_whole_sha_is_cloned(shell: Shell, value: str) -> None:
    shell.stub("git")
    done = shell.run(
        step("clone", "clone")["script"],
        GIT_URL="https://github.com/o/r.git",
        GIT_REVISION=value,
        WORKSPACE=str(shell.folder),
    )
    assert done.returncode == 1
    assert shell.calls == []
    assert not shell.pwned


@pytest.mark.parametrize(
    "value", [*HOSTILE, "ext::sh -c touch% pwned", "file:///etc", "http://a.example", ""]
)
def test_only_an_https_address_is_cloned(shell: Shell, value: str) -> None:
    shell.stub("git")
    done = shell.run(
        step("clone", "clone")["script"],
        GIT_URL=value,
        GIT_REVISION=SHA,
        WORKSPACE=str(shell.folder),
    )
    assert done.returncode == 1
    assert shell.calls == []
    assert not shell.pwned


@pytest.mark.parametrize("value", HOSTILE)
def test_an_address_is_one_argument(shell: Shell, value: str) -> None:
    (shell.folder / "source").mkdir()
    shell.stub("git", then=f'case "$1" in rev-parse) echo {SHA} ;; esac')
    done = shell.run(
        step("clone", "clone")["script"],
        GIT_URL=f"https://a.example/{value}",
        GIT_REVISION=SHA,
        WORKSPACE=str(shell.folder),
    )
    assert done.returncode == 0, done.stderr
    (fetch,) = (one for one in shell.calls if one[1] == "fetch")
    assert fetch[-3:] == ["--", f"https://a.example/{value}", SHA]
    assert not shell.pwned


def test_another_commit_than_was_asked_for_is_refused(shell: Shell) -> None:
    (shell.folder / "source").mkdir()
    shell.stub("git", then=f'case "$1" in rev-parse) echo {"1" * 40} ;; esac')
    done = shell.run(
        step("clone", "clone")["script"],
        GIT_URL="https://github.com/o/r.git",
        GIT_REVISION=SHA,
        WORKSPACE=str(shell.folder),
    )
    assert done.returncode == 1


def test_a_password_of_git_is_in_no_argument_and_no_file(shell: Shell) -> None:
    (shell.folder / "source").mkdir()
    shell.stub("git", then=f'case "$1" in rev-parse) echo {SHA} ;; esac')
    shell.run(
        step("clone", "clone")["script"],
        GIT_URL="https://github.com/o/r.git",
        GIT_REVISION=SHA,
        WORKSPACE=str(shell.folder),
        GIT_USERNAME="robot",
        GIT_PASSWORD="t0p-secret",
    )
    written = [
        one for one in shell.folder.rglob("*") if one.is_file() and b"t0p" in one.read_bytes()
    ]
    assert written == []
    asked = subprocess.run(
        [shell.folder / "tmp" / "askpass", "Password for x: "],
        env={"PATH": os.environ["PATH"], "GIT_PASSWORD": "t0p-secret"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert asked.stdout.strip() == "t0p-secret"


@pytest.mark.parametrize("value", HOSTILE)
def test_what_sonar_is_told_are_single_arguments(shell: Shell, value: str) -> None:
    shell.stub("sonar-scanner")
    done = shell.run(
        step("sast", "analyse")["script"],
        SONAR_HOST_URL="https://sonar.example",
        SOURCE="/workspace/source/source",
        SERVICE=value,
        REVISION=value,
    )
    assert done.returncode == 0, done.stderr
    (call,) = shell.calls
    assert f"-Dsonar.projectKey={value}" in call
    assert f"-Dsonar.projectVersion={value}" in call
    assert not shell.pwned


def push(shell: Shell, **changes: str) -> subprocess.CompletedProcess[str]:
    shell.stub("executor")
    plain = {
        "LAYOUT": shell.layout(),
        "SERVICE": "order-service",
        "TAG": "0a1b2c3d4e5f",
        "DIGEST": DIGEST,
        "REGISTRY": "registry.example.com/company",
        **{f"RESULT_{one}": str(shell.folder / one) for one in ("URL", "DIGEST", "TAG")},
    }
    return shell.run(step("push", "push")["script"], **{**plain, **changes})


def test_what_was_scanned_is_pushed_and_said(shell: Shell) -> None:
    done = push(shell)
    assert done.returncode == 0, done.stderr
    url = "registry.example.com/company/order-service:0a1b2c3d4e5f"
    (call,) = shell.calls
    assert call[:5] == ["executor", "push", shell.layout(), "--destination", url]
    results = {one: (shell.folder / one).read_text() for one in ("URL", "DIGEST", "TAG")}
    assert results == {"URL": url, "DIGEST": DIGEST, "TAG": "0a1b2c3d4e5f"}


@pytest.mark.parametrize("name", ["SERVICE", "TAG"])
@pytest.mark.parametrize("value", [*HOSTILE, "", "../other", "a@b", "a:b"])
def test_a_strange_name_is_not_pushed(shell: Shell, name: str, value: str) -> None:
    done = push(shell, **{name: value})
    assert done.returncode == 1
    assert shell.calls == []
    assert not shell.pwned


def test_an_image_that_was_not_scanned_is_not_pushed(shell: Shell) -> None:
    assert push(shell, DIGEST="sha256:" + "e" * 64).returncode == 1
    assert shell.calls == []


def scan(shell: Shell, *, then: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
    shell.stub("trivy", then=then)
    plain = {
        "LAYOUT": shell.layout(),
        "DIGEST": DIGEST,
        "DATABASE": "db.example/a:2",
        "JAVA_DATABASE": "db.example/b:1",
        "RESULT": str(shell.folder / "result"),
    }
    return shell.run(step("image-scan", "scan")["script"], **{**plain, **changes})


def test_the_image_is_scanned_where_it_lies_for_what_is_critical(shell: Shell) -> None:
    assert scan(shell).returncode == 0
    (call,) = shell.calls
    said = " ".join(call)
    assert f"image --input {shell.layout()} --severity CRITICAL --exit-code 1" in said
    assert (shell.folder / "result").read_text() == DIGEST


def test_an_image_with_something_critical_in_it_is_not_passed_on(shell: Shell) -> None:
    assert scan(shell, then="exit 1").returncode == 1
    assert not (shell.folder / "result").exists()


def test_another_image_than_was_built_is_not_scanned(shell: Shell) -> None:
    assert scan(shell, DIGEST="sha256:" + "e" * 64).returncode == 1
    assert shell.calls == []


@pytest.mark.parametrize("value", HOSTILE)
def test_the_summary_is_one_line(shell: Shell, value: str) -> None:
    result = shell.folder / "result"
    done = shell.run(
        step("notify", "summarize")["script"],
        STATUS="Failed",
        SERVICE=value,
        REVISION=SHA,
        RESULT=str(result),
    )
    assert done.returncode == 0, done.stderr
    assert result.read_text() == f"{value} {SHA}: Failed".replace("\n", " ")
    assert not shell.pwned


@pytest.mark.parametrize("name", ["test", "package", "collect"])
def test_maven_keeps_what_it_fetched_in_the_workspace(shell: Shell, name: str) -> None:
    task = {"test": "unit-test", "package": "build-jar", "collect": "owasp"}[name]
    shell.stub("mvn")
    environment: Mapping[str, str] = {"WORKSPACE": "/a b;c"}
    assert shell.run(step(task, name)["script"], **environment).returncode == 0
    (call,) = shell.calls
    assert any("/a b;c" in one for one in call)


def test_dependencies_are_checked_by_a_pom_of_ours(shell: Shell) -> None:
    (shell.folder / "dependencies").mkdir()
    (shell.folder / "dependencies" / "a.jar").touch()
    shell.stub("mvn")
    done = shell.run(step("owasp", "check")["script"], WORKSPACE=str(shell.folder))
    assert done.returncode == 0, done.stderr
    (call,) = shell.calls
    assert call[call.index("--file") + 1] == str(shell.folder / "home" / "pom.xml")
    assert "${env.OSS_INDEX_PASSWORD}" in (shell.folder / "home/.m2/settings.xml").read_text()
    assert (shell.folder / "home/pom.xml").read_text().startswith("<project>")


def test_no_dependencies_to_check_is_a_failure(shell: Shell) -> None:
    (shell.folder / "dependencies").mkdir()
    shell.stub("mvn")
    assert shell.run(step("owasp", "check")["script"], WORKSPACE=str(shell.folder)).returncode == 1
    assert shell.calls == []
