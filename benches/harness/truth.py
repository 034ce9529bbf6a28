"""The exact nearest neighbors, and recall measured by distance."""

import numpy as np

from . import cache
from .datasets import Dataset

NEIGHBORS = 100


def distances(rows: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    """f64 distances from `query` to each of `rows`: Euclidean, or 1 - cosine. Equal rows get equal distances."""
    rows, query = rows.astype(np.float64), query.astype(np.float64)
    if metric == "l2":
        return np.sqrt(((rows - query) ** 2).sum(1))
    norms = np.sqrt((rows**2).sum(1) * (query**2).sum())
    return 1 - (rows * query).sum(1) / norms


def exact(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """u32 ids [q, 100] by rising distance and their f64 distances [q, 100]; computed once a content."""
    key = cache.digest(data.folder / "base.npy", data.folder / "queries.npy", data.metric, NEIGHBORS)

    def make():
        print(f"{data.name}: exact neighbors of {len(data.queries)} queries", flush=True)
        return _search(np.ascontiguousarray(data.base), data.queries, data.metric)

    return tuple(cache.arrays(data.folder, ["truth", "truth_distances"], key, make))


def _search(base: np.ndarray, queries: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """A matrix product in f32 picks candidates; their distances in f64 decide."""
    ids = np.empty((len(queries), NEIGHBORS), np.uint32)
    found = np.empty((len(queries), NEIGHBORS))
    norms = np.einsum("ij,ij->i", base, base)
    unit = metric == "cosine"
    scale = 1 / np.sqrt(norms) if unit else None
    block = max(1, (1 << 26) // len(base))  # 256 MiB of f32 scores
    for start in range(0, len(queries), block):
        asked = queries[start : start + block]
        products = asked @ base.T
        # Both grow with the distance; the parts that depend on the query alone do not change the order.
        scores = -products * scale if unit else norms - 2 * products
        for row, (score, query) in enumerate(zip(scores, asked), start):
            ids[row], found[row] = _decide(score, base, query, metric)
    return ids, found


def _decide(scores: np.ndarray, base: np.ndarray, query: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """The nearest rows by f64 distance, among more and more candidates until f32 rounding cannot hide a nearer one."""
    # A generous bound for rounding in a product of some hundred terms, in units of the score.
    slack = 4e-6 * max(1.0, float(np.abs(scores).max()) + float(query @ query) * (metric == "l2"))
    width = 2 * NEIGHBORS
    while True:
        width = min(width, len(base))
        near = np.argpartition(scores, width - 1)[:width]
        away = distances(base[near], query, metric)
        order = np.lexsort((near, away))[:NEIGHBORS]
        if width == len(base) or scores[near[order]].max() + 2 * slack < scores[near].max():
            return near[order].astype(np.uint32), away[order]
        width *= 4


def recall(data: Dataset, found: np.ndarray, nearest: np.ndarray, k: int = 10) -> float:
    """The share of the true `k` that was found, where an answer as near as the true k-th is as good as it.

    `found` holds ids [q, k], negative or past the end where there was no answer; an id counts once a query.
    `nearest` are the exact distances by rising order. Distances that differ by less than 1e-5 of the k-th are equal.
    """
    hits = 0
    for query, row, limit in zip(data.queries, found, nearest[:, k - 1]):
        ids = np.unique(row[:k].astype(np.int64))
        ids = ids[(ids >= 0) & (ids < len(data.base))]
        hits += int((distances(data.base[ids], query, data.metric) <= limit * (1 + 1e-5)).sum())
    return hits / (len(found) * k)
