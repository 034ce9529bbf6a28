//! A row becomes an item by rules.

use serde_json::{Map, Value};
use vitrine_schemas::{ImageRef, Item, Price, SalePrice};

use super::{CategoryRule, Columns, Rules, SaleRule};
use crate::source::{
    cells::{self, Cells, Marks, Note, Row},
    values::{availability, time},
};

/// Words in a column of actions that delete an item.
const DELETE_WORDS: &[&str] = &["delete", "deleted", "remove", "removed"];
/// Words in a column of actions that write an item.
const WRITE_WORDS: &[&str] = &["upsert", "insert", "update", "add", "create", "replace"];

/// Item of one row, which may become a variant of another.
pub(in crate::source) struct Member {
    pub line: u64,
    pub item: Item,
    /// True if the row deletes the item.
    pub is_delete: bool,
    pub notes: Vec<Note>,
}

impl Rules {
    /// Converts a row to an item.
    ///
    /// # Errors
    /// The row has no id.
    pub fn member(&self, line: u64, row: &Row, marks: &Marks) -> Result<Member, String> {
        let mut cells = Cells::new(line, row, marks);
        let id = cells::id(row, &self.id)?;
        let (is_delete, action) = self.deletes(&mut cells);
        if is_delete {
            let item = Item {
                id,
                ..Item::default()
            };
            return Ok(Member {
                line,
                item,
                is_delete,
                notes: cells.notes,
            });
        }
        let mut item = Item {
            id,
            title: text(&mut cells, &self.title),
            description: text(&mut cells, &self.description),
            category: self.category(&mut cells),
            brand: text(&mut cells, &self.brand),
            price: self.price(&mut cells),
            original_price: self
                .original_price
                .as_ref()
                .and_then(|column| cells.price(column))
                .filter(|price| price.amount > 0.0),
            images: self.images(&mut cells),
            created_at: self.created_at.as_ref().and_then(|c| cells.time(c)),
            expires_at: self.expires_at.as_ref().and_then(|c| cells.time(c)),
            hidden: self.is_hidden(&mut cells),
            attributes: self.attribute_values(&mut cells),
            ..Item::default()
        };
        item.attributes.extend(action);
        self.stock(&mut cells, &mut item);
        self.sale(&mut cells, &mut item);
        Ok(Member {
            line,
            item,
            is_delete,
            notes: cells.notes,
        })
    }

    /// Returns true if the row deletes its item, and the attribute of a column of actions that has
    /// another meaning.
    fn deletes(&self, cells: &mut Cells<'_>) -> (bool, Option<(String, Value)>) {
        let Some(column) = &self.delete else {
            return (false, None);
        };
        let Some(word) = cells.text(column) else {
            return (false, None);
        };
        let lower = word.to_lowercase();
        if DELETE_WORDS.contains(&lower.as_str()) {
            return (true, None);
        }
        if column.eq_ignore_ascii_case("action") {
            let is_attribute = !WRITE_WORDS.contains(&lower.as_str());
            return (false, is_attribute.then(|| (column.clone(), word.into())));
        }
        if WRITE_WORDS.contains(&lower.as_str()) {
            return (false, None);
        }
        (cells.flag(column) == Some(true), None)
    }

    fn is_hidden(&self, cells: &mut Cells<'_>) -> bool {
        let mut flag = |column: &Option<String>| cells.flag(column.as_ref()?);
        flag(&self.hidden) == Some(true) || flag(&self.visible) == Some(false)
    }

    fn attribute_values(&self, cells: &mut Cells<'_>) -> Map<String, Value> {
        let mut attributes = Map::new();
        for (name, rule) in &self.attributes {
            let value = match rule.kind {
                Some(kind) => cells.typed(name, &rule.column, kind, rule.separator.as_deref()),
                None => cells.untyped(&rule.column),
            };
            attributes.extend(value.map(|value| (name.clone(), value)));
        }
        attributes
    }

    fn category(&self, cells: &mut Cells<'_>) -> Option<String> {
        let columns = match self.category.as_ref()? {
            CategoryRule::Columns(columns) => columns.names(),
            CategoryRule::Separated(path) => {
                let text = cells.text(&path.column)?;
                return cells::category_path(text.split(path.separator.as_str()));
            }
        };
        if self.is_first_category {
            let mut paths = columns.iter().map(|column| {
                let mut all = cells.texts(column);
                // A list of levels, or of alternative paths of which the first counts.
                if all.iter().any(|path| path.contains('>')) {
                    all.truncate(1);
                }
                if column.eq_ignore_ascii_case("categories") {
                    all.iter_mut().for_each(first_path);
                }
                all
            });
            let path = paths.find(|path| !path.is_empty())?;
            return cells::category_path(path.iter().map(String::as_str));
        }
        let levels = columns.iter().filter_map(|column| {
            let mut level = cells.text(column)?;
            if column.eq_ignore_ascii_case("categories") {
                first_path(&mut level);
            }
            Some(level)
        });
        let levels: Vec<_> = levels.collect();
        cells::category_path(levels.iter().map(String::as_str))
    }

    fn price(&self, cells: &mut Cells<'_>) -> Option<Price> {
        let rule = self.price.as_ref()?;
        let mut price = cells.price(rule.amount())?;
        let stated = rule.currency().and_then(|column| cells.currency(column));
        if let Some(stated) = stated {
            let own = price.currency.replace(stated.clone());
            let own = own.filter(|own| *own != stated && cells.names(rule.amount(), own));
            if let Some(own) = own {
                let reason = format!("its own currency {own} is kept; the row says {stated}");
                cells.note(rule.amount(), &reason);
                price.currency = Some(own);
            }
        }
        price.currency = price.currency.or_else(|| rule.currency_fixed().cloned());
        Some(price)
    }

    /// Sets the availability: by its column, else by the quantity in stock.
    fn stock(&self, cells: &mut Cells<'_>, item: &mut Item) {
        item.availability = self
            .availability
            .as_ref()
            .and_then(|c| cells.availability(c));
        if item.availability.is_some() {
            return;
        }
        let Some(column) = &self.quantity else {
            return;
        };
        let read = cells
            .text(column)
            .and_then(|text| availability::quantity(&text));
        item.availability = match read {
            Some(quantity) => Some(availability::of_quantity(quantity)),
            None => cells.availability(column),
        };
    }

    /// Sets the sale price. One whose time cannot be read is left out: it would be asked always.
    fn sale(&self, cells: &mut Cells<'_>, item: &mut Item) {
        let Some(rule) = &self.sale_price else {
            return;
        };
        let amount = match rule {
            SaleRule::Column(amount) => amount,
            SaleRule::Table(table) => &table.amount,
        };
        if let Some(Value::Object(fields)) = cells.row.get(amount)
            && let Ok(sale) = serde_json::from_value(Value::Object(fields.clone()))
        {
            item.sale_price = Some(sale);
            return;
        }
        let Some(price) = cells.price(amount) else {
            return;
        };
        if price.amount == 0.0 && item.price.as_ref().is_some_and(|p| p.amount > 0.0) {
            cells.note(
                amount,
                "expected a sale price above 0, got 0; it is left out",
            );
            return;
        }
        let (mut starts_at, mut ends_at) = (None, None);
        if let SaleRule::Table(table) = rule {
            let before = cells.notes.len();
            starts_at = table.starts_at.as_ref().and_then(|c| cells.time(c));
            ends_at = table.ends_at.as_ref().and_then(|c| cells.time(c));
            if let Some(column) = &table.dates
                && let Some(dates) = cells.text(column)
            {
                match time::interval(&dates) {
                    Ok([start, end]) => {
                        starts_at = starts_at.or(start);
                        ends_at = ends_at.or(end);
                    }
                    Err(reason) => cells.note(column, &reason),
                }
            }
            if cells.notes.len() > before {
                cells.note(
                    amount,
                    "its time cannot be read; the sale price is left out",
                );
                return;
            }
        }
        let dated = starts_at.is_some() || ends_at.is_some();
        if item.price.is_none() && !dated {
            item.price = Some(price);
            return;
        }
        item.sale_price = Some(SalePrice {
            amount: price.amount,
            currency: price.currency,
            starts_at,
            ends_at,
        });
    }

    fn images(&self, cells: &mut Cells<'_>) -> Vec<ImageRef> {
        let mut found = Vec::new();
        let rules = self.images.as_ref().map(|rule| rule.names());
        for rule in rules.unwrap_or_default() {
            let images = if rule.contains('{') {
                let filled = fill(rule, cells);
                filled.as_deref().map(cells::image).into_iter().collect()
            } else {
                cells.images(rule)
            };
            for image in images {
                if !found.contains(&image) {
                    found.push(image);
                }
            }
        }
        found
    }
}

/// Shortens a list of paths at commas, as WooCommerce writes it, to the first one.
fn first_path(paths: &mut String) {
    let paths_of = paths.split(", ");
    if paths_of.clone().count() > 1 && paths_of.clone().all(|path| path.contains('>')) {
        let end = paths.find(", ").unwrap_or(paths.len());
        paths.truncate(end);
    }
}

/// Returns the first text of some columns.
fn text(cells: &mut Cells<'_>, columns: &Option<Columns>) -> Option<String> {
    let mut names = columns.as_ref()?.names().iter();
    names.find_map(|column| cells.text(column))
}

/// Fills a template; `None` if one of its columns is blank.
fn fill(template: &str, cells: &mut Cells<'_>) -> Option<String> {
    let mut parts = template.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (column, after) = part.split_once('}').unwrap_or((part, ""));
        filled.push_str(&cells.text(column)?);
        filled.push_str(after);
    }
    Some(filled)
}
