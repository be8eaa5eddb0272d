//! The grammar of a look at the public endpoint.

use rasn::prelude::*;

use super::Interval;
use crate::evidence::leaf::end_to_end::{self, EndToEndResult};
use crate::time::RawInstant;
use crate::wire::WireError;
use crate::wire::asn1::tsu_id;

/// `EndToEnd ::= SEQUENCE { tsu, asked, answered, judgedAt, withoutLease, result, request,
/// response [0] OPTIONAL, utcMinusRaw [1] OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct EndToEnd {
    tsu: Utf8String,
    asked: i64,
    answered: i64,
    judged_at: i64,
    without_lease: bool,
    result: u8,
    request: OctetString,
    #[rasn(tag(0))]
    response: Option<OctetString>,
    #[rasn(tag(1))]
    utc_minus_raw: Option<Interval>,
}

impl From<&end_to_end::EndToEnd> for EndToEnd {
    fn from(it: &end_to_end::EndToEnd) -> Self {
        Self {
            tsu: it.tsu.to_string(),
            asked: it.asked.as_nanos(),
            answered: it.answered.as_nanos(),
            judged_at: it.judged_at.as_nanos(),
            without_lease: it.without_lease,
            result: it.result.code(),
            request: OctetString::from(it.request.clone()),
            response: it.response.clone().map(OctetString::from),
            utc_minus_raw: it.utc_minus_raw.map(Into::into),
        }
    }
}

impl TryFrom<EndToEnd> for end_to_end::EndToEnd {
    type Error = WireError;
    fn try_from(it: EndToEnd) -> Result<Self, WireError> {
        Ok(Self {
            tsu: tsu_id(&it.tsu)?,
            asked: RawInstant::from_nanos(it.asked),
            answered: RawInstant::from_nanos(it.answered),
            judged_at: RawInstant::from_nanos(it.judged_at),
            utc_minus_raw: it.utc_minus_raw.map(TryInto::try_into).transpose()?,
            without_lease: it.without_lease,
            request: it.request.to_vec(),
            response: it.response.map(|body| body.to_vec()),
            result: EndToEndResult::from_code(it.result).ok_or(WireError::Range("result"))?,
        })
    }
}
