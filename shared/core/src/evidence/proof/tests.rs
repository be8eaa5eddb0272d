use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::evidence::merkle::{CompactRange, leaf_hash};
use crate::evidence::testing::{any_hash, tree_of};

fn from_hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}

/// The leaves of the test vectors of RFC 6962's reference implementation.
fn rfc6962_leaves() -> Vec<Vec<u8>> {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"];
    let last = "606162636465666768696a6b6c6d6e6f";
    leaves.into_iter().chain([last]).map(from_hex).collect()
}

/// The roots over the first 0 to 8 of them.
const RFC6962_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn size(n: usize) -> TreeSize {
    TreeSize::new(n as u64)
}

fn head(nodes: &MemoryNodes, n: usize) -> TreeHead {
    TreeHead { size: size(n), root: root(nodes, size(n)).expect("all nodes are there") }
}

#[test]
fn the_roots_of_rfc_6962() {
    let leaves = rfc6962_leaves();
    let nodes = tree_of(&leaves);
    let mut range = CompactRange::new();
    for (n, expected) in RFC6962_ROOTS.iter().enumerate() {
        assert_eq!(range.root().to_string(), *expected, "{n} leaves");
        assert_eq!(range.head(), head(&nodes, n));
        let parts = CompactRange::from_parts(range.size(), range.nodes().to_vec());
        assert_eq!(parts.as_ref(), Some(&range));
        assert_eq!(CompactRange::from_parts(range.size() ^ 1, range.nodes().to_vec()), None);
        if let Some(leaf) = leaves.get(n) {
            range.append(leaf_hash(leaf));
        }
    }
}

/// One proof of each kind from the same source.
#[test]
fn the_proofs_of_rfc_6962() {
    let nodes = tree_of(&rfc6962_leaves());
    let inclusion = prove_inclusion(&nodes, LeafIndex::new(5), size(8)).expect("a proof");
    let hex: Vec<String> = inclusion.iter().map(Hash::to_string).collect();
    assert_eq!(
        hex,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    let consistency = prove_consistency(&nodes, size(6), size(8)).expect("a proof");
    let hex: Vec<String> = consistency.iter().map(Hash::to_string).collect();
    assert_eq!(
        hex,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn proofs_that_cannot_be_made_are_refused() {
    let nodes = tree_of(&rfc6962_leaves());
    let (index, eight) = (LeafIndex::new(8), size(8));
    let beyond = ProofError::BeyondTree { index, size: eight };
    assert_eq!(prove_inclusion(&nodes, index, eight), Err(beyond));
    let shrunk = ProofError::Shrunk { old: eight, new: size(7) };
    assert_eq!(prove_consistency(&nodes, eight, size(7)), Err(shrunk));
    let missing = ProofError::MissingNode { level: 0, index: 8 };
    assert_eq!(prove_consistency(&nodes, eight, size(9)), Err(missing));
}

/// The largest trees there can be: no overflow, no endless loop, no panic.
#[test]
fn the_ends_of_the_number_range_do_no_harm() {
    let hash = Hash::of_nothing();
    let most = TreeHead { size: TreeSize::new(u64::MAX), root: hash };
    for old in [1, 2, 1 << 63, u64::MAX - 1] {
        let old = TreeHead { size: TreeSize::new(old), root: hash };
        for length in [0, 1, 63, 64, 65, 1000] {
            assert!(verify_consistency(&old, &most, &vec![hash; length]).is_err());
        }
    }
    for index in [0, 1 << 63, u64::MAX - 1, u64::MAX] {
        for length in [0, 1, 63, 64, 65, 1000] {
            let proof = vec![hash; length];
            assert!(verify_inclusion(&hash, LeafIndex::new(index), &most, &proof).is_err());
        }
    }
}

#[test]
fn an_empty_tree_has_one_root_only() {
    let odd = TreeHead { size: TreeSize::EMPTY, root: leaf_hash(b"") };
    assert_eq!(verify_consistency(&odd, &odd, &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(&TreeHead::empty(), &odd, &[]), Err(ProofError::Root));
    assert_eq!(verify_consistency(&TreeHead::empty(), &TreeHead::empty(), &[]), Ok(()));
}

/// tlog_tiles' view of a tree: its stored hashes.
struct Stored(Vec<tlog_tiles::Hash>);

impl tlog_tiles::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&at| self.0[at as usize]).collect())
    }
}

fn stored(leaves: &[Vec<u8>]) -> Stored {
    let mut stored = Stored(Vec::new());
    for (n, leaf) in leaves.iter().enumerate() {
        let new = tlog_tiles::stored_hashes(n as u64, leaf, &stored).expect("it stores");
        stored.0.extend(new);
    }
    stored
}

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

fn ours(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash::from_bytes(hash.0)).collect()
}

fn leaves() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 1..150)
}

proptest! {
    /// Byte for byte what tlog_tiles makes, and each accepts the other's.
    #[test]
    fn tlog_tiles_agrees(
        leaves in leaves(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(),
    ) {
        let (nodes, stored, new) = (tree_of(&leaves), stored(&leaves), leaves.len());
        let tree = head(&nodes, new);
        let root = tlog_tiles::tree_hash(new as u64, &stored).expect("a root");
        prop_assert_eq!(tree.root.as_bytes(), &root.0);

        let index = a.index(new);
        let mine = prove_inclusion(&nodes, LeafIndex::new(index as u64), size(new)).expect("one");
        let other = tlog_tiles::prove_record(new as u64, index as u64, &stored).expect("one");
        prop_assert_eq!(&mine, &ours(&other));
        let leaf = leaf_hash(&leaves[index]);
        prop_assert_eq!(verify_inclusion(&leaf, LeafIndex::new(index as u64), &tree, &mine), Ok(()));

        let old = b.index(new) + 1;
        let mine = prove_consistency(&nodes, size(old), size(new)).expect("one");
        let other = tlog_tiles::prove_tree(new as u64, old as u64, &stored).expect("one");
        prop_assert_eq!(&mine, &ours(&other));
        prop_assert_eq!(verify_consistency(&head(&nodes, old), &tree, &mine), Ok(()));
    }

    /// The same against ct-merkle.
    #[test]
    fn ct_merkle_agrees(
        leaves in leaves(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(),
    ) {
        let (nodes, new) = (tree_of(&leaves), leaves.len());
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        leaves.iter().for_each(|leaf| tree.push(leaf.clone()));
        let (mine, root) = (head(&nodes, new), tree.root());
        prop_assert_eq!(root.as_bytes().as_slice(), mine.root.as_bytes());

        let index = a.index(new);
        let proof = prove_inclusion(&nodes, LeafIndex::new(index as u64), size(new)).expect("one");
        let bytes: Vec<u8> = proof.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let theirs = tree.prove_inclusion(index);
        prop_assert_eq!(theirs.as_bytes(), &bytes[..]);
        let proof = InclusionProof::<Sha256>::from_bytes(bytes);
        prop_assert!(tree.root().verify_inclusion(&leaves[index], index as u64, &proof).is_ok());

        let old = b.index(new) + 1;
        let proof = prove_consistency(&nodes, size(old), size(new)).expect("one");
        let bytes: Vec<u8> = proof.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let theirs = tree.prove_consistency(new - old);
        prop_assert_eq!(theirs.as_bytes(), &bytes[..]);
        let proof = ConsistencyProof::<Sha256>::try_from_bytes(bytes).expect("whole hashes");
        let old_root = RootHash::new((*head(&nodes, old).root.as_bytes()).into(), old as u64);
        prop_assert!(tree.root().verify_consistency(&old_root, &proof).is_ok());
    }

    /// Right or wrong, ours and tlog_tiles' verdicts are one.
    #[test]
    fn wrong_proofs_get_the_verdict_of_tlog_tiles(
        leaves in leaves(),
        index in 0u64..160, old in 1u64..160, new in 1u64..160,
        change in 0usize..5, at in any::<prop::sample::Index>(), hash in any_hash(),
    ) {
        let nodes = tree_of(&leaves);
        let known = |n: u64| n.min(leaves.len() as u64);
        let (proven_old, proven_new) = (known(old.min(new)), known(new));
        let spoil = |mut proof: Vec<Hash>| {
            match change {
                1 => proof.push(hash),
                2 => drop(proof.pop()),
                3 if !proof.is_empty() => { let at = at.index(proof.len()); proof[at] = hash }
                4 => proof.reverse(),
                _ => {}
            }
            proof
        };
        // The sizes stated differ from the sizes proven whenever they go beyond the tree.
        let tree = TreeHead { size: TreeSize::new(new), ..head(&nodes, proven_new as usize) };
        let leaf = leaf_hash(&leaves[known(index + 1) as usize - 1]);
        let place = LeafIndex::new(index.min(proven_new - 1));
        let proof = spoil(prove_inclusion(&nodes, place, TreeSize::new(proven_new)).expect("one"));
        let place = LeafIndex::new(index);
        let other = proof.iter().map(theirs).collect();
        prop_assert_eq!(
            verify_inclusion(&leaf, place, &tree, &proof).is_ok(),
            tlog_tiles::check_record(&other, new, theirs(&tree.root), index, theirs(&leaf)).is_ok()
        );

        let before = TreeHead { size: TreeSize::new(old), ..head(&nodes, proven_old as usize) };
        let (a, b) = (TreeSize::new(proven_old), TreeSize::new(proven_new));
        let proof = spoil(prove_consistency(&nodes, a, b).expect("one"));
        let other = proof.iter().map(theirs).collect();
        prop_assert_eq!(
            verify_consistency(&before, &tree, &proof).is_ok(),
            tlog_tiles::check_tree(&other, new, theirs(&tree.root), old, theirs(&before.root))
                .is_ok()
        );
    }
}
