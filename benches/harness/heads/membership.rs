//! Membership inference on heads: can the pairs that they were trained on be told from others?
//!
//! The attacker has the heads, a pair, and pairs of the same kind of its own. Its score is the
//! contrastive loss of the pair among other pairs, also compared with that under heads that it
//! trained itself (difficulty calibration, Watson et al. 2022). The area under the ROC curve is 0.5
//! for guessing.

use std::error::Error;

use vitrine_indexer::space::heads::{Heads, Modality};
use vitrine_indexer::train::private::{Privacy, train_private};
use vitrine_indexer::train::trainer::evaluate_pairs;
use vitrine_indexer::train::{Pairs, Recipe, TrainError, transfer::train_fresh};

use crate::data::Data;

/// Budgets of private trainings.
const EPSILONS: [f64; 3] = [8.0, 4.0, 1.0];

/// Share of the pairs that are members, and that are not; the rest is the attacker's.
const SHARE: f64 = 0.4;

/// Number of pairs that a loss is computed among.
const OTHERS: usize = 256;

/// Temperature of the loss of the attack.
const TEMPERATURE: f64 = 0.07;

pub fn run(data: &Data) -> Result<(), Box<dyn Error>> {
    let part = (data.examples.len() as f64 * SHARE) as usize;
    let (members, rest) = data.examples.split_at(part);
    let (strangers, own) = rest.split_at(part.min(rest.len()));
    let (members, strangers) = (Pairs::of(members)?, Pairs::of(strangers)?);
    let others = Pairs::of(&own[..OTHERS.min(own.len())])?;
    let reference = ordinary(data, &Pairs::of(own)?)?;
    println!(
        "\n## Membership inference: {} pairs trained on, {} not",
        members.len(),
        strangers.len()
    );
    println!(
        "{:<28}{:>10}{:>12}{:>12}{:>10}",
        "", "AUC", "calibrated", "recall@10", "noise"
    );
    let line = |name: &str, heads: &Heads, noise: Option<f64>| -> Result<(), TrainError> {
        let losses = [&members, &strangers].map(|pairs| losses(heads, pairs, &others));
        let [of_members, of_strangers] = losses;
        let (of_members, of_strangers) = (of_members?, of_strangers?);
        let plain = auc(&of_members, &of_strangers);
        let calibrated = |losses: &[f64], pairs: &Pairs| -> Result<Vec<f64>, TrainError> {
            let difficulty = self::losses(&reference, pairs, &others)?;
            Ok(losses
                .iter()
                .zip(difficulty)
                .map(|(loss, of)| loss - of)
                .collect())
        };
        let calibrated = auc(
            &calibrated(&of_members, &members)?,
            &calibrated(&of_strangers, &strangers)?,
        );
        let recall = evaluate_pairs(heads, &strangers)?
            .quality
            .text_to_image
            .recall_10;
        let noise = noise.map_or("-".to_owned(), |z| format!("{z:.2}"));
        println!("{name:<28}{plain:>10.3}{calibrated:>12.3}{recall:>12.3}{noise:>10}");
        Ok(())
    };
    line("ordinary training", &ordinary(data, &members)?, None)?;
    for epsilon in EPSILONS {
        let privacy = Privacy {
            epsilon,
            ..Privacy::default()
        };
        let private = train_private(&data.encoders, &Recipe::default(), &privacy, &members)?;
        let name = format!("private, epsilon {epsilon}");
        let noise = private.account.noise_multiplier;
        line(&name, &private.heads, Some(noise))?;
    }
    Ok(())
}

fn ordinary(data: &Data, pairs: &Pairs) -> Result<Heads, TrainError> {
    let recipe = Recipe::default();
    Ok(train_fresh(&data.encoders, &recipe, pairs, None, None, &mut |_| ())?.heads)
}

/// Returns the contrastive loss of each of `pairs` among `others`, in both directions.
fn losses(heads: &Heads, pairs: &Pairs, others: &Pairs) -> Result<Vec<f64>, TrainError> {
    let text = heads.embed(Modality::Text, &pairs.text)?;
    let image = heads.embed(Modality::Image, &pairs.image)?;
    let own: Vec<f32> = (&text * &image)?.sum(1)?.to_vec1()?;
    let mut all = vec![0.0; own.len()];
    for (query, modality, features) in [
        (&text, Modality::Image, &others.image),
        (&image, Modality::Text, &others.text),
    ] {
        let others = heads.embed(modality, features)?;
        let rows: Vec<Vec<f32>> = query.matmul(&others.t()?)?.to_vec2()?;
        for ((loss, own), row) in all.iter_mut().zip(&own).zip(rows) {
            let relative = |s: &f32| (f64::from(s - own) / TEMPERATURE).exp();
            *loss += (1.0 + row.iter().map(relative).sum::<f64>()).ln();
        }
    }
    Ok(all)
}

/// Returns the probability that a member has a smaller loss than a stranger.
fn auc(members: &[f64], strangers: &[f64]) -> f64 {
    let mut strangers = strangers.to_vec();
    strangers.sort_by(f64::total_cmp);
    let above = |loss: &f64| strangers.len() - strangers.partition_point(|other| other <= loss);
    let wins: usize = members.iter().map(above).sum();
    wins as f64 / (members.len() * strangers.len()).max(1) as f64
}
