//! `model.safetensors`: names of Hugging Face, weights as f16.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use half::f16;

use super::{File, FormatError};
use crate::models::FetchError;

/// Writes the weights of a model file.
pub fn weights(bytes: &[u8], target: &Path) -> Result<(), FetchError> {
    let fail = |reason: String| FetchError::Archive {
        archive: target.display().to_string(),
        reason,
    };
    let file = File::parse(bytes).map_err(|e| fail(e.to_string()))?;
    let mut out = Tensors {
        file: &file,
        tensors: HashMap::new(),
    };
    out.network().map_err(|e| fail(e.to_string()))?;
    candle_core::safetensors::save(&out.tensors, target).map_err(|e| fail(e.to_string()))
}

struct Tensors<'a> {
    file: &'a File<'a>,
    tensors: HashMap<String, Tensor>,
}

impl Tensors<'_> {
    fn network(&mut self) -> Result<(), FormatError> {
        for convolution in ["conv1", "conv2"] {
            for part in ["weight", "bias"] {
                self.copy(
                    &format!("encoder/{convolution}/{part}"),
                    format!("model.encoder.{convolution}.{part}"),
                )?;
            }
        }
        self.copy(
            "decoder/embeddings/weight",
            "model.decoder.embed_tokens.weight".to_owned(),
        )?;
        for stack in ["encoder", "decoder"] {
            self.copy(
                &format!("{stack}/position_encodings/encodings"),
                format!("model.{stack}.embed_positions.weight"),
            )?;
            self.norm(
                &format!("{stack}/layer_norm"),
                &format!("model.{stack}.layer_norm"),
            )?;
            let layers = (0..).map(|n| (format!("{stack}/layer_{n}"), n));
            let exists = |(from, _): &(String, usize)| {
                self.file.contains(&format!("{from}/ffn/linear_0/weight"))
            };
            let layers: Vec<_> = layers.take_while(exists).collect();
            for (from, number) in layers {
                self.layer(&from, &format!("model.{stack}.layers.{number}"))?;
            }
        }
        Ok(())
    }

    fn layer(&mut self, from: &str, to: &str) -> Result<(), FormatError> {
        let norms = [
            ("self_attention", "self_attn"),
            ("attention", "encoder_attn"),
        ];
        for (attention, name) in norms {
            let from = format!("{from}/{attention}");
            if !self.file.contains(&format!("{from}/linear_0/weight")) {
                continue;
            }
            self.norm(
                &format!("{from}/layer_norm"),
                &format!("{to}.{name}_layer_norm"),
            )?;
            // Products with the same input are one matrix: queries, keys and values of tokens, keys
            // and values of the clip.
            let products: &[&[&str]] = match attention {
                "attention" => &[&["q"], &["k", "v"], &["out"]],
                _ => &[&["q", "k", "v"], &["out"]],
            };
            for (number, parts) in products.iter().enumerate() {
                let targets = parts.iter().map(|part| format!("{to}.{name}.{part}_proj"));
                let targets: Vec<String> = targets.collect();
                self.linear(&format!("{from}/linear_{number}"), &targets)?;
            }
        }
        self.norm(
            &format!("{from}/ffn/layer_norm"),
            &format!("{to}.final_layer_norm"),
        )?;
        self.linear(&format!("{from}/ffn/linear_0"), &[format!("{to}.fc1")])?;
        self.linear(&format!("{from}/ffn/linear_1"), &[format!("{to}.fc2")])
    }

    fn norm(&mut self, from: &str, to: &str) -> Result<(), FormatError> {
        self.copy(&format!("{from}/gamma"), format!("{to}.weight"))?;
        self.copy(&format!("{from}/beta"), format!("{to}.bias"))
    }

    fn copy(&mut self, from: &str, to: String) -> Result<(), FormatError> {
        let variable = self.file.variable(from)?;
        self.put(to, &variable.shape, variable.halves()?)
    }

    /// Splits a matrix and its bias into those of the layers `targets`. Keys have no bias.
    fn linear(&mut self, from: &str, targets: &[String]) -> Result<(), FormatError> {
        let weight = self.file.variable(&format!("{from}/weight"))?;
        let &[rows, columns] = &weight.shape[..] else {
            let reason = format!("expected a matrix `{from}`, got {:?}", weight.shape);
            return Err(FormatError(reason));
        };
        let (weight, bias) = (
            weight.halves()?,
            self.file.variable(&format!("{from}/bias"))?,
        );
        let (bias, n) = (bias.halves()?, rows / targets.len());
        if n == 0 || columns == 0 || rows % targets.len() != 0 || bias.len() != rows {
            let reason = format!(
                "expected {rows} values in `{from}/bias`, got {}",
                bias.len()
            );
            return Err(FormatError(reason));
        }
        let parts = weight.chunks_exact(n * columns).zip(bias.chunks_exact(n));
        for (target, (weight, bias)) in targets.iter().zip(parts) {
            self.put(format!("{target}.weight"), &[n, columns], weight.to_vec())?;
            if !target.ends_with("k_proj") {
                self.put(format!("{target}.bias"), &[n], bias.to_vec())?;
            } else if bias.iter().any(|b| *b != f16::ZERO) {
                let reason = format!("expected no bias of keys in `{from}`, got one");
                return Err(FormatError(reason));
            }
        }
        Ok(())
    }

    fn put(&mut self, name: String, shape: &[usize], data: Vec<f16>) -> Result<(), FormatError> {
        let tensor = Tensor::from_vec(data, shape, &Device::Cpu);
        let tensor = tensor.map_err(|e| FormatError(e.to_string()))?;
        self.tensors.insert(name, tensor);
        Ok(())
    }
}
