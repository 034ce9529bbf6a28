"""`python -m harness.encoders --ours BINARY --models DIR`: throughput in texts and images per second of our encoders and peers in turn, and the similarity of their vectors."""

import argparse
import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from . import models, peers

TEXTS, IMAGES = 2_000, 500


def texts(shared: Path, sample: Path) -> list[str]:
    """Product titles of Home Depot, each followed by zero to four others to reach the length of titles with descriptions; else those of the sample shop."""
    catalog = shared / "home-depot" / "products.csv.gz"
    if catalog.exists():
        with gzip.open(catalog, "rt", encoding="utf-8", errors="replace") as file:
            titles = [row["product_title"] for row in csv.DictReader(file)]
    else:
        print(f"no {catalog}: the sample shop's texts, many times over")
        with (sample / "products.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        titles = [f"{row['name']} {row['description']}" for row in rows if row.get("name")]
    return [". ".join(titles[(6 * i + j) % len(titles)] for j in range(1 + i % 5)) for i in range(TEXTS)]


def images(shared: Path, sample: Path) -> list[Path]:
    """Images of the fashion data set, else of the sample shop."""
    files = sorted((shared / "fashion" / "images").glob("*.jpg"))
    if not files:
        print(f"no {shared}/fashion: the sample shop's images, many times over")
        files = sorted(file for file in sample.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [files[i % len(files)] for i in range(IMAGES)]


class Ours:
    """Our encoders in a separate process, which waits for jobs."""

    def __init__(self, binary: str, folder: Path, arguments: list[str], threads: int):
        environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
        command = [binary, "--out", str(folder), *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self.folder = folder
        self.answer()

    def answer(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            sys.exit("our encoders stopped; their message is above")
        return line.strip()

    def seconds(self, job: str) -> float:
        self.process.stdin.write(job + "\n")
        self.process.stdin.flush()
        return float(self.answer())

    def vectors(self, jobs: list[str], count: dict[str, int]) -> dict[str, np.ndarray]:
        self.process.stdin.close()
        self.process.wait()
        files = {job: self.folder / (job.replace(" ", "-") + ".f32") for job in jobs}
        return {job: np.fromfile(file, np.float32).reshape(count[job], -1) for job, file in files.items()}


def main():
    parser = argparse.ArgumentParser(prog="harness.encoders", description=__doc__)
    parser.add_argument("--ours", required=True, help="the example binary `encode`")
    parser.add_argument("--models", type=Path, required=True, help="models folder")
    parser.add_argument("--shared", type=Path, required=True, help="folder of home-depot/ and fashion/")
    parser.add_argument("--sample", type=Path, required=True, help="folder of the sample shop, where --shared is not there")
    parser.add_argument("--out", type=Path, required=True, help="folder for ONNX files and vectors")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-torch", action="store_true", help="without sentence-transformers")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    words, files = texts(args.shared, args.sample), images(args.shared, args.sample)
    (args.out / "texts.json").write_text(json.dumps(words))
    (args.out / "images.json").write_text(json.dumps([str(file.resolve()) for file in files]))
    bytes_of = [file.read_bytes() for file in files]
    text_dir, image_dir = args.models / "all-minilm-l6-v2", args.models / "efficientnet-lite0"
    f32, int8 = models.minilm(text_dir, args.out)
    lite0, config = models.lite0(image_dir, args.out)
    jobs = {
        "onnxruntime f32": peers.onnx_texts(f32, text_dir, words, args.threads),
        "texts f32": None,
        "onnxruntime int8": peers.onnx_texts(int8, text_dir, words, args.threads),
        "texts int8": None,
    }
    if not args.no_torch:
        jobs["sentence-transformers"] = peers.torch_texts(text_dir, words, args.threads)
    for name, job in peers.onnx_images(lite0, config, bytes_of, args.threads).items():
        jobs[f"onnxruntime {name}"] = job
    jobs["images"] = None
    arguments = ["--models", str(args.models), "--texts", str(args.out / "texts.json"), "--images", str(args.out / "images.json")]
    ours = Ours(args.ours, args.out, arguments, args.threads)

    seconds, vectors = {name: [] for name in jobs}, {}
    for number in range(args.rounds + 1):
        for name, job in jobs.items():
            started = time.perf_counter()
            if job:
                vectors[name] = job()
            took = time.perf_counter() - started if job else ours.seconds(name)
            # The first round warms up.
            if number:
                seconds[name].append(took)
    count = {name: IMAGES if name == "images" else TEXTS for name, job in jobs.items() if not job}
    vectors |= ours.vectors(list(count), count)
    report(args, seconds, vectors)


def report(args, seconds: dict, vectors: dict):
    took = {name: statistics.median(rounds) for name, rounds in seconds.items()}
    print(f"{args.threads} threads, median of {args.rounds} rounds in turn; tokenizing and decoding are in")
    groups = [
        (TEXTS, "texts", "onnxruntime f32", ["texts f32", "texts int8", "onnxruntime f32", "onnxruntime int8", "sentence-transformers"]),
        (IMAGES, "images", "onnxruntime image by image", ["images", "onnxruntime image by image", "onnxruntime batches"]),
    ]
    for count, what, reference, names in groups:
        print(f"{what:28}{'a second':>10}{'cosine to ' + reference + ', least and mean':>60}")
        for name in filter(took.get, names):
            cosine = (vectors[name] * vectors[reference]).sum(1)
            ours = "ours, " if name in ("texts f32", "texts int8", "images") else ""
            print(f"{ours + name:28}{count / took[name]:10.1f}{cosine.min():50.5f}{cosine.mean():10.5f}")
    image_peer = min(took["onnxruntime image by image"], took["onnxruntime batches"])
    own = (vectors["texts int8"] * vectors["texts f32"]).sum(1)
    for label, ratio, goal in [
        ("texts f32 / onnxruntime f32", took["onnxruntime f32"] / took["texts f32"], 1.2),
        ("texts int8 / onnxruntime int8", took["onnxruntime int8"] / took["texts int8"], 0.9),
        ("images / onnxruntime, its better way", image_peer / took["images"], 1.0),
        ("least cosine of int8 to f32, ours", own.min(), 0.999),
    ]:
        print(f"{label}: {ratio:.4f} (goal {goal}, {'met' if ratio >= goal else 'missed'})")


if __name__ == "__main__":
    main()
