//! From a graph by numbers to flat arrays by position: breadth-first, so that vectors walked one after the other
//! lie near each other, and with every vector reachable.

use std::collections::HashMap;

use super::{DEGREE, ENTRIES, NONE, Node};

/// Flat arrays of a graph.
pub(super) struct Layout {
    /// Number by position.
    pub numbers: Vec<u32>,
    /// Positions, [`DEGREE`] a vector, [`NONE`] after the last.
    pub links: Vec<u32>,
    /// Positions where walks may start.
    pub entries: Vec<u32>,
}

/// Lays out a graph. What no walk could reach (near-duplicates crowd each other out of the links) gets a link from
/// one of those it links to, where they have a free place, and is an entry otherwise.
pub(super) fn lay_out(nodes: &[Node]) -> Layout {
    let mut graph = Graph::of(nodes);
    // The highest first: layers are drawn at random, so these are a sample of the whole.
    let mut start: Vec<usize> = (0..nodes.len()).collect();
    start.sort_by_key(|at| std::cmp::Reverse(nodes[*at].level));
    start.truncate(ENTRIES);
    let mut order = Order::new(nodes.len());
    order.reach(&graph, start.iter().copied());
    let mut entries = start;
    for at in 0..nodes.len() {
        if !order.seen[at] {
            if !graph.adopt(at, &order.seen) {
                entries.push(at);
            }
            order.reach(&graph, [at]);
        }
    }
    let mut position = vec![NONE; nodes.len()];
    for (at, p) in order.order.iter().zip(0..) {
        position[*at] = p;
    }
    let mut links = vec![NONE; nodes.len() * DEGREE];
    for (row, at) in links.chunks_exact_mut(DEGREE).zip(&order.order) {
        for (link, to) in row.iter_mut().zip(&graph.links[*at]) {
            *link = position[*to];
        }
    }
    Layout {
        numbers: order.order.iter().map(|at| nodes[*at].number).collect(),
        links,
        entries: entries.iter().map(|at| position[*at]).collect(),
    }
}

/// Links by index into the nodes.
struct Graph {
    links: Vec<Vec<usize>>,
}

impl Graph {
    fn of(nodes: &[Node]) -> Self {
        let index: HashMap<u32, usize> = nodes.iter().map(|n| n.number).zip(0..).collect();
        let row = |node: &Node| {
            let known = node.links.iter().filter_map(|n| index.get(n).copied());
            known.take(DEGREE).collect()
        };
        Self {
            links: nodes.iter().map(row).collect(),
        }
    }

    /// Links to `at` from one of those it links to; false where none is reached and has a free place.
    fn adopt(&mut self, at: usize, reached: &[bool]) -> bool {
        let free = |to: &usize| reached[*to] && self.links[*to].len() < DEGREE;
        match self.links[at].iter().copied().find(|to| free(to)) {
            Some(parent) => {
                self.links[parent].push(at);
                true
            }
            None => false,
        }
    }
}

/// What has been reached, in breadth-first order.
struct Order {
    order: Vec<usize>,
    seen: Vec<bool>,
}

impl Order {
    fn new(len: usize) -> Self {
        Self {
            order: Vec::with_capacity(len),
            seen: vec![false; len],
        }
    }

    fn visit(&mut self, at: usize) {
        if !std::mem::replace(&mut self.seen[at], true) {
            self.order.push(at);
        }
    }

    fn reach(&mut self, graph: &Graph, from: impl IntoIterator<Item = usize>) {
        let mut next = self.order.len();
        from.into_iter().for_each(|at| self.visit(at));
        while let Some(at) = self.order.get(next).copied() {
            graph.links[at].iter().for_each(|to| self.visit(*to));
            next += 1;
        }
    }
}
