//! What the tests of this module share.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::merkle::{Hash, leaf_hash};
use super::note::{KeyName, LogKey};
use super::proof::MemoryNodes;

/// Stands for Ed25519 where only the state machine is of interest: whoever knows the public key
/// can sign, and a signature fits one key and one message alone.
pub(super) fn toy_signature(public: &[u8; 32], message: &[u8]) -> [u8; 64] {
    let half = |n: u8| Sha256::new().chain_update([n]).chain_update(public).chain_update(message);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&half(0).finalize());
    signature[32..].copy_from_slice(&half(1).finalize());
    signature
}

pub(super) fn toy_verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    toy_signature(public, message) == *signature
}

pub(super) fn name(name: &str) -> KeyName {
    KeyName::new(name).expect("a fair name")
}

pub(super) fn log_key(fill: u8) -> LogKey {
    LogKey::new(name("tsa.example/log"), [fill; 32])
}

/// A real Ed25519 key pair, as the documentation of signed_note has it.
pub(super) const SKEY: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
pub(super) const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/// Ed25519 with the key above.
pub(super) fn ed25519_sign(message: &[u8]) -> [u8; 64] {
    use signed_note::Signer;
    let signer = signed_note::StandardSigner::new(SKEY).expect("a sound key");
    signer.sign(message).expect("it signs").try_into().expect("64 bytes")
}

/// Ed25519, for the key above alone.
pub(super) fn ed25519_verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    use signed_note::Verifier;
    let key = LogKey::parse(VKEY).expect("a sound key");
    let verifier = signed_note::StandardVerifier::new(VKEY).expect("a sound key");
    key.public() == public && verifier.verify(message, signature)
}

/// A tree whose leaves are the given bytes.
pub(super) fn tree_of(leaves: &[Vec<u8>]) -> MemoryNodes {
    let mut nodes = MemoryNodes::new();
    leaves.iter().for_each(|leaf| nodes.append(leaf_hash(leaf)));
    nodes
}

pub(super) fn any_hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash::from_bytes)
}

/// Changes one bit of one byte.
pub(super) fn flipped(bytes: &[u8], at: prop::sample::Index, bit: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at.index(bytes.len())] ^= 1 << bit;
    changed
}
