"""Search: words, image, what was understood, facets, the grid, and the address that holds it all."""

import re

from conftest import HOSTILE


def titles(page):
    return page.locator(".grid .card .title").all_inner_texts()


def test_words_find_items_with_pictures_and_scores(open_page):
    v = open_page()
    v.open("#/search?c=shop&q=comfortable+chair")
    found = titles(v.page)
    assert len(found) == 24 and "Chair" in found[0], found
    pictures = v.page.locator(".grid .picture img")
    pictures.first.wait_for()
    v.until("[...document.querySelectorAll('.grid img')].filter((i) => i.complete && i.naturalWidth > 100).length >= 10")
    scores = [float(s) for s in v.page.locator(".grid .score").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    assert re.search(r"24 of at least 54 items · exact\+lexical · .* in the engine", v.page.inner_text(".status"))
    v.shot("search")


def test_a_search_is_typed_linked_and_stepped_back(open_page):
    v = open_page()
    v.open()
    assert v.page.title() == "Search · Vitrine"
    assert len(titles(v.page)) == 24, "without words: the items as they lie"
    v.page.keyboard.press("/")
    v.page.keyboard.type("laptop")
    v.page.keyboard.press("Enter")
    v.settle()
    first = titles(v.page)
    assert first[0] == "Laptop" and "q=laptop" in v.page.url
    other = open_page()
    other.open(v.page.url[v.page.url.index("#"):])
    assert titles(other.page) == first
    v.page.go_back()
    v.settle()
    assert v.page.input_value("#query") == "" and titles(v.page) != first


def test_what_was_understood_is_shown_and_can_be_undone(open_page):
    v = open_page()
    v.open("#/search?c=shop&q=black+chair+under+$100")
    chips = v.page.locator(".chip[data-kind=understood]")
    texts = chips.all_inner_texts()
    assert any("price: up to 100" in t for t in texts), texts
    prices = [float(p.replace(",", "")) for p in v.page.locator(".grid .price").all_inner_texts()]
    assert prices and max(prices) <= 100
    v.shot("understood")
    v.page.click(".chip[data-kind=understood]:has-text('price') button")
    v.settle()
    assert "undo=price" in v.page.url
    assert not any("price" in t for t in v.page.locator(".chip[data-kind=understood]").all_inner_texts())
    v.page.click(".chip[data-kind=undone]:has-text('price') button")
    v.settle()
    assert any("price" in t for t in v.page.locator(".chip[data-kind=understood]").all_inner_texts())


def test_facets_narrow_and_their_counts_are_kept(open_page):
    v = open_page()
    v.open("#/search?c=shop")
    brand = ".facet[data-field=brand]"
    nike = v.page.locator(f"{brand} label:has-text('Nike')")
    assert nike.locator(".count").inner_text() == "3"
    nike.click()
    v.settle()
    assert len(titles(v.page)) == 3 and "f.brand=Nike" in v.page.url
    # A field's own choice does not narrow it: another value can be added.
    v.page.click(f"{brand} label:has-text('Adidas')")
    v.settle()
    assert len(titles(v.page)) == 6
    v.page.click(".facet[data-field=category] label:has-text('Sports')")
    v.settle()
    v.page.click(".facet[data-field=category] label:has-text('Footwear')")
    v.settle()
    assert v.page.locator(".facet[data-field=category] .link.at").inner_text() == "Footwear"
    narrowed = len(titles(v.page))
    assert 0 < narrowed < 6
    v.shot("facets")
    v.page.click(".chip:has-text('Nike') button")
    v.settle()
    assert len(titles(v.page)) < narrowed
    v.page.click("text=clear all")
    v.settle()
    assert len(titles(v.page)) == 24 and "f." not in v.page.url
    price = v.page.locator(".facet[data-field=price] label").first
    wanted = int(price.locator(".count").inner_text())
    price.click()
    v.settle()
    assert len(titles(v.page)) == wanted


def test_a_image_finds_what_looks_like_it(open_page, shop):
    v = open_page()
    v.open("#/search?c=shop")
    image = next((shop / "images").glob("*chair*"), None) or sorted((shop / "images").glob("*.jpg"))[0]
    v.page.set_input_files("#image", image)
    v.page.wait_for_selector(".chip[data-kind=image] img")
    v.settle()
    first = v.page.locator(".grid .card").first
    names = v.page.evaluate("async (id) => (await (await fetch(`/v1/collections/shop/items/${id}`)).json()).images.map((i) => i.path)", first.get_attribute("data-id"))
    assert f"images/{image.name}" in names, (names, image)
    v.shot("image")
    v.page.reload()
    v.settle()
    assert "image is not available" in v.page.inner_text(".below"), "an address holds no image"


def test_bad_filters_are_told_with_their_pointer(open_page):
    v = open_page()
    v.open("#/search?c=shop&q=chair&filter=price+%3C")
    problem = v.page.locator(".notice .problem")
    text = problem.inner_text()
    assert "/filter" in text and "expected a value" in text and "request" in text, text
    v.shot("problem")
    v.page.fill(".options input[name=filter]", "price < 100")
    v.page.keyboard.press("Enter")
    v.settle()
    assert not v.page.locator(".notice .problem").count() and len(titles(v.page)) > 3
    v.errors.clear()  # the browser reports the 400 that was asked for


def test_nothing_found_and_no_such_collection(open_page):
    v = open_page()
    v.open("#/search?c=shop&filter=price+%3E+999999")
    assert "Nothing matches" in v.page.inner_text(".below")
    v.open("#/search?c=none")
    assert 'No collection "none"' in v.page.inner_text("#main")


def test_items_are_text_and_never_markup(open_page):
    v = open_page()
    v.open("#/search?c=hostile")
    assert titles(v.page) == HOSTILE
    v.page.locator(".facet[data-field=kind] label").first.click()
    v.settle()
    assert len(titles(v.page)) == 1
    v.page.locator(".grid .card").first.click()
    v.page.wait_for_selector(".drawer .similar li")
    v.page.wait_for_load_state("networkidle")
    assert v.page.inner_text(".drawer h2") in HOSTILE
    v.page.keyboard.press("Escape")
    v.open("#/map?c=hostile")
    v.open("#/reports?r=other")
    assert HOSTILE[0] in v.page.inner_text(".report")
    v.open("#/search?c=" + "%3Cscript%3Ewindow.hacked=4%3C/script%3E&q=%3Cimg+src=x+onerror=alert(1)%3E")
    assert v.page.evaluate("window.hacked") is None
    assert not v.page.locator("main script, main img[src='x'], main svg[onload], main b").count()


def test_the_policy_stops_what_the_page_does_not_do(open_page):
    v = open_page()
    v.open()
    done = v.page.evaluate(
        """() => new Promise((done) => {
            const seen = [];
            addEventListener("securitypolicyviolation", (e) => seen.push(e.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.hacked = 5";
            document.body.append(script);
            const image = document.createElement("img");
            image.src = "http://192.0.2.1/spy.png";
            document.body.append(image);
            fetch("http://192.0.2.1/spy").catch(() => {});
            document.body.setAttribute("style", "color: red");
            setTimeout(() => done({ seen, hacked: window.hacked }), 500);
        })"""
    )
    assert "hacked" not in done or done["hacked"] is None
    assert {"script-src-elem", "img-src", "connect-src", "style-src-attr"} <= set(done["seen"]), done
    v.errors.clear()  # it was made to try


def test_words_meaning_or_both_find_and_facets_count_the_matches(open_page):
    v = open_page()
    v.open("#/search?c=shop&q=chair&mode=lexical")
    found = titles(v.page)
    assert 1 < len(found) < 24 and "Chair" in found[0], found
    assert v.page.input_value("select[name=mode]") == "lexical"
    assert "· lexical ·" in v.page.inner_text(".status")
    total = int(re.search(r"(\d+) items?", v.page.inner_text(".status"))[1])
    assert total == len(found)
    under = v.page.locator(".facet[data-field=price] .count").all_inner_texts()
    assert sum(int(n) for n in under) == total, "facets count what matches, not the collection"
    v.page.select_option("select[name=mode]", "vector")
    v.settle()
    assert "mode=vector" in v.page.url and "· exact ·" in v.page.inner_text(".status")
    v.shot("mode")


def test_words_are_marked_where_they_are_found(open_page):
    v = open_page()
    v.open("#/search?c=shop&q=nike+comfortable&plain=1")
    marked = lambda where: v.page.locator(f".grid .card {where} mark").all_inner_texts()
    assert "Nike" in marked(".facts") or "Nike" in marked(".title"), (marked(".facts"), marked(".title"))
    assert any("comfort" in m.lower() for m in marked(".snippet")), marked(".snippet")
