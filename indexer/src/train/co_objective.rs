//! The loss of items that the same users chose: InfoNCE between modalities of the two items.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use rand::{Rng, rngs::SmallRng};

use super::co_purchases::{CoPurchase, CoPurchases};
use super::loss::{EXCLUDED_LOGIT, info_nce_among, neighborhood};
use super::objective::{MAX_SCALE, TEACHER_TEMPERATURE, mask, tower};
use super::{Recipe, TrainError};
use crate::space::heads::{Heads, Modality};
use crate::space::tower::{Parameters, forward, unit};

/// Name of the scale among the parameters: behavior is noisier than pairs of text and image, so it
/// has its own scale.
pub(super) const SCALE: &str = "scale.co_purchases";

/// The loss over co-purchases, with standardized features.
pub(super) struct CoObjective<'a> {
    recipe: &'a Recipe,
    from: &'a CoPurchases,
    features: BTreeMap<Modality, Tensor>,
    hidden: BTreeMap<Modality, usize>,
    /// Unit features of texts, if their neighborhoods are to be preserved.
    teacher: Option<Tensor>,
}

impl<'a> CoObjective<'a> {
    /// Returns the loss for towers like those of `heads`. `keeps_text` preserves the encoder's
    /// neighborhoods of texts, for trainings without pairs of text and image.
    pub fn new(
        recipe: &'a Recipe,
        heads: &Heads,
        from: &'a CoPurchases,
        keeps_text: bool,
    ) -> Result<Self, TrainError> {
        let (mut features, mut hidden) = (BTreeMap::new(), BTreeMap::new());
        for (modality, tower) in &heads.towers {
            let Some(rows) = from.rows(*modality) else {
                continue;
            };
            let (width, expected) = (rows.dim(1)?, tower.shape().input);
            if width != expected {
                let name = modality.name();
                let reason = format!("the heads expect {expected} features of {name}, got {width}");
                return Err(TrainError::Features(reason));
            }
            features.insert(*modality, tower.standardize().apply(rows)?);
            hidden.insert(*modality, tower.shape().hidden);
        }
        let texts = from.rows(Modality::Text).filter(|_| keeps_text);
        Ok(Self {
            recipe,
            from,
            features,
            hidden,
            teacher: texts.map(unit).transpose()?,
        })
    }

    /// Returns the loss `[]` of a batch of pairs. Each item is represented by one of its
    /// modalities, drawn at random (modality dropout), so that no single modality dominates the
    /// training. Items of the same user, and other occurrences of an item, are not negatives.
    pub fn loss(
        &self,
        parameters: &Parameters,
        pairs: &[CoPurchase],
        rng: &mut SmallRng,
    ) -> Result<Tensor, TrainError> {
        // An item may have no modality with a tower.
        let has_tower = |item: u32| self.modalities(item).next().is_some();
        let pairs: Vec<CoPurchase> = pairs
            .iter()
            .copied()
            .filter(|pair| has_tower(pair.left) && has_tower(pair.right))
            .collect();
        if pairs.is_empty() {
            return Ok(Tensor::new(0_f32, &Device::Cpu)?);
        }
        let left: Vec<u32> = pairs.iter().map(|pair| pair.left).collect();
        let right: Vec<u32> = pairs.iter().map(|pair| pair.right).collect();
        let (x, y) = (
            self.embed_any(parameters, &left, rng)?,
            self.embed_any(parameters, &right, rng)?,
        );
        let log_shares = |items: &[u32]| {
            let logs = items.iter().map(|item| {
                let share = self.from.share(*item).max(f64::MIN_POSITIVE);
                (self.recipe.popularity_correction * share.ln()) as f32
            });
            Tensor::from_vec(logs.collect::<Vec<f32>>(), (1, items.len()), &Device::Cpu)
        };
        let log_shares = [log_shares(&left)?, log_shares(&right)?];
        let scale = parameters[SCALE].exp()?.minimum(MAX_SCALE)?;
        let mut loss = info_nce_among(&x, &y, &scale, &negatives(&pairs)?, &log_shares)?;
        if let Some(teacher) = &self.teacher
            && self.recipe.neighbor_weight > 0.0
        {
            let texts: Vec<u32> = left
                .into_iter()
                .filter(|i| self.has(*i, Modality::Text))
                .collect();
            if texts.len() > 2 {
                let student = self.embed(parameters, Modality::Text, &texts, rng)?;
                let teacher = teacher.index_select(&Tensor::new(texts, &Device::Cpu)?, 0)?;
                let temperature = self.recipe.label_temperature;
                let kept = neighborhood(&student, temperature, &teacher, TEACHER_TEMPERATURE)?;
                loss = (loss + (kept * self.recipe.neighbor_weight)?)?;
            }
        }
        Ok(loss)
    }

    fn has(&self, item: u32, modality: Modality) -> bool {
        self.modalities(item).any(|other| other == modality)
    }

    /// Returns the modalities of an item that have a tower.
    fn modalities(&self, item: u32) -> impl Iterator<Item = Modality> {
        let all = self.from.modalities_of(item);
        all.filter(|modality| self.features.contains_key(modality))
    }

    /// Returns the unit vectors `[n, dim]` of items, each by one of its modalities.
    fn embed_any(
        &self,
        parameters: &Parameters,
        items: &[u32],
        rng: &mut SmallRng,
    ) -> Result<Tensor, TrainError> {
        let mut positions: BTreeMap<Modality, Vec<u32>> = BTreeMap::new();
        for (position, item) in (0..).zip(items) {
            let modalities: Vec<Modality> = self.modalities(*item).collect();
            let modality = modalities[rng.random_range(0..modalities.len())];
            positions.entry(modality).or_default().push(position);
        }
        let (mut blocks, mut order) = (Vec::new(), vec![0_u32; items.len()]);
        let mut row = 0;
        for (modality, positions) in &positions {
            let block: Vec<u32> = positions.iter().map(|i| items[*i as usize]).collect();
            blocks.push(self.embed(parameters, *modality, &block, rng)?);
            for position in positions {
                order[*position as usize] = row;
                row += 1;
            }
        }
        Ok(Tensor::cat(&blocks, 0)?.index_select(&Tensor::new(order, &Device::Cpu)?, 0)?)
    }

    /// Returns the unit vectors `[n, dim]` of items by one modality, with dropout.
    fn embed(
        &self,
        parameters: &Parameters,
        modality: Modality,
        items: &[u32],
        rng: &mut SmallRng,
    ) -> Result<Tensor, TrainError> {
        let features = self.features.get(&modality);
        let missing =
            || TrainError::Features(format!("heads without a tower for {}", modality.name()));
        let features = features.ok_or_else(missing)?;
        let mut x = features.index_select(&Tensor::new(items, &Device::Cpu)?, 0)?;
        if let Some(dropped) = mask(self.recipe.feature_dropout, x.dims2()?, rng)? {
            x = (x * dropped)?;
        }
        let hidden = self.hidden.get(&modality).copied().unwrap_or_default();
        let dropped = mask(self.recipe.dropout, (items.len(), hidden), rng)?;
        let tower = tower(parameters, &format!("{}.", modality.name()));
        Ok(forward(&tower, &x, dropped.as_ref())?)
    }
}

/// Returns the mask `[n, n]` added to the logits: [`EXCLUDED_LOGIT`] if the pair of column j is not
/// a negative of row i.
fn negatives(pairs: &[CoPurchase]) -> Result<Tensor, TrainError> {
    let n = pairs.len();
    let mut kept = vec![0_f32; n * n];
    for (i, pair) in pairs.iter().enumerate() {
        for (j, other) in pairs.iter().enumerate().filter(|(j, _)| *j != i) {
            let is_related = pair.user == other.user
                || pair.left == other.left
                || pair.right == other.right
                || pair.left == other.right
                || pair.right == other.left;
            if is_related {
                kept[i * n + j] = EXCLUDED_LOGIT;
            }
        }
    }
    Ok(Tensor::from_vec(kept, (n, n), &Device::Cpu)?)
}
