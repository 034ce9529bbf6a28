//! Last pass over an item of any format: texts without HTML, times as RFC 3339, prices that an item
//! may have. What cannot be kept becomes a note, and its field is left out.

use serde_json::{Map, Value};
use vitrine_schemas::{Item, MAX_VARIANTS, Price, SalePrice, Variant};

use super::{cells::Note, html, values};

/// Tidies an item of a line.
pub(super) fn tidy(item: &mut Item, line: u64, notes: &mut Vec<Note>) {
    for text in [&mut item.title, &mut item.description, &mut item.brand] {
        tidy_text(text);
    }
    if let Some(category) = &item.category {
        let path = html::decode(category);
        item.category = super::cells::category_path([path.as_ref()]);
    }
    let mut notes = Notes { line, notes };
    item.created_at = notes.time("created_at", item.created_at.take());
    item.expires_at = notes.time("expires_at", item.expires_at.take());
    item.price = notes.price("price", item.price.take());
    item.original_price = notes.price("original_price", item.original_price.take());
    item.sale_price = notes.sale(item.sale_price.take());
    tidy_attributes(&mut item.attributes);
    if item.variants.len() > MAX_VARIANTS {
        let count = item.variants.len();
        notes.add(
            "variants",
            count.into(),
            &format!("expected at most {MAX_VARIANTS} variants, got {count}; the rest is left out"),
        );
        item.variants.truncate(MAX_VARIANTS);
    }
    for variant in &mut item.variants {
        tidy_variant(variant, &mut notes);
    }
}

fn tidy_variant(variant: &mut Variant, notes: &mut Notes<'_>) {
    tidy_text(&mut variant.title);
    variant.price = notes.price("price", variant.price.take());
    variant.original_price = notes.price("original_price", variant.original_price.take());
    variant.sale_price = notes.sale(variant.sale_price.take());
    tidy_attributes(&mut variant.attributes);
}

fn tidy_text(text: &mut Option<String>) {
    if let Some(plain) = text.as_deref().map(html::plain) {
        *text = Some(plain).filter(|text| !text.trim().is_empty());
    }
}

/// Removes the markup of attributes; web addresses are unchanged. Nulls are left out.
fn tidy_attributes(attributes: &mut Map<String, Value>) {
    let decode = |value: &mut Value| {
        if let Value::String(text) = value
            && !text.contains("://")
        {
            *text = match html::is_markup(text) {
                true => html::plain(text),
                false => html::decode(text).into_owned(),
            };
        }
    };
    for value in attributes.values_mut() {
        match value {
            Value::Array(values) => {
                values.retain(|value| !value.is_null());
                values.iter_mut().for_each(decode);
            }
            one => decode(one),
        }
    }
    attributes.retain(|_, value| {
        !value.is_null() && !value.as_array().is_some_and(|values| values.is_empty())
    });
}

struct Notes<'n> {
    line: u64,
    notes: &'n mut Vec<Note>,
}

impl Notes<'_> {
    fn add(&mut self, column: &str, value: Value, reason: &str) {
        self.notes
            .push(Note::new(self.line, column, &value, reason));
    }

    fn time(&mut self, column: &str, time: Option<String>) -> Option<String> {
        let value = Value::from(time?);
        values::rfc3339(&value).unwrap_or_else(|reason| {
            self.add(column, value, &reason);
            None
        })
    }

    fn amount(&mut self, column: &str, amount: f64) -> Option<f64> {
        if amount.is_finite() && amount >= 0.0 {
            return Some(amount);
        }
        let reason = format!("expected a price of 0 or more, got `{amount}`");
        self.add(column, amount.into(), &reason);
        None
    }

    fn price(&mut self, column: &str, price: Option<Price>) -> Option<Price> {
        price.filter(|price| self.amount(column, price.amount).is_some())
    }

    fn sale(&mut self, sale: Option<SalePrice>) -> Option<SalePrice> {
        let mut sale = sale?;
        self.amount("sale_price", sale.amount)?;
        let before = self.notes.len();
        sale.starts_at = self.time("sale_price.starts_at", sale.starts_at.take());
        sale.ends_at = self.time("sale_price.ends_at", sale.ends_at.take());
        // Without its time it would be asked always.
        (self.notes.len() == before).then_some(sale)
    }
}
