//! Order of the positions: breadth-first, so that vectors walked one after the other lie near each other, and with
//! every vector reachable.

use super::{DEGREE, NONE};

/// Repairs `links` ([`DEGREE`] a point, [`NONE`] after the last) until a walk from the first `entries` points can
/// reach every point, and gives the points in breadth-first order; the entries stay first.
///
/// What no walk could reach (near-duplicates crowd each other out of the links) is put between two linked points:
/// one of those it links to links to it instead of to its farthest, which it takes over.
pub(super) fn reachable_order(links: &mut [u32], entries: usize) -> Vec<u32> {
    let mut order = Order::new(links.len() / DEGREE);
    (0..entries as u32).for_each(|entry| order.visit(entry));
    order.reach(links);
    let mut lost: Vec<u32> = (0..order.seen.len() as u32)
        .filter(|at| !order.seen[*at as usize])
        .collect();
    while !lost.is_empty() {
        let before = lost.len();
        lost.retain(|at| {
            if !order.seen[*at as usize] && splice(links, *at, &order.seen) {
                order.visit(*at);
                order.reach(links);
            }
            !order.seen[*at as usize]
        });
        // A group that links only to itself hangs on any point that was reached.
        if lost.len() == before {
            let at = lost.swap_remove(0);
            let anchor = order.order[at as usize % order.order.len()];
            take_place(links, anchor, at);
            order.visit(at);
            order.reach(links);
        }
    }
    order.order
}

/// Has one of those that `at` links to link to it; false where none of them is reached.
fn splice(links: &mut [u32], at: u32, reached: &[bool]) -> bool {
    let parent = row(links, at)
        .iter()
        .copied()
        .find(|to| *to != NONE && reached[*to as usize]);
    if let Some(parent) = parent {
        take_place(links, parent, at);
    }
    parent.is_some()
}

/// Puts a link to `at` into the row of `parent`, in the last place; `at` links to what stood there.
fn take_place(links: &mut [u32], parent: u32, at: u32) {
    let place = |links: &[u32], of: u32| {
        let free = row(links, of).iter().position(|to| *to == NONE);
        of as usize * DEGREE + free.unwrap_or(DEGREE - 1)
    };
    let from = place(links, parent);
    let moved = std::mem::replace(&mut links[from], at);
    if moved != NONE && moved != at && !row(links, at).contains(&moved) {
        let to = place(links, at);
        links[to] = moved;
    }
}

fn row(links: &[u32], at: u32) -> &[u32] {
    super::points::row(links, at, DEGREE)
}

/// What has been reached, in breadth-first order.
struct Order {
    order: Vec<u32>,
    seen: Vec<bool>,
    /// Of the order, how many had their links followed.
    followed: usize,
}

impl Order {
    fn new(len: usize) -> Self {
        Self {
            order: Vec::with_capacity(len),
            seen: vec![false; len],
            followed: 0,
        }
    }

    fn visit(&mut self, at: u32) {
        if !std::mem::replace(&mut self.seen[at as usize], true) {
            self.order.push(at);
        }
    }

    fn reach(&mut self, links: &[u32]) {
        while let Some(at) = self.order.get(self.followed).copied() {
            row(links, at)
                .iter()
                .filter(|to| **to != NONE)
                .for_each(|to| self.visit(*to));
            self.followed += 1;
        }
    }
}
