//! The evidence log: its tree, its notes and its witness. Pure; storage is in `shared/net`.
//!
//! Each box keeps an append-only log and witnesses the other's. What is signed, sent and exported
//! follows C2SP; `docs/evidence.md` has every format byte by byte.
//!
//! | module | what it holds |
//! |---|---|
//! | [`merkle`] | the tree's hashes and its root (RFC 9162 2.1) |
//! | [`proof`] | proofs that a leaf is in a tree, and a tree the beginning of another |
//! | [`note`] | signed notes and the keys that check them |
//! | [`checkpoint`] | what a log states of its tree |
//! | [`cosignature`] | what a witness states of a checkpoint |
//! | [`witness`] | the state machine that decides whether to cosign |
//! | [`offers`] | a log's side of the exchange with its witness |
//! | [`exchange`] | what a log sends its witness, and what it exports for a leaf |
//! | [`leaf`] | what is recorded, in canonical DER |

use core::fmt;

use merkle::Hash;

pub mod checkpoint;
pub mod cosignature;
pub mod exchange;
pub mod leaf;
pub mod merkle;
pub mod note;
pub mod offers;
pub mod proof;
pub mod witness;

/// How many leaves a tree has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreeSize(u64);

impl TreeSize {
    /// A tree without leaves.
    pub const EMPTY: Self = Self(0);

    /// A tree of `leaves` leaves.
    #[must_use]
    pub const fn new(leaves: u64) -> Self {
        Self(leaves)
    }

    /// The number of leaves.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Whether a tree of this size has the leaf `index`.
    #[must_use]
    pub const fn holds(self, index: LeafIndex) -> bool {
        index.0 < self.0
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The place of a leaf, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeafIndex(u64);

impl LeafIndex {
    /// The leaf with `before` leaves before it.
    #[must_use]
    pub const fn new(before: u64) -> Self {
        Self(before)
    }

    /// The number of leaves before it.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A tree by its size and root. It says all about the leaves, as far as SHA-256 holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// How many leaves it has.
    pub size: TreeSize,
    /// The root over them.
    pub root: Hash,
}

impl TreeHead {
    /// The tree without leaves.
    #[must_use]
    pub fn empty() -> Self {
        Self { size: TreeSize::EMPTY, root: Hash::of_nothing() }
    }
}

#[cfg(test)]
mod testing;
