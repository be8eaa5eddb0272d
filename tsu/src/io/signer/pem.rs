//! Certificates from PEM files (RFC 7468).

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject};

/// Why a PEM file gives nothing usable.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file cannot be read, or holds damaged PEM, or not what it should.
    #[error("cannot read {what} from {}: {source}", path.display())]
    Read {
        /// What was looked for.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("there is no certificate in {}", .0.display())]
    NoCertificate(PathBuf),
}

/// All certificates of a PEM file in DER, in the order of the file; at least one.
///
/// # Errors
/// [`PemError`] when the file cannot be read or holds no certificate.
pub fn load_certificates(path: &Path) -> Result<Vec<Vec<u8>>, PemError> {
    let read = |source| PemError::Read { what: "certificates", path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(read)?
        .map(|certificate| certificate.map(|der| der.to_vec()).map_err(read))
        .collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err(PemError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}
