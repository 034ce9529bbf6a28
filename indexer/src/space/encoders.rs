//! The engine's [`Embedder`] over the models of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vitrine::{EmbedError, Embedder, Embedding, ImageBytes};

use super::conse::{Conse, PARAMS};
use crate::encode::bert::{Bert, Role};
use crate::encode::clip::Clip;
use crate::encode::efficientnet_lite::{CLASSES, EfficientNetLite, FEATURES};
use crate::encode::{ModelError, Precision, batch, normalise, weights};
use crate::image::{ImageLimits, decode};

const TEXT_DIR: &str = "all-minilm-l6-v2";
const IMAGE_DIR: &str = "efficientnet-lite0";
const JOINT_DIR: &str = "clip";
/// Files that decide what comes out, where a model has them.
const FILES: [&str; 8] = [
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "classes.json",
    "preprocessor_config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
];

enum Kind {
    /// A text model, an image classifier, and ConSE between them.
    Separate {
        text: Box<Bert>,
        image: Box<EfficientNetLite>,
        conse: Conse,
    },
    /// One model for both.
    Joint(Box<Clip>),
}

/// The encoders of a models folder.
pub struct Encoders {
    kind: Kind,
    name: String,
    fingerprint: String,
    dims: BTreeMap<String, usize>,
    limits: ImageLimits,
}

impl Encoders {
    /// Loads `all-minilm-l6-v2/` and `efficientnet-lite0/` of `models_dir`, or `clip/` where that is there.
    /// `precision` is the text model's; CLIP and the photos are always f32.
    ///
    /// # Errors
    /// A file is missing (its name is told) or does not fit.
    pub fn load(models_dir: &Path, precision: Precision) -> Result<Self, ModelError> {
        let joint = models_dir.join(JOINT_DIR);
        if joint.join("config.json").is_file() {
            let config: serde_json::Value = weights::read_json(&joint.join("config.json"))?;
            if config["model_type"] != "clip" {
                return Err(ModelError::invalid(
                    joint.join("config.json"),
                    "model_type is not `clip`",
                ));
            }
            let clip = Clip::load(&joint)?;
            let dims = [("shared", clip.dim()), ("image", clip.dim())];
            return Ok(Self::new(
                Kind::Joint(Box::new(clip)),
                "clip",
                fingerprint(&[joint], "clip-v1")?,
                &dims,
            ));
        }
        let dirs = [models_dir.join(TEXT_DIR), models_dir.join(IMAGE_DIR)];
        let text = Bert::load(&dirs[0], precision)?;
        let image = EfficientNetLite::load(&dirs[1])?;
        let params = format!("{PARAMS};precision={}", precision.name());
        let fingerprint = fingerprint(&dirs, &params)?;
        let conse = Conse::load(&dirs[1], &text, &fingerprint, CLASSES)?;
        let dims = [
            ("shared", text.dim()),
            ("text", text.dim()),
            ("image", FEATURES),
        ];
        let kind = Kind::Separate {
            text: Box::new(text),
            image: Box::new(image),
            conse,
        };
        Ok(Self::new(kind, TEXT_DIR, fingerprint, &dims))
    }

    fn new(kind: Kind, name: &str, fingerprint: String, dims: &[(&str, usize)]) -> Self {
        let dims = dims
            .iter()
            .map(|(space, dim)| ((*space).to_owned(), *dim))
            .collect();
        Self {
            kind,
            name: name.to_owned(),
            fingerprint,
            dims,
            limits: ImageLimits::default(),
        }
    }

    /// Sets what a photo may cost.
    #[must_use]
    pub fn with_limits(mut self, limits: ImageLimits) -> Self {
        self.limits = limits;
        self
    }

    fn one_image(&self, bytes: &[u8]) -> Result<Embedding, EmbedError> {
        let photo = decode(bytes, &self.limits).map_err(|e| EmbedError::Input(e.to_string()))?;
        let (shared, image) = match &self.kind {
            Kind::Separate { image, conse, .. } => {
                let mut output = image.forward(&photo).map_err(failed)?;
                normalise(&mut output.features);
                (conse.embed(&output.logits), output.features)
            }
            Kind::Joint(clip) => {
                let vector = clip.image(&photo).map_err(failed)?;
                (vector.clone(), vector)
            }
        };
        Ok([("shared".to_owned(), shared), ("image".to_owned(), image)].into())
    }
}

fn failed(error: ModelError) -> EmbedError {
    EmbedError::Model(error.to_string())
}

/// blake3 over the hashes of the models' files and `params`, hexadecimal.
fn fingerprint(dirs: &[PathBuf], params: &str) -> Result<String, ModelError> {
    let mut all = blake3::Hasher::new();
    all.update(params.as_bytes());
    for (at, dir) in dirs.iter().enumerate() {
        for name in FILES {
            match weights::read(&dir.join(name)) {
                Ok(bytes) => {
                    all.update(format!("\n{at} {name} ").as_bytes());
                    all.update(blake3::hash(&bytes).as_bytes());
                }
                Err(ModelError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(all.finalize().to_hex().to_string())
}

impl Embedder for Encoders {
    fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        match &self.kind {
            Kind::Separate { text, .. } => text
                .encode(texts, Role::Plain)
                .into_iter()
                .map(|r| {
                    let vector = r.map_err(failed)?;
                    Ok([
                        ("shared".to_owned(), vector.clone()),
                        ("text".to_owned(), vector),
                    ]
                    .into())
                })
                .collect(),
            Kind::Joint(clip) => batch::run(texts, |text| {
                Ok([("shared".to_owned(), clip.text(text).map_err(failed)?)].into())
            }),
        }
    }

    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
        batch::run(images, |bytes| self.one_image(bytes))
    }

    fn count_tokens(&self, text: &str) -> usize {
        match &self.kind {
            Kind::Separate { text: model, .. } => model.count_tokens(text),
            Kind::Joint(clip) => clip.count_tokens(text),
        }
    }

    fn model_name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dims(&self) -> &BTreeMap<String, usize> {
        &self.dims
    }
}
