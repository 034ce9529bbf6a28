//! Logged pages, read from one JSON object per line.

use std::{
    collections::HashMap,
    io::{self, BufRead},
};

use super::line::Line;

/// An item, at a position if the propensities are those of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Action {
    /// Number of the item.
    pub item: u32,
    /// Position from 1; 0 if positions do not count.
    pub position: u32,
}

/// An item that was shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub action: Action,
    /// Probability under the logged policy.
    pub propensity: f64,
    /// Probability under the target policy.
    pub target: f64,
    pub reward: f64,
}

impl Shown {
    /// Returns the inverse propensity weight.
    pub fn weight(&self) -> f64 {
        self.target / self.propensity
    }
}

/// A logged page.
#[derive(Clone, Debug)]
pub(super) struct LoggedPage {
    /// Number of the user; a page without a user has one of its own.
    pub user: usize,
    pub shown: Vec<Shown>,
    /// All items of the target policy with their probabilities, where they are known.
    pub target: Option<Vec<(Action, f64)>>,
}

impl LoggedPage {
    /// Returns the number of items on the page of the target policy; where it is not known, as many
    /// as were shown.
    pub fn target_len(&self) -> f64 {
        match &self.target {
            Some(target) => target.iter().map(|(_, propensity)| propensity).sum(),
            None => self.shown.len() as f64,
        }
    }
}

/// Logged pages, and the lines that could not be read.
#[derive(Debug, Default)]
pub struct PolicyLog {
    pub(super) pages: Vec<LoggedPage>,
    /// Number of users.
    pub(super) users: usize,
    /// Numbers of the lines that could not be read, from 1, each with the reason.
    pub rejections: Vec<(u64, String)>,
    users_by_name: HashMap<String, usize>,
    items: HashMap<String, u32>,
}

impl PolicyLog {
    /// Reads a log; a line that is invalid is left out. With `by_position`, propensities are those
    /// of an item at its position, otherwise those of an item on the page.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn read(input: impl BufRead, by_position: bool) -> io::Result<Self> {
        let mut log = Self::default();
        // Bytes, so that a line with invalid UTF-8 costs that line alone.
        for (number, line) in (1..).zip(input.split(b'\n')) {
            let line = line?;
            if line.trim_ascii().is_empty() {
                continue;
            }
            match Line::parse(&line, by_position) {
                Ok(line) => log.add(line),
                Err(reason) => log.rejections.push((number, reason)),
            }
        }
        Ok(log)
    }

    /// Returns the number of pages.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Returns true if there are no pages.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Creates a log of pages whose users are numbered from 0.
    #[cfg(test)]
    pub(super) fn of_pages(pages: Vec<LoggedPage>) -> Self {
        let users = pages.iter().map(|page| page.user + 1).max();
        Self {
            users: users.unwrap_or(0),
            pages,
            ..Self::default()
        }
    }

    fn add(&mut self, line: Line) {
        let shown = line.hits.into_iter().map(|hit| Shown {
            action: self.action(hit.id, hit.position),
            propensity: hit.propensity,
            target: hit.target,
            reward: hit.reward,
        });
        let shown = shown.collect();
        let target = line.target.map(|target| {
            let target = target.into_iter();
            let actions = target.map(|item| (self.action(item.id, item.position), item.propensity));
            actions.collect()
        });
        let user = self.user(line.user);
        self.pages.push(LoggedPage {
            user,
            shown,
            target,
        });
    }

    fn action(&mut self, id: String, position: u32) -> Action {
        let next = self.items.len() as u32;
        let item = *self.items.entry(id).or_insert(next);
        Action { item, position }
    }

    fn user(&mut self, name: Option<String>) -> usize {
        let next = self.users;
        let user = match name {
            Some(name) => *self.users_by_name.entry(name).or_insert(next),
            None => next,
        };
        self.users += usize::from(user == next);
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str, by_position: bool) -> PolicyLog {
        PolicyLog::read(lines.as_bytes(), by_position).expect("readable")
    }

    fn item(fields: &str) -> String {
        format!(r#"{{"shown": [{{"id": "a", "reward": 1, {fields}}}]}}"#)
    }

    /// Returns the weights of the items of a page.
    fn weights(log: &PolicyLog, page: usize) -> Vec<f64> {
        log.pages[page].shown.iter().map(Shown::weight).collect()
    }

    #[test]
    fn both_forms_of_a_target_are_read() {
        let lines = [
            r#"{"user": "u", "shown": [{"id": "a", "propensity": 0.5, "reward": 1, "target_propensity": 0.25}]}"#,
            r#"{"user": "u", "request_id": "r2", "target": ["b", "a", "c"], "shown": [{"id": "a", "propensity": 1, "reward": 0}, {"id": "d", "propensity": 0.1, "reward": 2}]}"#,
        ];
        let log = read(&lines.join("\n"), false);
        assert!(log.rejections.is_empty(), "{:?}", log.rejections);
        assert_eq!((log.len(), log.users), (2, 1));
        assert_eq!(weights(&log, 0), [0.5]);
        assert_eq!(weights(&log, 1), [1.0, 0.0]);
        assert_eq!(log.pages[0].target_len(), 1.0);
        // The ranking is cut to the length of the page.
        assert_eq!(log.pages[1].target_len(), 2.0);
    }

    #[test]
    fn positions_count_only_where_asked() {
        let line = r#"{"target": ["b", "a"], "shown": [{"id": "a", "propensity": 0.5, "reward": 1}, {"id": "b", "propensity": 0.5, "reward": 0, "position": 1}]}"#;
        assert_eq!(weights(&read(line, false), 0), [2.0, 2.0]);
        assert_eq!(weights(&read(line, true), 0), [0.0, 2.0]);
    }

    #[test]
    fn a_random_target_may_have_more_items_than_the_page() {
        let target = r#"[{"id": "a", "propensity": 0.5}, {"id": "b", "propensity": 0.25}, {"id": "c", "propensity": 0.25}]"#;
        let line = format!(
            r#"{{"target": {target}, "shown": [{{"id": "c", "propensity": 0.5, "reward": 1}}]}}"#
        );
        let log = read(&line, false);
        assert_eq!(log.pages[0].target_len(), 1.0);
        assert_eq!(weights(&log, 0), [0.5]);
        let (_, reason) = &read(&line, true).rejections[0];
        assert!(reason.contains("/target/0/position"), "{reason}");
    }

    #[test]
    fn a_bad_line_costs_that_line_alone_and_names_the_field() {
        let twice = r#"{"target": [], "shown": [{"id": "a", "propensity": 1, "reward": 1}, {"id": "a", "propensity": 1, "reward": 1}]}"#;
        let lines = [
            (
                item(r#""propensity": 0, "target_propensity": 1"#),
                "/shown/0/propensity: expected above 0 and at most 1, got 0",
            ),
            (
                item(r#""propensity": 1.5, "target_propensity": 1"#),
                "got 1.5",
            ),
            (
                item(r#""propensity": 1, "target_propensity": 2"#),
                "/shown/0/target_propensity",
            ),
            (item(r#""propensity": 1"#), "got neither"),
            (
                item(r#""target_propensity": 1"#),
                "missing field `propensity`",
            ),
            (twice.to_owned(), "/shown/1/id: expected each item once"),
            (
                twice.replace("[]", r#"[{"id": "a", "propensity": -1}]"#),
                "/target/0/propensity",
            ),
            (
                r#"{"shown": [], "target": []}"#.to_owned(),
                "/shown: expected at least one item",
            ),
            (
                item(r#""propensity": 1, "target_propensity": 1"#)
                    .replace("\"reward\": 1", "\"reward\": -1"),
                "/shown/0/reward",
            ),
            ("no JSON".to_owned(), "line 1"),
        ];
        let good = item(r#""propensity": 1, "target_propensity": 1"#);
        for (line, reason) in lines {
            let log = read(&format!("{good}\n{line}\n\n{good}"), false);
            assert_eq!(log.len(), 2, "{line}");
            let [(2, got)] = &log.rejections[..] else {
                panic!("{line}: {:?}", log.rejections);
            };
            assert!(got.contains(reason), "{line}: {got}");
        }
    }
}
