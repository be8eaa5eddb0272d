use super::super::frame::constant_attributes;
use super::super::testing::{self, Pki, Scratch};
use super::super::{RsaPadding, Suite, granted, parse};
use super::*;
use crate::io::signer::Signer;
use chronolease_core::evidence::merkle::Hash;
use rasn_cms::tsp::TstInfo;

mod asked;

/// The token as rasn's own complete types see it, which write it in the very same octets.
fn independent(token: &[u8]) -> (rasn_cms::SignedData, TstInfo) {
    let content_info: rasn_cms::ContentInfo = rasn::der::decode(token).unwrap();
    assert_eq!(der::encode(&content_info), token);
    let signed_data: rasn_cms::SignedData =
        rasn::der::decode(content_info.content.as_bytes()).unwrap();
    assert_eq!(der::encode(&signed_data), content_info.content.as_bytes());
    let tst_info = signed_data.encap_content_info.content.clone().unwrap();
    (signed_data, der::decode(&tst_info).unwrap())
}

#[test]
fn a_token_has_the_profile_of_en_319_422() {
    let pki = Pki::new();
    let request = testing::request(false);
    let (signed_data, tst_info) = independent(&pki.token(&pki.builder(), &request));
    assert_eq!(signed_data.version, Integer::from(3));
    assert_eq!(signed_data.digest_algorithms.to_vec(), [&Suite::EcdsaP256.digest_algorithm()]);
    assert!(signed_data.certificates.is_none() && signed_data.crls.is_none());
    let signer_infos = signed_data.signer_infos.to_vec();
    let [signer] = signer_infos[..] else { panic!("one signer") };
    assert_eq!(signer.version, Integer::ONE);
    assert_eq!(signer.signature_algorithm, Suite::EcdsaP256.signature_algorithm());
    let attributes = signer.signed_attrs.as_ref().unwrap();
    let mut types: Vec<_> = attributes.iter().map(|a| a.r#type.to_string()).collect();
    types.sort();
    let expected = [
        "1.2.840.113549.1.9.16.2.47",
        "1.2.840.113549.1.9.3",
        "1.2.840.113549.1.9.4",
        "1.2.840.113549.1.9.52",
    ];
    assert_eq!(types, expected);

    assert_eq!(tst_info.version, Integer::ONE);
    assert_eq!(tst_info.message_imprint, *request.imprint());
    assert_eq!(tst_info.gen_time.timestamp_nanos_opt(), Some(testing::gen_time().as_unix_nanos()));
    assert_eq!(tst_info.accuracy.unwrap().millis, Some(Integer::from(500)));
    assert!(!tst_info.ordering && tst_info.tsa.is_none() && tst_info.extensions.is_none());
}

#[test]
fn the_ess_certificate_id_has_the_bytes_of_rfc_5035() {
    let certificate = Pki::new().certificate();
    let [_, attribute, _] = constant_attributes(&certificate);
    let name = der::encode(certificate.issuer());
    let serial = der::encode(certificate.serial());
    let tlv = |tag: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        let length = match u8::try_from(content.len()).unwrap() {
            short @ 0..128 => vec![short],
            long => vec![0x81, long],
        };
        [&[tag][..], &length, &content].concat()
    };
    let general_names = tlv(0x30, &[&tlv(0xa4, &[&name])]);
    let issuer_serial = tlv(0x30, &[&general_names, &serial]);
    let ess_cert_id = tlv(0x30, &[&tlv(0x04, &[&certificate.hash()]), &issuer_serial]);
    let value = tlv(0x30, &[&tlv(0x30, &[&ess_cert_id])]);
    assert!(attribute.as_bytes().ends_with(&tlv(0x31, &[&value])));
}

#[test]
fn certificates_come_on_request_and_sorted() {
    let pki = Pki::new();
    let chain = [pki.ca_der.clone()];
    let builder = TokenBuilder::new(pki.certificate(), &chain, testing::profile()).unwrap();
    let carried = |cert_req| {
        let (signed_data, _) = independent(&pki.token(&builder, &testing::request(cert_req)));
        signed_data.certificates.map(|set| set.to_vec().into_iter().map(der::encode).collect())
    };
    let mut both: Vec<Vec<u8>> = vec![pki.tsu_der.clone(), pki.ca_der.clone()];
    both.sort();
    assert_eq!(carried(true), Some(both));
    assert_eq!(carried(false), None);
}

#[test]
fn the_leaf_can_go_alone() {
    let pki = Pki::new();
    let profile = TokenProfile { carries: Carries::Leaf, ..testing::profile() };
    let chain = [pki.ca_der.clone()];
    let builder = TokenBuilder::new(pki.certificate(), &chain, profile).unwrap();
    let (signed_data, _) = independent(&pki.token(&builder, &testing::request(true)));
    let carried: Vec<_> =
        signed_data.certificates.unwrap().to_vec().into_iter().map(der::encode).collect();
    assert_eq!(carried, [pki.tsu_der]);
}

#[test]
fn a_qualified_token_says_so_and_not_critically() {
    let pki = Pki::new();
    let profile = TokenProfile { qualified: true, ..testing::profile() };
    let builder = TokenBuilder::new(pki.certificate(), &[], profile).unwrap();
    let request = testing::request(false);
    let token = pki.token(&builder, &request);
    let (_, tst_info) = independent(&token);
    // [1] { Extension { qcStatements, OCTET STRING { SEQUENCE { QCStatement { 0.4.0.19422.1.1 }}}}}
    let extensions = [
        0xa1, 0x1b, 0x30, 0x19, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x03, 0x04,
        0x0d, 0x30, 0x0b, 0x30, 0x09, 0x06, 0x07, 0x04, 0x00, 0x81, 0x97, 0x5e, 0x01, 0x01,
    ];
    assert!(der::encode(&tst_info).ends_with(&extensions));
    let (serial, gen_time, signer) = (testing::serial(), testing::gen_time(), pki.signer());
    let check = |builder: &TokenBuilder| {
        builder.verify(&token, &request, &serial, gen_time, |m, s| signer.verify(m, s))
    };
    assert_eq!(check(&builder).map(drop), Ok(()));
    // The statement is missed and minded, as the TSU is configured.
    assert_eq!(check(&pki.builder()), Err(SelfCheckError::Differs("TSTInfo.extensions")));
}

#[test]
fn a_finished_token_passes_its_check() {
    let pki = Pki::new();
    let (builder, signer) = (pki.builder(), pki.signer());
    for cert_req in [false, true] {
        let request = testing::request(cert_req);
        let token = pki.token(&builder, &request);
        let (serial, gen_time) = (testing::serial(), testing::gen_time());
        let checked =
            builder.verify(&token, &request, &serial, gen_time, |m, s| signer.verify(m, s));
        let (data, _) = independent(&token);
        assert_eq!(checked, Ok(Hash::of(&data.signer_infos.to_vec()[0].signature)));
    }
}

#[test]
fn a_failing_signer_gives_no_token() {
    let failed = SignerError::Failed("unplugged".to_owned());
    let refused = Pki::new().builder().build(&[], false, |_| Err(failed.clone()));
    assert_eq!(refused, Err(TokenError::Signer(failed)));
}

#[test]
fn a_chain_that_is_none_is_refused() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let refused = |chain: &[&[u8]]| {
        let chain: Vec<_> = chain.iter().map(|der| der.to_vec()).collect();
        TokenBuilder::new(pki.certificate(), &chain, testing::profile()).unwrap_err()
    };
    assert_eq!(refused(&[&pki.root_der]), TokenSetupError::ChainRoot(0));
    assert_eq!(refused(&[&pki.tsu_der]), TokenSetupError::ChainNotCa(0));
    assert_eq!(refused(&[&pki.ca_der, &stranger.ca_der]), TokenSetupError::ChainOrder(1));
    assert!(matches!(refused(&[b"PEM?"]), TokenSetupError::ChainDer { index: 0, .. }));
    let accuracy = Bound::from_nanos(1_500);
    let refused =
        TokenBuilder::new(pki.certificate(), &[], TokenProfile { accuracy, ..testing::profile() })
            .unwrap_err();
    assert_eq!(refused, TokenSetupError::Accuracy(accuracy));
}

#[test]
fn the_builder_serves_many_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<TokenBuilder>();
    shared::<Request>();
    shared::<TokenError>();
}

/// Every suite, judged by openssl: `ts` where version 3.0 can (it cannot with PSS and Ed25519), and
/// with those the signature alone over the signed attributes.
#[test]
fn openssl_verifies_a_token_of_every_suite() {
    use rcgen::RsaKeySize::{_3072, _4096};
    let ec = |algorithm| Pki::with(|_| {}, algorithm);
    for (pki, suite, name, by_ts) in [
        (ec(&rcgen::PKCS_ECDSA_P384_SHA384), Suite::EcdsaP384, "ecdsa-with-SHA384", true),
        (ec(&rcgen::PKCS_ECDSA_P521_SHA512), Suite::EcdsaP521, "ecdsa-with-SHA512", true),
        (
            Pki::rsa(_3072, RsaPadding::Pkcs1),
            Suite::Rsa3072(RsaPadding::Pkcs1),
            "sha256WithRSAEncryption",
            true,
        ),
        (
            Pki::rsa(_4096, RsaPadding::Pkcs1),
            Suite::Rsa4096(RsaPadding::Pkcs1),
            "sha512WithRSAEncryption",
            true,
        ),
        (Pki::rsa(_3072, RsaPadding::Pss), Suite::Rsa3072(RsaPadding::Pss), "rsassaPss", false),
        (Pki::rsa(_4096, RsaPadding::Pss), Suite::Rsa4096(RsaPadding::Pss), "rsassaPss", false),
        (ec(&rcgen::PKCS_ED25519), Suite::Ed25519, "ED25519", false),
    ] {
        assert_eq!(pki.certificate().suite(), suite);
        let scratch = Scratch::new();
        let chain = [pki.ca_der.clone()];
        let builder = TokenBuilder::new(pki.certificate(), &chain, testing::profile()).unwrap();
        let (request, signer) = (testing::request(true), pki.signer());
        let token = pki.token(&builder, &request);
        let (serial, time) = (testing::serial(), testing::gen_time());
        let checked = builder.verify(&token, &request, &serial, time, |m, s| signer.verify(m, s));
        assert_eq!(checked.map(drop), Ok(()), "{}", suite.name());
        scratch.file("token", &token);
        let text = scratch.openssl(&["cms", "-cmsout", "-print", "-inform", "DER", "-in", "token"]);
        assert!(String::from_utf8_lossy(&text).contains(name), "{}", suite.name());
        scratch.file("root.pem", &pki.root_pem);
        if by_ts {
            let digest = "5a".repeat(32);
            let verify = ["ts", "-verify", "-token_in", "-in", "token", "-digest", &digest];
            let said = scratch.openssl(&[&verify[..], &["-CAfile", "root.pem"]].concat());
            assert_eq!(String::from_utf8(said).unwrap().trim(), "Verification: OK");
        } else {
            signature_verifies(&scratch, &pki, &token, suite);
        }
    }
}

fn signature_verifies(scratch: &Scratch, pki: &Pki, token: &[u8], suite: Suite) {
    let (signed_data, _) = independent(token);
    let signer = signed_data.signer_infos.to_vec()[0].clone();
    scratch.file("signed", der::encode(signer.signed_attrs.as_ref().unwrap()));
    scratch.file("signature", &signer.signature[..]);
    scratch.file("tsu.pem", &pki.tsu_pem);
    let key = scratch.openssl(&["x509", "-in", "tsu.pem", "-pubkey", "-noout"]);
    scratch.file("key.pem", key);
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"];
    let files = ["-in", "signed", "-sigfile", "signature"];
    let padding: &[&str] = match suite {
        Suite::Rsa3072(_) => &["-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss"],
        Suite::Rsa4096(_) => &["-digest", "sha512", "-pkeyopt", "rsa_padding_mode:pss"],
        _ => &[],
    };
    let said = scratch.openssl(&[&verify[..], &files, padding].concat());
    assert!(String::from_utf8_lossy(&said).contains("Verified Successfully"), "{}", suite.name());
}

/// openssl makes the query and verifies the answer, once with the certificates in the token and
/// once with them from elsewhere.
#[test]
fn openssl_verifies_a_token() {
    let (pki, scratch) = (Pki::new(), Scratch::new());
    let chain = [pki.ca_der.clone()];
    let builder = TokenBuilder::new(pki.certificate(), &chain, testing::profile()).unwrap();
    scratch.file("data", "some data");
    scratch.file("root.pem", &pki.root_pem);
    scratch.file("untrusted.pem", format!("{}{}", pki.tsu_pem, pki.ca_pem));
    for (hash, extra, untrusted) in [
        ("-sha256", &["-cert"][..], &[][..]),
        ("-sha384", &["-cert", "-no_nonce"], &[]),
        ("-sha512", &[], &["-untrusted", "untrusted.pem"]),
        ("-sha3-256", &["-cert"], &[]),
        ("-sha3-384", &["-cert"], &[]),
        ("-sha3-512", &["-cert"], &[]),
    ] {
        let query = [&["ts", "-query", "-data", "data", hash], extra].concat();
        let query = scratch.openssl(&query);
        let request = parse(&query, &testing::policy()).unwrap();
        scratch.file("query", query);
        scratch.file("response", granted(&pki.token(&builder, &request)));
        let verify = ["ts", "-verify", "-in", "response", "-CAfile", "root.pem"];
        for asked in [["-queryfile", "query"], ["-data", "data"]] {
            let said = scratch.openssl(&[&verify[..], &asked, untrusted].concat());
            assert_eq!(String::from_utf8(said).unwrap().trim(), "Verification: OK");
        }
        let text = scratch.openssl(&["ts", "-reply", "-in", "response", "-text"]);
        let text = String::from_utf8(text).unwrap();
        for line in ["Status: Granted.", "Nov 14 22:13:20.123 2023 GMT", "0x01F4 millis"] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
