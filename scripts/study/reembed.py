"""Sends queries of several clients while a live collection is re-embedded, switched, rolled back and switched again.

Standard library only. Prints for each phase: queries sent and failed, p50 and p99 as seen by the clients. A query with any
answer but 200 and ten hits counts as failed.
"""

import base64
import csv
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

URL, FOLDER, INDEXER, HELD_OUT = sys.argv[1:]
CLIENTS = int(os.environ.get("CLIENTS", 4))
QUIET = float(os.environ.get("PHASE_SECONDS", 15))
KILL_AFTER = float(os.environ.get("KILL_AFTER", 20))
COLLECTION = "/v1/collections/fashion"
SERVER = ["--server", URL, "--collection", "fashion"]

rows = {r["id"]: r for r in csv.DictReader(open(f"{FOLDER}/styles.csv", encoding="utf-8"))}
ids = sorted(rows)
images = [base64.b64encode(open(f"{FOLDER}/images/{i}.jpg", "rb").read()).decode() for i in random.Random(3).sample(ids, 200)]


class Client:
    """Connection that is reopened after errors."""

    def __init__(self):
        self.connection = http.client.HTTPConnection(urlsplit(URL).netloc, timeout=60)

    def send(self, method, path, body=None):
        try:
            self.connection.request(method, COLLECTION + path, json.dumps(body), {"content-type": "application/json"})
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            return 0, str(error)


phase = "start"
samples = []  # (phase, seconds, error or None)
stop = threading.Event()
prices = {}


def random_query(rng):
    kind = rng.random()
    if kind < 0.4:
        return {"text": rows[rng.choice(ids)]["productDisplayName"]}
    if kind < 0.6:
        return {"image": rng.choice(images)}
    return {"item": rng.choice(ids)}


def search(seed):
    rng, client = random.Random(seed), Client()
    while not stop.is_set():
        now, started = phase, time.monotonic()
        status, answer = client.send("POST", "/search", {"query": random_query(rng), "limit": 10})
        error = None if status == 200 and len(answer["hits"]) == 10 else (status, answer)
        samples.append((now, time.monotonic() - started, error))


def write():
    """Changes prices continuously: each write goes to both sets of spaces."""
    rng, client = random.Random(5), Client()
    while not stop.is_set():
        item, price = rng.choice(ids), round(rng.uniform(1, 100), 2)
        status, answer = client.send("PATCH", f"/items/{item}", {"price": {"amount": price}})
        assert status == 200, answer
        prices[item] = price
        stop.wait(0.1)


def begin(name):
    global phase
    phase = name
    return time.monotonic()


def run_phase(name):
    begin(name)
    time.sleep(QUIET)


def reembed(*args, check=True):
    done = subprocess.run([INDEXER, "reembed", *args], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0 or not check, done
    return done.stdout


def results():
    """Returns the results of some fixed queries, best first."""
    client, rng, lists = Client(), random.Random(11), []
    for item in rng.sample(ids, 100):
        body = {"query": {"text": rows[item]["productDisplayName"]}, "mode": "vector", "limit": 10}
        lists.append([hit["id"] for hit in client.send("POST", "/search", body)[1]["hits"]])
    return lists


def shared(a, b):
    return sum(len(set(x) & set(y)) / len(x) for x, y in zip(a, b)) / len(a)


workers = [threading.Thread(target=search, args=(seed,)) for seed in range(CLIENTS)] + [threading.Thread(target=write)]
for worker in workers:
    worker.start()
try:
    run_phase("before")
    old = results()
    run = ["reembed", "run", *SERVER, "--heads", "trained", "--images", FOLDER, "--embedding-cache", "0", "--no-compare"]
    started = begin("re-embedding")
    process = subprocess.Popen([INDEXER, *run], stdout=subprocess.DEVNULL)
    time.sleep(KILL_AFTER)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed_at = json.loads(reembed("status", *SERVER))["other"]["items"]
    summary = json.loads(subprocess.run([INDEXER, *run], stdout=subprocess.PIPE, text=True, check=True).stdout)
    took = time.monotonic() - started
    print(f"re-embedding of {len(ids)} items under {CLIENTS} clients: {took:.0f} s; killed (kill -9) at {killed_at} items, resumed with {summary['embedded']}")
    assert killed_at + summary["embedded"] == len(ids)
    assert shared(old, results()) > 0.999, "nothing is seen before the switch"
    run_phase("filled")
    started = begin("switch")
    reembed("switch", *SERVER)
    print(f"switch: {time.monotonic() - started:.2f} s, command included")
    run_phase("switched")
    new = results()
    begin("rollback")
    reembed("rollback", *SERVER)
    run_phase("rolled back")
    back = results()
    begin("switch again")
    reembed("switch", *SERVER)
    assert shared(new, results()) > 0.999
    print(f"same hits of 10, vectors of 100 texts: before and after the switch {shared(old, new):.2f}, before and after the rollback {shared(old, back):.2f}")
    assert shared(old, back) > 0.999 and shared(old, new) < 0.9
    begin("comparison")
    comparison = reembed("compare", *SERVER, "--held-out", HELD_OUT, "--images", FOLDER, "--sample", "1000", "--show", "0")
    begin("end")
    reembed("end", *SERVER)
    run_phase("ended")
finally:
    stop.set()
    for worker in workers:
        worker.join()

client = Client()
for item, price in prices.items():
    assert client.send("GET", f"/items/{item}")[1]["price"]["amount"] == price, "a write was lost"
count = client.send("POST", "/items/count", {})[1]["count"]
assert count == len(ids), count
print(f"{len(prices)} prices changed meanwhile, none lost; {count} items\n")
print(f"{'phase':<14}{'queries':>9}{'failed':>8}{'p50 ms':>9}{'p99 ms':>9}")
for name in dict.fromkeys(name for name, _, _ in samples):
    times = sorted(seconds for phase_, seconds, _ in samples if phase_ == name)
    failed = sum(1 for phase_, _, error in samples if phase_ == name and error)
    p50, p99 = (1e3 * times[int(q * (len(times) - 1))] for q in (0.5, 0.99))
    print(f"{name:<14}{len(times):>9}{failed:>8}{p50:>9.1f}{p99:>9.1f}")
errors = [error for _, _, error in samples if error]
print(f"{'all':<14}{len(samples):>9}{len(errors):>8}\n")
print(comparison)
for error in errors[:3]:
    print("failed:", error, file=sys.stderr)
sys.exit(bool(errors))
