//! The Time-Stamp Protocol (RFC 3161, RFC 5816) in the profile of EN 319 422: requests in, tokens
//! and responses out. Pure: the signature and all randomness come in as arguments.
//!
//! | module | what it holds |
//! |---|---|
//! | [`request`] | a request, checked as far as RFC 3161 2.4.1 asks |
//! | [`response`] | the answer: granted with a token, or rejected with one reason |
//! | [`serial`] | serial numbers that a restored snapshot cannot repeat |
//! | [`suite`] | what tokens are signed with |
//! | [`certificate`] | the TSU's certificate and what is wrong with it |
//! | [`token`] | the signed token, and the check of it before release |

pub mod certificate;
mod cms;
mod der;
mod frame;
pub mod request;
pub mod response;
pub mod self_check;
pub mod serial;
pub mod suite;
pub mod token;
mod tst_info;

#[cfg(test)]
pub(crate) mod testing;

pub use certificate::{
    AlgorithmOutdated, CertificateProblem, CertificateWarning, KeyTerms, NotUsable, Period,
    TsuCertificate, parse_date, validity,
};
pub use der::DerError;
pub use request::{Request, RequestPolicy, parse, parse_oid};
pub use response::{FailInfo, Rejection, granted, rejected};
pub use self_check::SelfCheckError;
pub use serial::SerialSource;
pub use suite::{RsaPadding, Suite};
pub use token::{Carries, SignerError, TokenBuilder, TokenError, TokenProfile, TokenSetupError};
