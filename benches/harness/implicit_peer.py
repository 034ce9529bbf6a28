"""`implicit` on the same files and with the same measure as the example `cf`: Recall@20 and NDCG@20 on `valid`.

    python implicit_peer.py ../shared/data/gowalla
"""

import gzip
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from scipy.sparse import csr_matrix

K = 20
THREADS = 2


def pairs(path):
    users, items = [], []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            user, *rest = map(int, line.split())
            users += [user] * len(rest)
            items += rest
    return np.array(users), np.array(items)


def figures(found, relevant):
    gains = 1 / np.log2(np.arange(2, K + 2))
    recalls, ndcgs = [], []
    for row, wanted in zip(found, relevant):
        hit = np.isin(row, list(wanted))
        recalls.append(hit.sum() / len(wanted))
        ndcgs.append((hit * gains[: len(row)]).sum() / gains[: min(K, len(wanted))].sum())
    return np.mean(recalls), np.mean(ndcgs)


def main():
    folder = Path(sys.argv[1])
    (users, items), (held_users, held_items) = (pairs(folder / f"{p}.txt.gz") for p in ("train", "valid"))
    shape = (max(users.max(), held_users.max()) + 1, max(items.max(), held_items.max()) + 1)
    # A pair that is there twice counts twice, as in the example `cf`.
    train = csr_matrix((np.ones(len(users), np.float32), (users, items)), shape)
    relevant = {}
    for user, item in zip(held_users, held_items):
        relevant.setdefault(user, set()).add(item)
    tested = np.array(sorted(relevant))
    # It converts its own matrices and says so.
    warnings.simplefilter("ignore")
    models = {"cosine": CosineRecommender(K=200, num_threads=THREADS)}
    models |= {f"bm25 K1={k1} B={b}": BM25Recommender(K=200, K1=k1, B=b, num_threads=THREADS) for k1 in (0.3, 1.2, 100) for b in (0.3, 0.8)}
    models |= {
        f"als factors={f} regularization={r} alpha={a}": AlternatingLeastSquares(
            factors=f, regularization=r, alpha=a, iterations=16, num_threads=THREADS, random_state=0
        )
        for f, r, a in ((128, 0.01, 1), (128, 0.1, 10), (128, 1, 30), (256, 0.1, 10), (256, 1, 30))
    }
    print("recall@20  ndcg@20    fit s  users/s  model of implicit")
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(train, show_progress=False)
        fit = time.perf_counter() - start
        start = time.perf_counter()
        found, _ = model.recommend(tested, train[tested], N=K)
        speed = len(tested) / (time.perf_counter() - start)
        recall, ndcg = figures(found, [relevant[u] for u in tested])
        print(f"   {recall:.4f}   {ndcg:.4f}  {fit:7.2f}  {speed:7.0f}  {name}", flush=True)


if __name__ == "__main__":
    main()
