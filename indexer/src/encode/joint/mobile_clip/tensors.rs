//! Expected tensors of a MobileCLIP. Candle's FastViT silently skips layers whose tensors are
//! missing, so all of them are checked.

use candle_transformers::models::fastvit;
use candle_transformers::models::openclip::text_model::Config;

use crate::encode::ModelError;
use crate::encode::weights::Weights;

const TRUNK: &str = "visual.trunk";

/// Reads the sizes of the network from its tensors.
///
/// # Errors
/// The stem or a layer is missing: the weights have another form, such as one folded for inference.
pub fn trunk(weights: &Weights) -> Result<fastvit::Config, ModelError> {
    let first = |name: String, expected: &str| match weights.shape(&name).as_deref() {
        Some([size, ..]) if *size > 0 => Ok(*size),
        _ => Err(weights.misfit(&name, expected.to_owned())),
    };
    let stem = format!("{TRUNK}.stem.0.conv_kxk.0.conv.weight");
    let in_channels = first(stem, "[channels, 3, 3, 3]")?;
    let hidden = first(
        format!("{TRUNK}.stages.0.blocks.0.mlp.fc1.weight"),
        "[hidden, channels, 1, 1]",
    )?;
    let count = |stage: usize| {
        let block = |n: &usize| {
            weights.contains(&format!("{TRUNK}.stages.{stage}.blocks.{n}.mlp.fc1.weight"))
        };
        (0..).take_while(block).count()
    };
    Ok(fastvit::Config {
        exp_ratio: hidden / in_channels,
        in_channels,
        blocks: std::array::from_fn(count),
        attn: true,
        lkc_use_act: true,
    })
}

/// Returns the names and shapes of all tensors.
pub fn all(trunk: &fastvit::Config, text: &Config, dim: usize) -> Vec<(String, Vec<usize>)> {
    let mut expected = Expected::default();
    expected.trunk(trunk, dim);
    expected.text(text, dim);
    expected.0
}

/// Names and shapes of tensors.
#[derive(Default)]
struct Expected(Vec<(String, Vec<usize>)>);

impl Expected {
    fn tensor(&mut self, name: &str, shape: &[usize]) {
        self.0.push((name.to_owned(), shape.to_vec()));
    }

    fn layer(&mut self, name: &str, shape: &[usize]) {
        self.tensor(&format!("{name}.weight"), shape);
        self.tensor(&format!("{name}.bias"), &shape[..1]);
    }

    fn norm(&mut self, name: &str, size: usize) {
        for parameter in ["weight", "bias", "running_mean", "running_var"] {
            self.tensor(&format!("{name}.{parameter}"), &[size]);
        }
    }

    /// Adds a convolution without bias, and its norm.
    fn conv(&mut self, name: &str, shape: [usize; 4]) {
        self.tensor(&format!("{name}.conv.weight"), &shape);
        self.norm(&format!("{name}.bn"), shape[0]);
    }

    fn squeeze(&mut self, name: &str, size: usize, squeezed: usize) {
        self.layer(&format!("{name}.se.fc1"), &[squeezed, size, 1, 1]);
        self.layer(&format!("{name}.se.fc2"), &[size, squeezed, 1, 1]);
    }

    /// Adds a block of MobileOne: parallel branches, among them an identity if the block keeps the
    /// `same` shape.
    fn mobile_one(&mut self, name: &str, shape: [usize; 4], same: bool) {
        let [out, each, side, _] = shape;
        self.conv(&format!("{name}.conv_kxk.0"), shape);
        if side > 1 {
            self.conv(&format!("{name}.conv_scale"), [out, each, 1, 1]);
        }
        if same {
            self.norm(&format!("{name}.identity"), out);
        }
    }

    fn trunk(&mut self, config: &fastvit::Config, dim: usize) {
        let first = config.in_channels;
        let stem = |n: usize| format!("{TRUNK}.stem.{n}");
        self.mobile_one(&stem(0), [first, 3, 3, 3], false);
        self.mobile_one(&stem(1), [first, 1, 3, 3], false);
        self.mobile_one(&stem(2), [first, first, 1, 1], true);
        for (stage, blocks) in config.blocks.iter().enumerate() {
            let (size, name) = (first << stage, format!("{TRUNK}.stages.{stage}"));
            if stage > 0 {
                self.downsample(&format!("{name}.downsample.proj"), size, stage > 1);
            }
            if stage == 3 {
                self.layer(&format!("{name}.pos_emb.pos_enc"), &[size, 1, 7, 7]);
            }
            for block in 0..*blocks {
                self.block(
                    &format!("{name}.blocks.{block}"),
                    size,
                    config.exp_ratio,
                    stage == 3,
                );
            }
        }
        let (last, name) = (first << 4, format!("{TRUNK}.final_conv"));
        self.mobile_one(&name, [last, 1, 3, 3], false);
        self.squeeze(&name, last, last / 16);
        self.layer(&format!("{TRUNK}.head.fc"), &[dim, last]);
    }

    fn downsample(&mut self, name: &str, size: usize, squeezed: bool) {
        self.conv(&format!("{name}.0.large_conv"), [size, 1, 7, 7]);
        self.conv(&format!("{name}.0.small_conv"), [size, 1, 3, 3]);
        if squeezed {
            self.squeeze(&format!("{name}.0"), size, size / 4);
        }
        self.mobile_one(&format!("{name}.1"), [size, size, 1, 1], true);
    }

    fn block(&mut self, name: &str, size: usize, ratio: usize, attends: bool) {
        let mixer = format!("{name}.token_mixer");
        if attends {
            self.norm(&format!("{name}.norm"), size);
            self.tensor(&format!("{mixer}.qkv.weight"), &[3 * size, size]);
            self.layer(&format!("{mixer}.proj"), &[size, size]);
            self.tensor(&format!("{name}.layer_scale_1.gamma"), &[size, 1, 1]);
            self.tensor(&format!("{name}.layer_scale_2.gamma"), &[size, 1, 1]);
        } else {
            self.norm(&format!("{mixer}.norm.identity"), size);
            self.mobile_one(&format!("{mixer}.mixer"), [size, 1, 3, 3], true);
            self.tensor(&format!("{mixer}.layer_scale.gamma"), &[size, 1, 1]);
            self.tensor(&format!("{name}.layer_scale.gamma"), &[size, 1, 1]);
        }
        self.conv(&format!("{name}.mlp.conv"), [size, 1, 7, 7]);
        self.layer(&format!("{name}.mlp.fc1"), &[ratio * size, size, 1, 1]);
        self.layer(&format!("{name}.mlp.fc2"), &[size, ratio * size, 1, 1]);
    }

    fn text(&mut self, config: &Config, dim: usize) {
        let (width, hidden) = (config.embed_dim, config.intermediate_size);
        self.tensor(
            "text.positional_embedding",
            &[config.max_position_embeddings, width],
        );
        self.tensor("text.token_embedding.weight", &[config.vocab_size, width]);
        for layer in 0..config.num_hidden_layers {
            let name = |module: &str| format!("text.transformer.resblocks.{layer}.{module}");
            self.tensor(&name("attn.in_proj_weight"), &[3 * width, width]);
            self.tensor(&name("attn.in_proj_bias"), &[3 * width]);
            self.layer(&name("attn.out_proj"), &[width, width]);
            self.layer(&name("ln_1"), &[width]);
            self.layer(&name("ln_2"), &[width]);
            self.layer(&name("mlp.c_fc"), &[hidden, width]);
            self.layer(&name("mlp.c_proj"), &[width, hidden]);
        }
        self.layer("text.ln_final", &[width]);
        self.tensor("text.text_projection", &[width, dim]);
    }
}
