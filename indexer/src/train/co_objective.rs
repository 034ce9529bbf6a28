//! The loss of items that the same people chose: InfoNCE between views of the one and of the other.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use rand::{Rng, rngs::SmallRng};

use super::co_purchases::{CoPurchase, CoPurchases};
use super::loss::{NEVER, info_nce_among, neighbourhood};
use super::objective::{MAX_SCALE, TEACHER_TEMPERATURE, mask, tower};
use super::{Recipe, TrainError};
use crate::space::heads::{Heads, View};
use crate::space::tower::{Parameters, forward, unit};

/// Name of the scale among the parameters: behaviour is noisier than pairs of text and photo, so it has one of its own.
pub(super) const SCALE: &str = "scale.co_purchases";

/// Co-purchases, their features standardised.
pub(super) struct CoObjective<'a> {
    recipe: &'a Recipe,
    from: &'a CoPurchases,
    features: BTreeMap<View, Tensor>,
    hidden: BTreeMap<View, usize>,
    /// Unit features of texts, where their neighbourhoods are to be kept.
    teacher: Option<Tensor>,
}

impl<'a> CoObjective<'a> {
    /// For towers like those of `heads`. Where nothing else says what texts mean, `keeps_text` keeps their neighbourhoods as
    /// the encoder has them.
    pub fn new(
        recipe: &'a Recipe,
        heads: &Heads,
        from: &'a CoPurchases,
        keeps_text: bool,
    ) -> Result<Self, TrainError> {
        let (mut features, mut hidden) = (BTreeMap::new(), BTreeMap::new());
        for (view, tower) in &heads.towers {
            let Some(rows) = from.rows(*view) else {
                continue;
            };
            let (found, wanted) = (rows.dim(1)?, tower.shape().input);
            if found != wanted {
                let name = view.name();
                let reason = format!("{found} features of {name}, the heads take {wanted}");
                return Err(TrainError::Features(reason));
            }
            features.insert(*view, tower.standardise().apply(rows)?);
            hidden.insert(*view, tower.shape().hidden);
        }
        let texts = from.rows(View::Text).filter(|_| keeps_text);
        Ok(Self {
            recipe,
            from,
            features,
            hidden,
            teacher: texts.map(unit).transpose()?,
        })
    }

    /// The loss `[]` of a batch of pairs. Each item is seen by one of its views, by chance, so that every view learns and none
    /// leaves all to another. Items of the same person, and the same item again, are no negatives.
    pub fn loss(
        &self,
        parameters: &Parameters,
        pairs: &[CoPurchase],
        rng: &mut SmallRng,
    ) -> Result<Tensor, TrainError> {
        // An item may be known by nothing that these heads have a tower for.
        let is_seen = |item: u32| self.views(item).next().is_some();
        let pairs: Vec<CoPurchase> = pairs
            .iter()
            .copied()
            .filter(|pair| is_seen(pair.left) && is_seen(pair.right))
            .collect();
        if pairs.is_empty() {
            return Ok(Tensor::new(0_f32, &Device::Cpu)?);
        }
        let left: Vec<u32> = pairs.iter().map(|pair| pair.left).collect();
        let right: Vec<u32> = pairs.iter().map(|pair| pair.right).collect();
        let (x, y) = (
            self.see(parameters, &left, rng)?,
            self.see(parameters, &right, rng)?,
        );
        let drawn = |items: &[u32]| {
            let logs = items.iter().map(|item| {
                let share = self.from.share(*item).max(f64::MIN_POSITIVE);
                (self.recipe.popularity_correction * share.ln()) as f32
            });
            Tensor::from_vec(logs.collect::<Vec<f32>>(), (1, items.len()), &Device::Cpu)
        };
        let drawn = [drawn(&left)?, drawn(&right)?];
        let scale = parameters[SCALE].exp()?.minimum(MAX_SCALE)?;
        let mut loss = info_nce_among(&x, &y, &scale, &negatives(&pairs)?, &drawn)?;
        if let Some(teacher) = &self.teacher
            && self.recipe.neighbour_weight > 0.0
        {
            let texts: Vec<u32> = left
                .into_iter()
                .filter(|i| self.has(*i, View::Text))
                .collect();
            if texts.len() > 2 {
                let own = self.through(parameters, View::Text, &texts, rng)?;
                let teacher = teacher.index_select(&Tensor::new(texts, &Device::Cpu)?, 0)?;
                let temperature = self.recipe.label_temperature;
                let kept = neighbourhood(&own, temperature, &teacher, TEACHER_TEMPERATURE)?;
                loss = (loss + (kept * self.recipe.neighbour_weight)?)?;
            }
        }
        Ok(loss)
    }

    fn has(&self, item: u32, view: View) -> bool {
        self.views(item).any(|own| own == view)
    }

    /// The views of an item that there are towers for.
    fn views(&self, item: u32) -> impl Iterator<Item = View> {
        let own = self.from.views_of(item);
        own.filter(|view| self.features.contains_key(view))
    }

    /// Unit vectors `[n, dim]` of items, each by one of its views.
    fn see(
        &self,
        parameters: &Parameters,
        items: &[u32],
        rng: &mut SmallRng,
    ) -> Result<Tensor, TrainError> {
        let mut places: BTreeMap<View, Vec<u32>> = BTreeMap::new();
        for (place, item) in (0..).zip(items) {
            let views: Vec<View> = self.views(*item).collect();
            let view = views[rng.random_range(0..views.len())];
            places.entry(view).or_default().push(place);
        }
        let (mut parts, mut order) = (Vec::new(), vec![0_u32; items.len()]);
        let mut row = 0;
        for (view, places) in &places {
            let own: Vec<u32> = places.iter().map(|place| items[*place as usize]).collect();
            parts.push(self.through(parameters, *view, &own, rng)?);
            for place in places {
                order[*place as usize] = row;
                row += 1;
            }
        }
        Ok(Tensor::cat(&parts, 0)?.index_select(&Tensor::new(order, &Device::Cpu)?, 0)?)
    }

    fn through(
        &self,
        parameters: &Parameters,
        view: View,
        items: &[u32],
        rng: &mut SmallRng,
    ) -> Result<Tensor, TrainError> {
        let features = self.features.get(&view);
        let missing = || TrainError::Features(format!("heads without a tower for {}", view.name()));
        let features = features.ok_or_else(missing)?;
        let mut x = features.index_select(&Tensor::new(items, &Device::Cpu)?, 0)?;
        if let Some(dropped) = mask(self.recipe.feature_dropout, x.dims2()?, rng)? {
            x = (x * dropped)?;
        }
        let hidden = self.hidden.get(&view).copied().unwrap_or_default();
        let dropped = mask(self.recipe.dropout, (items.len(), hidden), rng)?;
        let tower = tower(parameters, &format!("{}.", view.name()));
        Ok(forward(&tower, &x, dropped.as_ref())?)
    }
}

/// What is added to the logits of row i and column j: [`NEVER`] where the right of j is an item of row i's own.
fn negatives(pairs: &[CoPurchase]) -> Result<Tensor, TrainError> {
    let n = pairs.len();
    let mut kept = vec![0_f32; n * n];
    for (i, own) in pairs.iter().enumerate() {
        for (j, other) in pairs.iter().enumerate().filter(|(j, _)| *j != i) {
            let is_own = own.person == other.person
                || own.left == other.left
                || own.right == other.right
                || own.left == other.right
                || own.right == other.left;
            if is_own {
                kept[i * n + j] = NEVER;
            }
        }
    }
    Ok(Tensor::from_vec(kept, (n, n), &Device::Cpu)?)
}
