//! A pairing heap, ordered by due time. Its nodes live in the slots, so it needs no memory of its own.
//!
//! Insertion is constant, all else logarithmic, amortised (Fredman, Sedgewick, Sleator and Tarjan 1986).

/// No node.
pub(crate) const NONE: u32 = u32::MAX;

/// A node's place in the heap, or on a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    /// The previous sibling; for a first child, the parent.
    pub(crate) before: u32,
    /// The next sibling.
    pub(crate) behind: u32,
    /// The first child.
    pub(crate) child: u32,
}

impl Links {
    /// A node in no heap and on no list.
    pub(crate) const ALONE: Links = Links { before: NONE, behind: NONE, child: NONE };
}

/// The nodes, by their numbers.
pub(crate) trait Nodes {
    fn links(&mut self, node: u32) -> &mut Links;

    /// Whether a node is due no later than another one.
    fn is_first(&self, node: u32, other: u32) -> bool;
}

/// Inserts a node into the heap. Returns the new root.
pub(crate) fn insert<N: Nodes + ?Sized>(nodes: &mut N, root: u32, node: u32) -> u32 {
    *nodes.links(node) = Links::ALONE;
    if root == NONE { node } else { meld(nodes, root, node) }
}

/// Removes a node from the heap. Returns the new root.
pub(crate) fn remove<N: Nodes + ?Sized>(nodes: &mut N, root: u32, node: u32) -> u32 {
    let links = *nodes.links(node);
    if node == root && links.child == NONE { NONE } else { cut(nodes, root, node, links) }
}

/// Removes a node from a heap that has others.
#[inline(never)]
fn cut<N: Nodes + ?Sized>(nodes: &mut N, root: u32, node: u32, links: Links) -> u32 {
    let Links { before, behind, child } = links;
    let children = meld_all(nodes, child);
    if node == root {
        return children;
    }
    let front = nodes.links(before);
    if front.child == node {
        front.child = behind;
    } else {
        front.behind = behind;
    }
    if behind != NONE {
        nodes.links(behind).before = before;
    }
    meld(nodes, root, children)
}

/// Melds two heaps into one.
fn meld<N: Nodes + ?Sized>(nodes: &mut N, one: u32, other: u32) -> u32 {
    if one == NONE || other == NONE {
        return if one == NONE { other } else { one };
    }
    let (root, child) = if nodes.is_first(one, other) { (one, other) } else { (other, one) };
    let behind = core::mem::replace(&mut nodes.links(root).child, child);
    if behind != NONE {
        nodes.links(behind).before = child;
    }
    let links = nodes.links(child);
    (links.before, links.behind) = (root, behind);
    root
}

/// Melds siblings into one heap: in pairs from the first on, then the pairs from the last on. This order bounds the cost.
fn meld_all<N: Nodes + ?Sized>(nodes: &mut N, mut first: u32) -> u32 {
    // Linked by `behind`, the last pair first.
    let mut pairs = NONE;
    while first != NONE {
        let second = take(nodes, first);
        let behind = if second == NONE { NONE } else { take(nodes, second) };
        let pair = meld(nodes, first, second);
        nodes.links(pair).behind = pairs;
        (pairs, first) = (pair, behind);
    }
    let mut root = NONE;
    while pairs != NONE {
        let behind = take(nodes, pairs);
        root = meld(nodes, root, pairs);
        pairs = behind;
    }
    root
}

/// Unlinks a node from its siblings. Returns the next one.
fn take<N: Nodes + ?Sized>(nodes: &mut N, node: u32) -> u32 {
    let links = nodes.links(node);
    links.before = NONE;
    core::mem::replace(&mut links.behind, NONE)
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    const COUNT: usize = 4_096;

    /// Nodes with their times, and how often two have been compared.
    struct Timed {
        nodes: [(u32, Links); COUNT],
        compared: Cell<u32>,
    }

    impl Nodes for Timed {
        fn links(&mut self, node: u32) -> &mut Links {
            &mut self.nodes[node as usize].1
        }

        fn is_first(&self, node: u32, other: u32) -> bool {
            self.compared.set(self.compared.get() + 1);
            self.nodes[node as usize].0 <= self.nodes[other as usize].0
        }
    }

    fn timed(time: impl Fn(u32) -> u32) -> Timed {
        Timed { nodes: core::array::from_fn(|node| (time(node as u32), Links::ALONE)), compared: Cell::new(0) }
    }

    /// A pseudo-random number: steps of an odd stride.
    fn scattered(node: u32) -> u32 {
        node * 2_039 % COUNT as u32
    }

    /// Nodes leave in the order of their times, whatever the order of insertion, within the bounds of cost.
    #[test]
    fn in_order_at_logarithmic_cost() {
        let orders: [(&str, fn(u32) -> u32); 4] = [
            ("oldest first", |node| node),
            ("newest first", |node| COUNT as u32 - node),
            ("scattered", scattered),
            ("all at once", |_| 7),
        ];
        for (order, time) in orders {
            let mut nodes = timed(time);
            let mut root = NONE;
            for node in 0..COUNT as u32 {
                root = insert(&mut nodes, root, node);
            }
            assert_eq!(nodes.compared.get(), COUNT as u32 - 1, "{order}: one comparison per insertion");
            let (mut count, mut last) = (0, 0);
            while root != NONE {
                let time = nodes.nodes[root as usize].0;
                assert!(time >= last, "{order}");
                (count, last) = (count + 1, time);
                root = remove(&mut nodes, root, root);
            }
            assert_eq!(count, COUNT, "{order}");
            let compared = nodes.compared.get() / COUNT as u32;
            assert!(compared <= 2 * COUNT.ilog2(), "{order}: {compared} comparisons per node");
        }
    }

    /// Nodes may leave from anywhere, and come back at another time.
    #[test]
    fn moved_at_logarithmic_cost() {
        let mut nodes = timed(scattered);
        let mut root = NONE;
        for node in 0..COUNT as u32 {
            root = insert(&mut nodes, root, node);
        }
        let before = nodes.compared.get();
        for step in 0..COUNT as u32 {
            let node = step * 1_021 % COUNT as u32;
            root = remove(&mut nodes, root, node);
            nodes.nodes[node as usize].0 = step * 3_001 % COUNT as u32;
            root = insert(&mut nodes, root, node);
        }
        let compared = (nodes.compared.get() - before) / COUNT as u32;
        assert!(compared <= 2 * COUNT.ilog2(), "{compared} comparisons per move");
        for node in (0..COUNT as u32).step_by(2) {
            root = remove(&mut nodes, root, node);
        }
        let (mut count, mut last) = (0, 0);
        while root != NONE {
            assert_eq!(root % 2, 1);
            let time = nodes.nodes[root as usize].0;
            assert!(time >= last);
            (count, last) = (count + 1, time);
            root = remove(&mut nodes, root, root);
        }
        assert_eq!(count, COUNT / 2);
    }
}
