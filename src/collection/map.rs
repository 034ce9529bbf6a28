//! A flat picture of a vector space: a sample of its items, placed by the two directions that their vectors spread most.

use std::time::Instant;

use vitrine_schemas::{FilterSpec, MapParams, MapPoint, MapResponse, Metric};

use super::{Collection, State};
use crate::{
    Error, Result,
    quantize::{MOST_DIM, Principal},
};

/// Most items of a map.
const MOST: usize = 10_000;

impl Collection {
    /// Places a sample of the items that match and are not hidden by principal component analysis (Pearson 1901) of their
    /// vectors, which have length 1 where the space compares by cosine. The sample is the items with the least hashes of
    /// their ids: the same at each call, and an item written or deleted changes one place of it at most.
    ///
    /// # Errors
    /// [`Error::Invalid`]: `/sample` is not 1 to 10,000, `/space` is unknown or has more than 2,048 components, or
    /// `/filter` cannot be read.
    pub fn map(&self, params: &MapParams) -> Result<MapResponse> {
        let started = Instant::now();
        if !(1..=MOST).contains(&params.sample) {
            return Err(Error::invalid("/sample", format!("must be 1 to {MOST}")));
        }
        let state = self.state.read();
        let index = state.space(&params.space)?;
        let (dim, metric) = state
            .config
            .vectors
            .get(&params.space)
            .map_or((0, Metric::Cosine), |space| (space.dim, space.metric));
        if dim > MOST_DIM {
            let detail = format!(
                "`{}` has {dim} components; maps are drawn of spaces of {MOST_DIM} at most",
                params.space
            );
            return Err(Error::invalid("/space", detail));
        }
        let filter = params.filter.clone().map(FilterSpec::Text);
        let matching = state.allowed(filter.as_ref())?.numbers() & index.members();
        let mut ids = sample(&state, matching.iter(), params.sample);
        ids.sort_unstable();
        let mut vectors = Vec::with_capacity(ids.len() * dim);
        ids.retain(|id| {
            let number = state.numbers.get(*id);
            let vector = number.and_then(|number| index.vector(*number));
            vectors.extend(vector.iter().flat_map(|vector| scaled(vector, metric)));
            vector.is_some()
        });
        let (places, variance) = plane(dim, &vectors);
        let records = self.load_many(&state, &ids)?;
        let points = ids.iter().zip(records).zip(places);
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

/// The ids with the least hashes.
fn sample(state: &State, numbers: impl Iterator<Item = u32>, count: usize) -> Vec<&str> {
    let hashed = numbers.filter_map(|number| {
        let id = state.ids.get(&number)?.as_str();
        Some((*blake3::hash(id.as_bytes()).as_bytes(), id))
    });
    let mut hashed: Vec<_> = hashed.collect();
    if count < hashed.len() {
        hashed.select_nth_unstable(count);
        hashed.truncate(count);
    }
    hashed.into_iter().map(|(_, id)| id).collect()
}

/// The vector as the metric sees it.
fn scaled(vector: &[f32], metric: Metric) -> impl Iterator<Item = f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let factor = match metric {
        Metric::Cosine if length > 0.0 => 1.0 / length,
        Metric::Cosine | Metric::Dot | Metric::L2 => 1.0,
    };
    vector.iter().map(move |x| x * factor)
}

/// Where each row lies in the plane of the two leading components, and the shares of the variance that they have. All lie
/// at its origin where the rows are the same.
fn plane(dim: usize, rows: &[f32]) -> (Vec<[f32; 2]>, [f32; 2]) {
    let count = rows.len().checked_div(dim).unwrap_or(0);
    let principal = (count > 0).then(|| Principal::fit(dim, rows.to_vec()));
    let Some(principal) = principal.flatten() else {
        return (vec![[0.0; 2]; count], [0.0; 2]);
    };
    let axes = [0, 1].map(|n| principal.direction(n).unwrap_or_else(|| vec![0.0; dim]));
    let places = rows.chunks_exact(dim).map(|row| {
        let centred = || row.iter().zip(principal.mean()).map(|(x, mean)| x - mean);
        let along = |axis: &Vec<f32>| centred().zip(axis).map(|(x, a)| x * a).sum::<f32>();
        [along(&axes[0]), along(&axes[1])]
    });
    let [first, both] = [1, 2].map(|count| principal.share(count).clamp(0.0, 1.0));
    (places.collect(), [first, (both - first).max(0.0)])
}
