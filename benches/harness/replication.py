"""Replication: a replica from nothing, its lag under an import, and queries of one and two replicas.

Servers are real processes over a store in a folder. The lag of a write is the time from its
acknowledgement until the replica serves a version that has it.
"""

import argparse
import http.client
import json
import random
import shutil
import statistics
import subprocess
import threading
import time
from pathlib import Path

DIM = 64
BATCH = 500
WORDS = "red green blue oak steel table chair lamp desk sofa small large round garden kitchen".split()


class Server:
    """A vitrine-server process."""

    def __init__(self, binary, folder, flags, cpus=None):
        folder.parent.mkdir(parents=True, exist_ok=True)
        address = folder.with_suffix(".address")
        address.unlink(missing_ok=True)
        pin = ["taskset", "-c", cpus] if cpus else []
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder, "--address-file", address]
        log = folder.with_suffix(".log").open("w")
        self.process = subprocess.Popen([*pin, *command, *flags], stderr=log, stdout=log)
        while not (address.exists() and address.read_text().strip()):
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended: {folder.with_suffix('.log').read_text()}")
            time.sleep(0.02)
        self.host = address.read_text().strip()

    def connect(self):
        return http.client.HTTPConnection(self.host, timeout=120)

    def send(self, method, path, body=None, connection=None):
        connection = connection or self.connect()
        connection.request(method, path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status}: {text[:500]}")
        return json.loads(text), response.headers.get("x-vitrine-version")

    def memory_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def item(n):
    rng = random.Random(n)
    return {
        "id": f"i{n}",
        "title": " ".join(rng.choices(WORDS, k=6)) + f" {n}",
        "category": f"home > {rng.choice(WORDS)}",
        "price": {"amount": rng.randint(100, 9999), "currency": "EUR"},
        "attributes": {"stock": rng.randint(0, 9)},
        "vectors": {"shared": [round(rng.gauss(0, 1), 4) for _ in range(DIM)]},
    }


def put(server, connection, numbers):
    items = [item(n) for n in numbers]
    return server.send("PUT", "/v1/collections/bench/items", items, connection)[1]


def version_of(text):
    return tuple(int(part) for part in text.split("."))


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure_lag(writer, replica, first, rate, seconds):
    """Writes `rate` items a second; returns the lag of each batch, and the items written."""
    acknowledged, lags, done = [], [], threading.Event()
    lock = threading.Lock()

    def watch():
        connection = replica.connect()
        while not done.is_set() or acknowledged:
            info, _ = replica.send("GET", "/v1/replication", None, connection)
            now, reached = time.monotonic(), version_of(info["version"])
            with lock:
                while acknowledged and acknowledged[0][1] <= reached:
                    lags.append(now - acknowledged.pop(0)[0])
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    connection, size = writer.connect(), max(1, rate // 10)
    batches = [
        json.dumps([item(n) for n in range(at, at + size)])
        for at in range(first, first + rate * seconds, size)
    ]
    started = time.monotonic()
    for round, body in enumerate(batches):
        pause = started + round * size / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        connection.request("PUT", "/v1/collections/bench/items", body, {"content-type": "application/json"})
        response = connection.getresponse()
        response.read()
        version = version_of(response.headers["x-vitrine-version"])
        with lock:
            acknowledged.append((time.monotonic(), version))
    took = time.monotonic() - started
    done.set()
    watcher.join()
    return lags, len(batches) * size / took


def queries_per_second(servers, clients, seconds):
    stop, counts = time.monotonic() + seconds, [0] * clients

    def ask(at):
        server = servers[at % len(servers)]
        connection, rng = server.connect(), random.Random(at)
        while time.monotonic() < stop:
            vector = [rng.gauss(0, 1) for _ in range(DIM)]
            body = {"query": {"vector": vector}, "limit": 10, "ef": 400}
            server.send("POST", "/v1/collections/bench/search", body, connection)
            counts[at] += 1

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1_000, help="items a second of the import")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--store", help="folder or URL; a folder below --data without it")
    args = parser.parse_args()
    shutil.rmtree(args.data, ignore_errors=True)
    store = ["--store", args.store or str(args.data / "store")]
    writer = Server(args.server, args.data / "writer", store)
    config = {"vectors": {"shared": {"dim": DIM}}, "attributes": {"stock": "integer"}}
    writer.send("PUT", "/v1/collections/bench", config)
    connection = writer.connect()
    for at in range(0, args.items, BATCH):
        version = put(writer, connection, range(at, min(at + BATCH, args.items)))
    # Sealed, and published.
    while writer.send("GET", "/v1/collections/bench")[0]["indexes"]["shared"]["unsealed"] > 10_000:
        time.sleep(0.5)
    time.sleep(5)

    started = time.monotonic()
    replica = Server(args.server, args.data / "replica-1", [*store, "--replica"])
    while version_of(replica.send("GET", "/v1/replication")[0]["version"]) < version_of(version):
        time.sleep(0.02)
    info = replica.send("GET", "/v1/replication")[0]
    took, megabytes = time.monotonic() - started, info["copied_bytes"] / 1e6
    print(f"{args.items} items x {DIM}: replica from nothing {took:.1f} s, {megabytes:.0f} MB")

    before = writer.send("GET", "/v1/replication")[0]
    lags, rate = measure_lag(writer, replica, args.items, args.rate, args.seconds)
    after = writer.send("GET", "/v1/replication")[0]
    p50, p99 = statistics.median(lags), percentile(lags, 0.99)
    print(f"import of {rate:.0f} items/s: lag p50 {p50:.2f} s, p99 {p99:.2f} s, max {max(lags):.2f} s")
    states, sent = after["states"] - before["states"], after["copied_bytes"] - before["copied_bytes"]
    last = replica.send("GET", "/v1/replication")[0]["seconds"]
    print(f"{states} states, {sent / 1e6 / max(1, states):.1f} MB each; the replica opened the last in {last:.2f} s")
    print(f"peak memory: writer {writer.memory_mb()} MB, replica {replica.memory_mb()} MB")

    replica.stop()
    # Each replica has one core of its own; this client shares them.
    replicas = [
        Server(args.server, args.data / f"replica-{n + 1}", [*store, "--replica"], str(n)) for n in range(2)
    ]
    one = queries_per_second(replicas[:1], 2, 5)
    two = queries_per_second(replicas, 4, 5)
    print(f"queries a second: one replica {one:.0f}, two {two:.0f} ({two / one:.2f} x)")
    for server in [*replicas, writer]:
        server.stop()


if __name__ == "__main__":
    main()
