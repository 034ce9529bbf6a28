"""The data sets: real pictures, real sentences, and a large made one with what breaks indexes (skewed clusters, duplicates)."""

import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import cache, encoder

PICTURES = Path("/usr/share/datasets/fashion-mnist")
QUERY_TERMS = 5_000


class Missing(Exception):
    """A data set whose source is not on this machine; the message says what to install or set."""


@dataclass
class Dataset:
    """Vectors in files, so every index reads the same bytes."""

    name: str
    folder: Path
    base: np.ndarray
    """f32 [n, d]"""
    queries: np.ndarray
    """f32 [q, d]"""
    metric: str
    """"l2" or "cosine" """


def load(name: str, root: Path, synthetic_size: int) -> Dataset:
    """The data set `name`, made under `root` on first use."""
    if name == "synthetic":
        return synthetic(root, synthetic_size)
    return {"fashion-mnist": fashion_mnist, "home-depot": home_depot}[name](root)


NAMES = ["fashion-mnist", "home-depot", "synthetic"]


def fashion_mnist(root: Path) -> Dataset:
    """60,000 pictures of 28 x 28 grey values 0 to 255, and 10,000 more as queries."""
    files = [PICTURES / f"{part}-images-idx3-ubyte.gz" for part in ("train", "t10k")]
    if not all(file.exists() for file in files):
        raise Missing(f"no pictures in {PICTURES}: install the Debian package dataset-fashion-mnist")

    def pictures(file: Path) -> np.ndarray:
        header = 16  # magic number, count, height, width: four big-endian u32
        return np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=header).reshape(-1, 784).astype(np.float32)

    folder = root / "fashion-mnist"
    base, queries = cache.arrays(folder, ["base", "queries"], cache.digest(*files), lambda: map(pictures, files))
    return Dataset("fashion-mnist", folder, base, queries, "l2")


def home_depot(root: Path) -> Dataset:
    """Sentence vectors of 54,667 product titles; the queries are what people typed to find them."""
    here = Path(__file__).resolve().parents[2]
    shop = Path(os.environ.get("VITRINE_DATA", here.parent / "shared" / "data")) / "home-depot"
    files = [shop / "products.csv.gz", shop / "judgements.csv.gz"]
    if not all(file.exists() for file in files):
        raise Missing("no home-depot/ with product titles: set VITRINE_DATA to the folder that holds it")

    def column(file: Path, name: str) -> list[str]:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            return [row[name] for row in csv.DictReader(lines)]

    def make():
        terms = list(dict.fromkeys(column(files[1], "search_term")))[:QUERY_TERMS]
        yield encoder.encode(column(files[0], "product_title"), "titles")
        yield encoder.encode(terms, "search terms")

    folder = root / "home-depot"
    key = cache.digest(*files, QUERY_TERMS, encoder.fingerprint())
    base, queries = cache.arrays(folder, ["base", "queries"], key, make)
    return Dataset("home-depot", folder, base, queries, "cosine")


def synthetic(root: Path, size: int, dim: int = 128, queries: int = 1_000, seed: int = 20_240_607) -> Dataset:
    """Clusters whose sizes follow Zipf's law and whose widths differ tenfold; one row in five nearly repeats another.

    A row is a point of a 24-dimensional space turned into `dim` dimensions plus a little noise, since vectors of
    real encoders fill far fewer dimensions than they have. The copies come in groups of five on average.
    """
    inner, clusters, copies = 24, 2_000, size // 5

    def make():
        rng = np.random.default_rng(seed)
        centers = rng.standard_normal((clusters, inner), np.float32)
        widths = 10 ** rng.uniform(-1, 0, clusters).astype(np.float32)
        weights = 1 / np.arange(1, clusters + 1)
        turn = rng.standard_normal((inner, dim), np.float32) / np.float32(inner**0.5)

        def draw(rows: int) -> np.ndarray:
            cluster = rng.choice(clusters, rows, p=weights / weights.sum())
            points = centers[cluster] + widths[cluster, None] * rng.standard_normal((rows, inner), np.float32)
            return points @ turn + np.float32(0.02) * rng.standard_normal((rows, dim), np.float32)

        base, asked = draw(size), draw(queries)
        copied, originals = np.split(rng.permutation(size)[: copies + copies // 4], [copies])
        noise = np.float32(1e-3) * rng.standard_normal((copies, dim), np.float32)
        base[copied] = base[rng.choice(originals, copies)] + noise
        return base, asked

    name = "synthetic" if size == 1_000_000 else f"synthetic-{size}"
    folder = root / name
    key = cache.digest(size, dim, queries, seed, inner, clusters)
    base, asked = cache.arrays(folder, ["base", "queries"], key, make)
    return Dataset(name, folder, base, asked, "l2")
