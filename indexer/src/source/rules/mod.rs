//! Mapping of columns to fields of an item: by a mapping file, or by the columns' own names.

mod by_name;
mod item;
mod prepare;

use std::collections::BTreeMap;

use serde::Deserialize;
use vitrine_schemas::AttributeType;

use super::{
    cells::{self, Row},
    values,
};

pub(super) use by_name::PRICES;
pub(super) use item::Member;

/// Columns by field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub id: String,
    /// Columns of which the first with a value counts, as for description and brand.
    title: Option<Columns>,
    description: Option<Columns>,
    category: Option<CategoryRule>,
    brand: Option<Columns>,
    price: Option<PriceRule>,
    original_price: Option<String>,
    sale_price: Option<SaleRule>,
    images: Option<Columns>,
    availability: Option<String>,
    quantity: Option<String>,
    created_at: Option<String>,
    expires_at: Option<String>,
    hidden: Option<String>,
    /// The opposite of `hidden`.
    visible: Option<String>,
    /// Rows with the same value are variants of one item, whose id is that value.
    group: Option<String>,
    variants: Option<bool>,
    delete: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, AttributeRule>,
    /// Columns whose blank cells repeat the row above where the first of them is blank.
    #[serde(default)]
    fill_down: Vec<String>,
    /// Meaning of values by column.
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, String>>,
    /// True if `category` lists alternatives, of which the first with a value counts.
    #[serde(skip)]
    is_first_category: bool,
}

/// One column or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Columns {
    One(String),
    Several(Vec<String>),
}

impl Columns {
    fn names(&self) -> &[String] {
        match self {
            Self::One(column) => std::slice::from_ref(column),
            Self::Several(columns) => columns,
        }
    }
}

/// Columns of the levels or of a path, or a path with a separator of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum CategoryRule {
    Columns(Columns),
    Separated(SeparatedPath),
}

/// Column of a path whose levels have a separator other than `>`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeparatedPath {
    column: String,
    separator: String,
}

impl CategoryRule {
    fn names(&self) -> &[String] {
        match self {
            Self::Columns(columns) => columns.names(),
            Self::Separated(path) => std::slice::from_ref(&path.column),
        }
    }
}

/// Column of the amount, or the amount with its currency.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum PriceRule {
    Column(String),
    Table(PriceTable),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceTable {
    amount: String,
    currency: Option<String>,
    currency_fixed: Option<String>,
}

impl PriceRule {
    fn amount(&self) -> &String {
        match self {
            Self::Column(amount) => amount,
            Self::Table(table) => &table.amount,
        }
    }

    fn currency(&self) -> Option<&String> {
        match self {
            Self::Column(_) => None,
            Self::Table(table) => table.currency.as_ref(),
        }
    }

    fn currency_fixed(&self) -> Option<&String> {
        match self {
            Self::Column(_) => None,
            Self::Table(table) => table.currency_fixed.as_ref(),
        }
    }
}

/// Column of the amount, or the amount with its time.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum SaleRule {
    Column(String),
    Table(SaleTable),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaleTable {
    amount: String,
    /// Start and end in one cell: `start/end`.
    dates: Option<String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
}

impl SaleRule {
    fn columns(&self) -> impl Iterator<Item = &String> {
        let table = match self {
            Self::Column(amount) => [Some(amount), None, None, None],
            Self::Table(t) => [
                Some(&t.amount),
                t.dates.as_ref(),
                t.starts_at.as_ref(),
                t.ends_at.as_ref(),
            ],
        };
        table.into_iter().flatten()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "toml::Value")]
struct AttributeRule {
    column: String,
    kind: Option<AttributeType>,
    separator: Option<String>,
}

impl TryFrom<toml::Value> for AttributeRule {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            column: String,
            #[serde(rename = "type", default = "keyword")]
            kind: AttributeType,
            separator: Option<String>,
        }
        fn keyword() -> AttributeType {
            AttributeType::Keyword
        }
        if let toml::Value::String(column) = value {
            return Ok(Self {
                column,
                kind: Some(keyword()),
                separator: None,
            });
        }
        let table: Table = value.try_into().map_err(|e: toml::de::Error| {
            format!("expected a column, or {{ column, type, separator }}: {e}")
        })?;
        Ok(Self {
            column: table.column,
            kind: Some(table.kind),
            separator: table.separator.filter(|s| !s.is_empty()),
        })
    }
}

impl Rules {
    /// Parses the TOML of a mapping.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = toml::from_str(text).map_err(|e| e.to_string())?;
        check_price(&table)?;
        let mut rules: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        if let Some(name) = rules
            .attributes
            .keys()
            .find(|n| !cells::is_attribute_name(n))
        {
            return Err(format!(
                "attribute `{name}`: expected a name of the form [A-Za-z][A-Za-z0-9_]{{0,63}} that is not a field of an item"
            ));
        }
        if let Some(CategoryRule::Separated(path)) = &rules.category
            && path.separator.is_empty()
        {
            return Err("category.separator: must not be empty".to_owned());
        }
        if let Some(PriceRule::Table(price)) = &mut rules.price
            && let Some(code) = &price.currency_fixed
        {
            let code = values::currency(code).map_err(|e| format!("currency_fixed: {e}"))?;
            price.currency_fixed = code;
        }
        Ok(rules)
    }

    /// Returns the attributes with declared types.
    pub fn attributes(&self) -> BTreeMap<String, AttributeType> {
        let typed = |(name, rule): (&String, &AttributeRule)| Some((name.clone(), rule.kind?));
        self.attributes.iter().filter_map(typed).collect()
    }

    /// Returns the columns of prices.
    pub fn prices(&self) -> impl Iterator<Item = &str> {
        let price = self.price.iter().map(PriceRule::amount);
        let sale = self
            .sale_price
            .iter()
            .filter_map(|sale| sale.columns().next());
        let columns = price.chain(sale).chain(&self.original_price);
        columns.map(String::as_str)
    }

    /// Returns all columns it reads.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let prepared = self.fill_down.iter().chain(self.values.keys());
        let fields = self.fields().map(|(_, column)| column);
        fields.chain(prepared.map(String::as_str))
    }

    /// Returns the fields and attributes with the columns they are read from.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = [
            ("original_price", &self.original_price),
            ("availability", &self.availability),
            ("quantity", &self.quantity),
            ("created_at", &self.created_at),
            ("expires_at", &self.expires_at),
            ("hidden", &self.hidden),
            ("visible", &self.visible),
            ("group", &self.group),
            ("delete", &self.delete),
        ];
        let named = fields
            .into_iter()
            .filter_map(|(field, column)| Some((field, column.as_deref()?)));
        let prices = self.price.iter().flat_map(|price| {
            let columns = [Some(price.amount()), price.currency()];
            columns.into_iter().flatten()
        });
        let sale = self.sale_price.iter().flat_map(SaleRule::columns);
        let attributes = self.attributes.iter();
        std::iter::once(("id", self.id.as_str()))
            .chain(several("title", self.title.as_ref().map(Columns::names)))
            .chain(several(
                "description",
                self.description.as_ref().map(Columns::names),
            ))
            .chain(several("brand", self.brand.as_ref().map(Columns::names)))
            .chain(named)
            .chain(several(
                "category",
                self.category.as_ref().map(CategoryRule::names),
            ))
            .chain(prices.map(|column| ("price", column.as_str())))
            .chain(sale.map(|column| ("sale_price", column.as_str())))
            .chain(
                several("images", self.images.as_ref().map(Columns::names))
                    .flat_map(|(field, rule)| template_columns(rule).map(move |c| (field, c))),
            )
            .chain(attributes.map(|(name, rule)| (name.as_str(), rule.column.as_str())))
    }

    /// Returns the item that a row is a variant of, if variants are joined.
    pub fn group(&self, row: &Row) -> Option<String> {
        if self.variants == Some(false) {
            return None;
        }
        cells::plain(row, self.group.as_ref()?)
    }

    /// Returns true if rows may be variants of one item.
    pub fn has_groups(&self) -> bool {
        self.group.is_some() && self.variants != Some(false)
    }

    /// Keeps every row an item of its own, unless the mapping says otherwise.
    pub fn without_variants(&mut self) {
        self.variants = Some(false);
    }
}

fn several<'r>(
    field: &'r str,
    columns: Option<&'r [String]>,
) -> impl Iterator<Item = (&'r str, &'r str)> {
    let columns = columns.unwrap_or_default();
    columns.iter().map(move |column| (field, column.as_str()))
}

/// Checks the table of a price: the error of an untagged value names no key.
fn check_price(table: &toml::Table) -> Result<(), String> {
    match table.get("price") {
        Some(price @ toml::Value::Table(_)) => price
            .clone()
            .try_into::<PriceTable>()
            .map(|_| ())
            .map_err(|e| format!("price: {e}")),
        _ => Ok(()),
    }
}

/// Returns the columns of `images`: a column's name, or a template such as `images/{id}.jpg`.
fn template_columns(template: &str) -> impl Iterator<Item = &str> {
    let holes = template.split('{').skip(1);
    let holes = holes.map(|hole| hole.split_once('}').map_or(hole, |(column, _)| column));
    let plain = (!template.contains('{')).then_some(template);
    plain.into_iter().chain(holes)
}
