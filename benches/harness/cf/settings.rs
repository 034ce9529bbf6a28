//! Models by name, with what differs from their defaults.

use std::collections::BTreeMap;

use vitrine::cf::{
    Ease, EaseOptions, GraphFilter, GraphFilterOptions, Ials, IalsOptions, ItemKnn, ItemKnnOptions,
    Matrix, Model, Popularity, SessionKnn, SessionKnnOptions, Weighting, tune,
};

use crate::Outcome;

/// Fits `name:key=value,...`. `tuned=1` finds on data held out from `train` what depends on the data, `published=1`
/// starts from the settings of the paper.
pub fn fit(text: &str, train: &Matrix) -> Outcome<Model> {
    let (name, list) = text.split_once(':').unwrap_or((text, ""));
    let mut values = BTreeMap::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or("settings are key=value")?;
        values.insert(key, value.parse()?);
    }
    let mut settings = Settings { values };
    let model = settings.model(name, train)?;
    match settings.values.keys().next() {
        Some(key) => Err(format!("`{name}` has no setting `{key}`").into()),
        None => Ok(model),
    }
}

struct Settings<'a> {
    values: BTreeMap<&'a str, f32>,
}

impl Settings<'_> {
    fn number(&mut self, key: &str, default: f32) -> f32 {
        self.values.remove(key).unwrap_or(default)
    }

    fn count(&mut self, key: &str, default: usize) -> usize {
        self.number(key, default as f32) as usize
    }

    fn is(&mut self, key: &str) -> bool {
        self.number(key, 0.0) != 0.0
    }

    fn model(&mut self, name: &str, train: &Matrix) -> Outcome<Model> {
        Ok(match name {
            "popularity" => Model::Popularity(popularity(train)?),
            "item-knn" => Model::ItemKnn(self.item_knn(train)?),
            "graph-filter" => Model::GraphFilter(self.graph_filter(train)?),
            "ials" => Model::Ials(Ials::fit(train, &self.ials())?),
            "ease" => Model::Ease(Ease::fit(train, &self.ease())?),
            "session-knn" => Model::SessionKnn(self.session_knn(train)?),
            other => return Err(format!("no model `{other}`").into()),
        })
    }

    fn item_knn(&mut self, train: &Matrix) -> Outcome<ItemKnn> {
        let plain = ItemKnnOptions::default();
        let weighting = match self.values.contains_key("k1") {
            true => Weighting::Bm25 {
                k1: self.number("k1", 1.2),
                b: self.number("b", 0.75),
            },
            false => Weighting::Plain,
        };
        let mut options = ItemKnnOptions {
            weighting,
            neighbors: self.count("neighbors", plain.neighbors),
            alpha: self.number("alpha", plain.alpha),
            user_power: self.number("user_power", plain.user_power),
            shrinkage: self.number("shrinkage", plain.shrinkage),
            history: self.count("history", plain.history),
        };
        if self.is("tuned") {
            options = tune::item_knn(train, &options, 1)?;
        }
        Ok(ItemKnn::fit(train, &options)?)
    }

    fn graph_filter(&mut self, train: &Matrix) -> Outcome<GraphFilter> {
        let plain = match self.is("published") {
            true => GraphFilterOptions::gf_cf(),
            false => GraphFilterOptions::default(),
        };
        let mut options = GraphFilterOptions {
            alpha: self.number("alpha", plain.alpha),
            user_power: self.number("user_power", plain.user_power),
            smoothing: self.number("smoothing", plain.smoothing),
            low_pass: self.number("low_pass", plain.low_pass),
            low_pass_alpha: self.number("low_pass_alpha", plain.low_pass_alpha),
            rank: self.count("rank", plain.rank),
            iterations: self.count("iterations", plain.iterations),
            seed: plain.seed,
        };
        if self.is("tuned") {
            options = tune::graph_filter(train, &options, 1)?;
        }
        Ok(GraphFilter::fit(train, &options)?)
    }

    fn ials(&mut self) -> IalsOptions {
        let plain = IalsOptions::default();
        IalsOptions {
            factors: self.count("factors", plain.factors),
            iterations: self.count("iterations", plain.iterations),
            unobserved: self.number("unobserved", plain.unobserved),
            regularization: self.number("regularization", plain.regularization),
            nu: self.number("nu", plain.nu),
            deviation: self.number("deviation", plain.deviation),
            steps: self.count("steps", plain.steps),
            seed: plain.seed,
        }
    }

    fn ease(&mut self) -> EaseOptions {
        let plain = EaseOptions::default();
        EaseOptions {
            regularization: self.number("regularization", plain.regularization),
            max_items: self.count("max_items", plain.max_items),
        }
    }

    /// Each user is a session, in the order of their numbers: these files have no times.
    fn session_knn(&mut self, train: &Matrix) -> Outcome<SessionKnn> {
        let plain = SessionKnnOptions::default();
        let options = SessionKnnOptions {
            neighbors: self.count("neighbors", plain.neighbors),
            sample: self.count("sample", plain.sample),
            decay: self.number("decay", 1.0),
            capacity: self.count("capacity", plain.capacity),
        };
        let mut model = SessionKnn::new(train.columns(), options)?;
        for row in train.iter() {
            model.push(row.indices)?;
        }
        Ok(model)
    }
}

pub fn popularity(train: &Matrix) -> Outcome<Popularity> {
    let mut model = Popularity::new(train.columns(), 1.0)?;
    for row in train.iter() {
        for (item, weight) in row.iter() {
            model.add(item as u32, weight, 0.0)?;
        }
    }
    Ok(model)
}
