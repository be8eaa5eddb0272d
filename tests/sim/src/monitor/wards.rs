//! What the monitor keeps of each TSU.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::note::{KeyName, Note};
use chronolease_core::evidence::{TreeHead, leaf};
use chronolease_core::id::TsuId;
use chronolease_core::lease::EndingCause;
use chronolease_core::sample::Sample;
use chronolease_core::time::RawInstant;
use chronolease_monitor::core::authority::{Event, Rearm, Record, Ward};
use chronolease_net::evidence::{Files as _, MemoryDisk};

use super::{Monitor, Out};
use crate::boxlog::{BoxLog, Exchange, Identity, leaves};
use crate::figures;

/// A ward, its connections, and its half of the exchange.
pub(super) struct Side {
    pub(super) ward: Ward,
    pub(super) exchange: Exchange,
    pub(super) conns: BTreeMap<u64, TreeHead>,
    pub(super) owed: Option<(u64, String)>,
    pub(super) told: Option<u64>,
    pub(super) own_broken: Option<EndingCause>,
    pub(super) dirty: bool,
}

impl Side {
    pub(super) fn open(
        (disk, log): (&MemoryDisk, &BoxLog),
        (me, peer): (&Identity, &Identity),
        tsu: TsuId,
        rearm: Rearm,
        now: &Sample,
    ) -> Result<Self, String> {
        let exchange = log.exchange(disk, peer)?;
        let text = disk.read(&record_file(&tsu)).map_err(|why| why.to_string())?;
        let text = String::from_utf8(text.unwrap_or_default()).map_err(|why| why.to_string())?;
        let record = if text.is_empty() { Ok(Record::default()) } else { Record::parse(&text) };
        let record = record.map_err(|why| why.to_string())?;
        let confirmed = last_confirmed(disk, me, &tsu, &peer.origin)?;
        let ward = Ward::new(figures::rules(tsu, rearm), record, now.raw_after).knowing(confirmed);
        Ok(Self {
            ward,
            exchange,
            conns: BTreeMap::new(),
            owed: None,
            told: None,
            own_broken: None,
            dirty: false,
        })
    }
}

/// Where the record of a ward is.
pub(super) fn record_file(tsu: &TsuId) -> PathBuf {
    Path::new("/wards").join(format!("{tsu}.ward"))
}

impl Monitor {
    /// The ward of a connection. Of one that never introduced itself nothing is asked.
    pub(super) fn ward_of(&self, conn: u64) -> usize {
        self.wards_of.get(&conn).copied().unwrap_or(0)
    }

    /// The ward of the TSU with this name.
    pub(super) fn ward_named(&self, tsu: &TsuId) -> Option<usize> {
        self.sides.iter().position(|side| side.ward.rules().tsu == *tsu)
    }

    pub(super) fn is_connected(&self, conn: u64) -> bool {
        self.sides.iter().any(|side| side.conns.contains_key(&conn))
    }

    /// When a ward wants a turn.
    #[must_use]
    pub fn due(&self, now: RawInstant) -> RawInstant {
        let due = self.sides.iter().map(|side| side.ward.due(now));
        due.min().expect("a ward")
    }

    /// What concerns all of them.
    pub(super) fn everybody(&mut self, now: &Sample, event: &Event, out: &mut Vec<Out>) {
        for ward in 0..self.sides.len() {
            self.handle(ward, now, event.clone(), out);
        }
    }

    /// A log does not continue, or the monitor's own does not for this ward.
    pub(super) fn log_broken(
        &mut self,
        ward: usize,
        now: &Sample,
        cause: EndingCause,
        out: &mut Vec<Out>,
    ) {
        let event = Event::LogBroken { cause };
        if self.told_to_all {
            return self.everybody(now, &event, out);
        }
        self.handle(ward, now, event, out);
    }
}

/// The tree of this TSU's log that the last batch was confirmed with, unless a later one was vouched
/// for.
fn last_confirmed(
    disk: &MemoryDisk,
    me: &Identity,
    tsu: &TsuId,
    origin: &KeyName,
) -> Result<TreeHead, String> {
    let is_of_it = |note: &[u8]| {
        let note = Note::parse(note).ok();
        let checkpoint = note.and_then(|note| Checkpoint::parse(note.text()).ok());
        checkpoint.is_some_and(|checkpoint| checkpoint.origin == *origin)
    };
    let leaves = leaves(disk, me)?;
    let confirmed = leaves.iter().rev().find_map(|leaf| match &leaf.event {
        leaf::Event::Confirmed(signed) => match signed.open(|_, _| true) {
            Ok(confirmation) => (confirmation.tsu == *tsu).then_some(Ok(confirmation.log)),
            Err(why) => Some(Err(why)),
        },
        leaf::Event::PeerCheckpoint(note) if is_of_it(note) => Some(Ok(TreeHead::empty())),
        _ => None,
    });
    confirmed.unwrap_or_else(|| Ok(TreeHead::empty())).map_err(|why| why.to_string())
}
