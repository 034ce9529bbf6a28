//! Models by name, with what differs from their defaults.

use vitrine::cf::{GraphFilterOptions, Matrix, Model, Settings, tune};

use crate::Outcome;

/// Fits `name:key=value,...`. In front of the name, `tuned-` finds on data held out from `train` what depends on the data;
/// `gf-cf` is the graph filter as published. Users are sessions: these files have no times.
pub fn fit(text: &str, train: &Matrix) -> Outcome<Model> {
    let settings = match text.strip_prefix("tuned-") {
        Some(text) => match text.parse()? {
            Settings::ItemKnn(options) => Settings::ItemKnn(tune::item_knn(train, &options, 1)?),
            Settings::GraphFilter(options) => {
                Settings::GraphFilter(tune::graph_filter(train, &options, 1)?)
            }
            other => return Err(format!("`{}` is not tuned", other.name()).into()),
        },
        None if text == "gf-cf" => Settings::GraphFilter(GraphFilterOptions::gf_cf()),
        None => text.parse()?,
    };
    Ok(settings.fit_matrix(train)?)
}
