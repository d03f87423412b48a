//! Putting steps in order. Most edges are certain; some only say what AWS probably wants, and yield where they would
//! close a circle.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

/// How certain an edge is. Of a circle's edges the least certain one yields.
///
/// What has been seen in AWS counts more than what the stack says: the stack describes the resources that are to be,
/// and AWS refuses a deletion by those that are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// It holds, always.
    Must,
    /// A user goes before what it uses: it has been seen to hold the other's identity, and the stack says so too.
    Confirmed,
    /// A user goes before what it uses: it has been seen to hold the other's identity.
    Observed,
    /// What is replaced create-first goes after the new one has come. Without it, it is replaced delete-first.
    Successor,
    /// Users move over before what they used goes.
    Moves,
    /// A user goes before what it uses: so said the stack when it was last applied.
    Applied,
    /// A user goes before what it uses: so says the stack.
    Desired,
}

/// One node needs another to come before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) node: usize,
    pub(super) needs: usize,
    pub(super) certainty: Certainty,
}

/// All nodes in order, and what each still needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sorted {
    pub(super) order: Vec<usize>,
    pub(super) needs: Vec<BTreeSet<usize>>,
}

/// Sorts nodes by their edges, ties by number.
///
/// # Errors
/// The nodes of a circle of edges that must hold.
pub(super) fn sort(count: usize, mut edges: Vec<Edge>) -> Result<Sorted, Vec<usize>> {
    edges.retain(|edge| edge.node != edge.needs);
    edges.sort_unstable();
    edges.dedup_by_key(|edge| (edge.node, edge.needs));
    let mut work = Work::new(count, &edges);
    let mut ready: BinaryHeap<Reverse<usize>> = (0..count).filter(|&n| work.needs[n].is_empty()).map(Reverse).collect();
    let mut first_open = 0;
    while work.order.len() < count {
        while let Some(Reverse(node)) = ready.pop() {
            work.finish(node, &mut ready);
        }
        while first_open < count && work.done[first_open] {
            first_open += 1;
        }
        if first_open < count {
            work.yield_one(first_open, &mut ready)?;
        }
    }
    let kept = edges.iter().filter(|edge| !work.yielded.contains(edge));
    let mut needs = vec![BTreeSet::new(); count];
    kept.for_each(|edge| {
        needs[edge.node].insert(edge.needs);
    });
    Ok(Sorted { order: work.order, needs })
}

struct Work {
    /// Unmet needs.
    needs: Vec<Vec<Edge>>,
    unmet: Vec<usize>,
    users: Vec<Vec<usize>>,
    done: Vec<bool>,
    order: Vec<usize>,
    yielded: BTreeSet<Edge>,
}

impl Work {
    fn new(count: usize, edges: &[Edge]) -> Self {
        let mut needs = vec![Vec::new(); count];
        let mut users = vec![Vec::new(); count];
        for edge in edges {
            needs[edge.node].push(*edge);
            users[edge.needs].push(edge.node);
        }
        let unmet = needs.iter().map(Vec::len).collect();
        let order = Vec::with_capacity(count);
        Self { needs, unmet, users, done: vec![false; count], order, yielded: BTreeSet::new() }
    }

    fn finish(&mut self, node: usize, ready: &mut BinaryHeap<Reverse<usize>>) {
        self.done[node] = true;
        self.order.push(node);
        for user in std::mem::take(&mut self.users[node]) {
            self.meet(user, ready);
        }
    }

    fn meet(&mut self, node: usize, ready: &mut BinaryHeap<Reverse<usize>>) {
        self.unmet[node] -= 1;
        if self.unmet[node] == 0 {
            ready.push(Reverse(node));
        }
    }

    /// Finds a circle from a node that cannot be reached, and takes its least certain edge out.
    fn yield_one(&mut self, from: usize, ready: &mut BinaryHeap<Reverse<usize>>) -> Result<(), Vec<usize>> {
        let circle = self.circle(from);
        let weakest = circle.iter().max_by_key(|edge| edge.certainty).copied();
        let Some(weakest) = weakest.filter(|edge| edge.certainty != Certainty::Must) else {
            return Err(circle.iter().map(|edge| edge.node).collect());
        };
        self.needs[weakest.node].retain(|edge| *edge != weakest);
        self.users[weakest.needs].retain(|user| *user != weakest.node);
        self.yielded.insert(weakest);
        self.meet(weakest.node, ready);
        Ok(())
    }

    fn circle(&self, from: usize) -> Vec<Edge> {
        let mut path: Vec<Edge> = Vec::new();
        let mut place = HashMap::new();
        let mut node = from;
        loop {
            if let Some(start) = place.insert(node, path.len()) {
                return path.split_off(start);
            }
            let Some(edge) = self.needs[node].iter().find(|edge| !self.done[edge.needs]) else { return path };
            path.push(*edge);
            node = edge.needs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(node: usize, needs: usize, certainty: Certainty) -> Edge {
        Edge { node, needs, certainty }
    }

    #[test]
    fn the_least_certain_edge_of_a_circle_yields() {
        let edges = vec![edge(0, 1, Certainty::Must), edge(1, 2, Certainty::Desired), edge(2, 0, Certainty::Observed)];
        let sorted = sort(3, edges).unwrap();
        assert_eq!(sorted.order, [1, 0, 2]);
        assert!(sorted.needs[1].is_empty());
    }

    #[test]
    fn a_circle_of_certain_edges_is_named() {
        let edges = vec![edge(0, 1, Certainty::Must), edge(1, 0, Certainty::Must), edge(2, 0, Certainty::Must)];
        assert_eq!(sort(3, edges).unwrap_err(), [0, 1]);
    }

    #[test]
    fn two_edges_between_the_same_nodes_count_as_the_more_certain_one() {
        let edges = vec![edge(0, 1, Certainty::Observed), edge(0, 1, Certainty::Must), edge(1, 0, Certainty::Applied)];
        assert_eq!(sort(2, edges).unwrap().order, [1, 0]);
    }
}
