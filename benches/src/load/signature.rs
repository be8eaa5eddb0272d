//! The bare signature and its verification, with the key that the TSU signs with.

use std::hint::black_box;

use anyhow::{Context as _, anyhow, ensure};
use chronolease_benches::rigs::Key;
use chronolease_net::random;
use chronolease_sys::cpu_time;
use chronolease_tsu::core::rfc3161::{KeyTerms, RsaPadding, TsuCertificate};
use chronolease_tsu::io::signer::{FileSigner, Signer as _, load_certificates};

use crate::boxes::{Boxes, Case};

/// The TSU's key.
pub(crate) struct Signature {
    signer: FileSigner,
    times: u64,
}

/// Processor time of one operation, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Raw {
    pub(crate) sign_us: f64,
    pub(crate) verify_us: f64,
}

impl Signature {
    pub(crate) fn of(boxes: &Boxes, case: &Case) -> anyhow::Result<Self> {
        let layout = boxes.rig.layout();
        let der = load_certificates(&layout.file("pki/tsu.pem"))?.pop().context("a certificate")?;
        let is_rsa = case.key != Key::P256;
        let terms =
            KeyTerms { rsa_padding: is_rsa.then_some(RsaPadding::Pss), ..KeyTerms::default() };
        let certificate = TsuCertificate::check(&der, &terms)
            .map_err(|problems| anyhow!("the certificate does not fit: {problems:?}"))?;
        let signer = FileSigner::load(&layout.file("pki/tsu.key"), &certificate)?;
        Ok(Self { signer, times: if is_rsa { 200 } else { 5_000 } })
    }

    /// Signs and verifies messages as long as the signed attributes of a token. Nothing else may
    /// work in the process meanwhile.
    pub(crate) fn measure(&self) -> anyhow::Result<Raw> {
        let message: [u8; 256] = random::bytes();
        let signature = self.signer.sign(&message)?;
        let each = |operation: &dyn Fn() -> bool| -> anyhow::Result<f64> {
            let before = cpu_time()?;
            for _ in 0..self.times {
                ensure!(operation(), "the key does not work");
            }
            let took_ns = cpu_time()?.as_nanos() - before.as_nanos();
            Ok(took_ns as f64 / 1e3 / self.times as f64)
        };
        Ok(Raw {
            sign_us: each(&|| black_box(self.signer.sign(black_box(&message))).is_ok())?,
            verify_us: each(&|| self.signer.verify(black_box(&message), &signature))?,
        })
    }
}
