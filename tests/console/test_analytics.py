"""Search analytics, results of experiments, and suggestions in the search box."""

FIGURES = {"searches": 40, "users": 12, "without_results": 4, "clicked": 10, "added_to_cart": 3, "purchased": 2, "revenue": 99.5, "click_through": 0.25, "conversion": 0.05, "click_position": 2.5}
DIFFERENCE = {"difference": 0.1, "low": 0.02, "high": 0.18, "p_value": 0.01, "significant": True}
DIFFERENCES = {"click_through": DIFFERENCE, "conversion": DIFFERENCE, "revenue_per_search": DIFFERENCE}
SPLIT = {"id": "mode", "kind": "split", "enabled": True, "variants": [{"name": "a"}, {"name": "b"}]}
DRAFT = {"id": "blend", "kind": "interleaving", "enabled": True, "variants": [{"name": "now"}, {"name": "new"}]}
RESULTS = {
    "mode": {"id": "mode", "variants": [FIGURES | {"name": "a", "revenue_per_search": 2.5}, FIGURES | {"name": "b", "revenue_per_search": 3, "differences": DIFFERENCES}]},
    "blend": {"id": "blend", "variants": [], "interleaving": {"searches": 50, "control_wins": 3, "variant_wins": 12, "ties": 5, "preference": 0.8, "low": 0.55, "high": 0.93, "p_value": 0.035, "significant": True}},
}


def mock(v, asked):
    def queries(route):
        asked.append(route.request.url)
        route.fulfill(json={"total": 21, "queries": [FIGURES | {"query": "<i>red</i> shoes"}]})

    days = [FIGURES | {"day": f"2026-05-0{n}"} for n in (1, 2, 3)]
    log = {"stored": 1234, "recorded": 1234, "dropped": 7, "expired": 0}
    v.page.route("**/analytics/summary**", lambda route: route.fulfill(json={"from": "", "to": "", "total": FIGURES, "days": days, "log": log}))
    v.page.route("**/analytics/queries**", queries)
    v.page.route("**/analytics/positions**", lambda route: route.fulfill(json={"positions": [{"position": 1, "shown": 40, "clicked": 8, "click_through": 0.2}, {"position": 2, "shown": 30, "clicked": 3, "click_through": 0.1}]}))
    v.page.route("**/experiments?**", lambda route: route.fulfill(json={"experiments": [DRAFT, SPLIT]}))
    v.page.route("**/experiments", lambda route: route.fulfill(json={"experiments": [DRAFT, SPLIT]}))
    v.page.route("**/results**", lambda route: route.fulfill(json=RESULTS[route.request.url.split("/results")[0].rsplit("/", 1)[1]]))


def test_figures_and_experiments_are_shown(open_page):
    v, asked = open_page(), []
    mock(v, asked)
    v.open("#/analytics?c=shop")
    v.until("document.querySelectorAll('.experiment').length === 2")
    text = v.page.inner_text("main")
    assert "<i>red</i> shoes" in text and "21 queries" in text
    assert "1,234 searches in the log, 7 dropped" in text
    assert "12" in v.page.inner_text("[data-id=blend]") and "80.0 % (55.0 % to 93.0 %)" in text
    assert v.page.locator("[data-id=mode] figure").count() == 3
    v.shot("analytics")
    v.page.click("text=Without results")
    v.until("document.querySelector('#main nav [aria-current=page]')?.textContent === 'Without results'")
    assert "only=without_results" in asked[-1]
    v.page.click("text=Next")
    v.until("location.hash.includes('n=1')")


def test_suggestions_complete_the_search_box(open_page):
    v = open_page()
    v.page.route("**/suggest?**", lambda route: route.fulfill(json={"suggestions": [{"text": "running shoes", "kind": "phrase", "items": 3, "fragments": []}, {"text": "Shoes", "kind": "category", "category": "Sports > Shoes", "items": 2, "fragments": []}]}))
    v.open("#/search?c=shop")
    v.page.type("#query", "sho")
    v.until("document.querySelectorAll('#suggestions option').length === 2")
    assert v.page.locator("#suggestions option").evaluate_all("all => all.map((one) => one.value)") == ["running shoes", "Shoes"]
