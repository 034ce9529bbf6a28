"""The map, health and reports."""

import re


def test_the_map_is_walked_zoomed_and_opened(open_page):
    v = open_page()
    v.open("#/map?c=shop")
    assert re.match(r"54 items · the two axes show \d+ % of the variance", v.page.inner_text(".status"))
    kinds = v.page.locator(".kinds li").all_inner_texts()
    assert len(kinds) == 3 and any("Electronics" in k for k in kinds), kinds
    v.shot("map")
    colors = "() => { const c = document.querySelector('canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; const s = new Set(); for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 150) s.add(`${d[i] >> 5},${d[i + 1] >> 5},${d[i + 2] >> 5}`); return [...s].sort().join(' '); }"
    painted = lambda: v.page.evaluate("() => { const c = document.querySelector('canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }")
    assert len(v.page.evaluate(colors).split()) >= 3, "a color a category"
    all_of_it = painted()
    v.page.focus("canvas")
    v.page.keyboard.press("ArrowRight")
    v.page.wait_for_selector(".note:not([hidden])")
    title = v.page.inner_text(".note strong")
    v.page.keyboard.press("+")
    v.page.keyboard.press("+")
    v.page.wait_for_timeout(100)
    assert painted() != all_of_it
    v.shot("map-note")
    v.page.keyboard.press("Enter")
    v.page.wait_for_selector(".drawer h2")
    assert v.page.inner_text(".drawer h2") == title
    v.page.keyboard.press("Escape")
    v.page.wait_for_selector("dialog", state="detached")
    v.page.focus("canvas")
    v.page.keyboard.press("0")
    v.page.mouse.move(5, 5)
    box = v.page.locator("canvas").bounding_box()
    before = painted()
    v.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    v.page.mouse.wheel(0, -600)
    v.page.wait_for_timeout(150)
    assert painted() != before, "the wheel zooms"
    for box in v.page.locator(".kinds input").all():
        box.uncheck()
    v.page.mouse.move(5, 5)
    v.page.wait_for_timeout(100)
    assert painted() == 0, "hidden kinds are not drawn"
    v.page.select_option("select[aria-label=Space]", "image")
    v.settle()
    assert "space=image" in v.page.url and painted() > 0
    v.page.fill("input[aria-label=Filter]", "price >")
    v.page.keyboard.press("Enter")
    v.page.wait_for_selector(".problem:has-text('/filter')")
    v.errors.clear()  # the 400 that was asked for


def test_health_tells_of_each_collection_and_the_server(open_page):
    v = open_page()
    v.open("#/health")
    card = v.page.locator("section[aria-label=shop]")
    card.wait_for()
    text = card.inner_text()
    assert "54" in text and "healthy" in text and re.search(r"Model \d+: ", text), text
    assert card.locator("table").first.locator("tbody tr").count() == 3
    card.locator("summary").click()
    assert "recall@20" in card.inner_text()
    server = v.page.locator("section[aria-label=Server]")
    server.locator("td").first.wait_for()
    assert "/v1/collections" in server.inner_text() and "Index memory" in server.inner_text()
    v.shot("health")
    # It looks again by itself, and what was folded open stays so.
    with v.page.expect_response(lambda r: r.url.endswith("/v1/collections"), timeout=8000):
        pass
    v.page.wait_for_timeout(300)
    assert card.locator("details[open]").count() == 1


def test_a_report_is_drawn_and_read(open_page):
    v = open_page()
    v.open("#/reports?r=baskets")
    report = v.page.locator(".report")
    assert report.locator("h2").inner_text() == "baskets"
    text = report.inner_text()
    assert "popularity" in text and "item-knn" in text and "NDCG@20" in text, text
    assert report.locator(".chart svg .series").count() >= 3
    assert report.locator(".verdicts li").count() == 2
    v.shot("reports")
    v.page.select_option("select >> nth=1", "recall")
    assert "recall@20" in report.inner_text()
    v.page.select_option("select >> nth=2", "10")
    assert "recall@10" in report.inner_text()
    v.page.click("a:has-text('other')")
    v.settle()
    assert report.locator("h2").inner_text() == "other" and "0.4" in report.inner_text()
    v.open("#/reports?r=none")
    assert "no report none" in report.inner_text()
