"""Runs one index over one data set in a process of its own, so that a crash costs that index only."""

import json
import multiprocessing
import os
import subprocess
import time
from dataclasses import dataclass, field

import numpy as np

from . import peers, truth
from .datasets import Dataset

K = 10
CODES = ["auto", "int8", "rabitq", "none"]


@dataclass
class Result:
    """What one index did on one data set."""

    index: str
    build_seconds: float = 0.0
    bytes_per_vector: float = 0.0
    """In memory, beside the vectors where those are mapped from a file; 0 where the index does not tell."""
    points: list[tuple[int, float, float]] = field(default_factory=list)
    """Width of search, recall@10, queries a second of the fastest pass."""
    error: str = ""


def ours(binary: str, codes: str, data: Dataset, nearest: np.ndarray, threads: int, repeat: int) -> Result:
    """Our index, by the binary that `cargo build --example ann` makes."""
    result = Result(f"Vitrine {codes}")
    found = data.folder / f"found-{codes}"
    command = [
        binary, "--base", data.folder / "base.npy", "--queries", data.folder / "queries.npy",
        "--metric", data.metric, "--quantization", codes, "--threads-build", str(threads),
        "--k", str(K), "--ef", ",".join(map(str, peers.WIDTHS)), "--repeat", str(repeat), "--found", found,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        result.error = done.stderr.strip().splitlines()[-1]
        return result
    for line in map(json.loads, done.stdout.splitlines()):
        if line["event"] == "built":
            result.build_seconds, result.bytes_per_vector = line["seconds"], line["bytes_per_vector"]
        else:
            recall = truth.recall(data, np.load(line["found"]), nearest, K)
            result.points.append((line["ef"], recall, line["queries"] / line["seconds"]))
    return result


def peer(number: int, data: Dataset, nearest: np.ndarray, threads: int, repeat: int) -> Result:
    """A peer, in a new process; what goes wrong in it is in the result."""
    name = peers.PEERS[number].name
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_peer, args=(number, data.folder, data.metric, threads, repeat, sender))
    process.start()
    sender.close()
    result = Result(name)
    try:
        while True:
            kind, value = receiver.recv()
            if kind == "error":
                result.error = value
            elif kind == "built":
                result.build_seconds, result.bytes_per_vector = value
            else:
                width, found, rate = value
                result.points.append((width, truth.recall(data, found, nearest, K), rate))
    except EOFError:
        process.join()
    if process.exitcode != 0 and not result.error:
        result.error = f"ended with {process.exitcode}"
    return result


def _memory() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peer(number, folder, metric, threads, repeat, sender):
    try:
        index = peers.PEERS[number]()
        base = np.ascontiguousarray(np.load(folder / "base.npy"))
        queries = np.ascontiguousarray(np.load(folder / "queries.npy"))
        before, started = _memory(), time.perf_counter()
        index.build(base, metric, threads)
        sender.send(("built", (time.perf_counter() - started, (_memory() - before) / len(base))))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        for width in peers.WIDTHS:
            best = float("inf")
            for _ in range(repeat):
                started = time.perf_counter()
                found = index.search(queries, K, width)
                best = min(best, time.perf_counter() - started)
            sender.send(("searched", (width, np.asarray(found), len(queries) / best)))
    except Exception as error:  # Any error of a peer is a line in the report.
        sender.send(("error", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"))
