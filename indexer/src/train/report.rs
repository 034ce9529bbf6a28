//! Report of a training, as JSON and as a self-contained HTML file.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::gather::Gathered;
use super::guard::Decision;
use super::private::Account;
use super::{Epoch, Recipe};
use crate::encode::ModelError;
use crate::space::heads::write_json;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;

/// Report of a training, stored with the heads as `report.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the heads.
    pub heads: String,
    /// Kind of the transfer, if there was one: feature, model or finetune.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<super::transfer::Transfer>,
    /// Hyperparameters.
    pub recipe: Recipe,
    /// Number of the catalog's items with and without features.
    pub items: Gathered,
    /// Sizes of the training, early stopping and held-out sets.
    pub split: Split,
    /// Training curve.
    pub curve: Vec<Epoch>,
    /// Number of the best epoch; 0 is the start.
    pub best_epoch: usize,
    /// Cost of a private training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Account>,
    /// Duration of the training in seconds, without the extraction of features.
    pub seconds: f64,
    /// Decision on the promotion.
    pub decision: Decision,
}

/// Numbers of pairs and users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Number of training pairs.
    pub train: usize,
    /// Number of pairs that select the best epoch.
    pub stop: usize,
    /// Number of held-out pairs, which the decision is based on.
    pub held_out: usize,
    /// Number of users or sessions with items of different categories, held-out ones included; 0
    /// without events.
    #[serde(default, rename = "people")]
    pub users: usize,
}

impl Report {
    /// Writes `report.json`, `report.html` and `decision.json` into `dir`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        write_json(&dir.join("report.json"), self)?;
        write_json(&dir.join("decision.json"), &self.decision)?;
        let path = dir.join("report.html");
        std::fs::write(&path, self.html()).map_err(|source| ModelError::Io { path, source })
    }

    fn html(&self) -> String {
        let decision = &self.decision;
        let mut rows = row(
            "candidate",
            decision.candidate.as_ref(),
            decision.co_purchases,
        );
        for c in &decision.comparisons {
            rows += &row(&c.rival, c.quality.as_ref(), c.co_purchases);
        }
        let loss: Vec<f64> = self.curve.iter().map(|e| e.loss).collect();
        let score: Vec<f64> = self
            .curve
            .iter()
            .filter_map(|e| e.held_out.map(|q| q.score))
            .collect();
        let ndcg: Vec<f64> = self.curve.iter().filter_map(|e| e.co_purchases).collect();
        let Split {
            train,
            stop,
            held_out,
            users,
        } = self.split;
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{name}</title><style>{STYLE}</style>\
             <h1>{name}</h1><p><b>{verdict}</b>: {reason}.</p>\
             <p>Pairs: {train} training, {stop} early stopping (best epoch {best} of {epochs}), {held_out} held out. \
             Users or sessions with items of several categories: {users}, of which {measured} held out.</p>\
             <table><tr><th><th colspan=\"3\">text to image: recall at 1, 5, 10<th colspan=\"3\">image to text\
             <th>same label<th>score<th>co-purchases: NDCG@10</tr>{rows}</table>\
             <h2>Loss</h2>{loss}<h2>Score on the early stopping pairs</h2>{score}\
             <h2>NDCG@10 of co-purchases of the early stopping users</h2>{ndcg}</html>\n",
            name = escape(&self.heads),
            verdict = if decision.promoted {
                "promoted"
            } else {
                "not promoted"
            },
            reason = escape(&decision.reason),
            best = self.best_epoch,
            epochs = self.curve.len(),
            loss = chart(&loss),
            score = chart(&score),
            ndcg = chart(&ndcg),
            measured = decision.users,
        )
    }
}

const STYLE: &str = "body{font:15px sans-serif;margin:2em;max-width:60em}td,th{padding:.2em .7em;text-align:right}\
                     th:first-child,td:first-child{text-align:left}svg{background:#f6f6f6}";

/// A row of the table of metrics.
fn row(name: &str, pairs: Option<&super::metrics::Quality>, co_purchases: Option<f64>) -> String {
    let cell = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3}"));
    let recalls = |r: super::metrics::Retrieval| [r.recall_1, r.recall_5, r.recall_10];
    let mut row = format!("<tr><td>{}", escape(name));
    let both = |q: &super::metrics::Quality| [recalls(q.text_to_image), recalls(q.image_to_text)];
    let recalls = pairs.map(both).map(|both| both.concat());
    for i in 0..6 {
        let _ = write!(row, "<td>{}", cell(recalls.as_ref().map(|all| all[i])));
    }
    let (label, score) = (pairs.and_then(|q| q.same_label), pairs.map(|q| q.score));
    let _ = write!(
        row,
        "<td>{}<td>{}<td>{}</tr>",
        cell(label),
        cell(score),
        cell(co_purchases)
    );
    row
}

/// A line chart over epochs, as SVG.
fn chart(values: &[f64]) -> String {
    let (low, high) = values
        .iter()
        .fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    if values.len() < 2 {
        return "<p>too few points</p>".to_owned();
    }
    let span = (high - low).max(1e-9);
    let mut points = String::new();
    for (i, value) in values.iter().enumerate() {
        let x = 50.0 + (WIDTH - 60.0) * i as f64 / (values.len() - 1) as f64;
        let y = 10.0 + (HEIGHT - 30.0) * (high - value) / span;
        let _ = write!(points, "{x:.1},{y:.1} ");
    }
    format!(
        "<svg width=\"{WIDTH}\" height=\"{HEIGHT}\" font-size=\"11\"><text x=\"4\" y=\"16\">{high:.3}</text>\
         <text x=\"4\" y=\"{bottom}\">{low:.3}</text><text x=\"{right}\" y=\"{edge}\">epoch {n}</text>\
         <polyline points=\"{points}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2\"/></svg>",
        bottom = HEIGHT - 20.0,
        right = WIDTH - 70.0,
        edge = HEIGHT - 4.0,
        n = values.len(),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
