//! Small random models of each family, in folders like those of users, compared with the vectors of
//! the reference libraries.

use std::path::{Path, PathBuf};

use serde_json::Value;
use vitrine::{Embedder, Embedding};
use vitrine_indexer::encode::describe;
use vitrine_indexer::encode::image::ImageEncoder;
use vitrine_indexer::encode::image::cnn::Cnn;
use vitrine_indexer::encode::text::TextEncoder;
use vitrine_indexer::encode::text::bert::{Bert, Role};
use vitrine_indexer::image::{ImageLimits, decode};
use vitrine_indexer::space::selection::Selection;
use vitrine_indexer::space::{Encoders, Precision};

use super::{cosine, floats, folder, golden};

fn model(name: &str) -> PathBuf {
    folder().join("folders").join(name)
}

/// Compares the direction of each item's vector with the reference. Vectors of random models are
/// very similar, so the mean of a model's vectors is subtracted from both sides first.
fn compare(name: &str, key: &str, vector: impl Fn(&Value) -> Vec<f32>) {
    let items = golden(&format!("folders/{name}/golden.json"));
    let wanted: Vec<Vec<f32>> = items.iter().map(|i| floats(&i[key])).collect();
    let mut mean = vec![0f32; wanted[0].len()];
    for v in &wanted {
        mean.iter_mut()
            .zip(v)
            .for_each(|(m, x)| *m += x / wanted.len() as f32);
    }
    let off = |v: &[f32]| -> Vec<f32> { v.iter().zip(&mean).map(|(x, m)| x - m).collect() };
    for (item, wanted) in items.iter().zip(&wanted) {
        let found = vector(item);
        let (whole, own) = (cosine(&found, wanted), cosine(&off(&found), &off(wanted)));
        let what = item["text"].as_str().or(item["file"].as_str());
        println!(
            "{name} {key} {whole:.8}, less the mean {own:.8} {:.40?}",
            what
        );
        assert!(
            whole > 0.9999 && own > 0.9999,
            "{name} {key}: {whole} {own} for {what:?}"
        );
    }
}

fn compare_texts(name: &str) {
    let bert = Bert::load(&model(name), Precision::F32, None).expect("loads");
    compare(name, "vector", |item| {
        let role = match item["role"].as_str() {
            Some("query") => Role::Query,
            _ => Role::Document,
        };
        let text = item["text"].as_str().expect("text");
        bert.encode(&[text], role).remove(0).expect("encodes")
    });
}

#[test]
fn bert_with_cls_pooling_a_prompt_and_a_vocabulary_file() {
    compare_texts("bert-cls");
    let description = describe(&model("bert-cls")).expect("loads");
    assert_eq!(
        (description.pooling, description.max_tokens),
        (Some("cls"), Some(24))
    );
    assert_eq!(
        description.prefixes.expect("prefixes").query,
        "Represent this sentence: "
    );
}

#[test]
fn bert_with_mean_pooling_and_prefixes_for_both() {
    compare_texts("bert-mean");
}

#[test]
fn xlm_roberta_counts_places_from_behind_padding() {
    compare_texts("xlm-roberta");
}

#[test]
fn distilbert_with_a_layer_behind_the_pooling() {
    compare_texts("distilbert-dense");
    assert_eq!(describe(&model("distilbert-dense")).expect("loads").dim, 20);
}

#[test]
fn mpnet_knows_distances() {
    compare_texts("mpnet");
}

fn compare_images(name: &str, family: &str) {
    let description = describe(&model(name)).expect("loads");
    assert_eq!(
        (description.architecture, description.kind),
        (family, "image")
    );
    let cnn = Cnn::load(&model(name)).expect("loads");
    assert_eq!(
        (description.dim, description.classes),
        (cnn.dim(), Some(10))
    );
    let see = |item: &Value| {
        let file = folder().join(item["file"].as_str().expect("file"));
        let bytes = std::fs::read(file).expect("picture");
        let image = decode(&bytes, &ImageLimits::default()).expect("decodes");
        cnn.forward(&image).expect("runs")
    };
    compare(name, "vector", |item| see(item).features);
    compare(name, "logits", |item| see(item).logits);
}

#[test]
fn resnets_of_timm() {
    compare_images("resnet", "ResNet");
    // Groups, three convolutions in the stem, pooling in the shortcut, an odd size.
    compare_images("resnext-d", "ResNet");
}

#[test]
fn convnexts_of_timm() {
    compare_images("convnext", "ConvNeXt");
    compare_images("convnextv2", "ConvNeXt");
}

#[test]
fn efficientnets_of_timm() {
    compare_images("efficientnet", "EfficientNet");
    compare_images("efficientnet-lite", "EfficientNet");
    compare_images("efficientnetv2", "EfficientNet");
}

#[test]
fn mobilenets_of_timm() {
    compare_images("mobilenetv4-small", "MobileNetV4");
    compare_images("mobilenetv4-medium", "MobileNetV4");
}

#[test]
fn an_image_network_and_the_names_of_its_classes_reach_the_text_space() {
    let Some(default) = super::models_dir() else {
        return;
    };
    let models = tempfile::tempdir().expect("folder");
    let (dir, text) = (models.path(), "all-minilm-l6-v2");
    std::os::unix::fs::symlink(default.join(text), dir.join(text)).expect("link");
    let net = dir.join("net");
    std::fs::create_dir(&net).expect("folder");
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(model("resnet").join(file), net.join(file)).expect("copy");
    }
    let mut selection = Selection::default();
    selection
        .choose(dir, Path::new("net"), None)
        .expect("chosen");
    selection.save(dir).expect("saves");
    let ball = std::fs::read(folder().join("ball.png")).expect("picture");
    let embed = || {
        let encoders = Encoders::load(dir, Precision::F32).expect("loads");
        let made = encoders.embed_image(std::slice::from_ref(&ball)).remove(0);
        (encoders.fingerprint().to_owned(), made.expect("embeds"))
    };
    // Without class names there is no projection to the space of texts.
    let (nameless, vectors) = embed();
    assert_eq!(vectors.keys().collect::<Vec<_>>(), ["image"]);
    assert_eq!(vectors["image"].len(), 32);
    let names: Vec<String> = (0..10).map(|n| format!("thing {n}")).collect();
    std::fs::write(
        net.join("classes.json"),
        serde_json::json!(names).to_string(),
    )
    .expect("write");
    let (named, vectors) = embed();
    assert_ne!(nameless, named);
    assert_eq!(vectors["shared"].len(), 384);
}

/// Compares through the selection and the embedder, like a server.
fn compare_joint(name: &str, architecture: &str) {
    let models = tempfile::tempdir().expect("folder");
    let mut selection = Selection::default();
    let chosen = selection.choose(models.path(), &model(name), None);
    assert_eq!(chosen.expect("chosen").name, architecture);
    selection.save(models.path()).expect("saves");
    let encoders = Encoders::load(models.path(), Precision::F32).expect("loads");
    assert_eq!(encoders.model_name(), name);
    compare(name, "vector", |item| {
        let made = match item["text"].as_str() {
            Some(text) => encoders.embed_text(&[text]).remove(0),
            None => {
                let file = folder().join(item["file"].as_str().expect("file"));
                let bytes = std::fs::read(file).expect("picture");
                encoders.embed_image(&[bytes]).remove(0)
            }
        };
        made.expect("embeds").remove("shared").expect("shared")
    });
}

#[test]
fn clip_of_transformers() {
    compare_joint("clip", "CLIP");
}

#[test]
fn chinese_clip_of_transformers() {
    compare_joint("chinese-clip", "Chinese-CLIP");
}

#[test]
fn siglip_of_transformers() {
    compare_joint("siglip", "SigLIP");
}

#[test]
fn mobile_clip_of_open_clip() {
    compare_joint("mobile-clip", "MobileCLIP");
}

#[test]
fn encoders_are_found_by_their_fingerprint_whichever_are_in_use() {
    let models = tempfile::tempdir().expect("folder");
    let dir = models.path();
    for name in ["bert-cls", "bert-mean", "resnet", "clip"] {
        copy(&model(name), &dir.join(name));
    }
    let load = |names: &[&str], precision| {
        let mut selection = Selection::default();
        for name in names {
            let chosen = selection.choose(dir, Path::new(name), None);
            chosen.expect("chosen");
        }
        selection.save(dir).expect("saves");
        Encoders::load(dir, precision).expect("loads")
    };
    let before = [
        load(&["bert-cls", "resnet"], Precision::F32),
        load(&["bert-cls", "resnet"], Precision::Int8),
        load(&["clip"], Precision::F32),
    ];
    let in_use = load(&["bert-mean", "resnet"], Precision::F32);
    for wanted in before.iter().chain([&in_use]) {
        let found = in_use.find(dir, wanted.fingerprint()).expect("a folder");
        let found = found.expect("encoders");
        assert_eq!(found.fingerprint(), wanted.fingerprint());
        assert_eq!(red_ball(&found), red_ball(wanted));
    }
    assert_ne!(red_ball(&before[0]), red_ball(&in_use));
    assert!(in_use.find(dir, "f").expect("a folder").is_none());
}

/// Returns `None` for the small CLIP: its vocabulary has few words.
fn red_ball(encoders: &Encoders) -> Option<Embedding> {
    encoders.embed_text(&["a red ball"]).remove(0).ok()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let place = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &place),
            false => drop(std::fs::copy(entry.path(), place).expect("copy")),
        }
    }
}
