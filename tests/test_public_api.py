"""What each module offers: sorted, complete, documented; and what it says without its extra."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PACKAGES = ("copilot_analytics", "copilot_analytics_graphql", "copilot_analytics_plugins")


def module_names(package: str) -> Iterator[str]:
    yield package
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        yield found.name


# The environment of `make infrastructure` alone has the CDK.
CDK = "copilot_analytics.infrastructure.cdk"
NOT_HERE = set[str]() if importlib.util.find_spec("aws_cdk") else {CDK}

MODULES = [name for package in PACKAGES for name in module_names(package) if name not in NOT_HERE]
PUBLIC_MODULES = [name for name in MODULES if not name.rpartition(".")[2].startswith("_")]


def tree_of(module: ModuleType) -> ast.Module:
    return ast.parse(Path(inspect.getsourcefile(module) or "").read_text())


def defined_names(tree: ast.Module) -> set[str]:
    """The classes and functions that a module defines at its top level and does not underscore."""
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name
        for node in tree.body
        if isinstance(node, definitions) and not node.name.startswith("_")
        # The command line's functions are reached through its `app`.
        if not any("command(" in ast.unparse(decorator) for decorator in node.decorator_list)
    }


def re_exported_names(tree: ast.Module) -> set[str]:
    """The names that a package's `__init__` takes from its own modules, now or when first used."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }


def is_package(module: ModuleType) -> bool:
    return hasattr(module, "__path__")


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_all_is_sorted_unique_and_true(name: str) -> None:
    module = importlib.import_module(name)
    tree = tree_of(module)
    offered: list[str] | None = getattr(module, "__all__", None)
    if offered is None:
        # A package that only holds modules offers nothing by itself.
        assert is_package(module)
        assert not defined_names(tree) | re_exported_names(tree)
        return

    # Constants first, then classes, then functions, as ruff sorts them.
    assert offered == sorted(offered, key=sort_key)
    assert len(offered) == len(set(offered))
    assert not [each for each in offered if not hasattr(module, each)]
    if is_package(module):
        assert set(offered) - {"__version__"} == defined_names(tree) | re_exported_names(tree)
    else:
        assert defined_names(tree) <= set(offered)


def sort_key(name: str) -> tuple[int, str]:
    if name.isupper():
        return (0, name)
    return (1, name) if name[0].isupper() else (2, name)


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_everything_public_is_documented(name: str) -> None:
    module = importlib.import_module(name)

    assert module.__doc__
    undocumented = [
        each
        for each in getattr(module, "__all__", ())
        if inspect.isclass(value := getattr(module, each)) or inspect.isroutine(value)
        if not (value.__doc__ or "").strip()
    ]
    assert not undocumented


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_a_package_exports_has_one_home(package: str) -> None:
    """A name that the package re-exports is the very object of the module that defines it."""
    exported = importlib.import_module(package)

    for name in getattr(exported, "__all__", ()):
        home = getattr(getattr(exported, name), "__module__", package)
        if isinstance(home, str) and home.partition(".")[0] in PACKAGES:
            assert getattr(importlib.import_module(home), name, None) is getattr(exported, name)


def test_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    import copilot_analytics

    assert copilot_analytics.__version__ == version("copilot-analytics")


WITHOUT = """
import sys
from importlib.abc import MetaPathFinder


class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Absent())
"""


def run_without(package: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own, in which a package is not installed."""
    paths = [path for path in sys.path if path]
    program = f"import sys\nsys.path[:] = {paths!r}\n{WITHOUT.format(package=package)}\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


COMMAND = "from copilot_analytics.cli import main; main()"


@pytest.mark.parametrize("package", ["typer", "rich", "uvicorn"])
def test_serve_without_the_server_extra_says_what_to_install(package: str) -> None:
    done = run_without(package, COMMAND, "serve", "--port", "0", "--store", "memory://")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"copilot-analytics: the package {package!r} is not installed: "
        "run pip install 'copilot-analytics[server]'\n"
    )


@pytest.mark.parametrize("package", ["httpx", "websockets"])
def test_demo_without_the_server_extra_says_what_to_install(package: str) -> None:
    done = run_without(package, COMMAND, "demo", "--once", "--port", "0", "--days", "0")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"copilot-analytics: the package {package!r} is not installed: "
        "run pip install 'copilot-analytics[server]'\n"
    )


@pytest.mark.parametrize(
    ("package", "module", "extra"),
    [
        ("websockets", "copilot_analytics_plugins.websockets", "websockets"),
        ("opentelemetry", "copilot_analytics_plugins.opentelemetry", "opentelemetry"),
        ("aiocache", "copilot_analytics_graphql", "graphql"),
        ("starlette", "copilot_analytics_graphql", "graphql"),
        ("strawberry", "copilot_analytics_graphql", "graphql"),
        ("jwt", "copilot_analytics_graphql.jwt", "jwt"),
        ("aws_cdk", "copilot_analytics.infrastructure.cdk", "cdk"),
    ],
)
def test_import_without_its_extra_says_what_to_install(
    package: str, module: str, extra: str
) -> None:
    done = run_without(package, f"import {module}")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "copilot_analytics.errors.MissingDependencyError: "
        f"the package {package!r} is not installed: "
        f"run pip install 'copilot-analytics[{extra}]'"
    )


PUT = """
from copilot_analytics import Analytics
from copilot_analytics_plugins.cloudwatch import CloudWatchMetrics
CloudWatchMetrics(Analytics("memory://"))
print("log lines need nothing")
CloudWatchMetrics(Analytics("memory://"), mode="put")
"""


def test_cloudwatch_s_requests_without_their_extra_say_what_to_install() -> None:
    done = run_without("boto3", PUT)

    assert (done.returncode, done.stdout) == (1, "log lines need nothing\n")
    assert done.stderr.splitlines()[-1] == (
        "copilot_analytics.errors.MissingDependencyError: the package 'boto3' is not installed: "
        "run pip install 'copilot-analytics[dynamodb]'"
    )


def test_middleware_needs_no_framework() -> None:
    """It is pure ASGI: an application on another framework does not install starlette for it."""
    done = run_without("starlette", "import copilot_analytics_plugins.starlette")

    assert (done.returncode, done.stderr) == (0, "")
