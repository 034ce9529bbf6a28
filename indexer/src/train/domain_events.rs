//! Choices of users by category: which category's events improve recommendations of another.

use std::collections::{HashMap, HashSet};

use vitrine::cf::{DomainModel, ItemDomains, Matrix, ModelSettings, TransferEstimate};

use super::domains::Users;

/// Seed of the held-out items.
const SEED: u64 = 1;

/// Choices of users, with the categories of the items.
#[derive(Debug, Default)]
pub struct DomainEvents {
    users: HashMap<String, u32>,
    items: HashMap<String, u32>,
    /// Category of each item.
    categories: Vec<String>,
    /// Pairs of user and item.
    choices: HashSet<(u32, u32)>,
}

impl DomainEvents {
    /// Adds an event of a user with an item.
    pub fn add(&mut self, user: &str, item: &str, category: &str) {
        let user = number(&mut self.users, user);
        let item = number(&mut self.items, item);
        if item as usize == self.categories.len() {
            self.categories.push(category.to_owned());
        }
        self.choices.insert((user, item));
    }

    /// Returns true if there are no events.
    pub fn is_empty(&self) -> bool {
        self.choices.is_empty()
    }

    /// Returns the users of each category.
    pub fn users(&self) -> Users {
        let names: HashMap<u32, &String> = self.users.iter().map(|(name, n)| (*n, name)).collect();
        let mut users = Users::new();
        for (user, item) in &self.choices {
            let category = self.categories[*item as usize].clone();
            users
                .entry(category)
                .or_default()
                .insert(names[user].clone());
        }
        users
    }

    /// Estimates how much a source counts in recommendations of the target by item-kNN, on held-out
    /// items; `None` if too few users have two items of the target.
    ///
    /// # Errors
    /// None: interactions are numbered here.
    pub fn transfer(
        &self,
        target: &str,
        source: &str,
    ) -> Result<Option<TransferEstimate>, vitrine::Error> {
        // Items of the target come first.
        let of = |name: &str| {
            let items = (0_u32..).zip(&self.categories);
            items
                .filter(|(_, category)| *category == name)
                .map(|(item, _)| item)
                .collect()
        };
        let (own, other): (Vec<u32>, Vec<u32>) = (of(target), of(source));
        if own.is_empty() {
            return Ok(None);
        }
        let items = own.iter().chain(&other).copied();
        let numbers: HashMap<u32, u32> = items.zip(0..).collect();
        let domains = [vec![0; own.len()], vec![1; other.len()]].concat();
        let mut choices: Vec<_> = self
            .choices
            .iter()
            .filter_map(|(user, item)| Some((*user, *numbers.get(item)?, 1.0)))
            .collect();
        choices.sort_unstable_by_key(|choice| (choice.0, choice.1));
        let matrix = Matrix::from_triples(self.users.len(), numbers.len(), choices)?;
        let settings = ModelSettings::ItemKnn(Default::default());
        let domains = ItemDomains::new(domains)?;
        DomainModel::estimate_target(&matrix, &domains, 0, &settings, SEED)
    }
}

fn number(numbers: &mut HashMap<String, u32>, name: &str) -> u32 {
    if let Some(number) = numbers.get(name) {
        return *number;
    }
    let number = numbers.len() as u32;
    numbers.insert(name.to_owned(), number);
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_same_groups_count_and_users_are_those_of_each_category() {
        let mut events = DomainEvents::default();
        for user in 0..300 {
            let group = user % 6;
            let name = format!("u{user}");
            for n in 0..3 {
                let item = 10 * group + (user / 6 * 7 + n * 3) % 10;
                events.add(&name, &format!("t{item}"), "Tents");
            }
            for n in 0..6 {
                let item = 10 * group + (user / 6 + n) % 10;
                events.add(&name, &format!("b{item}"), "Books");
            }
        }
        assert_eq!(events.users()["Tents"].len(), 300);
        let estimate = events.transfer("Tents", "Books").expect("valid");
        let estimate = estimate.expect("enough users");
        assert!(estimate.weight > 0.0, "{estimate:?}");
        assert_eq!(events.transfer("Hats", "Books").expect("valid"), None);
    }
}
