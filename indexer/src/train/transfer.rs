//! What a target may take from a source: nothing, its layers as they are, its weights as a start, or its data too.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::session::{Session, Trained, TrainingSet};
use super::{Checkpoint, CoPurchases, Epoch, Pairs, Recipe, TrainError};
use crate::encode::ModelError;
use crate::space::heads::{Heads, View};
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
    /// The source; used by [`Transfer::Finetune`].
    pub source: TrainingSet<'a>,
    /// The target.
    pub target: TrainingSet<'a>,
    /// Of the target, held out: what the epoch is chosen by.
    pub held_out: TrainingSet<'a>,
}

/// Fresh heads trained on `from` alone, with a tower for each view that items of it have.
///
/// # Errors
/// See [`Session::run`].
pub fn train_fresh<'a>(
    encoders: &str,
    recipe: &Recipe,
    from: impl Into<TrainingSet<'a>>,
    held_out: impl Into<TrainingSet<'a>>,
    checkpoint: Option<&Checkpoint>,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<Trained, TrainError> {
    let from = from.into();
    let start = fresh(encoders, recipe, from)?;
    let recipe = recipe.for_pairs(from.size());
    let session = Session {
        recipe: &recipe,
        start: &start,
        from,
        joint: None,
        held_out: held_out.into(),
        anchored: false,
    };
    session.run(checkpoint, progress)
}

/// Random heads in the shape that `recipe` asks for, with a tower for each view there is.
fn fresh(encoders: &str, recipe: &Recipe, from: TrainingSet) -> Result<Heads, TrainError> {
    let mut features: BTreeMap<View, Tensor> = BTreeMap::new();
    if let Some(bought) = from.co_purchases {
        features.extend(bought.features()?);
    }
    if let Some(pairs) = from.pairs {
        features.insert(View::Text, pairs.text.clone());
        features.insert(View::Photo, pairs.photo.clone());
    }
    let mut towers = BTreeMap::new();
    for (view, features) in &features {
        let input = features.dim(1)?;
        let shape = TowerShape {
            input,
            hidden: match view {
                View::Text => recipe.text_hidden,
                View::Photo => recipe.photo_hidden,
                View::Behavior => recipe.behavior_hidden,
            },
            shortcut: recipe.shortcut,
            output: recipe.dim,
        };
        let standardise = match recipe.standardise {
            true => Standardise::of(features)?,
            false => Standardise::none(input),
        };
        towers.insert(*view, (shape, standardise));
    }
    let mut heads = Heads::fresh(encoders, towers, recipe.seed)?;
    if let Some(bought) = from.co_purchases {
        heads.behavior = bought.behavior().clone();
    }
    Ok(heads)
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
    let recipe = recipe.for_transfer(domains.target.size());
    let mut session = Session {
        recipe: &recipe,
        start: domains.source_heads,
        from: domains.target,
        joint: None,
        held_out: domains.held_out,
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

/// What is learned from, as the source's heads have it.
#[derive(Default)]
struct Above {
    pairs: Option<Pairs>,
    co_purchases: Option<CoPurchases>,
}

impl Above {
    fn of(heads: &Heads, set: TrainingSet) -> Result<Self, TrainError> {
        let pairs = set.pairs.map(|pairs| {
            Ok::<_, TrainError>(Pairs {
                ids: pairs.ids.clone(),
                text: heads.embed(View::Text, &pairs.text)?,
                photo: heads.embed(View::Photo, &pairs.photo)?,
                labels: pairs.labels.clone(),
                untrained: pairs.untrained.clone(),
            })
        });
        let bought = set.co_purchases.map(|bought| bought.above(heads));
        Ok(Self {
            pairs: pairs.transpose()?,
            co_purchases: bought.transpose()?,
        })
    }

    fn set(&self) -> TrainingSet<'_> {
        TrainingSet {
            pairs: self.pairs.as_ref(),
            co_purchases: self.co_purchases.as_ref(),
        }
    }
}

/// Trains a linear map, at first the identity, on what the source's heads give, and folds it into their last layer.
fn feature(session: Session, progress: &mut dyn FnMut(&Epoch)) -> Result<Trained, TrainError> {
    let source = session.start;
    let from = Above::of(source, session.from)?;
    let held_out = Above::of(source, session.held_out)?;
    let start = source.map(|_, tower| identity(tower.shape().output))?;
    let trained = Session {
        start: &start,
        from: from.set(),
        held_out: held_out.set(),
        ..session
    }
    .run(None, progress)?;
    Ok(Trained {
        heads: source.map(|view, below| fold(below, trained.heads.tower(view)?))?,
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
