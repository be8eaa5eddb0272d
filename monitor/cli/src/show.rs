//! Prints leaves as a table or as JSON lines.

mod json;
mod table;

use core::ops::RangeInclusive;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf::Leaf;
use chronolease_core::evidence::note::KeyName;
use chronolease_net::evidence::{Disk, Files as _, OpenError, ReadError, Reader, Refused};
use clap::ValueEnum;

use crate::kind::Kind;

/// What to print.
#[derive(Debug)]
pub struct Request {
    /// The log's folder.
    pub folder: PathBuf,
    /// The log's name.
    pub origin: KeyName,
    /// From which leaf to which.
    pub leaves: RangeInclusive<LeafIndex>,
    /// Which kinds; empty stands for all.
    pub kinds: Vec<Kind>,
    /// In which form.
    pub output: Output,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns for human readers: index, time, kind, what matters.
    Table,
    /// A JSON object in each line, with every field.
    Jsonl,
}

/// Why printing stopped.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The log cannot be read on.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be found.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Prints the leaves to standard output. Whether the log could be read to its end.
pub fn run(request: &Request) -> bool {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let printed = print(request, &mut out);
    // What was read before a damage is worth having.
    let flushed = out.flush().map_err(ShowError::from);
    match printed.and(flushed) {
        Ok(()) => true,
        // Nobody reads on.
        Err(ShowError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => true,
        Err(error) => {
            eprintln!("chronolease: {error}");
            false
        }
    }
}

/// Prints the leaves to `out`.
///
/// # Errors
/// [`ShowError`], after all leaves before the damage.
pub fn print(request: &Request, out: &mut dyn Write) -> Result<(), ShowError> {
    let (from, to) = (*request.leaves.start(), *request.leaves.end());
    let origin = request.origin.as_str();
    let io_error = |source| OpenError::Io { path: request.folder.clone(), source };
    if Disk.names(&request.folder.join("segment")).map_err(io_error)?.is_empty() {
        return Err(OpenError::from(Refused::Absent).into());
    }
    let mut reader =
        Reader::new(Arc::new(Disk), &request.folder, origin, from).map_err(io_error)?;
    while let Some(batch) = reader.next_batch()? {
        for (index, bytes) in (batch.commit.first.as_u64()..).map(LeafIndex::new).zip(batch.leaves)
        {
            if index > to {
                return Ok(());
            }
            if index >= from {
                print_leaf(request, index, &bytes, out)?;
            }
        }
    }
    Ok(())
}

fn print_leaf(
    request: &Request,
    index: LeafIndex,
    bytes: &[u8],
    out: &mut dyn Write,
) -> io::Result<()> {
    let leaf = Leaf::decode(bytes);
    let kind = leaf.as_ref().map_or(Kind::Unreadable, |leaf| Kind::of(&leaf.event));
    if !request.kinds.is_empty() && !request.kinds.contains(&kind) {
        return Ok(());
    }
    match (request.output, &leaf) {
        (Output::Table, Ok(leaf)) => writeln!(out, "{}", table::leaf(index, leaf)),
        (Output::Table, Err(why)) => writeln!(out, "{}", table::unreadable(index, why)),
        (Output::Jsonl, Ok(leaf)) => writeln!(out, "{}", json::leaf(index, leaf)),
        (Output::Jsonl, Err(why)) => writeln!(out, "{}", json::unreadable(index, why, bytes)),
    }
}
