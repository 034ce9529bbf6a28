"""What an answer may say beside its hits: marked words, corrections, totals, what it had to do without."""

import json


def test_marked_words_corrections_and_totals_are_shown(open_page):
    v = open_page()

    def told(route):
        answer = route.fetch()
        body = json.loads(answer.text())
        pieces = [{"text": "<b>Com", "is_match": False}, {"text": "fy", "is_match": True}, {"text": "</b>", "is_match": False}]
        body["hits"][0]["highlights"] = [{"field": "title", "fragments": pieces}]
        body["hits"][0]["contributions"] = [{"source": "query", "raw": 0.5, "score": 0.3, "rank": 1}, {"source": "lexical", "raw": 4.0, "score": 0.2}]
        body |= {"corrections": {"chiar": "chair"}, "total": {"value": 1234, "relation": "gte"}, "fallbacks": ["no_model"]}
        route.fulfill(response=answer, body=json.dumps(body))

    v.page.route("**/search", told)
    v.open("#/search?c=shop&q=chiar")
    first = v.page.locator(".grid .card").first
    assert first.locator(".title").inner_text() == "<b>Comfy</b>"
    assert first.locator("mark").all_inner_texts() == ["fy"]
    assert first.locator(".segment").evaluate_all("all => all.map((one) => one.dataset.source)") == ["query", "lexical"]
    assert v.page.inner_text(".notice") == 'Showing results for chair instead of "chiar".'
    status = v.page.inner_text(".status")
    assert "24 of at least 1,234 items" in status and "fallbacks: no model" in status
    assert "Full text" in v.page.inner_text(".status .legend")
    v.shot("hybrid")
