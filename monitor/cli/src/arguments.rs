//! The command line.

use std::path::{Path, PathBuf};

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::note::KeyName;
use chronolease_core::evidence::{LeafIndex, TreeHead, TreeSize};
use chronolease_core::id::SpkiPin;
use chronolease_core::judge::Limits;
use chronolease_core::time::{Bound, GenTimeDigits};
use chronolease_net::build;
use chronolease_net::evidence::Known;
use chronolease_net::keys::{EvidenceVerifier, KeyError};
use clap::{Args, Parser, Subcommand};

use crate::fsck;
use crate::kind::Kind;
use crate::show::{self, Output};

/// Reads what Chronolease puts on record. It writes nothing and may run beside the daemons.
///
/// Exit codes: 0 all is well, 1 something is wrong with a log or it cannot be read, 2 wrong
/// options.
#[derive(Debug, Parser)]
#[command(name = "chronolease", version = build::LONG_VERSION)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The groups of commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look into an evidence log.
    #[command(subcommand)]
    Evidence(Evidence),
}

/// What can be done with an evidence log.
#[derive(Debug, Subcommand)]
pub enum Evidence {
    /// Check a whole log: files, hashes, every leaf, and every judgement again.
    ///
    /// Prints one line for each finding and then a summary. While the daemon runs, a torn tail may
    /// be a batch that is being written.
    Fsck(FsckArguments),
    /// Print the leaves of a log, one in each line.
    ///
    /// It checks frames and the chain of commits; fsck checks all else. The newest leaves may be
    /// seen a moment before they are durable.
    Show(ShowArguments),
}

/// Which log.
#[derive(Debug, Args)]
pub struct LogArguments {
    /// The log's folder, as `evidence.dir` names it.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The log's name, as `evidence.origin` has it. The files hold nothing but its hash, so it
    /// must be known beforehand: the log of another name is refused.
    #[arg(long, value_name = "NAME", value_parser = origin)]
    origin: KeyName,
}

/// `evidence fsck`.
#[derive(Debug, Args)]
pub struct FsckArguments {
    #[command(flatten)]
    log: LogArguments,
    /// A tree that the log must hold, from a checkpoint kept elsewhere: its number of leaves and
    /// its root in hexadecimal. May be given several times.
    #[arg(long, value_name = "SIZE:ROOT", value_parser = tree)]
    at_least: Vec<TreeHead>,
    /// G of the TSU: how far its clock may move from the lease's sample.
    #[arg(long, value_name = "LENGTH", default_value = "5ms", value_parser = length)]
    guard: Bound,
    /// The widest bracket of a sample that the TSU accepts.
    #[arg(long, value_name = "LENGTH", default_value = "1ms", value_parser = length)]
    bracket: Bound,
    /// How many digits of a second the tokens print: lease.gen_time_digits of the TSU.
    #[arg(long, value_name = "0|3|6", default_value = "3", value_parser = digits)]
    gen_time_digits: GenTimeDigits,
    /// The monitor's evidence key (PEM, public half): checks the signature of every lease.
    #[arg(long, value_name = "FILE", value_parser = key)]
    evidence_key: Option<EvidenceVerifier>,
}

/// `evidence show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    #[command(flatten)]
    log: LogArguments,
    /// The first leaf to print; leaves are counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// The last leaf to print; without it, up to the end.
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    /// Print these kinds alone.
    #[arg(long, value_name = "KIND", value_enum, value_delimiter = ',')]
    kind: Vec<Kind>,
    /// How to print them; JSON lines have every field.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl FsckArguments {
    /// What to check.
    #[must_use]
    pub fn into_request(self) -> fsck::Request {
        let witness = "--at-least";
        let known = |tree| Known { witness: witness.to_owned(), tree };
        fsck::Request {
            folder: self.log.dir,
            origin: self.log.origin,
            known: self.at_least.into_iter().map(known).collect(),
            limits: Limits {
                guard: self.guard,
                bracket: self.bracket,
                digits: self.gen_time_digits,
            },
            evidence_key: self.evidence_key,
        }
    }
}

impl ShowArguments {
    /// What to print.
    #[must_use]
    pub fn into_request(self) -> show::Request {
        let last = self.to.unwrap_or(u64::MAX);
        show::Request {
            folder: self.log.dir,
            origin: self.log.origin,
            leaves: LeafIndex::new(self.from)..=LeafIndex::new(last),
            kinds: self.kind,
            output: self.output,
        }
    }
}

fn origin(text: &str) -> Result<KeyName, &'static str> {
    KeyName::new(text).ok_or("not the name of a log")
}

fn key(path: &str) -> Result<EvidenceVerifier, KeyError> {
    EvidenceVerifier::load(Path::new(path))
}

/// `SIZE:ROOT`.
fn tree(text: &str) -> Result<TreeHead, &'static str> {
    let parse = || {
        let (size, root) = text.split_once(':')?;
        // Both are 32 bytes in hexadecimal.
        let root = Hash::from_bytes(*SpkiPin::from_hex(root)?.as_bytes());
        Some(TreeHead { size: TreeSize::new(size.parse().ok()?), root })
    };
    parse().ok_or("expected a number of leaves, a colon and 64 hexadecimal digits")
}

fn digits(text: &str) -> Result<GenTimeDigits, &'static str> {
    let count = text.parse().ok().and_then(GenTimeDigits::from_count);
    count.ok_or("expected 0, 3 or 6")
}

/// A whole number and its unit, without a space.
fn length(text: &str) -> Result<Bound, &'static str> {
    let parse = || {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let unit_ns: u64 = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(unit_ns).map(Bound::from_nanos)
    };
    parse().ok_or("expected a whole number and its unit (ns, us, ms, s), such as 5ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn lengths_need_a_number_and_a_unit() {
        assert_eq!(length("5ms"), Ok(Bound::from_millis(5)));
        assert_eq!(length("300us"), Ok(Bound::from_nanos(300_000)));
        for bad in ["", "5", "ms", "5 ms", "-5ms", "5h", "99999999999999999999s", "20000000000s"] {
            assert!(length(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tree_is_a_size_and_a_root() {
        let root = Hash::from_bytes([0xab; 32]);
        let expected = TreeHead { size: TreeSize::new(7), root };
        assert_eq!(tree(&format!("7:{root}")), Ok(expected));
        for bad in ["7", "7:", "7:ab", &format!("x:{root}"), &format!("7:{root}0")] {
            assert!(tree(bad).is_err(), "{bad}");
        }
    }
}
