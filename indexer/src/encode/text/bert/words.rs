//! The table of word embeddings, in the precision of its file: that of a multilingual model holds
//! most of its weights, of which a text needs a few rows.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::encode::ModelError;
use crate::encode::weights::Weights;

/// Word embeddings `[words, hidden]`.
pub struct Words {
    hidden: usize,
    rows: Rows,
}

enum Rows {
    F32(Vec<f32>),
    F16(Vec<f16>),
}

impl Words {
    /// Loads the tensor `name` of `shape`.
    ///
    /// # Errors
    /// It is missing or has another shape.
    pub fn load(w: &Weights, name: &str, shape: [usize; 2]) -> Result<Self, ModelError> {
        let rows = match w.halves(name, &shape)? {
            Some(halves) => Rows::F16(halves),
            None => Rows::F32(w.flat(name, &shape)?),
        };
        Ok(Self {
            hidden: shape[1],
            rows,
        })
    }

    /// Copies the embedding of a token to `out` `[hidden]`.
    ///
    /// # Errors
    /// The id is not in the vocabulary: the tokenizer belongs to another model.
    pub fn copy(&self, id: u32, out: &mut [f32]) -> Result<(), ModelError> {
        let start = id as usize * self.hidden;
        let row = start..start + self.hidden;
        let copied = match &self.rows {
            Rows::F32(rows) => rows.get(row).map(|row| out.copy_from_slice(row)),
            Rows::F16(rows) => rows.get(row).map(|row| row.convert_to_f32_slice(out)),
        };
        copied.ok_or_else(|| ModelError::Compute(format!("token {id} is not in the vocabulary")))
    }
}
