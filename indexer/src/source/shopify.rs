//! Shopify product exports: rows with the same `Handle` are one product, each row a variant or an
//! image.

use vitrine_schemas::Item;

use super::{
    Record, SourceError, cells,
    groups::{Group, Keywords, groups},
    html,
    input::Input,
    mapping::require,
    table::Table,
};

const OPTIONS: [(&str, &str); 3] = [
    ("Option1 Name", "Option1 Value"),
    ("Option2 Name", "Option2 Value"),
    ("Option3 Name", "Option3 Value"),
];

/// Option value that Shopify writes for a product without options.
const NO_OPTION: &str = "Default Title";

/// Returns the products of an export.
pub(super) fn records(
    input: Input,
) -> Result<impl Iterator<Item = Result<Record, SourceError>> + Send, SourceError> {
    let table = Table::open(input, b',')?;
    require(table.name(), table.columns(), ["Handle", "Title"])?;
    let groups = groups(table, |first, next| {
        first.get("Handle") == next.get("Handle")
    });
    Ok(groups.map(|group| {
        let group = group?;
        let id = cells::text(group.first(), "Handle").ok().flatten();
        Ok(group.record(id, item))
    }))
}

fn item(product: &Group) -> Result<Item, String> {
    let first = product.first();
    let text = |column| cells::text(first, column);
    let category = match text("Product Category")? {
        Some(category) => Some(category),
        None => text("Type")?,
    };
    let published = text("Published")?
        .map(|p| cells::flag("Published", &p))
        .transpose()?;
    let status = text("Status")?.unwrap_or_else(|| "active".to_owned());
    Ok(Item {
        id: cells::id(first, "Handle")?,
        title: text("Title")?,
        description: text("Body (HTML)")?.map(|body| html::text(&body)),
        category: category.as_deref().and_then(|c| cells::category_path([c])),
        brand: text("Vendor")?,
        price: product.lowest_price("Variant Price")?,
        images: product
            .distinct("Image Src")?
            .iter()
            .map(|i| cells::image(i))
            .collect(),
        hidden: published == Some(false) || !status.eq_ignore_ascii_case("active"),
        attributes: attributes(product)?.finish(),
        ..Item::default()
    })
}

fn attributes(product: &Group) -> Result<Keywords, String> {
    let first = product.first();
    let mut attributes = Keywords::default();
    for tag in cells::text(first, "Tags")?.unwrap_or_default().split(',') {
        attributes.add("tags", tag);
    }
    if let Some(kind) = cells::text(first, "Type")? {
        attributes.add("type", &kind);
    }
    for (name, value) in OPTIONS {
        let Some(name) = cells::text(first, name)? else {
            continue;
        };
        for value in product.distinct(value)? {
            if value != NO_OPTION {
                attributes.add(&name, &value);
            }
        }
    }
    Ok(attributes)
}
