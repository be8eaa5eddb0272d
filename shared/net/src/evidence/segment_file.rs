//! A segment's file, written past the page cache.
//!
//! A batch goes straight from memory to the disk, in whole blocks: that costs less processor time
//! than copying it into the page cache and having it written from there, and the extents need no
//! further thread to be marked as written. Readers go through the page cache as ever; the kernel
//! drops from it what is written past it.
//!
//! # What a power cut leaves
//!
//! A front part of the last write, as [opening](super) expects. The blocks that a write is the
//! first to reach are space set aside: the file system reads them as zeros until it has marked
//! them as written, which it does when all blocks of the write are done and, in its journal,
//! after a flush of the disk. So all of them are there, or none is, and none without the block
//! before them, in which the write began.
//!
//! That block holds committed frames too. They are written again, the same bytes in the same place,
//! which is no worse than writing through the page cache: the kernel writes the whole page back
//! from there. Both rely on a disk that writes a block whole or leaves it as it was.
//!
//! Zeros written ahead would spare the marking, and half of the time. But then a disk may keep a
//! later block of the last write and lose an earlier one, as it may write them in any order: a
//! whole frame behind a hole, which opening must refuse. A flush between any two blocks costs more
//! than the marking does.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use chronolease_sys::file;

use super::files::OpenFile;

/// What goes past the page cache begins and ends at a multiple of this, in the file and in memory;
/// in bytes. It is a page, and a multiple of every disk's sector.
pub(super) const BLOCK: usize = 4096;

/// A file that is written past the page cache. It never grows.
pub(super) struct SegmentFile {
    file: File,
    length_bytes: u64,
    blocks: RefCell<Blocks>,
}

/// What is about to be written, and what is known of the file.
struct Blocks {
    memory: Aligned,
    /// Where the block stands in the file that `memory` begins with; `None` when it begins with
    /// nothing of use.
    kept: Option<u64>,
    /// From here on the file holds zeros for sure. A multiple of [`BLOCK`].
    zeros_from: u64,
}

/// Bytes whose address is a multiple of [`BLOCK`].
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

/// The file as it is best written: past the page cache if its length is a multiple of [`BLOCK`] and
/// the file system permits it in such blocks, through it otherwise. `fresh` says that it holds zeros alone. It
/// must be open for reading too.
///
/// # Errors
/// The file system's.
pub(super) fn over(file: File, fresh: bool) -> io::Result<Box<dyn OpenFile>> {
    Ok(if leave_page_cache(&file)? {
        Box::new(SegmentFile::new(file, fresh)?)
    } else {
        Box::new(file)
    })
}

/// Whether the file is now read and written past the page cache.
fn leave_page_cache(file: &File) -> io::Result<bool> {
    let facts = file.metadata()?;
    let (length_bytes, block) = (facts.len(), facts.blksize());
    if !suits(length_bytes, block) || !file::bypass_page_cache(file, true)? {
        return Ok(false);
    }
    // A disk with larger sectors refuses the block, not the flag.
    match file.read_exact_at(Aligned::new(BLOCK).block_mut(0), 0) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            file::bypass_page_cache(file, false)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Whether a file of this length, on a file system with blocks of `block` bytes, consists of blocks
/// to write whole. Larger ones may be marked as written before all of their parts are.
fn suits(length_bytes: u64, block: u64) -> bool {
    length_bytes > 0 && length_bytes.is_multiple_of(BLOCK as u64) && block <= BLOCK as u64
}

impl SegmentFile {
    fn new(file: File, fresh: bool) -> io::Result<Self> {
        let length_bytes = file.metadata()?.len();
        let zeros_from = if fresh { 0 } else { length_bytes };
        let blocks = Blocks { memory: Aligned::new(BLOCK), kept: None, zeros_from };
        Ok(Self { file, length_bytes, blocks: RefCell::new(blocks) })
    }
}

impl OpenFile for SegmentFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.length_bytes);
        let end = end.ok_or(io::ErrorKind::InvalidInput)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let mut blocks = self.blocks.borrow_mut();
        let written = blocks.take_in(&self.file, offset, end, bytes)?;
        let write = |bytes: &[u8], at| FileExt::write_at(&self.file, bytes, at);
        write_blocks(blocks.memory.get(written), block_of(offset), write)?;
        blocks.keep_last(written, end);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Blocks {
    /// Puts the blocks that `bytes` touch into memory, and `bytes` over them. Returns the length of
    /// the blocks.
    fn take_in(&mut self, file: &File, offset: u64, end: u64, bytes: &[u8]) -> io::Result<usize> {
        let (first, stop) = (block_of(offset), end.next_multiple_of(BLOCK as u64));
        let length = usize::try_from(stop - first).map_err(io::Error::other)?;
        let (last, at) = (length - BLOCK, (offset - first) as usize);
        // From here until all has been written nobody knows what the file holds.
        let kept = self.kept.take() == Some(first);
        self.memory.hold(length);
        if !kept && (at > 0 || end < first + BLOCK as u64) {
            self.load(file, first, 0)?;
        }
        if last > 0 && end < stop {
            self.load(file, stop - BLOCK as u64, last)?;
        }
        self.zeros_from = self.zeros_from.max(stop);
        self.memory.get_mut(length)[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(length)
    }

    /// Reads the block at `offset` into memory, at `at`.
    fn load(&mut self, file: &File, offset: u64, at: usize) -> io::Result<()> {
        let block = self.memory.block_mut(at);
        if offset >= self.zeros_from {
            block.fill(0);
            return Ok(());
        }
        file.read_exact_at(block, offset)
    }

    /// The last block that was written, unless it is full, is the first one of the next write.
    fn keep_last(&mut self, written: usize, end: u64) {
        if !end.is_multiple_of(BLOCK as u64) {
            self.memory.get_mut(written).copy_within(written - BLOCK.., 0);
            self.kept = Some(block_of(end));
        }
    }
}

impl Aligned {
    fn new(length: usize) -> Self {
        let bytes = vec![0; length + BLOCK];
        let address = bytes.as_ptr().addr();
        let start = address.next_multiple_of(BLOCK) - address;
        Self { bytes, start }
    }

    /// Makes room for `length` bytes; the first block stays.
    fn hold(&mut self, length: usize) {
        if self.bytes.len() - BLOCK < length {
            let mut larger = Self::new(length);
            larger.block_mut(0).copy_from_slice(self.get(BLOCK));
            *self = larger;
        }
    }

    fn get(&self, length: usize) -> &[u8] {
        &self.bytes[self.start..self.start + length]
    }

    fn get_mut(&mut self, length: usize) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + length]
    }

    fn block_mut(&mut self, at: usize) -> &mut [u8] {
        &mut self.get_mut(at + BLOCK)[at..]
    }
}

/// Where the block begins that holds the byte at `offset`.
fn block_of(offset: u64) -> u64 {
    offset - offset % BLOCK as u64
}

/// Writes all of `bytes`, whole blocks, at `offset`, with calls of `write` that may take a part.
/// What follows a part goes on from the last whole block: nothing else may be asked of the disk.
fn write_blocks(
    mut bytes: &[u8],
    mut offset: u64,
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(bytes, offset) {
            Ok(taken) if taken < BLOCK => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => {
                let whole = taken - taken % BLOCK;
                bytes = &bytes[whole..];
                offset += whole as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
