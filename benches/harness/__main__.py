"""python -m harness: our indexes and their peers over the same vectors, one after the other, in one run."""

import argparse
import os
from pathlib import Path

from . import datasets, peers, report, run, truth


def main():
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vitrine" / "bench"
    parser = argparse.ArgumentParser(prog="harness", description=__doc__)
    parser.add_argument("--ours", required=True, help="our binary: cargo build --release --workspace --example ann")
    parser.add_argument("--data", default=",".join(datasets.NAMES), help="data sets, of: %(default)s")
    parser.add_argument("--peers", default=",".join(p.package for p in peers.PEERS), help="packages, of: %(default)s")
    parser.add_argument("--codes", default=",".join(run.CODES), help="our codes, of: %(default)s")
    parser.add_argument("--cache", type=Path, default=cache, help="folder for data sets and exact answers")
    parser.add_argument("--out", type=Path, default=Path("target/bench-ann"), help="folder for the report")
    parser.add_argument("--threads-build", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3, help="passes over the queries; the fastest counts")
    parser.add_argument("--synthetic-size", type=int, default=1_000_000)
    args = parser.parse_args()

    wanted = args.peers.split(",")
    results = {}
    for name in args.data.split(","):
        try:
            data = datasets.load(name, args.cache, args.synthetic_size)
        except datasets.Missing as missing:
            print(f"{name} is left out: {missing}", flush=True)
            continue
        _, nearest = truth.exact(data)
        print(f"{data.name}: {data.base.shape[0]:,} x {data.base.shape[1]}, {len(data.queries):,} queries", flush=True)
        here = results.setdefault(data.name, [])
        for codes in filter(None, args.codes.split(",")):
            here.append(run.ours(args.ours, codes, data, nearest, args.threads_build, args.repeat))
            print(f"  {here[-1].index} {here[-1].error or 'done'}", flush=True)
        for number, peer in enumerate(peers.PEERS):
            if peer.package in wanted:
                here.append(run.peer(number, data, nearest, args.threads_build, args.repeat))
                print(f"  {here[-1].index} {here[-1].error or 'done'}", flush=True)
        if not here:
            continue
        print(report.table(data.name, here), flush=True)
        report.write(args.out, results)


if __name__ == "__main__":
    main()
