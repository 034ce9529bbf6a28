use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::{File, weights};

const HIDDEN: usize = 4;

/// Writes a model file.
#[derive(Default)]
struct Writer {
    variables: Vec<u8>,
    count: u32,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16 + 1).to_le_bytes());
    out.extend(text.as_bytes());
    out.push(0);
}

impl Writer {
    /// Adds the values first, first + 1, ... as f16.
    fn put(&mut self, name: &str, shape: &[usize], first: f32) {
        text(&mut self.variables, name);
        self.variables.push(shape.len() as u8);
        for n in shape {
            self.variables.extend((*n as u32).to_le_bytes());
        }
        let count: usize = shape.iter().product();
        self.variables.push(4);
        self.variables.extend((2 * count as u32).to_le_bytes());
        for value in 0..count {
            let value = if first == 0.0 {
                0.0
            } else {
                first + value as f32
            };
            let value = half::f16::from_f32(value);
            self.variables.extend(value.to_le_bytes());
        }
        self.count += 1;
    }

    fn norm(&mut self, name: &str) {
        self.put(&format!("{name}/gamma"), &[HIDDEN], 1.0);
        self.put(&format!("{name}/beta"), &[HIDDEN], 0.0);
    }

    fn linear(&mut self, name: &str, [n, k]: [usize; 2]) {
        self.put(&format!("{name}/weight"), &[n, k], 1.0);
        self.put(&format!("{name}/bias"), &[n], 0.0);
    }

    fn finish(&self) -> Vec<u8> {
        let mut out = 6u32.to_le_bytes().to_vec();
        text(&mut out, "WhisperSpec");
        out.extend(3u32.to_le_bytes());
        out.extend(self.count.to_le_bytes());
        out.extend(&self.variables);
        out.extend(1u32.to_le_bytes());
        text(&mut out, "decoder/projection/weight");
        text(&mut out, "decoder/embeddings/weight");
        out
    }
}

/// A model file of one layer each.
fn model_file() -> Vec<u8> {
    let mut out = Writer::default();
    for (name, inputs) in [("conv1", 2), ("conv2", HIDDEN)] {
        out.put(&format!("encoder/{name}/weight"), &[HIDDEN, inputs, 3], 1.0);
        out.put(&format!("encoder/{name}/bias"), &[HIDDEN], 1.0);
    }
    out.put("decoder/embeddings/weight", &[8, HIDDEN], 1.0);
    for stack in ["encoder", "decoder"] {
        out.put(
            &format!("{stack}/position_encodings/encodings"),
            &[6, HIDDEN],
            1.0,
        );
        out.norm(&format!("{stack}/layer_norm"));
        let layer = format!("{stack}/layer_0");
        out.norm(&format!("{layer}/self_attention/layer_norm"));
        out.linear(
            &format!("{layer}/self_attention/linear_0"),
            [3 * HIDDEN, HIDDEN],
        );
        out.linear(
            &format!("{layer}/self_attention/linear_1"),
            [HIDDEN, HIDDEN],
        );
        out.norm(&format!("{layer}/ffn/layer_norm"));
        out.linear(&format!("{layer}/ffn/linear_0"), [8, HIDDEN]);
        out.linear(&format!("{layer}/ffn/linear_1"), [HIDDEN, 8]);
    }
    let attention = "decoder/layer_0/attention";
    out.norm(&format!("{attention}/layer_norm"));
    out.linear(&format!("{attention}/linear_0"), [HIDDEN, HIDDEN]);
    out.linear(&format!("{attention}/linear_1"), [2 * HIDDEN, HIDDEN]);
    out.linear(&format!("{attention}/linear_2"), [HIDDEN, HIDDEN]);
    out.finish()
}

fn first(path: &Path, name: &str) -> (Vec<usize>, f32) {
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).expect("loads");
    let tensor: &Tensor = tensors
        .get(name)
        .unwrap_or_else(|| panic!("no tensor {name}"));
    let values = tensor.to_dtype(DType::F32).and_then(|t| t.flatten_all());
    let values: Vec<f32> = values.and_then(|t| t.to_vec1()).expect("floats");
    (tensor.dims().to_vec(), values[0])
}

#[test]
fn fused_matrices_are_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    weights(&model_file(), &path).expect("converts");
    let square = vec![HIDDEN, HIDDEN];
    for (name, shape, value) in [
        ("encoder.layers.0.self_attn.q_proj.weight", &square, 1.0),
        ("encoder.layers.0.self_attn.k_proj.weight", &square, 17.0),
        ("decoder.layers.0.self_attn.v_proj.weight", &square, 33.0),
        ("decoder.layers.0.encoder_attn.q_proj.weight", &square, 1.0),
        ("decoder.layers.0.encoder_attn.v_proj.weight", &square, 17.0),
        (
            "decoder.layers.0.encoder_attn.out_proj.weight",
            &square,
            1.0,
        ),
        ("decoder.layers.0.fc1.weight", &vec![8, HIDDEN], 1.0),
        ("encoder.conv1.weight", &vec![HIDDEN, 2, 3], 1.0),
        ("decoder.embed_tokens.weight", &vec![8, HIDDEN], 1.0),
    ] {
        let expected = (shape.clone(), value);
        assert_eq!(first(&path, &format!("model.{name}")), expected, "{name}");
    }
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).expect("loads");
    assert!(!tensors.contains_key("model.encoder.layers.0.self_attn.k_proj.bias"));
    assert_eq!(tensors.len(), 5 + 2 + 4 + 15 + 24);
}

#[test]
fn truncated_and_foreign_files_are_refused() {
    let bytes = model_file();
    for length in 0..bytes.len() {
        assert!(File::parse(&bytes[..length]).is_err(), "{length}");
    }
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        File::parse(&bytes).expect_err("refused").to_string()
    };
    assert!(refused(&|b| b[0] = 5).contains("expected version 6, got 5"));
    assert!(refused(&|b| b[6] = b'X').contains("expected WhisperSpec, got XhisperSpec"));
    let folder = tempfile::tempdir().unwrap();
    let empty = Writer::default().finish();
    let error = weights(&empty, &folder.path().join("out")).expect_err("no variables");
    assert!(error.to_string().contains("not found"), "{error}");
}
