//! A root, an issuing CA below it, and a TSU below that for each suite; all made by openssl.

use std::fs;
use std::path::{Path, PathBuf};

use chronolease_e2e::tools::expect;

/// What a TSU signs with.
#[derive(Debug)]
pub(crate) struct Suite {
    /// As the book calls it.
    pub(crate) name: &'static str,
    stem: &'static str,
    key: &'static [&'static str],
    rsa_padding: Option<&'static str>,
}

const EC: &str = "EC";
const RSA: &str = "RSA";

/// Every suite of the TSU.
pub(crate) const SUITES: [Suite; 8] = [
    suite("ECDSA P-256", "p256", &[EC, "-pkeyopt", "ec_paramgen_curve:P-256"], None),
    suite("ECDSA P-384", "p384", &[EC, "-pkeyopt", "ec_paramgen_curve:P-384"], None),
    suite("ECDSA P-521", "p521", &[EC, "-pkeyopt", "ec_paramgen_curve:P-521"], None),
    suite("RSA-3072 PKCS#1", "rsa3072", &[RSA, "-pkeyopt", "rsa_keygen_bits:3072"], Some("pkcs1")),
    suite("RSA-4096 PKCS#1", "rsa4096", &[RSA, "-pkeyopt", "rsa_keygen_bits:4096"], Some("pkcs1")),
    suite("RSA-3072 PSS", "pss3072", &[RSA, "-pkeyopt", "rsa_keygen_bits:3072"], Some("pss")),
    suite("RSA-4096 PSS", "pss4096", &[RSA, "-pkeyopt", "rsa_keygen_bits:4096"], Some("pss")),
    suite("Ed25519", "ed25519", &["ED25519"], None),
];

const fn suite(
    name: &'static str,
    stem: &'static str,
    key: &'static [&'static str],
    rsa_padding: Option<&'static str>,
) -> Suite {
    Suite { name, stem, key, rsa_padding }
}

const CA: &str = "basicConstraints=critical,CA:TRUE\n\
                  keyUsage=critical,keyCertSign,cRLSign\n\
                  subjectKeyIdentifier=hash\n\
                  authorityKeyIdentifier=keyid\n";

const TSU: &str = "basicConstraints=CA:FALSE\n\
                   keyUsage=critical,digitalSignature\n\
                   extendedKeyUsage=critical,timeStamping\n\
                   subjectKeyIdentifier=hash\n\
                   authorityKeyIdentifier=keyid\n";

const ORGANIZATION: &str = "/C=XX/O=Chronolease Test";

/// The certificates in one folder.
pub(crate) struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Makes them all.
    pub(crate) fn new(folder: &Path) -> Self {
        let pki = Self { folder: folder.to_owned() };
        let p256 = SUITES[0].key;
        for root in ["root", "other-root"] {
            pki.key(root, p256);
            // The same name, so that it is the key that tells them apart.
            let subject = format!("{ORGANIZATION}/CN=root");
            pki.openssl(
                &format!("req -x509 -new -key {root}.key -out {root}.pem -days 3650"),
                &["-subj", &subject],
            );
        }
        pki.key("ca", p256);
        pki.certify("ca", "root", CA);
        for suite in &SUITES {
            pki.key(suite.stem, suite.key);
            pki.certify(suite.stem, "ca", TSU);
        }
        pki
    }

    /// The root that verifiers trust.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// A root that has nothing to do with the TSUs.
    pub(crate) fn other_root(&self) -> PathBuf {
        self.folder.join("other-root.pem")
    }

    /// The TSU's certificate.
    pub(crate) fn certificate(&self, suite: &Suite) -> PathBuf {
        self.folder.join(format!("{}.pem", suite.stem))
    }

    /// What makes a lab's TSU sign with this suite.
    pub(crate) fn overlay(&self, suite: &Suite) -> String {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let (key, certificate) = (format!("{}.key", suite.stem), format!("{}.pem", suite.stem));
        let padding = suite.rsa_padding.map(|padding| {
            format!("rsa_padding = \"{padding}\"\nalgorithm_until = \"2099-12-31\"\n")
        });
        format!(
            "[signer]\nkey_file = {:?}\ncertificate_file = {:?}\nchain_files = [{:?}]\n\
             root_file = {:?}\n{}",
            path(&key),
            path(&certificate),
            path("ca.pem"),
            path("root.pem"),
            padding.unwrap_or_default()
        )
    }

    fn key(&self, stem: &str, kind: &[&str]) {
        self.openssl(&format!("genpkey -out {stem}.key -algorithm"), kind);
    }

    fn certify(&self, stem: &str, issuer: &str, extensions: &str) {
        let (request, subject) = (format!("{stem}.csr"), format!("{ORGANIZATION}/CN={stem}"));
        self.openssl(&format!("req -new -key {stem}.key -out {request}"), &["-subj", &subject]);
        fs::write(self.folder.join(format!("{stem}.ext")), extensions).expect("it is ours");
        let sign = format!(
            "x509 -req -in {request} -out {stem}.pem -CA {issuer}.pem -CAkey {issuer}.key \
             -CAcreateserial -days 300 -extfile {stem}.ext"
        );
        self.openssl(&sign, &[]);
    }

    /// `words` are those without a blank in them.
    fn openssl(&self, words: &str, others: &[&str]) {
        let words: Vec<&str> = words.split_whitespace().chain(others.iter().copied()).collect();
        expect(&self.folder, "openssl", &words);
    }
}
