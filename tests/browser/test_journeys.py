"""What an administrator and a user do on the page, end to end, against the real server."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from .site import ADMIN_TOKEN, HOSTILE, LONGEST, USER_TOKEN, Site

Open = Callable[..., Any]

OVERVIEW = """
query($range: DateRange) {
  dashboard(range: $range) {
    summary {
      executions { value } successRate { value } execution { averageMs { value } p95Ms { value } }
      errors { value } errorsByType { errorType } messages { value } activeUsers { value }
      ttft { p50Ms { value } p95Ms { value } } interruptionRate { value } streams { value }
    }
  }
}
"""
SHOWN = """
query($range: DateRange) {
  dashboard(range: $range, top: 1000) {
    range { start }
    summary { executions { value } events { count } }
    topCommands { name }
  }
}
"""
KEPT_BY_SCRIPTS = "[document.cookie, localStorage.length, sessionStorage.length]"
LAST_MONTH = {"preset": "LAST_MONTH"}


def ask(site: Site, query: str, variables: object = None, token: str = ADMIN_TOKEN) -> Any:
    answer = httpx.post(
        f"{site.origin}/graphql",
        json={"query": query, "variables": variables},
        headers={"Authorization": f"Bearer {token}"},
    ).json()
    assert "errors" not in answer, answer
    return answer["data"]


def card(page: Page, label: str) -> str:
    return page.get_by_role("article", name=label, exact=True).inner_text()


def number(text: str) -> float:
    """Return the first number of a text."""
    found = re.search(r"\d[\d,]*(\.\d+)?", text)
    assert found, text
    return float(found[0].replace(",", ""))


def value(page: Page, label: str) -> str:
    return page.get_by_role("article", name=label, exact=True).locator(".card-value").inner_text()


def test_the_cards_are_what_graphql_says(site: Site, visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    admin.go("/?range=LAST_MONTH")
    page, summary = admin.page, ask(site, OVERVIEW, {"range": LAST_MONTH})["dashboard"]["summary"]

    assert number(value(page, "Total executions")) == summary["executions"]["value"] > 0
    assert number(value(page, "Success rate")) == round(summary["successRate"]["value"] * 100, 1)
    average = summary["execution"]["averageMs"]["value"]
    assert number(value(page, "Average response time")) == round(average)
    p95 = round(summary["execution"]["p95Ms"]["value"])
    assert f"p95 {p95} ms" in card(page, "Average response time")
    assert number(value(page, "Total errors")) == summary["errors"]["value"]
    assert f"{len(summary['errorsByType'])} types" in card(page, "Total errors")
    assert number(value(page, "Messages")) == summary["messages"]["value"]
    assert number(value(page, "Active users")) == summary["activeUsers"]["value"]
    ttft = summary["ttft"]
    assert number(value(page, "Time to first token")) == round(ttft["p50Ms"]["value"])
    assert f"p95 {round(ttft['p95Ms']['value'])} ms" in card(page, "Time to first token")
    rate = summary["interruptionRate"]["value"]
    assert number(value(page, "Interrupted streams")) == round(rate * 100, 1)
    assert f"of {summary['streams']['value']}" in card(page, "Interrupted streams")


def test_the_first_view_is_one_request(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    admin.requests.clear()
    admin.go("/")

    assert [url for url in admin.requests if url.endswith("/graphql")] == [
        f"{admin.site.base}/graphql"
    ]


def test_a_range_is_in_the_address_and_the_back_button_works(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    total = value(page, "Total executions")

    page.get_by_role("button", name="Last 30 days").click()
    page.get_by_role("menuitemradio", name="Yesterday").click()
    page.wait_for_url("**/?range=YESTERDAY")
    admin.settle()
    assert value(page, "Total executions") != total
    page.get_by_role("link", name="Commands", exact=True).click()
    page.wait_for_url("**/commands?range=YESTERDAY")
    page.go_back()
    page.go_back()
    admin.settle()
    expect(page.get_by_role("button", name="Last 30 days")).to_be_visible()
    assert value(page, "Total executions") == total


def test_the_chart_shows_any_metric_and_dragging_over_it_chooses_days(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    page.get_by_role("button", name="By command").click()
    legend = page.get_by_role("list", name="Lines of Executions over time")
    expect(legend.get_by_role("listitem")).to_have_count(5)
    page.get_by_role("button", name="By command").click()
    page.get_by_role("button", name="Compare").click()
    expect(legend.get_by_role("listitem")).to_have_text(["Executions", "Previous period"])
    page.get_by_label("Metric").select_option("P95_TTFT_MS")
    page.get_by_label("Interval").select_option("WEEK")
    admin.settle()
    page.get_by_role("button", name="Show as table").first.click()
    rows = page.get_by_role("group", name="Time to first token, p95 over time").locator("tbody tr")
    assert 5 <= rows.count() <= 6
    assert all(row.split("\t")[1].endswith(" ms") for row in rows.all_inner_texts())

    page.get_by_role("button", name="Show as chart").click()
    page.get_by_label("Interval").select_option("DAY")
    admin.settle()
    box = page.locator(".u-over").first.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    expect(page.locator(".tip")).to_be_visible()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"\?start=\d{4}-\d\d-\d\d&end=\d{4}-\d\d-\d\d$"))


def test_any_days_can_be_chosen_by_keyboard(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page

    page.get_by_role("button", name="Last 30 days").focus()
    page.keyboard.press("Enter")
    page.get_by_role("menu").wait_for()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    for index, digits in ((0, "01"), (1, "11"), (2, "2025"), (3, "09"), (4, "11"), (5, "2025")):
        dialog.get_by_role("spinbutton").nth(index).focus()
        page.keyboard.type(digits)
    dialog.get_by_role("button", name="Show these days").focus()
    page.keyboard.press("Enter")

    page.wait_for_url("**/?start=2025-11-01&end=2025-11-09")


def test_commands_are_sorted_searched_and_opened(site: Site, visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    page.get_by_role("link", name="Commands", exact=True).click()
    admin.settle()
    names = page.locator("tbody th")
    by_default = names.all_inner_texts()

    page.get_by_role("button", name="Command", exact=True).click()
    assert names.all_inner_texts() == sorted(by_default, key=str.lower)
    page.get_by_role("button", name="Average").click()
    admin.settle()
    averages = [number(text) for text in page.locator("tbody td:nth-child(5)").all_inner_texts()]
    assert averages == sorted(averages, reverse=True)
    page.get_by_label("Search commands").fill("supplier")
    expect(names).to_have_count(2)
    page.get_by_role("link", name="add-supplier").click()
    admin.settle()

    stats = ask(site, '{ commandStats(name: "add-supplier") { executions users { count } } }')
    facts = page.locator("dl.facts").inner_text()
    assert f"Executions\n{stats['commandStats']['executions']}" in facts
    assert f"Users\n{stats['commandStats']['users']['count']}" in facts
    page.get_by_role("button", name="Show as table").nth(1).click()
    rows = page.get_by_role("group", name="Execution times").locator("tbody tr")
    assert sum(int(row.split()[-1]) for row in rows.all_inner_texts()) > 0


def test_an_error_pattern_shows_its_events(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    page.get_by_role("link", name="Errors", exact=True).click()
    admin.settle()
    page.get_by_label("Error type").select_option("PaymentDeclined")
    page.wait_for_url("**/errors?type=PaymentDeclined")
    admin.settle()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="PaymentDeclined").click()
    admin.settle()

    expect(page.get_by_role("heading", level=1)).to_have_text("PaymentDeclined")
    assert "card <card> of <email> declined" in page.locator("p.mono").inner_text()
    rows = page.get_by_role("list", name="Its occurrences").get_by_role("listitem")
    assert rows.count() > 0
    page.get_by_role("link", name="Conversation").first.click()
    admin.settle()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Conversation conversation-")
    expect(page.get_by_text("Error occurred").first).to_be_visible()


def test_a_live_event_arrives_from_a_conversation_over_a_socket(site: Site, visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    page.get_by_role("link", name="Live", exact=True).click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    expect(page.get_by_text("Waiting for events")).to_be_visible()

    site.talk()
    events = page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
    expect(events.filter(has_text="WebSocket disconnected").first).to_be_visible()
    assert site.user in events.first.inner_text()

    page.get_by_role("button", name="Hold").click()
    shown = events.count()
    site.talk()
    expect(page.get_by_role("button", name=re.compile(r"Go on \(\d+ new events\)"))).to_be_visible()
    assert events.count() == shown
    page.get_by_role("button", name=re.compile("Go on")).click()
    expect(events).not_to_have_count(shown)


def test_a_lost_connection_is_told_and_comes_back(site: Site, visit: Open) -> None:
    admin = visit()
    admin.expected = ["WebSocket", "ERR_CONNECTION_REFUSED"]
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    admin.go("/live")
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()

    site.stop()
    expect(page.get_by_text("The connection was lost.")).to_be_visible()
    site.start()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible(timeout=30_000)
    # The session has outlived the restart.
    site.talk()
    events = page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
    expect(events.filter(has_text="WebSocket disconnected").first).to_be_visible()


@pytest.mark.parametrize(
    ("choice", "filename"),
    [
        ("JSON, everything shown", ".json"),
        ("CSV, commands", ".csv"),
        ("NDJSON, single events", ".ndjson"),
    ],
)
def test_exports_are_files_with_what_is_shown(
    choice: str, filename: str, site: Site, visit: Open, tmp_path: Path
) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    admin.go("/?range=LAST_MONTH")
    page = admin.page
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("menuitem", name=choice).click()
    download = waiting.value
    saved = tmp_path / download.suggested_filename
    download.save_as(saved)

    assert saved.suffix == filename
    asked = ask(site, SHOWN, {"range": LAST_MONTH})["dashboard"]
    assert asked["range"]["start"] in saved.name
    if filename == ".json":
        document = json.loads(saved.read_text())
        assert document["summary"]["executions"]["value"] == asked["summary"]["executions"]["value"]
    elif filename == ".csv":
        with saved.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(asked["topCommands"])
    else:
        events = sum(each["count"] for each in asked["summary"]["events"])
        assert len(saved.read_text().splitlines()) == events


def test_signing_out_ends_the_session_everywhere(site: Site, visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    cookie = {each["name"]: each["value"] for each in admin.context.cookies()}
    [flags] = admin.context.cookies()
    assert (flags["httpOnly"], flags["sameSite"]) == (True, "Strict")
    assert admin.page.evaluate(KEPT_BY_SCRIPTS) == ["", 0, 0]
    admin.page.get_by_role("button", name="Sign out").click()
    expect(admin.page.get_by_role("heading", name="Sign in")).to_be_visible()

    answer = httpx.get(f"{site.base}/session", cookies=cookie)
    assert answer.json() == {"id": None}
    assert admin.context.cookies() == []


def test_a_wrong_token_is_refused_with_a_sentence(visit: Open) -> None:
    nobody = visit()
    nobody.expected = ["401"]
    page = nobody.page
    page.goto(f"{nobody.site.base}/")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_contain_text("This token is not known here")
    expect(page.get_by_label("Token")).to_have_value("")


def test_the_printed_link_signs_in_once_and_leaves_no_trace(site: Site, visit: Open) -> None:
    link = site.sign_in_link()
    admin, other = visit(), visit()
    other.expected = ["401"]
    admin.page.goto(link)
    admin.page.get_by_role("navigation", name="Views").wait_for()
    assert admin.page.url == f"{site.base}/"
    assert not [url for url in admin.requests if "code" in url]

    other.page.goto(link)
    expect(other.page.get_by_text("This sign-in link has been used")).to_be_visible()


def test_a_user_sees_their_own_activity_only(site: Site, visit: Open) -> None:
    user = visit()
    user.sign_in(USER_TOKEN)
    page = user.page
    expect(page.get_by_role("heading", level=1)).to_have_text("My activity")
    links = page.get_by_role("navigation", name="Views").get_by_role("link").all_inner_texts()
    assert [link.strip() for link in links] == ["My activity", "Live"]
    activity = ask(site, "{ userActivity { messages executions } }", token=USER_TOKEN)[
        "userActivity"
    ]
    facts = page.locator("dl.facts").inner_text()
    assert f"Messages\n{activity['messages']}" in facts

    for path in ("/commands", "/errors", "/users", "/health"):
        user.go(path)
        assert page.url == f"{site.base}/"
    user.expected = ["403", "404"]  # the plain page has no icon
    page.goto(f"{site.base}/graphiql")
    expect(page.get_by_role("heading")).to_have_text("GraphiQL is for administrators")


def test_an_expired_session_says_so(site: Site, visit: Open) -> None:
    admin = visit()
    admin.expected = ["401"]
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    admin.context.clear_cookies()
    page.get_by_role("link", name="Errors", exact=True).click()

    expect(page.get_by_text("Your session has ended. Sign in again.")).to_be_visible()
    page.get_by_label("Token").fill(ADMIN_TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Errors")


def test_a_failed_query_says_so_and_can_be_tried_again(visit: Open) -> None:
    admin = visit()
    admin.expected = ["ERR_FAILED"]
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    page.route("**/graphql", lambda route: route.abort())
    page.get_by_role("link", name="Users", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")

    page.unroute("**/graphql")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_figures_of_other_days_are_not_left_where_a_query_failed(visit: Open) -> None:
    admin = visit()
    admin.expected = ["ERR_FAILED"]
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    expect(page.get_by_role("article", name="Messages")).to_be_visible()
    page.route("**/graphql", lambda route: route.abort())
    page.get_by_role("button", name="Last 30 days").click()
    page.get_by_role("menuitemradio", name="Last 90 days").click()

    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    expect(page.get_by_role("article", name="Messages")).to_have_count(0)


def test_a_slow_query_says_so(visit: Open) -> None:
    admin = visit()
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    held: list[Any] = []
    page.route("**/graphql", lambda route: held.append(route))
    page.get_by_role("link", name="Users", exact=True).click()
    expect(page.get_by_text("This takes longer than usual.")).to_be_visible(timeout=10_000)

    for route in held:
        route.continue_()
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.get_by_text("This takes longer than usual.")).to_have_count(0)


def test_hostile_names_are_text_in_their_place(visit: Open) -> None:
    admin = visit(viewport={"width": 360, "height": 800})
    admin.sign_in(ADMIN_TOKEN)
    page = admin.page
    dialogs: list[str] = []

    def dismiss(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    for path in ("/commands?range=TODAY", "/errors?range=TODAY"):
        admin.go(path)
        expect(page.get_by_role("link", name=HOSTILE).first).to_be_visible()
        document, window = admin.width()
        assert document <= window
    admin.go("/commands?range=TODAY")
    page.get_by_role("link", name=HOSTILE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    admin.settle()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    admin.go("/commands?range=TODAY")
    page.get_by_role("link", name=LONGEST).click()
    admin.settle()
    document, window = admin.width()
    assert document <= window
    assert dialogs == []


def test_an_empty_store_says_what_to_check(browser: Browser, visit: Open, tmp_path: Path) -> None:
    empty = Site(tmp_path, days=0)
    empty.start()
    try:
        admin = visit(empty)
        admin.sign_in(ADMIN_TOKEN)
        told = admin.page.get_by_role("region", name="Nothing was recorded in these days")
        expect(told).to_contain_text(
            "is the middleware (or @track) around the copilot's own WebSocket"
        )
        expect(told).to_contain_text("copilot-analytics doctor")
        admin.page.get_by_role("link", name="See the recorder").click()
        expect(admin.page.get_by_role("heading", level=1)).to_have_text("Health")
    finally:
        empty.close()


def test_below_a_prefix_everything_is_where_it_should_be(
    browser: Browser, visit: Open, tmp_path: Path
) -> None:
    placed = Site(tmp_path, prefix="/tools/copilot", days=3)
    placed.start()
    try:
        admin = visit(placed)
        admin.page.goto(placed.base)  # without its slash
        admin.page.get_by_label("Token").fill(ADMIN_TOKEN)
        admin.page.get_by_role("button", name="Sign in").click()
        admin.page.get_by_role("link", name="Commands", exact=True).click()
        admin.settle()
        admin.page.reload()
        admin.settle()
        expect(admin.page.locator("tbody tr").first).to_be_visible()
        assert admin.page.url.startswith(f"{placed.base}/commands")
        [cookie] = admin.context.cookies()
        assert cookie["path"] == "/tools/copilot/copilot-analytics"
        admin.page.get_by_role("button", name="Export").click()
        with admin.page.expect_download() as waiting:
            admin.page.get_by_role("menuitem", name="JSON, everything shown").click()
        assert json.loads(Path(waiting.value.path()).read_text())["commands"]
        assert all(url.startswith(placed.base) for url in admin.requests)
    finally:
        placed.close()


def test_graphiql_asks_with_the_session_and_keeps_nothing(site: Site, visit: Open) -> None:
    admin = visit()
    admin.page.goto(f"{site.base}/graphiql")
    assert admin.page.url == f"{site.base}/?next=graphiql"
    admin.page.get_by_label("Token").fill(ADMIN_TOKEN)
    admin.page.get_by_role("button", name="Sign in").click()
    admin.page.wait_for_url("**/graphiql")
    page = admin.page
    expect(page.locator(".graphiql-query-editor")).to_contain_text("Dashboard", timeout=20_000)
    page.get_by_role("button", name=re.compile("Execute query")).click()
    expect(page.locator(".result-window")).to_contain_text('"executions"', timeout=20_000)
    tabs = page.get_by_role("tab").all_inner_texts()
    assert tabs[0] == "Dashboard"
    assert {"PopularCommands", "ErrorPatterns", "Events"} <= set(tabs)
    kept = page.evaluate("JSON.stringify({...localStorage})")
    assert ADMIN_TOKEN not in kept
    assert "authorization" not in kept.lower()
