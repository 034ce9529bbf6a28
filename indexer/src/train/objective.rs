//! The loss of pairs of text and image: InfoNCE, also of mixed pairs, and a loss that keeps images
//! of the same class, or of the same neighborhood, together.

use candle_core::{Device, Tensor};
use rand::{Rng, rngs::SmallRng, seq::SliceRandom};
use rand_distr::{Beta, Distribution};

use super::loss::{info_nce, info_nce_with, neighborhood, same_label};
use super::{Pairs, Recipe, TrainError};
use crate::space::heads::{Heads, Modality};
use crate::space::tower::{Parameters, forward, unit};

/// Temperature of the encoder's neighborhoods, which a training without labels preserves.
pub(super) const TEACHER_TEMPERATURE: f64 = 0.05;
/// Maximum scale, which is a minimum temperature of 0.01, as in CLIP.
pub(super) const MAX_SCALE: f64 = 100.0;

/// The loss over pairs, with standardized features.
pub(super) struct Objective<'a> {
    recipe: &'a Recipe,
    text: Tensor,
    image: Tensor,
    /// Unit features of the images, whose neighborhoods are preserved.
    teacher: Tensor,
    labels: Option<&'a [u32]>,
    /// Number of hidden units of the text and the image tower.
    hidden: [usize; 2],
}

/// Inputs of one step.
pub(super) struct Batch {
    text: Tensor,
    image: Tensor,
    teacher: Tensor,
    labels: Option<Vec<u32>>,
    masks: [Option<Tensor>; 2],
    mix: Option<Mix>,
}

/// Pairs mixed with others of the batch.
struct Mix {
    share: f64,
    partners: Tensor,
}

impl<'a> Objective<'a> {
    /// Returns the loss over `pairs` for towers like those of `heads`.
    pub fn new(recipe: &'a Recipe, heads: &Heads, pairs: &'a Pairs) -> Result<Self, TrainError> {
        let (text, image) = (heads.tower(Modality::Text)?, heads.tower(Modality::Image)?);
        let widths = [
            ("text", pairs.text.dim(1)?, text.shape().input),
            ("image", pairs.image.dim(1)?, image.shape().input),
        ];
        for (name, width, expected) in widths {
            if width != expected {
                let reason = format!("the heads expect {expected} features of {name}, got {width}");
                return Err(TrainError::Features(reason));
            }
        }
        Ok(Self {
            recipe,
            text: text.standardize().apply(&pairs.text)?,
            image: image.standardize().apply(&pairs.image)?,
            teacher: unit(&pairs.image)?,
            labels: pairs.has_labels().then_some(pairs.labels.as_slice()),
            hidden: [text.shape().hidden, image.shape().hidden],
        })
    }

    /// Returns the loss `[]` of a batch.
    pub fn loss(&self, parameters: &Parameters, batch: &Batch) -> Result<Tensor, TrainError> {
        let text = tower(parameters, &format!("{}.", Modality::Text.name()));
        let image = tower(parameters, &format!("{}.", Modality::Image.name()));
        let scale = parameters["scale"].exp()?.minimum(MAX_SCALE)?;
        let t = forward(&text, &batch.text, batch.masks[0].as_ref())?;
        let p = forward(&image, &batch.image, batch.masks[1].as_ref())?;
        let mut loss = info_nce(&t, &p, &scale)?;
        if let Some(Mix { share, partners }) = &batch.mix {
            let mixed = |x: &Tensor| -> Result<Tensor, TrainError> {
                let others = x.index_select(partners, 0)?;
                Ok(((x * *share)? + (others * (1.0 - share))?)?)
            };
            let mt = forward(&text, &mixed(&batch.text)?, batch.masks[0].as_ref())?;
            let mp = forward(&image, &mixed(&batch.image)?, batch.masks[1].as_ref())?;
            // Mixed texts are matched with clean images and mixed images with clean texts: each
            // with both of its components.
            let first = (info_nce(&mt, &p, &scale)? + info_nce(&mp, &t, &scale)?)?;
            let second = (info_nce_with(&mt, &p, &scale, partners)?
                + info_nce_with(&mp, &t, &scale, partners)?)?;
            loss = (loss + ((first * (share / 2.0))? + (second * ((1.0 - share) / 2.0))?)?)?;
        }
        let recipe = self.recipe;
        match &batch.labels {
            Some(labels) if recipe.label_weight > 0.0 => {
                if let Some(same) = same_label(&p, labels, recipe.label_temperature)? {
                    loss = (loss + (same * recipe.label_weight)?)?;
                }
            }
            None if recipe.neighbor_weight > 0.0 && batch.text.dim(0)? > 2 => {
                let kept = neighborhood(
                    &p,
                    recipe.label_temperature,
                    &batch.teacher,
                    TEACHER_TEMPERATURE,
                )?;
                loss = (loss + (kept * recipe.neighbor_weight)?)?;
            }
            Some(_) | None => {}
        }
        Ok(loss)
    }
}

impl Batch {
    /// Returns rows of an objective with the random choices of a step.
    pub fn draw(
        rows: &[usize],
        recipe: &Recipe,
        from: &Objective,
        rng: &mut SmallRng,
    ) -> Result<Self, TrainError> {
        let n = rows.len();
        let index: Vec<u32> = rows.iter().map(|r| *r as u32).collect();
        let index = Tensor::new(index, &Device::Cpu)?;
        let mut dropped = |x: &Tensor| -> Result<Tensor, TrainError> {
            let x = x.index_select(&index, 0)?;
            Ok(match mask(recipe.feature_dropout, x.dims2()?, rng)? {
                Some(mask) => (x * mask)?,
                None => x,
            })
        };
        let (text, image) = (dropped(&from.text)?, dropped(&from.image)?);
        let masks = [
            mask(recipe.dropout, (n, from.hidden[0]), rng)?,
            mask(recipe.dropout, (n, from.hidden[1]), rng)?,
        ];
        Ok(Self {
            text,
            image,
            teacher: from.teacher.index_select(&index, 0)?,
            labels: from
                .labels
                .map(|labels| rows.iter().map(|r| labels[*r]).collect()),
            masks,
            mix: Mix::draw(recipe.mixup, n, rng)?,
        })
    }
}

impl Mix {
    fn draw(alpha: f32, n: usize, rng: &mut SmallRng) -> Result<Option<Self>, TrainError> {
        if alpha <= 0.0 || n < 2 {
            return Ok(None);
        }
        let beta = Beta::new(f64::from(alpha), f64::from(alpha))
            .map_err(|e| TrainError::Recipe(format!("mixup: {e}")))?;
        let mut partners: Vec<u32> = (0..n as u32).collect();
        partners.shuffle(rng);
        Ok(Some(Self {
            share: beta.sample(rng),
            partners: Tensor::new(partners, &Device::Cpu)?,
        }))
    }
}

/// Returns the parameters whose names begin with `prefix`, named without it.
pub(super) fn tower(parameters: &Parameters, prefix: &str) -> Parameters {
    let all = parameters.iter();
    all.filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())))
        .collect()
}

/// Returns a mask of inverted dropout: 0 with probability `rate`, else 1 / (1 - rate); `None`
/// without dropout.
pub(super) fn mask(
    rate: f32,
    (rows, width): (usize, usize),
    rng: &mut SmallRng,
) -> Result<Option<Tensor>, TrainError> {
    if rate <= 0.0 || width == 0 {
        return Ok(None);
    }
    let keep = 1.0 / (1.0 - rate);
    let draw = |_| {
        if rng.random::<f32>() < rate {
            0.0
        } else {
            keep
        }
    };
    let values: Vec<f32> = (0..rows * width).map(draw).collect();
    Ok(Some(Tensor::from_vec(values, (rows, width), &Device::Cpu)?))
}
