//! Vendure product imports: a row with a name begins a product, rows without one are further
//! variants of it.

use serde_json::{Map, Value};
use vitrine_schemas::{ImageRef, Item};

use super::{
    Record,
    cells::{self, Cells, Marks, Note, Row},
    layout::Layout,
    line::Line,
    rules::Member,
    tidy::tidy,
    values::availability,
    variants,
};

/// Separator of values within a cell.
const SEPARATOR: char = '|';

/// Layout of the import file.
#[derive(Default)]
pub(super) struct Vendure {
    /// Number of the product that the next row continues.
    product: u64,
}

impl Layout for Vendure {
    fn key(&mut self, line: &Line) -> Option<String> {
        if cells::plain(&line.row, "name").is_some() {
            self.product += 1;
        }
        Some(self.product.to_string())
    }

    fn id(&self, row: &Row) -> Option<String> {
        id(row)
    }

    fn prices(&self) -> Vec<String> {
        vec!["price".to_owned()]
    }

    fn fields(&self, _row: &Row) -> Vec<(String, String)> {
        let fields = [
            ("id", "slug"),
            ("title", "name"),
            ("description", "description"),
            ("images", "assets"),
            ("images", "variantAssets"),
            ("attributes", "facets"),
            ("attributes", "variantFacets"),
            ("attributes", "optionValues"),
            ("price", "price"),
            ("sku", "sku"),
            ("availability", "stockOnHand"),
        ];
        fields.map(|(f, c)| (f.to_owned(), c.to_owned())).into()
    }

    fn product(&mut self, _key: Option<String>, rows: Vec<Line>, marks: &Marks) -> Vec<Record> {
        let Some(first) = rows.first() else {
            return Vec::new();
        };
        let Some(id) = id(&first.row) else {
            let reason = "column `name`: is empty, and no row above begins a product".to_owned();
            return vec![Record::rejected(first.line, None, reason)];
        };
        let (line, mut notes) = (first.line, Vec::new());
        let base = base(first, marks, id.clone(), &mut notes);
        let names = cells::plain(&first.row, "optionGroups").unwrap_or_default();
        let members: Vec<Member> = rows
            .iter()
            .map(|row| member(row, marks, &names, &mut notes))
            .collect();
        let (mut item, superseded) = variants::join(base, members);
        tidy(&mut item, line, &mut notes);
        vec![Record {
            line,
            id: Some(id),
            item: Ok(item),
            is_delete: false,
            notes,
            superseded,
        }]
    }
}

/// Returns the slug, or one derived from the name as Vendure does it.
fn id(first: &Row) -> Option<String> {
    if let Some(slug) = cells::plain(first, "slug") {
        return Some(slug);
    }
    let name = cells::plain(first, "name")?.to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    Some(words.collect::<Vec<_>>().join("-"))
}

fn base(first: &Line, marks: &Marks, id: String, notes: &mut Vec<Note>) -> Item {
    let mut cells = Cells::new(first.line, &first.row, marks);
    let mut item = Item {
        id,
        title: cells.text("name"),
        description: cells.text("description"),
        images: images(&mut cells, "assets"),
        ..Item::default()
    };
    let mut category = Vec::new();
    for (name, value) in facets(&mut cells, "facets") {
        match name.as_str() {
            "category" => category.push(value),
            "brand" => item.brand = item.brand.or(Some(value)),
            _ => add(&mut item.attributes, &name, value),
        }
    }
    item.category = cells::category_path(category.iter().map(String::as_str));
    notes.append(&mut cells.notes);
    item
}

fn member(row: &Line, marks: &Marks, names: &str, notes: &mut Vec<Note>) -> Member {
    let mut cells = Cells::new(row.line, &row.row, marks);
    let mut attributes = Map::new();
    for (name, value) in facets(&mut cells, "variantFacets") {
        add(&mut attributes, &name, value);
    }
    let values = cells.text("optionValues").unwrap_or_default();
    for (name, value) in names.split(SEPARATOR).zip(values.split(SEPARATOR)) {
        add(&mut attributes, name, value.trim().to_owned());
    }
    let sku = cells.text("sku");
    let id = sku.clone().unwrap_or_else(|| row.line.to_string());
    attributes.extend(sku.map(|sku| ("sku".to_owned(), sku.into())));
    let is_tracked = cells.flag("trackInventory") == Some(true);
    let quantity = cells.text("stockOnHand").filter(|_| is_tracked);
    let item = Item {
        id,
        price: cells.price("price"),
        availability: quantity
            .and_then(|quantity| availability::quantity(&quantity))
            .map(availability::of_quantity),
        images: images(&mut cells, "variantAssets"),
        attributes,
        ..Item::default()
    };
    notes.append(&mut cells.notes);
    Member {
        line: row.line,
        item,
        is_delete: false,
        notes: Vec::new(),
    }
}

/// Returns the facets of a cell, such as `brand:Apple|color:silver`.
fn facets(cells: &mut Cells<'_>, column: &str) -> Vec<(String, String)> {
    let cell = cells.text(column).unwrap_or_default();
    let mut found = Vec::new();
    for facet in cell
        .split(SEPARATOR)
        .map(str::trim)
        .filter(|f| !f.is_empty())
    {
        match facet.split_once(':') {
            Some((name, value)) => found.push((name.trim().to_owned(), value.trim().to_owned())),
            None => cells.note(
                column,
                &format!("expected a facet like `brand:Apple`, got `{facet}`"),
            ),
        }
    }
    found
}

/// Adds a value to a keyword attribute unless it is present. The name is converted to a valid one.
fn add(attributes: &mut Map<String, Value>, name: &str, value: String) {
    let Some(name) = cells::attribute_name(name) else {
        return;
    };
    if value.is_empty() {
        return;
    }
    let value = Value::from(value);
    match attributes.get_mut(&name) {
        None => {
            attributes.insert(name, value);
        }
        Some(Value::Array(values)) if !values.contains(&value) => values.push(value),
        Some(one) if *one != value && !one.is_array() => {
            *one = Value::Array(vec![one.take(), value]);
        }
        Some(_) => {}
    }
}

fn images(cells: &mut Cells<'_>, column: &str) -> Vec<ImageRef> {
    let images = cells.images(column).into_iter();
    images
        .map(|image| match image {
            ImageRef::Path(name) => ImageRef::Path(format!("images/{name}")),
            other => other,
        })
        .collect()
}
