//! Vendure product imports: a row with a name begins a product, rows without one are further
//! variants of it.

use vitrine_schemas::{ImageRef, Item};

use super::{
    Record, SourceError, cells,
    groups::{Group, Keywords, groups},
    html,
    input::Input,
    mapping::require,
    table::Table,
};

/// Separator of values within a cell.
const SEPARATOR: char = '|';

/// Returns the products of an import file.
pub(super) fn records(
    input: Input,
) -> Result<impl Iterator<Item = Result<Record, SourceError>> + Send, SourceError> {
    let table = Table::open(input, b',')?;
    require(table.name(), table.columns(), ["name", "assets", "facets"])?;
    let groups = groups(table, |_, next| {
        !matches!(cells::text(next, "name"), Ok(Some(_)))
    });
    Ok(groups.map(|group| {
        let group = group?;
        let id = id(&group).ok();
        Ok(group.record(id, item))
    }))
}

/// Returns the slug, or one derived from the name as Vendure does it.
fn id(product: &Group) -> Result<String, String> {
    if let Some(slug) = cells::text(product.first(), "slug")? {
        return Ok(slug);
    }
    let name = cells::id(product.first(), "name")?.to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric());
    Ok(words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-"))
}

fn item(product: &Group) -> Result<Item, String> {
    let first = product.first();
    let mut category = Vec::new();
    let mut brand = None;
    let mut attributes = Keywords::default();
    for facet in parts(product, &["facets", "variantFacets"])? {
        let (name, value) = facet.split_once(':').ok_or_else(|| {
            format!("column `facets`: expected a facet like `brand:Apple`, got `{facet}`")
        })?;
        match name.trim() {
            "category" => category.push(value.to_owned()),
            "brand" => brand = brand.or_else(|| Some(value.trim().to_owned())),
            name => attributes.add(name, value),
        }
    }
    options(product, &mut attributes)?;
    let image = |name: &String| match cells::image(name) {
        ImageRef::Path(name) => ImageRef::Path(format!("images/{name}")),
        uri => uri,
    };
    Ok(Item {
        id: id(product)?,
        title: cells::text(first, "name")?,
        description: cells::text(first, "description")?.map(|text| html::text(&text)),
        category: cells::category_path(category.iter().map(String::as_str)),
        brand,
        price: product.lowest_price("price")?,
        images: parts(product, &["assets", "variantAssets"])?
            .iter()
            .map(image)
            .collect(),
        attributes: attributes.finish(),
        ..Item::default()
    })
}

/// Returns the distinct values of columns with several values per cell.
fn parts(product: &Group, columns: &[&str]) -> Result<Vec<String>, String> {
    let mut all: Vec<String> = Vec::new();
    for column in columns {
        for cell in product.distinct(column)? {
            for part in cell.split(SEPARATOR).map(str::trim) {
                if !part.is_empty() && !all.iter().any(|p| p == part) {
                    all.push(part.to_owned());
                }
            }
        }
    }
    Ok(all)
}

/// Adds the options: their names are in the first row, their values at the same place in every row.
fn options(product: &Group, attributes: &mut Keywords) -> Result<(), String> {
    let names = cells::text(product.first(), "optionGroups")?.unwrap_or_default();
    for values in product.distinct("optionValues")? {
        for (name, value) in names.split(SEPARATOR).zip(values.split(SEPARATOR)) {
            attributes.add(name, value);
        }
    }
    Ok(())
}
