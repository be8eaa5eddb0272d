//! What the kernels of both boxes are set to do at the end of the day, for the plan of leap seconds.

use std::collections::BTreeMap;

use chronolease_core::clock_reader::{Account, KernelState};
use chronolease_core::leap::LeapSign;
use chronolease_core::leap::claim::KernelLeap;
use chronolease_core::stamped::Reading;

use super::Engine;

/// How the plan names the monitor's own kernel.
const OWN: &str = "monitor";

/// The newest account of each kernel. One odd reading is no account, so the one before it stands; a
/// box whose reader is lost has none.
#[derive(Debug, Default)]
pub struct Kernels {
    newest: BTreeMap<String, KernelLeap>,
}

impl Kernels {
    /// Takes in what is known of one box.
    fn hear(&mut self, owner: &str, account: Option<Account>) {
        match account.map(|account| account.kernel) {
            Some(Ok(kernel)) => {
                self.newest.insert(owner.to_owned(), leap(owner, &kernel));
            }
            Some(Err(_odd)) => {}
            None => drop(self.newest.remove(owner)),
        }
    }

    fn all(&self) -> Vec<KernelLeap> {
        self.newest.values().cloned().collect()
    }
}

/// Tells the watch over the months' ends what is known now.
pub(super) fn note(engine: &mut Engine, now: &Reading) {
    engine.kernels.hear(OWN, now.reader.heard().ok());
    for slot in &engine.slots {
        let account = slot.ward.reader().and_then(|word| word.heard.ok());
        engine.kernels.hear(slot.ward.rules().tsu.as_str(), account);
    }
    engine.leap.set_kernels(engine.kernels.all());
}

fn leap(owner: &str, kernel: &KernelState) -> KernelLeap {
    let armed = match (kernel.status.inserts(), kernel.status.deletes()) {
        (true, false) => Some(LeapSign::Insert),
        (false, true) => Some(LeapSign::Delete),
        // The kernel takes both together for neither.
        (true, true) | (false, false) => None,
    };
    KernelLeap { owner: owner.to_owned(), armed, tai_minus_utc_s: kernel.tai_offset_s }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::clock_reader::{KernelReading, Marker, OddReading};

    fn account(status: i32) -> Account {
        let reading = KernelReading {
            state: 0,
            status,
            max_error_us: 0,
            estimated_error_us: 0,
            offset: 0,
            frequency: 0,
            tai_offset_s: 37,
        };
        Account { kernel: reading.checked(), marker: Marker::Absent }
    }

    #[test]
    fn one_odd_reading_is_no_account_and_a_lost_reader_has_none() {
        let mut kernels = Kernels::default();
        kernels.hear("tsu-1", Some(account(0x10)));
        let armed = KernelLeap {
            owner: "tsu-1".to_owned(),
            armed: Some(LeapSign::Insert),
            tai_minus_utc_s: 37,
        };
        assert_eq!(kernels.all(), core::slice::from_ref(&armed));
        let odd = Account { kernel: Err(OddReading::Offset), marker: Marker::Absent };
        kernels.hear("tsu-1", Some(odd));
        assert_eq!(kernels.all(), [armed]);
        kernels.hear("tsu-1", Some(account(0x20)));
        assert_eq!(kernels.all()[0].armed, Some(LeapSign::Delete));
        kernels.hear("tsu-1", Some(account(0)));
        assert_eq!(kernels.all()[0].armed, None);
        kernels.hear("tsu-1", None);
        assert_eq!(kernels.all(), []);
    }
}
