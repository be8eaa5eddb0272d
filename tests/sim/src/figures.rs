//! The figures that all worlds share: the default column of the design, as the lab has it.

use chronolease_core::budget::WitnessBudget;
use chronolease_core::confirmation::WitnessLimits;
use chronolease_core::id::{BootId, Incarnation, TsuId};
use chronolease_core::judge;
use chronolease_core::time::{Bound, GenTimeDigits, Ppb};
use chronolease_monitor::core::assessment;
use chronolease_monitor::core::authority::{Rearm, Rules};
use chronolease_tsu::core::holder::{Mode, Terms};
use chronolease_tsu::core::rfc3161::{
    Carries, KeyTerms, Request, RequestPolicy, TokenBuilder, TokenProfile, TsuCertificate, parse,
    parse_oid,
};
use sha2::{Digest, Sha256};

/// A.
pub const ACCURACY: Bound = Bound::from_millis(500);
/// Digits of a genTime.
const DIGITS: GenTimeDigits = GenTimeDigits::Three;
/// E0.
pub const GRANT_WITHIN: Bound = Bound::from_millis(125);
/// G.
pub const GUARD: Bound = Bound::from_millis(5);
/// beta.
pub const BRACKET: Bound = Bound::from_millis(1);
/// rho.
pub const RHO: Ppb = Ppb::from_ppm(100);
/// TTL.
pub const TTL: Bound = Bound::from_millis(3_000);
/// e_max.
pub const HALF_WIDTH_MAX: Bound = Bound::from_millis(60);
/// How often a TSU is probed.
pub const PROBE: Bound = Bound::from_millis(1_000);
/// How often a source is polled.
pub const POLL: Bound = Bound::from_millis(1_000);
/// The hold.
pub const HOLD: Bound = Bound::from_millis(3_000);
/// The hold after what latches.
pub const HOLD_LATCHED: Bound = Bound::from_millis(5_000);
/// How old the newest sample of a clock reader may be.
pub const SILENCE_MAX: Bound = Bound::from_millis(1_000);
/// How long a source's sample is used.
pub const AGE_MAX: Bound = Bound::from_millis(4_000);
/// How many sources there are, each a laboratory.
pub const SOURCES: usize = 5;

const POLICY: &str = "0.4.0.2023.1.1";
/// Valid from 2026 to 2054; its key was thrown away.
const CERTIFICATE: &[u8] = include_bytes!("tsu.der");

/// A bound in nanoseconds, as the oracle counts.
#[must_use]
pub fn nanos(bound: Bound) -> i64 {
    i64::try_from(bound.as_nanos()).unwrap_or(i64::MAX)
}

/// The name of the TSU of this place, counted from none.
#[must_use]
pub fn tsu_id(place: usize) -> TsuId {
    TsuId::new(&format!("tsu-{}", place + 1)).expect("a fair name")
}

/// What the TSU accepts.
#[must_use]
pub fn terms(tsu: TsuId, leased: bool, incarnation: Incarnation, boot_id: BootId) -> Terms {
    let witness =
        WitnessBudget { half_width_max: HALF_WIDTH_MAX, queue_max: Bound::from_millis(150) };
    Terms {
        tsu,
        incarnation,
        boot_id,
        policy: POLICY.to_owned(),
        accuracy: ACCURACY,
        limits: judge::Limits { guard: GUARD, bracket: BRACKET, digits: DIGITS },
        rho: RHO,
        mode: if leased { Mode::Leased } else { Mode::Witnessed(witness) },
    }
}

/// By what rules the monitor grants to this TSU.
#[must_use]
pub fn rules(tsu: TsuId, rearm: Rearm) -> Rules {
    Rules {
        tsu,
        policy: POLICY.to_owned(),
        limits: assessment::Limits {
            grant_within: GRANT_WITHIN,
            revoke_beyond: Bound::from_millis(250),
            bracket: BRACKET,
            rho: RHO,
        },
        witness: WitnessLimits { accuracy: ACCURACY, half_width_max: HALF_WIDTH_MAX },
        ttl: TTL,
        probe: PROBE,
        good_probes: 2,
        hold: HOLD,
        hold_latched: HOLD_LATCHED,
        rearm,
    }
}

/// Builds the tokens.
#[must_use]
pub fn builder() -> TokenBuilder {
    let certificate = TsuCertificate::check(CERTIFICATE, &KeyTerms::default());
    let profile = TokenProfile {
        accuracy: ACCURACY,
        qualified: false,
        carries: Carries::Leaf,
        digits: DIGITS,
    };
    let certificate = certificate.expect("the certificate in this folder fits the profile");
    TokenBuilder::new(certificate, &[], profile).expect("the accuracy can be stated")
}

/// A client's request over this number.
#[must_use]
pub fn request(number: u64) -> Request {
    const HEAD: [u8; 24] = [
        0x30, 0x39, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
        0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
    ];
    let digest = Sha256::digest(number.to_be_bytes());
    let nonce = [0x02, 0x01, 0x2a];
    let body = [&HEAD[..], &digest, &nonce[..2], &nonce[2..]].concat();
    let policy = RequestPolicy::new(parse_oid(POLICY).expect("an OID"), Vec::new());
    parse(&body, &policy).expect("a good request")
}

/// What stands for a signature of the TSU's key.
#[must_use]
pub fn signature(message: &[u8]) -> Vec<u8> {
    let hash = Sha256::digest(message);
    [&hash[..], &hash[..]].concat()
}
