//! The evidence log on disk: append, recover, read.
//!
//! Leaves are opaque here; [`chronolease_core::evidence`] gives them their meaning. A log is a
//! folder with one writer:
//!
//! ```text
//! lock                            held by the writer (flock)
//! segment/0000000000000000.seg    the leaves; the name is the first leaf's index in hexadecimal
//! segment/new.tmp                 a segment in the making; never read
//! checkpoint                      the newest cosigned note
//! checkpoint.history              such notes, at most one a minute
//! peer/ORIGIN.state.0, .1         the newest state of a peer's log
//! poisoned                        there when a write or fdatasync failed once
//! ```
//!
//! `docs/evidence.md` has the bytes of all of them, under "On disk".
//!
//! # A segment
//!
//! A segment is a header and frames without gaps. A batch is one or more leaf frames and then a
//! commit frame. Headers and commits form a chain of hashes, each over the one before. The
//! checkpoints cover the leaves and their order; the division into batches and segments is covered
//! by that chain alone, so what must be provable goes into a leaf.
//!
//! Frames have CRC-32 sums, which find tears; the hashes find tampering. Since a frame's sum covers
//! its place, a frame that was moved, or one inside another's payload, is none.
//!
//! A segment is made with its full length, all zeros, and gets its name when its header is durable.
//!
//! # Writing
//!
//! One thread writes. Each batch is one write past the page cache (through it where there is no
//! other way) and one fdatasync; answers go out after. What came together stays together and in
//! order. A batch closes as soon as the thread is free and something waits. The queue is bounded:
//! [`Log::append`] waits for room, [`Log::submit`] says [`AppendError::Busy`].
//!
//! A segment that is full, or old, is followed by the next; it is then cut at its last commit and
//! made read-only. Nothing is ever deleted.
//!
//! - No room for the next segment, or less than the reserve left: [`AppendError::Full`]. Nothing
//!   changes, and the next append tries again. One that is old but not full stays in use.
//! - Any other failure of a write or an fdatasync: poisoned. `poisoned` is written if the disk
//!   still can, every append fails from then on, and the log is never opened again. Without the
//!   mark the next opening can only judge what it reads, and the checkpoints.
//!
//! # Opening
//!
//! Everything is read and checked ([`Survey`]). A crash during a write leaves a front part of a
//! batch: after the last commit come whole leaves, perhaps one damaged frame, then nothing that is
//! whole. (Space that was set aside reads as zeros until its first write is complete, so ext4 and
//! XFS show no later part without the earlier one: `segment_file.rs` has more. Should a disk do so
//! all the same, the log is refused: nobody can tell that from tampering.) That torn tail is reported
//! ([`TornTail`]) until the caller has put it on record: it stays until the next batch begins the
//! next segment, whose header says how much was cut; a segment without batches is replaced. Zeros
//! after the last commit are no tail. All else is [`Refused`].
//!
//! The disk is trusted to keep what fdatasync returned for. Who can write to the folder can cut
//! off whole batches at the end, or rewrite everything: the checkpoints that the log itself and
//! its peer keep show it, so pass them as [`Known`].

#[cfg(feature = "test-support")]
mod by_hand;
mod checkpoint;
mod files;
mod format;
mod layout;
mod log;
#[cfg(any(test, feature = "test-support"))]
mod memory;
mod peer;
mod reader;
mod refused;
mod segment_file;
mod settings;
mod survey;
mod writer;

#[cfg(feature = "test-support")]
pub use by_hand::{HandWriter, create_by_hand, open_by_hand};
pub use checkpoint::Checkpoints;
pub use files::{Disk, Files, OpenFile};
pub use format::{Commit, FRAME_OVERHEAD_BYTES, HEADER_BYTES, LEAF_BYTES_MAX};
pub(crate) use log::hold;
pub use log::{Committed, Entry, Log, Owner, Pending, Recovered, State, create, open};
#[cfg(any(test, feature = "test-support"))]
pub use memory::{Crash, MemoryDisk};
pub use peer::{PeerError, PeerState, PeerStore};
pub use reader::{ReadError, Reader, StoredBatch};
pub use refused::{AppendError, CommitFault, HeaderFault, OpenError, Refused};
pub use settings::{Known, Seconds, Settings, SettingsFault};
pub(crate) use survey::bears;
pub use survey::{Head, Survey, TornTail};

#[cfg(test)]
mod tests;
