//! `model.safetensors`: the names of a BERT in Hugging Face, weights as f16.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::{File, FormatError};
use crate::models::FetchError;

/// Matrices of a layer: names in the file and in Hugging Face.
const MATRICES: [(&str, &str); 6] = [
    ("q", "attention.self.query"),
    ("k", "attention.self.key"),
    ("v", "attention.self.value"),
    ("ao", "attention.output.dense"),
    ("fi", "intermediate.dense"),
    ("fo", "output.dense"),
];

/// Norms of a layer.
const NORMS: [(&str, &str); 2] = [
    ("aln", "attention.output.LayerNorm"),
    ("oln", "output.LayerNorm"),
];

/// Writes the weights of a model file.
pub fn weights(bytes: &[u8], target: &Path) -> Result<(), FetchError> {
    let fail = |reason: String| FetchError::Archive {
        archive: target.display().to_string(),
        reason,
    };
    let file = File::parse(bytes).map_err(|e| fail(e.to_string()))?;
    let mut out = Tensors::new(&file);
    out.embeddings().map_err(|e| fail(e.to_string()))?;
    for layer in 0..file.sizes.layers {
        out.layer(layer).map_err(|e| fail(e.to_string()))?;
    }
    candle_core::safetensors::save(&out.tensors, target).map_err(|e| fail(e.to_string()))
}

struct Tensors<'a> {
    file: &'a File<'a>,
    tensors: HashMap<String, Tensor>,
}

impl<'a> Tensors<'a> {
    fn new(file: &'a File<'a>) -> Self {
        Self {
            file,
            tensors: HashMap::new(),
        }
    }

    fn put(&mut self, name: String, shape: &[usize], data: Vec<f32>) -> Result<(), FormatError> {
        let tensor = Tensor::from_vec(data, shape, &Device::Cpu);
        let tensor = tensor.and_then(|t| t.to_dtype(DType::F16));
        let tensor = tensor.map_err(|e| FormatError(e.to_string()))?;
        self.tensors.insert(name, tensor);
        Ok(())
    }

    /// Converts a matrix of 4-bit weights `[rows, columns]`.
    fn matrix(&mut self, from: &str, to: String, shape: [usize; 2]) -> Result<(), FormatError> {
        let data = self.file.nibbles(from, shape[0] * shape[1])?;
        self.put(to, &shape, data)
    }

    /// Converts weights that are stored as f32.
    fn floats(&mut self, from: &str, to: String, shape: &[usize]) -> Result<(), FormatError> {
        let data = self.file.floats(from, shape.iter().product())?;
        self.put(to, shape, data)
    }

    fn norm(&mut self, from: &str, to: &str) -> Result<(), FormatError> {
        let shape = [self.file.sizes.hidden];
        self.floats(&format!("{from}.w"), format!("{to}.weight"), &shape)?;
        self.floats(&format!("{from}.b"), format!("{to}.bias"), &shape)
    }

    fn embeddings(&mut self) -> Result<(), FormatError> {
        let sizes = &self.file.sizes;
        let name = |table: &str| format!("embeddings.{table}_embeddings.weight");
        self.matrix("emb.word", name("word"), [sizes.vocabulary, sizes.hidden])?;
        self.floats(
            "emb.pos",
            name("position"),
            &[sizes.positions, sizes.hidden],
        )?;
        self.floats("emb.type", name("token_type"), &[sizes.types, sizes.hidden])?;
        self.norm("emb.ln", "embeddings.LayerNorm")
    }

    fn layer(&mut self, number: usize) -> Result<(), FormatError> {
        let (hidden, inner) = (self.file.sizes.hidden, self.file.sizes.inner);
        for (from, to) in MATRICES {
            let shape = match from {
                "fi" => [inner, hidden],
                "fo" => [hidden, inner],
                _ => [hidden, hidden],
            };
            let from = format!("l{number}.{from}");
            let to = format!("encoder.layer.{number}.{to}");
            self.matrix(&format!("{from}.w"), format!("{to}.weight"), shape)?;
            self.floats(&format!("{from}.b"), format!("{to}.bias"), &shape[..1])?;
        }
        for (from, to) in NORMS {
            self.norm(
                &format!("l{number}.{from}"),
                &format!("encoder.layer.{number}.{to}"),
            )?;
        }
        Ok(())
    }
}
