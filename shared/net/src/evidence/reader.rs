//! Reading a log while it is being written, without a lock.

use std::io;
use std::path::Path;
use std::sync::Arc;

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::merkle::Hash;

use super::files::Files;
use super::format::{
    Commit, Found, Frame, HEADER_BYTES, Header, Kind, Seed, frame_at, segment_first, sha256,
};
use super::layout::Layout;
use super::refused::{CommitFault, HeaderFault, Refused};

/// How much is read at first; more when the batch is longer.
const WINDOW_BYTES: usize = 64 << 10;

/// A batch as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// The payloads of its leaves, in order; the first is leaf `commit.first`.
    pub leaves: Vec<Vec<u8>>,
    /// What ends it.
    pub commit: Commit,
}

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log is damaged, or was replaced by another.
    #[error(transparent)]
    Damaged(#[from] Refused),
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Yields the batches of a log one after another, and new ones as they come.
///
/// It checks every frame and that each commit follows the one before; it does not compute roots,
/// which [`Survey`](super::Survey) does. A batch may be seen a moment before it is durable: what a
/// peer may rely on is [`Log::head`](super::Log::head) alone.
pub struct Reader {
    files: Arc<dyn Files>,
    layout: Layout,
    place: Option<Place>,
    start: LeafIndex,
    origin: Hash,
}

/// Where the next batch begins.
#[derive(Clone, Copy)]
struct Place {
    segment: LeafIndex,
    seed: Seed,
    offset: u64,
    next: LeafIndex,
    /// The hash of the last commit.
    commit: Hash,
    /// What the next commit follows: the last one, or the segment's header.
    link: Hash,
}

impl Reader {
    /// Reads the log of `origin` in `folder` from the beginning of the segment that holds `from`,
    /// or of the last one; leaf 0 is in the first. So the first batches may lie before `from`.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn new(
        files: Arc<dyn Files>,
        folder: &Path,
        origin: &str,
        from: LeafIndex,
    ) -> io::Result<Self> {
        let layout = Layout::new(folder);
        let firsts = segment_firsts(&*files, &layout)?;
        let start = firsts.into_iter().filter(|first| *first <= from).max().unwrap_or_default();
        Ok(Self { files, layout, place: None, start, origin: sha256(origin.as_bytes()) })
    }

    /// The next batch; `None` when the log holds no further whole one yet. Blocks on the disk.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when what follows can never become a batch; [`ReadError::Io`].
    pub fn next_batch(&mut self) -> Result<Option<StoredBatch>, ReadError> {
        loop {
            let place = match self.place {
                Some(place) => place,
                None => match self.enter(self.start, None)? {
                    Some(place) => place,
                    None => return Ok(None),
                },
            };
            self.place = Some(place);
            if let Some(batch) = self.advance(place)? {
                return Ok(Some(batch));
            }
            match self.following(place)? {
                // The writer finished this segment before it made the next: look once more.
                Some(next) => match self.advance(place)? {
                    Some(batch) => return Ok(Some(batch)),
                    None => self.place = Some(next),
                },
                None => return self.nothing_follows(place),
            }
        }
    }

    /// The batch at `place`, and goes on behind it.
    fn advance(&mut self, place: Place) -> Result<Option<StoredBatch>, ReadError> {
        Ok(self.batch_at(place)?.map(|(batch, next)| {
            self.place = Some(next);
            batch
        }))
    }

    /// `None` unless the log goes on elsewhere, which means that a batch is damaged.
    fn nothing_follows(&mut self, place: Place) -> Result<Option<StoredBatch>, ReadError> {
        let firsts = segment_firsts(&*self.files, &self.layout)?;
        let Some(found) = firsts.into_iter().filter(|first| *first > place.next).min() else {
            return Ok(None);
        };
        // It may have been written since.
        match self.advance(place)? {
            Some(batch) => Ok(Some(batch)),
            None if self.following(place)?.is_some() => Ok(None),
            None => Err(Refused::Gap { expected: place.next, found }.into()),
        }
    }

    /// The beginning of the segment that follows, if there is one. A segment without batches is
    /// followed by one of its own name when a crash tore its first batch.
    fn following(&self, place: Place) -> Result<Option<Place>, ReadError> {
        let next = self.enter(place.next, Some(place.commit))?;
        Ok(next.filter(|next| next.seed != place.seed))
    }

    /// The beginning of the segment `first`; `None` when there is no such segment.
    fn enter(&self, first: LeafIndex, previous: Option<Hash>) -> Result<Option<Place>, ReadError> {
        let path = self.layout.segment(first);
        let Some(bytes) = self.files.read_range(&path, 0, HEADER_BYTES as usize)? else {
            return Ok(None);
        };
        let refused = |fault| Refused::Header { segment: first, fault };
        let (header, seed) = Header::decode(&bytes).map_err(refused)?;
        if header.origin != self.origin {
            return Err(refused(HeaderFault::Origin).into());
        }
        if header.first != first {
            return Err(refused(HeaderFault::First).into());
        }
        if previous.is_some_and(|previous| previous != header.previous) {
            return Err(refused(HeaderFault::Previous).into());
        }
        let (offset, commit) = (HEADER_BYTES, header.previous);
        let link = sha256(&bytes);
        Ok(Some(Place { segment: first, seed, offset, next: first, commit, link }))
    }

    /// The batch at `place` and where the next one begins; `None` when it is not whole, or not yet.
    fn batch_at(&self, place: Place) -> Result<Option<(StoredBatch, Place)>, ReadError> {
        let path = self.layout.segment(place.segment);
        let mut length = WINDOW_BYTES;
        loop {
            let Some(bytes) = self.files.read_range(&path, place.offset, length)? else {
                return Ok(None);
            };
            let mut at = 0;
            let mut leaves = Vec::new();
            loop {
                match frame_at(&bytes, at, place.offset, place.seed) {
                    Found::Frame(Frame { kind: Kind::Leaf, payload, end }) => {
                        leaves.push(payload.to_vec());
                        at = end;
                    }
                    Found::Frame(Frame { kind: Kind::Commit, payload, end }) => {
                        return Ok(Some(finish(place, leaves, at, payload, end)?));
                    }
                    Found::Short if bytes.len() == length => break,
                    Found::Short | Found::Nothing => return Ok(None),
                }
            }
            length *= 2;
        }
    }
}

/// Checks a commit against its place.
fn finish(
    place: Place,
    leaves: Vec<Vec<u8>>,
    at: usize,
    payload: &[u8],
    end: usize,
) -> Result<(StoredBatch, Place), Refused> {
    let offset = place.offset + at as u64;
    let refused = |fault| Refused::Commit { segment: place.segment, offset, fault };
    let commit = Commit::decode(payload).ok_or_else(|| refused(CommitFault::Malformed))?;
    if commit.previous != place.link {
        return Err(refused(CommitFault::Previous));
    }
    if commit.first != place.next {
        return Err(refused(CommitFault::First));
    }
    if usize::try_from(commit.count).ok() != Some(leaves.len()) {
        return Err(refused(CommitFault::Count));
    }
    let hash = sha256(payload);
    let next = Place {
        offset: place.offset + end as u64,
        next: LeafIndex::new(commit.tree.size.as_u64()),
        commit: hash,
        link: hash,
        ..place
    };
    Ok((StoredBatch { leaves, commit }, next))
}

fn segment_firsts(files: &dyn Files, layout: &Layout) -> io::Result<Vec<LeafIndex>> {
    let names = files.names(&layout.segments())?;
    Ok(names.iter().filter_map(|name| segment_first(name)).collect())
}
