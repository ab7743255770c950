"""Takes the pictures of docs/dashboard.md from the demo, in chromium; run by `make pictures`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs/pictures"
DEMO = Path(sys.executable).with_name("copilot-analytics")


def link_of(demo: subprocess.Popen[str]) -> str:
    """Return the address that the demo prints, once it is up."""
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("Page"):
            return line.split()[1]
    raise SystemExit("The demo did not start.")


def settled(page: Page) -> None:
    """Wait until nothing is being loaded any more."""
    expect(page.locator(".busy")).to_have_count(0)
    page.wait_for_timeout(300)


def take(page: Page, name: str) -> None:
    """Write one picture."""
    settled(page)
    page.screenshot(path=PICTURES / f"{name}.png")
    print(f"docs/pictures/{name}.png")


def main() -> None:
    """Take them all."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        # Few enough live users for a last day like the others.
        command = [str(DEMO), "demo", "--port", "0", "--users", "60"]
        store = ["--store", f"sqlite:///{folder}/demo.db"]
        with subprocess.Popen([*command, *store], stdout=subprocess.PIPE, text=True) as demo:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(link_of(demo))
            page.get_by_role("navigation", name="Views").wait_for()
            take(page, "summary-light")
            page.get_by_role("link", name="add-supplier").click()
            page.get_by_role("heading", name="add-supplier").wait_for()
            page.emulate_media(color_scheme="dark")
            take(page, "command-dark")
            page.emulate_media(color_scheme="light")
            page.get_by_role("link", name="Live", exact=True).click()
            page.locator(".event-row").nth(12).wait_for()
            take(page, "live-light")
            browser.close()
            demo.terminate()


if __name__ == "__main__":
    main()
