//! The hashes of the tree, and its root from a compact range (RFC 9162 2.1.1).

use core::fmt;

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};

use super::{TreeHead, TreeSize};
use crate::id::bytes_from_hex;

/// A SHA-256 hash: of a leaf, of an inner node, the root of a tree, or a digest that a leaf names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// How many bytes it has.
    pub const LEN: usize = 32;

    /// The root of the empty tree: SHA-256 of nothing.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self::of(&[])
    }

    /// SHA-256 over these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::wrap(&digest(&SHA256, bytes))
    }

    /// SHA-256 over these parts, one after the other.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        Self::wrap(&context.finish())
    }

    fn wrap(digest: &Digest) -> Self {
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Wraps the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes as they are.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 64 lower or upper case hexadecimal digits, or `None` when it is anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        bytes_from_hex(text).map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of a leaf: SHA-256 over the byte 0x00 and the leaf.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash::of_parts(&[&[0x00], leaf])
}

/// The hash of an inner node: SHA-256 over the byte 0x01 and both children.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts(&[&[0x01], &left.0, &right.0])
}

/// A whole tree cut down to what its root needs: the roots of its perfect subtrees, the largest
/// (and leftmost) first. Their number is the number of one bits in the size.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    nodes: Vec<Hash>,
}

impl CompactRange {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, nodes: Vec::new() }
    }

    /// The tree of `size` leaves with these subtrees; `None` when their number does not fit.
    #[must_use]
    pub fn from_parts(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        let fits = u32::try_from(nodes.len()).is_ok_and(|n| n == size.count_ones());
        fits.then_some(Self { size, nodes })
    }

    /// Appends the leaf with this hash.
    ///
    /// # Panics
    /// At 2^64 leaves, which no log reaches.
    pub fn append(&mut self, leaf: Hash) {
        let size = self.size.checked_add(1).expect("a log has fewer than 2^64 leaves");
        // Like adding one in binary: each carry joins two perfect subtrees of one height.
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.nodes.pop().expect("one node for each one bit");
            node = node_hash(&left, &node);
        }
        self.nodes.push(node);
        self.size = size;
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, the largest first.
    #[must_use]
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// The size and the root.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead { size: TreeSize::new(self.size), root: self.root() }
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let folded =
            self.nodes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(Hash::of_nothing)
    }
}
