"""Writes the catalogs and judgments of `make bench-multilingual` as CSV files, and a sample of Home Depot.

The sample has the products of 250 search terms with 8 or more judgments, and others up to 3,000.
"""

import csv
import json
import random
import sys
from collections import defaultdict
from pathlib import Path

TERMS, PRODUCTS, MIN_JUDGMENTS = 250, 3_000, 8
JUDGED = ["query", "item", "relevance"]


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header)
        out.writerows(rows)


def shop(data, work):
    judgments = read(data / "benches/data/shop/judgments.csv")
    for kind in ("paraphrase", "exact", "words", "mixed"):
        rows = ([r["query"], r["item"], r["relevance"]] for r in judgments if r["kind"] == kind)
        write(work / f"shop-{kind}.csv", JUDGED, rows)
    for language in ("zh", "de"):
        names = {r["query"]: r[language] for r in read(data / "benches/data/shop/translations.csv")}
        rows = ([names[r["query"]], r["item"], r["relevance"]] for r in judgments if r["query"] in names)
        write(work / f"shop-words-{language}.csv", JUDGED, rows)


def chinese(data, work):
    with open(data / "tests/chinese/pairs.jsonl", encoding="utf-8") as file:
        pairs = [json.loads(line) for line in file]
    write(work / "chinese.csv", ["id", "title", "category", "brand"], ([p["id"], p["title"], p["category"], p["brand"]] for p in pairs))
    write(work / "chinese-queries.csv", JUDGED, ([p["query"], p["id"], 1] for p in pairs))


def home_depot(work):
    products, judgments = read(work / "home-depot.csv"), read(work / "home-depot-judgments.csv")
    of_term = defaultdict(list)
    for row in judgments:
        of_term[row["query"]].append(row)
    chance = random.Random(1)
    terms = chance.sample(sorted(t for t, rows in of_term.items() if len(rows) >= MIN_JUDGMENTS), TERMS)
    kept = {row["item"] for term in terms for row in of_term[term]}
    rest = sorted(p["id"] for p in products if p["id"] not in kept)
    kept |= set(chance.sample(rest, max(0, PRODUCTS - len(kept))))
    write(work / "depot.csv", ["id", "title"], ([p["id"], p["title"]] for p in products if p["id"] in kept))
    rows = (row for term in terms for row in of_term[term])
    write(work / "depot-queries.csv", JUDGED, ([r["query"], r["item"], r["relevance"]] for r in rows))


def main():
    repository, work = map(Path, sys.argv[1:])
    shop(repository, work)
    chinese(repository, work)
    home_depot(work)


main()
