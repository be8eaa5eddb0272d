//! Whatever a sound request asks, its token says.

use std::sync::OnceLock;

use chronolease_core::evidence::leaf::HashFunction;
use chronolease_core::time::Timestamp;
use num_bigint::BigInt;
use proptest::prelude::*;
use rasn_cms::AlgorithmIdentifier;
use rasn_cms::tsp::{MessageImprint, TimeStampReq};

use super::*;
use crate::core::rfc3161::parse_oid;

/// A builder for each number of digits, for plain tokens and for qualified ones.
fn builders() -> &'static [TokenBuilder] {
    static BUILDERS: OnceLock<Vec<TokenBuilder>> = OnceLock::new();
    BUILDERS.get_or_init(|| {
        let pki = Pki::new();
        let shapes = GenTimeDigits::ALL.into_iter().flat_map(|digits| {
            [false, true].map(|qualified| TokenProfile { digits, qualified, ..testing::profile() })
        });
        let chain = [pki.ca_der.clone()];
        let builder = |profile| TokenBuilder::new(pki.certificate(), &chain, profile);
        shapes.map(|profile| builder(profile).unwrap()).collect()
    })
}

prop_compose! {
    fn requests()(
        (hash, has_parameters) in (0..HashFunction::ALL.len(), any::<bool>()),
        digest in any::<[[u8; 32]; 2]>(),
        policy in prop::option::of(prop::sample::select(vec!["0.4.0.2023.1.1", "1.2.3.4.5"])),
        nonce in prop::option::of(prop::collection::vec(any::<u8>(), 0..=64)),
        cert_req in any::<bool>(),
    ) -> TimeStampReq {
        let function = HashFunction::ALL[hash];
        let arcs = vec![2, 16, 840, 1, 101, 3, 4, 2, [1, 2, 3, 8, 9, 10][hash]];
        let digest = digest.concat()[..function.octets()].to_vec();
        TimeStampReq {
            version: 1,
            message_imprint: MessageImprint {
                hash_algorithm: AlgorithmIdentifier {
                    algorithm: ObjectIdentifier::new(arcs).unwrap(),
                    parameters: has_parameters.then(|| der::any(&())),
                },
                hashed_message: digest.into(),
            },
            req_policy: policy.and_then(parse_oid),
            nonce: nonce.map(|octets| BigInt::from_signed_bytes_be(&octets).into()),
            cert_req,
            extensions: None,
        }
    }
}

proptest! {
    #[test]
    fn a_granted_token_says_what_was_asked(
        asked in requests(),
        shape in any::<prop::sample::Index>(),
        unix_ns in i64::MIN / 2..i64::MAX / 2,
        hash in any::<[u8; 32]>(),
    ) {
        let request = parse(&der::encode(&asked), &testing::policy()).expect("a sound request");
        let builder = shape.get(builders());
        let profile = builder.profile();
        let gen_time = GenTime::at(Timestamp::from_unix_nanos(unix_ns), profile.digits);
        let serial = Serial::from_hash(&hash);
        let tst_info = builder.tst_info(&request, &serial, gen_time);
        let token = builder.build(&tst_info, request.cert_req(), |_| Ok(vec![0x5a; 70])).unwrap();

        let checked = builder.verify(&token, &request, &serial, gen_time, |_, _| true);
        prop_assert_eq!(checked, Ok(Hash::of(&[0x5a; 70])));
        let (data, info) = independent(&token);
        let default_policy = || testing::policy().default_policy().clone();
        prop_assert_eq!(info.message_imprint, asked.message_imprint);
        prop_assert_eq!(info.nonce, asked.nonce);
        prop_assert_eq!(info.policy, asked.req_policy.unwrap_or_else(default_policy));
        prop_assert_eq!(data.certificates.map(|set| set.len()), asked.cert_req.then_some(2));
        prop_assert_eq!(info.gen_time.timestamp_nanos_opt(), Some(gen_time.as_unix_nanos()));
        let number = BigInt::from(info.serial_number).to_signed_bytes_be();
        prop_assert_eq!(number, serial.as_be_bytes());
        prop_assert_eq!(info.extensions.is_some(), profile.qualified);
        prop_assert!(info.accuracy.is_some() && !info.ordering && info.tsa.is_none());
    }
}
