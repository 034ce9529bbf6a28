//! The engine's [`Embedder`] over the models of a folder: encoders, with trained heads on top of
//! them if there are any, else with what reaches the shared space without training.

mod find;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::image::RgbImage;
use vitrine::{EmbedError, Embedder, Embedding, ImageBytes};

use super::conse::{Conse, PARAMS};
use super::heads::{self, Heads, Modality};
use super::selection::Selection;
use super::words;
use crate::encode::image::ImageEncoder;
use crate::encode::image::efficientnet_lite::multiscale;
use crate::encode::joint::JointEncoder;
use crate::encode::registry::{FINGERPRINT_FILES, load_image, load_joint, load_text};
use crate::encode::text::TextEncoder;
use crate::encode::text::bert::{Role, sentence};
use crate::encode::text::pair;
use crate::encode::{ModelError, Precision, batch, normalize, weights};
use crate::image::{ImageLimits, decode};

/// The loaded models.
enum Models {
    /// A text encoder and an image encoder, joined by ConSE if the class names are known.
    Separate {
        text: Box<dyn TextEncoder>,
        image: Box<dyn ImageEncoder>,
        conse: Option<Conse>,
    },
    /// One encoder of both.
    Joint(Box<JointEncoder>),
}

/// Selects the heads on top of the encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadsChoice<'a> {
    /// The active heads, see [`heads::active`].
    Active,
    /// None: the space without training.
    None,
    /// The heads with this name.
    Named(&'a str),
}

/// The encoders of a models folder.
pub struct Encoders {
    models: Arc<Models>,
    name: String,
    heads: Option<Heads>,
    base_fingerprint: String,
    fingerprint: String,
    dims: BTreeMap<String, usize>,
    limits: ImageLimits,
}

/// Features of an image for heads `[image_width]`, and its unit vector in the shared space without
/// heads.
pub type ImageFeatures = (Vec<f32>, Vec<f32>);

/// Output of the encoders for one image.
struct EncodedImage {
    /// Unit vector in the space `image`.
    image: Vec<f32>,
    /// Unit vector in the space `shared` without heads; `None` if only heads lead there.
    shared: Option<Vec<f32>>,
    /// Features for heads `[image_width]`, or empty if they were not requested.
    features: Vec<f32>,
}

impl Encoders {
    /// Loads the selected encoders of `models_dir`, see [`Selection`], and the active heads.
    /// `precision` applies to a text encoder; all other models are always f32.
    ///
    /// # Errors
    /// A file is missing (the message names it) or does not fit.
    pub fn load(models_dir: &Path, precision: Precision) -> Result<Self, ModelError> {
        Self::load_with(models_dir, precision, HeadsChoice::Active)
    }

    /// [`Encoders::load`] with a choice of heads.
    ///
    /// # Errors
    /// As [`Encoders::load`].
    pub fn load_with(
        models_dir: &Path,
        precision: Precision,
        choice: HeadsChoice,
    ) -> Result<Self, ModelError> {
        let selection = Selection::load(models_dir)?;
        let encoders = Self::load_base(models_dir, &selection, precision)?;
        let name = match choice {
            HeadsChoice::None => None,
            HeadsChoice::Named(name) => Some(name.to_owned()),
            HeadsChoice::Active => heads::active(models_dir)?,
        };
        let Some(name) = name else {
            return Ok(encoders);
        };
        let dir = heads::folder(models_dir, &name)?;
        let heads = Heads::load(&dir, &encoders.base_fingerprint)?;
        encoders.with_heads(heads)
    }

    fn load_base(
        models_dir: &Path,
        selection: &Selection,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        if let Some((dir, name)) = selection.joint(models_dir) {
            let model = load_joint(&dir)?;
            let dims = [("shared", model.dim()), ("image", model.dim())];
            let fingerprint = fingerprint(&[dir], model.params())?;
            let models = Models::Joint(Box::new(model));
            return Ok(Self::new(models, &name, fingerprint, &dims));
        }
        let (text_dir, name) = selection.text(models_dir);
        let mut dirs = vec![text_dir, selection.image(models_dir).0];
        let text = load_text(&dirs[0], precision, selection.prefixes.clone())?;
        let image = load_image(&dirs[1])?;
        // These strings and the Debug form of `Prefixes` go into the fingerprint.
        let mut params = [PARAMS, multiscale::PARAMS, words::PARAMS].join(";");
        params.push_str(&format!(";precision={}", precision.name()));
        if let Some(prefixes) = &selection.prefixes {
            params.push_str(&format!(";{prefixes:?}"));
        }
        let names = selection.class_names(models_dir, image.classes());
        if let Some(path) = names.as_ref().filter(|path| !path.starts_with(&dirs[1])) {
            let hash = blake3::hash(&weights::read(path)?);
            params.push_str(&format!(";classes={hash}"));
        }
        dirs.extend(pair::models(&dirs[0])?);
        let fingerprint = fingerprint(&dirs, &params)?;
        let conse =
            names.map(|path| Conse::load(&path, &dirs[1], &*text, &fingerprint, image.classes()));
        let dims = [
            ("shared", text.dim()),
            ("text", text.dim()),
            ("image", image.dim()),
        ];
        let models = Models::Separate {
            text,
            conse: conse.transpose()?,
            image,
        };
        Ok(Self::new(models, &name, fingerprint, &dims))
    }

    fn new(models: Models, name: &str, fingerprint: String, dims: &[(&str, usize)]) -> Self {
        let dims = dims
            .iter()
            .map(|(space, dim)| ((*space).to_owned(), *dim))
            .collect();
        Self {
            models: Arc::new(models),
            name: name.to_owned(),
            heads: None,
            base_fingerprint: fingerprint.clone(),
            fingerprint,
            dims,
            limits: ImageLimits::default(),
        }
    }

    /// Puts `heads` on top of the encoders. They define the space `shared`, so the fingerprint
    /// changes.
    ///
    /// # Errors
    /// They have no text tower, or expect features of another length.
    pub fn with_heads(mut self, heads: Heads) -> Result<Self, ModelError> {
        // Queries are texts.
        heads.tower(Modality::Text)?;
        for (modality, tower) in &heads.towers {
            let (expected, name) = (tower.shape().input, modality.name());
            let width = match modality {
                Modality::Text => self.text_width(),
                Modality::Image => self.image_width(),
                Modality::Behavior => heads.behavior.width(),
            };
            if expected != width {
                let reason = format!("the heads expect {expected} features of {name}, got {width}");
                return Err(ModelError::Compute(reason));
            }
        }
        let mut hash = blake3::Hasher::new();
        hash.update(self.base_fingerprint.as_bytes());
        hash.update(heads.digest()?.as_bytes());
        self.fingerprint = hash.finalize().to_hex().to_string();
        self.dims.insert("shared".to_owned(), heads.dim());
        self.heads = Some(heads);
        Ok(self)
    }

    /// Fingerprint of the encoders without heads; heads fit only the encoders they were trained on.
    pub fn base_fingerprint(&self) -> &str {
        &self.base_fingerprint
    }

    /// Number of features of a text, see [`Encoders::text_features`].
    pub fn text_width(&self) -> usize {
        match &*self.models {
            Models::Separate { text, .. } => text.dim() + text.word_dim(),
            Models::Joint(model) => model.dim(),
        }
    }

    /// Number of features of an image, see [`Encoders::image_features`].
    pub fn image_width(&self) -> usize {
        match &*self.models {
            Models::Separate { image, .. } => image.head_width(),
            Models::Joint(model) => model.dim(),
        }
    }

    /// Returns the features of texts for heads, `[text_width]` each: the unit vector of the text
    /// encoder in the layout of documents, then the word features of [`words`].
    pub fn text_features(&self, texts: &[&str], role: Role) -> Vec<Result<Vec<f32>, EmbedError>> {
        match &*self.models {
            Models::Separate { text: model, .. } => {
                let vectors = model.encode(texts, role).into_iter().zip(texts);
                let features = vectors.map(|(vector, text)| {
                    let mut features = vector.map_err(model_error)?;
                    words::append(&**model, text, &mut features).map_err(model_error)?;
                    Ok(features)
                });
                features.collect()
            }
            Models::Joint(model) => batch::run(texts, |text| model.text(text).map_err(model_error)),
        }
    }

    /// Returns the features of images for heads, `[image_width]` each, and the images' vectors in
    /// the shared space without heads, which are zeros if only heads lead there.
    pub fn image_features(&self, images: &[ImageBytes]) -> Vec<Result<ImageFeatures, EmbedError>> {
        batch::run(images, |bytes| {
            let encoded = self.encode_image(bytes, true)?;
            let zeros = || vec![0.0; self.untrained_width()];
            Ok((encoded.features, encoded.shared.unwrap_or_else(zeros)))
        })
    }

    /// Number of components in the shared space without heads; the vector of a text is the first
    /// part of its features.
    pub fn untrained_width(&self) -> usize {
        match &*self.models {
            Models::Separate { text, .. } => text.dim(),
            Models::Joint(model) => model.dim(),
        }
    }

    /// Sets the limits for images.
    #[must_use]
    pub fn with_limits(mut self, limits: ImageLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Decodes and encodes an image; features for heads are computed only `for_heads`.
    fn encode_image(&self, bytes: &[u8], for_heads: bool) -> Result<EncodedImage, EmbedError> {
        let pixels = decode(bytes, &self.limits).map_err(|e| EmbedError::Input(e.to_string()))?;
        match &*self.models {
            Models::Separate { image, conse, .. } => {
                let encoded = forward(&**image, &pixels, for_heads);
                let [mut vector, logits, features] = encoded.map_err(model_error)?;
                normalize(&mut vector);
                Ok(EncodedImage {
                    shared: conse.as_ref().map(|conse| conse.embed(&logits)),
                    image: vector,
                    features,
                })
            }
            Models::Joint(model) => {
                let vector = model.image(&pixels).map_err(model_error)?;
                Ok(EncodedImage {
                    shared: Some(vector.clone()),
                    image: vector.clone(),
                    features: vector,
                })
            }
        }
    }

    fn embed_one_image(&self, bytes: &[u8]) -> Result<Embedding, EmbedError> {
        let EncodedImage {
            image,
            mut shared,
            features,
        } = self.encode_image(bytes, self.heads.is_some())?;
        if let Some(heads) = &self.heads {
            // Heads that were trained without images cannot embed one.
            let tower = heads.towers.get(&Modality::Image);
            let vector = tower.map(|tower| tower.embed_one(&features));
            shared = vector.transpose().map_err(model_error)?;
        }
        let shared = shared.map(|vector| ("shared".to_owned(), vector));
        Ok(shared
            .into_iter()
            .chain([("image".to_owned(), image)])
            .collect())
    }

    fn embed_texts(&self, texts: &[&str], role: Role) -> Vec<Result<Embedding, EmbedError>> {
        let _span = tracing::info_span!("embed_text", texts = texts.len() as i64).entered();
        let features = self.text_features(texts, role).into_iter();
        features
            .map(|r| self.embed_text_features(r?, role))
            .collect()
    }

    /// Returns the vectors of a text by space, from its features.
    fn embed_text_features(
        &self,
        mut features: Vec<f32>,
        role: Role,
    ) -> Result<Embedding, EmbedError> {
        let shared = match &self.heads {
            Some(heads) => {
                let tower = heads.tower(Modality::Text).map_err(model_error)?;
                Some(tower.embed_one(&features).map_err(model_error)?)
            }
            None => None,
        };
        features.truncate(self.untrained_width());
        if let (Models::Separate { text, .. }, Role::Query) = (&*self.models, role) {
            text.to_query(&mut features);
        }
        let mut vectors = Embedding::new();
        vectors.insert(
            "shared".to_owned(),
            shared.unwrap_or_else(|| features.clone()),
        );
        if self.dims.contains_key("text") {
            vectors.insert("text".to_owned(), features);
        }
        Ok(vectors)
    }
}

/// Returns the pooled features, the class logits, and the features for heads (empty unless
/// `for_heads`).
fn forward(
    model: &dyn ImageEncoder,
    pixels: &RgbImage,
    for_heads: bool,
) -> Result<[Vec<f32>; 3], ModelError> {
    let (output, features) = if for_heads {
        model.forward_for_heads(pixels)?
    } else {
        (model.forward(pixels)?, Vec::new())
    };
    Ok([output.features, output.logits, features])
}

fn model_error(error: ModelError) -> EmbedError {
    EmbedError::Model(error.to_string())
}

/// blake3 over `params` and the hashes of the models' files, hexadecimal.
fn fingerprint(dirs: &[PathBuf], params: &str) -> Result<String, ModelError> {
    let mut all = blake3::Hasher::new();
    all.update(params.as_bytes());
    for (index, dir) in dirs.iter().enumerate() {
        let dense = sentence::dense_files(dir)?;
        let names = FINGERPRINT_FILES.iter().map(|name| (*name).to_owned());
        for name in names.chain(dense) {
            match weights::read(&dir.join(&name)) {
                Ok(bytes) => {
                    all.update(format!("\n{index} {name} ").as_bytes());
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
        self.embed_texts(texts, Role::Document)
    }

    fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        self.embed_texts(texts, Role::Query)
    }

    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
        let _span = tracing::info_span!("embed_image", images = images.len() as i64).entered();
        batch::run(images, |bytes| self.embed_one_image(bytes))
    }

    fn embed_behavior(&self, id: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
        let Some(heads) = &self.heads else {
            return Ok(None);
        };
        let embedded = heads.embed_behavior(id).map_err(model_error)?;
        let in_shared = |(weight, vector)| (weight, [("shared".to_owned(), vector)].into());
        Ok(embedded.map(in_shared))
    }

    fn count_tokens(&self, text: &str) -> usize {
        match &*self.models {
            Models::Separate { text: model, .. } => model.count_tokens(text),
            Models::Joint(model) => model.count_tokens(text),
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
