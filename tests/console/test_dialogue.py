"""Dialogues: what is said changes what is searched for, all of it is seen, and each part can be taken back."""

import re


def say(v, text):
    v.page.fill("#say", text)
    v.page.keyboard.press("Enter")
    v.until("!document.querySelector('#say').value")
    v.settle()


def state(v):
    return v.page.locator("[aria-label='Current search'] .chip").all_inner_texts()


def prices(v):
    return [float(p.replace(",", "").lstrip("$€£")) for p in v.page.locator(".grid .price").all_inner_texts()]


def titles(v):
    return v.page.locator(".grid .card .title").all_inner_texts()


def test_a_search_is_refined_and_each_turn_taken_back(open_page):
    v = open_page()
    v.open("#/dialogue?c=shop")
    assert "No search yet" in v.page.inner_text(".below")
    v.page.keyboard.press("/")
    v.page.keyboard.type("shoes under 200")
    v.page.keyboard.press("Enter")
    v.page.wait_for_selector(".grid .card[data-id]")
    v.settle()
    assert "d=" in v.page.url and any("price: up to 200" in one for one in state(v))
    first, before = titles(v), prices(v)
    assert first and max(before) <= 200
    assert v.page.locator(".place").all_inner_texts() == [str(n + 1) for n in range(len(first))]

    say(v, "cheaper")
    median = sorted(before)[len(before) // 2]
    assert prices(v) and max(prices(v)) < max(before)
    assert "median of the prices shown" in v.page.locator(".turns").inner_text()
    assert any("price: below" in one for one in state(v)), (state(v), median)
    cheap = titles(v)

    say(v, "更像第二个")
    assert any(one == f"similar to {cheap[1]}" for one in state(v)), state(v)
    assert cheap[1] not in titles(v)
    v.shot("dialogue")

    v.page.click("text=Undo")
    v.until("(n) => document.querySelectorAll('.turns > li').length === n", 2)
    v.settle()
    assert titles(v) == cheap
    v.page.locator(".chip:has-text('price') button").click()
    v.until("!document.querySelector('.chips').textContent.includes('price')")
    v.settle()
    assert not any("price" in one for one in state(v)) and max(prices(v)) >= max(before)
    v.page.reload()
    v.settle()
    assert v.page.locator(".turns > li").count() == 3, "the server has it"

    v.page.click("text=Start over")
    v.until("document.querySelector('.below').textContent.includes('Nothing is searched for')")
    assert state(v) == [] and not titles(v)


def test_what_cannot_be_done_and_what_to_take_away_are_told(open_page):
    v = open_page()
    v.open("#/dialogue?c=shop&say=chairs")
    v.settle()
    assert "say=" not in v.page.url and titles(v)
    shown = titles(v)
    say(v, "more like the ninetieth")
    say(v, "like number 90")
    assert re.search(r"like number 90: no such position; \d+ items are shown", v.page.inner_text(".notice"))
    assert titles(v) == shown or len(titles(v)) > 0
    say(v, "under 1")
    assert "No item matches all conditions" in v.page.inner_text(".notice")
    v.shot("dialogue-nothing")
    v.page.click(".relaxed button:has-text('any price')")
    v.until("document.querySelectorAll('.grid .card[data-id]').length > 0")
    v.settle()
    assert not any("price" in one for one in state(v))


def test_items_are_chosen_by_controls_and_a_lost_dialogue_goes_on(open_page):
    v = open_page()
    v.open("#/dialogue?c=shop&say=chairs")
    v.settle()
    third = titles(v)[2]
    v.page.locator(".controls button:has-text('not this')").nth(2).click()
    v.until("document.querySelector('.chips').textContent.includes('not ')")
    v.settle()
    assert third not in titles(v)
    second = titles(v)[1]
    v.page.locator(".controls button:has-text('like this')").nth(1).click()
    v.until("document.querySelector('.chips').textContent.includes('like ')")
    v.settle()
    assert f"similar to {second}" in state(v)
    id = re.search(r"d=([0-9a-f-]+)", v.page.url)[1]
    v.page.evaluate("(id) => fetch(`/v1/dialogues/${id}`, { method: 'DELETE' })", id)
    v.page.reload()
    v.settle()
    v.until("document.querySelectorAll('.turns > li').length === 3")
    assert id not in v.page.url, "another dialogue with the same turns"
    v.page.locator(".grid .card[data-id]").first.click()
    v.page.wait_for_selector(".drawer h2")
    v.page.keyboard.press("Escape")
    v.errors.clear()  # the 404 of the dialogue that was deleted


def test_several_turns_fit_a_phone_and_the_dark(open_page):
    for width, height, scheme, name in [(390, 844, "light", "dialogue-phone"), (1360, 900, "dark", "dialogue-dark")]:
        v = open_page(width, height, scheme, touch=width < 500)
        v.open("#/dialogue?c=shop&say=shoes+under+200")
        v.settle()
        say(v, "便宜一点")
        assert v.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over"
        v.shot(name)
