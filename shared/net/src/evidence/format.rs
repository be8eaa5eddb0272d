//! The bytes of a segment; `docs/evidence.md` has them in words.

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::{LeafIndex, TreeHead, TreeSize};

use super::refused::HeaderFault;

/// The length of a segment's header in bytes.
pub const HEADER_BYTES: u64 = 144;
/// What a frame adds to its payload, in bytes: length, checksum and kind.
pub const FRAME_OVERHEAD_BYTES: u64 = 9;
/// The longest payload of a leaf, in bytes (the 16-bit lengths of C2SP tlog-tiles).
pub const LEAF_BYTES_MAX: usize = 65_535;

/// The payload of a commit frame.
const COMMIT_BYTES: usize = 84;
/// The length of a commit frame in bytes.
pub(super) const COMMIT_FRAME_BYTES: u64 = FRAME_OVERHEAD_BYTES + COMMIT_BYTES as u64;

const MAGIC: [u8; 8] = *b"CHRNLSEG";
const VERSION: u32 = 1;
const OVERHEAD: usize = FRAME_OVERHEAD_BYTES as usize;

/// What a segment says of itself and of all before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) capacity_bytes: u64,
    pub(super) created_s: u64,
    pub(super) cut_bytes: u64,
    pub(super) first: LeafIndex,
    pub(super) origin: Hash,
    pub(super) root: Hash,
    pub(super) previous: Hash,
}

/// The checksum of a segment's header, with which those of its frames begin: a frame is valid in
/// its own segment alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seed(u32);

impl Header {
    pub(super) fn encode(&self) -> (Vec<u8>, Seed) {
        let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        for number in [self.capacity_bytes, self.created_s, self.cut_bytes, self.first.as_u64()] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for hash in [&self.origin, &self.root, &self.previous] {
            bytes.extend_from_slice(hash.as_bytes());
        }
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_be_bytes());
        (bytes, Seed(sum))
    }

    pub(super) fn decode(segment: &[u8]) -> Result<(Self, Seed), HeaderFault> {
        let header = segment.get(..HEADER_BYTES as usize).ok_or(HeaderFault::Short)?;
        let mut input = header;
        let short = HeaderFault::Short;
        if take::<8>(&mut input).ok_or(short)? != MAGIC {
            return Err(HeaderFault::Magic);
        }
        let version = u32::from_be_bytes(take(&mut input).ok_or(short)?);
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let decoded = Self {
            capacity_bytes: number(&mut input).ok_or(short)?,
            created_s: number(&mut input).ok_or(short)?,
            cut_bytes: number(&mut input).ok_or(short)?,
            first: LeafIndex::new(number(&mut input).ok_or(short)?),
            origin: hash(&mut input).ok_or(short)?,
            root: hash(&mut input).ok_or(short)?,
            previous: hash(&mut input).ok_or(short)?,
        };
        let sum = u32::from_be_bytes(take(&mut input).ok_or(short)?);
        if sum != crc32fast::hash(&header[..header.len() - 4]) {
            return Err(HeaderFault::Checksum);
        }
        Ok((decoded, Seed(sum)))
    }
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf = 1,
    Commit = 2,
}

/// A frame whose checksum fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) kind: Kind,
    pub(super) payload: &'a [u8],
    /// Where the next frame begins in the same bytes.
    pub(super) end: usize,
}

/// What stands at one place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'a> {
    Frame(Frame<'a>),
    /// The bytes end before the frame does, if it is one.
    Short,
    /// No frame.
    Nothing,
}

/// Adds a frame to bytes that will stand at `base` in the segment.
pub(super) fn put_frame(out: &mut Vec<u8>, base: u64, seed: Seed, kind: Kind, payload: &[u8]) {
    let offset = base + out.len() as u64;
    let length = u32::try_from(payload.len()).expect("leaves are bounded");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&frame_sum(seed, offset, kind, payload).to_be_bytes());
    out.push(kind as u8);
    out.extend_from_slice(payload);
}

/// The frame at `at` in bytes that begin at `base` in the segment.
pub(super) fn frame_at(bytes: &[u8], at: usize, base: u64, seed: Seed) -> Found<'_> {
    let Some(mut input) = bytes.get(at..) else { return Found::Short };
    let (Some(length), Some(sum), Some([kind])) =
        (take(&mut input), take(&mut input), take(&mut input))
    else {
        return Found::Short;
    };
    let (kind, longest) = match kind {
        1 => (Kind::Leaf, LEAF_BYTES_MAX),
        2 => (Kind::Commit, COMMIT_BYTES),
        _ => return Found::Nothing,
    };
    let length = u32::from_be_bytes(length) as usize;
    if length > longest {
        return Found::Nothing;
    }
    let Some(payload) = input.get(..length) else { return Found::Short };
    if u32::from_be_bytes(sum) != frame_sum(seed, base + at as u64, kind, payload) {
        return Found::Nothing;
    }
    Found::Frame(Frame { kind, payload, end: at + OVERHEAD + length })
}

/// The place goes into the sum, so that a copy of a frame elsewhere, be it inside another's
/// payload, is not a frame.
fn frame_sum(seed: Seed, offset: u64, kind: Kind, payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new_with_initial(seed.0);
    sum.update(&offset.to_be_bytes());
    sum.update(&(payload.len() as u32).to_be_bytes());
    sum.update(&[kind as u8]);
    sum.update(payload);
    sum.finalize()
}

/// What ends a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The batch's first leaf.
    pub first: LeafIndex,
    /// How many leaves it has.
    pub count: u32,
    /// The tree with them.
    pub tree: TreeHead,
    /// The hash of the commit before it in its segment; in the first one, of the segment's header.
    pub previous: Hash,
}

impl Commit {
    /// The payload of its frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(COMMIT_BYTES);
        bytes.extend_from_slice(&self.first.as_u64().to_be_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.tree.size.as_u64().to_be_bytes());
        bytes.extend_from_slice(self.tree.root.as_bytes());
        bytes.extend_from_slice(self.previous.as_bytes());
        bytes
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let mut input = payload;
        let commit = Self {
            first: LeafIndex::new(number(&mut input)?),
            count: u32::from_be_bytes(take(&mut input)?),
            tree: TreeHead { size: TreeSize::new(number(&mut input)?), root: hash(&mut input)? },
            previous: hash(&mut input)?,
        };
        input.is_empty().then_some(commit)
    }
}

/// SHA-256: of an origin's name, a segment's header, a commit frame's payload.
pub(super) fn sha256(bytes: &[u8]) -> Hash {
    Hash::of(bytes)
}

/// The next `N` bytes.
pub(super) fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*bytes)
}

/// The next 8 bytes as a number, big end first.
pub(super) fn number(input: &mut &[u8]) -> Option<u64> {
    take(input).map(u64::from_be_bytes)
}

/// The next 32 bytes as a hash.
pub(super) fn hash(input: &mut &[u8]) -> Option<Hash> {
    take(input).map(Hash::from_bytes)
}

/// A segment's file name.
pub(super) fn segment_name(first: LeafIndex) -> String {
    format!("{:016x}.seg", first.as_u64())
}

/// The first leaf of the segment with this file name.
pub(super) fn segment_first(name: &str) -> Option<LeafIndex> {
    let first = u64::from_str_radix(name.strip_suffix(".seg")?, 16).ok().map(LeafIndex::new)?;
    // Only the one spelling counts: 16 lower case digits.
    (segment_name(first) == name).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_is_a_segment() {
        let first = LeafIndex::new(0xab);
        assert_eq!(segment_name(first), "00000000000000ab.seg");
        assert_eq!(segment_first("00000000000000ab.seg"), Some(first));
        for other in ["ab.seg", "00000000000000AB.seg", "00000000000000ab", "+0000000000000ab.seg"]
        {
            assert_eq!(segment_first(other), None, "{other}");
        }
    }

    #[test]
    fn a_frame_is_valid_at_its_own_place_alone() {
        let (_, seed) = Header {
            capacity_bytes: 4096,
            created_s: 1,
            cut_bytes: 0,
            first: LeafIndex::new(0),
            origin: sha256(b"o"),
            root: Hash::of_nothing(),
            previous: sha256(b"o"),
        }
        .encode();
        let mut bytes = Vec::new();
        put_frame(&mut bytes, 144, seed, Kind::Leaf, b"one");
        put_frame(&mut bytes, 144, seed, Kind::Leaf, b"two");
        let Found::Frame(one) = frame_at(&bytes, 0, 144, seed) else { panic!("a frame") };
        assert_eq!((one.kind, one.payload), (Kind::Leaf, &b"one"[..]));
        assert!(matches!(frame_at(&bytes, one.end, 144, seed), Found::Frame(_)));
        assert!(matches!(frame_at(&bytes, 0, 145, seed), Found::Nothing));
        assert!(matches!(frame_at(&bytes, 0, 144, Seed(1)), Found::Nothing));
        assert!(matches!(frame_at(&bytes[..11], 0, 144, seed), Found::Short));
        assert!(matches!(frame_at(&[0; 40], 0, 144, seed), Found::Nothing));
    }
}
