//! Losses of the shared space. All take unit vectors as rows.

use candle_core::{Device, Tensor};
use candle_nn::{loss::cross_entropy, ops::log_softmax};

use crate::encode::ModelError;

/// Stands for minus infinity where a pair must not count.
pub const NEVER: f32 = -1e4;

/// Symmetric InfoNCE ([van den Oord et al. 2018](https://arxiv.org/abs/1807.03748), in both directions as
/// [Radford et al. 2021](https://arxiv.org/abs/2103.00020)): row i of `text` and row i of `image`, both `[n, d]`, are a pair, the other
/// rows are its negatives. `scale` `[]` is one over the temperature. The sum of both directions' means, halved.
///
/// # Errors
/// The shapes differ.
pub fn info_nce(text: &Tensor, image: &Tensor, scale: &Tensor) -> Result<Tensor, ModelError> {
    let n = u32::try_from(text.dim(0)?).unwrap_or(u32::MAX);
    towards(text, image, scale, &Tensor::arange(0, n, &Device::Cpu)?)
}

/// [`info_nce`] where the partner of row i is row `partners[i]` `[n]`.
///
/// # Errors
/// The shapes differ, or a partner is no row.
pub fn towards(
    left: &Tensor,
    right: &Tensor,
    scale: &Tensor,
    partners: &Tensor,
) -> Result<Tensor, ModelError> {
    let logits = left.matmul(&right.t()?)?.broadcast_mul(scale)?;
    let forth = cross_entropy(&logits, partners)?;
    let back = cross_entropy(&logits.t()?.contiguous()?, &inverse(partners)?)?;
    Ok(((forth + back)? * 0.5)?)
}

fn inverse(permutation: &Tensor) -> Result<Tensor, ModelError> {
    let forth: Vec<u32> = permutation.to_vec1()?;
    let mut back = vec![0u32; forth.len()];
    for (from, &to) in (0u32..).zip(&forth) {
        let place = back.get_mut(to as usize);
        *place.ok_or_else(|| ModelError::Compute("a partner that is no row".to_owned()))? = from;
    }
    Ok(Tensor::new(back, &Device::Cpu)?)
}

/// [`info_nce`] where not every other row is a negative, and rows are not drawn alike: `kept` `[n, n]` is added to the logits, 0
/// where column j is a negative of row i and [`NEVER`] where it is not; `drawn`, logarithms `[1, n]` of how likely the rows of
/// `left` and of `right` are to be drawn, is taken off ([Yi et al. 2019](https://doi.org/10.1145/3298689.3346996)).
///
/// # Errors
/// The shapes differ.
pub fn info_nce_among(
    left: &Tensor,
    right: &Tensor,
    scale: &Tensor,
    kept: &Tensor,
    drawn: &[Tensor; 2],
) -> Result<Tensor, ModelError> {
    let n = u32::try_from(left.dim(0)?).unwrap_or(u32::MAX);
    let own = Tensor::arange(0, n, &Device::Cpu)?;
    let logits = (left.matmul(&right.t()?)?.broadcast_mul(scale)? + kept)?;
    let forth = cross_entropy(&logits.broadcast_sub(&drawn[1])?, &own)?;
    let back = cross_entropy(&logits.t()?.contiguous()?.broadcast_sub(&drawn[0])?, &own)?;
    Ok(((forth + back)? * 0.5)?)
}

/// Supervised contrastive loss ([Khosla et al. 2020](https://arxiv.org/abs/2004.11362), outside form): rows of one label are each other's
/// positives, over `temperature`. Rows whose label nobody shares do not count; `None` where none does.
///
/// # Errors
/// `labels` are not one a row.
pub fn same_label(
    x: &Tensor,
    labels: &[u32],
    temperature: f64,
) -> Result<Option<Tensor>, ModelError> {
    let n = labels.len();
    let mut weights = vec![0f32; n * n];
    let mut rows = 0usize;
    for (i, label) in labels.iter().enumerate() {
        let others = labels.iter().filter(|l| *l == label).count() - 1;
        if others == 0 {
            continue;
        }
        rows += 1;
        for (j, other) in labels.iter().enumerate() {
            if i != j && other == label {
                weights[i * n + j] = 1.0 / others as f32;
            }
        }
    }
    if rows == 0 {
        return Ok(None);
    }
    let logs = log_softmax(&others_only(x, temperature)?, 1)?;
    let weights = Tensor::from_vec(weights, (n, n), &Device::Cpu)?;
    Ok(Some(
        (logs.mul(&weights)?.sum_all()? * (-1.0 / rows as f64))?,
    ))
}

/// Keeps neighbourhoods (relational distillation, [Passalis and Tefas 2018](https://arxiv.org/abs/1803.10837)): the cross-entropy of each row's
/// distribution over the other rows of `x`, over `temperature`, against that of `teacher`, over `teacher_temperature`.
///
/// # Errors
/// The shapes differ.
pub fn neighbourhood(
    x: &Tensor,
    temperature: f64,
    teacher: &Tensor,
    teacher_temperature: f64,
) -> Result<Tensor, ModelError> {
    let target = candle_nn::ops::softmax(&others_only(teacher, teacher_temperature)?, 1)?.detach();
    let logs = log_softmax(&others_only(x, temperature)?, 1)?;
    Ok((logs.mul(&target)?.sum_all()? * (-1.0 / x.dim(0)? as f64))?)
}

/// Similarities of rows over a temperature, a row's own one out of the way.
fn others_only(x: &Tensor, temperature: f64) -> Result<Tensor, ModelError> {
    let n = x.dim(0)?;
    let mut own = vec![0f32; n * n];
    own.iter_mut().step_by(n + 1).for_each(|v| *v = NEVER);
    let own = Tensor::from_vec(own, (n, n), &Device::Cpu)?;
    Ok(((x.matmul(&x.t()?)? * (1.0 / temperature))? + own)?)
}
