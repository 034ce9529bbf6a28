"""Rules of a collection: what acts, when, and what it did to an answer."""

import json

RULES = [
    {"id": "sale", "description": "<b>Summer</b>", "enabled": True, "valid_from": "2020-01-01T00:00:00Z", "when": {"query": {"contains": ["shoes"]}}, "then": {"pin": [{"id": "skipping-rope", "position": 1}]}},
    {"id": "old", "enabled": True, "valid_until": "2020-01-01T00:00:00Z", "when": {}, "then": {"bury": ["a", "b"]}},
    {"id": "rest", "enabled": False, "when": {"categories": ["Sports > Footwear"]}, "then": {"hide": "price > 100"}},
]


def test_rules_are_listed_and_those_that_acted_are_told(open_page):
    v = open_page()
    v.page.route("**/rules", lambda route: route.fulfill(json={"rules": RULES}))
    v.page.route("**/rules/test", lambda route: route.fulfill(json={"rules": [{"id": "sale"}, {"id": "old", "inactive_reason": "expired"}, {"id": "rest", "inactive_reason": "disabled"}]}))
    v.open("#/rules?c=shop")
    rules = v.page.locator(".rule")
    assert rules.evaluate_all("all => all.map((one) => one.dataset.state)") == ["on", "over", "off"]
    text = rules.first.inner_text()
    assert "<b>Summer</b>" in text and 'the query contains "shoes"' in text and "pins skipping-rope at 1" in text
    assert "buries 2 items" in rules.nth(1).inner_text() and "hides price > 100" in rules.nth(2).inner_text()
    v.page.fill("input[name=question]", "red shoes")
    v.page.keyboard.press("Enter")
    v.until("document.querySelectorAll('.outcome').length === 3")
    assert v.page.locator(".outcome").all_inner_texts() == ["applies", "does not apply: expired", "does not apply: disabled"]
    v.shot("rules")

    def acted(route):
        answer = route.fetch()
        body = json.loads(answer.text()) | {"rules": [{"id": "sale", "pinned": ["skipping-rope"], "hidden": 2}]}
        route.fulfill(response=answer, body=json.dumps(body))

    v.page.route("**/search", acted)
    v.open("#/search?c=shop&q=shoes")
    assert "rules: sale: pinned 1, hid 2" in v.page.inner_text(".status")
