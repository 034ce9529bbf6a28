"""A real server with the sample shop, a collection of hostile items, and a browser."""

import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.request

import pytest
from playwright.sync_api import sync_playwright

BIN = pathlib.Path(os.environ["VITRINE_BIN"])
MODELS = os.environ["VITRINE_MODELS"]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SHOTS = pathlib.Path(os.environ["VITRINE_SHOTS"])

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '<img src=x onerror="window.hacked = 2">',
    '"><svg onload="window.hacked = 3">',
    "<em>marked</em> but not by the server",
]


def indexer(*args):
    subprocess.run([BIN / "vitrine-indexer", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Server:
    """A server on a free port."""

    def __init__(self, folder, *flags):
        address = folder / "address"
        self.log = open(folder / "server.log", "w")
        command = [BIN / "vitrine-server", "serve", "--listen", "127.0.0.1:0", "--data-dir", folder / "data"]
        command += ["--models-dir", MODELS, "--address-file", address, *flags]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        until = time.monotonic() + 60
        while not address.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "server.log").read_text())
            time.sleep(0.05)
        self.url = f"http://{address.read_text()}"

    def send(self, method, path, body, key=""):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """The folder of the sample shop."""
    folder = tmp_path_factory.mktemp("sample")
    cached = pathlib.Path(os.environ["VITRINE_CACHE"]) / "demo/shop"
    if cached.is_dir():
        shutil.copytree(cached, folder / "shop")
    indexer("sample", "get", "--dir", folder / "shop")
    return folder / "shop"


@pytest.fixture(scope="session")
def server(shop, tmp_path_factory):
    """The shop with purchases, hostile items, and a report; open to everyone."""
    folder = tmp_path_factory.mktemp("server")
    reports = folder / "reports"
    reports.mkdir()
    indexer("index", "--source", shop / "products.csv", "--format", "vendure", "--data", folder / "data", "--collection", "shop")
    events = folder / "events.jsonl"
    events.write_text("".join(json.dumps(event) + "\n" for event in purchases()))
    indexer("events", "import", "--source", events, "--data", folder / "data", "--collection", "shop")
    models = ["--model", "popularity", "--model", "item-knn", "--model", "random"]
    indexer("evaluate", "recommend", "--events", events, "--split", "leave-last:1", *models, "--json", reports / "baskets.json")
    (reports / "other.json").write_text(json.dumps({"ndcg": 0.4, "queries": [{"query": HOSTILE[0], "ndcg": 0.5}]}))
    server = Server(folder, "--images-root", shop, "--reports-dir", reports)
    server.send("PUT", "/v1/collections/hostile", {"attributes": {"kind": "keyword"}, "vectors": {"shared": {"dim": 2}}})
    items = [
        {"id": f"{n}/?#&%", "title": title, "description": title, "category": f"{title} > {n}", "brand": title,
         "attributes": {"kind": title}, "images": [{"path": title}], "vectors": {"shared": [n, 1]}}
        for n, title in enumerate(HOSTILE)
    ]
    written = server.send("PUT", "/v1/collections/hostile/items", items)
    assert written["summary"]["created"] == len(HOSTILE), written
    server.send("POST", "/v1/collections/shop/train", {})
    yield server
    server.close()


def purchases():
    """People who buy a running shoe with a skipping rope, and plants with pots."""
    together = [
        ["runx-running-shoe", "skipping-rope", "football"],
        ["ultraboost-running-shoe", "skipping-rope", "boxing-gloves"],
        ["aloe-vera", "hanging-plant", "wooden-side-desk"],
        ["laptop", "clacky-keyboard", "wooden-side-desk"],
    ]
    for n in range(120):
        for place, item in enumerate(together[n % len(together)]):
            at = f"2026-0{1 + n % 9}-{1 + n % 28:02}T10:00:0{place}Z"
            yield {"id": f"{n}-{place}", "kind": "purchase", "user": f"u{n}", "items": [item], "ts": at}


@pytest.fixture(scope="session")
def browser():
    assert CHROMIUM, "chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class PageVisit:
    """A page of the console, and what went wrong in it."""

    def __init__(self, page, url):
        self.page, self.url, self.errors = page, url, []
        page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        page.on("console", self.told)
        page.on("request", self.asked)

    def told(self, message):
        # A missing image is not an error of the page: its tile is shown.
        if message.type in ("error", "warning") and "404" not in message.text:
            self.errors.append(f"{message.type}: {message.text}")

    def asked(self, request):
        if not request.url.startswith((self.url, "blob:", "data:")):
            self.errors.append(f"asked elsewhere: {request.url}")

    def open(self, fragment=""):
        # Another fragment alone would not load the page anew.
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/console/{fragment}")
        self.settle()

    def settle(self):
        self.page.wait_for_load_state("networkidle")
        self.until("!document.querySelector('[aria-busy]')")

    def until(self, holds, arg=None, seconds=10):
        """Waits for a condition; Playwright's own way needs `eval` in the page, which its policy forbids."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(holds, arg):
            assert time.monotonic() < end, f"not within {seconds} s: {holds}"
            self.page.wait_for_timeout(50)

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(200)
        self.page.screenshot(path=SHOTS / f"{name}.png")


@pytest.fixture
def open_page(browser, server):
    """Opens pages; at the end, none of them may have failed or have asked for anything elsewhere."""
    pages = []

    def start(width=1360, height=900, scheme="light", url=server.url, touch=False):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=touch)
        pages.append((context, PageVisit(context.new_page(), url)))
        return pages[-1][1]

    yield start
    for context, one in pages:
        context.close()
        assert not one.errors, one.errors
