//! Losses of the shared space. Their inputs are unit vectors as rows.

use candle_core::{Device, Tensor};
use candle_nn::{loss::cross_entropy, ops::log_softmax};

use crate::encode::ModelError;

/// Logit of an excluded pair, in place of minus infinity.
pub const EXCLUDED_LOGIT: f32 = -1e4;

/// Symmetric InfoNCE ([van den Oord et al. 2018](https://arxiv.org/abs/1807.03748), in both
/// directions as [Radford et al. 2021](https://arxiv.org/abs/2103.00020)): row i of `text` and row
/// i of `image`, both `[n, d]`, are a pair, and the other rows are its negatives. `scale` `[]` is
/// one over the temperature. Returns the mean over both directions, `[]`.
///
/// # Errors
/// The shapes differ.
pub fn info_nce(text: &Tensor, image: &Tensor, scale: &Tensor) -> Result<Tensor, ModelError> {
    let n = u32::try_from(text.dim(0)?).unwrap_or(u32::MAX);
    info_nce_with(text, image, scale, &Tensor::arange(0, n, &Device::Cpu)?)
}

/// [`info_nce`] where the partner of row i is row `partners[i]` `[n]`.
///
/// # Errors
/// The shapes differ, or `partners` is not a permutation.
pub fn info_nce_with(
    left: &Tensor,
    right: &Tensor,
    scale: &Tensor,
    partners: &Tensor,
) -> Result<Tensor, ModelError> {
    let logits = left.matmul(&right.t()?)?.broadcast_mul(scale)?;
    let left_to_right = cross_entropy(&logits, partners)?;
    let right_to_left = cross_entropy(&logits.t()?.contiguous()?, &inverse(partners)?)?;
    Ok(((left_to_right + right_to_left)? * 0.5)?)
}

fn inverse(permutation: &Tensor) -> Result<Tensor, ModelError> {
    let forward: Vec<u32> = permutation.to_vec1()?;
    let mut inverse = vec![0u32; forward.len()];
    for (from, &to) in (0u32..).zip(&forward) {
        let out_of_range = || ModelError::Compute(format!("partner {to} is out of range"));
        *inverse.get_mut(to as usize).ok_or_else(out_of_range)? = from;
    }
    Ok(Tensor::new(inverse, &Device::Cpu)?)
}

/// [`info_nce`] with excluded negatives and the logQ (sampling-bias) correction ([Yi et al.
/// 2019](https://doi.org/10.1145/3298689.3346996)). `mask` `[n, n]` is added to the logits: 0 if
/// column j is a negative of row i, else [`EXCLUDED_LOGIT`]. `log_shares`, the logarithms `[1, n]`
/// of the sampling probabilities of the rows of `left` and of `right`, are subtracted.
///
/// # Errors
/// The shapes differ.
pub fn info_nce_among(
    left: &Tensor,
    right: &Tensor,
    scale: &Tensor,
    mask: &Tensor,
    log_shares: &[Tensor; 2],
) -> Result<Tensor, ModelError> {
    let n = u32::try_from(left.dim(0)?).unwrap_or(u32::MAX);
    let partners = Tensor::arange(0, n, &Device::Cpu)?;
    let logits = (left.matmul(&right.t()?)?.broadcast_mul(scale)? + mask)?;
    let left_to_right = cross_entropy(&logits.broadcast_sub(&log_shares[1])?, &partners)?;
    let transposed = logits.t()?.contiguous()?;
    let right_to_left = cross_entropy(&transposed.broadcast_sub(&log_shares[0])?, &partners)?;
    Ok(((left_to_right + right_to_left)? * 0.5)?)
}

/// Supervised contrastive loss ([Khosla et al. 2020](https://arxiv.org/abs/2004.11362), outside
/// form) of `x` `[n, d]` at `temperature`: rows with the same label are positives of each other.
/// Rows with a unique label are ignored; `None` if all are unique.
///
/// # Errors
/// The number of `labels` is not n.
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

/// Preserves neighborhoods (relational distillation,
/// [Passalis and Tefas 2018](https://arxiv.org/abs/1803.10837)): the cross-entropy of each row's
/// distribution over the other rows of `x`, at `temperature`, against that of `teacher`, at
/// `teacher_temperature`.
///
/// # Errors
/// The shapes differ.
pub fn neighborhood(
    x: &Tensor,
    temperature: f64,
    teacher: &Tensor,
    teacher_temperature: f64,
) -> Result<Tensor, ModelError> {
    let target = candle_nn::ops::softmax(&others_only(teacher, teacher_temperature)?, 1)?.detach();
    let logs = log_softmax(&others_only(x, temperature)?, 1)?;
    Ok((logs.mul(&target)?.sum_all()? * (-1.0 / x.dim(0)? as f64))?)
}

/// Returns the similarities of rows `[n, n]` over a temperature, with the diagonal excluded.
fn others_only(x: &Tensor, temperature: f64) -> Result<Tensor, ModelError> {
    let n = x.dim(0)?;
    let mut mask = vec![0f32; n * n];
    mask.iter_mut()
        .step_by(n + 1)
        .for_each(|v| *v = EXCLUDED_LOGIT);
    let mask = Tensor::from_vec(mask, (n, n), &Device::Cpu)?;
    Ok(((x.matmul(&x.t()?)? * (1.0 / temperature))? + mask)?)
}
