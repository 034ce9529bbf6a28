//! `tokenizer.json`: SentencePiece's unigram model ([Kudo 2018](https://arxiv.org/abs/1804.10959))
//! as XLM-RoBERTa has it.

use serde_json::{Value, json};

use super::{File, FormatError};

/// Returns the tokenizer of a model file.
pub fn tokenizer(bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
    let file = File::parse(bytes)?;
    let special = &file.special;
    let mask = file.pieces.len().saturating_sub(1);
    let ids = [
        special.start,
        special.padding,
        special.end,
        special.unknown,
        mask,
    ];
    let added = ids.into_iter().map(|id| added_token(&file, id));
    let added: Vec<Value> = added.collect::<Result<_, _>>()?;
    let (start, end) = (text(&file, special.start)?, text(&file, special.end)?);
    let token = |text: &str| json!({"SpecialToken": {"id": text, "type_id": 0}});
    let defined = |text: &str, id: usize| json!({"id": text, "ids": [id], "tokens": [text]});
    let blanks = json!({
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true
    });
    let json = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Nmt"},
            {"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        ]},
        "pre_tokenizer": blanks,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token(start), {"Sequence": {"id": "A", "type_id": 0}}, token(end)],
            "pair": [
                token(start), {"Sequence": {"id": "A", "type_id": 0}}, token(end), token(end),
                {"Sequence": {"id": "B", "type_id": 0}}, token(end),
            ],
            "special_tokens": {
                start: defined(start, special.start),
                end: defined(end, special.end),
            },
        },
        "decoder": blanks,
        "model": {
            "type": "Unigram",
            "unk_id": special.unknown,
            "vocab": file.pieces,
            "byte_fallback": false,
        },
    });
    serde_json::to_vec(&json).map_err(|e| FormatError(e.to_string()))
}

fn text<'a>(file: &File<'a>, id: usize) -> Result<&'a str, FormatError> {
    let piece = file.pieces.get(id);
    let piece = piece.ok_or_else(|| FormatError(format!("special token {id} has no piece")))?;
    Ok(piece.0)
}

fn added_token(file: &File, id: usize) -> Result<Value, FormatError> {
    Ok(json!({
        "id": id,
        "content": text(file, id)?,
        "special": true,
        "single_word": false,
        "lstrip": false,
        "rstrip": false,
        "normalized": false,
    }))
}
