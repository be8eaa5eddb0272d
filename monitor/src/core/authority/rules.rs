//! By what rules leases are granted.

use chronolease_core::confirmation::WitnessLimits;
use chronolease_core::id::TsuId;
use chronolease_core::time::Bound;

use crate::core::assessment::Limits;

/// Who brings a latched ward back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rearm {
    /// Nobody: the longer hold is enough. For the lab; refused in a qualified profile.
    Automatic,
    /// Two persons, one of them a security officer.
    TwoPersons,
}

/// The rules for granting, from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The TSU.
    pub tsu: TsuId,
    /// The policy that leases are good for.
    pub policy: String,
    /// What a probe must prove.
    pub limits: Limits,
    /// What a batch must keep to be confirmed.
    pub witness: WitnessLimits,
    /// How long a lease lasts.
    pub ttl: Bound,
    /// How often the TSU is probed; also how long a challenged connection may be silent.
    pub probe: Bound,
    /// K: good probes in a row before a lease.
    pub good_probes: u32,
    /// How long the good run must last after a lapse.
    pub hold: Bound,
    /// How long the good run must last after a latched cause.
    pub hold_latched: Bound,
    /// Who brings a latched ward back.
    pub rearm: Rearm,
}
