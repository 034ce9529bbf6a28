use std::path::Path;

use super::{File, tokenizer, weights};
use crate::encode::Precision;
use crate::encode::text::TextEncoder;
use crate::encode::text::bert::{Bert, Role};

const HIDDEN: usize = 32;
const INNER: usize = 64;
const WORDS: usize = 8;
const POSITIONS: usize = 16;
const PIECES: [(&str, f32); 6] = [
    ("<s>", 0.0),
    ("<pad>", 0.0),
    ("</s>", 0.0),
    ("<unk>", 0.0),
    ("▁red", -1.0),
    ("<mask>", 0.0),
];

/// Writes a model file of one layer.
#[derive(Default)]
struct Writer {
    directory: Vec<u8>,
    data: Vec<u8>,
    count: i32,
}

impl Writer {
    fn put(&mut self, name: &str, data: &[u8]) {
        self.directory.extend((name.len() as u16).to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.directory.push(0);
        self.directory.extend(0u32.to_le_bytes());
        self.directory
            .extend((self.data.len() as u64).to_le_bytes());
        self.directory.extend((data.len() as u64).to_le_bytes());
        self.data.extend(data);
        self.count += 1;
    }

    fn floats(&mut self, name: &str, count: usize, value: f32) {
        self.put(name, &value.to_le_bytes().repeat(count));
    }

    /// Writes blocks of scale 0.5 whose first byte holds the weights -4 and 3.5, the others zeros.
    fn matrix(&mut self, name: &str, weights: usize) {
        let mut block = [0x88; 18];
        block[..2].copy_from_slice(&half::f16::from_f32(0.5).to_le_bytes());
        block[2] = 0xf0;
        self.put(name, &block.repeat(weights / 32));
    }

    /// Returns the file: header, vocabulary, directory with offsets from its beginning, data.
    fn finish(&self) -> Vec<u8> {
        let mut out = b"E5S1".to_vec();
        let mut ints = |values: &[i32]| values.iter().for_each(|v| out.extend(v.to_le_bytes()));
        let sizes = [HIDDEN, 1, 2, INNER, WORDS, POSITIONS, 1];
        ints(&[1]);
        ints(&sizes.map(|size| size as i32));
        ints(&[0, 32, PIECES.len() as i32, 0, 2, 1, 3]);
        let texts: String = PIECES.iter().map(|(text, _)| *text).collect();
        out.extend((texts.len() as u64).to_le_bytes());
        let mut bound = 0u32;
        for (text, _) in PIECES {
            out.extend(bound.to_le_bytes());
            bound += text.len() as u32;
        }
        out.extend(bound.to_le_bytes());
        PIECES
            .iter()
            .for_each(|(_, score)| out.extend(score.to_le_bytes()));
        out.extend(texts.as_bytes());
        out.extend([0; 8]);
        out.extend(self.count.to_le_bytes());
        let start = (out.len() + self.directory.len()) as u64;
        let mut directory = self.directory.clone();
        let mut at = 0;
        while at < directory.len() {
            let name = usize::from(directory[at]);
            let offset = &mut directory[at + 2 + name + 5..][..8];
            let value = u64::from_le_bytes((&*offset).try_into().unwrap()) + start;
            offset.copy_from_slice(&value.to_le_bytes());
            at += 2 + name + 5 + 16;
        }
        out.extend(directory);
        out.extend(&self.data);
        out
    }
}

fn model_file() -> Vec<u8> {
    let mut out = Writer::default();
    out.matrix("emb.word", WORDS * HIDDEN);
    out.floats("emb.pos", POSITIONS * HIDDEN, 0.25);
    out.floats("emb.type", HIDDEN, 0.0);
    for norm in ["emb.ln", "l0.aln", "l0.oln"] {
        out.floats(&format!("{norm}.w"), HIDDEN, 1.0);
        out.floats(&format!("{norm}.b"), HIDDEN, 0.0);
    }
    for (name, rows, columns) in [
        ("q", HIDDEN, HIDDEN),
        ("k", HIDDEN, HIDDEN),
        ("v", HIDDEN, HIDDEN),
        ("ao", HIDDEN, HIDDEN),
        ("fi", INNER, HIDDEN),
        ("fo", HIDDEN, INNER),
    ] {
        out.matrix(&format!("l0.{name}.w"), rows * columns);
        out.floats(&format!("l0.{name}.b"), rows, 0.125);
    }
    out.finish()
}

fn convert(bytes: &[u8], dir: &Path) {
    weights(bytes, &dir.join("model.safetensors")).expect("weights");
    std::fs::write(
        dir.join("tokenizer.json"),
        tokenizer(bytes).expect("tokenizer"),
    )
    .unwrap();
    let config = format!(
        r#"{{"model_type": "bert", "hidden_size": {HIDDEN}, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": {INNER}, "vocab_size": {WORDS},
        "max_position_embeddings": {POSITIONS}, "type_vocab_size": 1, "hidden_act": "gelu"}}"#
    );
    std::fs::write(dir.join("config.json"), config).unwrap();
}

#[test]
fn blocks_of_nibbles_become_weights() {
    let bytes = model_file();
    let file = File::parse(&bytes).expect("parses");
    let words = file.nibbles("emb.word", WORDS * HIDDEN).expect("weights");
    assert_eq!(words.len(), WORDS * HIDDEN);
    for block in words.chunks_exact(32) {
        assert_eq!((block[0], block[16]), (-4.0, 3.5));
        assert_eq!(block.iter().filter(|w| **w != 0.0).count(), 2);
    }
}

#[test]
fn a_converted_model_encodes() {
    let folder = tempfile::tempdir().unwrap();
    convert(&model_file(), folder.path());
    let bert = Bert::load(folder.path(), Precision::F32, None).expect("loads");
    assert_eq!((bert.dim(), bert.max_tokens()), (HIDDEN, POSITIONS));
    assert_eq!(bert.count_tokens("red"), 3);
    let vector = bert
        .encode(&["red"], Role::Document)
        .remove(0)
        .expect("encodes");
    assert!(vector.iter().all(|x| x.is_finite()));
    let word = bert.mean_word("red").expect("encodes");
    assert_eq!((word[0], word[1], word[16]), (-4.0, 0.0, 3.5));
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
        File::parse(&bytes).err().expect("refused").to_string()
    };
    assert!(refused(&|b| b[0] = b'X').contains("E5S1"));
    assert!(refused(&|b| b[4] = 9).contains("expected version 1, got 9"));
    let negative = refused(&|b| b[8..12].copy_from_slice(&(-1i32).to_le_bytes()));
    assert!(negative.contains("expected a size, got -1"), "{negative}");
}
