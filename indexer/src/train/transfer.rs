//! What a target may take from a source: nothing, its layers as they are, its weights as a start, or its data too.

use candle_core::{Device, Tensor};

use super::session::{LEAST_HELD_OUT, Session, Trained};
use super::{Checkpoint, Epoch, Pairs, Recipe, TrainError};
use crate::encode::ModelError;
use crate::space::heads::Heads;
use crate::space::tower::{Parameters, Standardise, Tower, TowerShape};

/// How knowledge is carried over.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// The source's heads stay as they are, a new last layer above them is trained on the target.
    Feature,
    /// The source's heads are where training on the target starts; weight decay pulls back to them.
    Model,
    /// As `model`, with the source's pairs too: L = L_s + lambda * L_t.
    Finetune,
}

/// Source and target.
pub struct Domains<'a> {
    /// Heads trained on the source.
    pub source_heads: &'a Heads,
    /// Pairs of the source; used by [`Transfer::Finetune`].
    pub source: &'a Pairs,
    /// Pairs of the target.
    pub target: &'a Pairs,
    /// Held-out pairs of the target that the epoch is chosen by.
    pub held_out: Option<&'a Pairs>,
}

/// Fresh heads trained on `pairs` alone.
///
/// # Errors
/// See [`Session::run`].
pub fn train_fresh(
    encoders: &str,
    recipe: &Recipe,
    pairs: &Pairs,
    held_out: Option<&Pairs>,
    checkpoint: Option<&Checkpoint>,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<Trained, TrainError> {
    let start = fresh(encoders, recipe, pairs)?;
    let recipe = recipe.for_pairs(pairs.len());
    let session = Session {
        recipe: &recipe,
        start: &start,
        pairs,
        joint: None,
        held_out,
        anchored: false,
    };
    session.run(checkpoint, progress)
}

/// Random heads in the shape that `recipe` asks for.
fn fresh(encoders: &str, recipe: &Recipe, pairs: &Pairs) -> Result<Heads, TrainError> {
    let tower = |features: &Tensor, hidden: usize| -> Result<_, TrainError> {
        let input = features.dim(1)?;
        let shape = TowerShape {
            input,
            hidden,
            shortcut: recipe.shortcut,
            output: recipe.dim,
        };
        let standardise = if recipe.standardise {
            Standardise::of(features)?
        } else {
            Standardise::none(input)
        };
        Ok((shape, standardise))
    };
    let text = tower(&pairs.text, recipe.text_hidden)?;
    let photo = tower(&pairs.photo, recipe.photo_hidden)?;
    Ok(Heads::fresh(encoders, text, photo, recipe.seed)?)
}

/// Heads for the target.
///
/// # Errors
/// See [`Session::run`].
pub fn transfer(
    how: Transfer,
    domains: &Domains,
    recipe: &Recipe,
    lambda: f64,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<Trained, TrainError> {
    let recipe = recipe.for_transfer(domains.target.len());
    let mut session = Session {
        recipe: &recipe,
        start: domains.source_heads,
        pairs: domains.target,
        joint: None,
        held_out: domains.held_out.filter(|h| h.len() >= LEAST_HELD_OUT),
        anchored: true,
    };
    match how {
        Transfer::Feature => feature(session, progress),
        Transfer::Model => session.run(None, progress),
        Transfer::Finetune => {
            let recipe = recipe.for_joint();
            session.recipe = &recipe;
            session.joint = Some((domains.source, lambda));
            session.run(None, progress)
        }
    }
}

/// Trains a linear map, at first the identity, on what the source's heads give, and folds it into their last layer.
fn feature(session: Session, progress: &mut dyn FnMut(&Epoch)) -> Result<Trained, TrainError> {
    let source = session.start;
    let above = |pairs: &Pairs| -> Result<Pairs, TrainError> {
        Ok(Pairs {
            ids: pairs.ids.clone(),
            text: source.text.embed(&pairs.text)?,
            photo: source.photo.embed(&pairs.photo)?,
            labels: pairs.labels.clone(),
            untrained: pairs.untrained.clone(),
        })
    };
    let pairs = above(session.pairs)?;
    let held_out = session.held_out.map(above).transpose()?;
    let start = Heads {
        text: identity(source.dim())?,
        photo: identity(source.dim())?,
        encoders: source.encoders.clone(),
    };
    let trained = Session {
        start: &start,
        pairs: &pairs,
        held_out: held_out.as_ref(),
        ..session
    }
    .run(None, progress)?;
    Ok(Trained {
        heads: Heads {
            text: fold(&source.text, &trained.heads.text)?,
            photo: fold(&source.photo, &trained.heads.photo)?,
            encoders: start.encoders,
        },
        ..trained
    })
}

fn identity(dim: usize) -> Result<Tower, ModelError> {
    let shape = TowerShape {
        input: dim,
        hidden: 0,
        shortcut: false,
        output: dim,
    };
    let eye = Tensor::eye(dim, candle_core::DType::F32, &Device::Cpu)?;
    // No bias: what is below loses its length to `unit`, so a bias could not be folded.
    let parameters = Parameters::from([("linear.weight".to_owned(), eye)]);
    Ok(Tower::new(shape, Standardise::none(dim), parameters))
}

/// One tower that does what `below` and then the linear `above` do.
fn fold(below: &Tower, above: &Tower) -> Result<Tower, ModelError> {
    let map = &above.parameters()["linear.weight"];
    let mut parameters = below.parameters().clone();
    for (name, tensor) in &mut parameters {
        match name.as_str() {
            "output.weight" | "linear.weight" => *tensor = map.matmul(tensor)?,
            "output.bias" => *tensor = map.matmul(&tensor.unsqueeze(1)?)?.squeeze(1)?,
            _ => {}
        }
    }
    Ok(Tower::new(
        below.shape().clone(),
        below.standardise().clone(),
        parameters,
    ))
}
