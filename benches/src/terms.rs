//! Who a TSU of a bench is.

use anyhow::Context as _;
use chronolease_core::id::{BootId, Incarnation, TsuId};
use chronolease_core::judge::Limits;
use chronolease_core::time::{Bound, GenTimeDigits, Ppb};
use chronolease_net::random;
use chronolease_tsu::core::holder::{Mode, Terms};

/// The policy of every token.
pub const POLICY: &str = "0.4.0.2023.1.1";

/// A fresh run of a TSU, with the default figures of a lease profile and without a monitor: leased.
///
/// # Errors
/// Never, as long as its name is one.
pub fn terms(boot_id: BootId) -> anyhow::Result<Terms> {
    Ok(Terms {
        tsu: TsuId::new("bench").context("a name")?,
        incarnation: Incarnation::from_bytes(random::bytes()),
        boot_id,
        policy: POLICY.to_owned(),
        accuracy: Bound::from_millis(500),
        limits: Limits {
            guard: Bound::from_millis(5),
            bracket: Bound::from_millis(1),
            digits: GenTimeDigits::Three,
        },
        rho: Ppb::from_ppm(100),
        mode: Mode::Leased,
    })
}
