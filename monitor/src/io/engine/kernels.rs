//! What the clock readers of both boxes say of the kernels: for the plan of leap seconds, for alarms
//! and for the record. No lease rests on what a kernel holds of its own clock.

use std::collections::BTreeMap;

use chronolease_core::clock_reader::{KernelState, ReaderWord};
use chronolease_core::evidence::leaf::{Event, KernelChange};
use chronolease_core::id::TsuId;
use chronolease_core::leap::LeapSign;
use chronolease_core::leap::claim::KernelLeap;
use chronolease_core::stamped::Reading;
use tracing::{info, warn};

use super::Engine;

/// How the plan and the status name the monitor's own kernel.
const OWN: &str = "monitor";

/// Whose box; `None` is the monitor's own.
type Owner = Option<TsuId>;

/// The newest account of each kernel. One odd reading is no account, so the one before it stands; a
/// box whose reader is lost has none.
#[derive(Debug, Default)]
pub struct Kernels {
    newest: BTreeMap<Owner, KernelState>,
    /// What was last told and recorded of each box.
    told: BTreeMap<Owner, Facts>,
    /// The newest word of each box.
    words: BTreeMap<Owner, ReaderWord>,
}

/// What matters of a word. The errors of a kernel's clock change with each one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts {
    steps: u64,
    disruptions: u64,
    /// `None` while the reader is lost.
    kernel: Option<KernelFacts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KernelFacts {
    unsynchronised: bool,
    armed: Option<LeapSign>,
    tai_offset_s: i32,
}

impl Kernels {
    /// Takes in what is known of one box; `None` while nothing is. What is to be put on record.
    fn hear(&mut self, owner: &Owner, word: Option<&ReaderWord>) -> Option<KernelChange> {
        let Some(word) = word else {
            self.newest.remove(owner);
            self.words.remove(owner);
            self.told.remove(owner);
            return None;
        };
        self.words.insert(owner.clone(), *word);
        let kernel = match word.heard.map(|account| account.kernel) {
            Ok(Ok(kernel)) => {
                self.newest.insert(owner.clone(), kernel);
                Some(facts(&kernel))
            }
            Ok(Err(_odd)) => self.newest.get(owner).map(facts),
            Err(_lost) => {
                self.newest.remove(owner);
                None
            }
        };
        let facts = Facts { steps: word.steps, disruptions: word.disruptions, kernel };
        let before = self.told.insert(owner.clone(), facts);
        if before == Some(facts) {
            return None;
        }
        tell(name(owner), before.and_then(|before| before.kernel), kernel);
        Some(KernelChange { tsu: owner.clone(), word: *word })
    }

    /// The newest word of each box, by its name.
    pub fn words(&self) -> impl Iterator<Item = (&str, &ReaderWord)> {
        self.words.iter().map(|(owner, word)| (name(owner), word))
    }

    fn all(&self) -> Vec<KernelLeap> {
        self.newest.iter().map(|(owner, kernel)| leap(name(owner), kernel)).collect()
    }
}

/// Tells the watch over the months' ends what is known now, and puts what changed on record.
pub(super) fn note(engine: &mut Engine, now: &Reading) {
    let own = engine.kernels.hear(&None, Some(&now.reader.word()));
    let kernels = &mut engine.kernels;
    let tsus = engine
        .slots
        .iter()
        .filter_map(|slot| kernels.hear(&Some(slot.ward.rules().tsu.clone()), slot.ward.reader()));
    let changes: Vec<KernelChange> = own.into_iter().chain(tsus).collect();
    changes.into_iter().for_each(|change| engine.records.note(Event::KernelChange(change)));
    engine.leap.set_kernels(engine.kernels.all());
}

fn tell(owner: &str, before: Option<KernelFacts>, now: Option<KernelFacts>) {
    let unsynchronised = |facts: Option<KernelFacts>| facts.map(|facts| facts.unsynchronised);
    match (unsynchronised(before), unsynchronised(now)) {
        (Some(true), Some(true)) => {}
        (_, Some(true)) => warn!(owner, "the kernel does not hold its clock to be synchronised"),
        (Some(true), Some(false)) => info!(owner, "the kernel's clock is synchronised again"),
        (_, Some(false) | None) => {}
    }
}

fn name(owner: &Owner) -> &str {
    owner.as_ref().map_or(OWN, TsuId::as_str)
}

fn facts(kernel: &KernelState) -> KernelFacts {
    KernelFacts {
        unsynchronised: kernel.is_unsynchronised(),
        armed: armed(kernel),
        tai_offset_s: kernel.tai_offset_s,
    }
}

fn armed(kernel: &KernelState) -> Option<LeapSign> {
    match (kernel.status.inserts(), kernel.status.deletes()) {
        (true, false) => Some(LeapSign::Insert),
        (false, true) => Some(LeapSign::Delete),
        // The kernel takes both together for neither.
        (true, true) | (false, false) => None,
    }
}

fn leap(owner: &str, kernel: &KernelState) -> KernelLeap {
    let tai_minus_utc_s = kernel.tai_offset_s;
    KernelLeap { owner: owner.to_owned(), armed: armed(kernel), tai_minus_utc_s }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::clock_reader::{Account, KernelReading, LostKind, Marker, OddReading};

    fn word(kernel: Result<KernelState, OddReading>) -> ReaderWord {
        let heard = Ok(Account { kernel, marker: Marker::Absent });
        ReaderWord { steps: 0, disruptions: 0, heard }
    }

    fn kernel(status: i32) -> ReaderWord {
        let reading = KernelReading {
            state: 0,
            status,
            max_error_us: 0,
            estimated_error_us: 0,
            offset: 0,
            frequency: 0,
            tai_offset_s: 37,
        };
        word(reading.checked())
    }

    fn tsu() -> Owner {
        TsuId::new("tsu-1")
    }

    #[test]
    fn one_odd_reading_is_no_account_and_a_lost_reader_has_none() {
        let mut kernels = Kernels::default();
        kernels.hear(&tsu(), Some(&kernel(0x10)));
        let armed = KernelLeap {
            owner: "tsu-1".to_owned(),
            armed: Some(LeapSign::Insert),
            tai_minus_utc_s: 37,
        };
        assert_eq!(kernels.all(), core::slice::from_ref(&armed));
        assert_eq!(kernels.hear(&tsu(), Some(&word(Err(OddReading::Offset)))), None);
        assert_eq!(kernels.all(), [armed]);
        kernels.hear(&tsu(), Some(&kernel(0x20)));
        assert_eq!(kernels.all()[0].armed, Some(LeapSign::Delete));
        kernels.hear(&tsu(), Some(&kernel(0)));
        assert_eq!(kernels.all()[0].armed, None);
        kernels.hear(&tsu(), None);
        assert_eq!(kernels.all(), []);
    }

    #[test]
    fn what_changed_is_on_record_once_for_each_box() {
        let lost = ReaderWord { heard: Err(LostKind::Silent), ..kernel(0) };
        let stepped = ReaderWord { steps: 1, ..kernel(0) };
        for owner in [None, tsu()] {
            let mut kernels = Kernels::default();
            for word in [kernel(0), kernel(0x40), kernel(0x10), stepped, lost, kernel(0)] {
                let change = KernelChange { tsu: owner.clone(), word };
                assert_eq!(kernels.hear(&owner, Some(&word)), Some(change));
                assert_eq!(kernels.hear(&owner, Some(&word)), None);
            }
        }
    }
}
