"""Every view for everybody: axe, keyboard, widths from a phone's to 4K; what the policy refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .site import ADMIN_TOKEN, USER_TOKEN

Open = Callable[..., Any]

VIEWS = {
    "summary": "/",
    "commands": "/commands",
    "command": "/commands/add-supplier",
    "errors": "/errors",
    "users": "/users",
    "user": "/users/user-0001",
    "intents": "/intents",
    "streaming": "/streaming",
    "connections": "/connections",
    "live": "/live",
    "health": "/health",
}
CHARTS = {"summary", "command", "user", "streaming", "connections"}

GRAPHIQL_FINDINGS = {"color-contrast", "nested-interactive"}
"""Upstream's own: pale text in its light theme, and buttons within its tabs."""


def findings(page: Any) -> dict[str, list[str]]:
    """Return what axe finds, at any impact level: rules, and what breaks them."""
    found = Axe().run(page).response["violations"]
    return {each["id"]: [node["html"][:160] for node in each["nodes"]] for each in found}


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing(name: str, site: Any, visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN, at=VIEWS[name])
    page = admin.page
    if name == "live":
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        site.talk()
        expect(page.locator(".event-row").first).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        admin.screenshot(f"{name}-{scheme}")
        assert findings(page) == {}
    if name in CHARTS:
        page.get_by_role("button", name="Show as table").first.click()
        assert findings(page) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens(scheme: str, visit: Open) -> None:
    admin = visit(color_scheme=scheme)
    page = admin.page
    page.goto(f"{admin.site.base}/")
    expect(page.get_by_label("Token")).to_be_visible()
    admin.screenshot(f"sign-in-{scheme}")
    assert findings(page) == {}
    admin.sign_in(ADMIN_TOKEN)

    page.get_by_role("button", name="Export").click()
    page.get_by_role("menu").wait_for()
    assert findings(page) == {}
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Last 30 days").click()
    page.get_by_role("menu").wait_for()
    assert findings(page) == {}
    page.get_by_role("menuitemradio", name="Custom").click()
    page.get_by_role("dialog").wait_for()
    admin.screenshot(f"range-{scheme}")
    assert findings(page) == {}


def test_axe_finds_in_graphiql_what_is_upstream_s(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    admin.page.goto(f"{admin.site.base}/graphiql")
    editor = admin.page.locator(".graphiql-query-editor")
    expect(editor).to_contain_text("Dashboard", timeout=20_000)
    for scheme in ("light", "dark"):
        admin.page.emulate_media(color_scheme=scheme)
        admin.screenshot(f"graphiql-{scheme}")
        found = findings(admin.page)
        assert {rule for rule in found if rule not in GRAPHIQL_FINDINGS} == set(), found


def test_no_view_scrolls_sideways(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    for name, path in VIEWS.items():
        admin.go(path)
        for width in (3840, 1280, 768, 360):
            admin.page.set_viewport_size({"width": width, "height": 900})
            # Charts follow in their next frame.
            admin.page.evaluate("() => new Promise(requestAnimationFrame)")
            document, window = admin.width()
            assert document <= window, (name, width)
        admin.screenshot(f"{name}-phone")


def test_everything_can_be_done_by_keyboard(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    page.reload()
    admin.settle()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Refresh")).to_be_focused()
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        label = page.evaluate(
            "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
        )
        reached.add(re.sub(r"\s+", " ", label or "").strip())
    for wanted in ("By command", "Compare", "Show as table", "add-supplier", "Metric"):
        assert any(wanted in each for each in reached), (wanted, reached)


def test_reduced_motion_is_honoured(visit: Open) -> None:
    admin = visit(reduced_motion="reduce")
    admin.sign_in(ADMIN_TOKEN)
    admin.page.route("**/graphql", lambda route: None)  # keeps it loading
    admin.page.get_by_role("link", name="Users", exact=True).click()
    busy = admin.page.locator(".busy").first
    busy.wait_for()

    assert busy.evaluate("each => getComputedStyle(each).animationName") == "none"


def test_the_policy_refuses_what_is_not_ours(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    refused: list[str] = admin.page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener("securitypolicyviolation", (event) => {
                refused.push(event.effectiveDirective);
            });
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.head.append(style);
            await fetch("https://example.com/").catch(() => null);
            await new Promise((resolve) => setTimeout(resolve, 200));
            return window.injected ? ["injected"] : refused;
        }"""
    )
    admin.expected = ["Content Security Policy"]
    admin.outside.clear()  # asked for, and refused

    assert {"script-src-elem", "style-src-elem", "connect-src"} <= set(refused)


def test_a_user_s_views_are_for_everybody_too(visit: Open) -> None:
    user = visit()
    user.sign_in(USER_TOKEN)
    user.screenshot("my-activity-light")
    assert findings(user.page) == {}
    user.go("/live")
    assert findings(user.page) == {}
