//! The one-way crate graph and the fences around single dependencies, kept by a test.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::sources::{SOURCES, files, root};

#[test]
fn crates_depend_one_way_only() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let order = [
        "vitrine-schemas",
        "vitrine",
        "vitrine-indexer",
        "vitrine-server",
        "vitrine-bench",
        "vitrine-fuzz",
    ];
    let rank: BTreeMap<_, _> = order
        .iter()
        .enumerate()
        .map(|(n, name)| (*name, n))
        .collect();
    let packages = metadata["packages"].as_array().expect("packages");
    assert_eq!(
        packages.len(),
        order.len(),
        "a new crate needs its place in the order"
    );
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let other = dependency["name"].as_str().expect("a name");
            if let Some(lower) = rank.get(other) {
                assert!(
                    *lower < rank[name],
                    "{name} must not depend on {other}, not even for its tests"
                );
            }
        }
    }
}

/// Checks that a dependency is named only in its file, or in its folder (ending in `/`).
#[test]
fn fenced_dependencies_stay_behind_their_fence() {
    let fences = [
        ("hnsw_rs", vec!["src/index/growing.rs"]),
        ("simsimd", vec!["src/distance/kernels.rs"]),
        ("rocksdb", vec!["src/storage/"]),
        ("actix_web", vec!["server/", "indexer/src/federate/http/"]),
        ("candle_core", vec!["indexer/"]),
        ("tokenizers", vec!["indexer/"]),
    ];
    let files: Vec<_> = SOURCES.iter().flat_map(|folder| files(folder)).collect();
    assert!(files.len() > 40, "the sources were found");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let path = file
            .strip_prefix(root())
            .expect("below the root")
            .to_string_lossy()
            .into_owned();
        for (name, allowed) in &fences {
            let used = text.contains(&format!("use {name}")) || text.contains(&format!("{name}::"));
            let inside = allowed.iter().any(|fence| path.starts_with(fence));
            assert!(
                !used || inside,
                "{path} names {name}, which belongs in {allowed:?}"
            );
        }
    }
}
