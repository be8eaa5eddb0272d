//! The public endpoints that are asked for tokens.

use std::path::PathBuf;

use chronolease_net::daemon::DaemonError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::mpsc;

use super::Monitor;
use crate::config;
use crate::core::end_to_end::{EndToEnd, Terms, TokenCertificate};
use crate::io::end_to_end::Asker;
use crate::io::engine::{Input, Slot};

impl Monitor {
    /// Lets the monitor ask the public endpoints that are configured.
    pub(super) fn ask_publicly(&self, slots: Vec<Slot>, engine: &mpsc::Sender<Input>) -> Vec<Slot> {
        let pace = self.config.end_to_end;
        let now = self.clocks.raw();
        let known = self.config.wards.iter().zip(&self.token_certificates);
        let asking = slots.into_iter().zip(known).enumerate();
        let asking = asking.map(|(ward, (slot, (config, certificates)))| {
            let Some(public) = &config.public else { return slot };
            let terms = Terms {
                tsu: config.rules.tsu.clone(),
                policy: public.policy.clone(),
                accuracy: config.rules.witness.accuracy,
                rho: config.rules.limits.rho,
                interval: pace.interval,
                certificates: certificates.clone(),
            };
            let asker = Asker {
                endpoint: public.endpoint.clone(),
                timeout: pace.timeout,
                clocks: self.clocks,
                ward,
                engine: engine.clone(),
            };
            slot.asking(EndToEnd::new(terms, now), asker)
        });
        asking.collect()
    }
}

/// The certificates that a ward's tokens may be signed with.
pub(super) fn token_certificates(
    ward: &config::Ward,
) -> Result<Vec<TokenCertificate>, DaemonError> {
    let files = ward.public.iter().flat_map(|public| &public.certificate_files);
    let load = |file: &PathBuf| {
        let failed = |why: &dyn std::fmt::Display| {
            DaemonError::config(format!("{}: no certificate: {why}", file.display()))
        };
        let der = CertificateDer::from_pem_file(file).map_err(|why| failed(&why))?;
        TokenCertificate::new(der.to_vec()).ok_or_else(|| failed(&"it does not parse"))
    };
    files.map(load).collect()
}
