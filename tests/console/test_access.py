"""Everybody can use it: axe-core finds nothing wrong in any view, in either theme."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from test_explorer import VIEWS


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*VIEWS, "tiles"])
def test_axe_finds_nothing_wrong(open_page, name, scheme):
    v = open_page(scheme=scheme)
    v.open(VIEWS.get(name, "#/search?c=hostile"))
    if name == "explorer":
        v.page.wait_for_selector(".similar li")
    v.page.wait_for_timeout(300)
    found = Axe().run(v.page).response["violations"]
    wrong = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]
    assert not wrong, wrong
