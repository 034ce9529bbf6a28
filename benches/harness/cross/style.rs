//! Fashion: an item and what of other categories shares its style. The style is in labels that no vector is made from: usage,
//! season, gender and colour.

use std::{collections::HashMap, path::PathBuf};

use vitrine::{Collection, Database, Options, schemas::Item};

use crate::{
    Asking, Outcome, Part,
    contest::{Contest, across, anywhere, similar, without},
};

const LABELS: [&str; 4] = ["usage", "season", "gender", "base_colour"];

/// Hits judged.
const K: usize = 10;

/// Categories that are named, of those at the top.
const NAMED: usize = 2;

#[derive(clap::Args)]
pub struct Args {
    /// Data directory that the catalog was indexed into.
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    collection: String,
    /// Spaces to compare in.
    #[arg(long, value_delimiter = ',', default_value = "shared,text,image")]
    spaces: Vec<String>,
}

/// An item with its labels.
struct Product {
    id: String,
    category: String,
    labels: [String; 4],
}

pub fn run(args: &Args, asking: Asking) -> Outcome<()> {
    let db = Database::open(&args.data, Options::default())?;
    let shop = db.collection(&args.collection)?;
    let items = products(&shop)?;
    println!("{} of {}", args.collection, items.len());
    let products: Vec<Product> = items.iter().filter_map(Product::of).collect();
    tell_words(&items);
    let judge = Judge::of(&products);
    let names = |asking: Asking| asking.of(products.iter().collect(), |p: &&Product| &p.id);
    let chosen_on = names(Asking {
        part: Part::Choose,
        ..asking
    });
    let questions = names(asking);
    let popular = judge.popular(&chosen_on);
    for space in args
        .spaces
        .iter()
        .filter(|space| shop.config().vectors.contains_key(*space))
    {
        println!(
            "\n{} questions, space `{space}`: anything of other categories",
            questions.len()
        );
        let mut contest = Contest::new(&[
            "NDCG@10 by labels shared",
            "labels shared of 4",
            "all 4 shared",
        ]);
        contest.add("across categories", &questions, |p| {
            judge.figures(p, &similar(&shop, &p.id, &across(space, K))?)
        })?;
        contest.add("nearest of other categories", &questions, |p| {
            let mut params = anywhere(space, K);
            params.filter = without(&p.category);
            judge.figures(p, &similar(&shop, &p.id, &params)?)
        })?;
        contest.add(
            "popular style (the same for all; knows the labels of other questions)",
            &questions,
            |p| {
                let others = popular.iter().filter(|other| other.category != p.category);
                let ids: Vec<_> = others.take(K).map(|other| other.id.clone()).collect();
                judge.figures(p, &ids)
            },
        )?;
        contest.print();

        println!("\nthe same of {NAMED} named categories, other than the item's at the top");
        let tops = judge.tops();
        let named = |p: &Product| -> Vec<String> {
            let others = tops.iter().filter(|top| **top != p.top());
            others.take(NAMED).map(|top| (*top).to_owned()).collect()
        };
        let mut contest = Contest::new(&[
            "NDCG@10 by labels shared",
            "labels shared of 4",
            "all 4 shared",
        ]);
        contest.add("across categories", &questions, |p| {
            let mut params = across(space, K);
            params.categories = named(p);
            judge.figures(p, &similar(&shop, &p.id, &params)?)
        })?;
        contest.add("nearest of either, as many", &questions, |p| {
            let mut found = Vec::new();
            for top in named(p) {
                let mut params = anywhere(space, K / NAMED);
                params.categories = vec![top];
                found.extend(similar(&shop, &p.id, &params)?);
            }
            judge.figures(p, &found)
        })?;
        contest.print();
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

/// How often the label stands in the title, which the text's vector is made from.
fn tell_words(items: &[Item]) {
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

struct Judge<'a> {
    products: &'a [Product],
    by_id: HashMap<&'a str, &'a Product>,
}

impl<'a> Judge<'a> {
    fn of(products: &'a [Product]) -> Self {
        let by_id = products.iter().map(|p| (p.id.as_str(), p)).collect();
        Self { products, by_id }
    }

    /// NDCG with a gain of 2^shared - 1 over all items of other categories, share of labels that agree, share with all.
    fn figures(&self, own: &Product, found: &[String]) -> Outcome<Vec<f64>> {
        let mut best: Vec<usize> = self
            .products
            .iter()
            .filter(|other| other.category != own.category)
            .map(|other| own.shared(other))
            .collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        let shared: Vec<usize> = found
            .iter()
            .map(|id| own.shared(self.by_id[id.as_str()]))
            .collect();
        let gain = |shared: &[usize]| -> f64 {
            let places = shared.iter().take(K).enumerate();
            places
                .map(|(at, n)| (f64::from(1 << n) - 1.0) / (at as f64 + 2.0).log2())
                .sum()
        };
        let all = shared.iter().filter(|n| **n == LABELS.len()).count();
        Ok(vec![
            gain(&shared) / gain(&best),
            shared.iter().sum::<usize>() as f64 / (K * LABELS.len()) as f64,
            all as f64 / K as f64,
        ])
    }

    /// The items that share most with those of other categories among `questions`.
    fn popular(&self, questions: &[&Product]) -> Vec<&'a Product> {
        let mut scored: Vec<(usize, &Product)> = self
            .products
            .iter()
            .map(|p| {
                let others = questions.iter().filter(|q| q.category != p.category);
                (others.map(|q| q.shared(p)).sum(), p)
            })
            .collect();
        scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.id.cmp(&b.1.id)));
        scored.into_iter().map(|(_, p)| p).collect()
    }

    /// Categories at the top, the largest first.
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
