//! Order of the points: breadth-first, so that vectors expanded one after the other are near each
//! other in memory, and with every vector reachable.

use super::{DEGREE, NONE};

/// Repairs `links` ([`DEGREE`] per point, [`NONE`] after the last) until a search from the first
/// `entry_points` points can reach every point, and returns the points in breadth-first order;
/// entry points stay first.
///
/// A point that no search could reach (near-duplicates crowd each other out of the links) is
/// inserted between two linked points: one of those it links to links to it instead of to its
/// farthest neighbor, which becomes a neighbor of the point.
pub(super) fn reachable_order(links: &mut [u32], entry_points: usize) -> Vec<u32> {
    let mut order = Order::new(links.len() / DEGREE);
    (0..entry_points as u32).for_each(|entry| order.append(entry));
    order.follow_links(links);
    let mut unreached: Vec<u32> = (0..order.seen.len() as u32)
        .filter(|point| !order.seen[*point as usize])
        .collect();
    while !unreached.is_empty() {
        let before = unreached.len();
        unreached.retain(|point| {
            if !order.seen[*point as usize] && splice(links, *point, &order.seen) {
                order.append(*point);
                order.follow_links(links);
            }
            !order.seen[*point as usize]
        });
        // A group that links only to itself is linked from any point that was reached.
        if unreached.len() == before {
            let point = unreached.swap_remove(0);
            let parent = order.order[point as usize % order.order.len()];
            insert_link(links, parent, point);
            order.append(point);
            order.follow_links(links);
        }
    }
    order.order
}

/// Makes one of the points that `point` links to link to it. Returns false if none of them is
/// reached.
fn splice(links: &mut [u32], point: u32, reached: &[bool]) -> bool {
    let parent = row(links, point)
        .iter()
        .copied()
        .find(|to| *to != NONE && reached[*to as usize]);
    if let Some(parent) = parent {
        insert_link(links, parent, point);
    }
    parent.is_some()
}

/// Writes a link to `point` into the first free place of the row of `parent`, or the last; a link
/// that was there is moved to the row of `point`.
fn insert_link(links: &mut [u32], parent: u32, point: u32) {
    let place = |links: &[u32], of: u32| {
        let free = row(links, of).iter().position(|to| *to == NONE);
        of as usize * DEGREE + free.unwrap_or(DEGREE - 1)
    };
    let from = place(links, parent);
    let moved = std::mem::replace(&mut links[from], point);
    if moved != NONE && moved != point && !row(links, point).contains(&moved) {
        let to = place(links, point);
        links[to] = moved;
    }
}

fn row(links: &[u32], point: u32) -> &[u32] {
    super::points::row(links, point, DEGREE)
}

/// The points reached so far, in breadth-first order.
struct Order {
    order: Vec<u32>,
    seen: Vec<bool>,
    /// Number of points of the order whose links were followed.
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

    fn append(&mut self, point: u32) {
        if !std::mem::replace(&mut self.seen[point as usize], true) {
            self.order.push(point);
        }
    }

    fn follow_links(&mut self, links: &[u32]) {
        while let Some(point) = self.order.get(self.followed).copied() {
            row(links, point)
                .iter()
                .filter(|to| **to != NONE)
                .for_each(|to| self.append(*to));
            self.followed += 1;
        }
    }
}
