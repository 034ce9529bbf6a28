//! A pair of text encoders, of two small random models.

use std::path::Path;

use vitrine::Embedder;
use vitrine_indexer::encode::text::TextEncoder;
use vitrine_indexer::encode::text::bert::{Bert, Role};
use vitrine_indexer::encode::text::pair::Pair;
use vitrine_indexer::encode::{Precision, describe};
use vitrine_indexer::space::selection::Selection;
use vitrine_indexer::space::{Encoders, HeadsChoice};

use super::{cosine, folder, models_dir};

const LATIN: &str = "bert-mean";
const MULTILINGUAL: &str = "xlm-roberta";
const WEIGHT: f64 = 0.7;
const TEXTS: [&str; 2] = ["red dress", "红色连衣裙 女装 夏季新款"];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// Writes a pair and its models to a models folder.
fn write(models_dir: &Path, latin: &str) {
    for name in [LATIN, MULTILINGUAL] {
        copy(&folder().join("folders").join(name), &models_dir.join(name));
    }
    std::fs::create_dir_all(models_dir.join("both")).expect("folder");
    let config = format!(
        r#"{{"model_type": "pair", "latin": "{latin}", "multilingual": "{MULTILINGUAL}",
        "latin_weight": {WEIGHT}}}"#
    );
    std::fs::write(models_dir.join("both/config.json"), config).expect("writes");
}

fn encode(encoder: &dyn TextEncoder, text: &str, role: Role) -> Vec<f32> {
    encoder.encode(&[text], role).remove(0).expect("encodes")
}

#[test]
fn scores_are_weighted_means_between_latin_texts_and_multilingual_otherwise() {
    let dir = tempfile::tempdir().expect("folder");
    write(dir.path(), LATIN);
    let load =
        |name: &str| Bert::load(&dir.path().join(name), Precision::F32, None).expect("loads");
    let pair = Pair::load(&dir.path().join("both"), Precision::F32, None).expect("loads");
    let (latin, multilingual) = (load(LATIN), load(MULTILINGUAL));
    let of = |encoder: &dyn TextEncoder, query: &str, document: &str| {
        let mut query = encode(encoder, query, Role::Query);
        encoder.to_query(&mut query);
        cosine(&query, &encode(encoder, document, Role::Document))
    };
    for query in TEXTS {
        let is_latin = query == TEXTS[0];
        // The cosines of a query are scaled by its length before normalization.
        let length = if is_latin {
            1.0 + WEIGHT
        } else {
            1.0 / (1.0 - WEIGHT)
        };
        for document in ["a very long text about a lamp", TEXTS[0], TEXTS[1]] {
            let mut expected = of(&multilingual, query, document);
            if is_latin && document != TEXTS[1] {
                expected = WEIGHT * of(&latin, query, document) + (1.0 - WEIGHT) * expected;
            }
            let found = of(&pair, query, document) * length.sqrt();
            assert!(
                (found - expected).abs() < 1e-5,
                "{query}, {document}: {found} {expected}"
            );
        }
    }
}

#[test]
fn documents_have_unit_length() {
    let dir = tempfile::tempdir().expect("folder");
    write(dir.path(), LATIN);
    let pair = Pair::load(&dir.path().join("both"), Precision::F32, None).expect("loads");
    for text in TEXTS {
        let vector = encode(&pair, text, Role::Document);
        assert_eq!(vector.len(), pair.dim());
        let length: f32 = vector.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}

#[test]
fn the_fingerprint_of_a_pair_covers_its_models() {
    let Some(defaults) = models_dir() else { return };
    let dir = tempfile::tempdir().expect("folder");
    write(dir.path(), LATIN);
    copy(
        &defaults.join("efficientnet-lite0"),
        &dir.path().join("efficientnet-lite0"),
    );
    let mut selection = Selection::default();
    selection
        .choose(dir.path(), Path::new("both"), None)
        .expect("chosen");
    selection.save(dir.path()).expect("saved");
    let load =
        || Encoders::load_with(dir.path(), Precision::F32, HeadsChoice::None).expect("loads");
    let before = load();
    assert_eq!(before.model_name(), "both");
    let query = before.embed_query(&TEXTS).remove(0).expect("embeds");
    let document = before.embed_text(&TEXTS).remove(0).expect("embeds");
    assert_ne!(query["text"], document["text"]);
    std::fs::write(
        dir.path().join(LATIN).join("sentence_bert_config.json"),
        r#"{"max_seq_length": 8}"#,
    )
    .expect("writes");
    assert_ne!(load().fingerprint(), before.fingerprint());
}

#[test]
fn damaged_pairs_are_refused() {
    let dir = tempfile::tempdir().expect("folder");
    for (latin, reason) in [
        ("../outside", "expected the name of a folder"),
        ("nonesuch", "missing model file"),
    ] {
        write(dir.path(), latin);
        let error = describe(&dir.path().join("both"))
            .expect_err("refused")
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
}
