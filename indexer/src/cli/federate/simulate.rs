//! `federate simulate`: central, federated and local training side by side.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use super::PlanArgs;
use crate::{
    cli::{Outcome, catalog::Catalog},
    error::CommandError,
    federate::{
        Features,
        simulate::{Partition, Simulated, Simulation, partition},
    },
    train::{
        Example, ItemFeatures, Pairs, TrainError, metrics::Quality, shuffled,
        trainer::evaluate_pairs, transfer::train_fresh,
    },
};

#[derive(Debug, Args)]
pub(in crate::cli) struct SimulateArgs {
    #[command(flatten)]
    catalog: Catalog,
    #[command(flatten)]
    plan: PlanArgs,
    /// Numbers of shops.
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "3,10,100"
    )]
    shops: Vec<usize>,
    /// Divisions of the items among the shops.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "iid,category"
    )]
    split: Vec<Partition>,
    /// Share of the shops that leave each round, half of them after they sent their vectors.
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    leaving: f64,
    /// Number of the first rounds that are masked; the others add the same integers plainly.
    #[arg(long, value_name = "N", default_value_t = 2)]
    masked_rounds: u32,
    /// Number of shops that also train alone, for comparison.
    #[arg(long, value_name = "N", default_value_t = 2)]
    local: usize,
    /// Share of the items that measures all heads.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15)]
    hold_out: f64,
    /// Write the quality by round to this file, as SVG.
    #[arg(long, value_name = "FILE")]
    curve: Option<PathBuf>,
    /// Number of threads [default: all].
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
}

/// A line of the table.
struct Line {
    shops: usize,
    split: Partition,
    simulated: Simulated,
    local: Vec<Quality>,
}

pub(super) fn run(args: &SimulateArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let items = args.catalog.items()?;
    let (encoders, views, _) = args.catalog.views(&items)?;
    let examples = views.iter().filter_map(ItemFeatures::example).collect();
    let mut train = shuffled(examples, args.plan.seed);
    let part = |n: usize, share: f64| (n as f64 * share) as usize;
    let test = train.split_off(train.len() - part(train.len(), args.hold_out));
    let stop = train.split_off(train.len() - part(train.len(), 0.08));
    let (test, stop) = (Pairs::of(&test)?, Pairs::of(&stop)?);
    let features = Features {
        encoders: encoders.base_fingerprint().to_owned(),
        text: encoders.text_width(),
        image: encoders.image_width(),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads);
    let pool = pool
        .build()
        .map_err(|e| TrainError::Recipe(format!("--threads: {e}")))?;
    let (central, lines) = pool.install(|| compare(args, features, &train, &stop, &test))?;
    let (n, m) = (train.len(), test.len());
    writeln!(
        out,
        "{n} pairs of text and image to train on, {m} to measure\n"
    )?;
    writeln!(out, "{}\n", table(&central, &lines))?;
    for line in &lines {
        writeln!(out, "{}", checks(line))?;
    }
    if let Some(path) = &args.curve {
        write(path, &curve(&central, &lines))?;
    }
    let is_sound = |line: &Line| line.simulated.masks.different == 0;
    Ok(match lines.iter().all(is_sound) {
        true => Outcome::Complete,
        false => Outcome::Failed,
    })
}

fn compare(
    args: &SimulateArgs,
    features: Features,
    train: &[Example],
    stop: &Pairs,
    test: &Pairs,
) -> Result<(Quality, Vec<Line>), CommandError> {
    let plan = args.plan.plan(features, 3)?;
    let encoders = &plan.features.encoders;
    let all = Pairs::of(train)?;
    let central = train_fresh(encoders, &plan.recipe, &all, stop, None, &mut |e| {
        tracing::info!(epoch = e.epoch, loss = format!("{:.4}", e.loss), "central");
    })?;
    let central = evaluate_pairs(&central.heads, test).map_err(TrainError::from)?;
    let mut lines = Vec::new();
    for shops in &args.shops {
        for split in &args.split {
            let pairs = partition(train, *shops, *split)?;
            let simulation = Simulation {
                plan: &plan,
                shops: &pairs,
                leaving: args.leaving,
                test,
                masked_rounds: args.masked_rounds,
            };
            let simulated = simulation.run(&mut |round, quality| {
                let recall = format!("{:.4}", quality.text_to_image.recall_10);
                tracing::info!(shops, ?split, round, recall, "federated");
            })?;
            // Shops from all over the list, which is sorted by category.
            let step = (shops / args.local.max(1)).max(1);
            let local = pairs.iter().step_by(step).take(args.local);
            let local = local.map(|own| {
                let none = Option::<&Pairs>::None;
                let alone = train_fresh(encoders, &plan.recipe, own, none, None, &mut |_| {})?;
                Ok::<_, TrainError>(evaluate_pairs(&alone.heads, test)?.quality)
            });
            let local = local.collect::<Result<_, _>>()?;
            lines.push(Line {
                shops: *shops,
                split: *split,
                simulated,
                local,
            });
        }
    }
    Ok((central.quality, lines))
}

fn recall(quality: &Quality) -> f64 {
    quality.text_to_image.recall_10
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len().max(1) as f64;
    values.sum::<f64>() / n
}

fn name(split: Partition) -> &'static str {
    match split {
        Partition::Iid => "iid",
        Partition::Category => "category",
    }
}

/// Returns the recall at 10 of images by text, and the score of heads, which is the mean of three
/// metrics.
fn table(central: &Quality, lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "shops",
        "split",
        "recall@10",
        "central",
        "ratio",
        "alone",
        "score",
        "central",
        "ratio",
        "alone",
    ]);
    for line in lines {
        let Some(last) = line.simulated.curve.last() else {
            continue;
        };
        let mut row = vec![line.shops.to_string(), name(line.split).to_owned()];
        for metric in [recall, |quality: &Quality| quality.score] {
            let (federated, central) = (metric(last), metric(central));
            let alone = mean(line.local.iter().map(metric));
            let values = [federated, central, federated / central, alone];
            row.extend(values.map(|value| format!("{value:.3}")));
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn checks(line: &Line) -> String {
    let Simulated {
        masks,
        clipped,
        rho,
        ..
    } = &line.simulated;
    let mut text = format!(
        "{} shops, {}: {} of {} masked sums equal the plain sum bit for bit; greatest correlation of \
         a message with its update {:.1} standard errors; {:.0} % of updates clipped",
        line.shops,
        name(line.split),
        masks.sums - masks.different,
        masks.sums,
        masks.max_correlation,
        100.0 * clipped
    );
    if *rho > 0.0 {
        let epsilon = vitrine::privacy::epsilon_of(*rho, 1e-6);
        let _ = write!(
            text,
            "; noise: rho {rho:.3}, epsilon {epsilon:.1} at delta 1e-6 per shop"
        );
    }
    text
}

/// Draws the recall by round.
fn curve(central: &Quality, lines: &[Line]) -> String {
    const SIZE: (f64, f64) = (640.0, 320.0);
    const COLORS: [&str; 6] = ["#06c", "#c60", "#083", "#a0a", "#888", "#c00"];
    let y = |value: f64| 10.0 + (SIZE.1 - 40.0) * (1.0 - value);
    let mut marks = String::new();
    for (n, line) in lines.iter().enumerate() {
        let color = COLORS[n % COLORS.len()];
        let rounds = line.simulated.curve.len().max(2) as f64 - 1.0;
        let points = line
            .simulated
            .curve
            .iter()
            .enumerate()
            .map(|(round, quality)| {
                let x = 40.0 + (SIZE.0 - 200.0) * round as f64 / rounds;
                format!("{x:.1},{:.1}", y(recall(quality)))
            });
        let points: Vec<String> = points.collect();
        let (label, at) = (name(line.split), 20 + 16 * n);
        let _ = write!(
            marks,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\
             <text x=\"490\" y=\"{at}\" fill=\"{color}\">{} shops, {label}</text>",
            points.join(" "),
            line.shops
        );
    }
    let at = y(recall(central));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"12\"><text x=\"4\" y=\"14\">1</text><text x=\"4\" y=\"{}\">0</text>\
         <line x1=\"40\" x2=\"480\" y1=\"{at}\" y2=\"{at}\" stroke=\"#000\" stroke-dasharray=\"4\"/>\
         <text x=\"44\" y=\"{}\">central</text>{marks}\
         <text x=\"40\" y=\"{}\">Recall@10 of images by text, by round</text></svg>\n",
        SIZE.0,
        SIZE.1,
        y(0.0),
        at - 4.0,
        SIZE.1 - 8.0
    )
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(path, text).map_err(|source| CommandError::File {
        path: path.to_owned(),
        source,
    })
}
