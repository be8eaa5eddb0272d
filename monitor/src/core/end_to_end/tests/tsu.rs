//! Tokens as the TSU's own code builds them.

use chronolease_core::id::Serial;
use chronolease_core::time::{GenTime, GenTimeDigits};
use chronolease_tsu::core::rfc3161::{
    self, Carries, KeyTerms, RequestPolicy, TokenBuilder, TokenProfile, TsuCertificate,
};
use chronolease_tsu::io::signer::{FileSigner, Signer as _};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, KeyUsagePurpose,
};

use super::{Bound, MS, OFFSET, POLICY, Timestamp, TokenCertificate};

/// SEQUENCE { id-kp-timeStamping }
const TIME_STAMPING: [u8; 12] =
    [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// A TSU of its own.
pub(super) struct Tsu {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tsu {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = name("TSU");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let mut purpose =
            CustomExtension::from_oid_content(&[2, 5, 29, 37], TIME_STAMPING.to_vec());
        purpose.set_criticality(true);
        params.custom_extensions = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let issuer = {
            let mut params = CertificateParams::default();
            params.distinguished_name = name("Root");
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            rcgen::CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
        };
        let issuer = issuer.expect("a root");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        Self { certificate: certificate.der().to_vec(), key: key.serialize_der() }
    }

    pub(super) fn trusted(&self) -> TokenCertificate {
        TokenCertificate::new(self.certificate.clone()).expect("a certificate")
    }

    fn builder(&self, accuracy: Bound) -> TokenBuilder {
        let certificate = TsuCertificate::check(&self.certificate, &KeyTerms::default());
        let profile = TokenProfile {
            accuracy,
            digits: GenTimeDigits::Three,
            qualified: false,
            carries: Carries::Full,
        };
        TokenBuilder::new(certificate.expect("it fits"), &[], profile).expect("it fits")
    }

    /// The response to `request` with a token of this time.
    pub(super) fn answers(&self, request: &[u8], time_ms: i64, accuracy: Bound) -> Vec<u8> {
        let policy = RequestPolicy::new(rfc3161::parse_oid(POLICY).expect("fair"), Vec::new());
        let request = rfc3161::parse(request, &policy).expect("a good request");
        let builder = self.builder(accuracy);
        let certificate = TsuCertificate::check(&self.certificate, &KeyTerms::default());
        let signer = FileSigner::from_pkcs8_der(&self.key, &certificate.expect("it fits"));
        let signer = signer.expect("its key");
        let at = Timestamp::from_unix_nanos(OFFSET + time_ms * MS);
        let gen_time = GenTime::at(at, GenTimeDigits::Three);
        let serial = Serial::from_hash(&[7; 32]);
        let tst_info = builder.tst_info(&request, &serial, gen_time);
        let token = builder.build(&tst_info, request.cert_req(), |m| signer.sign(m));
        rfc3161::granted(&token.expect("a token"))
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "XX");
    name.push(DnType::OrganizationName, "Chronolease Test");
    name.push(DnType::CommonName, common_name);
    name
}
