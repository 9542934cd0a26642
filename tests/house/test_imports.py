"""The architecture, as far as imports show it. The contracts themselves stand in .importlinter."""

import ast
import os
import subprocess
import sys

import pytest

HTTP_CLIENT = {"aiohttp.ClientSession", "aiohttp.TCPConnector", "aiohttp.request"}
"""What of aiohttp reaches out."""

PROCESSES = {
    "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell",
    "multiprocessing",
    "os.execv",
    "os.execve",
    "os.fork",
    "os.popen",
    "os.posix_spawn",
    "os.system",
    "subprocess",
}

SHELLS = {"asyncio.create_subprocess_shell", "os.popen", "os.system", "subprocess"}

ALONE = """
import importlib, os, sys
import aiohttp.web, apsw, cloudevents.core.v1.event, orjson, prometheus_client, pydantic
import slack_sdk.models.blocks, structlog, typer, yaml, zstandard  # all of them slow, and not ours

running = {}

def collect(most):
    while len(running) > most:
        child, status = os.wait()
        name = running.pop(child)
        if status != 0:
            print(name)

for name in sys.argv[1:]:
    collect(os.cpu_count() - 1)
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    running[child] = name
collect(0)
"""
"""Imports each module named in a process of its own, and prints the names of those that fail."""


def run(*command, cwd, **variables):
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def names_used(source):
    """Yield what is imported and what is read of it, in full: `os`, `os.system`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def users(sources, names):
    return {str(one) for one in sources if names & set(names_used(one))}


def test_every_import_contract_is_kept(root):
    command = "from importlinter.cli import lint_imports_command as run; run()"
    done = run(sys.executable, "-c", command, "--no-logo", "--no-cache", cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_each_module_can_be_imported_first(root, product, tmp_path):
    names = [".".join(one.path.with_suffix("").parts) for one in product]
    modules = [name.removesuffix(".__init__") for name in names]
    # Compiled once, even where Python is told to leave no compiled files behind.
    compiled = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    done = run(sys.executable, "-W", "error", "-c", ALONE, *modules, cwd=root, **compiled)
    assert done.stdout.split() == [], done.stderr


def test_http_goes_out_through_one_client(product):
    """The sandbox world and `trunkline send` are senders, and outside."""
    outside = {"hub/cli/send.py", *(str(one) for one in product if "hub/sandbox/" in str(one))}
    assert users(product, HTTP_CLIENT) - outside <= {"hub/clients/http.py"}


def test_processes_are_started_in_few_known_places(product):
    starters = {"hub/clients/git.py", "hub/receiver/aside.py", "hub/sandbox/git.py"}
    assert users(product, PROCESSES) <= starters


def test_no_shell_is_ever_started(product):
    assert users(product, SHELLS) == set()


def test_no_import_hides_from_the_running_program(product):
    assert users(product, {"typing.TYPE_CHECKING"}) == set()


@pytest.mark.parametrize("argument", ["--help", "no-such-command"])
def test_asking_the_command_for_help_loads_no_server_and_no_database(root, argument):
    script = (
        "import sys\n"
        f"sys.argv[1:] = [{argument!r}]\n"
        "from hub.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "slow = {'aiohttp', 'apsw', 'cloudevents', 'slack_sdk', 'prometheus_client'}\n"
        "print('loaded:', *sorted(slow & set(sys.modules)))\n"
    )
    done = run(sys.executable, "-c", script, cwd=root)
    assert done.stdout.splitlines()[-1].split() == ["loaded:"], done.stderr
