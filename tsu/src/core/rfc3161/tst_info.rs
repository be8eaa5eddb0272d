//! TSTInfo (RFC 3161 2.4.2, EN 319 422 5.2.2).

use chronolease_core::id::Serial;
use chronolease_core::time::{Bound, GenTime};
use rasn::prelude::*;
use rasn_cms::tsp::Accuracy;
use rasn_pkix::{Extension, Extensions};

use super::der;
use super::request::Request;

/// The widest accuracy that a token may state (EN 319 421 TIS-7.7.2-03).
const ACCURACY_MAX: Bound = Bound::from_millis(1_000);

/// The accuracy in the token's terms, or `None` when it cannot be written exactly (not in whole
/// microseconds), is zero, or is more than a second.
pub(super) fn accuracy(bound: Bound) -> Option<Accuracy> {
    let ns = bound.as_nanos();
    if ns == 0 || bound > ACCURACY_MAX || !ns.is_multiple_of(1_000) {
        return None;
    }
    // millis and micros range over 1..999, so a zero is left out.
    let part = |n: u64| (n > 0).then(|| Integer::from(n));
    Some(Accuracy {
        seconds: part(ns / 1_000_000_000),
        millis: part(ns / 1_000_000 % 1_000),
        micros: part(ns / 1_000 % 1_000),
    })
}

const QC_STATEMENTS: &Oid = Oid::const_new(&[1, 3, 6, 1, 5, 5, 7, 1, 3]);

/// SEQUENCE OF one QCStatement: esi4-qtstStatement-1, 0.4.0.19422.1.1 (EN 319 422 9.1).
const QUALIFIED_TIME_STAMP: [u8; 13] =
    [0x30, 0x0b, 0x30, 0x09, 0x06, 0x07, 0x04, 0x00, 0x81, 0x97, 0x5e, 0x01, 0x01];

/// The extensions of a TSTInfo: the statement that it is a qualified time-stamp, or none. None is
/// ever critical (EN 319 422 5.2.2).
fn extensions(qualified: bool) -> Option<Extensions> {
    let statement = || Extension {
        extn_id: QC_STATEMENTS.into(),
        critical: false,
        extn_value: OctetString::from(QUALIFIED_TIME_STAMP.to_vec()),
    };
    qualified.then(|| vec![statement()].into())
}

/// What stays the same from token to token, in DER.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub(super) accuracy: Vec<u8>,
    /// The element [1], or nothing.
    pub(super) extensions: Vec<u8>,
}

impl Constant {
    /// `None` when the accuracy cannot be stated.
    pub(super) fn new(accuracy_bound: Bound, qualified: bool) -> Option<Self> {
        // Extensions are tagged implicitly, so [1] stands in place of their SEQUENCE.
        let implicit = |extensions: Extensions| {
            let mut der = der::encode(&extensions);
            der[0] = 0xa1;
            der
        };
        Some(Self {
            accuracy: der::encode(&accuracy(accuracy_bound)?),
            extensions: extensions(qualified).map_or(Vec::new(), implicit),
        })
    }
}

/// The TSTInfo in DER. `ordering` stays at its default and `tsa` is left out.
pub(super) fn encode(
    request: &Request,
    serial: &Serial,
    gen_time: GenTime,
    constant: &Constant,
) -> Vec<u8> {
    // Unix time has no number for a leap second, so this never shows second 60; DER drops the
    // zeros at the end of the fraction.
    let gen_time: GeneralizedTime =
        UtcTime::from_timestamp_nanos(gen_time.as_unix_nanos()).fixed_offset();
    let parts = request.parts();
    der::element(
        0x30,
        &[
            &[2, 1, 1],
            &parts.policy,
            &parts.imprint,
            // Positive and not below 2^158, so these octets are the shortest.
            &der::element(0x02, &[serial.as_be_bytes()]),
            &der::encode(&gen_time),
            &constant.accuracy,
            &parts.nonce,
            &constant.extensions,
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use chronolease_core::time::{GenTimeDigits, Timestamp};

    /// The content of the GeneralizedTime in the TSTInfo of a token read at this time.
    fn printed(unix_ns: i64, digits: GenTimeDigits) -> String {
        let tst_info = encode(
            &testing::request(false),
            &Serial::from_hash(&[0; 32]),
            GenTime::at(Timestamp::from_unix_nanos(unix_ns), digits),
            &Constant::new(Bound::from_millis(500), false).unwrap(),
        );
        // The serial's twenty octets end right before the GeneralizedTime.
        let at = tst_info.windows(2).position(|w| w == [0x02, 20]).unwrap() + 22;
        assert_eq!(tst_info[at], 0x18);
        let octets = usize::from(tst_info[at + 1]);
        String::from_utf8(tst_info[at + 2..at + 2 + octets].to_vec()).unwrap()
    }

    #[test]
    fn a_gen_time_shows_its_digits_and_no_zeros_at_the_end() {
        const SECOND: i64 = 1_700_000_000_000_000_000;
        use GenTimeDigits::{Six, Three, Zero};
        for (ns, text) in [
            (SECOND, "20231114221320Z"),
            (SECOND + 999_999, "20231114221320Z"),
            (SECOND + 1_000_000, "20231114221320.001Z"),
            (SECOND + 120_000_000, "20231114221320.12Z"),
            (SECOND + 999_999_999, "20231114221320.999Z"),
            // The last instant before the leap second at the end of 2016, and the first after.
            (1_483_228_799_999_000_000, "20161231235959.999Z"),
            (1_483_228_800_000_000_000, "20170101000000Z"),
        ] {
            assert_eq!(printed(ns, Three), text);
        }
        let ns = SECOND + 700_120_999;
        for (digits, text) in [
            (Zero, "20231114221321Z"),
            (Three, "20231114221320.7Z"),
            (Six, "20231114221320.70012Z"),
        ] {
            assert_eq!(printed(ns, digits), text);
        }
    }

    #[test]
    fn an_accuracy_is_split_and_its_zeros_left_out() {
        let golden: [(u64, &[u8]); 4] = [
            (1_000_000_000, &[0x30, 0x03, 0x02, 0x01, 0x01]),
            (500_000_000, &[0x30, 0x04, 0x80, 0x02, 0x01, 0xf4]),
            (25_000, &[0x30, 0x03, 0x81, 0x01, 0x19]),
            (100_999_000, &[0x30, 0x07, 0x80, 0x01, 0x64, 0x81, 0x02, 0x03, 0xe7]),
        ];
        for (ns, bytes) in golden {
            let accuracy = accuracy(Bound::from_nanos(ns)).unwrap();
            assert_eq!(der::encode(&accuracy), bytes, "{ns}");
        }
    }

    #[test]
    fn an_accuracy_that_cannot_be_stated_is_refused() {
        for ns in [0, 999, 1_000_001, 1_000_001_000, u64::MAX] {
            assert_eq!(accuracy(Bound::from_nanos(ns)), None, "{ns}");
        }
    }
}
