//! Requests for time-stamps, and the tokens that answer them.

use std::sync::OnceLock;

use chronolease_core::id::Serial;
use chronolease_core::time::{Bound, GenTime, GenTimeDigits, Timestamp};
use chronolease_tsu::core::rfc3161::request::NONCE_OCTETS_MAX;
use chronolease_tsu::core::rfc3161::{
    Carries, FailInfo, KeyTerms, Request, RequestPolicy, TokenBuilder, TokenProfile,
    TsuCertificate, granted, parse, parse_oid, rejected,
};
use num_bigint::BigInt;
use rasn_cms::SignedData;
use rasn_cms::tsp::{PkiStatus, TimeStampResp, TstInfo};

/// A certificate of a lab. Its dates are nobody's concern here.
const CERTIFICATE: &[u8] = include_bytes!("../fixtures/tsu.der");

fn policy() -> &'static RequestPolicy {
    static POLICY: OnceLock<RequestPolicy> = OnceLock::new();
    POLICY.get_or_init(|| {
        let oid = |dotted| parse_oid(dotted).expect("an object identifier");
        RequestPolicy::new(oid("0.4.0.2023.1.1"), vec![oid("1.2.3.4.5")])
    })
}

/// Any bytes are a request that deserves a token, or get a rejection with one reason. No request
/// stays one with a byte more or less.
///
/// # Panics
/// When that is not so.
pub fn timestamp_request(body: &[u8]) {
    let request = match parse(body, policy()) {
        Ok(request) => request,
        Err(rejection) => {
            let response: TimeStampResp =
                rasn::der::decode(&rejected(&rejection)).expect("a response");
            assert_eq!(response.status.status, PkiStatus::Rejection);
            assert_eq!(response.status.fail_info.map(|bits| bits.count_ones()), Some(1));
            assert!(response.time_stamp_token.is_none());
            return;
        }
    };
    assert!(matches!(request.digest().len(), 32 | 48 | 64));
    assert_eq!(request.hash().hash(), request.digest());
    let nonce = request.nonce().map(|n| BigInt::from(n.clone()).to_signed_bytes_be().len());
    assert!(nonce.unwrap_or(0) <= NONCE_OCTETS_MAX);
    let known = policy();
    let policy_known =
        request.policy() == known.default_policy() || known.accepted().contains(request.policy());
    assert!(policy_known);
    for other in [[body, &[0]].concat(), body[..body.len() - 1].to_vec()] {
        let refused = parse(&other, policy()).expect_err("not one TimeStampReq");
        assert_eq!(refused.fail, FailInfo::BadDataFormat);
    }
}

/// The first byte chooses what tokens are like, eight are the time, 32 the serial's hash, two say
/// which byte of the token is changed; the rest is a request. Its token passes the self-check and
/// says, to another decoder, what was asked. A changed byte does not pass.
///
/// # Panics
/// When that is not so.
pub fn token_round_trip(input: &[u8]) {
    let Some((&[shape], rest)) = input.split_first_chunk() else { return };
    let Some((time, rest)) = rest.split_first_chunk() else { return };
    let Some((hash, rest)) = rest.split_first_chunk::<32>() else { return };
    let Some((place, body)) = rest.split_first_chunk() else { return };
    let Ok(request) = parse(body, policy()) else { return };
    let builder = &builders()[usize::from(shape) % builders().len()];
    // A GeneralizedTime has the years 0 to 9999; these are the years that nanoseconds can count.
    let reading = Timestamp::from_unix_nanos(i64::from_be_bytes(*time) / 2);
    let gen_time = GenTime::at(reading, builder.profile().digits);
    let serial = Serial::from_hash(hash);

    let mut signed = Vec::new();
    let tst_info = builder.tst_info(&request, &serial, gen_time);
    let token = builder.build(&tst_info, request.cert_req(), |message| {
        signed = message.to_vec();
        Ok(vec![0x5a; 64])
    });
    let token = token.expect("a token");
    let fits = |message: &[u8], signature: &[u8]| message == signed && signature == [0x5a; 64];
    builder.verify(&token, &request, &serial, gen_time, fits).expect("it is what was asked");
    says_what_was_asked(&token, &request, &serial, gen_time, builder.profile());

    let mut changed = token;
    let at = usize::from(u16::from_be_bytes(*place)) % changed.len();
    changed[at] ^= 1 << (place[0] % 8);
    assert!(builder.verify(&changed, &request, &serial, gen_time, fits).is_err(), "byte {at}");
}

fn builders() -> &'static [TokenBuilder] {
    static BUILDERS: OnceLock<Vec<TokenBuilder>> = OnceLock::new();
    BUILDERS.get_or_init(|| {
        let certificate =
            TsuCertificate::check(CERTIFICATE, &KeyTerms::default()).expect("it fits");
        let shapes = GenTimeDigits::ALL.into_iter().flat_map(|digits| {
            [false, true].map(|qualified| TokenProfile {
                accuracy: Bound::from_millis(1_000),
                digits,
                qualified,
                carries: Carries::Full,
            })
        });
        let builder = |profile| TokenBuilder::new(certificate.clone(), &[], profile);
        shapes.map(|profile| builder(profile).expect("they fit")).collect()
    })
}

fn says_what_was_asked(
    token: &[u8],
    request: &Request,
    serial: &Serial,
    gen_time: GenTime,
    profile: &TokenProfile,
) {
    let response: TimeStampResp = rasn::der::decode(&granted(token)).expect("a response");
    assert_eq!(response.status.status, PkiStatus::Granted);
    let content = response.time_stamp_token.expect("a token").content;
    let data: SignedData = rasn::der::decode(content.as_bytes()).expect("SignedData");
    assert_eq!(data.certificates.is_some(), request.cert_req());
    let info = data.encap_content_info.content.expect("content");
    let info: TstInfo = rasn::der::decode(&info).expect("TSTInfo");
    assert_eq!(info.message_imprint, *request.imprint());
    assert_eq!(info.nonce.as_ref(), request.nonce());
    assert_eq!(info.policy, *request.policy());
    assert_eq!(info.gen_time.timestamp_nanos_opt(), Some(gen_time.as_unix_nanos()));
    let number = BigInt::from(info.serial_number).to_signed_bytes_be();
    assert_eq!(number, serial.as_be_bytes());
    assert_eq!(info.extensions.is_some(), profile.qualified);
    assert!(info.accuracy.is_some() && !info.ordering && info.tsa.is_none());
}
