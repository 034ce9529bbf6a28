//! Maps of a vector space: a sample of its items, projected on the two directions of largest
//! variance.

use std::time::Instant;

use vitrine_schemas::{FilterSpec, MapParams, MapPoint, MapResponse, Metric};

use crate::{
    Error, Result,
    collection::{Collection, State},
    quantize::{MAX_PROJECTED_DIM, PrincipalComponents},
};

/// Maximum number of items of a map.
const MAX_SAMPLE: usize = 10_000;

impl Collection {
    /// Projects a sample of the matching visible items to two dimensions, by principal component
    /// analysis (Pearson 1901) of their vectors, which are normalized if the space compares by
    /// cosine.
    ///
    /// The sample consists of the items with the smallest hashes of their ids: it is the same at
    /// each call, and a written or deleted item changes at most one of its items.
    ///
    /// # Errors
    /// [`Error::Invalid`]: `/sample` is not 1 to 10,000, `/space` is unknown or has more than 2,048
    /// components, or `/filter` is invalid.
    pub fn map(&self, params: &MapParams) -> Result<MapResponse> {
        let started = Instant::now();
        if !(1..=MAX_SAMPLE).contains(&params.sample) {
            return Err(Error::invalid(
                "/sample",
                format!("must be 1 to {MAX_SAMPLE}"),
            ));
        }
        let state = self.state.read();
        let index = state.space(&params.space)?;
        let (dim, metric) = state
            .config
            .vectors
            .get(&params.space)
            .map_or((0, Metric::Cosine), |space| (space.dim, space.metric));
        if dim > MAX_PROJECTED_DIM {
            let detail = format!(
                "`{}` has {dim} components; the limit for maps is {MAX_PROJECTED_DIM}",
                params.space
            );
            return Err(Error::invalid("/space", detail));
        }
        let filter = params.filter.clone().map(FilterSpec::Text);
        let matching = state.visible_matches(filter.as_ref())?.internal_ids() & index.members();
        let mut ids = sample(&state, matching.iter(), params.sample);
        ids.sort_unstable();
        let mut vectors = Vec::with_capacity(ids.len() * dim);
        ids.retain(|id| {
            let internal_id = state.internal_ids.get(*id);
            let vector = internal_id.and_then(|internal_id| index.vector(*internal_id));
            vectors.extend(vector.iter().flat_map(|vector| scaled(vector, metric)));
            vector.is_some()
        });
        let (positions, variance) = project(dim, &vectors);
        let records = self.load_many(&state, &ids)?;
        let points = ids.iter().zip(records).zip(positions);
        let points = points.filter_map(|((id, item), [x, y])| {
            let item = item?;
            Some(MapPoint {
                id: (*id).to_owned(),
                title: item.title,
                category: item.category,
                x,
                y,
            })
        });
        Ok(MapResponse {
            space: params.space.clone(),
            points: points.collect(),
            matching: matching.len(),
            variance,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }
}

/// Returns the `count` ids with the smallest hashes.
fn sample(state: &State, internal_ids: impl Iterator<Item = u32>, count: usize) -> Vec<&str> {
    let hashed = internal_ids.filter_map(|internal_id| {
        let id = state.ids.get(&internal_id)?.as_str();
        Some((*blake3::hash(id.as_bytes()).as_bytes(), id))
    });
    let mut hashed: Vec<_> = hashed.collect();
    if count < hashed.len() {
        hashed.select_nth_unstable(count);
        hashed.truncate(count);
    }
    hashed.into_iter().map(|(_, id)| id).collect()
}

/// Returns the vector, normalized if the metric ignores its length.
fn scaled(vector: &[f32], metric: Metric) -> impl Iterator<Item = f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let factor = match metric {
        Metric::Cosine if length > 0.0 => 1.0 / length,
        Metric::Cosine | Metric::Dot | Metric::L2 => 1.0,
    };
    vector.iter().map(move |x| x * factor)
}

/// Returns the coordinates of each row along the two leading components, and their shares of the
/// variance. If all rows are equal, their coordinates are 0.
fn project(dim: usize, rows: &[f32]) -> (Vec<[f32; 2]>, [f32; 2]) {
    let count = rows.len().checked_div(dim).unwrap_or(0);
    let principal = (count > 0).then(|| PrincipalComponents::fit(dim, rows.to_vec()));
    let Some(principal) = principal.flatten() else {
        return (vec![[0.0; 2]; count], [0.0; 2]);
    };
    let axes = [0, 1].map(|n| principal.direction(n).unwrap_or_else(|| vec![0.0; dim]));
    let positions = rows.chunks_exact(dim).map(|row| {
        let centered = || row.iter().zip(principal.mean()).map(|(x, mean)| x - mean);
        let along = |axis: &Vec<f32>| centered().zip(axis).map(|(x, a)| x * a).sum::<f32>();
        [along(&axes[0]), along(&axes[1])]
    });
    let [first, both] = [1, 2].map(|count| principal.share(count).clamp(0.0, 1.0));
    (positions.collect(), [first, (both - first).max(0.0)])
}
