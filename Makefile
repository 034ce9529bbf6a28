# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/vitrine
export CARGO_TARGET_DIR ?= $(CACHE)/target
export VITRINE_MODELS ?= $(CACHE)/models
export VITRINE_CACHE := $(CACHE)
# Folder of the public data sets that studies and benches read.
VITRINE_DATA ?= ../shared/data
override VITRINE_DATA := $(abspath $(VITRINE_DATA))
export VITRINE_DATA
BIN := $(CARGO_TARGET_DIR)/release
PY := $(CACHE)/venv/bin/python

.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: setup build models ## install, build, fetch the models and a sample shop, index it, serve it
	@scripts/demo/demo.sh $(BIN)

test: setup models ## install missing packages, run every test
	scripts/check/tests.sh
	cargo test --release --workspace --doc

setup:
	@scripts/setup/packages.sh

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
	scripts/check/openapi.sh write $(BIN)

openapi-drift: build ## fail if the committed contract differs from the code
	scripts/check/openapi.sh check $(BIN)

TYPOS := $(CACHE)/lint-venv/bin/typos

$(TYPOS): scripts/setup/requirements-lint.txt
	python3 -m venv $(CACHE)/lint-venv
	$(CACHE)/lint-venv/bin/python -m pip install --quiet -r scripts/setup/requirements-lint.txt
	touch $@

style: setup $(TYPOS) ## spelling, and how comments, constants and messages are written
	$(TYPOS) .
	python3 scripts/check/style.py

check: fmt style deny clippy test docs openapi-drift check-docs ## everything CI runs

MDBOOK := $(CACHE)/tools/bin/mdbook

$(MDBOOK):
	CARGO_TARGET_DIR=$(CACHE)/tools/target cargo install mdbook --locked --root $(CACHE)/tools

docs-site: $(MDBOOK) ## docs/ as a book, in HTML
	$(MDBOOK) build --dest-dir $(CACHE)/book
	@echo "$(CACHE)/book/index.html"

CARGO_DENY := $(CACHE)/tools/bin/cargo-deny

$(CARGO_DENY):
	CARGO_TARGET_DIR=$(CACHE)/tools/target cargo install cargo-deny@0.20.2 --locked --root $(CACHE)/tools

deny: $(CARGO_DENY) ## licenses and sources of the dependencies
	$(CARGO_DENY) check --hide-inclusion-graph licenses bans sources

audit: $(CARGO_DENY) ## known vulnerabilities of the dependencies; needs a network
	$(CARGO_DENY) check --hide-inclusion-graph advisories

CARGO_CYCLONEDX := $(CACHE)/tools/bin/cargo-cyclonedx

$(CARGO_CYCLONEDX):
	CARGO_TARGET_DIR=$(CACHE)/tools/target cargo install cargo-cyclonedx --locked --root $(CACHE)/tools

sbom: $(CARGO_CYCLONEDX) ## list of all components of the server in the form of CycloneDX
	cd server && cargo cyclonedx --format json --override-filename sbom
	mkdir -p $(CARGO_TARGET_DIR)/sbom && mv server/sbom.json $(CARGO_TARGET_DIR)/sbom/vitrine-server.json
	find . -name sbom.json -not -path './target/*' -delete
	@echo "$(CARGO_TARGET_DIR)/sbom/vitrine-server.json"

CARGO_DEB := $(CACHE)/tools/bin/cargo-deb

$(CARGO_DEB):
	CARGO_TARGET_DIR=$(CACHE)/tools/target cargo install cargo-deb --locked --root $(CACHE)/tools

deb: export VITRINE_COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null)
deb: build $(CARGO_DEB) ## Debian package with a systemd unit, in the build folder
	cd server && $(CARGO_DEB) --no-build --output $(CARGO_TARGET_DIR)/debian/

check-deploy: deb $(TYPOS) ## install the Debian package into a folder and start it; check Dockerfile, alerts, unit and chart
	scripts/check/deploy.sh $(CARGO_TARGET_DIR)/debian $(CACHE)/lint-venv

check-docs: build models ## run every command and request of README.md and docs/, check their links
	python3 scripts/check/docs.py $(BIN)

$(PY): scripts/setup/requirements.txt
	python3 -m venv $(CACHE)/venv
	$(PY) -m pip install --quiet -r scripts/setup/requirements.txt

check-api: build models $(PY) ## schemathesis against a running server
	scripts/check/api.sh $(BIN) $(CACHE)/venv

check-client: build models $(PY) ## the official openai client against a running server
	scripts/check/client.sh $(BIN) $(CACHE)/venv

check-console: build models $(PY) ## the console in Debian's Chromium, with screenshots
	scripts/check/console.sh $(BIN) $(CACHE)/venv

bad-input: build models ## each kind of invalid input, with the response
	scripts/check/bad-input.sh $(BIN)

test-model: setup ## 200,000 random operations against a plain model, for each of 3 seeds
	for seed in 1 2 3; do VITRINE_SEED=$$seed VITRINE_OPERATIONS=200000 cargo test --release \
	  --workspace --test integration -- --nocapture random_operations_match_a_plain_map || exit 1; done

crash: setup ## 100 kill -9 rounds of a server under import
	VITRINE_CRASH_ROUNDS=100 cargo test --release --workspace --test e2e -- --nocapture crash

fuzz: setup ## fuzz all readers, FUZZ_SECONDS (600) each, or those of FUZZ_TARGETS
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/scripts/fuzz/rustc.sh cargo build --release --workspace \
	  --bin vitrine-fuzz --features vitrine-fuzz/libfuzzer
	scripts/fuzz/run.sh $(BIN)/vitrine-fuzz $(CACHE)/fuzz

bench: setup ## criterion: distance kernels, cost of rules, synonyms and rankers per search, fit of category centroids
	cargo bench --workspace --bench centering --bench distance --bench rerank --bench rules

catalogs: setup ## 10,000 generated catalogs in ten forms: each reads to the same items
	VITRINE_CATALOGS=10000 cargo nextest run --release --workspace -E 'test(any_catalog_reads_to_the_same_items)'

BENCH_PY := $(CACHE)/bench-venv/bin/python

$(BENCH_PY): benches/harness/requirements.txt
	python3 -m venv $(CACHE)/bench-venv
	$(BENCH_PY) -m pip install --quiet -r benches/harness/requirements.txt
	touch $(BENCH_PY)

bench-ann: setup $(BENCH_PY) ## compare our index with others on the same vectors: recall, speed, build, memory
	cargo build --release --workspace --example ann
	dpkg -s dataset-fashion-mnist >/dev/null 2>&1 || apt-get install -y -qq dataset-fashion-mnist || true
	cd benches && $(BENCH_PY) -m harness --ours $(BIN)/examples/ann --out $(CACHE)/bench/report $(BENCH_ANN)

bench-encode: models $(BENCH_PY) ## compare our encoders with onnxruntime and torch on the same texts and images (VITRINE_DATA)
	cargo build --release --workspace --example encode
	[ -d $(VITRINE_DATA)/fashion ] || $(BIN)/vitrine-indexer sample get --dir $(CACHE)/bench/sample
	cd benches && $(BENCH_PY) -m harness.encoders --ours $(BIN)/examples/encode --models $(VITRINE_MODELS) --shared $(VITRINE_DATA) --sample $(CACHE)/bench/sample --out $(CACHE)/bench/encoders $(BENCH_ENCODE)

bench-filters: bench-data ## filtered search, and search far from all vectors: recall and time by selectivity
	cargo build --release --workspace --example filters
	$(BIN)/examples/filters --base $(CACHE)/bench/home-depot/base.npy --queries $(CACHE)/bench/home-depot/queries.npy --cosine --segments 1
	$(BIN)/examples/filters --base $(CACHE)/bench/fashion-mnist/base.npy --queries $(CACHE)/bench/fashion-mnist/queries.npy --segments 1
	$(BIN)/examples/filters --cache $(CACHE)/bench/clustered $(BENCH_FILTERS)

bench-reading: setup ## rate of reading a catalog with detection of its form, compared with the form given
	cargo build --release --workspace --example reading
	$(BIN)/examples/reading

bench-scale: setup $(BENCH_PY) ## 1 million x 128: import under searches, merging, restart, 30 % rewritten; about half an hour
	cargo build --release --workspace --example scale
	cd benches && $(BENCH_PY) -c "from pathlib import Path; from harness import datasets; datasets.synthetic(Path('$(CACHE)/bench'), 1_000_000)"
	$(BIN)/examples/scale --base $(CACHE)/bench/synthetic/base.npy --queries $(CACHE)/bench/synthetic/queries.npy --data $(CACHE)/bench/scale $(BENCH_SCALE)

bench-search-scale: setup ## facets, browsing and sorting on a million items made of Home Depot's titles (VITRINE_DATA)
	cargo build --release --workspace --example search_scale
	$(BIN)/examples/search_scale --data $(VITRINE_DATA)/home-depot/products.csv.gz $(BENCH_SEARCH_SCALE)

bench-suggest: setup ## suggestions on a million items made of Home Depot's titles (VITRINE_DATA)
	cargo build --release --workspace --example suggest
	$(BIN)/examples/suggest --data $(VITRINE_DATA)/home-depot/products.csv.gz $(BENCH_SUGGEST)

bench-http: bench-data ## search by 8 HTTP clients compared with in-process search, 100,000 x 384
	cargo build --release --workspace --bins --example http
	$(BIN)/examples/http --base $(CACHE)/bench/home-depot/base.npy --queries $(CACHE)/bench/home-depot/queries.npy --server $(BIN)/vitrine-server --data $(CACHE)/bench/http $(BENCH_HTTP)

bench-replication: setup ## a replica from nothing, its lag under an import, queries of one and two replicas
	cargo build --release --workspace --bins
	cd benches && python3 -m harness.replication --server $(BIN)/vitrine-server --data $(CACHE)/bench/replication $(BENCH_REPLICATION)

bench-events: setup ## events: ingestion, memory of the log, start, training
	cargo build --release --workspace --example events
	rm -rf $(CACHE)/bench/events && mkdir -p $(CACHE)/bench
	$(BIN)/examples/events --data $(CACHE)/bench/events --train $(BENCH_EVENTS)

bench-cf: setup $(BENCH_PY) ## collaborative filters: accuracy, time compared with implicit, cross-category transfer, memory (VITRINE_DATA)
	cargo build --release --workspace --example cf
	$(BIN)/examples/cf accuracy --data $(VITRINE_DATA)/gowalla $(BENCH_CF)
	$(BIN)/examples/cf accuracy --data $(VITRINE_DATA)/amazon-sports --form triples $(BENCH_CF)
	$(BENCH_PY) benches/harness/implicit_peer.py $(VITRINE_DATA)/gowalla
	$(BENCH_PY) benches/harness/implicit_peer.py $(VITRINE_DATA)/gowalla --ours $(BIN)/examples/cf
	$(BIN)/examples/cf cross --data $(VITRINE_DATA)/amazon-cross
	$(BIN)/examples/cf cross --data $(VITRINE_DATA)/amazon-cross --unrelated
	for model in popularity item-knn graph-filter:rank=128 ials:factors=64,iterations=8 session-knn:decay=1,capacity=1500000; do \
		$(BIN)/examples/cf memory --model $$model || exit; done

bench-cross: build models ## cross-category similar items compared with nearest neighbors and popularity: fashion, Amazon pairs, the grocery (VITRINE_DATA)
	cargo build --release --workspace --example cross
	scripts/study/cross.sh $(BIN) $(BENCH_CROSS)

bench-recommend: setup ## p50 to p99 of recommendations, personalized searches and a network on sequences, 100,000 items, 1,000,000 events
	cargo build --release --workspace --example recommend --example network
	$(BIN)/examples/network
	$(BIN)/examples/recommend $(BENCH_RECOMMEND)

bench-heads: models ## heads on the fashion images: retrieval over training size, transfer, ranking of sources (VITRINE_DATA)
	cargo build --release --workspace --example heads
	$(BIN)/examples/heads --data $(VITRINE_DATA)/fashion --mapping indexer/examples/fashion.toml --models $(VITRINE_MODELS) --features $(CACHE)/bench/features $(BENCH_HEADS)

bench-federated: build models ## heads trained by 3, 10 and 100 shops, compared with central and local training (VITRINE_DATA)
	$(BIN)/vitrine-indexer federate simulate --source $(VITRINE_DATA)/fashion/styles.csv --mapping indexer/examples/fashion.toml \
		--images $(VITRINE_DATA)/fashion --label article_type --features $(CACHE)/bench/features $(BENCH_FEDERATED)

bench-blend: setup build models ## learned blend compared with each source on Online Retail, with all, 1,000 and no events; new items and new customers
	cargo build --release --workspace --example blend
	$(BIN)/examples/blend --cache $(CACHE)/bench retail --data $(VITRINE_DATA)/online-retail/transactions.parquet $(BENCH_BLEND)

bench-sequences: build ## next items of Amazon Beauty and Toys by counting, by a GRU, and by their blend (VITRINE_DATA)
	@if [ -d $(VITRINE_DATA)/sequences ]; then \
		for file in $(VITRINE_DATA)/sequences/*; do $(BIN)/vitrine-indexer evaluate sequence --sequences $$file $(BENCH_SEQUENCES) || exit; done; \
	else echo "skipped: $(VITRINE_DATA)/sequences does not exist"; fi

bench-privacy: build models ## accuracy of counts with noise by epsilon on Online Retail; membership inference on heads (VITRINE_DATA)
	$(BIN)/vitrine-indexer evaluate recommend --events $(VITRINE_DATA)/online-retail/transactions.parquet \
		--mapping benches/data/online-retail/events.toml --split temporal:40d --weights one --k 20 --model popularity:half_life=100000 \
		$(foreach e,0.5 1 2 4 8,--model private-popularity:epsilon=$(e)) --model item-knn \
		$(foreach e,1 8 1000000,--model private-pairs:epsilon=$(e)) $(BENCH_PRIVACY)
	cargo build --release --workspace --example heads
	$(BIN)/examples/heads --data $(VITRINE_DATA)/fashion --mapping indexer/examples/fashion.toml --models $(VITRINE_MODELS) --features $(CACHE)/bench/features --parts membership

bench-prior: setup build models ## tune the default blend weights on MovieLens (VITRINE_DATA) and the demo's grocery
	cargo build --release --workspace --example blend
	$(BIN)/vitrine-indexer sample get --name grocery --dir $(CACHE)/demo/grocery
	$(BIN)/examples/blend --cache $(CACHE)/bench prior --films $(VITRINE_DATA)/ml-100k --grocery $(CACHE)/demo/grocery

bench-relevance: build models ## lexical, vector and hybrid search against relevance judgments: Home Depot, Abt-Buy (VITRINE_DATA)
	scripts/study/relevance.sh $(BIN)

bench-rank: build models $(BENCH_PY) ## learning to rank on Home Depot's judgments, 5 folds, and LightGBM on the same features (VITRINE_DATA)
	scripts/study/rank.sh $(BIN) $(BENCH_PY) $(BENCH_RANK)

bench-paraphrases: build models ## hybrid, full-text and vector search on a shop and queries that were written blind
	scripts/study/paraphrases.sh $(BIN)

bench-understanding: build ## query understanding and dialogues on a set of products, queries and dialogues (SET)
	scripts/study/understanding.sh $(BIN) $(SET)

bench-speech: build ## texts, word errors and seconds of spoken queries, and of faster-whisper with the same weights (VITRINE_DATA; espeak-ng)
	$(BIN)/vitrine-indexer models get --preset whisper-base
	scripts/study/speech.sh $(BIN) $(VITRINE_DATA)/speech $(CACHE)/bench/speech

bench-multilingual: build models ## the default text encoder, multilingual-e5-small, and both as one: English, Chinese, German (VITRINE_DATA)
	$(BIN)/vitrine-indexer models get --preset multilingual
	scripts/study/multilingual.sh $(BIN)

bench-api-writes: build models ## items written through the API compared with `index`; time until they are found by meaning (VITRINE_DATA)
	scripts/study/api-writes.sh $(BIN)

bench-data: setup $(BENCH_PY) ## create the vectors of bench-filters
	cd benches && $(BENCH_PY) -m harness --ours none --data fashion-mnist,home-depot --codes= --peers= --out $(CACHE)/bench/none

fashion: build models ## index the fashion catalog with a kill -9 in the middle, report retrieval quality (VITRINE_DATA)
	scripts/study/fashion.sh $(BIN)

reembed: build models ## re-embed the live fashion catalog with trained heads under queries, switch and roll back (VITRINE_DATA)
	scripts/study/reembed.sh $(BIN)

clean: ## remove the demo's data
	rm -rf $(CACHE)/demo
