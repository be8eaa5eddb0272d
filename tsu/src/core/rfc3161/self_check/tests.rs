use super::super::cms;
use super::super::testing::{self, NONCE, Pki, VERSION, imprint, request_der};
use super::super::tst_info;
use super::super::{FailInfo, Suite, parse};
use super::*;
use crate::io::signer::{FileSigner, Signer};
use chronolease_core::time::{Bound, GenTimeDigits, Timestamp};
use rasn_cms::tsp::TstInfo;
use rasn_cms::{SignedData as FullSignedData, SignerInfo as FullSignerInfo};
use rasn_pkix::GeneralName;

struct Bench {
    builder: TokenBuilder,
    signer: FileSigner,
    request: Request,
    token: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let pki = Pki::new();
        let request = testing::request(true);
        let (builder, signer) = (pki.builder(), pki.signer());
        let token = pki.token(&builder, &request);
        Self { builder, signer, request, token }
    }

    fn check(&self, token: &[u8]) -> Result<(), SelfCheckError> {
        self.check_as(token, &self.request, &testing::serial(), testing::gen_time())
    }

    fn check_as(
        &self,
        token: &[u8],
        request: &Request,
        serial: &Serial,
        gen_time: GenTime,
    ) -> Result<(), SelfCheckError> {
        let verify = |m: &[u8], s: &[u8]| self.signer.verify(m, s);
        self.builder.verify(token, request, serial, gen_time, verify).map(drop)
    }

    /// Checks the token after a change of its SignedData, signed anew so that nothing but the
    /// change can be found.
    fn changed(&self, change: impl FnOnce(&mut FullSignedData)) -> Result<(), SelfCheckError> {
        let mut content_info: rasn_cms::ContentInfo = rasn::der::decode(&self.token).unwrap();
        let mut data = rasn::der::decode(content_info.content.as_bytes()).unwrap();
        change(&mut data);
        content_info.content = der::any(&data);
        self.check(&der::encode(&content_info))
    }

    fn changed_signer(
        &self,
        change: impl FnOnce(&mut FullSignerInfo),
    ) -> Result<(), SelfCheckError> {
        self.changed(|data| {
            let mut signer = data.signer_infos.to_vec()[0].clone();
            change(&mut signer);
            let message = der::encode(signer.signed_attrs.as_ref().unwrap());
            signer.signature = OctetString::from(self.signer.sign(&message).unwrap());
            data.signer_infos = SetOf::from_vec(vec![signer]);
        })
    }

    fn changed_attribute(&self, oid: &Oid, value: Any) -> Result<(), SelfCheckError> {
        self.changed_signer(|signer| {
            let mut attributes = signer.signed_attrs.take().unwrap().into_vec();
            let at = attributes.iter().position(|a| a.r#type == *oid).unwrap();
            attributes[at].values = SetOf::from_vec(vec![value]);
            signer.signed_attrs = Some(SetOf::from_vec(attributes));
        })
    }

    fn changed_tst_info(&self, change: impl FnOnce(&mut TstInfo)) -> Result<(), SelfCheckError> {
        self.changed(|data| {
            let der = data.encap_content_info.content.take().unwrap();
            let mut info: TstInfo = der::decode(&der).unwrap();
            change(&mut info);
            data.encap_content_info.content = Some(OctetString::from(der::encode(&info)));
        })
    }
}

fn differs(field: &'static str) -> Result<(), SelfCheckError> {
    Err(SelfCheckError::Differs(field))
}

fn request_of(parts: &[&[u8]]) -> Request {
    let parsed: Result<_, FailInfo> =
        parse(&request_der(parts), &testing::policy()).map_err(|rejection| rejection.fail);
    parsed.expect("a good request")
}

#[test]
fn a_token_for_something_else_is_caught() {
    let bench = Bench::new();
    let (good, cert) = (imprint(1, 32), testing::TRUE);
    let mut other_imprint = good.clone();
    other_imprint[20] ^= 1;
    let policy = [0x06, 0x04, 0x2a, 0x03, 0x04, 0x05];
    for (field, parts) in [
        ("messageImprint", &[VERSION, &other_imprint, NONCE, cert][..]),
        ("messageImprint", &[VERSION, &imprint(3, 64), NONCE, cert]),
        ("policy", &[VERSION, &good, &policy, NONCE, cert]),
        ("nonce", &[VERSION, &good, cert]),
        ("nonce", &[VERSION, &good, &[2, 1, 7], cert]),
        ("certificates", &[VERSION, &good, NONCE]),
    ] {
        let (request, gen_time) = (request_of(parts), testing::gen_time());
        let found = bench.check_as(&bench.token, &request, &testing::serial(), gen_time);
        assert_eq!(found, differs(field));
    }
    let other_serial = Serial::from_hash(&[0; 32]);
    let found = bench.check_as(&bench.token, &bench.request, &other_serial, testing::gen_time());
    assert_eq!(found, differs("serialNumber"));
    let later =
        GenTime::at(Timestamp::from_unix_nanos(1_700_000_000_124_000_000), GenTimeDigits::Three);
    let found = bench.check_as(&bench.token, &bench.request, &testing::serial(), later);
    assert_eq!(found, differs("genTime"));
}

#[test]
fn every_other_field_of_the_tst_info_is_checked() {
    let bench = Bench::new();
    let found = |change: fn(&mut TstInfo)| bench.changed_tst_info(change);
    assert_eq!(found(|info| info.version = Integer::from(2)), differs("TSTInfo.version"));
    assert_eq!(found(|info| info.accuracy = None), differs("accuracy"));
    let finer = |info: &mut TstInfo| info.accuracy = tst_info::accuracy(Bound::from_millis(499));
    assert_eq!(found(finer), differs("accuracy"));
    assert_eq!(found(|info| info.ordering = true), differs("ordering"));
    let tsa = |info: &mut TstInfo| {
        info.tsa = Some(GeneralName::RegisteredId(cms::TST_INFO.into()));
    };
    assert_eq!(found(tsa), differs("tsa"));
    let extensions = |info: &mut TstInfo| {
        let extension = rasn_pkix::Extension {
            extn_id: cms::TST_INFO.into(),
            critical: false,
            extn_value: OctetString::from(vec![]),
        };
        info.extensions = Some(vec![extension].into());
    };
    assert_eq!(found(extensions), differs("TSTInfo.extensions"));
    let finer_time = |info: &mut TstInfo| {
        info.gen_time = UtcTime::from_timestamp_nanos(1_700_000_000_123_000_001).fixed_offset();
    };
    assert_eq!(found(finer_time), differs("genTime"));
}

#[test]
fn every_field_of_the_signed_data_is_checked() {
    let bench = Bench::new();
    let found = |change: fn(&mut FullSignedData)| bench.changed(change);
    assert_eq!(found(|_| {}), Ok(()));
    assert_eq!(found(|data| data.version = Integer::ONE), differs("SignedData.version"));
    let no_digest = |data: &mut FullSignedData| data.digest_algorithms = SetOf::new();
    assert_eq!(found(no_digest), differs("digestAlgorithms"));
    let data_type = |data: &mut FullSignedData| {
        data.encap_content_info.content_type = rasn_cms::CONTENT_DATA.into();
    };
    assert_eq!(found(data_type), differs("eContentType"));
    assert_eq!(found(|data| data.certificates = None), differs("certificates"));
    assert_eq!(found(|data| data.crls = Some(SetOf::new())), differs("crls"));
    let two = |data: &mut FullSignedData| {
        let mut second = data.signer_infos.to_vec()[0].clone();
        second.version = Integer::from(3);
        data.signer_infos.insert(second);
    };
    assert_eq!(found(two), differs("the number of signerInfos"));
    let none = |data: &mut FullSignedData| data.signer_infos = SetOf::new();
    assert_eq!(found(none), differs("the number of signerInfos"));
}

#[test]
fn every_field_of_the_signer_is_checked() {
    let bench = Bench::new();
    let found = |change: fn(&mut FullSignerInfo)| bench.changed_signer(change);
    assert_eq!(found(|_| {}), Ok(()));
    assert_eq!(found(|signer| signer.version = Integer::from(3)), differs("SignerInfo.version"));
    let sid = |signer: &mut FullSignerInfo| {
        let key_id = OctetString::from(vec![1]);
        signer.sid = rasn_cms::SignerIdentifier::SubjectKeyIdentifier(key_id);
    };
    assert_eq!(found(sid), differs("sid"));
    let digest = |signer: &mut FullSignerInfo| {
        signer.digest_algorithm = Suite::EcdsaP256.signature_algorithm()
    };
    assert_eq!(found(digest), differs("digestAlgorithm"));
    let algorithm = |signer: &mut FullSignerInfo| {
        signer.signature_algorithm = Suite::EcdsaP256.digest_algorithm()
    };
    assert_eq!(found(algorithm), differs("signatureAlgorithm"));
    let unsigned = |signer: &mut FullSignerInfo| signer.unsigned_attrs = Some(SetOf::new());
    assert_eq!(found(unsigned), differs("unsignedAttrs"));
    let fifth = |signer: &mut FullSignerInfo| {
        let attributes = signer.signed_attrs.as_mut().unwrap();
        let mut signing_time = attributes.to_vec()[0].clone();
        signing_time.r#type = rasn_cms::SIGNING_TIME.into();
        attributes.insert(signing_time);
    };
    assert_eq!(found(fifth), differs("the number of signedAttrs"));
    let replaced = |signer: &mut FullSignerInfo| {
        let mut attributes = signer.signed_attrs.take().unwrap().into_vec();
        let protection = attributes.iter_mut().find(|a| a.r#type == *cms::ALGORITHM_PROTECTION);
        protection.unwrap().r#type = rasn_cms::SIGNING_TIME.into();
        signer.signed_attrs = Some(SetOf::from_vec(attributes));
    };
    assert_eq!(found(replaced), differs("CMSAlgorithmProtection"));
}

#[test]
fn every_signed_attribute_is_checked() {
    let bench = Bench::new();
    let data = der::any(&ObjectIdentifier::from(rasn_cms::CONTENT_DATA));
    let found = bench.changed_attribute(cms::CONTENT_TYPE, data);
    assert_eq!(found, differs("the contentType attribute"));

    let digest = der::any(&OctetString::from(vec![0; 32]));
    assert_eq!(bench.changed_attribute(cms::MESSAGE_DIGEST, digest), differs("messageDigest"));

    let protection = der::any(&cms::AlgorithmProtection {
        digest_algorithm: Suite::EcdsaP256.digest_algorithm(),
        signature_algorithm: Suite::EcdsaP256.digest_algorithm(),
    });
    let found = bench.changed_attribute(cms::ALGORITHM_PROTECTION, protection);
    assert_eq!(found, differs("CMSAlgorithmProtection"));

    let certificate = bench.builder.certificate();
    let id = |hash: [u8; 32], serial: Integer| cms::EssCertIdV2 {
        cert_hash: OctetString::from(hash.to_vec()),
        issuer_serial: cms::IssuerSerial {
            issuer: vec![GeneralName::DirectoryName(certificate.issuer().clone())],
            serial_number: serial,
        },
    };
    let (hash, serial) = (certificate.hash(), certificate.serial().clone());
    let good = || id(hash, serial.clone());
    for (certs, result) in [
        (vec![good()], Ok(())),
        (vec![], differs("signingCertificateV2")),
        (vec![good(), good()], differs("signingCertificateV2")),
        (vec![id([0; 32], serial.clone())], differs("the certHash of ESSCertIDv2")),
        (vec![id(hash, Integer::ONE)], differs("the issuerSerial of ESSCertIDv2")),
    ] {
        let value = der::any(&cms::SigningCertificateV2 { certs });
        assert_eq!(bench.changed_attribute(cms::SIGNING_CERTIFICATE_V2, value), result);
    }
}

#[test]
fn the_signature_of_another_key_is_caught() {
    let bench = Bench::new();
    let stranger = Pki::new().signer();
    let (builder, request) = (&bench.builder, &bench.request);
    let tst_info = builder.tst_info(request, &testing::serial(), testing::gen_time());
    let token = builder.build(&tst_info, request.cert_req(), |m| stranger.sign(m)).unwrap();
    assert_eq!(bench.check(&token), Err(SelfCheckError::Signature));
}

#[test]
fn no_flipped_bit_passes() {
    let bench = Bench::new();
    assert_eq!(bench.check(&bench.token), Ok(()));
    for at in 0..bench.token.len() {
        let mut flipped = bench.token.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(bench.check(&flipped).is_err(), "octet {at}");
    }
    assert!(bench.check(&[&bench.token[..], &[0]].concat()).is_err());
}
