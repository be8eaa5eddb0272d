//! TimeStampResp (RFC 3161 2.4.2).

use rasn::prelude::*;
use rasn_cms::tsp::{PkiStatus, PkiStatusInfo};

use super::der;

/// The one reason of a rejection (PKIFailureInfo, RFC 3161 2.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailInfo {
    /// The hash algorithm is not supported.
    BadAlg,
    /// The transaction is not permitted or not supported.
    BadRequest,
    /// The data has the wrong format.
    BadDataFormat,
    /// The clock is not proven good.
    TimeNotAvailable,
    /// The requested policy is not supported.
    UnacceptedPolicy,
    /// The requested extension is not supported.
    UnacceptedExtension,
    /// Something of this system failed.
    SystemFailure,
}

impl FailInfo {
    /// Every reason there is.
    pub const ALL: [Self; 7] = [
        Self::BadAlg,
        Self::BadRequest,
        Self::BadDataFormat,
        Self::TimeNotAvailable,
        Self::UnacceptedPolicy,
        Self::UnacceptedExtension,
        Self::SystemFailure,
    ];

    /// The reason as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::BadAlg => "bad_alg",
            Self::BadRequest => "bad_request",
            Self::BadDataFormat => "bad_data_format",
            Self::TimeNotAvailable => "time_not_available",
            Self::UnacceptedPolicy => "unaccepted_policy",
            Self::UnacceptedExtension => "unaccepted_extension",
            Self::SystemFailure => "system_failure",
        }
    }

    /// The number of the named bit.
    const fn bit(self) -> usize {
        match self {
            Self::BadAlg => 0,
            Self::BadRequest => 2,
            Self::BadDataFormat => 5,
            Self::TimeNotAvailable => 14,
            Self::UnacceptedPolicy => 15,
            Self::UnacceptedExtension => 16,
            Self::SystemFailure => 25,
        }
    }
}

/// No token, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", fail.label())]
pub struct Rejection {
    /// The reason in the protocol's terms.
    pub fail: FailInfo,
    /// The reason in words, for the client (statusString). Fixed text, so that it can tell nothing
    /// about the inside of the system.
    pub text: &'static str,
}

impl Rejection {
    /// A rejection for the reason `fail`, explained by `text`.
    #[must_use]
    pub const fn new(fail: FailInfo, text: &'static str) -> Self {
        Self { fail, text }
    }
}

/// The TimeStampResp in DER that says no: status rejection (2), one text and one bit.
#[must_use]
pub fn rejected(rejection: &Rejection) -> Vec<u8> {
    // DER ends a BIT STRING of named bits at its last one (X.690 11.2.2).
    let mut fail_info = BitString::repeat(false, rejection.fail.bit());
    fail_info.push(true);
    let status = PkiStatusInfo {
        status: PkiStatus::Rejection,
        status_string: Some(vec![rejection.text.to_owned()]),
        fail_info: Some(fail_info),
    };
    der::element(0x30, &[&der::encode(&status)])
}

/// The TimeStampResp in DER that says yes: status granted (0) and the token, byte for byte.
#[must_use]
pub fn granted(token_der: &[u8]) -> Vec<u8> {
    /// PKIStatusInfo with the status alone.
    const GRANTED: [u8; 5] = [0x30, 3, 2, 1, 0];
    der::element(0x30, &[&GRANTED, token_der])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rasn_cms::tsp;

    #[test]
    fn the_fail_info_is_cut_at_its_last_bit() {
        let golden: [(FailInfo, &[u8]); 7] = [
            (FailInfo::BadAlg, &[0x03, 0x02, 0x07, 0x80]),
            (FailInfo::BadRequest, &[0x03, 0x02, 0x05, 0x20]),
            (FailInfo::BadDataFormat, &[0x03, 0x02, 0x02, 0x04]),
            (FailInfo::TimeNotAvailable, &[0x03, 0x03, 0x01, 0x00, 0x02]),
            (FailInfo::UnacceptedPolicy, &[0x03, 0x03, 0x00, 0x00, 0x01]),
            (FailInfo::UnacceptedExtension, &[0x03, 0x04, 0x07, 0x00, 0x00, 0x80]),
            (FailInfo::SystemFailure, &[0x03, 0x05, 0x06, 0x00, 0x00, 0x00, 0x40]),
        ];
        assert_eq!(golden.map(|(fail, _)| fail), FailInfo::ALL);
        for (fail, bit_string) in golden {
            let status =
                [&[0x02, 0x01, 0x02][..], &[0x30, 0x04, 0x0c, 0x02], b"no", bit_string].concat();
            let octets = u8::try_from(status.len()).unwrap();
            let response = [&[0x30, octets + 2, 0x30, octets][..], &status].concat();
            assert_eq!(rejected(&Rejection::new(fail, "no")), response, "{}", fail.label());
        }
    }

    #[test]
    fn a_granted_response_carries_the_token_unchanged() {
        let token = [0x30, 0x03, 0x02, 0x01, 0x07];
        let response = granted(&token);
        assert_eq!(response, [&[0x30, 0x0a, 0x30, 0x03, 0x02, 0x01, 0x00][..], &token].concat());
    }

    #[test]
    fn an_independent_decoder_reads_a_rejection() {
        let rejection = Rejection::new(FailInfo::TimeNotAvailable, "not now");
        let response: tsp::TimeStampResp = rasn::der::decode(&rejected(&rejection)).unwrap();
        assert_eq!(response.status.status, PkiStatus::Rejection);
        assert_eq!(response.status.status_string, Some(vec!["not now".to_owned()]));
        assert_eq!(response.time_stamp_token, None);
    }
}
