"""What is handed out: the sdist, the wheel built from it, and what make says without a Python."""

from __future__ import annotations

import email.message
import email.parser
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "copilot_analytics": ROOT / "src",
    "copilot_analytics_graphql": ROOT / "graphql_schema",
    "copilot_analytics_plugins": ROOT / "plugins",
}
EXTRAS = {
    "all",
    "cdk",
    "dashboard",
    "dynamodb",
    "graphql",
    "jwt",
    "opentelemetry",
    "parquet",
    "redis",
    "server",
    "starlette",
    "websockets",
}
PAGE = "copilot_analytics_graphql/dashboard/built/"
JUNK = re.compile(r"(^|/)(\.venv|\.git|__pycache__|build|dist|node_modules)(/|$)|\.(db|pyc)$")

needs_sources = pytest.mark.skipif(
    not all((root / name).is_dir() for name, root in PACKAGES.items()),
    reason="the sources were deleted: the installed wheel is being tested",
)
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@dataclass(frozen=True)
class Built:
    """The distributions of one build, opened."""

    sdist: set[str]
    wheel: set[str]
    wheel_bytes: int
    metadata: email.message.Message
    entry_points: str


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the sdist and from it the wheel, as a release does, without the network."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel_path,) = out.glob("*.whl")
    (sdist_path,) = out.glob("*.tar.gz")
    with tarfile.open(sdist_path) as sdist:
        # Below the one folder that it unpacks to.
        names = {PurePosixPath(*PurePosixPath(m.name).parts[1:]) for m in sdist if m.isfile()}
    with zipfile.ZipFile(wheel_path) as wheel:
        (info,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
        return Built(
            sdist={str(name) for name in names},
            wheel=set(wheel.namelist()),
            wheel_bytes=wheel_path.stat().st_size,
            metadata=email.parser.Parser().parsestr(wheel.read(f"{info}/METADATA").decode()),
            entry_points=wheel.read(f"{info}/entry_points.txt").decode(),
        )


def shipped(package: str, root: Path) -> set[str]:
    """Every file of a package in the work tree, but what Python leaves there."""
    return {
        path.relative_to(root).as_posix()
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@needs_sources
def test_wheel_holds_the_three_packages_and_nothing_else(built: Built) -> None:
    expected = set[str]().union(*(shipped(name, root) for name, root in PACKAGES.items()))
    code = {name for name in built.wheel if ".dist-info/" not in name}

    assert code == expected
    assert {name.split("/")[-1] for name in built.wheel - code} == {
        "LICENSE",
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
    }


@needs_sources
def test_wheel_says_that_every_package_is_typed(built: Built) -> None:
    typed = {name.split("/")[0] for name in built.wheel if name.endswith("/py.typed")}

    assert typed == set(PACKAGES)


@needs_sources
def test_wheel_holds_code_the_template_and_the_page_only(built: Built) -> None:
    code = [name for name in built.wheel if ".dist-info/" not in name]

    assert not [name for name in code if JUNK.search(name) or "test_" in name]
    data = {name for name in code if PurePosixPath(name).suffix not in {".py", ".typed"}}
    page = {name for name in data if name.startswith(PAGE)}
    assert data - page == {"copilot_analytics/infrastructure/template.yaml"}
    assert not [name for name in page if name.endswith((".ts", ".tsx", ".map"))]


@needs_sources
@pytest.mark.parametrize("name", ["index.html", "graphiql.html"])
def test_wheel_and_sdist_hold_the_page_as_browsers_take_it(name: str, built: Built) -> None:
    files = {f"{PAGE}{name}{compression}" for compression in ("", ".br", ".gz")}

    assert files <= built.wheel
    assert {f"graphql_schema/{file}" for file in files} <= built.sdist
    scripts = {each for each in built.wheel if each.startswith(f"{PAGE}assets/index-")}
    assert {PurePosixPath(each).suffix for each in scripts} == {".js", ".css", ".br", ".gz"}
    assert built.wheel_bytes <= 8 * 1024 * 1024


@needs_sources
def test_sdist_can_build_the_page_anew(built: Built) -> None:
    needed = {"page_build.py", "hatch_build.py", "package-lock.json", "src/main.tsx"}

    assert {f"dashboard/{name}" for name in needed} <= built.sdist


@needs_sources
def test_sdist_holds_what_its_own_tests_need(built: Built) -> None:
    needed = {
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "constraints.txt",
        "docs/architecture.md",
        "pyproject.toml",
        "tests/test_packaging.py",
    }

    assert needed <= built.sdist
    assert not [name for name in built.sdist if JUNK.search(name)]


@needs_sources
def test_metadata_names_the_extras_the_licence_and_the_python(built: Built) -> None:
    metadata = built.metadata

    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Name"] == "copilot-analytics"


@needs_sources
def test_base_install_brings_msgspec_alone(built: Built) -> None:
    requirements = built.metadata.get_all("Requires-Dist", [])

    base = [requirement for requirement in requirements if "extra ==" not in requirement]
    assert [re.split(r"[^\w-]", requirement)[0] for requirement in base] == ["msgspec"]


@needs_sources
def test_no_requirement_names_an_address(built: Built) -> None:
    requirements = built.metadata.get_all("Requires-Dist", [])
    pinned = (ROOT / "constraints.txt").read_text()

    assert "://" not in "".join(requirements) + pinned
    assert " @ " not in "".join(requirements) + pinned


def test_every_requirement_is_pinned() -> None:
    """A requirement without an exact version would make the set-up differ from day to day."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {
        re.split(r"[^\w-]", requirement)[0].lower()
        for group in (
            project["project"]["dependencies"],
            *project["project"]["optional-dependencies"].values(),
            *project["dependency-groups"].values(),
        )
        for requirement in group
    }
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith("#")]

    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", line) for line in pinned)
    assert wanted - {"copilot-analytics"} <= {line.split("==")[0].lower() for line in pinned}


@needs_sources
def test_entry_point_is_the_command(built: Built) -> None:
    assert "copilot-analytics = copilot_analytics.cli:main" in built.entry_points.splitlines()


@needs_sources
@pytest.mark.parametrize("root", ["plugins", "graphql_schema"])
def test_source_roots_hold_no_loose_module(root: str) -> None:
    """An editable install puts the roots on sys.path: a module there would be a top-level one."""
    assert not list((ROOT / root).glob("*.py"))


def fake_python(folder: Path, *, hides: str = "", works: bool = True) -> Path:
    """Return a Python that cannot import `hides`, or that does not run at all."""
    folder.mkdir()
    (folder / f"{hides or 'nothing_hidden'}.py").write_text("raise ImportError\n")
    python = folder / "python3"
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n'
        if works
        else "#!/bin/sh\nexit 127\n"
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python


def run_make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The make that may be running these tests hands its own variables on.
    own = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@needs_make
@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_without_ensurepip_says_what_to_install(target: str, tmp_path: Path) -> None:
    python = fake_python(tmp_path / "fake", hides="ensurepip")
    environment = tmp_path / "environment"

    done = run_make(target, f"PYTHON={python}", f"VENV={environment}")

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode != 0
    assert f"{python} cannot make virtual environments" in done.stderr
    assert f"apt install python{version}-venv" in done.stderr
    assert not environment.exists()


@needs_make
def test_make_without_a_python_says_what_to_install(tmp_path: Path) -> None:
    python = fake_python(tmp_path / "fake", works=False)
    environment = tmp_path / "environment"

    done = run_make("test", f"PYTHON={python} {tmp_path}/absent", f"VENV={environment}")

    assert done.returncode != 0
    assert "No Python 3.11 or newer found" in done.stderr
    assert "make PYTHON=/path/to/python3" in done.stderr
    assert not environment.exists()


@needs_make
def test_make_takes_the_first_python_that_can_do_it(tmp_path: Path) -> None:
    """One that does not run and one without ensurepip are passed over."""
    broken = fake_python(tmp_path / "broken", works=False)
    bare = fake_python(tmp_path / "bare", hides="ensurepip")
    whole = fake_python(tmp_path / "whole")
    environment = tmp_path / "environment"
    makefile = tmp_path / "Makefile"
    makefile.write_text(
        f"include {ROOT}/Makefile\nchosen:\n\t@$(find_python); echo chosen $$python\n"
    )

    done = run_make(
        "-f", str(makefile), "chosen", f"PYTHON={broken} {bare} {whole}", f"VENV={environment}"
    )

    assert done.stdout.split() == ["chosen", str(whole)], done.stderr


@needs_make
def test_make_engine_without_cargo_says_what_to_install(tmp_path: Path) -> None:
    done = run_make("engine", f"DYNOXIDE={tmp_path}", f"CARGO={tmp_path}/cargo")

    assert done.returncode != 0
    assert f"No cargo found (tried: {tmp_path}/cargo): install Rust" in done.stderr


@needs_make
@pytest.mark.parametrize(
    ("version", "enough"),
    [("1.63.0", False), ("1.87.9", False), ("1.88.0", True), ("1.100.0", True), ("2.0.0", True)],
)
def test_make_engine_needs_a_new_rust(version: str, enough: bool, tmp_path: Path) -> None:
    """It is asked before anything is built, which fails late and at length."""
    cargo = tmp_path / "cargo"
    cargo.write_text('#!/bin/sh\necho "$@"\n')
    rustc = tmp_path / "rustc"
    rustc.write_text(f'#!/bin/sh\necho "rustc {version} (abc 2022-01-01)"\n')
    for tool in (cargo, rustc):
        tool.chmod(0o755)

    done = run_make("engine", f"DYNOXIDE={tmp_path}/kept", f"CARGO={cargo}", f"RUSTC={rustc}")

    assert (done.returncode == 0) is enough
    if enough:
        assert "install dynoxide-rs --version" in done.stdout
    else:
        assert f"and this is rustc {version} (abc 2022-01-01): update it" in done.stderr


@needs_make
def test_make_engine_builds_once(tmp_path: Path) -> None:
    """What is kept from earlier runs is taken, also where there is no cargo any more."""
    makefile = (ROOT / "Makefile").read_text()
    version = re.search(r"^DYNOXIDE_VERSION := (.*)$", makefile, re.MULTILINE)
    assert version
    binary = tmp_path / "bin/dynoxide"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    (tmp_path / ".crates.toml").write_text(
        f'[v1]\n"dynoxide-rs {version[1]} (registry)" = ["dynoxide"]\n'
    )

    done = run_make("engine", f"DYNOXIDE={tmp_path}", f"CARGO={tmp_path}/cargo")

    assert (done.returncode, done.stderr) == (0, "")


@needs_make
def test_make_alone_lists_every_target() -> None:
    done = run_make()
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)

    assert phony
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed == set(phony[1].split())
