//! Names and groups of the features. Names are stored with a ranker, so a name never changes its
//! meaning: a new definition gets a new name, or a new [`FEATURE_VERSION`].

use vitrine_schemas::FeatureGroup;

/// Version of the definition of all features.
pub const FEATURE_VERSION: u32 = 1;

/// Name and group of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureSpec {
    /// Name.
    pub name: &'static str,
    /// Group that explanations sum over.
    pub group: FeatureGroup,
}

macro_rules! features {
    ($($group:ident { $($variant:ident $name:literal,)* })*) => {
        /// A feature, by its place in a row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Feature { $($($variant,)*)* }

        /// All features, in the order of a row.
        pub const FEATURES: &[FeatureSpec] = &[$($(
            FeatureSpec { name: $name, group: FeatureGroup::$group },
        )*)*];
    };
}

features! {
    Lexical {
        LexicalScore "lexical_score",
        LexicalShare "lexical_share",
        LexicalRank "lexical_rank",
    }
    Dense {
        DenseScore "dense_score",
        DenseGap "dense_gap",
        DenseRank "dense_rank",
        DenseDeviation "dense_deviation",
    }
    Blend {
        BlendScore "blend_score",
        BlendShare "blend_share",
        BlendRank "blend_rank",
        Dominating "dominating",
        DominatingTrigrams "dominating_trigrams",
    }
    Title {
        TitleCoverage "title_coverage",
        TitleCoverageGap "title_coverage_gap",
        TitleWordShare "title_word_share",
        TitleExact "title_exact",
        TitlePrecision "title_precision",
        TitlePairs "title_pairs",
        TitleRun "title_run",
        TitleSpan "title_span",
        TitleFirst "title_first",
        TitleLastWord "title_last_word",
        TitleRarest "title_rarest",
        TitleMissing "title_missing",
        TitleHead "title_head",
        HeadAtHead "head_at_head",
        HeadDistance "head_distance",
        TitleTrigrams "title_trigrams",
        TitleTrigramDice "title_trigram_dice",
        TitleFuzzy "title_fuzzy",
        TitleNumbers "title_numbers",
        TitleOtherNumbers "title_other_numbers",
        TitleBm25 "title_bm25",
        TitleLocal "title_local",
        TitleLocalTrigrams "title_local_trigrams",
        TitleCoverageRank "title_coverage_rank",
        TitleLocalRank "title_local_rank",
        TitleTrigramRank "title_trigram_rank",
    }
    Texts {
        BrandCoverage "brand_coverage",
        BrandNamed "brand_named",
        CategoryCoverage "category_coverage",
        AttributeCoverage "attribute_coverage",
        DescriptionCoverage "description_coverage",
        DescriptionBm25 "description_bm25",
        AnyCoverage "any_coverage",
        AnyMissing "any_missing",
        AnyNumbers "any_numbers",
    }
    Agreement {
        AgreementWords "agreement_words",
        AgreementLift "agreement_lift",
        AgreementFeedback "agreement_feedback",
        AgreementHead "agreement_head",
        AgreementCategory "agreement_category",
        AgreementBrand "agreement_brand",
        AgreementDense "agreement_dense",
        AgreementDenseGap "agreement_dense_gap",
    }
    Item {
        TitleWords "title_words",
        DescriptionWords "description_words",
        PriceLog "price_log",
        PriceRatio "price_ratio",
        Availability "availability",
        AgeDays "age_days",
        Rating "rating",
        RatingCount "rating_count",
    }
    Behavior {
        Events "events",
        Popularity "popularity",
    }
    Query {
        QueryWords "query_words",
        QueryNumbers "query_numbers",
        QueryIdf "query_idf",
        QueryMaxIdf "query_max_idf",
        BestCoverage "best_coverage",
        FullMatches "full_matches",
        BestDense "best_dense",
        DenseSpread "dense_spread",
    }
}

/// Values of all features of a candidate, in the order of [`FEATURES`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row(pub [f32; FEATURES.len()]);

impl Row {
    pub(super) fn empty() -> Self {
        Self([0.0; FEATURES.len()])
    }

    pub(super) fn set(&mut self, feature: Feature, value: f32) {
        // A threshold compares nothing with a value that is not a number, and -0 becomes 0.
        self.0[feature as usize] = if value.is_finite() { value + 0.0 } else { 0.0 };
    }

    pub(super) fn get(&self, feature: Feature) -> f32 {
        self.0[feature as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_feature_has_a_name_of_its_own() {
        let names: BTreeSet<_> = FEATURES.iter().map(|feature| feature.name).collect();
        assert_eq!(names.len(), FEATURES.len());
        assert_eq!(
            FEATURES[Feature::LexicalScore as usize].name,
            "lexical_score"
        );
        assert_eq!(FEATURES[Feature::DenseSpread as usize].name, "dense_spread");
    }
}
