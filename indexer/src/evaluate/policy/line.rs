//! A line of a log: the JSON form of a page, and its checks.

use std::collections::HashSet;

use serde::Deserialize;

/// A line as it is written.
#[derive(Deserialize)]
struct WrittenLine {
    user: Option<String>,
    shown: Vec<WrittenHit>,
    target: Option<Vec<WrittenTarget>>,
}

/// An item that was shown.
#[derive(Deserialize)]
struct WrittenHit {
    id: String,
    /// From 1; by default the order of the list.
    position: Option<u32>,
    propensity: f64,
    reward: f64,
    /// Probability under the target policy, if the line has no `target`.
    target_propensity: Option<f64>,
}

/// An item that the target policy shows: for certain, or with a probability.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected an item id or {\"id\": ..., \"propensity\": ...}"
)]
enum WrittenTarget {
    Id(String),
    Item {
        id: String,
        position: Option<u32>,
        propensity: f64,
    },
}

/// A checked line.
pub(super) struct Line {
    /// Pages of one user are not independent.
    pub user: Option<String>,
    pub hits: Vec<Hit>,
    /// All items that the target policy may show, where they are known.
    pub target: Option<Vec<TargetItem>>,
}

/// An item that was shown.
pub(super) struct Hit {
    pub id: String,
    /// Position from 1; 0 if positions do not count.
    pub position: u32,
    /// Probability under the logged policy.
    pub propensity: f64,
    pub reward: f64,
    /// Probability under the target policy.
    pub target: f64,
}

/// An item of the target policy.
pub(super) struct TargetItem {
    pub id: String,
    /// Position from 1; 0 if positions do not count.
    pub position: u32,
    pub propensity: f64,
}

impl Line {
    /// Reads and checks a line. Errors begin with a pointer to the field.
    pub fn parse(json: &[u8], by_position: bool) -> Result<Self, String> {
        let line: WrittenLine = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        if line.shown.is_empty() {
            return Err("/shown: expected at least one item, got none".to_owned());
        }
        let len = line.shown.len();
        let target = line.target.map(|target| resolve(target, len, by_position));
        let target = target.transpose()?;
        let items = target.iter().flatten();
        check_distinct(
            "/target",
            items.map(|item| (item.id.as_str(), item.position)),
        )?;
        let hits = line.shown.into_iter().enumerate();
        let hits = hits.map(|(index, hit)| hit.check(index, target.as_deref(), by_position));
        let hits = hits.collect::<Result<Vec<Hit>, String>>()?;
        check_distinct(
            "/shown",
            hits.iter().map(|hit| (hit.id.as_str(), hit.position)),
        )?;
        Ok(Self {
            user: line.user,
            hits,
            target,
        })
    }
}

impl WrittenHit {
    fn check(
        self,
        index: usize,
        target: Option<&[TargetItem]>,
        by_position: bool,
    ) -> Result<Hit, String> {
        let at = |field: &str| format!("/shown/{index}/{field}");
        let position = self.position.unwrap_or(index as u32 + 1);
        let position = if by_position { position } else { 0 };
        if !(self.propensity > 0.0 && self.propensity <= 1.0) {
            let (at, got) = (at("propensity"), self.propensity);
            return Err(format!("{at}: expected above 0 and at most 1, got {got}"));
        }
        if !(self.reward >= 0.0 && self.reward.is_finite()) {
            let (at, got) = (at("reward"), self.reward);
            return Err(format!("{at}: expected 0 or more, got {got}"));
        }
        let target = match (target, self.target_propensity) {
            (Some(target), None) => {
                let is_same = |item: &&TargetItem| item.id == self.id && item.position == position;
                let item = target.iter().find(is_same);
                item.map_or(0.0, |item| item.propensity)
            }
            (None, Some(propensity)) => probability(&at("target_propensity"), propensity)?,
            (target, _) => {
                let got = if target.is_some() { "both" } else { "neither" };
                return Err(format!(
                    "/shown/{index}: expected `target_propensity`, or `target` of the page, got {got}"
                ));
            }
        };
        Ok(Hit {
            id: self.id,
            position,
            propensity: self.propensity,
            reward: self.reward,
            target,
        })
    }
}

/// Returns the items of a target page. Of a ranking, given as ids, the first `len` count.
fn resolve(
    target: Vec<WrittenTarget>,
    len: usize,
    by_position: bool,
) -> Result<Vec<TargetItem>, String> {
    let mut items = Vec::new();
    for (index, written) in target.into_iter().enumerate() {
        let (id, position, propensity) = match written {
            WrittenTarget::Id(_) if index >= len => continue,
            WrittenTarget::Id(id) => (id, Some(index as u32 + 1), 1.0),
            WrittenTarget::Item {
                id,
                position,
                propensity,
            } => (id, position, propensity),
        };
        let position = match (by_position, position) {
            (false, _) => 0,
            (true, Some(position)) => position,
            (true, None) => {
                return Err(format!(
                    "/target/{index}/position: expected a position, got none"
                ));
            }
        };
        items.push(TargetItem {
            id,
            position,
            propensity: probability(&format!("/target/{index}/propensity"), propensity)?,
        });
    }
    Ok(items)
}

fn probability(at: &str, value: f64) -> Result<f64, String> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(value),
        false => Err(format!("{at}: expected 0 to 1, got {value}")),
    }
}

fn check_distinct<'a>(
    list: &str,
    items: impl Iterator<Item = (&'a str, u32)>,
) -> Result<(), String> {
    let mut seen = HashSet::new();
    for (index, item) in items.enumerate() {
        if !seen.insert(item) {
            return Err(format!(
                "{list}/{index}/id: expected each item once, got `{}` twice",
                item.0
            ));
        }
    }
    Ok(())
}
