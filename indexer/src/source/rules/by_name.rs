//! Rules of columns without a mapping: columns named like fields of an item, in the names of the
//! API, of Google feeds and of common shops, are these fields; all others are attributes.

use super::{
    AttributeRule, CategoryRule, Columns, PriceRule, PriceTable, Rules, SaleRule, SaleTable, cells,
};

/// Names of columns with prices.
pub(in crate::source) const PRICES: &[&str] = &[
    "price",
    "sale_price",
    "original_price",
    "compare_at_price",
    "list_price",
    "regular_price",
    "msrp",
];
const ORIGINAL_PRICES: &[&str] = &[
    "original_price",
    "compare_at_price",
    "list_price",
    "msrp",
    "rrp",
];
const SALE_DATES: &[&str] = &["sale_price_effective_date", "sale_price_dates"];
const QUANTITIES: &[&str] = &[
    "quantity",
    "stock",
    "inventory",
    "qty",
    "stock_quantity",
    "inventory_quantity",
    "stock_on_hand",
];
const IMAGES: &[&str] = &["images", "image", "image_link", "image_url", "image_urls"];
const MORE_IMAGES: &[&str] = &["additional_image_link", "additional_image_links"];
const CATEGORIES: &[&str] = &["category", "product_type", "google_product_category"];
const DELETES: &[&str] = &["_delete", "deleted", "action"];

/// Columns of a file, found by their names; case, spaces and dashes do not matter.
struct Names<'c>(&'c [String]);

impl Names<'_> {
    fn find(&self, names: &[&str]) -> Option<String> {
        let exact = names.iter().find(|name| self.0.iter().any(|c| c == *name));
        if let Some(exact) = exact {
            return Some((*exact).to_owned());
        }
        let is_named = |column: &&String, name: &&str| {
            column.len() == name.len()
                && column
                    .bytes()
                    .zip(name.bytes())
                    .all(|(c, n)| c.eq_ignore_ascii_case(&n) || (n == b'_' && b" -".contains(&c)))
        };
        let column = names
            .iter()
            .find_map(|name| self.0.iter().find(|column| is_named(column, name)));
        column.cloned()
    }

    fn all(&self, names: &[&str]) -> Vec<String> {
        names.iter().filter_map(|name| self.find(&[name])).collect()
    }
}

impl Rules {
    /// Maps columns named like fields of an item to these fields, and all others to attributes.
    ///
    /// # Errors
    /// Two columns would be the same attribute.
    pub fn by_name(columns: &[String]) -> Result<Self, String> {
        let names = Names(columns);
        let mut rules = fields(&names);
        // Quantities are attributes too, and so is what stands in for a blank title.
        let title = rules.title.as_ref().and_then(|title| title.names().first());
        let is_kept = |field: &str, column: &str| {
            field == "quantity" || (field == "title" && title.is_some_and(|first| first != column))
        };
        let read: Vec<String> = rules
            .fields()
            .filter(|(field, column)| !is_kept(field, column))
            .map(|(_, column)| column.to_owned())
            .collect();
        for column in columns.iter().filter(|c| !read.contains(c)) {
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
}

fn fields(names: &Names<'_>) -> Rules {
    let titles = names.all(&["title", "name"]);
    let categories = names.all(CATEGORIES);
    let images: Vec<String> = names
        .find(IMAGES)
        .into_iter()
        .chain(names.all(MORE_IMAGES))
        .collect();
    let price = names.find(&["price", "regular_price"]).map(|amount| {
        PriceRule::Table(PriceTable {
            amount,
            currency: names.find(&["currency", "price_currency", "currency_code"]),
            currency_fixed: None,
        })
    });
    let sale_price = names.find(&["sale_price"]).map(|amount| {
        SaleRule::Table(SaleTable {
            amount,
            dates: names.find(SALE_DATES),
            starts_at: names.find(&["sale_starts_at", "sale_price_starts_at", "sale_start_date"]),
            ends_at: names.find(&["sale_ends_at", "sale_price_ends_at", "sale_end_date"]),
        })
    });
    Rules {
        id: names.find(&["id"]).unwrap_or_else(|| "id".to_owned()),
        title: (!titles.is_empty()).then_some(Columns::Several(titles)),
        description: names.find(&["description"]).map(Columns::One),
        category: (!categories.is_empty())
            .then_some(CategoryRule::Columns(Columns::Several(categories))),
        brand: names.find(&["brand"]).map(Columns::One),
        price,
        original_price: names.find(ORIGINAL_PRICES),
        sale_price,
        images: (!images.is_empty()).then_some(Columns::Several(images)),
        availability: names.find(&["availability"]),
        quantity: names.find(QUANTITIES),
        created_at: names.find(&["created_at"]),
        expires_at: names.find(&["expires_at", "expiration_date"]),
        hidden: names.find(&["hidden"]),
        visible: None,
        group: names.find(&["item_group_id"]),
        variants: None,
        delete: names.find(DELETES),
        attributes: Default::default(),
        fill_down: Vec::new(),
        values: Default::default(),
        is_first_category: true,
    }
}
