//! Models by name: `item-knn:neighbors=100,shrinkage=10`.

use std::{collections::HashMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Ease, EaseOptions, GraphFilter, GraphFilterOptions, Ials, IalsOptions, ItemKnn, ItemKnnOptions,
    Matrix, Model, Popularity, SessionKnn, SessionKnnOptions, split::Interaction,
};
use crate::{Error, Result};

/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// A kind of model with what it is fitted by.
///
/// As text it is the name, then settings that differ from the defaults: `name:key=value,key=value`. A key within a
/// key has a dot: `item-knn:weighting.bm25.k1=1.2,weighting.bm25.b=0.75`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settings {
    /// [`Popularity`].
    Popularity(PopularityOptions),
    /// [`ItemKnn`].
    ItemKnn(ItemKnnOptions),
    /// [`GraphFilter`].
    GraphFilter(GraphFilterOptions),
    /// [`Ease`].
    Ease(EaseOptions),
    /// [`Ials`].
    Ials(IalsOptions),
    /// [`SessionKnn`].
    SessionKnn(SessionKnnOptions),
}

/// How popularity is counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopularityOptions {
    /// Days after which an event counts half.
    pub half_life: f64,
}

impl Default for PopularityOptions {
    fn default() -> Self {
        Self { half_life: 30.0 }
    }
}

impl Settings {
    /// Fits to what `users` did with `items`, which are numbered from 0. The weights of a user's events with one item
    /// are summed; the session of a user is all they did, in the order of time.
    ///
    /// # Errors
    /// Settings out of range, an interaction out of range.
    pub fn fit(self, interactions: &[Interaction], users: usize, items: usize) -> Result<Model> {
        let fitted = match self {
            Self::Popularity(options) => popularity(interactions, items, options),
            Self::SessionKnn(options) => sessions(interactions, items, options),
            _ => {
                let triples = interactions.iter().map(|i| (i.user, i.item, i.weight));
                return self.fit_matrix(&Matrix::from_triples(users, items, triples)?);
            }
        };
        fitted.map_err(|e| self.under(e))
    }

    /// Fits to users x items where nothing is known of times: all is of one moment, users are sessions in the order of
    /// their numbers.
    ///
    /// # Errors
    /// Settings out of range.
    pub fn fit_matrix(&self, matrix: &Matrix) -> Result<Model> {
        let fitted = match self {
            Self::Popularity(options) => timeless_popularity(matrix, options),
            Self::ItemKnn(options) => ItemKnn::fit(matrix, options).map(Model::ItemKnn),
            Self::GraphFilter(options) => GraphFilter::fit(matrix, options).map(Model::GraphFilter),
            Self::Ease(options) => Ease::fit(matrix, options).map(Model::Ease),
            Self::Ials(options) => Ials::fit(matrix, options).map(Model::Ials),
            Self::SessionKnn(options) => {
                let sessions = (0..).zip(matrix.iter());
                let sessions = sessions.map(|(user, row)| (user, row.indices.into()));
                let sessions = sessions.collect();
                SessionKnn::fit(matrix.columns(), *options, sessions).map(Model::SessionKnn)
            }
        };
        fitted.map_err(|e| self.under(e))
    }

    fn under(&self, error: Error) -> Error {
        error.under(&format!("/{}", self.name()))
    }

    /// The name of the kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Popularity(_) => "popularity",
            Self::ItemKnn(_) => "item-knn",
            Self::GraphFilter(_) => "graph-filter",
            Self::Ease(_) => "ease",
            Self::Ials(_) => "ials",
            Self::SessionKnn(_) => "session-knn",
        }
    }
}

impl FromStr for Settings {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, values) = parts(text)?;
        let named = Map::from_iter([(name.to_owned(), values)]);
        serde_json::from_value(Value::Object(named))
            .map_err(|e| Error::invalid(format!("/{name}"), e.to_string()))
    }
}

/// The settings in `name:key=value,...`, for models that are none of [`Settings`].
///
/// # Errors
/// A setting that is not known or of the wrong kind.
pub fn options<T: DeserializeOwned>(text: &str) -> Result<T> {
    let (name, values) = parts(text)?;
    serde_json::from_value(values).map_err(|e| Error::invalid(format!("/{name}"), e.to_string()))
}

/// The name, and the settings as an object.
fn parts(text: &str) -> Result<(&str, Value)> {
    let (name, list) = text.split_once(':').unwrap_or((text, ""));
    let mut values = Map::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| {
            Error::invalid(format!("/{name}"), format!("`{part}` is not key=value"))
        })?;
        insert(&mut values, key.trim(), value.trim())
            .map_err(|detail| Error::invalid(format!("/{name}/{key}"), detail))?;
    }
    Ok((name, Value::Object(values)))
}

/// The text that reads back as these settings, all of them written out.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Popularity(options) => written(self.name(), options),
            Self::ItemKnn(options) => written(self.name(), options),
            Self::GraphFilter(options) => written(self.name(), options),
            Self::Ease(options) => written(self.name(), options),
            Self::Ials(options) => written(self.name(), options),
            Self::SessionKnn(options) => written(self.name(), options),
        };
        f.write_str(&text)
    }
}

/// The text that [`options`] reads, all settings written out.
pub fn written<T: Serialize>(name: &str, options: &T) -> String {
    // By way of text, which has the digits of an f32 and no more.
    let text = serde_json::to_string(options).unwrap_or_default();
    let mut parts = Vec::new();
    flatten(
        "",
        &serde_json::from_str(&text).unwrap_or_default(),
        &mut parts,
    );
    format!("{name}:{}", parts.join(","))
}

fn flatten(path: &str, value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, parts);
            }
        }
        Value::String(text) => parts.push(format!("{path}={text}")),
        other => parts.push(format!("{path}={other}")),
    }
}

/// Puts a value at a path of keys with dots between.
fn insert(values: &mut Map<String, Value>, path: &str, value: &str) -> Result<(), &'static str> {
    let Some((key, rest)) = path.split_once('.') else {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        return match values.insert(path.to_owned(), value) {
            Some(_) => Err("is given twice"),
            None => Ok(()),
        };
    };
    let inner = values
        .entry(key)
        .or_insert_with(|| Value::Object(Map::new()));
    match inner {
        Value::Object(inner) => insert(inner, rest, value),
        _ => Err("is given twice"),
    }
}

fn popularity(
    interactions: &[Interaction],
    items: usize,
    options: PopularityOptions,
) -> Result<Model> {
    let mut model = Popularity::new(items, options.half_life * DAY)?;
    for i in interactions {
        model.add(i.item, i.weight, i.at as f64 / 1e6)?;
    }
    Ok(Model::Popularity(model))
}

fn timeless_popularity(matrix: &Matrix, options: &PopularityOptions) -> Result<Model> {
    let mut model = Popularity::new(matrix.columns(), options.half_life * DAY)?;
    for (item, weight) in matrix.iter().flat_map(|row| row.iter()) {
        model.add(item as u32, weight, 0.0)?;
    }
    Ok(Model::Popularity(model))
}

fn sessions(
    interactions: &[Interaction],
    items: usize,
    options: SessionKnnOptions,
) -> Result<Model> {
    let mut of_user: HashMap<u32, Vec<&Interaction>> = HashMap::new();
    for interaction in interactions {
        of_user
            .entry(interaction.user)
            .or_default()
            .push(interaction);
    }
    let mut users: Vec<_> = of_user.into_iter().collect();
    users.sort_by_key(|(user, _)| *user);
    let session = |(_, mut events): (u32, Vec<&Interaction>)| {
        events.sort_by_key(|i| i.at);
        let end = events.last().map_or(i64::MIN, |i| i.at);
        (end, events.iter().map(|i| i.item).collect())
    };
    let sessions = users.into_iter().map(session).collect();
    SessionKnn::fit(items, options, sessions).map(Model::SessionKnn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::{Recommender, Weighting};

    fn parsed(text: &str) -> Settings {
        text.parse().expect(text)
    }

    #[test]
    fn a_name_and_what_differs() {
        assert_eq!(
            parsed("item-knn:neighbors=7,alpha=0.25,weighting.bm25.k1=1.5,weighting.bm25.b=1"),
            Settings::ItemKnn(ItemKnnOptions {
                neighbors: 7,
                alpha: 0.25,
                weighting: Weighting::Bm25 { k1: 1.5, b: 1.0 },
                ..Default::default()
            })
        );
        assert_eq!(parsed("ials"), Settings::Ials(IalsOptions::default()));
        assert_eq!(
            parsed("popularity:half_life=7"),
            Settings::Popularity(PopularityOptions { half_life: 7.0 })
        );
    }

    #[test]
    fn every_kind_reads_back_and_fits() {
        let interactions: Vec<_> = (0..40_u32)
            .map(|n| Interaction {
                user: n % 8,
                item: n * 7 % 5,
                weight: 1.0,
                at: i64::from(n),
            })
            .collect();
        for name in [
            "popularity",
            "item-knn",
            "graph-filter:rank=2",
            "ease",
            "ials:factors=4",
            "session-knn",
        ] {
            let settings = parsed(name);
            assert_eq!(parsed(&settings.to_string()), settings);
            assert!(settings.to_string().len() < 200, "{settings}");
            assert_eq!(settings.name(), name.split(':').next().unwrap_or_default());
            let model = settings.fit(&interactions, 8, 5).expect(name);
            assert_eq!((model.items(), model.kind()), (5, settings.name()));
            let triples = interactions.iter().map(|i| (i.user, i.item, i.weight));
            let matrix = Matrix::from_triples(8, 5, triples).expect("valid");
            let model = settings.fit_matrix(&matrix).expect(name);
            assert_eq!((model.items(), model.kind()), (5, settings.name()));
        }
    }

    #[test]
    fn faults_name_the_setting() {
        for (text, hint) in [
            ("item-cnn", "item-knn"),
            ("item-knn:neighbours=3", "neighbors"),
            ("item-knn:neighbors", "key=value"),
            ("item-knn:neighbors=many", "many"),
            ("item-knn:neighbors=2,neighbors=3", "twice"),
            ("ials:factors=-1", "-1"),
            ("", "item-knn"),
        ] {
            let error = text.parse::<Settings>().expect_err(text).to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
        let wrong = parsed("item-knn:neighbors=0").fit(&[], 1, 1);
        let error = wrong.expect_err("no neighbours").to_string();
        assert!(error.contains("/item-knn/neighbors"), "{error}");
    }
}
