//! Inclusion and consistency proofs: making them (RFC 9162 2.1.3.1, 2.1.4.1) and checking them
//! (2.1.3.2, 2.1.4.2).

use super::merkle::{Hash, node_hash};
use super::{LeafIndex, TreeHead, TreeSize};

/// The most hashes that a proof can need: one for each bit of a tree size.
pub const PROOF_HASHES_MAX: usize = 64;

/// Where the hashes of a tree are kept: in memory, in tiles, anywhere.
pub trait Nodes {
    /// The root of the perfect subtree over the leaves from `index * 2^level` to
    /// `(index + 1) * 2^level - 1`; level 0 holds the leaf hashes. `None` when it is not there.
    /// Only subtrees that lie wholly within the tree are asked for.
    fn node(&self, level: u32, index: u64) -> Option<Hash>;
}

/// Every node of a growing tree, in memory: 64 bytes for each leaf.
#[derive(Clone, Debug, Default)]
pub struct MemoryNodes {
    levels: Vec<Vec<Hash>>,
}

/// Why a proof is not made, or proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("leaf {index} is beyond the {size} leaves of the tree")]
    BeyondTree {
        /// The leaf that was asked for.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// The older tree is larger than the newer one.
    #[error("an older tree of {old} leaves is no part of one of {new}")]
    Shrunk {
        /// The size of the older tree.
        old: TreeSize,
        /// The size of the newer tree.
        new: TreeSize,
    },
    /// A node that the proof needs is not there.
    #[error("the node {index} of level {level} is missing")]
    MissingNode {
        /// The level; leaves are on level 0.
        level: u32,
        /// The place within the level.
        index: u64,
    },
    /// The proof has too few or too many hashes for these sizes.
    #[error("the proof has {0} hashes, which does not fit the sizes of the trees")]
    Length(usize),
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

impl MemoryNodes {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Appends the leaf with this hash.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(node);
            match row[..] {
                [.., left, right] if row.len().is_multiple_of(2) => node = node_hash(&left, &right),
                _ => return,
            }
        }
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        let leaves = self.levels.first().map_or(0, Vec::len);
        TreeSize::new(u64::try_from(leaves).expect("a usize fits in 64 bits"))
    }
}

impl Nodes for MemoryNodes {
    fn node(&self, level: u32, index: u64) -> Option<Hash> {
        let row = self.levels.get(usize::try_from(level).ok()?)?;
        row.get(usize::try_from(index).ok()?).copied()
    }
}

/// The root of the first `size` leaves.
///
/// # Errors
/// [`ProofError::MissingNode`].
pub fn root<N: Nodes + ?Sized>(nodes: &N, size: TreeSize) -> Result<Hash, ProofError> {
    if size == TreeSize::EMPTY { Ok(Hash::of_nothing()) } else { subtree(nodes, 0, size.as_u64()) }
}

/// Proves that leaf `index` is in the tree of the first `size` leaves: the siblings on the way
/// from the leaf up to the root.
///
/// # Errors
/// [`ProofError::BeyondTree`], [`ProofError::MissingNode`].
pub fn prove_inclusion<N: Nodes + ?Sized>(
    nodes: &N,
    index: LeafIndex,
    size: TreeSize,
) -> Result<Vec<Hash>, ProofError> {
    if !size.holds(index) {
        return Err(ProofError::BeyondTree { index, size });
    }
    let (mut start, mut end) = (0, size.as_u64());
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index.as_u64() < middle {
            proof.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(subtree(nodes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Proves that the tree of the first `old` leaves is a beginning of the tree of the first `new`
/// leaves. Empty when `old` is 0 or equals `new`.
///
/// # Errors
/// [`ProofError::Shrunk`], [`ProofError::MissingNode`].
pub fn prove_consistency<N: Nodes + ?Sized>(
    nodes: &N,
    old: TreeSize,
    new: TreeSize,
) -> Result<Vec<Hash>, ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == TreeSize::EMPTY || old == new {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new.as_u64());
    let mut proof = Vec::new();
    while old.as_u64() < end {
        let middle = start + split(end - start);
        if old.as_u64() <= middle {
            proof.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(subtree(nodes, start, middle)?);
            start = middle;
        }
    }
    // When nothing was split off on the left, what remains is the old tree itself, whose root the
    // verifier has.
    if start > 0 {
        proof.push(subtree(nodes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that the leaf with hash `leaf` is at `index` in `tree` (RFC 9162 2.1.3.2).
///
/// # Errors
/// Any [`ProofError`] but the one of a missing node.
pub fn verify_inclusion(
    leaf: &Hash,
    index: LeafIndex,
    tree: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if !tree.size.holds(index) {
        return Err(ProofError::BeyondTree { index, size: tree.size });
    }
    let mut climb = Climb { node: index.as_u64(), last: tree.size.as_u64() - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match climb.step().ok_or(ProofError::Length(proof.len()))? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    climb.finish(proof)?;
    if hash == tree.root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that `old` is a beginning of `new` (RFC 9162 2.1.4.2). The empty tree is a beginning of
/// every tree, and every tree of itself; both take an empty proof.
///
/// # Errors
/// Any [`ProofError`] but the one of a missing node.
pub fn verify_consistency(
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old.size > new.size {
        return Err(ProofError::Shrunk { old: old.size, new: new.size });
    }
    for tree in [old, new] {
        if tree.size == TreeSize::EMPTY && tree.root != Hash::of_nothing() {
            return Err(ProofError::Root);
        }
    }
    if old.size == TreeSize::EMPTY || old.size == new.size {
        return match proof {
            [] if old.size == new.size && old.root != new.root => Err(ProofError::Root),
            [] => Ok(()),
            _ => Err(ProofError::Length(proof.len())),
        };
    }
    // The climb starts at the last perfect subtree of the old tree.
    let last_old = old.size.as_u64() - 1;
    let level = last_old.trailing_ones();
    let mut climb = Climb { node: last_old >> level, last: (new.size.as_u64() - 1) >> level };
    let (first, rest) = if old.size.as_u64().is_power_of_two() {
        (&old.root, proof)
    } else {
        proof.split_first().ok_or(ProofError::Length(0))?
    };
    let (mut old_root, mut new_root) = (*first, *first);
    for sibling in rest {
        match climb.step().ok_or(ProofError::Length(proof.len()))? {
            Side::Left => {
                old_root = node_hash(sibling, &old_root);
                new_root = node_hash(sibling, &new_root);
            }
            Side::Right => new_root = node_hash(&new_root, sibling),
        }
    }
    climb.finish(proof)?;
    if old_root == old.root && new_root == new.root { Ok(()) } else { Err(ProofError::Root) }
}

/// The way from a node up to the root: `fn` and `sn` of RFC 9162.
struct Climb {
    node: u64,
    last: u64,
}

/// On which side of the node its sibling lies.
enum Side {
    Left,
    Right,
}

impl Climb {
    /// Goes up past the next sibling; `None` when the root is reached already. So a proof of any
    /// length ends after at most 64 steps.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node % 2 == 1 {
            Side::Left
        } else if self.node == self.last {
            // The last node of its level has no sibling there; it goes up until it is a right
            // child.
            let up = self.node.trailing_zeros();
            self.node >>= up;
            self.last >>= up;
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Some(side)
    }

    fn finish(&self, proof: &[Hash]) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::Length(proof.len())) }
    }
}

/// How many leaves go left in a tree of `leaves` (at least 2): the largest power of two below.
const fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The root over the leaves from `start` (included) to `end` (not included). `start` is a multiple
/// of every power of two up to `end - start`, as all parts of a tree are.
fn subtree<N: Nodes + ?Sized>(nodes: &N, start: u64, end: u64) -> Result<Hash, ProofError> {
    let mut peaks = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        let index = at >> level;
        peaks.push(nodes.node(level, index).ok_or(ProofError::MissingNode { level, index })?);
        at += 1 << level;
    }
    let folded = peaks.into_iter().rev().reduce(|right, left| node_hash(&left, &right));
    Ok(folded.unwrap_or_else(Hash::of_nothing))
}

#[cfg(test)]
mod tests;
