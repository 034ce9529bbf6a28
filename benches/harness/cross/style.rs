//! Fashion: an item and the items of other categories that share its style. The style is given by
//! labels that no vector is made from: usage, season, gender and color.

use std::{collections::HashMap, path::PathBuf};

use vitrine::{Collection, Database, Options, schemas::Item};

use crate::{
    Half, Outcome, Selection,
    comparison::{Comparison, across, anywhere, similar, without},
};

const LABELS: [&str; 4] = ["usage", "season", "gender", "base_color"];

/// Number of hits evaluated.
const K: usize = 10;

/// Number of top-level categories that are requested.
const REQUESTED_CATEGORIES: usize = 2;

#[derive(clap::Args)]
pub struct Args {
    /// Data directory with the indexed catalog.
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    collection: String,
    /// Vector spaces to compare in.
    #[arg(long, value_delimiter = ',', default_value = "shared,text,image")]
    spaces: Vec<String>,
}

/// An item with its labels.
struct Product {
    id: String,
    category: String,
    labels: [String; 4],
}

pub fn run(args: &Args, selection: Selection) -> Outcome<()> {
    let db = Database::open(&args.data, Options::default())?;
    let shop = db.collection(&args.collection)?;
    let items = products(&shop)?;
    println!("{} of {}", args.collection, items.len());
    let products: Vec<Product> = items.iter().filter_map(Product::of).collect();
    print_label_words(&items);
    let evaluator = Evaluator::of(&products);
    let select =
        |selection: Selection| selection.of(products.iter().collect(), |p: &&Product| &p.id);
    let chosen_on = select(Selection {
        part: Half::Choose,
        ..selection
    });
    let queries = select(selection);
    let popular = evaluator.popular(&chosen_on);
    for space in args
        .spaces
        .iter()
        .filter(|space| shop.config().vectors.contains_key(*space))
    {
        println!(
            "\n{} queries, space `{space}`: anything of other categories",
            queries.len()
        );
        let mut comparison = Comparison::new(&[
            "NDCG@10 by labels shared",
            "labels shared of 4",
            "all 4 shared",
        ]);
        comparison.add("across categories", &queries, |p| {
            evaluator.metrics(p, &similar(&shop, &p.id, &across(space, K))?)
        })?;
        comparison.add("nearest of other categories", &queries, |p| {
            let mut params = anywhere(space, K);
            params.filter = without(&p.category);
            evaluator.metrics(p, &similar(&shop, &p.id, &params)?)
        })?;
        comparison.add(
            "popular style (the same for all; knows the labels of other queries)",
            &queries,
            |p| {
                let others = popular.iter().filter(|other| other.category != p.category);
                let ids: Vec<_> = others.take(K).map(|other| other.id.clone()).collect();
                evaluator.metrics(p, &ids)
            },
        )?;
        comparison.print();

        println!(
            "\nthe same for {REQUESTED_CATEGORIES} requested top-level categories without that of the item"
        );
        let tops = evaluator.tops();
        let requested = |p: &Product| -> Vec<String> {
            let others = tops.iter().filter(|top| **top != p.top());
            others
                .take(REQUESTED_CATEGORIES)
                .map(|top| (*top).to_owned())
                .collect()
        };
        let mut comparison = Comparison::new(&[
            "NDCG@10 by labels shared",
            "labels shared of 4",
            "all 4 shared",
        ]);
        comparison.add("across categories", &queries, |p| {
            let mut params = across(space, K);
            params.categories = requested(p);
            evaluator.metrics(p, &similar(&shop, &p.id, &params)?)
        })?;
        comparison.add("nearest of either, as many", &queries, |p| {
            let mut hits = Vec::new();
            for top in requested(p) {
                let mut params = anywhere(space, K / REQUESTED_CATEGORIES);
                params.categories = vec![top];
                hits.extend(similar(&shop, &p.id, &params)?);
            }
            evaluator.metrics(p, &hits)
        })?;
        comparison.print();
    }
    Ok(())
}

fn products(shop: &Collection) -> Outcome<Vec<Item>> {
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let (page, next) = shop.scroll(None, 1000, cursor.as_deref(), false)?;
        items.extend(page);
        match next {
            Some(_) => cursor = next,
            None => return Ok(items),
        }
    }
}

/// Prints the share of titles with the word of each label; text vectors are made from titles.
fn print_label_words(items: &[Item]) {
    for label in LABELS {
        let holds = |item: &&Item| {
            let value = item.attributes.get(label).and_then(|v| v.as_str());
            let title = item.title.as_deref().unwrap_or("").to_lowercase();
            value.is_some_and(|value| {
                title
                    .split_whitespace()
                    .any(|word| word == value.to_lowercase())
            })
        };
        let share = items.iter().filter(holds).count() as f64 / items.len().max(1) as f64;
        println!(
            "{:.0} % of the titles hold the word for {label}",
            100.0 * share
        );
    }
}

impl Product {
    fn of(item: &Item) -> Option<Self> {
        let label = |name: &str| {
            let value = item.attributes.get(name).and_then(|v| v.as_str());
            value.unwrap_or_default().to_owned()
        };
        Some(Self {
            id: item.id.clone(),
            category: item.category.clone()?,
            labels: LABELS.map(label),
        })
    }

    fn top(&self) -> &str {
        self.category.split(" > ").next().unwrap_or_default()
    }

    fn shared(&self, other: &Self) -> usize {
        let pairs = self.labels.iter().zip(&other.labels);
        pairs.filter(|(a, b)| a == b && !a.is_empty()).count()
    }
}

struct Evaluator<'a> {
    products: &'a [Product],
    by_id: HashMap<&'a str, &'a Product>,
}

impl<'a> Evaluator<'a> {
    fn of(products: &'a [Product]) -> Self {
        let by_id = products.iter().map(|p| (p.id.as_str(), p)).collect();
        Self { products, by_id }
    }

    /// Returns NDCG with a gain of 2^shared - 1 over all items of other categories, the share of
    /// equal labels, and the share of hits with all labels equal.
    fn metrics(&self, query: &Product, hits: &[String]) -> Outcome<Vec<f64>> {
        let mut best: Vec<usize> = self
            .products
            .iter()
            .filter(|other| other.category != query.category)
            .map(|other| query.shared(other))
            .collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        let shared: Vec<usize> = hits
            .iter()
            .map(|id| query.shared(self.by_id[id.as_str()]))
            .collect();
        let gain = |shared: &[usize]| -> f64 {
            let ranks = shared.iter().take(K).enumerate();
            ranks
                .map(|(rank, n)| (f64::from(1 << n) - 1.0) / (rank as f64 + 2.0).log2())
                .sum()
        };
        let all = shared.iter().filter(|n| **n == LABELS.len()).count();
        Ok(vec![
            gain(&shared) / gain(&best),
            shared.iter().sum::<usize>() as f64 / (K * LABELS.len()) as f64,
            all as f64 / K as f64,
        ])
    }

    /// Returns the items that share most labels with `queries` of other categories, the best first.
    fn popular(&self, queries: &[&Product]) -> Vec<&'a Product> {
        let mut scored: Vec<(usize, &Product)> = self
            .products
            .iter()
            .map(|p| {
                let others = queries.iter().filter(|q| q.category != p.category);
                (others.map(|q| q.shared(p)).sum(), p)
            })
            .collect();
        scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.id.cmp(&b.1.id)));
        scored.into_iter().map(|(_, p)| p).collect()
    }

    /// Returns the top-level categories, the largest first.
    fn tops(&self) -> Vec<&'a str> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for product in self.products {
            *counts.entry(product.top()).or_default() += 1;
        }
        let mut tops: Vec<_> = counts.into_iter().collect();
        tops.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        tops.into_iter().map(|(top, _)| top).collect()
    }
}
