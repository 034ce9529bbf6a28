//! Transfer of knowledge from a source to a target: nothing, the layers unchanged, the weights as a
//! start, or the data too.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::{
    Checkpoint, CoPurchases, Epoch, Pairs, Recipe, TrainError, Trained, Trainer, TrainingSet,
};
use crate::encode::ModelError;
use crate::space::heads::{Heads, Modality};
use crate::space::tower::{Parameters, Standardize, Tower, TowerShape};

/// Method of a transfer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// The source's heads are frozen, and a new last layer above them is trained on the target.
    Feature,
    /// Training on the target starts from the source's heads; weight decay pulls toward them.
    Model,
    /// As `Model`, with the source's data too: L = L_s + lambda * L_t.
    Finetune,
}

/// Source and target of a transfer.
pub struct Domains<'a> {
    /// Heads trained on the source.
    pub source_heads: &'a Heads,
    /// Data of the source; used by [`Transfer::Finetune`].
    pub source: TrainingSet<'a>,
    /// Training data of the target.
    pub target: TrainingSet<'a>,
    /// Data of the target that selects the best epoch.
    pub held_out: TrainingSet<'a>,
}

/// Trains random heads on `from` alone, with a tower for each modality of its items.
///
/// # Errors
/// See [`Trainer::run`].
pub fn train_fresh<'a>(
    encoders: &str,
    recipe: &Recipe,
    from: impl Into<TrainingSet<'a>>,
    held_out: impl Into<TrainingSet<'a>>,
    checkpoint: Option<&Checkpoint>,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<Trained, TrainError> {
    let from = from.into();
    let start = random_heads(encoders, recipe, from)?;
    let recipe = recipe.for_pairs(from.size());
    let trainer = Trainer {
        recipe: &recipe,
        start: &start,
        from,
        joint: None,
        held_out: held_out.into(),
        anchored: false,
    };
    trainer.run(checkpoint, progress)
}

/// Returns random heads of the shape given by `recipe`, with a tower for each modality of `from`.
fn random_heads(encoders: &str, recipe: &Recipe, from: TrainingSet) -> Result<Heads, TrainError> {
    let mut features: BTreeMap<Modality, Tensor> = BTreeMap::new();
    if let Some(co_purchases) = from.co_purchases {
        features.extend(co_purchases.features()?);
    }
    if let Some(pairs) = from.pairs {
        features.insert(Modality::Text, pairs.text.clone());
        features.insert(Modality::Image, pairs.image.clone());
    }
    let mut towers = BTreeMap::new();
    for (modality, features) in &features {
        let input = features.dim(1)?;
        let shape = recipe.tower_shape(*modality, input);
        let standardize = if recipe.standardize {
            Standardize::of(features)?
        } else {
            Standardize::none(input)
        };
        towers.insert(*modality, (shape, standardize));
    }
    let mut heads = Heads::random(encoders, towers, recipe.seed)?;
    if let Some(co_purchases) = from.co_purchases {
        heads.behavior = co_purchases.behavior().clone();
    }
    Ok(heads)
}

/// Trains heads for the target.
///
/// # Errors
/// See [`Trainer::run`].
pub fn transfer(
    method: Transfer,
    domains: &Domains,
    recipe: &Recipe,
    lambda: f64,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<Trained, TrainError> {
    let recipe = recipe.for_transfer(domains.target.size());
    let mut trainer = Trainer {
        recipe: &recipe,
        start: domains.source_heads,
        from: domains.target,
        joint: None,
        held_out: domains.held_out,
        anchored: true,
    };
    match method {
        Transfer::Feature => train_last_layer(trainer, progress),
        Transfer::Model => trainer.run(None, progress),
        Transfer::Finetune => {
            let recipe = recipe.for_joint();
            trainer.recipe = &recipe;
            trainer.joint = Some((domains.source, lambda));
            trainer.run(None, progress)
        }
    }
}

/// A training set whose features are embedded by the source's heads.
#[derive(Default)]
struct Embedded {
    pairs: Option<Pairs>,
    co_purchases: Option<CoPurchases>,
}

impl Embedded {
    fn of(heads: &Heads, set: TrainingSet) -> Result<Self, TrainError> {
        let pairs = set.pairs.map(|pairs| {
            Ok::<_, TrainError>(Pairs {
                ids: pairs.ids.clone(),
                text: heads.embed(Modality::Text, &pairs.text)?,
                image: heads.embed(Modality::Image, &pairs.image)?,
                labels: pairs.labels.clone(),
                untrained: pairs.untrained.clone(),
            })
        });
        let co_purchases = set.co_purchases.map(|all| all.embedded(heads));
        Ok(Self {
            pairs: pairs.transpose()?,
            co_purchases: co_purchases.transpose()?,
        })
    }

    fn set(&self) -> TrainingSet<'_> {
        TrainingSet {
            pairs: self.pairs.as_ref(),
            co_purchases: self.co_purchases.as_ref(),
        }
    }
}

/// Trains a linear map, initially the identity, above the source's heads, and folds it into their
/// last layer.
fn train_last_layer(
    trainer: Trainer,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<Trained, TrainError> {
    let source = trainer.start;
    let from = Embedded::of(source, trainer.from)?;
    let held_out = Embedded::of(source, trainer.held_out)?;
    let start = source.map(|_, tower| identity(tower.shape().output))?;
    let trained = Trainer {
        start: &start,
        from: from.set(),
        held_out: held_out.set(),
        ..trainer
    }
    .run(None, progress)?;
    Ok(Trained {
        heads: source.map(|modality, below| fold(below, trained.heads.tower(modality)?))?,
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
    // No bias: the output below is scaled to unit length, so a bias could not be folded.
    let parameters = Parameters::from([("linear.weight".to_owned(), eye)]);
    Ok(Tower::new(shape, Standardize::none(dim), parameters))
}

/// Returns one tower that is equivalent to `below` followed by the linear `above`.
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
        below.standardize().clone(),
        parameters,
    ))
}
