"""Sends invalid requests to a running server: each must get a problem document with a reason. Standard library only."""

import base64, json, os, struct, sys, urllib.error, urllib.request, zlib

URL, KEY = os.environ["URL"] + "/v1/collections/shop", os.environ["KEY"]
image_bytes = open(os.environ["IMAGE"], "rb").read()


def send(method, path, body, key=KEY):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(URL + path, data, head, method=method)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def png(width, height, rows):
    """Returns a PNG of 8-bit gray that holds only the first `rows` rows."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    pixels = zlib.compress(bytes(width + 1) * rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def image(data):
    return {"query": {"image": base64.b64encode(data).decode()}}


def nested(depth):
    return {"must": [nested(depth - 1)]} if depth else {"must": []}


send("PUT", "", {"attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": 384}, "tiny": {"dim": 3}}})
send("PUT", "/items", [{"id": "a", "vectors": {"tiny": [1, 0, 0]}}])
tiny = lambda vector: {"query": {"vector": vector}, "space": "tiny"}
failed = 0
# Name, expected status (200: the result of that item is `rejected`), request.
for name, wanted, *request in [
    ("truncated JPEG", 400, "POST", "/search", image(image_bytes[: len(image_bytes) // 2])),
    ("1-pixel image", None, "POST", "/search", image(png(1, 1, 1))),
    ("30,000 x 30,000 PNG", 400, "POST", "/search", image(png(30000, 30000, 1000))),
    ("broken UTF-8", 400, "POST", "/search", b'{"query": {"text": "\xff"}}'),
    ("wrong dimension, query", 400, "POST", "/search", tiny([1, 0])),
    ("wrong dimension, item", 200, "PUT", "/items", [{"id": "b", "vectors": {"tiny": [1, 0]}}]),
    ("NaN vector", 400, "POST", "/search", b'{"query": {"vector": [NaN, 0, 0]}, "space": "tiny"}'),
    ("vector beyond f32", 400, "POST", "/search", tiny([1e300, 0, 0])),
    ("unknown field", 400, "POST", "/search", {"querry": {"text": "shoes"}}),
    ("1 MB title", 200, "PUT", "/items", [{"id": "c", "title": "x" * (1 << 20)}]),
    ("50-deep filter", 400, "POST", "/search", {**tiny([1, 0, 0]), "filter": nested(50)}),
    ("wrong key", 401, "POST", "/search", tiny([1, 0, 0]), "vitrine_wrong"),
]:
    status, answer = send(*request)
    if wanted == 200:
        line = answer["results"][0]
        good, message = status == 200 and line["status"] == "rejected", line.get("error")
    elif wanted is None:  # small, but valid: a result or an error with a reason
        good, message = status in (200, 400), answer.get("detail", f"{len(answer.get('hits', []))} hits: it is an image")
    else:
        good, message = status == wanted, answer.get("detail")
    failed += not good
    print(f"{name:34} {status}  {message}{'' if good else '   <- WRONG'}")
sys.exit(failed != 0)
