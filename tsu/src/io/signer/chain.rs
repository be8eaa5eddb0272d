//! The way from the TSU's certificate to the root that clients trust, proven by signatures
//! (EN 319 421 TIS-7.6.4-05).

use std::time::Duration;

use chronolease_core::time::{Timestamp, Utc};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::core::rfc3161::TsuCertificate;

/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8, without tag and length.
const KP_TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// Why clients could not verify tokens of this certificate.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The root's file holds no certificate that can be trusted.
    #[error("signer.root_file is no certificate of a CA: {0} (EN 319 421 TIS-7.6.4-05)")]
    Root(webpki::Error),
    /// No chain of valid signatures leads from the TSU's certificate to the root.
    #[error(
        "no valid chain leads from the TSU's certificate to the root, through signer.chain_files: \
         {0} (EN 319 421 TIS-7.6.4-05)"
    )]
    Broken(webpki::Error),
}

/// Checks signatures, dates at `now`, constraints and purposes of the certificates from the TSU's
/// up to the root. `chain` and `root` are in DER. Whether one was revoked is not part of this.
///
/// # Errors
/// [`ChainError`] with what is wrong.
pub fn verify_chain(
    certificate: &TsuCertificate,
    chain: &[Vec<u8>],
    root: &[u8],
    now: Timestamp<Utc>,
) -> Result<(), ChainError> {
    let root = CertificateDer::from(root);
    let anchors = [anchor_from_trusted_cert(&root).map_err(ChainError::Root)?];
    let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(&der[..])).collect();
    let leaf = CertificateDer::from(certificate.der());
    let leaf = EndEntityCert::try_from(&leaf).map_err(ChainError::Broken)?;
    let unix_s = u64::try_from(now.as_unix_nanos().div_euclid(1_000_000_000)).unwrap_or(0);
    let time = UnixTime::since_unix_epoch(Duration::from_secs(unix_s));
    // A CA that names purposes must name this one. The TSU's own certificate was checked already.
    let purpose = KeyUsage::required_if_present(KP_TIME_STAMPING);
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    leaf.verify_for_usage(algorithms, &anchors, &chain, time, purpose, None, None)
        .map(drop)
        .map_err(ChainError::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rfc3161::testing::{Pki, gen_time};
    use webpki::Error;

    fn at(unix_s: i64) -> Timestamp<Utc> {
        Timestamp::from_unix_nanos(unix_s * 1_000_000_000)
    }

    #[test]
    fn a_chain_is_proven_by_its_signatures() {
        let (pki, namesake) = (Pki::new(), Pki::new());
        let now = at(gen_time().as_unix_nanos() / 1_000_000_000);
        let check = |chain: &[&Vec<u8>], root: &[u8]| {
            let chain: Vec<_> = chain.iter().map(|der| der.to_vec()).collect();
            verify_chain(&pki.certificate(), &chain, root, now)
        };
        check(&[&pki.ca_der], &pki.root_der).expect("a chain");
        assert!(check(&[], &pki.ca_der).is_ok(), "the issuing CA may itself be the root");
        let missing = check(&[], &pki.root_der);
        assert!(matches!(missing, Err(ChainError::Broken(Error::UnknownIssuer))), "{missing:?}");
        // All names are the same; only the keys differ.
        assert!(check(&[&namesake.ca_der], &pki.root_der).is_err());
        assert!(check(&[&pki.ca_der], &namesake.root_der).is_err());
        assert!(matches!(check(&[&pki.ca_der], b"none"), Err(ChainError::Root(_))));
    }

    #[test]
    fn an_expired_ca_proves_nothing() {
        // A CA of rcgen is valid from 1975 to the end of 4095.
        let pki = Pki::new();
        let check = |now| {
            verify_chain(&pki.certificate(), std::slice::from_ref(&pki.ca_der), &pki.root_der, now)
        };
        assert!(check(at(1_700_000_000)).is_ok());
        assert!(matches!(check(at(0)), Err(ChainError::Broken(_))));
    }
}
