//! The engine's [`Embedder`] over the models of a folder: encoders, and on top of them heads where some were
//! trained, else what reaches the shared space without training.

mod find;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::image::RgbImage;
use vitrine::{EmbedError, Embedder, Embedding, ImageBytes};

use super::conse::{Conse, PARAMS};
use super::heads::{self, Heads, View};
use super::multiscale;
use super::selection::Selection;
use super::words;
use crate::encode::architecture::{Architecture, Takes};
use crate::encode::bert::{Bert, Role, sentence};
use crate::encode::cnn::Cnn;
use crate::encode::efficientnet_lite::{CLASSES, EfficientNetLite, FEATURES};
use crate::encode::joint::{self, Joint};
use crate::encode::{ModelError, Precision, batch, normalise, weights};
use crate::image::{ImageLimits, decode};

/// Files that decide what comes out, where a model has them.
const FILES: [&str; 13] = [
    "config.json",
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "modules.json",
    "model.safetensors",
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "classes.json",
    "preprocessor_config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
];

enum Kind {
    /// A text model, a photo network, and ConSE between them where the names of its classes are known.
    Separate {
        text: Box<Bert>,
        image: Image,
        conse: Option<Conse>,
    },
    /// One model for both.
    Joint(Box<dyn Joint>),
}

enum Image {
    /// Shows its feature maps: heads learn from all of them.
    Lite(Box<EfficientNetLite>),
    /// Of timm.
    Cnn(Box<Cnn>),
}

impl Image {
    fn load(dir: &Path) -> Result<Self, ModelError> {
        Ok(match takes(dir, Takes::Image)? {
            Architecture::Cnn(_) => Self::Cnn(Box::new(Cnn::load(dir)?)),
            _ => Self::Lite(Box::new(EfficientNetLite::load(dir)?)),
        })
    }

    fn dim(&self) -> usize {
        match self {
            Self::Lite(_) => FEATURES,
            Self::Cnn(model) => model.dim(),
        }
    }

    fn classes(&self) -> usize {
        match self {
            Self::Lite(_) => CLASSES,
            Self::Cnn(model) => model.classes(),
        }
    }

    /// Length of what heads take.
    fn features(&self) -> usize {
        match self {
            Self::Lite(_) => multiscale::width(),
            Self::Cnn(model) => model.dim(),
        }
    }

    /// Pooled features, class logits, and what heads take, which is empty where nobody asks for it.
    fn see(&self, photo: &RgbImage, for_heads: bool) -> Result<[Vec<f32>; 3], ModelError> {
        match self {
            Self::Lite(model) if for_heads => {
                let (output, features) = multiscale::features(model, photo)?;
                Ok([output.features, output.logits, features])
            }
            Self::Lite(model) => {
                let output = model.forward(photo)?;
                Ok([output.features, output.logits, Vec::new()])
            }
            Self::Cnn(model) => {
                let output = model.forward(photo)?;
                let features = output.features.clone();
                Ok([output.features, output.logits, features])
            }
        }
    }
}

/// Which heads go on top of the encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// Those in use, see [`heads::active`].
    Active,
    /// None: the space without training.
    None,
    /// Those of this name.
    Named(&'a str),
}

/// The encoders of a models folder.
pub struct Encoders {
    kind: Arc<Kind>,
    name: String,
    heads: Option<Heads>,
    base_fingerprint: String,
    fingerprint: String,
    dims: BTreeMap<String, usize>,
    limits: ImageLimits,
}

/// Features of a photo for heads `[photo_width]`, and its unit vector in the shared space without them.
pub type PhotoFeatures = (Vec<f32>, Vec<f32>);

/// What the encoders say of one photo.
struct Seen {
    /// Unit vector of the space `image`.
    image: Vec<f32>,
    /// Unit vector of the space `shared` without heads; `None`: it takes heads to get there.
    shared: Option<Vec<f32>>,
    /// What heads take.
    features: Vec<f32>,
}

impl Encoders {
    /// Loads the encoders in use of `models_dir`, see [`Selection`], and the heads in use. `precision` is that of a model
    /// for texts alone; others are always f32.
    ///
    /// # Errors
    /// A file is missing (its name is told) or does not fit.
    pub fn load(models_dir: &Path, precision: Precision) -> Result<Self, ModelError> {
        Self::load_with(models_dir, precision, Choice::Active)
    }

    /// [`Encoders::load`] with other heads than those in use.
    ///
    /// # Errors
    /// As [`Encoders::load`].
    pub fn load_with(
        models_dir: &Path,
        precision: Precision,
        choice: Choice,
    ) -> Result<Self, ModelError> {
        let selection = Selection::load(models_dir)?;
        let encoders = Self::load_base(models_dir, &selection, precision)?;
        let name = match choice {
            Choice::None => None,
            Choice::Named(name) => Some(name.to_owned()),
            Choice::Active => heads::active(models_dir)?,
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
            let architecture = takes(&dir, Takes::Joint)?;
            let loaded = joint::load(&dir, architecture)?;
            let model = loaded.ok_or(ModelError::Missing(dir.clone()))?;
            let dims = [("shared", model.dim()), ("image", model.dim())];
            let fingerprint = fingerprint(&[dir], model.params())?;
            return Ok(Self::new(Kind::Joint(model), &name, fingerprint, &dims));
        }
        let (text_dir, name) = selection.text(models_dir);
        let dirs = [text_dir, selection.image(models_dir).0];
        takes(&dirs[0], Takes::Text)?;
        let text = Bert::load(&dirs[0], precision, selection.prefixes.clone())?;
        let image = Image::load(&dirs[1])?;
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
        let fingerprint = fingerprint(&dirs, &params)?;
        let conse =
            names.map(|path| Conse::load(&path, &dirs[1], &text, &fingerprint, image.classes()));
        let dims = [
            ("shared", text.dim()),
            ("text", text.dim()),
            ("image", image.dim()),
        ];
        let kind = Kind::Separate {
            text: Box::new(text),
            conse: conse.transpose()?,
            image,
        };
        Ok(Self::new(kind, &name, fingerprint, &dims))
    }

    fn new(kind: Kind, name: &str, fingerprint: String, dims: &[(&str, usize)]) -> Self {
        let dims = dims
            .iter()
            .map(|(space, dim)| ((*space).to_owned(), *dim))
            .collect();
        Self {
            kind: Arc::new(kind),
            name: name.to_owned(),
            heads: None,
            base_fingerprint: fingerprint.clone(),
            fingerprint,
            dims,
            limits: ImageLimits::default(),
        }
    }

    /// Puts `heads` on top. They decide the space `shared`, so the fingerprint is another one.
    ///
    /// # Errors
    /// They take other features than these encoders give.
    pub fn with_heads(mut self, heads: Heads) -> Result<Self, ModelError> {
        // What is searched for comes as text.
        heads.tower(View::Text)?;
        for (view, tower) in &heads.towers {
            let (wanted, name) = (tower.shape().input, view.name());
            let given = match view {
                View::Text => self.text_width(),
                View::Photo => self.photo_width(),
                View::Behavior => heads.behavior.width(),
            };
            if wanted != given {
                let reason =
                    format!("the heads take {wanted} features of {name}, {given} are given");
                return Err(ModelError::Compute(reason));
            }
        }
        let mut all = blake3::Hasher::new();
        all.update(self.base_fingerprint.as_bytes());
        all.update(heads.digest()?.as_bytes());
        self.fingerprint = all.finalize().to_hex().to_string();
        self.dims.insert("shared".to_owned(), heads.dim());
        self.heads = Some(heads);
        Ok(self)
    }

    /// Fingerprint of the encoders without heads: heads trained on them fit them and no others.
    pub fn base_fingerprint(&self) -> &str {
        &self.base_fingerprint
    }

    /// Length of [`Encoders::text_features`].
    pub fn text_width(&self) -> usize {
        match &*self.kind {
            Kind::Separate { text, .. } => text.dim() + text.word_dim(),
            Kind::Joint(model) => model.dim(),
        }
    }

    /// Length of [`Encoders::photo_features`].
    pub fn photo_width(&self) -> usize {
        match &*self.kind {
            Kind::Separate { image, .. } => image.features(),
            Kind::Joint(model) => model.dim(),
        }
    }

    /// What heads take of texts: unit vectors of the text model, and beside them what [`words`] says.
    pub fn text_features(&self, texts: &[&str], role: Role) -> Vec<Result<Vec<f32>, EmbedError>> {
        match &*self.kind {
            Kind::Separate { text: model, .. } => {
                let vectors = model.encode(texts, role).into_iter().zip(texts);
                let features = vectors.map(|(vector, text)| {
                    let mut features = vector.map_err(failed)?;
                    words::append(model, text, &mut features).map_err(failed)?;
                    Ok(features)
                });
                features.collect()
            }
            Kind::Joint(model) => batch::run(texts, |text| model.text(text).map_err(failed)),
        }
    }

    /// What heads take of photos, and beside it the photos' vectors in the shared space without heads: zeros where it takes
    /// heads to get there.
    pub fn photo_features(&self, images: &[ImageBytes]) -> Vec<Result<PhotoFeatures, EmbedError>> {
        batch::run(images, |bytes| {
            let seen = self.see(bytes, true)?;
            let zeros = || vec![0.0; self.untrained_width()];
            Ok((seen.features, seen.shared.unwrap_or_else(zeros)))
        })
    }

    /// Length of a vector in the shared space without heads; a text's is the start of its features.
    pub fn untrained_width(&self) -> usize {
        match &*self.kind {
            Kind::Separate { text, .. } => text.dim(),
            Kind::Joint(model) => model.dim(),
        }
    }

    /// Sets what a photo may cost.
    #[must_use]
    pub fn with_limits(mut self, limits: ImageLimits) -> Self {
        self.limits = limits;
        self
    }

    /// What heads take is left empty where nobody asks for it.
    fn see(&self, bytes: &[u8], for_heads: bool) -> Result<Seen, EmbedError> {
        let photo = decode(bytes, &self.limits).map_err(|e| EmbedError::Input(e.to_string()))?;
        match &*self.kind {
            Kind::Separate { image, conse, .. } => {
                let seen = image.see(&photo, for_heads);
                let [mut own, logits, features] = seen.map_err(failed)?;
                normalise(&mut own);
                Ok(Seen {
                    shared: conse.as_ref().map(|conse| conse.embed(&logits)),
                    image: own,
                    features,
                })
            }
            Kind::Joint(model) => {
                let vector = model.image(&photo).map_err(failed)?;
                Ok(Seen {
                    shared: Some(vector.clone()),
                    image: vector.clone(),
                    features: vector,
                })
            }
        }
    }

    fn one_image(&self, bytes: &[u8]) -> Result<Embedding, EmbedError> {
        let Seen {
            image,
            mut shared,
            features,
        } = self.see(bytes, self.heads.is_some())?;
        if let Some(heads) = &self.heads {
            // Heads that never saw a photo have no place for one.
            let tower = heads.towers.get(&View::Photo);
            let own = tower.map(|tower| tower.embed_one(&features));
            shared = own.transpose().map_err(failed)?;
        }
        let shared = shared.map(|vector| ("shared".to_owned(), vector));
        Ok(shared
            .into_iter()
            .chain([("image".to_owned(), image)])
            .collect())
    }

    fn texts(&self, texts: &[&str], role: Role) -> Vec<Result<Embedding, EmbedError>> {
        let features = self.text_features(texts, role).into_iter();
        features.map(|r| self.one_text(r?)).collect()
    }

    /// The vectors of a text by space, of its features.
    fn one_text(&self, mut features: Vec<f32>) -> Result<Embedding, EmbedError> {
        let shared = match &self.heads {
            Some(heads) => {
                let tower = heads.tower(View::Text).map_err(failed)?;
                Some(tower.embed_one(&features).map_err(failed)?)
            }
            None => None,
        };
        features.truncate(self.untrained_width());
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

fn failed(error: ModelError) -> EmbedError {
    EmbedError::Model(error.to_string())
}

/// The architecture of the model in `dir`, which must be for `wanted`.
fn takes(dir: &Path, wanted: Takes) -> Result<Architecture, ModelError> {
    let architecture = Architecture::of(dir)?;
    let found = architecture.takes();
    if found != wanted {
        let reason = format!(
            "{} is a {} model, a {} model is wanted here",
            architecture.name(),
            found.name(),
            wanted.name()
        );
        return Err(ModelError::invalid(dir, reason));
    }
    Ok(architecture)
}

/// blake3 over the hashes of the models' files and `params`, hexadecimal.
fn fingerprint(dirs: &[PathBuf], params: &str) -> Result<String, ModelError> {
    let mut all = blake3::Hasher::new();
    all.update(params.as_bytes());
    for (at, dir) in dirs.iter().enumerate() {
        let behind = sentence::files_of_layers(dir)?;
        let names = FILES.iter().map(|name| (*name).to_owned()).chain(behind);
        for name in names {
            match weights::read(&dir.join(&name)) {
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
        self.texts(texts, Role::Document)
    }

    fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        self.texts(texts, Role::Query)
    }

    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
        batch::run(images, |bytes| self.one_image(bytes))
    }

    fn embed_behavior(&self, id: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
        let Some(heads) = &self.heads else {
            return Ok(None);
        };
        let made = heads.embed_behavior(id).map_err(failed)?;
        let of = |(weight, vector)| (weight, [("shared".to_owned(), vector)].into());
        Ok(made.map(of))
    }

    fn count_tokens(&self, text: &str) -> usize {
        match &*self.kind {
            Kind::Separate { text: model, .. } => model.count_tokens(text),
            Kind::Joint(model) => model.count_tokens(text),
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
