//! Google Merchant feeds: the meaning of their fields, and the tab-separated form.

use vitrine_schemas::Item;

use super::{
    Mapping, Record, SourceError,
    cells::{self, Row},
    groups::Keywords,
    html,
    input::Input,
    mapping::require,
    table::Table,
};

/// Fields kept as keyword attributes.
const ATTRIBUTES: [&str; 11] = [
    "color",
    "colour", // spelling: ignore
    "size",
    "material",
    "pattern",
    "gender",
    "age_group",
    "item_group_id",
    "condition",
    "gtin",
    "mpn",
];

/// Returns the records of a tab-separated feed. With a mapping it is read as a plain table.
pub(super) fn records(
    input: Input,
    mapping: &Mapping,
) -> Result<Box<dyn Iterator<Item = Result<Record, SourceError>> + Send>, SourceError> {
    let table = Table::open(input, b'\t')?;
    if !mapping.is_default() {
        let rules = mapping.for_columns(table.name(), table.columns())?;
        return Ok(Box::new(table.map(move |line| {
            Ok(line?.record(&rules.id, |row| rules.item(row)))
        })));
    }
    let table = table.rename(field_name);
    require(table.name(), table.columns(), ["id"])?;
    Ok(Box::new(table.map(|line| Ok(line?.record("id", item)))))
}

/// Normalizes a field name: `Image Link`, `image link` and `g:image_link` become `image_link`.
fn field_name(column: &str) -> String {
    let name = column.to_ascii_lowercase().replace(' ', "_");
    name.strip_prefix("g:").unwrap_or(&name).to_owned()
}

/// Returns the item of an entry. Repeated fields hold a list.
pub(super) fn item(entry: &Row) -> Result<Item, String> {
    let text = |field: &str| cells::text(entry, field);
    let mut category = cells::texts(entry, "product_type")?;
    category.extend(cells::texts(entry, "google_product_category")?);
    let mut images = cells::texts(entry, "image_link")?;
    for more in cells::texts(entry, "additional_image_link")? {
        // In the tab-separated form one cell holds several links; a comma in an address is written
        // `%2C`.
        images.extend(more.split(',').map(|link| link.trim().to_owned()));
    }
    images.retain(|link| !link.is_empty());
    let mut attributes = Keywords::default();
    for name in ATTRIBUTES {
        for value in cells::texts(entry, name)? {
            attributes.add(name, &value);
        }
    }
    let price = text("price")?.map(|p| cells::price("price", &p));
    let availability = text("availability")?.map(|a| cells::availability("availability", &a));
    Ok(Item {
        id: cells::id(entry, "id")?,
        title: text("title")?,
        description: text("description")?.map(|d| html::text(&d)),
        category: category
            .first()
            .and_then(|c| cells::category_path([c.as_str()])),
        brand: text("brand")?,
        price: price.transpose()?,
        images: images.iter().map(|link| cells::image(link)).collect(),
        availability: availability.transpose()?,
        attributes: attributes.finish(),
        ..Item::default()
    })
}
