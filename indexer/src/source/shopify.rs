//! Shopify product exports: rows with the same `Handle` are one product, each row a variant or an
//! image.

use serde_json::{Map, Value};
use vitrine_schemas::{Availability, Item};

use super::{
    Record,
    cells::{self, Cells, Marks, Note, Row},
    layout::Layout,
    line::Line,
    rules::Member,
    tidy::tidy,
    values::{availability, list},
    variants,
};

const OPTIONS: [(&str, &str); 3] = [
    ("Option1 Name", "Option1 Value"),
    ("Option2 Name", "Option2 Value"),
    ("Option3 Name", "Option3 Value"),
];
/// Option value that Shopify writes for a product without options.
const NO_OPTION: &str = "Default Title";
/// Columns of an export that are fields, or say nothing to a shopper.
const STANDARD: &[&str] = &[
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Product Category",
    "Type",
    "Tags",
    "Published",
    "Image Src",
    "Image Position",
    "Image Alt Text",
    "Gift Card",
    "SEO Title",
    "SEO Description",
    "Status",
    "Cost per item",
    "Option1 Linked To",
    "Option2 Linked To",
    "Option3 Linked To",
    "Tax 1 Name",
    "Collection",
    "Command",
    "Unit Price Total Measure",
];
/// Beginnings of such columns.
const STANDARD_PREFIXES: &[&str] = &[
    "Variant ",
    "Option",
    "Price / ",
    "Compare At Price / ",
    "Included / ",
    "Unit Price ",
];

/// Layout of the export.
pub(super) struct Shopify {
    pub has_variants: bool,
}

impl Layout for Shopify {
    fn key(&mut self, line: &Line) -> Option<String> {
        cells::plain(&line.row, "Handle")
    }

    fn id(&self, row: &Row) -> Option<String> {
        cells::plain(row, "Handle")
    }

    fn prices(&self) -> Vec<String> {
        ["Variant Price", "Variant Compare At Price"]
            .map(str::to_owned)
            .into()
    }

    fn fields(&self, row: &Row) -> Vec<(String, String)> {
        let fields = [
            ("id", "Handle"),
            ("title", "Title"),
            ("description", "Body (HTML)"),
            ("brand", "Vendor"),
            ("category", "Product Category"),
            ("type", "Type"),
            ("tags", "Tags"),
            ("hidden", "Published"),
            ("hidden", "Status"),
            ("images", "Image Src"),
            ("images", "Variant Image"),
            ("price", "Variant Price"),
            ("original_price", "Variant Compare At Price"),
            ("availability", "Variant Inventory Qty"),
            ("sku", "Variant SKU"),
            ("gtin", "Variant Barcode"),
        ];
        let fields = fields
            .map(|(f, c)| (f.to_owned(), c.to_owned()))
            .into_iter();
        fields
            .chain(row.keys().filter_map(|c| Some((extra_name(c)?, c.clone()))))
            .collect()
    }

    fn product(&mut self, key: Option<String>, rows: Vec<Line>, marks: &Marks) -> Vec<Record> {
        let line = rows.first().map_or(0, |row| row.line);
        let Some(key) = key else {
            let reason = "column `Handle`: is empty; every item needs an id".to_owned();
            return vec![Record::rejected(line, None, reason)];
        };
        Product { key, rows, marks }.records(self.has_variants)
    }
}

struct Product<'m> {
    key: String,
    rows: Vec<Line>,
    marks: &'m Marks,
}

impl Product<'_> {
    fn records(self, has_variants: bool) -> Vec<Record> {
        // The last row with a title is the first row of the product's latest version.
        let titled = |row: &&Line| cells::plain(&row.row, "Title").is_some();
        let first = self.rows.iter().rev().find(titled).unwrap_or(&self.rows[0]);
        let (mut base, mut notes) = self.base(first);
        let names = self.option_names(first);
        let mut members: Vec<Member> = self
            .rows
            .iter()
            .filter(|row| is_variant(&row.row))
            .map(|row| self.member(row, &names))
            .collect();
        distinct_ids(&mut members);
        for member in &mut members {
            notes.append(&mut member.notes);
        }
        base.images = self.images(&mut notes);
        let line = self.rows[0].line;
        let is_delete = cells::plain(&first.row, "Command")
            .is_some_and(|command| command.eq_ignore_ascii_case("delete"));
        if !has_variants && members.len() > 1 {
            return separate(&base, members, notes);
        }
        let (mut item, superseded) = variants::join(base, members);
        tidy(&mut item, line, &mut notes);
        vec![Record {
            line,
            id: Some(self.key),
            item: Ok(item),
            is_delete,
            notes,
            superseded,
        }]
    }

    /// Returns what the variants share, from the first row.
    fn base(&self, first: &Line) -> (Item, Vec<Note>) {
        let mut cells = Cells::new(first.line, &first.row, self.marks);
        let category = cells
            .text("Product Category")
            .or_else(|| cells.text("Type"));
        let is_published = cells.flag("Published") != Some(false);
        let is_active = cells
            .text("Status")
            .is_none_or(|status| status.eq_ignore_ascii_case("active"));
        let mut attributes = Map::new();
        let tags = cells.text("Tags").unwrap_or_default();
        let tags: Vec<Value> = tags
            .split(',')
            .map(str::trim)
            .filter(|tag| !tag.is_empty())
            .map(Value::from)
            .collect();
        attributes.extend(cells::one_or_many(tags).map(|tags| ("tags".to_owned(), tags)));
        if let Some(kind) = cells.text("Type") {
            attributes.insert("type".to_owned(), kind.into());
        }
        for column in first.row.keys() {
            if let Some(name) = extra_name(column)
                && let Some(text) = cells.text(column)
            {
                let values = list::split(&text, list::is_list(&name))
                    .into_iter()
                    .map(Value::from);
                let value = cells::one_or_many(values.collect());
                attributes.extend(value.map(|value| (name, value)));
            }
        }
        let item = Item {
            id: self.key.clone(),
            title: cells.text("Title"),
            description: cells.text("Body (HTML)"),
            category: category
                .and_then(|c| cells::category_path([super::html::decode(&c).as_ref()])),
            brand: cells.text("Vendor"),
            hidden: !is_published || !is_active,
            attributes,
            ..Item::default()
        };
        (item, cells.notes)
    }

    /// Returns the attributes of the options, with the columns of their values.
    fn option_names(&self, first: &Line) -> Vec<(String, &'static str)> {
        let name = |column: &str| {
            let own = cells::plain(&first.row, column);
            let any = || {
                self.rows
                    .iter()
                    .find_map(|row| cells::plain(&row.row, column))
            };
            own.or_else(any)
        };
        OPTIONS
            .iter()
            .filter_map(|(column, value)| Some((cells::attribute_name(&name(column)?)?, *value)))
            .collect()
    }

    fn member(&self, row: &Line, names: &[(String, &str)]) -> Member {
        let mut cells = Cells::new(row.line, &row.row, self.marks);
        let mut attributes = Map::new();
        let mut label = Vec::new();
        for (name, column) in names {
            if let Some(value) = cells.text(column).filter(|value| value != NO_OPTION) {
                label.push(value.clone());
                attributes.insert(name.clone(), value.into());
            }
        }
        let sku = cells.text("Variant SKU").map(|sku| unquoted(&sku));
        let gtin = cells.text("Variant Barcode").map(|gtin| unquoted(&gtin));
        let label = label.join(" / ");
        let id = match &sku {
            Some(sku) => sku.clone(),
            None if label.is_empty() => row.line.to_string(),
            None => label.clone(),
        };
        attributes.extend(sku.map(|sku| ("sku".to_owned(), sku.into())));
        attributes.extend(gtin.map(|gtin| ("gtin".to_owned(), gtin.into())));
        let original = cells.price("Variant Compare At Price");
        let item = Item {
            id,
            // Tells variants with one SKU apart; an item with variants keeps its own title.
            title: Some(label),
            price: cells.price("Variant Price"),
            original_price: original.filter(|price| price.amount > 0.0),
            availability: stock(&mut cells),
            images: cells.images("Variant Image"),
            attributes,
            ..Item::default()
        };
        Member {
            line: row.line,
            item,
            is_delete: false,
            notes: cells.notes,
        }
    }

    /// Returns the images of all rows, by their positions.
    fn images(&self, notes: &mut Vec<Note>) -> Vec<vitrine_schemas::ImageRef> {
        let mut placed = Vec::new();
        for row in &self.rows {
            let mut cells = Cells::new(row.line, &row.row, self.marks);
            let place = cells
                .text("Image Position")
                .and_then(|p| p.parse::<f64>().ok());
            let images = cells.images("Image Src");
            placed.extend(images.into_iter().map(|i| (place.unwrap_or(f64::MAX), i)));
            notes.append(&mut cells.notes);
        }
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut images = Vec::new();
        for (_, image) in placed {
            if !images.contains(&image) {
                images.push(image);
            }
        }
        images
    }
}

/// Gives variants that share a SKU but differ in their options ids of their own.
fn distinct_ids(members: &mut [Member]) {
    let ids: Vec<_> = members
        .iter()
        .map(|m| (m.item.id.clone(), m.item.title.clone().unwrap_or_default()))
        .collect();
    for (at, member) in members.iter_mut().enumerate() {
        let (id, label) = &ids[at];
        let is_shared = ids[..at].iter().any(|(i, l)| i == id && l != label);
        if is_shared && !label.is_empty() {
            member.item.id = format!("{id} {label}");
        }
        member.item.title = None;
    }
}

/// Returns an item for each variant, for shops that do not want them joined.
fn separate(base: &Item, members: Vec<Member>, notes: Vec<Note>) -> Vec<Record> {
    let mut notes = Some(notes);
    members
        .into_iter()
        .map(|member| {
            let (line, id) = (member.line, format!("{}:{}", base.id, member.item.id));
            let (mut item, _) = variants::join(base.clone(), vec![member]);
            let mut notes = notes.take().unwrap_or_default();
            item.id = id;
            tidy(&mut item, line, &mut notes);
            Record {
                line,
                id: Some(item.id.clone()),
                item: Ok(item),
                is_delete: false,
                notes,
                superseded: Vec::new(),
            }
        })
        .collect()
}

fn is_variant(row: &Row) -> bool {
    let has = |column| cells::plain(row, column).is_some();
    has("Variant Price") || has("Variant SKU") || OPTIONS.iter().any(|(_, value)| has(value))
}

/// Returns the availability of a variant: it is sold out only if its stock is tracked, is 0 or less
/// and selling does not continue without stock.
fn stock(cells: &mut Cells<'_>) -> Option<Availability> {
    let has = |column: &str| cells.row.contains_key(column);
    if !has("Variant Inventory Tracker") && !has("Variant Inventory Qty") {
        return None;
    }
    let is_untracked = has("Variant Inventory Tracker")
        && cells::plain(cells.row, "Variant Inventory Tracker").is_none();
    let continues = cells
        .text("Variant Inventory Policy")
        .is_some_and(|policy| policy.eq_ignore_ascii_case("continue"));
    if is_untracked || continues {
        return Some(Availability::InStock);
    }
    let quantity = cells.text("Variant Inventory Qty")?;
    let read = availability::quantity(&quantity);
    if read.is_none() {
        cells.note(
            "Variant Inventory Qty",
            &format!("expected a number, got `{quantity}`"),
        );
    }
    read.map(availability::of_quantity)
}

/// Removes the apostrophe by which spreadsheets keep a code as text.
fn unquoted(code: &str) -> String {
    code.strip_prefix('\'').unwrap_or(code).to_owned()
}

/// Returns the attribute of a column that Shopify's standard export does not have, or that
/// describes the product: metafields, Google's fields, columns of apps.
fn extra_name(column: &str) -> Option<String> {
    let is_standard = STANDARD.contains(&column)
        || STANDARD_PREFIXES
            .iter()
            .any(|prefix| column.starts_with(prefix));
    if is_standard || column.is_empty() {
        return None;
    }
    if let Some(field) = column.strip_prefix("Google Shopping / ") {
        return cells::attribute_name(&field.to_lowercase());
    }
    // `Color (product.metafields.shopify.color-pattern)`
    if let Some((_, key)) = column.split_once("(product.metafields.") {
        let key = key.trim_end_matches(')').rsplit('.').next()?;
        return cells::attribute_name(key);
    }
    cells::attribute_name(column)
}
