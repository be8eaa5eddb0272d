//! Both boxes with a lab around them, as processes of their own, with a key of a chosen kind.

use std::path::Path;

use chronolease_e2e::rig::lay_over;
use chronolease_e2e::tools::expect;
use chronolease_e2e::{Options, Rig};

/// What the TSU signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// ECDSA P-256, which a lab has.
    P256,
    /// RSA of so many bits.
    Rsa(u32),
}

/// Starts sources, monitor and TSU, with `overlay` over the TSU's configuration, and waits for the
/// first lease. They end with the rig.
///
/// # Errors
/// When the files of the key cannot be written.
pub fn start(overlay: &str, key: Key) -> std::io::Result<Rig> {
    let mut rig = Rig::prepared(&Options::default());
    lay_over(rig.layout(), "tsu", overlay);
    if let Key::Rsa(bits) = key {
        let folder = rig.layout().dir();
        let bits = format!("rsa_keygen_bits:{bits}");
        let generate = ["genpkey", "-out", "pki/tsu.key", "-algorithm", "RSA", "-pkeyopt", &bits];
        expect(folder, "openssl", &generate);
        certify(folder)?;
    }
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();
    Ok(rig)
}

/// A certificate of the lab's root for the key in `pki/tsu.key`.
fn certify(folder: &Path) -> std::io::Result<()> {
    let extensions =
        "keyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping\n";
    std::fs::write(folder.join("extensions.cnf"), extensions)?;
    let subject = "/C=XX/O=Chronolease Lab/CN=tsu-1";
    let request = ["req", "-new", "-key", "pki/tsu.key", "-subj", subject, "-out", "tsu.csr"];
    expect(folder, "openssl", &request);
    let issued = ["x509", "-req", "-in", "tsu.csr", "-out", "pki/tsu.pem", "-days", "300"];
    let by = ["-CA", "pki/tsa-ca.pem", "-CAkey", "pki/tsa-ca.key", "-set_serial", "0x1234"];
    expect(folder, "openssl", &[&issued[..], &by, &["-extfile", "extensions.cnf"]].concat());
    Ok(())
}
