//! What this box knows of its peers' logs.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolease_core::evidence::note::KeyName;
use chronolease_core::evidence::{TreeHead, TreeSize};

use super::files::Files;
use super::format::{hash, number, sha256, take};
use super::layout::Layout;

const MAGIC: [u8; 8] = *b"CHRNPEER";
const VERSION: u32 = 1;
const SUM_BYTES: usize = 32;

/// The newest tree of a peer that this box has vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// Its size and root.
    pub tree: TreeHead,
    /// The signed note that says so, as it came.
    pub note: Vec<u8>,
}

/// Why a peer's state is not to be had or not to be kept.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Files are there, but none can be trusted. Without the state a rollback of the peer would
    /// pass, so nothing may be vouched for.
    #[error("no copy of the state of {origin} can be trusted")]
    Damaged {
        /// Which peer.
        origin: String,
    },
    /// Both copies are whole and claim the same age, but differ: no writer does that.
    #[error("the two copies of the state of {origin} contradict each other")]
    Contradiction {
        /// Which peer.
        origin: String,
    },
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The state of one peer: two copies, so that damage to one loses nothing.
///
/// `peer/NAME.state.0` and `.1`, where NAME is the origin with every byte but `a-z A-Z 0-9 - _`
/// and `.` written as `%XX`. Each copy: magic `CHRNPEER`, version u32, generation u64, size u64,
/// root (32 bytes), SHA-256 of the origin (32 bytes), length of the note u32, the note, and
/// SHA-256 over all of that (32 bytes); numbers with the big end first. Storing replaces first the
/// one, then the other, each as a whole.
pub struct PeerStore {
    files: Arc<dyn Files>,
    origin: String,
    copies: [PathBuf; 2],
    generation: u64,
}

impl PeerStore {
    /// The peers of which there is a state in the log's `folder`, damaged ones included.
    ///
    /// # Errors
    /// The file system's.
    pub fn origins(files: &dyn Files, folder: &Path) -> io::Result<BTreeSet<KeyName>> {
        let names = files.names(&Layout::new(folder).peers())?;
        Ok(names.iter().filter_map(|name| origin_of(name)).collect())
    }

    /// Opens the state of the peer `origin` in the log's `folder`. The state is `None` when there
    /// is none yet; whether that can be is for the caller to judge.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn open(
        files: Arc<dyn Files>,
        folder: &Path,
        origin: &str,
    ) -> Result<(Self, Option<PeerState>), PeerError> {
        let peers = Layout::new(folder).peers();
        files.create_folder(&peers)?;
        let name = file_name(origin);
        let copies = [0, 1].map(|copy| peers.join(format!("{name}.state.{copy}")));
        let mut found = Vec::new();
        let mut present = false;
        for copy in &copies {
            if let Some(bytes) = files.read(copy)? {
                present = true;
                found.extend(decode(origin, &bytes));
            }
        }
        if let [(one, left), (other, right)] = &found[..]
            && one == other
            && left != right
        {
            return Err(PeerError::Contradiction { origin: origin.to_owned() });
        }
        let newest = found.into_iter().max_by_key(|(generation, _)| *generation);
        if newest.is_none() && present {
            return Err(PeerError::Damaged { origin: origin.to_owned() });
        }
        let (generation, state) = newest.map_or((0, None), |(age, state)| (age, Some(state)));
        Ok((Self { files, origin: origin.to_owned(), copies, generation }, state))
    }

    /// Keeps `state` as the newest. Durable in both copies when it returns: only then may this box
    /// vouch for it. Blocks on the disk.
    ///
    /// # Errors
    /// The file system's; then either the old or the new state is found at the next opening.
    pub fn store(&mut self, state: &PeerState) -> io::Result<()> {
        let generation = self.generation.checked_add(1).ok_or(io::ErrorKind::InvalidData)?;
        let bytes = encode(&self.origin, generation, state)?;
        // Used up even when the disk fails: one copy may hold it.
        self.generation = generation;
        self.copies.iter().try_for_each(|copy| self.files.replace(copy, &bytes))
    }
}

fn encode(origin: &str, generation: u64, state: &PeerState) -> io::Result<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(&state.tree.size.as_u64().to_be_bytes());
    bytes.extend_from_slice(state.tree.root.as_bytes());
    bytes.extend_from_slice(sha256(origin.as_bytes()).as_bytes());
    let length = u32::try_from(state.note.len()).map_err(io::Error::other)?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&state.note);
    let sum = sha256(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    Ok(bytes)
}

/// The generation and the state, when the copy is whole and this peer's.
fn decode(origin: &str, bytes: &[u8]) -> Option<(u64, PeerState)> {
    let (mut input, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM_BYTES)?)?;
    if sha256(input).as_bytes() != sum || take(&mut input)? != MAGIC {
        return None;
    }
    if u32::from_be_bytes(take(&mut input)?) != VERSION {
        return None;
    }
    let generation = number(&mut input)?;
    let size = TreeSize::new(number(&mut input)?);
    let tree = TreeHead { size, root: hash(&mut input)? };
    let ours = hash(&mut input)? == sha256(origin.as_bytes());
    let length = u32::from_be_bytes(take(&mut input)?);
    let whole = usize::try_from(length).ok() == Some(input.len());
    (ours && whole).then(|| (generation, PeerState { tree, note: input.to_vec() }))
}

/// The origin whose state is kept under this name, if it is such a name.
fn origin_of(name: &str) -> Option<KeyName> {
    let name = name.strip_suffix(".state.0").or_else(|| name.strip_suffix(".state.1"))?;
    let (mut bytes, mut rest) = (Vec::new(), name.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    let origin = KeyName::new(&String::from_utf8(bytes).ok()?)?;
    (file_name(origin.as_str()) == name).then_some(origin)
}

fn file_name(origin: &str) -> String {
    let mut name = String::new();
    for byte in origin.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                name.push(char::from(byte));
            }
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    name
}
