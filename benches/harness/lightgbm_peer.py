"""LightGBM's LambdaMART on the candidates that `vitrine-indexer train rank --export` wrote.

The folds are those of the export, and the settings those of `train rank`.
"""

import csv
import sys
import time
from pathlib import Path

import lightgbm
import numpy as np

DEPTH = 10
# Gains are integers for LightGBM: thirds.
STEPS = 3


def main(folder: Path) -> None:
    features = np.load(folder / "features.npy")
    with (folder / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    texts = np.array([row["query"] for row in rows])
    gain = np.array([float(row["gain"]) for row in rows])
    starts = np.flatnonzero(np.r_[True, texts[1:] != texts[:-1]])
    ends = np.r_[starts[1:], len(rows)]
    fold = np.array([int(rows[start]["fold"]) for start in starts])
    ideal = np.array([float(rows[start]["ideal"]) for start in starts])
    discounts = 1 / np.log2(np.arange(DEPTH) + 2)
    features = features[:, features.std(axis=0) > 0]
    labels = np.round(gain * STEPS).astype(int)
    label_gain = [label / STEPS for label in range(labels.max() + 1)]

    def ndcg(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
        figures = []
        for group in groups:
            own = slice(starts[group], ends[group])
            order = np.argsort(-scores[own], kind="stable")[:DEPTH]
            figures.append((gain[own][order] * discounts[: len(order)]).sum() / ideal[group])
        return np.array(figures)

    def of(groups: np.ndarray) -> np.ndarray:
        return np.concatenate([np.arange(starts[group], ends[group]) for group in groups])

    def data(groups: np.ndarray, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
        groups = np.sort(groups)
        sizes = (ends - starts)[groups]
        rows = of(groups)
        return lightgbm.Dataset(features[rows], labels[rows], group=sizes, reference=reference)

    parameters = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [DEPTH],
        "label_gain": label_gain,
        "learning_rate": 0.06,
        "num_leaves": 31,
        "min_data_in_leaf": 100,
        "lambda_l2": 5,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "lambdarank_truncation_level": 15,
        "max_bin": 63,
        "verbose": -1,
        "seed": 1,
    }
    usable = np.flatnonzero(ideal > 0)
    shuffle = np.random.RandomState(0).permutation
    before, after = [], []
    started = time.time()
    for held_out in range(fold.max() + 1):
        test = usable[fold[usable] == held_out]
        rest = shuffle(usable[fold[usable] != held_out])
        stop, train = np.split(rest, [len(rest) // 10])
        training = data(train)
        stopping = [data(stop, training)]
        early = [lightgbm.early_stopping(40, verbose=False)]
        model = lightgbm.train(parameters, training, 400, stopping, callbacks=early)
        scores = np.zeros(len(rows))
        scores[of(test)] = model.predict(features[of(test)])
        before.append(ndcg(-np.arange(len(rows), dtype=float), test))
        after.append(ndcg(scores, test))
        print(f"fold {held_out + 1}: {after[-1].mean():.4f}, {model.best_iteration} trees")
    seconds = time.time() - started
    before, after = np.concatenate(before), np.concatenate(after)
    print(f"all: {before.mean():.4f} before, {after.mean():.4f} after, {seconds:.0f} s")


main(Path(sys.argv[1]))
