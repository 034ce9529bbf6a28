"""Writes the catalogs and judgments of `make bench-relevance` as CSV files."""

import csv
import gzip
import sys
from pathlib import Path


def write(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header)
        out.writerows(rows)


def read(path, **options):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, **options))


shared, work = map(Path, sys.argv[1:])
judged = ["query", "item", "relevance"]

depot = shared / "home-depot"
products = read(depot / "products.csv.gz")
write(work / "home-depot.csv", ["id", "title"], ([p["product_uid"], p["product_title"]] for p in products))
grades = read(depot / "judgements.csv.gz")
write(work / "home-depot-judgments.csv", judged, ([g["search_term"], g["product_uid"], g["relevance"]] for g in grades))

pairs = shared / "product-matching" / "D2"
abt = {row["id"]: row for row in read(pairs / "abt.csv", delimiter="|")}
buy = read(pairs / "buy.csv", delimiter="|")
write(
    work / "abt-buy.csv",
    ["id", "title", "description"],
    ([row["id"], row["name"], row["description"]] for row in buy),
)
matches = read(pairs / "gt.csv", delimiter="|")
write(work / "abt-buy-judgments.csv", judged, ([abt[m["D1"]]["name"], m["D2"], 1] for m in matches))
