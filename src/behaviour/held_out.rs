//! How well models foretell what people did last.

use roaring::RoaringBitmap;
use vitrine_schemas::HeldOut;

use super::{gathered::Gathered, settings::Settings};
use crate::{
    Result,
    cf::{Matrix, Recommender, Request, metrics::Figures},
};

/// People whose last item is held out: enough to tell models apart, few enough to cost little.
const MOST: usize = 2_000;

/// Fewer people tell nothing.
const LEAST: usize = 50;

/// Items of a person who can be asked about one of them.
const ITEMS: usize = 3;

/// Hits looked at.
const K: usize = 20;

/// One person asked about.
struct Case {
    history: Vec<(u32, f32)>,
    seen: RoaringBitmap,
    last: u32,
}

/// Fits each model to all but the last item of some people, and asks for it, among all items that are new to them. None
/// where too few people have enough items.
pub(super) fn compare(models: &[Settings], data: &Gathered) -> Result<Vec<HeldOut>> {
    // Visits of users would tell what is held out.
    let rows: Vec<_> = data.touched.chunk_by(|a, b| a.0 == b.0).collect();
    let own = |row: &&&[(u32, u32, f32)]| !data.again[row[0].0 as usize];
    let fit: Vec<_> = rows.iter().filter(own).collect();
    let able = fit.iter().filter(|row| row.len() >= ITEMS).count();
    if able < LEAST {
        return Ok(Vec::new());
    }
    let every = able.div_ceil(MOST);
    let (mut cases, mut triples, mut turn) = (Vec::new(), Vec::new(), 0);
    for row in fit {
        let mut known = *row;
        if let ([before @ .., last], true) = (known, row.len() >= ITEMS) {
            turn += 1;
            if turn % every == 0 {
                cases.push(Case {
                    history: before.iter().map(|(_, item, w)| (*item, *w)).collect(),
                    seen: before.iter().map(|(_, item, _)| *item).collect(),
                    last: last.1,
                });
                known = before;
            }
        }
        triples.extend_from_slice(known);
    }
    let matrix = Matrix::from_triples(data.people as usize, data.names.len(), triples)?;
    models
        .iter()
        .map(|settings| {
            let model = settings.fit(&matrix)?;
            let figures = ask(&model, &cases);
            Ok(HeldOut {
                model: settings.choice(),
                people: cases.len() as u64,
                recall_at_20: figures.recall,
                ndcg_at_20: figures.ndcg,
            })
        })
        .collect()
}

fn ask(model: &dyn Recommender, cases: &[Case]) -> Figures {
    let requests: Vec<_> = cases
        .iter()
        .map(|case| Request {
            history: &case.history,
            excluded: &case.seen,
        })
        .collect();
    let answers = model.recommend_many(&requests, K);
    let figures = answers.iter().zip(cases);
    let figures: Vec<_> = figures
        .map(|(answer, case)| Figures::of(answer, &[case.last], K))
        .collect();
    Figures::mean(&figures)
}
