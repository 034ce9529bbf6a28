"""The explorer, the keyboard, phones, and keys of the API."""

import subprocess

import pytest

from conftest import BIN, Server, indexer


def test_the_explorer_goes_from_item_to_item(open_page):
    v = open_page()
    v.open("#/search?c=shop&q=running+shoe")
    ids = v.page.locator(".grid .card").evaluate_all("all => all.map((one) => one.dataset.id)")
    bought = "runx-running-shoe"
    v.page.click(f".card[data-id={bought}]")
    v.page.wait_for_selector(".drawer .similar li")
    title = v.page.inner_text(".drawer h2")
    assert title == "RunX Running Shoe" and f"open={bought}" in v.page.url
    assert v.page.inner_text(".why h3").startswith(f"Rank {ids.index(bought) + 1}, score ")
    assert v.page.locator(".drawer .parts tbody tr").count() == 2, "words and vector"
    own = v.page.locator(".similar .title").all_inner_texts()
    assert len(own) == 12 and title not in own
    v.page.click("[role=tab]:has-text('Other categories')")
    v.until("document.querySelector('[data-scope=cross]').getAttribute('aria-selected') === 'true'")
    v.page.wait_for_selector(".similar .segment[data-source=behavior]")
    facts = v.page.locator(".similar .facts").all_inner_texts()
    assert not any("Footwear" in f for f in facts), facts
    # Content and behavior have a segment each in the bar of a bridge.
    sources = v.page.locator(".similar li").first.locator(".segment").evaluate_all("all => all.map((one) => one.dataset.source)")
    assert {"query", "behavior"} <= set(sources), sources
    assert v.page.locator(".like .legend li").count() >= 2
    v.shot("explorer")
    v.page.click("[role=tab]:has-text('Bought together')")
    v.page.wait_for_selector(".similar .fine:has-text('baskets')")
    assert "Skipping Rope" in v.page.locator(".similar .title").all_inner_texts()
    v.page.locator("[role=tab]:has-text('All')").click()
    v.until("document.querySelectorAll('.similar li').length === 12")
    v.page.locator(".similar .line-item").first.click()
    v.until("(was) => document.querySelector('.drawer h2').textContent !== was", arg=title)
    v.page.go_back()
    v.until("(was) => document.querySelector('.drawer h2').textContent === was", arg=title)
    v.page.click("text=Search for similar items")
    v.settle()
    assert not v.page.locator("dialog").count()
    assert v.page.inner_text(".chip[data-kind=item]").startswith(f"similar to {title}")
    v.shot("like")


def test_everything_is_done_by_the_keyboard(open_page):
    v = open_page()
    v.open("#/search?c=shop&q=plant")
    press = v.page.keyboard.press
    focused = "document.activeElement?.dataset?.id ?? document.activeElement?.id"
    press("/")
    assert v.page.evaluate(focused) == "query"
    press("ArrowDown")
    ids = v.page.locator(".grid .card").evaluate_all("all => all.map((one) => one.dataset.id)")
    columns = v.page.evaluate("getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length")
    assert v.page.evaluate(focused) == ids[0]
    press("ArrowRight")
    press("ArrowDown")
    assert v.page.evaluate(focused) == ids[1 + columns]
    press("ArrowUp")
    press("Enter")
    v.page.wait_for_selector(".drawer h2")
    assert f"open={ids[1]}" in v.page.url
    press("]")
    v.until("(id) => location.hash.includes(`open=${id}`)", arg=ids[2])
    press("Escape")
    v.page.wait_for_selector("dialog", state="detached")
    assert "open=" not in v.page.url and v.page.evaluate(focused) == ids[1]
    press("?")
    v.page.wait_for_selector("dialog:has-text('Keyboard')")
    v.shot("keyboard")
    press("Escape")
    press("g")
    press("m")
    v.page.wait_for_selector("canvas")
    assert "#/map" in v.page.url
    before = v.page.evaluate("document.documentElement.dataset.theme ?? ''")
    press("t")
    assert v.page.evaluate("document.documentElement.dataset.theme") != before


VIEWS = {
    "search": "#/search?c=shop&q=red+running+shoes",
    "dialogue": "#/dialogue?c=shop&say=shoes+under+200",
    "rules": "#/rules?c=shop",
    "map": "#/map?c=shop",
    "health": "#/health",
    "reports": "#/reports?r=baskets",
    "explorer": "#/search?c=shop&open=leather-sofa",
}


@pytest.mark.parametrize("name", VIEWS)
def test_it_fits_a_phone(open_page, name):
    fragment = VIEWS[name]
    v = open_page(width=360, height=740, touch=True)
    v.open(fragment)
    if "open=" in fragment:
        v.page.wait_for_selector(".similar li")
    assert v.page.evaluate("document.documentElement.scrollWidth") <= 360
    # Fingers need room.
    small = v.page.evaluate("[...document.querySelectorAll('.top button, .top a, .searchbar button')].filter((one) => one.offsetParent && one.offsetHeight < 32).map((one) => one.outerHTML)")
    assert not small, small
    v.shot(f"phone-{name}")


@pytest.mark.parametrize("name", VIEWS)
def test_it_is_dark_where_the_system_is(open_page, name):
    v = open_page(scheme="dark")
    v.open(VIEWS[name])
    ground = v.page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/g).map(Number)")
    ink = v.page.evaluate("getComputedStyle(document.body).color.match(/[0-9]+/g).map(Number)")
    assert max(ground[:3]) < 60 and min(ink[:3]) > 180
    v.shot(f"dark-{name}")
    v.page.keyboard.press("t")
    light = v.page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/g).map(Number)")
    assert min(light[:3]) > 200, "the switch wins over the system"


def test_with_keys_the_page_asks_for_one(open_page, shop, tmp_path):
    keys = tmp_path / "keys.toml"
    create = [BIN / "vitrine-server", "keys", "create", "--name", "console", "--actions", "read", "--collections", "shop", "--keys-file", keys]
    secret = subprocess.run(create, check=True, capture_output=True, text=True).stdout.strip()
    indexer("index", "--source", shop / "products.csv", "--format", "vendure", "--data", tmp_path / "data", "--collection", "shop")
    server = Server(tmp_path, "--keys-file", keys, "--images-root", shop)
    try:
        v = open_page(url=server.url)
        v.open()
        v.page.wait_for_selector("dialog input[name=key]")
        v.shot("key")
        v.page.fill("dialog input[name=key]", "wrong")
        v.page.keyboard.press("Enter")
        v.page.wait_for_selector("dialog .problem")
        v.page.fill("dialog input[name=key]", secret)
        v.page.keyboard.press("Enter")
        v.page.wait_for_selector(".grid .card[data-id]")
        # Images come with the key too.
        v.until("[...document.querySelectorAll('.grid img')].some((i) => i.src.startsWith('blob:') && i.naturalWidth > 100)")
        assert v.page.evaluate("Object.keys(localStorage).length") == 0
        assert secret not in v.page.url
        v.open("#/reports")
        assert "covers all collections" in v.page.inner_text(".report")
        v.errors.clear()  # the browser reports each 401 and 403 that was asked for
    finally:
        server.close()
