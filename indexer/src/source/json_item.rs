//! Objects within a JSON item: attributes, vectors, variants.

use serde::de::DeserializeOwned;
use serde_json::Value;
use vitrine_schemas::Variant;

use super::{
    cells::{self, Marks, Note, Row},
    rules::{Member, Rules},
};

/// Fields of an item that are read as in the API.
const NESTED: &[&str] = &[
    "attributes",
    "vectors",
    "other_vectors",
    "fingerprint",
    "content_hash",
    "variants",
];

/// Returns the rules of a row.
type RulesOf<'a> = dyn FnMut(&Row) -> Result<Rules, String> + 'a;

/// Adds the nested fields of an object to its item.
///
/// # Errors
/// The vectors cannot be read; an item without them would be embedded.
pub(super) fn nested(
    rules_of: &mut RulesOf<'_>,
    member: &mut Member,
    row: &Row,
    marks: &Marks,
) -> Result<(), String> {
    if member.is_delete {
        return Ok(());
    }
    member
        .notes
        .retain(|note| !NESTED.contains(&note.column.as_str()));
    for name in NESTED {
        member.item.attributes.shift_remove(*name);
        member.item.attributes.shift_remove(&format!("x_{name}"));
    }
    let item = &mut member.item;
    item.vectors = field(row, "vectors")?.unwrap_or_default();
    item.other_vectors = field(row, "other_vectors")?;
    item.fingerprint = field(row, "fingerprint")?;
    item.content_hash = field(row, "content_hash")?;
    if let Some(Value::Object(given)) = row.get("attributes") {
        let names: Vec<_> = given.keys().cloned().collect();
        let mut cells = cells::Cells::new(member.line, given, marks);
        for name in names {
            if let (Some(value), Some(name)) =
                (cells.untyped_whole(&name), cells::attribute_name(&name))
            {
                item.attributes.insert(name, value);
            }
        }
        member.notes.append(&mut cells.notes);
    }
    if let Some(Value::Array(variants)) = row.get("variants") {
        for value in variants {
            add_variant(rules_of, member, value, marks);
        }
    }
    Ok(())
}

fn field<T: DeserializeOwned>(row: &Row, name: &str) -> Result<Option<T>, String> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|e| format!("field `{name}`: {e}")),
    }
}

/// Adds a variant; one that cannot be read is left out with a note.
fn add_variant(rules_of: &mut RulesOf<'_>, member: &mut Member, value: &Value, marks: &Marks) {
    if let Ok(variant) = serde_json::from_value::<Variant>(value.clone()) {
        member.item.variants.push(variant);
        return;
    }
    let read = match value {
        Value::Object(row) => {
            let mut row = row.clone();
            if !row.contains_key("id")
                && let Some(sku) = row.get("sku").cloned()
            {
                row.insert("id".to_owned(), sku);
            }
            let variant = rules_of(&row).and_then(|rules| rules.member(member.line, &row, marks));
            variant.and_then(|mut variant| {
                nested(rules_of, &mut variant, &row, marks)?;
                Ok(variant)
            })
        }
        _ => Err("expected an object".to_owned()),
    };
    match read {
        Ok(read) => {
            member.notes.extend(read.notes);
            let item = read.item;
            member.item.variants.push(Variant {
                id: item.id,
                title: item.title,
                price: item.price,
                original_price: item.original_price,
                sale_price: item.sale_price,
                availability: item.availability,
                images: item.images,
                attributes: item.attributes,
            });
        }
        Err(reason) => member
            .notes
            .push(Note::new(member.line, "variants", value, &reason)),
    }
}
