"""Debian's chromium, driven by Playwright; what it says on the side fails a test."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from .site import Site

SCREENSHOTS = Path(__file__).resolve().parent.parent.parent / "build/screenshots"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Open = Callable[..., "Visit"]


def chromium() -> str | None:
    """Return where a browser is, or None."""
    named = os.environ.get("COPILOT_ANALYTICS_TEST_CHROMIUM")
    return named or next(filter(None, map(shutil.which, _NAMES)), None)


class Visit:
    """A browser's visit of a site: its page, and all that went wrong on the side."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.context = context
        self.site = site
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self.outside: list[str] = []
        self.requests: list[str] = []
        self.expected: list[str] = []
        """What may be said: patterns."""
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.troubles.append(text)

    def _asked(self, url: str) -> None:
        self.requests.append(url)
        if not url.startswith((self.site.origin, "data:", "blob:")):
            self.outside.append(url)

    def go(self, path: str = "/") -> None:
        """Open a view, and wait until it is drawn."""
        self.page.goto(f"{self.site.base}{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is being loaded any more."""
        self.page.wait_for_load_state("load")
        expect(self.page.locator(".busy")).to_have_count(0)

    def sign_in(self, token: str, *, at: str = "/") -> None:
        """Sign in with a token, on the sign-in page, and be at a view."""
        self.page.goto(f"{self.site.base}{at}")
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("#navigation").wait_for(state="attached")
        self.settle()

    def width(self) -> tuple[int, int]:
        """Return how wide the document is, and the window."""
        found: list[int] = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        return found[0], found[1]

    def screenshot(self, name: str) -> None:
        """Leave a picture for whoever looks at them."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def check(self) -> None:
        """Fail if anything went wrong on the side."""
        surprises = [
            trouble
            for trouble in self.troubles
            if not any(re.search(pattern, trouble) for pattern in self.expected)
        ]
        assert surprises == []
        assert self.outside == []


@pytest.fixture(scope="module")
def browser(leave_out: Callable[[str], NoReturn]) -> Iterator[Browser]:
    """The browser; without one these tests are left out, but not in CI.

    For a module: as long as Playwright runs, no other event loop can in this thread.
    """
    path = chromium()
    if path is None:
        leave_out(
            "The page was not tested in a browser: install chromium (Debian: apt install "
            "chromium), or name one by COPILOT_ANALYTICS_TEST_CHROMIUM"
        )
    with sync_playwright() as playwright:
        # A container's root has no user namespaces, which its sandbox needs.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Site]:
    """A site that runs, for a module."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.start()
    yield site
    site.close()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Open]:
    """Open the site in a browser of its own; what it says on the side fails the test."""
    visits: list[Visit] = []

    def visit(at: Site = site, **options: Any) -> Visit:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        visits.append(Visit(browser.new_context(**options), at))
        return visits[-1]

    yield visit
    for each in visits:
        each.context.close()
        each.check()
