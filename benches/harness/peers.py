"""Indexes from PyPI in one form: build over a matrix, then search it at one setting after the other, with one thread.

Where there is a choice, links and effort at build are hnswlib's defaults of its own benchmarks (16 and 200).
"""

import tempfile

import numpy as np

LINKS, EFFORT = 16, 200
# Rows handed over at a time, where that is not all at once.
BATCH, ZVEC_BATCH = 10_000, 1_000
WIDTHS = [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384]


class Hnswlib:
    name, package = "hnswlib", "hnswlib"

    def build(self, base: np.ndarray, metric: str, threads: int):
        import hnswlib

        self.index = hnswlib.Index("l2" if metric == "l2" else "ip", base.shape[1])
        self.index.init_index(len(base), M=LINKS, ef_construction=EFFORT)
        self.index.add_items(base, num_threads=threads)

    def search(self, queries: np.ndarray, k: int, width: int) -> np.ndarray:
        self.index.set_ef(width)
        return self.index.knn_query(queries, k, num_threads=1)[0]


class Faiss:
    """HNSW over the vectors as they are."""

    name, package, kind = "faiss HNSW", "faiss-cpu", f"HNSW{LINKS},Flat"

    def build(self, base: np.ndarray, metric: str, threads: int):
        import faiss

        faiss.omp_set_num_threads(threads)
        measure = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
        self.index = faiss.index_factory(base.shape[1], self.kind, measure)
        self.graph = faiss.downcast_index(self.index)
        self.graph.hnsw.efConstruction = EFFORT
        self.index.train(base)
        self.index.add(base)
        faiss.omp_set_num_threads(1)

    def search(self, queries: np.ndarray, k: int, width: int) -> np.ndarray:
        self.graph.hnsw.efSearch = width
        return self.index.search(queries, k)[1]


class FaissCodes(Faiss):
    """HNSW over a byte a component, without ranking again."""

    name, kind = "faiss HNSW SQ8", f"HNSW{LINKS},SQ8"


class Usearch:
    name, package, form = "usearch", "usearch", "f32"

    def build(self, base: np.ndarray, metric: str, threads: int):
        from usearch.index import Index

        kind = "l2sq" if metric == "l2" else "cos"
        self.index = Index(
            ndim=base.shape[1], metric=kind, dtype=self.form, connectivity=LINKS, expansion_add=EFFORT
        )
        self.index.add(np.arange(len(base)), base, threads=threads)

    def search(self, queries: np.ndarray, k: int, width: int) -> np.ndarray:
        self.index.expansion_search = width
        return self.index.search(queries, k, threads=1).keys


class Symqg:
    """SymphonyQG: 1-bit codes of the neighbors beside each vertex. Unit vectors are searched by L2."""

    name, package = "SymphonyQG", "rabitqlib"

    def build(self, base: np.ndarray, metric: str, threads: int):
        import rabitqlib

        self.index = rabitqlib.SymqgIndex(base.shape[1], 32, "l2")
        self.index.build(base, EFFORT, threads)

    def search(self, queries: np.ndarray, k: int, width: int) -> np.ndarray:
        arrays = [np.asarray(a) for a in self.index.search_batch(queries, k, width, 1)]
        return next(a for a in arrays if a.dtype.kind in "ui")


class Glass:
    name, package = "Glass HNSW SQ8", "pyglass-portable"

    def build(self, base: np.ndarray, metric: str, threads: int):
        import glass

        measure = "L2" if metric == "l2" else "IP"
        graph = glass.Index("HNSW", measure, R=2 * LINKS, L=EFFORT).build(base)
        self.searcher = glass.Searcher(graph, base, measure, "SQ8U", "FP32")

    def search(self, queries: np.ndarray, k: int, width: int) -> np.ndarray:
        self.searcher.set_ef(width)
        return np.asarray(self.searcher.batch_search(queries, k, 1)[0]).reshape(len(queries), -1)


class Scann:
    """Partitions and 4-bit codes, ranked again; the setting is how many partitions are looked at."""

    name, package = "ScaNN", "scann"

    def build(self, base: np.ndarray, metric: str, threads: int):
        import scann

        measure = "squared_l2" if metric == "l2" else "dot_product"
        leaves = int(len(base) ** 0.5)
        builder = scann.scann_ops_pybind.builder(base, 10, measure).set_n_training_threads(threads)
        self.index = (
            builder.tree(num_leaves=leaves, num_leaves_to_search=leaves // 10, training_sample_size=len(base))
            .score_ah(2, anisotropic_quantization_threshold=0.2)
            .reorder(100)
            .build()
        )

    def search(self, queries: np.ndarray, k: int, width: int) -> np.ndarray:
        return self.index.search_batched(
            queries, final_num_neighbors=k, leaves_to_search=max(1, width // 4), pre_reorder_num_neighbors=width
        )[0]


class QdrantEdge:
    """Qdrant's engine in one process; each query is a call and its answers are objects."""

    name, package = "Qdrant Edge", "qdrant-edge-py"

    def build(self, base: np.ndarray, metric: str, threads: int):
        import qdrant_edge as qdrant

        distance = qdrant.Distance.Euclid if metric == "l2" else qdrant.Distance.Cosine
        graph = qdrant.HnswIndexConfig(LINKS, EFFORT, 0, max_indexing_threads=threads)
        optimizers = qdrant.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1)
        config = qdrant.EdgeConfig(
            vectors=qdrant.EdgeVectorParams(base.shape[1], distance),
            hnsw_config=graph,
            optimizers=optimizers,
            max_search_threads=1,
        )
        self.folder = tempfile.TemporaryDirectory()
        self.qdrant, self.index = qdrant, qdrant.EdgeShard.create(self.folder.name, config)
        for start in range(0, len(base), BATCH):
            rows = enumerate(base[start : start + BATCH].tolist(), start)
            points = [qdrant.Point(number, vector) for number, vector in rows]
            self.index.update(qdrant.UpdateOperation.upsert_points(points))
        while self.index.optimize():
            pass

    def search(self, queries: np.ndarray, k: int, width: int) -> np.ndarray:
        params = self.qdrant.SearchParams(hnsw_ef=width)
        found = np.full((len(queries), k), -1, np.int64)
        for row, query in zip(found, queries.tolist()):
            request = self.qdrant.QueryRequest(k, query=self.qdrant.Query.Nearest(query), params=params)
            ids = [point.id for point in self.index.query(request)]
            row[: len(ids)] = ids
        return found


class Zvec:
    """Each query is a call and its answers are objects."""

    name, package = "Zvec HNSW", "zvec"

    def build(self, base: np.ndarray, metric: str, threads: int):
        import zvec

        measure = zvec.MetricType.L2 if metric == "l2" else zvec.MetricType.COSINE
        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=threads)
        graph = zvec.HnswIndexParam(measure, m=LINKS, ef_construction=EFFORT)
        vectors = zvec.VectorSchema("v", zvec.DataType.VECTOR_FP32, base.shape[1], graph)
        self.folder = tempfile.TemporaryDirectory()
        schema = zvec.CollectionSchema("bench", vectors=vectors)
        self.zvec, self.index = zvec, zvec.create_and_open(f"{self.folder.name}/bench", schema)
        for start in range(0, len(base), ZVEC_BATCH):
            rows = enumerate(base[start : start + ZVEC_BATCH].tolist(), start)
            self.index.insert([zvec.Doc(str(number), vectors={"v": vector}) for number, vector in rows])
        self.index.optimize(zvec.OptimizeOption(threads))

    def search(self, queries: np.ndarray, k: int, width: int) -> np.ndarray:
        param = self.zvec.HnswQueryParam(ef=width)
        found = np.full((len(queries), k), -1, np.int64)
        for row, query in zip(found, queries.tolist()):
            query = self.zvec.Query("v", vector=query, param=param)
            ids = [int(doc.id) for doc in self.index.query(query, topk=k, output_fields=[])]
            row[: len(ids)] = ids
        return found


PEERS = [Hnswlib, Symqg, Faiss, FaissCodes, Usearch, Glass, Scann, QdrantEdge, Zvec]
