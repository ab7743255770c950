"""What an import does: it brings nothing the host did not ask for, and leaves no trace."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("copilot_analytics", "copilot_analytics_graphql", "copilot_analytics_plugins")


def folder_of(package: str) -> Path:
    return Path(importlib.import_module(package).__path__[0])


def run_python(program: str) -> str:
    """Run a program in a fresh interpreter that finds what this one finds; return its output."""
    paths = [path for path in sys.path if path]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys\nsys.path[:] = {paths!r}\n{program}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def brought_by(module: str) -> set[str]:
    """The top-level modules that importing a module brings, but for Python's own."""
    program = f"""
import json
before = set(sys.modules)
import {module}
brought = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(json.dumps(sorted(brought - set(sys.stdlib_module_names))))
"""
    return set(json.loads(run_python(program)))


@pytest.mark.parametrize(
    "module",
    [
        "copilot_analytics",
        "copilot_analytics.analytics",
        "copilot_analytics.cli",
        "copilot_analytics.current",
        "copilot_analytics_plugins.starlette",
    ],
)
def test_import_brings_msgspec_alone(module: str) -> None:
    # msgspec takes typing_extensions where it finds it.
    allowed = {"copilot_analytics", "copilot_analytics_plugins", "msgspec", "typing_extensions"}

    assert brought_by(module) <= allowed


def test_import_leaves_the_process_as_it_was() -> None:
    """No thread, no child, no log handler, no signal handler, no changed environment, no file."""
    program = """
import json, logging, os, signal, threading

def state():
    return {
        "threads": [thread.name for thread in threading.enumerate()],
        "handlers": [str(handler) for handler in logging.root.handlers],
        "level": logging.root.level,
        "signals": [str(signal.getsignal(number)) for number in signal.valid_signals()],
        "environment": dict(os.environ),
        "files": sorted(os.listdir()),
        "hooks": [str(sys.excepthook), str(threading.excepthook), str(sys.unraisablehook)],
    }

before = state()
from copilot_analytics import *
import copilot_analytics_plugins.starlette
import copilot_analytics_plugins.websockets
after = state()
print(json.dumps([name for name in before if before[name] != after[name]]))
"""
    assert json.loads(run_python(program)) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_every_module_can_be_imported_first() -> None:
    """No module needs another one to have been imported before it."""
    names = [
        each.name
        for package in ("copilot_analytics", "copilot_analytics_plugins")
        for each in pkgutil.walk_packages([str(folder_of(package))], f"{package}.")
    ]
    # The GraphQL package imports its modules itself, whichever is asked for.
    names.append("copilot_analytics_graphql")
    if not importlib.util.find_spec("aws_cdk"):  # that of `make infrastructure` has it
        names.remove("copilot_analytics.infrastructure.cdk")
    # Each in a fork of one interpreter, into which the slow packages of others are already loaded.
    program = f"""
import os, traceback
import aiocache, httpx, msgspec, rich.console, starlette.applications, strawberry, typer, uvicorn
import websockets.asyncio.client, websockets.asyncio.server
for name in {names!r}:
    child = os.fork()
    if not child:
        try:
            __import__(name)
        except BaseException:
            print(name, traceback.format_exc(limit=-1), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
    assert run_python(program) == ""


def imported_by(path: Path) -> Iterator[str]:
    """The third-party top-level modules that a file imports when it runs."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def required(extra: str | None) -> set[str]:
    """The distributions that an install with an extra brings by name."""
    brought = set[str]()
    for requirement in importlib.metadata.requires("copilot-analytics") or ():
        name = re.split(r"[^\w-]", requirement)[0].lower()
        condition = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        if condition is None or (extra and condition[1] == extra):
            nested = re.match(r"copilot-analytics\[([\w,-]+)\]", requirement)
            for each in nested[1].split(",") if nested else ():
                brought |= required(each)
            brought.add(name)
    return brought


EXTRA_OF_MODULE = {
    "_cloudwatch_targets.py": "dynamodb",
    "_dynamodb_transport.py": "dynamodb",
    "cdk.py": "cdk",
    "files.py": "dashboard",
    "jwks.py": "jwt",
    "jwt.py": "jwt",
    "opentelemetry.py": "opentelemetry",
    "parquet.py": "parquet",
}
"""What a module needs besides its package, and says so when it is imported."""

DISTRIBUTIONS = {"aws_cdk": "aws-cdk-lib", "botocore": "boto3", "urllib3": "boto3"}
"""What brings a package that need not be installed here, or is a part of what was asked for."""


@pytest.mark.parametrize(
    ("package", "below", "extra"),
    [
        ("copilot_analytics", "", None),
        ("copilot_analytics", "server", "server"),
        ("copilot_analytics_graphql", "", "graphql"),
        ("copilot_analytics_plugins", "", "websockets"),
    ],
)
def test_extra_brings_what_the_code_imports(package: str, below: str, extra: str | None) -> None:
    home = importlib.metadata.packages_distributions()
    # strawberry's answers are graphql-core's objects: it is no choice of ours which.
    granted = required(extra) | {"copilot-analytics", "graphql-core"}

    missing = {
        name
        for path in (folder_of(package) / below).rglob("*.py")
        if below or "server" not in path.relative_to(folder_of(package)).parts
        for name in imported_by(path)
        if name not in sys.stdlib_module_names
        if name not in PACKAGES
        if not {each.lower() for each in [DISTRIBUTIONS.get(name, name), *home.get(name, ())]}
        & (granted | required(EXTRA_OF_MODULE.get(path.name, extra)))
    }
    assert not missing
