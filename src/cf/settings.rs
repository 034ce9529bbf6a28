//! Text form of [`ModelSettings`]: `item-knn:neighbors=100,shrinkage=10`.

use std::{fmt, str::FromStr};

use super::{ModelSettings, options::split_spec};
use crate::{Error, Result};

impl FromStr for ModelSettings {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, options) = split_spec(text)?;
        Self::from_options(name, options)
            .map_err(|detail| Error::invalid(format!("/{name}"), detail))
    }
}

/// Writes the text that parses to the same settings, with all options.
impl fmt::Display for ModelSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::{
        IalsOptions, ItemKnnOptions, Matrix, PopularityOptions, Recommender, Weighting,
        split::Interaction,
    };

    fn parsed(text: &str) -> ModelSettings {
        text.parse().expect(text)
    }

    #[test]
    fn a_name_and_the_options_that_differ() {
        assert_eq!(
            parsed("item-knn:neighbors=7,alpha=0.25,weighting.bm25.k1=1.5,weighting.bm25.b=1"),
            ModelSettings::ItemKnn(ItemKnnOptions {
                neighbors: 7,
                alpha: 0.25,
                weighting: Weighting::Bm25 { k1: 1.5, b: 1.0 },
                ..Default::default()
            })
        );
        assert_eq!(parsed("ials"), ModelSettings::Ials(IalsOptions::default()));
        assert_eq!(
            parsed("popularity:half_life=7"),
            ModelSettings::Popularity(PopularityOptions { half_life: 7.0 })
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
            "sequential-rules",
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
    fn errors_name_the_option() {
        for (text, hint) in [
            ("item-cnn", "item-knn"),
            ("item-knn:neighbor=3", "neighbors"),
            ("item-knn:neighbors", "key=value"),
            ("item-knn:neighbors=many", "many"),
            ("item-knn:neighbors=2,neighbors=3", "twice"),
            ("ials:factors=-1", "-1"),
            ("", "item-knn"),
        ] {
            let error = text.parse::<ModelSettings>().expect_err(text).to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
        let wrong = parsed("item-knn:neighbors=0").fit(&[], 1, 1);
        let error = wrong.expect_err("no neighbors").to_string();
        assert!(error.contains("/item-knn/neighbors"), "{error}");
    }
}
