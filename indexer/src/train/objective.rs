//! The loss of a batch: InfoNCE between texts and photos, also of mixed pairs, and what keeps photos with their kin.

use candle_core::{Device, Tensor};
use rand::{Rng, rngs::SmallRng, seq::SliceRandom};
use rand_distr::{Beta, Distribution};

use super::loss::{info_nce, neighbourhood, same_label, towards};
use super::{Pairs, Recipe, TrainError};
use crate::space::heads::{Heads, View};
use crate::space::tower::{Parameters, forward, unit};

/// Temperature of the encoder's own neighbourhoods, which are what a training without labels keeps.
pub(super) const TEACHER_TEMPERATURE: f64 = 0.05;
/// Largest scale, that is smallest temperature 0.01, as in CLIP.
pub(super) const MAX_SCALE: f64 = 100.0;

/// The pairs of a training, standardised.
pub(super) struct Objective<'a> {
    recipe: &'a Recipe,
    text: Tensor,
    photo: Tensor,
    /// Unit features of the photos.
    teacher: Tensor,
    labels: Option<&'a [u32]>,
    /// Hidden units of the text and the photo tower.
    hidden: [usize; 2],
}

/// What a step looks at.
pub(super) struct Batch {
    text: Tensor,
    photo: Tensor,
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
    /// Over `pairs` for towers like those of `heads`.
    pub fn new(recipe: &'a Recipe, heads: &Heads, pairs: &'a Pairs) -> Result<Self, TrainError> {
        let (text, photo) = (heads.tower(View::Text)?, heads.tower(View::Photo)?);
        let widths = [
            ("text", pairs.text.dim(1)?, text.shape().input),
            ("photo", pairs.photo.dim(1)?, photo.shape().input),
        ];
        for (kind, found, wanted) in widths {
            if found != wanted {
                let reason = format!("{found} features of {kind}, the heads take {wanted}");
                return Err(TrainError::Features(reason));
            }
        }
        Ok(Self {
            recipe,
            text: text.standardise().apply(&pairs.text)?,
            photo: photo.standardise().apply(&pairs.photo)?,
            teacher: unit(&pairs.photo)?,
            labels: pairs.has_labels().then_some(pairs.labels.as_slice()),
            hidden: [text.shape().hidden, photo.shape().hidden],
        })
    }

    /// The loss `[]` of a batch.
    pub fn loss(&self, parameters: &Parameters, batch: &Batch) -> Result<Tensor, TrainError> {
        let text = tower(parameters, "text.");
        let photo = tower(parameters, "photo.");
        let scale = parameters["scale"].exp()?.minimum(MAX_SCALE)?;
        let t = forward(&text, &batch.text, batch.masks[0].as_ref())?;
        let p = forward(&photo, &batch.photo, batch.masks[1].as_ref())?;
        let mut loss = info_nce(&t, &p, &scale)?;
        if let Some(Mix { share, partners }) = &batch.mix {
            let mixed = |x: &Tensor| -> Result<Tensor, TrainError> {
                let others = x.index_select(partners, 0)?;
                Ok(((x * *share)? + (others * (1.0 - share))?)?)
            };
            let mt = forward(&text, &mixed(&batch.text)?, batch.masks[0].as_ref())?;
            let mp = forward(&photo, &mixed(&batch.photo)?, batch.masks[1].as_ref())?;
            // Mixed texts look for clean photos, mixed photos for clean texts: each for both of its parts.
            let own = (info_nce(&mt, &p, &scale)? + info_nce(&mp, &t, &scale)?)?;
            let other =
                (towards(&mt, &p, &scale, partners)? + towards(&mp, &t, &scale, partners)?)?;
            loss = (loss + ((own * (share / 2.0))? + (other * ((1.0 - share) / 2.0))?)?)?;
        }
        let recipe = self.recipe;
        match &batch.labels {
            Some(labels) if recipe.label_weight > 0.0 => {
                if let Some(kin) = same_label(&p, labels, recipe.label_temperature)? {
                    loss = (loss + (kin * recipe.label_weight)?)?;
                }
            }
            None if recipe.neighbour_weight > 0.0 && batch.text.dim(0)? > 2 => {
                let kept = neighbourhood(
                    &p,
                    recipe.label_temperature,
                    &batch.teacher,
                    TEACHER_TEMPERATURE,
                )?;
                loss = (loss + (kept * recipe.neighbour_weight)?)?;
            }
            Some(_) | None => {}
        }
        Ok(loss)
    }
}

impl Batch {
    /// Rows of an objective with all that is random about a step.
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
        let (text, photo) = (dropped(&from.text)?, dropped(&from.photo)?);
        let masks = [
            mask(recipe.dropout, (n, from.hidden[0]), rng)?,
            mask(recipe.dropout, (n, from.hidden[1]), rng)?,
        ];
        Ok(Self {
            text,
            photo,
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

/// The parameters whose names begin with `prefix`, without it.
pub(super) fn tower(parameters: &Parameters, prefix: &str) -> Parameters {
    let own = parameters.iter();
    own.filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())))
        .collect()
}

/// Inverted dropout: 0 with probability `rate`, else 1 / (1 - rate); `None` where nothing is dropped.
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
