//! Thresholds of sealed segments, and the benchmarks that measured them. Two thresholds of the
//! growing segments and of scans are in `src/index/search.rs`.
//!
//! `make bench-ann` measures recall, speed, build time and memory; `make bench-filters` measures
//! filtered searches at each selectivity. Both run over product texts (384 components) and images
//! (784).

use super::DEGREE;

// Graph search (`make bench-ann`).

/// Minimum default beam width.
pub(super) const MIN_DEFAULT_EF: usize = 64;

/// Maximum growth of the default beam width while a search has not converged.
pub(super) const MAX_EF_GROWTH: usize = 16;

/// Bytes of codes compared to find where a graph search starts: as many random vectors as fit.
pub(super) const ENTRY_POINT_BYTES: usize = 1 << 15;

/// Minimum number of vectors that a graph search starts from.
pub(super) const MIN_ENTRY_POINTS: usize = 16;

/// Maximum number of vectors that a graph search starts from.
pub(super) const MAX_ENTRY_POINTS: usize = 256;

/// Measured crossover of scan and graph search: segments of at most this number times `ef` vectors
/// are scanned.
pub(super) const SCAN_CROSSOVER_PER_EF: u64 = 28;

/// Factor of the beam width where distances are estimated by 1-bit codes: about the same recall,
/// measured on product texts and images.
pub(super) const ONE_BIT_EF_FACTOR: usize = 2;

/// Ratio of query to vector quantization error above which the beam is widened.
pub(super) const EF_WIDENING_FROM: f32 = 1.5;

/// Maximum factor of that widening.
pub(super) const MAX_EF_WIDENING: f32 = 4.0;

/// Number of expansions between two checks of the deadline.
pub(super) const DEADLINE_CHECK_INTERVAL: usize = 256;

// Clusters (`make bench-filters`).

/// Number of vectors below which there are no clusters: a graph search over few vectors reaches
/// every region.
pub(super) const MIN_CLUSTERED_VECTORS: usize = 8_192;

/// Maximum number of clusters; otherwise the square root of the number of vectors.
pub(super) const MAX_CLUSTERS: usize = 1_024;

/// Number of vectors per cluster that centroids are computed from.
pub(super) const SAMPLE_PER_CLUSTER: usize = 64;

/// Number of iterations of k-means.
pub(super) const CLUSTER_ITERATIONS: usize = 5;

/// Number of sampled vectors whose distances from their neighbors give the OOD threshold.
pub(super) const OOD_SAMPLE: usize = 512;

/// Number of these neighbors, the vector itself included; the distance of the last is measured.
pub(super) const OOD_NEIGHBORS: usize = 16;

/// OOD threshold: this quantile of the measured distances, times this factor. A query whose r-th
/// candidate (r: rescoring depth) is farther is out of distribution.
pub(super) const OOD_QUANTILE: f64 = 0.99;
pub(super) const OOD_FACTOR: f32 = 1.25;

/// Number of points of the nearest clusters added once as entry points for an OOD query.
pub(super) const CLUSTER_SEEDS: usize = 2_048;

// Filtered graph search (`make bench-filters`).

/// [`SCAN_CROSSOVER_PER_EF`] of a filtered graph search: at most this number times `ef` matches are
/// scanned. Measured over product texts and images, scan and graph search cross between 85 (matches
/// around one vector) and 130 (random matches).
pub(super) const FILTERED_SCAN_PER_EF: u64 = 100;

/// [`FILTERED_SCAN_PER_EF`] of a query that is out of distribution among the matches: a graph
/// search then takes several times as long.
pub(super) const OOD_SCAN_PER_EF: u64 = 240;

/// Factor of the OOD threshold, a squared distance, for the entry points of a filtered graph
/// search: they are not yet the nearest that match.
pub(super) const OOD_SEEDS_FACTOR: f32 = 2.0;

/// Selectivity from which an unfiltered graph search whose results are filtered is faster than a
/// filtered graph search.
pub(super) const POST_FILTER_MIN_SELECTIVITY: f64 = 0.4;

/// `ef` of a post-filtered search is multiplied by the selectivity to this power; the nearer half
/// of the beam then contains enough matches.
pub(super) const EF_SELECTIVITY_EXPONENT: f64 = -0.75;

/// Factor of the beam width of a filtered graph search, since fewer paths lead from match to match
/// than from vector to vector.
pub(super) const FILTERED_EF_FACTOR: f64 = 1.25;

/// [`FILTERED_EF_FACTOR`] after a post-filtered search that found too few matches: the query is out
/// of distribution among them.
pub(super) const FILTERED_EF_FACTOR_OOD: f64 = 1.5;

/// Number of matches, visited ones included, up to which an expansion continues through the next
/// non-matching neighbor.
pub(super) const MAX_MATCHES_PER_EXPANSION: usize = DEGREE;

/// Number of direct neighbors without a match whose links are fetched ahead.
pub(super) const HOP1_PREFETCH_DISTANCE: usize = 4;

// Scan and rescoring (`make bench-ann`).

/// Number of candidates of a scan by estimated distances that are rescored, per result.
pub(super) const RESCORING_OVERSAMPLING: usize = 4;

/// Number of vectors fetched ahead by a rescoring.
pub(super) const PREFETCH_DISTANCE: usize = 6;

/// Number of points that a scan fetches while it compares as many.
pub(super) const SCAN_BATCH: usize = 32;

/// Maximum number of cache lines requested at a time: processors track a limited number of
/// requests.
pub(super) const MAX_PREFETCH_LINES: usize = 96;

// Construction (`make bench-ann`).

/// Maximum number of links of a point while the graph is built: back links are collected, then cut
/// to [`DEGREE`] at once.
pub(super) const MAX_BUILD_LINKS: usize = DEGREE * 3 / 2;

/// Beam width of the search for the links of a new point.
pub(super) const BUILD_EF: usize = 150;

/// A candidate link is pruned if a chosen one is nearer to it than the point by this factor,
/// squared. Above 1, some links that shorten paths stay in addition to the nearest ones.
pub(super) const PRUNE_FACTOR: f32 = 1.15;

/// Number of vectors transformed and encoded at a time.
pub(super) const ENCODE_BATCH: usize = 256;

// Choice of projected codes (`make bench-ann`).

/// Number of vectors below which finding the principal components costs more than it saves.
pub(super) const MIN_PROJECTED_VECTORS: usize = 4_096;

/// Minimum number of vectors that the principal components are computed from.
pub(super) const MIN_SAMPLE: usize = 8_192;

/// Minimum number of those per component.
pub(super) const SAMPLE_PER_COMPONENT: usize = 8;

/// Number of vectors whose neighbors are searched to test a codec.
pub(super) const TRIAL_QUERIES: usize = 128;

/// Number of vectors among which they are searched.
pub(super) const TRIAL_VECTORS: usize = 32_768;

/// Number of neighbors searched.
pub(super) const TRIAL_NEIGHBORS: usize = 10;

/// Number of candidates with the least estimates among which they must be.
pub(super) const TRIAL_CANDIDATES: usize = 24;

/// Minimum share of those neighbors that must be found.
pub(super) const MIN_TRIAL_RECALL: f64 = 0.99;

/// Quantile of the estimation error used as bound.
pub(super) const ERROR_QUANTILE: f64 = 0.99;

/// Minimum share of the variance that codes must keep to be tried.
pub(super) const MIN_VARIANCE_SHARE: f32 = 0.5;

/// Maximum bytes of a code per component of the vectors.
pub(super) const MAX_BYTES_PER_COMPONENT: f64 = 0.55;
