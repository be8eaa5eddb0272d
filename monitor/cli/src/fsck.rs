//! Checks a whole log: storage and tree by [`Survey`], the leaves by [`Audit`].

use core::fmt;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chronolease_core::evidence::checkpoint::{Checkpoint, CheckpointError};
use chronolease_core::evidence::merkle::{CompactRange, leaf_hash};
use chronolease_core::evidence::note::{KeyName, Note};
use chronolease_core::evidence::{LeafIndex, TreeHead};
use chronolease_core::judge::Limits;
use chronolease_net::evidence::{
    Checkpoints, Disk, Files, Known, OpenError, ReadError, Reader, Refused, Survey, TornTail,
};
use chronolease_net::keys::EvidenceVerifier;

use crate::audit::{Audit, Finding, Verify};
use crate::kind::Kind;

/// How often a log is looked at that is refused for something else each time.
const LOOKS_MAX: u32 = 8;

/// What to check.
#[derive(Debug)]
pub struct Request {
    /// The log's folder.
    pub folder: PathBuf,
    /// The log's name.
    pub origin: KeyName,
    /// Trees that it must hold.
    pub known: Vec<Known>,
    /// What the TSU tolerates.
    pub limits: Limits,
    /// The monitor's key that signs leases.
    pub evidence_key: Option<EvidenceVerifier>,
}

/// What was found in a log whose storage is sound.
#[derive(Debug)]
pub struct Report {
    /// Its size and root.
    pub tree: TreeHead,
    /// How many segments it has.
    pub segments: usize,
    /// What a crash left behind the last commit.
    pub torn_tail: Option<TornTail>,
    /// How many leaves of each kind it has.
    pub counts: BTreeMap<Kind, u64>,
    /// What is wrong with its leaves.
    pub findings: Vec<Finding>,
}

/// Why a log is not trusted, whatever its leaves say.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// Its files are refused or cannot be read.
    #[error(transparent)]
    Survey(#[from] OpenError),
    /// A note among its own checkpoints is none.
    #[error("the note {number} of its own checkpoints: {fault}")]
    Checkpoint {
        /// Which, counted from 1; the one after those of the history is the newest.
        number: usize,
        /// What is wrong with it.
        fault: CheckpointError,
    },
    /// A file beside the segments cannot be read.
    #[error("cannot read the log: {0}")]
    Io(#[from] io::Error),
    /// The leaves cannot be read any more.
    #[error("the leaves: {0}")]
    Leaves(#[from] ReadError),
    /// The leaves are not those that were checked a moment ago.
    #[error("the log changed while it was checked")]
    Changed,
}

/// Checks the log, and prints findings and summary. Whether all is well.
pub fn run(request: &Request) -> bool {
    let outcome = check(request);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (good, printed) = match &outcome {
        Ok(report) => (report.findings.is_empty(), write!(out, "{report}")),
        Err(error) => (false, writeln!(out, "REFUSED: {error}")),
    };
    match printed.and_then(|()| out.flush()) {
        // Nobody reads on; the exit code still tells.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("chronolease: cannot write the report: {error}");
            false
        }
        _ => good,
    }
}

/// Checks the log.
///
/// # Errors
/// [`FsckError`] when the log is not to be trusted as a whole.
pub fn check(request: &Request) -> Result<Report, FsckError> {
    let files: Arc<dyn Files> = Arc::new(Disk);
    refuse_poisoned(&*files, request)?;
    // Before the log, which may be growing.
    let mut known = own_checkpoints(&files, request)?;
    known.extend_from_slice(&request.known);
    let origin = request.origin.as_str();
    let survey = settled(|| Survey::take(&*files, &request.folder, origin, &known))?;
    let tree = survey.head().tree;

    let key = request.evidence_key.as_ref();
    let verify =
        |message: &[u8], signature: &[u8]| key.is_some_and(|key| key.verify(message, signature));
    let mut audit = Audit::new(request.limits, key.map(|_| &verify as Verify<'_>));
    let findings = audit_leaves(files, request, tree, &mut audit)?;
    Ok(Report {
        tree,
        segments: survey.segments(),
        torn_tail: survey.torn_tail(),
        counts: audit.counts().clone(),
        findings,
    })
}

/// No daemon opens a poisoned log, however sound the rest of it is.
fn refuse_poisoned(files: &dyn Files, request: &Request) -> Result<(), FsckError> {
    match files.read(&request.folder.join("poisoned"))? {
        None => Ok(()),
        Some(why) => {
            let why = String::from_utf8_lossy(&why).escape_debug().to_string();
            Err(OpenError::from(Refused::Poisoned(why)).into())
        }
    }
}

/// The trees that the log itself published. Their signatures are for whoever has its key.
fn own_checkpoints(files: &Arc<dyn Files>, request: &Request) -> Result<Vec<Known>, FsckError> {
    let checkpoints = Checkpoints::new(Arc::clone(files), &request.folder);
    let mut notes = checkpoints.history()?;
    notes.extend(checkpoints.newest()?);
    let known = |(at, note): (usize, Vec<u8>)| {
        let number = at + 1;
        let tree = own_tree(&note, &request.origin)
            .map_err(|fault| FsckError::Checkpoint { number, fault })?;
        Ok(Known { witness: format!("its own checkpoint {number}"), tree })
    };
    notes.into_iter().enumerate().map(known).collect()
}

fn own_tree(note: &[u8], origin: &KeyName) -> Result<TreeHead, CheckpointError> {
    let Checkpoint { origin: found, size, root } = Checkpoint::parse(Note::parse(note)?.text())?;
    if found != *origin {
        return Err(CheckpointError::Origin { found, wanted: origin.clone() });
    }
    Ok(TreeHead { size, root })
}

/// A refusal may come from a batch that was seen half written. What is wrong stays wrong, so only
/// the same refusal twice in a row counts.
fn settled<T>(mut look: impl FnMut() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let mut before = None;
    for _ in 1..LOOKS_MAX {
        match look() {
            Err(OpenError::Refused(why)) if before.as_ref() != Some(&why) => before = Some(why),
            settled => return settled,
        }
    }
    look()
}

/// Audits the leaves of `tree`, and sees to it that they are those of `tree`.
fn audit_leaves(
    files: Arc<dyn Files>,
    request: &Request,
    tree: TreeHead,
    audit: &mut Audit<'_>,
) -> Result<Vec<Finding>, FsckError> {
    let first = LeafIndex::new(0);
    let mut reader = Reader::new(files, &request.folder, request.origin.as_str(), first)?;
    let mut read = CompactRange::new();
    let mut findings = Vec::new();
    while read.size() < tree.size.as_u64() {
        let batch = reader.next_batch()?.ok_or(FsckError::Changed)?;
        for bytes in batch.leaves {
            findings.extend(audit.leaf(LeafIndex::new(read.size()), &bytes));
            read.append(leaf_hash(&bytes));
        }
    }
    let same = read.size() == tree.size.as_u64() && read.root() == tree.root;
    if same { Ok(findings) } else { Err(FsckError::Changed) }
}

impl fmt::Display for Report {
    /// Findings, then the summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "FINDING: {finding}")?;
        }
        writeln!(f, "segments   {}", self.segments)?;
        writeln!(f, "size       {}", self.tree.size)?;
        writeln!(f, "root       {}", self.tree.root)?;
        for (kind, count) in &self.counts {
            writeln!(f, "  {kind:<16} {count}")?;
        }
        if let Some(TornTail { bytes, .. }) = self.torn_tail {
            let behind = match self.tree.size.as_u64().checked_sub(1) {
                Some(last) => format!("behind leaf {last}"),
                None => "and nothing else".to_owned(),
            };
            writeln!(f, "torn tail  {bytes} bytes {behind}, not on record yet")?;
        }
        match self.findings.len() {
            0 => writeln!(f, "clean"),
            found => writeln!(f, "findings   {found}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(segment: u64) -> OpenError {
        Refused::Gap { expected: LeafIndex::new(segment), found: LeafIndex::new(9) }.into()
    }

    #[test]
    fn only_the_same_refusal_twice_counts() {
        let outcome = |looks: Vec<Result<u8, OpenError>>| {
            let all = looks.len();
            let mut looks = looks.into_iter();
            let settled = settled(|| looks.next().expect("no more looks than these"));
            (settled.map_err(|error| error.to_string()), all - looks.len())
        };
        assert_eq!(outcome(vec![Err(refused(1)), Ok(7)]), (Ok(7), 2));
        assert_eq!(outcome(vec![Err(refused(1)), Err(refused(2)), Ok(7)]), (Ok(7), 3));
        let (text, looks) = outcome(vec![Err(refused(1)), Err(refused(1)), Ok(7)]);
        assert_eq!((text, looks), (Err(refused(1).to_string()), 2));
        let (text, looks) = outcome((0..20).map(|n| Err(refused(n))).collect());
        assert_eq!((text, looks), (Err(refused(7).to_string()), 8));
        let full = || Err(OpenError::Full);
        assert_eq!(outcome(vec![full(), Ok(7)]).1, 1, "no refusal, so it stands at once");
    }
}
