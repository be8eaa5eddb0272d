//! The log's own published checkpoints.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::files::Files;
use super::layout::Layout;

/// What begins the line before each note in the history.
const MARK: &str = "note ";

/// Keeps the newest signed note, and a history.
///
/// `checkpoint` holds the newest note and nothing else. `checkpoint.history` holds the notes that
/// were stored there, in order: an empty line, `note LENGTH CHECKSUM` with the length in bytes in decimal and CRC-32
/// (IEEE 802.3) in 8 hexadecimal digits, and the note as it is. A note that a crash cut short
/// stays there and is skipped when the history is read.
pub struct Checkpoints {
    files: Arc<dyn Files>,
    layout: Layout,
}

impl Checkpoints {
    /// Of the log in `folder`.
    #[must_use]
    pub fn new(files: Arc<dyn Files>, folder: &Path) -> Self {
        Self { files, layout: Layout::new(folder) }
    }

    /// Makes `note` the newest. It is in the history first, so the newest is always there too.
    /// Durable when it returns. Blocks on the disk.
    ///
    /// # Errors
    /// The file system's; then the note must not be published.
    pub fn store(&self, note: &[u8]) -> io::Result<()> {
        let line = format!("\n{MARK}{} {:08x}\n", note.len(), crc32fast::hash(note));
        let mut bytes = line.into_bytes();
        bytes.extend_from_slice(note);
        self.files.extend(&self.layout.history(), &bytes)?;
        self.files.replace(&self.layout.checkpoint(), note)
    }

    /// Makes `note` the newest, without a place in the history. Durable when it returns. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// The file system's; then the one before is still there.
    pub fn renew(&self, note: &[u8]) -> io::Result<()> {
        self.files.replace(&self.layout.checkpoint(), note)
    }

    /// The newest note; `None` before the first.
    ///
    /// # Errors
    /// The file system's.
    pub fn newest(&self) -> io::Result<Option<Vec<u8>>> {
        self.files.read(&self.layout.checkpoint())
    }

    /// All notes, the oldest first.
    ///
    /// # Errors
    /// The file system's.
    pub fn history(&self) -> io::Result<Vec<Vec<u8>>> {
        let bytes = self.files.read(&self.layout.history())?.unwrap_or_default();
        let mut notes = Vec::new();
        let mut rest = &bytes[..];
        while let Some(newline) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = (&rest[..newline], &rest[newline + 1..]);
            rest = after;
            if let Some(note) = note_after(line, after) {
                notes.push(note.to_vec());
                rest = &after[note.len()..];
            }
        }
        Ok(notes)
    }
}

/// The note that `line` announces, when it is there and whole.
fn note_after<'a>(line: &[u8], after: &'a [u8]) -> Option<&'a [u8]> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix(MARK)?;
    let (length, sum) = line.split_once(' ')?;
    let note = after.get(..length.parse().ok()?)?;
    (sum == format!("{:08x}", crc32fast::hash(note))).then_some(note)
}
