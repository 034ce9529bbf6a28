"""`implicit` on the files and with the measure of the example `cf`: Recall@20 and NDCG@20 on `valid`, and time beside ours.

    python implicit_peer.py ../shared/data/gowalla [--only als]        # tuned on valid
    python implicit_peer.py ../shared/data/gowalla --ours target/release/examples/cf   # ratios, interleaved
"""

import argparse
import gzip
import json
import os
import subprocess
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbors import BM25Recommender, CosineRecommender
from scipy.sparse import csr_matrix

K = 20


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
    return float(np.mean(recalls)), float(np.mean(ndcgs))


class Data:
    def __init__(self, folder):
        (users, items), (held_users, held_items) = (pairs(folder / f"{p}.txt.gz") for p in ("train", "valid"))
        shape = (max(users.max(), held_users.max()) + 1, max(items.max(), held_items.max()) + 1)
        # A pair that is there twice counts twice, as in the example `cf`.
        self.train = csr_matrix((np.ones(len(users), np.float32), (users, items)), shape)
        relevant = {}
        for user, item in zip(held_users, held_items):
            relevant.setdefault(user, set()).add(item)
        self.tested = np.array(sorted(relevant))
        self.relevant = [relevant[u] for u in self.tested]

    def run(self, model):
        start = time.perf_counter()
        model.fit(self.train, show_progress=False)
        fit = time.perf_counter() - start
        start = time.perf_counter()
        found, _ = model.recommend(self.tested, self.train[self.tested], N=K)
        recommend = time.perf_counter() - start
        recall, ndcg = figures(found, self.relevant)
        return {"fit": fit, "recommend": recommend, "recall": recall, "ndcg": ndcg}


def tuned(threads):
    """Models and settings from which the best on `valid` is picked."""
    cosine = {f"cosine K={k}": CosineRecommender(K=k, num_threads=threads) for k in (200, 500)}
    bm25 = {
        f"bm25 K={k} K1={k1} B={b}": BM25Recommender(K=k, K1=k1, B=b, num_threads=threads)
        for k, k1, b in ((200, 0.3, 0.3), (200, 1.2, 0.3), (200, 1.2, 0.8), (200, 100, 0.3), (200, 100, 0.8), (500, 100, 0.5))
    }
    als = {f"als factors={f} regularization={r} alpha={a}": als_of(f, r, a, 16, threads) for f, r, a in ((128, 0.1, 10), (128, 10, 40), (256, 10, 40), (256, 50, 40), (256, 50, 100))}
    return cosine | bm25 | als


def als_of(factors, regularization, alpha, iterations, threads):
    return AlternatingLeastSquares(factors=factors, regularization=regularization, alpha=alpha, iterations=iterations, num_threads=threads, random_state=0)


# Ours, theirs: the same algorithm with the same neighbors, factors, iterations and steps of conjugate gradients.
SAME = {
    "item-knn:alpha=0.5,user_power=0,shrinkage=0,neighbors=200": lambda threads: CosineRecommender(K=200, num_threads=threads),
    "item-knn:weighting.bm25.k1=1.2,weighting.bm25.b=0.75,alpha=0.5,user_power=0,shrinkage=0,neighbors=200": lambda threads: BM25Recommender(K=200, K1=1.2, B=0.75, num_threads=threads),
    "ials:factors=64,iterations=16,steps=3": lambda threads: als_of(64, 10, 40, 16, threads),
    "ials:factors=128,iterations=16,steps=3": lambda threads: als_of(128, 10, 40, 16, threads),
}


def compare(data, folder, ours, threads, rounds):
    print(f"time of ours / time of implicit, {threads} threads, medians of {rounds} interleaved rounds, both doing the same")
    print("  fit [range]  recommend [range]   ours s  implicit s   ours users/s  implicit users/s  model")
    for name, theirs in SAME.items():
        times = []
        for _ in range(rounds):
            command = [ours, "--threads", str(threads), "accuracy", "--json", "--data", folder, "--model", name]
            own = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            times.append([*(own[k] for k in ("fit", "recommend")), *(data.run(theirs(threads))[k] for k in ("fit", "recommend"))])
        times = np.array(times)
        text = []
        for ours_at, theirs_at in ((0, 2), (1, 3)):
            ratios = times[:, ours_at] / times[:, theirs_at]
            text.append(f"{np.median(ratios):5.2f} [{ratios.min():.2f} {ratios.max():.2f}]")
        own, speed, peer, peer_speed = np.median(times, axis=0)
        users = len(data.tested)
        print("  ".join(text), f"{own:8.2f} {peer:8.2f} {users / speed:12.0f} {users / peer_speed:12.0f}  {name}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ours", help="the example `cf`: compares time instead of tuning")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="tunes the models whose name begins so")
    args = parser.parse_args()
    # It converts its own matrices and says so.
    warnings.simplefilter("ignore")
    data = Data(args.folder)
    if args.ours:
        compare(data, str(args.folder), args.ours, args.threads, args.rounds)
        return
    print("recall@20  ndcg@20    fit s  users/s  model of implicit")
    chosen = {name: model for name, model in tuned(args.threads).items() if name.startswith(args.only)}
    for name, model in chosen.items():
        line = data.run(model)
        print(f"   {line['recall']:.4f}   {line['ndcg']:.4f}  {line['fit']:7.2f}  {len(data.tested) / line['recommend']:7.0f}  {name}", flush=True)


if __name__ == "__main__":
    main()
