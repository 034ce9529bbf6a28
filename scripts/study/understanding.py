"""Scores query understanding and dialogues on a set of products, queries and dialogues.

    python3 scripts/study/understanding.py SET BASE_URL

SET is a folder with products.jsonl, queries.jsonl and dialogues.jsonl; the server at BASE_URL gets a
collection of the products. A parse is exact if on every field the conditions that were found select
the same products (of the query's language) as those expected, and the sort is the same. Fields under
`optional` do not count. A turn is exact if the same holds for the state after it, and reference item,
excluded items and price comparison are those of the shown products.
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

TOP = 5


class Server:
    """A collection of the products on a running server."""

    def __init__(self, base, products):
        self.base = base.rstrip("/")
        self.name = "understanding"
        kinds = attribute_types(products)
        config = {"attributes": kinds, "vectors": {"shared": {"dim": 2}}}
        self.call("PUT", f"/v1/collections/{self.name}", config)
        items = [item_of(product, kinds) for product in products]
        # "More like this" needs a vector; which one does not matter here.
        for at, item in enumerate(items):
            item["vectors"] = {"shared": [1.0, at / len(items)]}
        for at in range(0, len(items), 50):
            self.call("PUT", f"/v1/collections/{self.name}/items", items[at : at + 50])

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.read().decode()}") from error
        return json.loads(text) if text else None

    def understand(self, text):
        return self.call("POST", f"/v1/collections/{self.name}/understand", {"text": text})

    def search(self, text, understand):
        body = {"query": {"text": text}, "limit": TOP}
        if understand:
            body["understand"] = {}
        hits = self.call("POST", f"/v1/collections/{self.name}/search", body)["hits"]
        return [hit["id"] for hit in hits]

    def begin(self):
        answer = self.call("POST", "/v1/dialogues", {"collection": self.name})
        return answer["id"]

    def turn(self, dialogue, text):
        return self.call("POST", f"/v1/dialogues/{dialogue}/turns", {"text": text})


def attribute_types(products):
    """Returns the type of each attribute by its values."""
    kinds = {}
    for product in products:
        for name, value in product.get("attributes", {}).items():
            if isinstance(value, bool):
                kind = "bool"
            elif isinstance(value, (int, float)):
                kind = "float"
            elif isinstance(value, str) and value[:4].isdigit() and value.endswith("Z"):
                kind = "datetime"
            else:
                kind = "keyword"
            kinds.setdefault(name, set()).add(kind)
    return {n: k.pop() if len(k) == 1 else "keyword" for n, k in kinds.items()}


def item_of(product, kinds):
    """Returns the product as an item of the API."""
    item = {k: product[k] for k in ("id", "title", "description", "category", "brand") if product.get(k)}
    if product.get("price") is not None:
        item["price"] = {"amount": product["price"]}
    as_text = lambda v: v if isinstance(v, str) else str(v)
    attributes = {}
    for name, value in product.get("attributes", {}).items():
        if kinds[name] == "keyword":
            value = [as_text(v) for v in value] if isinstance(value, list) else as_text(value)
        attributes[name] = value
    item["attributes"] = attributes
    return item


def values(product, field):
    if field in ("category", "brand", "price"):
        value = product.get(field)
    else:
        value = product.get("attributes", {}).get(field)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def has(product, field, wanted):
    for value in values(product, field):
        if field == "category":
            if any(value == w or value.startswith(w + " > ") for w in wanted):
                return True
        elif any(str(value).lower() == str(w).lower() for w in wanted):
            return True
    return False


def within(product, field, bounds):
    tests = {
        "gte": lambda v, b: v >= b - 1e-9,
        "gt": lambda v, b: v > b,
        "lte": lambda v, b: v <= b + 1e-9,
        "lt": lambda v, b: v < b,
    }
    numbers = [v for v in values(product, field) if isinstance(v, (int, float))]
    return any(all(tests[k](v, b) for k, b in bounds.items()) for v in numbers)


class Conditions:
    """Conditions by field."""

    def __init__(self):
        self.by_field = {}

    def add(self, field, test):
        self.by_field.setdefault(field, []).append(test)

    def ids(self, field, products):
        tests = self.by_field.get(field, [])
        return {p["id"] for p in products if all(test(p) for test in tests)}

    @classmethod
    def expected(cls, case):
        found = cls()
        for field, wanted in (case.get("must") or {}).items():
            found.add(field, lambda p, f=field, w=wanted: has(p, f, w))
        for field, unwanted in (case.get("must_not") or {}).items():
            found.add(field, lambda p, f=field, w=unwanted: not has(p, f, w))
        for field, bounds in (case.get("ranges") or {}).items():
            found.add(field, lambda p, f=field, b=bounds: within(p, f, b))
        return found

    @classmethod
    def of_filter(cls, spec):
        found = cls()
        for negated, conditions in ((False, spec.get("must", [])), (True, spec.get("must_not", []))):
            for condition in conditions:
                field, test = condition_test(condition)
                keep = (lambda p, t=test: not t(p)) if negated else test
                found.add(field, keep)
        return found

    @classmethod
    def of_state(cls, state):
        found = cls()
        for one in state.get("filters", []):
            field = one["field"]
            if one.get("range"):
                test = lambda p, f=field, b=one["range"]: within(p, f, numbers(b))
            elif one.get("is") is not None:
                test = lambda p, f=field, w=[one["is"]]: has(p, f, w)
            else:
                test = lambda p, f=field, w=one["values"]: has(p, f, w)
            found.add(field, (lambda p, t=test: not t(p)) if one.get("negated") else test)
        return found


def numbers(bounds):
    return {k: v for k, v in bounds.items() if v is not None}


def condition_test(condition):
    field = condition["key"]
    if "range" in condition:
        return field, lambda p: within(p, field, numbers(condition["range"]))
    match = condition["match"]
    wanted = match["any"] if "any" in match else [match["value"]]
    return field, lambda p: has(p, field, wanted)


def differences(expected, found, products, optional):
    """Returns the fields on which both select other products."""
    fields = (set(expected.by_field) | set(found.by_field)) - set(optional)
    return sorted(f for f in fields if expected.ids(f, products) != found.ids(f, products))


def sort_of(given):
    if isinstance(given, list):
        given = given[0] if given else None
    if given is None:
        return None
    if isinstance(given, dict):
        given = f"{given['field']}:{given.get('order') or 'asc'}"
    return given.replace(":", " ")


def is_chinese(text):
    return any("\u4e00" <= c <= "\u9fff" for c in text)


class Set:
    def __init__(self, folder):
        read = lambda name: [json.loads(l) for l in (Path(folder) / name).read_text().splitlines() if l.strip()]
        self.products = read("products.jsonl")
        self.queries = read("queries.jsonl")
        self.dialogues = read("dialogues.jsonl")
        self.of_language = {}
        for product in self.products:
            guess = "zh" if is_chinese(product.get("category") or product["title"]) else "en"
            self.of_language.setdefault(product.get("language", guess), []).append(product)


def score_queries(server, data, show):
    for language, products in sorted(data.of_language.items()):
        by_id = {p["id"]: p for p in data.products}
        queries = [q for q in data.queries if q["language"] == language]
        exact, wrong, hits, lost, gained, shown, violations = 0, {}, [0, 0], 0, 0, 0, 0
        for query in queries:
            answer = server.understand(query["query"])
            expected = Conditions.expected(query)
            found = Conditions.of_filter(answer["filter"])
            off = differences(expected, found, products, query.get("optional") or {})
            if sort_of(answer.get("sort")) != sort_of(query.get("sort")):
                if "sort" not in (query.get("optional") or {}):
                    off.append("sort")
            exact += not off
            for field in off:
                wrong[field] = wrong.get(field, 0) + 1
            if off and show:
                print(f"  {query['query']}\n    {off} found {json.dumps(answer['filter'], ensure_ascii=False)} {answer.get('sort')}")
                print(f"    expected {json.dumps([query.get('must'), query.get('must_not'), query.get('ranges'), query.get('sort')], ensure_ascii=False)}")
            plain, understood = (server.search(query["query"], u) for u in (False, True))
            right = set(query["right"])
            with_it, without = right & set(understood), right & set(plain)
            hits[0] += bool(without)
            hits[1] += bool(with_it)
            lost += bool(without) and not with_it
            gained += bool(with_it) and not without
            if show and without and not with_it:
                print(f"  lost: {query['query']}: {answer['text']} {json.dumps(answer['filter'], ensure_ascii=False)}")
            for hit in understood:
                shown += 1
                product = by_id[hit]
                tests = [t for f in expected.by_field if f != "category" for t in expected.by_field[f]]
                violations += not all(t(product) for t in tests)
        n = max(len(queries), 1)
        print(f"{language}: exact parses {exact / n:.3f} of {n}; right in the top {TOP}: plain {hits[0] / n:.3f}, "
              f"understood {hits[1] / n:.3f} (lost {lost}, gained {gained}); violations {violations / max(shown, 1):.3f} of {shown} hits")
        print(f"    wrong by field: {dict(sorted(wrong.items(), key=lambda f: -f[1]))}")


def check_turn(turn, answer, shown, before, products):
    """Returns what differs between an expected turn and the state after it."""
    state, said = answer["dialogue"]["state"], answer["turn"]
    unclear = bool(said.get("unclear"))
    off = []
    if turn.get("unclear") or turn.get("more") or turn.get("compare"):
        if state != before:
            off.append("state changed")
        kinds = {act["kind"] for act in said["acts"]}
        if turn.get("unclear") and not unclear:
            off.append("not reported unclear")
        if turn.get("more") and "more" not in kinds:
            off.append("no more")
        if turn.get("compare"):
            wanted = [shown[p - 1] for p in turn["compare"] if p <= len(shown)]
            items = [act.get("items") for act in said["acts"] if act["kind"] == "compare"]
            if wanted not in items:
                off.append("no compare")
        return off, unclear
    if unclear:
        off.append("reported unclear")
    expected, found = Conditions.expected(turn), Conditions.of_state(state)
    free = set(turn.get("optional") or {})
    bound = turn.get("cheaper_than") or turn.get("dearer_than")
    range_of = lambda s: next((f["range"] for f in s.get("filters", []) if f["field"] == "price" and f.get("range")), None)
    has_price = "price" in (turn.get("ranges") or {})
    if bound and not has_price:
        free.add("price")
        key = "lt" if turn.get("cheaper_than") else "gt"
        now = numbers(range_of(state) or {})
        limit = now.get(key, now.get(key + "e"))
        if limit is None:
            off.append("no price bound")
        elif bound is not True and bound <= len(shown):
            price = next(p["price"] for p in PRODUCTS if p["id"] == shown[bound - 1])
            if limit != price and range_of(state) != range_of(before):
                off.append("other price bound")
    elif not has_price and range_of(before) and range_of(before) == range_of(state) and turn.get("_carried"):
        free.add("price")
    off += differences(expected, found, products, free)
    if sort_of(state.get("sort")) != sort_of(turn.get("sort")) and "sort" not in free:
        off.append("sort")
    like, was = (state.get("like") or {}).get("id"), (before.get("like") or {}).get("id")
    if turn.get("like"):
        named = shown[turn["like"] - 1] if turn["like"] <= len(shown) else None
        if like is None or like not in (named, was):
            off.append("like")
    elif like is not None and like != was:
        off.append("like")
    new = [e for e in state.get("excluded", []) if e not in before.get("excluded", [])]
    wanted = [shown[p - 1] for p in turn.get("excluded") or [] if p <= len(shown)]
    if not set(new) <= set(wanted) or not set(wanted) <= set(state.get("excluded", [])) | set(before.get("excluded", [])):
        off.append("excluded")
    return off, unclear


def score_dialogues(server, data, show):
    for language, products in sorted(data.of_language.items()):
        whole = turns = exact = wrong_unclear = false_unclear = wanted = told = 0
        dialogues = [d for d in data.dialogues if d["language"] == language]
        for dialogue in dialogues:
            name, shown, state, good, carried = server.begin(), [], {}, True, False
            for turn in dialogue["turns"]:
                turn["_carried"] = carried
                answer = server.turn(name, turn["text"])
                off, unclear = check_turn(turn, answer, shown, state, products)
                carried = carried or bool(turn.get("cheaper_than") or turn.get("dearer_than"))
                turns += 1
                exact += not off
                good = good and not off
                if turn.get("unclear"):
                    wanted += 1
                    told += unclear
                else:
                    wrong_unclear += bool(off) and unclear
                    false_unclear += unclear
                if off and show:
                    print(f"  {dialogue['id']} {turn['text']}\n    {off} {json.dumps(answer['turn'], ensure_ascii=False)}")
                    print(f"    expected {json.dumps(turn, ensure_ascii=False)}")
                state = answer["dialogue"]["state"]
                shown = [s["id"] for s in answer["dialogue"].get("shown", [])]
            whole += good
        n, wrong = max(turns, 1), turns - exact
        print(f"{language}: dialogue turns exact {exact / n:.3f} of {turns}; whole dialogues {whole} of {len(dialogues)}; "
              f"unclear turns reported {told} of {wanted}; of {wrong} wrong turns reported unclear {wrong_unclear}; "
              f"false unclear {false_unclear}")


def main(folder, base, show=False):
    global PRODUCTS
    data = Set(folder)
    PRODUCTS = data.products
    server = Server(base, data.products)
    score_queries(server, data, show)
    score_dialogues(server, data, show)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "show" in sys.argv[3:])
