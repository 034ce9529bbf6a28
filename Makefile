# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/vitrine
export CARGO_TARGET_DIR ?= $(CACHE)/target
export VITRINE_MODELS ?= $(CACHE)/models
export VITRINE_CACHE := $(CACHE)
BIN := $(CARGO_TARGET_DIR)/release
PY := $(CACHE)/venv/bin/python

.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: setup build models ## install, build, get the models and a sample shop, index it, serve it
	@scripts/demo.sh $(BIN)

test: setup models ## install what is missing, run every test
	scripts/run-tests.sh
	cargo test --release --workspace --doc

setup:
	@scripts/setup.sh

build: setup ## release binaries
	cargo build --release --workspace --bins

models: build ## encoders, pinned by version and sha256
	$(BIN)/vitrine-indexer models get

fmt: ## check formatting
	cargo fmt --all --check

clippy: setup ## lints, warnings are errors
	cargo clippy --release --workspace --all-targets -- -D warnings

docs: setup ## API docs of the crates, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

openapi: build ## write schemas/openapi.json and schemas/json/*.json
	scripts/openapi.sh write $(BIN)

openapi-drift: build ## fail where the committed contract differs from the code
	scripts/openapi.sh check $(BIN)

check: fmt clippy test docs openapi-drift ## everything CI runs

$(PY): scripts/requirements.txt
	python3 -m venv $(CACHE)/venv
	$(PY) -m pip install --quiet -r scripts/requirements.txt

check-api: build models $(PY) ## schemathesis against a running server
	scripts/check-api.sh $(BIN) $(CACHE)/venv

check-client: build models $(PY) ## the official openai client against a running server
	scripts/check-client.sh $(BIN) $(CACHE)/venv

check-console: build models $(PY) ## the console in Debian's Chromium, with screenshots
	scripts/check-console.sh $(BIN) $(CACHE)/venv

bad-input: build models ## every kind of bad input, each with its answer
	scripts/bad-input.sh $(BIN)

crash: setup ## 100 kill -9 rounds of a server under import
	VITRINE_CRASH_ROUNDS=100 cargo test --release --workspace --test e2e -- --nocapture crash

bench: setup ## criterion: distance kernels, what rules and synonyms cost a search, the fit of what categories have in common
	cargo bench --workspace --bench centring --bench distance --bench rules

BENCH_PY := $(CACHE)/bench-venv/bin/python

$(BENCH_PY): benches/harness/requirements.txt
	python3 -m venv $(CACHE)/bench-venv
	$(BENCH_PY) -m pip install --quiet -r benches/harness/requirements.txt
	touch $(BENCH_PY)

bench-ann: setup $(BENCH_PY) ## our index and its peers over the same vectors: recall, speed, build, memory
	cargo build --release --workspace --example ann
	dpkg -s dataset-fashion-mnist >/dev/null 2>&1 || apt-get install -y -qq dataset-fashion-mnist || true
	cd benches && $(BENCH_PY) -m harness --ours $(BIN)/examples/ann --out $(CACHE)/bench/report $(BENCH_ANN)

bench-encode: models $(BENCH_PY) ## our encoders and those of onnxruntime and torch on the same texts and photos (SHARED: where they are)
	cargo build --release --workspace --example encode
	[ -d $(SHARED)/fashion ] || $(BIN)/vitrine-indexer sample get --dir $(CACHE)/bench/sample
	cd benches && $(BENCH_PY) -m harness.encoders --ours $(BIN)/examples/encode --models $(VITRINE_MODELS) --shared $(abspath $(SHARED)) --sample $(CACHE)/bench/sample --out $(CACHE)/bench/encoders $(BENCH_ENCODE)

bench-filters: bench-data ## filtered search: recall and time at each share of matches
	cargo build --release --workspace --example filters
	$(BIN)/examples/filters --base $(CACHE)/bench/home-depot/base.npy --queries $(CACHE)/bench/home-depot/queries.npy --cosine --ef 192
	$(BIN)/examples/filters --base $(CACHE)/bench/fashion-mnist/base.npy --queries $(CACHE)/bench/fashion-mnist/queries.npy

bench-scale: setup $(BENCH_PY) ## 1 million x 128: import under searches, merging, restart, 30 % written again; about half an hour
	cargo build --release --workspace --example scale
	cd benches && $(BENCH_PY) -c "from pathlib import Path; from harness import datasets; datasets.synthetic(Path('$(CACHE)/bench'), 1_000_000)"
	$(BIN)/examples/scale --base $(CACHE)/bench/synthetic/base.npy --queries $(CACHE)/bench/synthetic/queries.npy --data $(CACHE)/bench/scale $(BENCH_SCALE)

bench-http: bench-data ## search by 8 HTTP clients beside search in process, 100,000 x 384
	cargo build --release --workspace --bins --example http
	$(BIN)/examples/http --base $(CACHE)/bench/home-depot/base.npy --queries $(CACHE)/bench/home-depot/queries.npy --server $(BIN)/vitrine-server --data $(CACHE)/bench/http $(BENCH_HTTP)

SHARED ?= ../shared/data

bench-events: setup ## events: storing, memory of the log, start, training
	cargo build --release --workspace --example events
	rm -rf $(CACHE)/bench/events && mkdir -p $(CACHE)/bench
	$(BIN)/examples/events --data $(CACHE)/bench/events --train $(BENCH_EVENTS)

bench-cf: setup $(BENCH_PY) ## collaborative filters: accuracy, time beside implicit, another category's help, memory (SHARED: where the data is)
	cargo build --release --workspace --example cf
	$(BIN)/examples/cf accuracy --data $(SHARED)/gowalla $(BENCH_CF)
	$(BIN)/examples/cf accuracy --data $(SHARED)/amazon-sports --form triples $(BENCH_CF)
	$(BENCH_PY) benches/harness/implicit_peer.py $(SHARED)/gowalla
	$(BENCH_PY) benches/harness/implicit_peer.py $(SHARED)/gowalla --ours $(BIN)/examples/cf
	$(BIN)/examples/cf cross --data $(SHARED)/amazon-cross
	for model in popularity item-knn graph-filter:rank=128 ials:factors=64,iterations=8 session-knn:decay=1,capacity=1500000; do \
		$(BIN)/examples/cf memory --model $$model || exit; done

bench-cross: build models ## similar items of other categories beside nearest neighbours and popularity: fashion, Amazon pairs, the grocery (SHARED)
	cargo build --release --workspace --example cross
	scripts/cross.sh $(BIN) $(SHARED) $(BENCH_CROSS)

bench-recommend: setup ## p50 to p99 of recommendations and of searches for a shopper, 100,000 items, 1,000,000 events
	cargo build --release --workspace --example recommend
	$(BIN)/examples/recommend $(BENCH_RECOMMEND)

bench-heads: models ## heads on the fashion photos: retrieval over training size, transfer, ranking of sources (SHARED)
	cargo build --release --workspace --example heads
	$(BIN)/examples/heads --data $(SHARED)/fashion --mapping indexer/examples/fashion.toml --models $(VITRINE_MODELS) --features $(CACHE)/bench/features $(BENCH_HEADS)

bench-blend: setup build models ## learned blend against each source on Online Retail, at all events, at 1,000 and at none
	cargo build --release --workspace --example blend
	$(BIN)/examples/blend --cache $(CACHE)/bench retail --data $(SHARED)/online-retail/transactions.parquet $(BENCH_BLEND)

bench-prior: setup build models ## the weights used until something was learned, found on films (SHARED) and the demo's grocery
	cargo build --release --workspace --example blend
	$(BIN)/vitrine-indexer sample get --name grocery --dir $(CACHE)/demo/grocery
	$(BIN)/examples/blend --cache $(CACHE)/bench prior --films $(SHARED)/ml-100k --grocery $(CACHE)/demo/grocery

bench-relevance: build models ## searches by words, vectors and both against judgements: Home Depot, Abt-Buy (VITRINE_DATA)
	scripts/relevance.sh $(BIN)

bench-data: setup $(BENCH_PY) ## the vectors of bench-filters
	cd benches && $(BENCH_PY) -m harness --ours none --data fashion-mnist,home-depot --codes= --peers= --out $(CACHE)/bench/none

fashion: build models ## index ../shared/data/fashion with a kill -9 in the middle, report retrieval quality
	scripts/fashion.sh $(BIN)

reembed: build models ## take ../shared/data/fashion, live and under queries, over to trained heads and back
	scripts/reembed.sh $(BIN)

clean: ## remove the demo's data
	rm -rf $(CACHE)/demo
