"""examples/query_dashboard.py, as its own process against a real server."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from copilot_analytics import Analytics
from copilot_analytics_graphql import graphql_routes, static_token

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "query_dashboard.py"
TOKEN = "t" * 40


async def run(url: str, token: str | None) -> tuple[int | None, str, str]:
    environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environ.pop("COPILOT_ANALYTICS_TOKEN", None)
    environ["PYTHONIOENCODING"] = "utf-8"
    if token is not None:
        environ["COPILOT_ANALYTICS_TOKEN"] = token
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLE),
        url,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


def test_it_prints_the_dashboard_or_says_what_is_wrong() -> None:
    async def ask() -> list[tuple[int | None, str, str]]:
        analytics = Analytics("memory://")
        for number in range(4):
            analytics.service.track_command_execution("ada", "add-supplier", number > 0, 120.0)
        analytics.service.track_error("ada", "ValueError", "no supplier for ada@example.com")
        assert await analytics.flush()
        app = Starlette(routes=graphql_routes(analytics, authenticate=static_token(TOKEN)))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                asked = ((url, TOKEN), (url, "wrong"), (url, None), (f"{url}/no", TOKEN))
                return await asyncio.gather(*(run(*arguments) for arguments in asked))
            finally:
                server.should_exit = True
                await serving
                await analytics.aclose()

    good, stranger, forgetful, lost = asyncio.run(ask())

    status, output, errors = good
    assert (status, errors) == (0, "")
    assert "commands run  4, change -" in output
    assert "succeeded     75 %" in output
    assert "4    75 %     120 ms  add-supplier" in output
    assert "1  ValueError: no supplier for <email>" in output
    assert stranger[0] == 1
    assert "Nobody is let in without credentials" in stranger[2]
    assert "Traceback" not in stranger[2]
    assert forgetful[0] == 2
    assert "Set COPILOT_ANALYTICS_TOKEN" in forgetful[2]
    assert lost[0] == 1
    assert "does not answer as it should" in lost[2]
