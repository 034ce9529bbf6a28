//! Splits of interactions into training and test sets.

use std::{cmp::Reverse, collections::HashMap};

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{Error, Result};

/// An event of a user with an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interaction {
    /// Number of the user.
    pub user: u32,
    /// Number of the item.
    pub item: u32,
    /// Weight, which is positive.
    pub weight: f32,
    /// Time in microseconds since 1970.
    pub at: i64,
}

/// Training and test interactions, each in the given order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Interactions to train on.
    pub train: Vec<Interaction>,
    /// Interactions to test on.
    pub test: Vec<Interaction>,
}

impl Split {
    /// Tests on the latest `share` of the interactions, cut at one time for all users, as in
    /// production: nothing of the future is learned. Interactions at the time of the cut are all in
    /// the test set.
    ///
    /// # Errors
    /// A share that is not from 0 to 1.
    pub fn temporal(interactions: &[Interaction], share: f64) -> Result<Self> {
        let tested = held_out(interactions.len(), share)?;
        let mut times: Vec<_> = interactions.iter().map(|i| i.at).collect();
        times.sort_unstable_by_key(|at| Reverse(*at));
        Ok(match tested.checked_sub(1) {
            Some(last) => Self::by(interactions, |_, i| i.at >= times[last]),
            None => Self::by(interactions, |_, _| false),
        })
    }

    /// Tests on the interactions from `cut` on, in microseconds since 1970.
    pub fn at(interactions: &[Interaction], cut: i64) -> Self {
        Self::by(interactions, |_, i| i.at >= cut)
    }

    /// Tests on the last `count` interactions of each user; among equal times, on the later ones in
    /// the list. Users with at most `count` interactions are only trained on.
    pub fn leave_last(interactions: &[Interaction], count: usize) -> Self {
        let mut of_user: HashMap<u32, Vec<usize>> = HashMap::new();
        for (n, interaction) in interactions.iter().enumerate() {
            of_user.entry(interaction.user).or_default().push(n);
        }
        let mut tested = vec![false; interactions.len()];
        for indices in of_user.values_mut().filter(|indices| indices.len() > count) {
            indices.sort_unstable_by_key(|n| Reverse((interactions[*n].at, *n)));
            indices[..count].iter().for_each(|n| tested[*n] = true);
        }
        Self::by(interactions, |n, _| tested[n])
    }

    /// Tests on a random `share` of the interactions.
    ///
    /// # Errors
    /// A share that is not from 0 to 1.
    pub fn random(interactions: &[Interaction], share: f64, seed: u64) -> Result<Self> {
        let count = held_out(interactions.len(), share)?;
        let mut tested: Vec<_> = (0..interactions.len()).map(|n| n < count).collect();
        tested.shuffle(&mut StdRng::seed_from_u64(seed));
        Ok(Self::by(interactions, |n, _| tested[n]))
    }

    fn by(interactions: &[Interaction], tested: impl Fn(usize, &Interaction) -> bool) -> Self {
        let mut split = Self::default();
        for (n, interaction) in interactions.iter().enumerate() {
            let side = if tested(n, interaction) {
                &mut split.test
            } else {
                &mut split.train
            };
            side.push(*interaction);
        }
        split
    }
}

fn held_out(count: usize, share: f64) -> Result<usize> {
    if !(0.0..=1.0).contains(&share) {
        let detail = format!("expected a share from 0 to 1, got {share}");
        return Err(Error::invalid("/share", detail));
    }
    Ok((count as f64 * share).round() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(times: &[(u32, i64)]) -> Vec<Interaction> {
        let event = |(n, (user, at)): (u32, &(u32, i64))| Interaction {
            user: *user,
            item: n,
            weight: 1.0,
            at: *at,
        };
        (0..).zip(times).map(event).collect()
    }

    fn tested(split: &Split) -> Vec<u32> {
        split.test.iter().map(|i| i.item).collect()
    }

    #[test]
    fn temporal_cuts_at_one_time() {
        let events = events(&[(0, 50), (0, 10), (1, 40), (1, 20), (2, 40), (2, 30)]);
        assert_eq!(
            tested(&Split::temporal(&events, 0.34).expect("valid")),
            [0, 2, 4],
            "both at time 40"
        );
        assert!(tested(&Split::temporal(&events, 0.0).expect("valid")).is_empty());
        assert_eq!(Split::temporal(&events, 1.0).expect("valid").train, []);
        assert_eq!(Split::temporal(&[], 0.5).expect("valid"), Split::default());
        assert_eq!(tested(&Split::at(&events, 30)), [0, 2, 4, 5]);
        assert_eq!(tested(&Split::at(&events, 51)), [0_u32; 0]);
    }

    #[test]
    fn leave_last_takes_the_latest_of_each_user() {
        let events = events(&[(0, 5), (1, 9), (0, 3), (0, 5), (2, 1), (2, 2)]);
        assert_eq!(
            tested(&Split::leave_last(&events, 1)),
            [3, 5],
            "the later of two at one time"
        );
        assert_eq!(tested(&Split::leave_last(&events, 2)), [0, 3]);
        assert!(tested(&Split::leave_last(&events, 0)).is_empty());
    }

    #[test]
    fn random_takes_its_share_by_the_seed() {
        let events = events(&[(0, 0); 100]);
        let split = Split::random(&events, 0.2, 1).expect("valid");
        assert_eq!((split.train.len(), split.test.len()), (80, 20));
        assert_eq!(split, Split::random(&events, 0.2, 1).expect("valid"));
        assert_ne!(split, Split::random(&events, 0.2, 2).expect("valid"));
        for share in [-0.1, 1.1, f64::NAN] {
            assert!(
                Split::random(&events, share, 0).is_err()
                    && Split::temporal(&events, share).is_err()
            );
        }
    }
}
