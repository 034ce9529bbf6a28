"""Items of a catalog as JSON Lines, and the rate of writes through the API. Standard library only."""

import csv
import gzip
import io
import json
import sys
import time
import urllib.request

BATCH = 100
PER_SECOND = 10
SINGLE_WRITES = 200


def call(method: str, url: str, body: object) -> dict:
    """Sends a JSON request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def items(source: str, count: int, target: str) -> None:
    """Writes the first products of a CSV file as items."""
    with gzip.open(source, "rb") as packed, open(target, "w", encoding="utf-8") as out:
        rows = csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8", errors="replace"))
        for n, row in zip(range(count), rows):
            texts = [value for key, value in row.items() if key and value and not value.isdigit()]
            title = row.get("title") or row.get("product_title") or texts[0]
            out.write(json.dumps({"id": f"p{n}", "title": title}) + "\n")


def sustained(url: str, lines: list[dict]) -> float:
    """Returns the items per second of batches that are waited for at the end."""
    started = time.perf_counter()
    for at in range(0, len(lines), BATCH):
        last = at + BATCH >= len(lines)
        wait = "embedded" if last else "stored"
        request = f"{url}/items?wait={wait}"
        summary = call("PUT", request, lines[at : at + BATCH])["summary"]
        if summary["rejected"]:
            sys.exit(f"{summary['rejected']} items were rejected")
    while call("GET", url, None)["embedding"]["pending"]:
        time.sleep(0.01)
    return len(lines) / (time.perf_counter() - started)


def time_to_found(url: str, lines: list[dict]) -> list[float]:
    """Returns the seconds from the write of an item until a search by its title finds it."""
    times = []
    began = time.perf_counter()
    for n, line in enumerate(lines[:SINGLE_WRITES]):
        time.sleep(max(0.0, began + n / PER_SECOND - time.perf_counter()))
        item = {"id": f"new{n}", "title": f"{line['title']} {n}"}
        search = {"query": {"text": item["title"]}, "mode": "vector", "limit": 3}
        started = time.perf_counter()
        call("PUT", f"{url}/items", [item])
        while item["id"] not in [hit["id"] for hit in call("POST", f"{url}/search", search)["hits"]]:
            time.sleep(0.01)
        times.append(time.perf_counter() - started)
    return sorted(times)


def measure(server: str, path: str, index: str) -> None:
    """Prints the figures."""
    url = f"{server}/v1/collections/shop"
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    with open(index, encoding="utf-8") as file:
        indexed = json.load(file)["items_per_s"]
    written = sustained(url, lines[1:])
    print(f"index: {indexed:.1f} items/s; through the API: {written:.1f} items/s ({written / indexed:.2f} x)")
    times = time_to_found(url, lines)
    figures = [times[int(len(times) * share)] for share in (0.5, 0.99)]
    print(f"found by meaning at {PER_SECOND} items/s: p50 {figures[0]:.3f} s, p99 {figures[1]:.3f} s")


if __name__ == "__main__":
    if sys.argv[1] == "items":
        items(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        measure(*sys.argv[2:5])
