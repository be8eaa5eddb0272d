//! The time-stamp token: a CMS SignedData over a TSTInfo (RFC 3161 2.4.2, RFC 5652, RFC 5816).

use chronolease_core::id::Serial;
use chronolease_core::time::{Bound, GenTime, GenTimeDigits};
use rasn::prelude::*;
use rasn_cms::IssuerAndSerialNumber;
use rasn_pkix::{BasicConstraints, Certificate, Name};

use super::certificate::TsuCertificate;
use super::der::{self, DerError, Reader};
use super::frame::Frame;
use super::request::Request;
use super::self_check::SelfCheckError;
use super::tst_info;

const BASIC_CONSTRAINTS: &Oid = Oid::const_new(&[2, 5, 29, 19]);

/// The key could not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The signer refused or failed, for the reason given.
    #[error("the signer failed: {0}")]
    Failed(String),
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The key could not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The token is not what it must be.
    #[error(transparent)]
    SelfCheck(#[from] SelfCheckError),
}

/// What a TSU's tokens are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenProfile {
    /// A: what a token states.
    pub accuracy: Bound,
    /// How finely it prints its time.
    pub digits: GenTimeDigits,
    /// Every token says that it is a qualified one (EN 319 422 9.1); such a TSU issues no others
    /// (EN 319 421 8.2).
    pub qualified: bool,
    /// What a token carries when certificates are asked for.
    pub carries: Carries,
}

/// The certificates in a token whose request has certReq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// The TSU's alone.
    Leaf,
    /// The TSU's and the issuing CAs.
    Full,
}

/// Why no tokens can be built from a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenSetupError {
    /// The accuracy is zero, more than a second, or not in whole microseconds.
    #[error(
        "an accuracy of {0} cannot be stated in a token: it must be whole microseconds, 1us to 1s \
         (EN 319 421 TIS-7.7.2-03)"
    )]
    Accuracy(Bound),
    /// Certificate `index` of the chain is not one X.509 certificate in DER.
    #[error("certificate {index} of the chain is {error}")]
    ChainDer {
        /// Counted from 0.
        index: usize,
        /// What is wrong.
        error: DerError,
    },
    /// This certificate of the chain, counted from 0, is not a CA's.
    #[error("certificate {0} of the chain is not a CA's")]
    ChainNotCa(usize),
    /// This certificate of the chain, counted from 0, is its own issuer: a root does not belong
    /// into tokens, clients must have it already.
    #[error("certificate {0} of the chain is a root")]
    ChainRoot(usize),
    /// This certificate of the chain, counted from 0, did not issue the one before it.
    #[error("certificate {0} of the chain is not the issuer of the one before it")]
    ChainOrder(usize),
}

/// Builds tokens and checks them. Everything that stays the same from token to token is encoded
/// once, here.
#[derive(Clone, Debug)]
pub struct TokenBuilder {
    pub(super) certificate: TsuCertificate,
    pub(super) profile: TokenProfile,
    pub(super) constant: tst_info::Constant,
    pub(super) frame: Frame,
}

impl TokenBuilder {
    /// Prepares for tokens of this certificate. `chain` holds the issuing CAs in DER, the issuer of
    /// the TSU's certificate first and without the root; it may be empty.
    ///
    /// # Errors
    /// [`TokenSetupError`]. Only the names in the chain are checked, not its signatures.
    pub fn new(
        certificate: TsuCertificate,
        chain: &[Vec<u8>],
        profile: TokenProfile,
    ) -> Result<Self, TokenSetupError> {
        let accuracy = profile.accuracy;
        let constant = tst_info::Constant::new(accuracy, profile.qualified)
            .ok_or(TokenSetupError::Accuracy(accuracy))?;
        check_chain(certificate.issuer(), chain)?;
        let mut certificates = vec![Any::new(certificate.der().to_vec())];
        if profile.carries == Carries::Full {
            certificates.extend(chain.iter().cloned().map(Any::new));
        }
        certificates.sort();
        let sid = der::any(&IssuerAndSerialNumber {
            issuer: certificate.issuer().clone(),
            serial_number: certificate.serial().clone(),
        });
        Ok(Self {
            profile,
            constant,
            frame: Frame::new(&certificate, &certificates, &sid),
            certificate,
        })
    }

    /// The certificate that tokens are signed under.
    #[must_use]
    pub const fn certificate(&self) -> &TsuCertificate {
        &self.certificate
    }

    /// What the tokens are like.
    #[must_use]
    pub const fn profile(&self) -> &TokenProfile {
        &self.profile
    }

    /// The TSTInfo in DER.
    #[must_use]
    pub fn tst_info(&self, request: &Request, serial: &Serial, gen_time: GenTime) -> Vec<u8> {
        tst_info::encode(request, serial, gen_time, &self.constant)
    }

    /// The TimeStampToken in DER over a TSTInfo of [`TokenBuilder::tst_info`], with certificates if
    /// `cert_req`. `sign` gets the message and returns its signature in the certificate's
    /// [`Suite`](super::Suite), in the form that CMS holds.
    ///
    /// # Errors
    /// [`TokenError`] when `sign` fails.
    pub fn build(
        &self,
        tst_info: &[u8],
        cert_req: bool,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, SignerError>,
    ) -> Result<Vec<u8>, TokenError> {
        let digest = self.certificate.suite().digest(tst_info);
        let certificates = if cert_req { &self.frame.certificates[..] } else { &[] };
        let message = self.frame.attributes(digest.as_ref());
        let signature = sign(&message)?;
        let attributes = Reader::sole(&message, 0x31).map_err(SelfCheckError::from)?.rest();
        Ok(self.frame.around(tst_info, certificates, attributes, &signature))
    }
}

fn check_chain(tsu_issuer: &Name, chain: &[Vec<u8>]) -> Result<(), TokenSetupError> {
    let mut wanted = tsu_issuer.clone();
    for (index, certificate_der) in chain.iter().enumerate() {
        let certificate: Certificate = der::decode(certificate_der)
            .map_err(|error| TokenSetupError::ChainDer { index, error })?;
        let tbs = certificate.tbs_certificate;
        let ca = tbs.extensions.iter().flat_map(|all| all.iter()).any(|extension| {
            extension.extn_id == *BASIC_CONSTRAINTS
                && der::decode::<BasicConstraints>(&extension.extn_value).is_ok_and(|b| b.ca)
        });
        if !ca {
            return Err(TokenSetupError::ChainNotCa(index));
        }
        if tbs.subject == tbs.issuer {
            return Err(TokenSetupError::ChainRoot(index));
        }
        if tbs.subject != wanted {
            return Err(TokenSetupError::ChainOrder(index));
        }
        wanted = tbs.issuer;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
