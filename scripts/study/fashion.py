"""Retrieval quality on the fashion catalog of a running server. Standard library only.

Prints: item count, recall@10 of the graph against exact search, text->image Recall@10 among the first
1,000 images, and precision@10 of image -> same articleType. Queries are seeded samples.
"""

import csv
import json
import random
import sys
import urllib.request

URL, CATALOG = sys.argv[1:]


def post(path, body):
    request = urllib.request.Request(
        URL + "/v1/collections/" + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    return json.load(urllib.request.urlopen(request))


def ids(collection, query, space, limit=10, **more):
    body = {"query": query, "space": space, "limit": limit, **more}
    return [h["id"] for h in post(f"{collection}/search", body)["hits"]]


rows = {r["id"]: r for r in csv.DictReader(open(CATALOG, encoding="utf-8"))}
count = post("fashion/items/count", {})["count"]
print(f"items {count} of {len(rows)} rows")
assert count == len(rows), "every row exactly once"
sample = random.Random(7).sample(sorted(rows), 300)

for space in ("shared", "text", "image"):
    found = wanted = 0
    for i in sample:
        # Ties may be broken either way: hits are compared by the score of the tenth.
        exact = post("fashion/search", {"query": {"item": i}, "space": space, "exact": True})["hits"]
        answer = post("fashion/search", {"query": {"item": i}, "space": space, "ef": 64})
        assert answer["plan"] == "graph", "graph search is measured"
        graph = answer["hits"]
        worst = exact[-1]["score"] - 1e-6
        found += sum(h["score"] >= worst for h in graph)
        wanted += len(exact)
    print(f"recall@10 of the graph at ef 64, space {space}: {found / wanted:.4f}")

same = total = 0
for i in sample:
    for other in ids("fashion", {"item": i}, "image"):
        same += rows[other]["articleType"] == rows[i]["articleType"]
        total += 1
print(f"image -> same articleType precision@10 (image space): {same / total:.3f}")

images = post("fashion-images/items/count", {})["count"]
hits = {1: 0, 5: 0, 10: 0}
known = [i for i in list(rows)[:images]]
for i in known:
    found = ids("fashion-images", {"text": rows[i]["productDisplayName"]}, "shared")
    for k in hits:
        hits[k] += i in found[:k]
line = ", ".join(f"@{k} {n / len(known):.3f}" for k, n in hits.items())
print(f"text -> image Recall among {images} images: {line}")
