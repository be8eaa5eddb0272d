//! Reading a whole log and judging whether it can be trusted. Changes nothing.

use std::io;
use std::path::Path;

use chronolease_core::evidence::merkle::{CompactRange, Hash, leaf_hash};
use chronolease_core::evidence::proof::{self, MemoryNodes};
use chronolease_core::evidence::{LeafIndex, TreeHead, TreeSize};

use super::files::Files;
use super::format::{
    Commit, Found, Frame, HEADER_BYTES, Header, Kind, Seed, frame_at, segment_first, sha256,
};
use super::layout::Layout;
use super::refused::{CommitFault, HeaderFault, OpenError, Refused};
use super::settings::Known;

/// The state of a log after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its size and root.
    pub tree: TreeHead,
    /// The hash of the last commit; the origin's hash when there is none.
    pub commit: Hash,
}

/// What a crash left of a batch that nobody was told of. The caller puts it on record with the
/// first entries that it appends; until they are durable, every opening reports it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// The size of the tree that it would have extended.
    pub after: TreeSize,
    /// Its length, up to the last byte that is not zero.
    pub bytes: u64,
}

/// A log that can be trusted.
#[derive(Debug)]
pub struct Survey {
    pub(super) chain: Chain,
    pub(super) nodes: MemoryNodes,
    pub(super) segments: Vec<Segment>,
}

/// One segment's file.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) header: Header,
    pub(super) seed: Seed,
    /// Where its last commit ends, or its header when it has none.
    pub(super) end: u64,
    /// How many bytes of a torn batch follow.
    pub(super) torn_bytes: u64,
    pub(super) file_bytes: u64,
}

/// What the next batch must fit onto.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) origin: Hash,
    pub(super) tree: CompactRange,
    /// The hash of the last commit.
    pub(super) commit: Hash,
    /// What the next commit follows: the last one, or the header of a segment without commits.
    pub(super) link: Hash,
}

impl Chain {
    pub(super) fn new(origin: &str) -> Self {
        let origin = sha256(origin.as_bytes());
        Self { origin, tree: CompactRange::new(), commit: origin, link: origin }
    }

    pub(super) fn head(&self) -> Head {
        let tree = TreeHead { size: TreeSize::new(self.tree.size()), root: self.tree.root() };
        Head { tree, commit: self.commit }
    }

    pub(super) fn next_leaf(&self) -> LeafIndex {
        LeafIndex::new(self.tree.size())
    }

    fn check_header(&self, segment: LeafIndex, header: &Header) -> Result<(), HeaderFault> {
        let checks = [
            (header.origin == self.origin, HeaderFault::Origin),
            (header.first == segment, HeaderFault::First),
            (header.root == self.tree.root(), HeaderFault::Root),
            (header.previous == self.commit, HeaderFault::Previous),
        ];
        checks.into_iter().try_for_each(|(fits, fault)| if fits { Ok(()) } else { Err(fault) })
    }

    /// Takes the batch of `leaves` that this commit frame ends.
    fn extend(&mut self, leaves: &[Hash], payload: &[u8]) -> Result<(), CommitFault> {
        let commit = Commit::decode(payload).ok_or(CommitFault::Malformed)?;
        let mut tree = self.tree.clone();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        let counted = usize::try_from(commit.count).is_ok_and(|n| n == leaves.len() && n > 0);
        let checks = [
            (commit.previous == self.link, CommitFault::Previous),
            (commit.first == self.next_leaf(), CommitFault::First),
            (counted, CommitFault::Count),
            (commit.tree.size.as_u64() == tree.size(), CommitFault::Size),
            (commit.tree.root == tree.root(), CommitFault::Root),
        ];
        for (fits, fault) in checks {
            if !fits {
                return Err(fault);
            }
        }
        self.tree = tree;
        self.commit = sha256(payload);
        self.link = self.commit;
        Ok(())
    }
}

impl Survey {
    /// Reads the log of `origin` in `folder` and checks all of it: every frame, every commit, the
    /// chain of the segments, and that it holds each of the `known` trees. It takes no lock and
    /// changes nothing; on a log that is being written it may see a batch half written.
    ///
    /// # Errors
    /// [`OpenError::Refused`] says what is wrong with it, [`OpenError::Io`] what cannot be read.
    pub fn take(
        files: &dyn Files,
        folder: &Path,
        origin: &str,
        known: &[Known],
    ) -> Result<Self, OpenError> {
        let layout = Layout::new(folder);
        let mut survey =
            Self { chain: Chain::new(origin), nodes: MemoryNodes::new(), segments: Vec::new() };
        for first in list(files, &layout)? {
            let path = layout.segment(first);
            let read = files.read(&path).map_err(|source| io_error(&path, source))?;
            let bytes = read.ok_or_else(|| io_error(&path, std::io::ErrorKind::NotFound.into()))?;
            survey.add(first, &bytes)?;
        }
        if survey.segments.is_empty() {
            return Err(Refused::Absent.into());
        }
        known.iter().try_for_each(|tree| survey.check_known(tree))?;
        Ok(survey)
    }

    /// The state of the log after its last commit.
    #[must_use]
    pub fn head(&self) -> Head {
        self.chain.head()
    }

    /// The hashes of its tree.
    #[must_use]
    pub fn nodes(&self) -> &MemoryNodes {
        &self.nodes
    }

    /// How many segments it has.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// What a crash left behind the last commit and nobody has put on record yet.
    #[must_use]
    pub fn torn_tail(&self) -> Option<TornTail> {
        let bytes = self.segments.last().map_or(0, Segment::unrecorded_bytes);
        (bytes > 0).then_some(TornTail { after: self.head().tree.size, bytes })
    }

    fn add(&mut self, first: LeafIndex, bytes: &[u8]) -> Result<(), Refused> {
        let expected = self.chain.next_leaf();
        if first != expected {
            return Err(Refused::Gap { expected, found: first });
        }
        let (header, seed) = Header::decode(bytes)
            .and_then(|(header, seed)| {
                self.chain.check_header(first, &header).map(|()| (header, seed))
            })
            .map_err(|fault| Refused::Header { segment: first, fault })?;
        if let Some(before) = self.segments.last()
            && before.torn_bytes > header.cut_bytes
        {
            let bytes = before.torn_bytes - header.cut_bytes;
            return Err(Refused::Unfinished { segment: before.header.first, bytes });
        }
        self.chain.link = sha256(&bytes[..HEADER_BYTES as usize]);
        let mut segment = Segment {
            header,
            seed,
            end: HEADER_BYTES,
            torn_bytes: 0,
            file_bytes: bytes.len() as u64,
        };
        let damage_at = self.add_batches(&mut segment, bytes)?;
        segment.torn_bytes = torn_bytes(&segment, bytes, damage_at)?;
        // A segment is as long as it was made, or cut at its last commit; a cut one has no tail.
        if segment.file_bytes != segment.header.capacity_bytes && segment.file_bytes != segment.end
        {
            return Err(Refused::Length {
                segment: first,
                length_bytes: segment.file_bytes,
                capacity_bytes: segment.header.capacity_bytes,
            });
        }
        self.segments.push(segment);
        Ok(())
    }

    /// Takes all whole batches; returns where the first byte is that is no frame.
    fn add_batches(&mut self, segment: &mut Segment, bytes: &[u8]) -> Result<usize, Refused> {
        let mut at = HEADER_BYTES as usize;
        let mut leaves = Vec::new();
        while let Found::Frame(Frame { kind, payload, end }) = frame_at(bytes, at, 0, segment.seed)
        {
            match kind {
                Kind::Leaf => leaves.push(leaf_hash(payload)),
                Kind::Commit => {
                    self.chain.extend(&leaves, payload).map_err(|fault| Refused::Commit {
                        segment: segment.header.first,
                        offset: at as u64,
                        fault,
                    })?;
                    leaves.drain(..).for_each(|leaf| self.nodes.append(leaf));
                    segment.end = end as u64;
                }
            }
            at = end;
        }
        Ok(at)
    }

    fn check_known(&self, known: &Known) -> Result<(), Refused> {
        let (witness, known) = (known.witness.clone(), known.tree);
        let Ok(root) = proof::root(&self.nodes, known.size) else {
            let size = self.nodes.size();
            return Err(Refused::Smaller { witness, size, known: known.size });
        };
        if root == known.root {
            Ok(())
        } else {
            Err(Refused::OtherRoot { witness, size: known.size, root, known: known.root })
        }
    }
}

impl Segment {
    /// Whether it holds a batch.
    pub(super) fn has_commits(&self) -> bool {
        self.end > HEADER_BYTES
    }

    /// Whether the next batch may go behind its last commit.
    pub(super) fn is_open(&self) -> bool {
        self.torn_bytes == 0 && self.file_bytes == self.header.capacity_bytes
    }

    /// How much was torn with no leaf to tell of it: the tail, and what its header says was cut as
    /// long as no batch has followed.
    pub(super) fn unrecorded_bytes(&self) -> u64 {
        let cut_bytes = if self.has_commits() { 0 } else { self.header.cut_bytes };
        self.torn_bytes.saturating_add(cut_bytes)
    }
}

/// Whether the log in `folder` bears the name `origin`, by its first segment's header; `None` when
/// there is none, or it cannot be read as one.
pub(crate) fn bears(files: &dyn Files, folder: &Path, origin: &str) -> io::Result<Option<bool>> {
    let first = Layout::new(folder).segment(LeafIndex::new(0));
    let header = files.read_range(&first, 0, HEADER_BYTES as usize)?.unwrap_or_default();
    let header = Header::decode(&header).ok();
    Ok(header.map(|(header, _)| header.origin == sha256(origin.as_bytes())))
}

/// The first leaves of all segments, in order.
fn list(files: &dyn Files, layout: &Layout) -> Result<Vec<LeafIndex>, OpenError> {
    let folder = layout.segments();
    let names = files.names(&folder).map_err(|source| io_error(&folder, source))?;
    let mut firsts = Vec::new();
    for name in names {
        // A segment in the making has no part in the log yet.
        if name == Layout::UNFINISHED {
            continue;
        }
        firsts.push(segment_first(&name).ok_or(Refused::UnknownFile(name))?);
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// How many bytes of a torn batch follow the last commit. A whole frame behind the damage is
/// refused: a batch is one write from front to back, so a crash leaves a front part of it.
fn torn_bytes(segment: &Segment, bytes: &[u8], damage_at: usize) -> Result<u64, Refused> {
    let end = segment.end as usize;
    let tail = length_without_zeros(&bytes[end..]);
    for at in damage_at + 1..end + tail {
        if let Found::Frame(_) = frame_at(bytes, at, 0, segment.seed) {
            return Err(Refused::FrameAfterDamage {
                segment: segment.header.first,
                damage_at: damage_at as u64,
                frame_at: at as u64,
            });
        }
    }
    Ok(tail as u64)
}

/// Where the zeros begin that end these bytes. In blocks, as a fresh segment holds little else.
fn length_without_zeros(bytes: &[u8]) -> usize {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut end = bytes.len();
    while end > 0 {
        let start = (end - 1) / ZEROS.len() * ZEROS.len();
        let block = &bytes[start..end];
        if block != &ZEROS[..block.len()] {
            let last = block.iter().rposition(|byte| *byte != 0);
            return last.map_or(start, |last| start + last + 1);
        }
        end = start;
    }
    0
}

pub(super) fn io_error(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::length_without_zeros;

    #[test]
    fn the_last_byte_that_is_not_zero_is_found_in_any_block() {
        assert_eq!(length_without_zeros(&[]), 0);
        for length in [1, 4_095, 4_096, 4_097, 9_000] {
            let mut bytes = vec![0; length];
            assert_eq!(length_without_zeros(&bytes), 0, "{length}");
            for last in [0, length / 2, length - 1] {
                bytes[last] = 1;
                assert_eq!(length_without_zeros(&bytes), last + 1, "{length}");
            }
        }
    }
}
