//! Mapping of columns to fields of an item: by a mapping file, or by the columns' own names.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Map;
use vitrine_schemas::{AttributeType, ImageRef, Item, Price};

use super::cells::{self, Row};

/// Separator of several images in one cell.
const IMAGE_SEPARATOR: char = '|';

/// Columns by field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub id: String,
    title: Option<String>,
    description: Option<String>,
    category: Option<Levels>,
    brand: Option<String>,
    price: Option<PriceRule>,
    images: Option<String>,
    availability: Option<String>,
    created_at: Option<String>,
    expires_at: Option<String>,
    hidden: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, AttributeRule>,
}

/// One column with a whole path, or one column per level.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Levels {
    Path(String),
    Each(Vec<String>),
}

impl Levels {
    fn columns(&self) -> &[String] {
        match self {
            Self::Path(column) => std::slice::from_ref(column),
            Self::Each(columns) => columns,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceRule {
    amount: String,
    currency: Option<String>,
    currency_fixed: Option<String>,
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
        let rules: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        if let Some(name) = rules
            .attributes
            .keys()
            .find(|n| !cells::is_attribute_name(n))
        {
            return Err(format!(
                "attribute `{name}`: expected a name of the form [A-Za-z][A-Za-z0-9_]{{0,63}} that is not a field of an item"
            ));
        }
        if let Some(code) = rules.price.as_ref().and_then(|p| p.currency_fixed.as_ref()) {
            cells::currency("currency_fixed", code)?;
        }
        Ok(rules)
    }

    /// Maps columns named like fields of an item to these fields, and all others to attributes.
    pub fn by_name(columns: &[String]) -> Result<Self, String> {
        let has = |name: &str| columns.iter().find(|c| *c == name).cloned();
        let mut rules = Self {
            id: "id".to_owned(),
            title: has("title"),
            description: has("description"),
            category: has("category").map(Levels::Path),
            brand: has("brand"),
            price: has("price").map(|amount| PriceRule {
                amount,
                currency: has("currency"),
                currency_fixed: None,
            }),
            images: has("images").or_else(|| has("image")),
            availability: has("availability"),
            created_at: has("created_at"),
            expires_at: has("expires_at"),
            hidden: has("hidden"),
            attributes: BTreeMap::new(),
        };
        let fields: Vec<_> = rules.columns().map(str::to_owned).collect();
        for column in columns.iter().filter(|c| !fields.contains(c)) {
            let Some(name) = cells::attribute_name(column) else {
                continue;
            };
            let rule = AttributeRule {
                column: column.clone(),
                kind: None,
                separator: None,
            };
            if let Some(other) = rules.attributes.insert(name.clone(), rule) {
                return Err(format!(
                    "the columns `{}` and `{column}` both map to the attribute `{name}`; rename one, or use --mapping",
                    other.column
                ));
            }
        }
        Ok(rules)
    }

    /// Returns the attributes with declared types.
    pub fn attributes(&self) -> BTreeMap<String, AttributeType> {
        let typed = |(name, rule): (&String, &AttributeRule)| Some((name.clone(), rule.kind?));
        self.attributes.iter().filter_map(typed).collect()
    }

    /// Returns all columns it reads.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let price = self.price.iter();
        let fields = [
            &self.title,
            &self.description,
            &self.brand,
            &self.availability,
            &self.created_at,
            &self.expires_at,
            &self.hidden,
        ];
        std::iter::once(self.id.as_str())
            .chain(fields.into_iter().flatten().map(String::as_str))
            .chain(
                self.category
                    .iter()
                    .flat_map(|c| c.columns())
                    .map(String::as_str),
            )
            .chain(
                price
                    .flat_map(|p| [Some(&p.amount), p.currency.as_ref()])
                    .flatten()
                    .map(String::as_str),
            )
            .chain(self.images.iter().flat_map(|i| template_columns(i)))
            .chain(self.attributes.values().map(|rule| rule.column.as_str()))
    }

    /// Converts a row to an item.
    ///
    /// # Errors
    /// Names the column, its problem and how to fix it.
    pub fn item(&self, row: &Row) -> Result<Item, String> {
        let text = |column: &Option<String>| match column {
            Some(column) => cells::text(row, column),
            None => Ok(None),
        };
        let availability = self.availability.as_ref().zip(text(&self.availability)?);
        let hidden = self.hidden.as_ref().zip(text(&self.hidden)?);
        let mut attributes = Map::new();
        for (name, rule) in &self.attributes {
            let value = cells::attribute(row, &rule.column, rule.kind, rule.separator.as_deref())?;
            attributes.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(Item {
            id: cells::id(row, &self.id)?,
            title: text(&self.title)?,
            description: text(&self.description)?,
            category: self.category(row)?,
            brand: text(&self.brand)?,
            price: self.price(row)?,
            images: self.images(row)?,
            availability: availability
                .map(|(c, t)| cells::availability(c, &t))
                .transpose()?,
            created_at: time(&self.created_at, text(&self.created_at)?)?,
            expires_at: time(&self.expires_at, text(&self.expires_at)?)?,
            hidden: hidden
                .map(|(c, t)| cells::flag(c, &t))
                .transpose()?
                .unwrap_or(false),
            attributes,
            ..Item::default()
        })
    }

    fn category(&self, row: &Row) -> Result<Option<String>, String> {
        let mut levels = Vec::new();
        for column in self.category.iter().flat_map(|c| c.columns()) {
            levels.extend(cells::text(row, column)?);
        }
        Ok(cells::category_path(levels.iter().map(String::as_str)))
    }

    fn price(&self, row: &Row) -> Result<Option<Price>, String> {
        let Some(rule) = &self.price else {
            return Ok(None);
        };
        let Some(amount) = cells::text(row, &rule.amount)? else {
            return Ok(None);
        };
        let mut price = cells::price(&rule.amount, &amount)?;
        if let Some(column) = &rule.currency
            && let Some(code) = cells::text(row, column)?
        {
            price.currency = Some(cells::currency(column, &code)?);
        }
        price.currency = price.currency.or_else(|| rule.currency_fixed.clone());
        Ok(Some(price))
    }

    fn images(&self, row: &Row) -> Result<Vec<ImageRef>, String> {
        let Some(rule) = &self.images else {
            return Ok(Vec::new());
        };
        if rule.contains('{') {
            return Ok(fill(rule, row)?
                .as_deref()
                .map(cells::image)
                .into_iter()
                .collect());
        }
        let cells = cells::texts(row, rule)?;
        let parts = cells.iter().flat_map(|cell| cell.split(IMAGE_SEPARATOR));
        Ok(parts
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .map(cells::image)
            .collect())
    }
}

/// Converts a time to RFC 3339.
fn time(column: &Option<String>, text: Option<String>) -> Result<Option<String>, String> {
    let Some(text) = text else { return Ok(None) };
    let column = column.as_deref().unwrap_or_default();
    super::time::rfc3339(&text, None)
        .map(Some)
        .map_err(|reason| format!("column `{column}`: {reason}"))
}

/// Returns the columns of `images`: a column's name, or a template such as `images/{id}.jpg`.
fn template_columns(template: &str) -> Vec<&str> {
    if !template.contains('{') {
        return vec![template];
    }
    let holes = template.split('{').skip(1);
    holes
        .map(|hole| hole.split_once('}').map_or(hole, |(column, _)| column))
        .collect()
}

/// Fills a template; `None` if one of its columns is blank.
fn fill(template: &str, row: &Row) -> Result<Option<String>, String> {
    let mut parts = template.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (column, after) = part.split_once('}').unwrap_or((part, ""));
        let Some(value) = cells::text(row, column)? else {
            return Ok(None);
        };
        filled.push_str(&value);
        filled.push_str(after);
    }
    Ok(Some(filled))
}
