//! Division of examples among shops.

use crate::federate::FederateError;
use crate::train::{Example, Pairs};

/// Kind of a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Partition {
    /// At random: all shops sell the same.
    Iid,
    /// By category: each shop sells a few categories, few shops the same.
    Category,
}

/// Divides examples, in random order, among `shops` shops of nearly equal size.
///
/// # Errors
/// There are more shops than examples.
pub fn partition(
    examples: &[Example],
    shops: usize,
    by: Partition,
) -> Result<Vec<Pairs>, FederateError> {
    let mut order: Vec<&Example> = examples.iter().collect();
    if by == Partition::Category {
        order.sort_by(|a, b| (&a.category, &a.label).cmp(&(&b.category, &b.label)));
    }
    let n = order.len();
    let bounds = (0..shops).map(|shop| shop * n / shops..(shop + 1) * n / shops);
    let pairs = bounds.map(|range| Ok(Pairs::of(order[range].iter().copied())?));
    pairs.collect()
}
