//! Filters in both forms.

use std::sync::LazyLock;

use roaring::RoaringBitmap;
use vitrine::{
    payload::{PayloadIndex, tree_of},
    schemas::FilterSpec,
};

use crate::shop;

static INDEX: LazyLock<PayloadIndex> = LazyLock::new(|| {
    let mut index = PayloadIndex::new(&shop::config());
    for (id, item) in shop::items().iter().enumerate() {
        index.insert(id as u32, item);
    }
    index
});

/// Parses a filter, evaluates it, and compares the results of its forms. An input that is not JSON
/// is the string form.
pub fn filter(input: &[u8]) {
    let spec = serde_json::from_slice(input).ok();
    let text = || std::str::from_utf8(input).map(|text| FilterSpec::Text(text.to_owned()));
    let Some(spec) = spec.or_else(|| text().ok()) else {
        return;
    };
    let found = evaluate(&spec);
    match (tree_of(&spec), &found) {
        (Ok(tree), _) => {
            let tree = FilterSpec::Tree(tree);
            assert_eq!(evaluate(&tree), found, "the tree of a string form");
            let json = serde_json::to_vec(&tree).expect("a filter as JSON");
            if let Ok(again) = serde_json::from_slice(&json) {
                assert_eq!(evaluate(&again), found, "a filter read back from its JSON");
            }
        }
        (Err(_), found) => assert!(found.is_none(), "a filter that cannot be parsed"),
    }
}

fn evaluate(spec: &FilterSpec) -> Option<RoaringBitmap> {
    let universe: RoaringBitmap = (0..48).collect();
    let id_of = |id: &str| id.strip_prefix('i')?.parse().ok().filter(|n| *n < 48);
    let found = INDEX.evaluate(spec, &universe, &id_of).ok()?;
    assert!(found.is_subset(&universe), "a result that is not an item");
    Some(found)
}
