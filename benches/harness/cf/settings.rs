//! Models by name and options.

use vitrine::cf::{GraphFilterOptions, Matrix, Model, ModelSettings, tune};

use crate::Outcome;

/// Returns the settings of `name:key=value,...`. The prefix `tuned-` tunes options that depend on
/// the data on items held out from `train`; `gf-cf` is the graph filter as published.
pub fn resolve(text: &str, train: &Matrix) -> Outcome<ModelSettings> {
    Ok(match text.strip_prefix("tuned-") {
        Some(text) => match text.parse()? {
            ModelSettings::ItemKnn(options) => {
                ModelSettings::ItemKnn(tune::item_knn(train, &options, 1)?)
            }
            ModelSettings::GraphFilter(options) => {
                ModelSettings::GraphFilter(tune::graph_filter(train, &options, 1)?)
            }
            other => return Err(format!("`{}` has no options to tune", other.name()).into()),
        },
        None if text == "gf-cf" => ModelSettings::GraphFilter(GraphFilterOptions::gf_cf()),
        None => text.parse()?,
    })
}

/// Fits the model of [`resolve`]. Users are sessions, since the files have no times.
pub fn fit(text: &str, train: &Matrix) -> Outcome<Model> {
    Ok(resolve(text, train)?.fit_matrix(train)?)
}
