"""`copilot-analytics doctor`: looks at everything that can be wrong, and says what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import typer

from ..errors import ConfigurationError, MissingDependencyError, StoreError
from ..typing import SystemClock
from .environment_checks import (
    check_extras,
    check_privacy,
    check_retention,
    check_settings,
    check_spool,
    check_tokens,
)
from .findings import Finding, State, problem
from .options import JSONOption, Opened, StoreOption, settings
from .store_checks import check_store
from .telling import as_json as to_json
from .telling import console, waiting
from .token_commands import TokensOption
from .traffic_checks import check_traffic

__all__ = ["examine"]

_MARKS = {State.OK: "ok     ", State.NOTE: "note   ", State.PROBLEM: "PROBLEM"}
_STYLES = {State.OK: "green", State.NOTE: "yellow", State.PROBLEM: "bold red"}


def examine(
    store: StoreOption = None, tokens: TokensOption = None, as_json: JSONOption = False
) -> None:
    """Look for what is wrong, and say what to do.

    Looks at settings, extras, store, permissions, clocks, spool, tokens, privacy and what arrives,
    and changes nothing. Status 1 if there is a problem.
    """
    with waiting("Looking"):
        findings = list(_findings(store, tokens))
    problems = sum(one.state is State.PROBLEM for one in findings)
    if as_json:
        answer = {"problems": problems, "findings": to_json(findings)}
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        _tell(findings, problems)
    raise typer.Exit(1 if problems else 0)


def _findings(store: str | None, tokens: Path | None) -> Iterator[Finding]:
    clock = SystemClock()
    try:
        config = settings(store)
        yield from check_settings(config)
        yield from check_extras(config)
        yield from check_privacy(config)
        yield from check_retention(config)
        yield from check_tokens(tokens, clock.now_ms())
        opened = Opened.of(config, clock)
    except ConfigurationError as error:
        yield problem("settings", f"{error.setting} is {error.value!r}", error.remedy)
        return
    except MissingDependencyError:
        return  # told by the check of the extras
    yield from check_spool(config, opened.store, clock.now_ms())
    try:
        reached = True
        for finding in check_store(config, opened.store):
            reached = reached and not (finding.check == "store" and finding.state is State.PROBLEM)
            yield finding
        if reached:
            yield from check_traffic(opened)
    except StoreError as error:
        yield problem("store", error.problem, error.remedy)
    finally:
        opened.store.close()


def _tell(findings: list[Finding], problems: int) -> None:
    out = console()
    for one in findings:
        out.print(_MARKS[one.state], style=_STYLES[one.state], end="  ")
        out.print(f"{one.check}: {one.found}.")
        if one.remedy is not None:
            out.print(f"         → {one.remedy}")
    out.print()
    if problems:
        out.print(f"{problems} problem{'s' if problems > 1 else ''}: see what → says.")
    else:
        out.print("No problem found.")
