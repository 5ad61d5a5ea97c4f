"""The page in a real Chromium, of a real daemon that heard a soundscape."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.listener.review.accessibility import CONTRAST, nameless
from tests.listener.review.page_station import Station, station_with_page
from tests.listener.review.rig import TOKEN
from tests.rigs.browser import PHONE, Watched, chromium
from tests.rigs.mosquitto import wait_until


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    with station_with_page(tmp_path_factory.mktemp("station")) as station:
        yield station


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def watched(station: Station, browser: Browser) -> Iterator[Watched]:
    """A tab without a token; in the end nothing was asked of another host, and nothing went wrong."""
    yield from watch(station, browser, viewport={"width": 1200, "height": 850})


@pytest.fixture
def phone(station: Station, browser: Browser) -> Iterator[Watched]:
    yield from watch(station, browser, viewport=PHONE, has_touch=True, is_mobile=True)


def watch(station: Station, browser: Browser, **options: Any) -> Iterator[Watched]:
    watched = Watched(browser, **options)
    yield watched
    watched.context.close()
    assert watched.complaints == []
    assert watched.addresses
    elsewhere = [a for a in watched.addresses if not a.startswith((station.address, "blob:"))]
    assert elsewhere == []


def know_the_token(page: Page) -> None:
    page.add_init_script(f"sessionStorage.setItem('token', '{TOKEN}')")


def open_review(page: Page, station: Station) -> str:
    """The id of the clip that is shown, once its picture is."""
    page.goto(station.address)
    expect(page.locator("#legend span").first).to_be_visible()
    return shown(page)


def shown(page: Page) -> str:
    return page.locator("#clip").get_attribute("data-id") or ""


def wait_for_another(page: Page, clip_id: str) -> str:
    expect(page.locator("#clip")).not_to_have_attribute("data-id", clip_id)
    return shown(page)


def test_a_clip_is_played_and_judged_by_key(station: Station, watched: Watched):
    page = watched.page
    clip = open_review(page, station)
    page.keyboard.press("p")
    page.wait_for_function("() => document.getElementById('audio').currentTime > 0.2")
    expect(page.locator("#play")).to_have_accessible_name("Pause")
    page.keyboard.press("y")
    page.locator("#token").fill(TOKEN)
    page.locator("#who").fill("Åsa")
    page.keyboard.press("Enter")
    verdict = station.wait_for_verdict(clip)
    assert (verdict["value"], verdict["who"]) == ("right", "Åsa")
    second = wait_for_another(page, clip)
    page.keyboard.press("n")
    assert station.wait_for_verdict(second)["value"] == "wrong"
    wait_for_another(page, second)


def test_undone_a_clip_is_judged_again_and_both_verdicts_stay(station: Station, watched: Watched):
    page = watched.page
    know_the_token(page)
    clip = open_review(page, station)
    page.keyboard.press("y")
    station.wait_for_verdict(clip)
    wait_for_another(page, clip)
    page.keyboard.press("u")
    expect(page.locator("#clip")).to_have_attribute("data-id", clip)
    expect(page.locator("#right")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("n")
    station.wait_for_verdict(clip, 2)
    values = [verdict["value"] for verdict in station.sidecar(clip)["verdicts"]]
    assert values == ["right", "wrong"]


def test_a_late_answer_leaves_the_editor_of_another_clip_open(station: Station, watched: Watched):
    page = watched.page
    know_the_token(page)
    clip = open_review(page, station)
    held: list[Route] = []

    def hold(route: Route) -> None:  # Playwright takes no method of a list
        held.append(route)

    page.route("**/api/command/flag", hold)
    with page.expect_request("**/api/command/flag"):
        page.keyboard.press("y")
    page.keyboard.press("j")
    wait_for_another(page, clip)
    page.keyboard.press("l")
    held[0].continue_()
    expect(page.locator("#message")).not_to_be_empty()
    expect(page.locator("#editor")).to_be_visible()
    station.wait_for_verdict(clip)


def test_another_clip_is_judged_while_a_verdict_is_on_its_way(station: Station, watched: Watched):
    page = watched.page
    know_the_token(page)
    first = open_review(page, station)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/command/flag", hold)
    with page.expect_request("**/api/command/flag"):
        page.keyboard.press("y")
    page.keyboard.press("y")  # the same clip: not a second verdict
    page.keyboard.press("j")
    second = wait_for_another(page, first)
    with page.expect_request("**/api/command/flag"):
        page.keyboard.press("n")
    for route in held:
        route.continue_()
    assert station.wait_for_verdict(first)["value"] == "right"
    assert station.wait_for_verdict(second)["value"] == "wrong"
    assert len(held) == 2


@pytest.mark.parametrize("late", ["api/queue?*", "api/clips/{first}"])
def test_a_late_answer_does_not_replace_the_clip_asked_for_since(
    late: str, station: Station, watched: Watched
):
    page = watched.page
    know_the_token(page)
    first = open_review(page, station)
    page.keyboard.press("j")
    second = wait_for_another(page, first)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    asked = "**/" + late.format(first=first)
    page.route(asked, hold, times=1)
    with page.expect_request(asked):
        ask_for(page, first if "clips" in late else None)
    ask_for(page, second)
    expect(page.locator("#clip")).to_have_attribute("data-id", second)
    with page.expect_response(asked) as answer:
        held[0].continue_()
    answer.value.finished()
    # it was dealt with before this
    page.evaluate("async () => (await fetch('api/queue?limit=1')).text()")
    assert shown(page) == second


def test_the_address_of_the_clip_that_is_shown_leaves_its_editor_open(
    station: Station, watched: Watched
):
    page = watched.page
    know_the_token(page)
    clip = open_review(page, station)
    page.keyboard.press("l")
    expect(page.locator("#editor input[type=text]")).to_be_focused()
    ask_for(page, clip)
    # it was dealt with before this
    page.evaluate(f"async () => (await fetch('api/clips/{clip}')).text()")
    page.evaluate("async () => (await fetch('api/queue?limit=1')).text()")
    page.keyboard.press("Enter")
    wait_for_another(page, clip)
    assert station.wait_for_verdict(clip)["value"] == "labels"


def ask_for(page: Page, clip_id: str | None) -> None:
    """By its address; without one the first of the queue, with the whole page anew."""
    if clip_id is None:
        page.reload()
    else:
        page.evaluate("hash => { location.hash = hash }", f"review/{clip_id}")


def test_labels_with_spans_by_keyboard_alone(station: Station, watched: Watched):
    """From the top of the page with Tab, then letters; never a pointer."""
    page = watched.page
    know_the_token(page)
    clip = open_review(page, station)
    wanted = {"choice", "play", "position", "at-once", "right", "wrong", "other"}
    assert wanted <= tabbed_to(page, "other")
    page.keyboard.press("Enter")
    expect(page.locator("#editor")).to_be_visible()
    for text in ("Crying baby", "0.25", "1.5"):
        page.keyboard.press("Control+A")
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    verdict = station.wait_for_verdict(clip)
    assert verdict["labels"] == [{"label": "crying_baby", "onset": 0.25, "offset": 1.5}]
    third = wait_for_another(page, clip)
    page.keyboard.press("k")
    expect(page.locator("#clip")).to_have_attribute("data-id", clip)
    page.keyboard.press("j")
    expect(page.locator("#clip")).to_have_attribute("data-id", third)


def tabbed_to(page: Page, last: str) -> set[str]:
    """The ids of what had the focus on the way to `last`."""
    seen = set()
    for _ in range(100):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id"))
        if last in seen:
            return seen
    raise AssertionError(f"{last} was not reached, only {seen}")


def test_an_unknown_label_is_not_sent(station: Station, watched: Watched):
    page = watched.page
    know_the_token(page)
    clip = open_review(page, station)
    page.keyboard.press("l")
    page.keyboard.type("unicorn")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not know the label")
    page.keyboard.press("Escape")
    expect(page.locator("#editor")).to_be_hidden()
    assert station.sidecar(clip)["verdicts"] == []


def test_with_a_wrong_token_nothing_is_kept_and_it_is_asked_for_again(
    station: Station, watched: Watched
):
    page = watched.page
    page.add_init_script("sessionStorage.setItem('token', 'not-the-token-of-it')")
    clip = open_review(page, station)
    page.keyboard.press("y")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#message")).to_contain_text("Not kept")
    assert (shown(page), station.sidecar(clip)["verdicts"]) == (clip, [])


def test_single_keys_can_be_switched_off(station: Station, watched: Watched):
    """WCAG 2.1.4: who speaks to the computer must not give verdicts by chance."""
    page = watched.page
    know_the_token(page)
    clip = open_review(page, station)
    page.keyboard.press("?")
    page.get_by_label("single keys are shortcuts").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("y")
    page.locator("#wrong").click()
    assert station.wait_for_verdict(clip)["value"] == "wrong"


def test_what_sounds_like_it_can_be_opened(station: Station, watched: Watched):
    page = watched.page
    clip = open_review(page, station)
    page.locator("#similar button").first.click()
    wait_for_another(page, clip)


def test_the_live_view_moves(station: Station, watched: Watched):
    page = watched.page
    page.goto(station.address + "#live")
    expect(page.locator(".tops li")).to_have_count(5)
    page.wait_for_function(
        "() => Number(document.querySelector('[role=meter]').getAttribute('aria-valuenow')) > -80"
    )
    row = "[...document.querySelector('.sources canvas').getContext('2d')"
    row += ".getImageData(1499, 0, 1, 64).data]"
    before = page.evaluate(row)
    page.wait_for_function(f"before => {row}.join() !== before.join()", arg=before)
    expect(page.locator(".tops .active")).to_contain_text("Smoke alarm")


def test_what_was_missed_is_kept(station: Station, watched: Watched):
    page = watched.page
    know_the_token(page)
    page.goto(station.address + "#live")
    page.get_by_role("button", name="Something was missed on hall").click()
    expect(page.locator("#message")).to_contain_text("are kept")
    wait_until(lambda: "missed" in {c.reason for c in station.store.find()}, 15, "a missed clip")


def test_an_event_leads_to_its_clip(station: Station, watched: Watched):
    page = watched.page
    page.goto(station.address + "#events")
    row = page.get_by_role("row").filter(has_text="Smoke alarm").filter(has_text="Listen").first
    row.get_by_role("button").click()
    expect(page.locator("#clip-title")).to_have_text("Smoke alarm · hall")


@pytest.mark.parametrize("view", ["review", "live", "events"])
def test_a_phone_never_scrolls_sideways(station: Station, phone: Watched, view: str):
    page = phone.page
    page.goto(f"{station.address}#{view}")
    there = {"review": "#legend span", "live": ".tops li", "events": "#event-rows tr"}
    expect(page.locator(there[view]).first).to_be_visible()
    if view == "review":
        page.locator("#other").tap()
        expect(page.locator("#editor")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    small = "[...document.querySelectorAll('button')].filter(b => b.offsetHeight)"
    assert page.evaluate(f"Math.min(...{small}.map(b => b.offsetHeight))") >= 24  # WCAG 2.5.8


@pytest.mark.parametrize("view", ["review", "live", "events"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_has_a_name_and_every_text_its_contrast(
    station: Station, browser: Browser, view: str, scheme: str
):
    watched = Watched(browser, color_scheme=scheme, reduced_motion="reduce")
    page = watched.page
    page.goto(f"{station.address}#{view}")
    expect(page.locator("#legend span, .tops li, #event-rows tr").first).to_be_visible()
    if view == "review":
        page.keyboard.press("l")
    assert nameless(page) == []
    assert page.evaluate(CONTRAST) == []
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.evaluate("document.getAnimations().length") == 0
    watched.context.close()
    assert watched.complaints == []
