//! Amazon purchases in two categories: a query is an item of a user in one category, the relevant
//! item is the user's held-out item in the other. There is no content; the vectors are factors of
//! the purchases (iALS).

use std::path::PathBuf;

use serde_json::json;
use vitrine::{
    Collection, Database, Options, Training,
    cf::{Ials, IalsOptions, Matrix},
    schemas::{Event, Item},
};

use crate::{
    Outcome, Selection,
    comparison::{Comparison, across, anywhere, similar, weights},
    data::{Form, count, pairs},
};

/// Number of hits evaluated.
const K: usize = 10;

/// Items or events written per call.
const BATCH: usize = 2_000;

#[derive(clap::Args)]
pub struct Args {
    /// Folder with sport_cloth (sport) and cloth_sport (cloth), each with train.txt.gz and
    /// test_original.txt.gz.
    #[arg(long)]
    data: PathBuf,
    /// Dimension of the vectors.
    #[arg(long, default_value_t = 64)]
    factors: usize,
}

/// The two categories and their folders.
const CATEGORIES: [(&str, &str); 2] = [("sport", "sport_cloth"), ("cloth", "cloth_sport")];

struct Query {
    user: String,
    item: String,
    held_out: String,
}

pub fn run(args: &Args, selection: Selection) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let db = Database::open(dir.path(), Options::default())?;
    let config = json!({"vectors": {"shared": {"dim": args.factors, "metric": "cosine"}}});
    let shop = db.create_collection("shop", serde_json::from_value(config)?)?;
    let read = |folder: &str, file: &str| pairs(&args.data.join(folder).join(file), Form::Triples);
    let mut train = Vec::new();
    for (_, folder) in CATEGORIES {
        train.push(read(folder, "train.txt.gz")?);
    }
    fill(&db, &shop, &train, args.factors)?;
    for (from, to) in [(0, 1), (1, 0)] {
        let (source, target) = (CATEGORIES[from].0, CATEGORIES[to]);
        let mut of_user: Vec<Vec<u32>> = vec![Vec::new(); count(train[from].iter().map(|p| p.0))];
        for (user, item) in &train[from] {
            of_user[*user as usize].push(*item);
        }
        let query = |(user, held_out): (u32, u32)| {
            let items = of_user.get(user as usize)?;
            // A hash selects one of the user's items.
            let hash = |item: &&u32| *blake3::hash(format!("{user} {item}").as_bytes()).as_bytes();
            let item = items.iter().min_by_key(hash)?;
            Some(Query {
                user: user.to_string(),
                item: name(source, *item),
                held_out: name(target.0, held_out),
            })
        };
        let tested = read(target.1, "test_original.txt.gz")?;
        let all: Vec<_> = tested.into_iter().filter_map(query).collect();
        let queries = selection.of(all, |q| &q.user);
        println!(
            "\n{} queries, an item of {source} -> the item of {} held out",
            queries.len(),
            target.0
        );
        let rank =
            |query: &Query, hits: &[String]| hits.iter().position(|id| *id == query.held_out);
        let metrics = |query: &Query, hits: &[String]| {
            let rank = rank(query, hits);
            let gain = rank.map_or(0.0, |rank| 1.0 / (rank as f64 + 2.0).log2());
            vec![gain, f64::from(u8::from(rank.is_some()))]
        };
        if selection.weights {
            let first = |query: &Query, hits: &[String]| metrics(query, hits)[0];
            weights(&shop, "shared", &queries, |q| &q.item, first)?;
            continue;
        }
        let mut comparison = Comparison::new(&["NDCG@10, all items", "hit rate@10, all items"]);
        comparison.add("across categories", &queries, |q| {
            Ok(metrics(q, &similar(&shop, &q.item, &across("shared", K))?))
        })?;
        comparison.add("nearest of the other category", &queries, |q| {
            let mut params = anywhere("shared", K);
            params.categories = vec![target.0.to_owned()];
            Ok(metrics(q, &similar(&shop, &q.item, &params)?))
        })?;
        let popular = popular(&train[to], target.0);
        comparison.add("most bought of the other category", &queries, |q| {
            Ok(metrics(q, &popular))
        })?;
        comparison.print();
    }
    Ok(())
}

fn name(category: &str, item: u32) -> String {
    format!("{category}{item}")
}

/// Writes the items with their factors, and the purchases.
fn fill(
    db: &Database,
    shop: &Collection,
    train: &[Vec<(u32, u32)>],
    factors: usize,
) -> Outcome<()> {
    let counts: Vec<usize> = train
        .iter()
        .map(|pairs| count(pairs.iter().map(|p| p.1)))
        .collect();
    let users = count(train.iter().flatten().map(|p| p.0));
    let triples = train
        .iter()
        .zip([0, counts[0] as u32])
        .flat_map(|(pairs, first)| {
            pairs
                .iter()
                .map(move |(user, item)| (*user, first + item, 1.0))
        });
    let matrix = Matrix::from_triples(users, counts[0] + counts[1], triples)?;
    let ials = Ials::fit(
        &matrix,
        &IalsOptions {
            factors,
            ..IalsOptions::default()
        },
    )?;
    let mut items: Vec<Item> = Vec::new();
    for (((category, _), count), first) in CATEGORIES.iter().zip(&counts).zip([0, counts[0]]) {
        for item in 0..*count {
            let mut record = json!({"id": name(category, item as u32), "category": category});
            let vector = ials.item((first + item) as u32).unwrap_or_default();
            if vector.iter().any(|x| *x != 0.0) {
                record["vectors"] = json!({"shared": vector});
            }
            items.push(serde_json::from_value(record)?);
        }
    }
    for batch in items.chunks(BATCH) {
        for outcome in shop.upsert(batch.to_vec())? {
            outcome?;
        }
    }
    let mut events: Vec<Event> = Vec::new();
    for ((category, _), pairs) in CATEGORIES.iter().zip(train) {
        for (user, item) in pairs {
            let event = json!({"kind": "purchase", "collection": "shop", "user": user.to_string(),
                "items": [name(category, *item)], "ts": "2026-01-01T00:00:00Z"});
            events.push(serde_json::from_value(event)?);
        }
    }
    for batch in events.chunks(BATCH) {
        db.append_events(batch)?;
    }
    shop.train(&Training::default())?;
    println!(
        "{} items of {} users, {} purchases",
        items.len(),
        users,
        events.len()
    );
    Ok(())
}

fn popular(pairs: &[(u32, u32)], category: &str) -> Vec<String> {
    let mut counts = vec![0_usize; count(pairs.iter().map(|p| p.1))];
    pairs
        .iter()
        .for_each(|(_, item)| counts[*item as usize] += 1);
    let mut items: Vec<u32> = (0..counts.len() as u32).collect();
    items.sort_by_key(|item| std::cmp::Reverse(counts[*item as usize]));
    items.truncate(K);
    items.into_iter().map(|item| name(category, item)).collect()
}
