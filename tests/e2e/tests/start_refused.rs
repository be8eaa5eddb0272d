//! A TSU whose certificate, key or figures do not fit does not start: it says why, names the clause,
//! and exits with the code for a wrong configuration.

use std::fs;
use std::path::Path;

use chronolease_e2e::rig::lay_over;
use chronolease_e2e::tools::{expect, run_with, said};
use chronolease_e2e::{Options, Program, Programs, Rig};

/// EX_CONFIG of sysexits.h.
const EX_CONFIG: i32 = 78;

/// The parts of a certificate's extensions that fit.
const USAGE: &str = "keyUsage = critical, digitalSignature\n";
const PURPOSE: &str = "extendedKeyUsage = critical, timeStamping\n";
const SUBJECT: &str = "/C=XX/O=Chronolease Lab/CN=tsu-1";

/// Those of an issuing CA.
const CA: &str = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n";
const CA_KEY: &str = "pki/ca.key";
const P_256: &str = "ec_paramgen_curve:P-256";
/// The root's certificate and key.
const ROOT: (&str, &str) = ("pki/tsa-ca.pem", "pki/tsa-ca.key");

/// A certificate for the lab's key, as openssl makes it.
struct Certificate<'a> {
    /// When it is made, as faketime reads it. It lasts a year.
    made: &'a str,
    subject: &'a str,
    extensions: &'a str,
}

const FITS: Certificate<'_> = Certificate { made: "-1d", subject: SUBJECT, extensions: "" };

impl Certificate<'_> {
    /// The TSU's, by the root.
    fn write(&self, folder: &Path, key: &str) {
        self.write_as(folder, key, ROOT, "pki/tsu.pem");
    }

    /// One for `key` in the file `out`, by the issuer with this certificate and key.
    fn write_as(&self, folder: &Path, key: &str, issuer: (&str, &str), out: &str) {
        let fits = format!("{USAGE}{PURPOSE}");
        let extensions = if self.extensions.is_empty() { &fits } else { self.extensions };
        fs::write(folder.join("extensions.cnf"), extensions).expect("the directory is ours");
        let request = ["req", "-new", "-key", key, "-subj", self.subject, "-out", "tsu.csr"];
        expect(folder, "openssl", &request);
        let issued = ["x509", "-req", "-in", "tsu.csr", "-out", out, "-days", "365"];
        let by = ["-CA", issuer.0, "-CAkey", issuer.1, "-set_serial", "0x1234"];
        let with = ["-sha256", "-extfile", "extensions.cnf"];
        let openssl = [&["-f", self.made, "openssl"][..], &issued, &by, &with].concat();
        expect(folder, "faketime", &openssl);
    }
}

/// Expects that the TSU takes its files, or that it refuses them with all of these words.
fn told(rig: &Rig, what: &str, words: &[&str]) {
    let program = Programs::Release.path(Program::Tsu);
    let program = program.to_str().expect("programs have plain names");
    let file = rig.layout().tsu_toml();
    let config = ["--config", file.to_str().expect("temporary directories have plain names")];
    let run = |more: &[&str]| {
        let output = run_with(rig.layout().dir(), program, &[&config[..], more].concat(), &[]);
        (output.status.code(), said(&output))
    };
    let (code, checked) = run(&["--check-config"]);
    if words.is_empty() {
        return assert_eq!(code, Some(0), "{what}: {checked}");
    }
    assert_eq!(run(&[]), (Some(EX_CONFIG), checked.clone()), "{what}");
    assert_eq!(code, Some(EX_CONFIG), "{what}: {checked}");
    for word in words {
        assert!(checked.contains(word), "{what}: {word} is not in {checked}");
    }
}

#[test]
fn a_certificate_that_does_not_fit_refuses_to_start() {
    let rig = Rig::prepared(&Options::default());
    let folder = rig.layout().dir();
    let eku = "extendedKeyUsage = ";
    let purposes = |purposes: &str| format!("{USAGE}{eku}{purposes}\n");
    let other_purpose = purposes("critical, serverAuth");
    let two_purposes = purposes("critical, timeStamping, serverAuth");
    let not_critical = purposes("timeStamping");
    let signs_certificates =
        format!("keyUsage = critical, digitalSignature, keyCertSign\n{PURPOSE}");
    // privateKeyUsagePeriod { notAfter [1] 99991231235959Z }
    let period = format!(
        "{USAGE}{PURPOSE}2.5.29.16 = DER:30:11:81:0f:{}\n",
        b"99991231235959Z".map(|octet| format!("{octet:02x}")).join(":")
    );
    let with = |extensions| Certificate { extensions, ..FITS };
    let eku_alone = "extendedKeyUsage is not timeStamping alone (RFC 3161 2.3)";
    let cases = [
        ("one that fits", FITS, &[][..]),
        ("not valid yet", Certificate { made: "+30d", ..FITS }, &["valid from", "RFC 5280"]),
        ("expired", Certificate { made: "-400d", ..FITS }, &["expired at", "RFC 5280"]),
        ("no EKU", with(USAGE), &["extendedKeyUsage is missing (RFC 3161 2.3)"]),
        ("another EKU", with(&other_purpose), &[eku_alone]),
        ("two EKUs", with(&two_purposes), &[eku_alone]),
        ("EKU not critical", with(&not_critical), &["is not critical (RFC 3161 2.3)"]),
        ("keyCertSign", with(&signs_certificates), &["keyUsage allows something else"]),
        ("a key period beyond its end", with(&period), &["TIS-7.6.7-04"]),
        (
            "a subject without a country",
            Certificate { subject: "/O=Chronolease Lab/CN=tsu-1", ..FITS },
            &["the subject has no countryName"],
        ),
    ];
    for (what, certificate, words) in cases {
        certificate.write(folder, "pki/tsu.key");
        told(&rig, what, words);
    }

    // A CA between the root and the TSU, whose certificate the TSU is not given, and then is.
    expect(folder, "openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", P_256, "-out", CA_KEY]);
    let ca =
        Certificate { subject: "/C=XX/O=Chronolease Lab/CN=Issuing CA", extensions: CA, ..FITS };
    ca.write_as(folder, CA_KEY, ROOT, "pki/ca.pem");
    FITS.write_as(folder, "pki/tsu.key", ("pki/ca.pem", CA_KEY), "pki/tsu.pem");
    told(&rig, "a chain that is missing", &["no valid chain", "chain_files", "TIS-7.6.4-05"]);
    lay_over(rig.layout(), "tsu", "[signer]\nchain_files = [\"../pki/ca.pem\"]\n");
    told(&rig, "a chain that is there", &[]);
    lay_over(rig.layout(), "tsu", "");

    FITS.write(folder, "pki/nodes/tsu.key");
    told(&rig, "the certificate of another key", &["TIS-7.6.4-04"]);
    let rsa = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    expect(folder, "openssl", &[&rsa[..], &["-out", "pki/tsu.key"]].concat());
    FITS.write(folder, "pki/tsu.key");
    lay_over(rig.layout(), "tsu", "[signer]\nrsa_padding = \"pss\"\n");
    told(&rig, "RSA of 2048 bits", &["outdated", "TS 119 312", "TIS-7.6.2-05"]);
}

#[test]
fn figures_and_files_that_do_not_fit_refuse_to_start() {
    let rig = Rig::prepared(&Options::default());
    let qualified = "[token]\nqualified = true\n";
    let https = format!(
        "{qualified}[https]\nlisten = \"127.0.0.1:{}\"\ncertificate_file = \"../pki/nodes/tsu.pem\"\n\
         key_file = \"../pki/nodes/tsu.key\"\n",
        rig.spare_port()
    );
    let sampled = format!("{qualified}self_check = \"sampled\"\n");
    let chain = "[signer]\nroot_file = \"../pki/node-ca.pem\"\n";
    let ends_today = "[signer]\nalgorithm_until = \"2020-12-31\"\n";
    let cases = [
        ("a lab", "", &[][..]),
        ("a root that issued something else", chain, &["no valid chain", "TIS-7.6.4-05"]),
        ("an algorithm that ended", ends_today, &["end date", "TIS-7.6.5-01"]),
        ("a qualified TSU's key in a file", &https, &["signer.kind", "TIS-7.6.2-03"]),
        ("a qualified TSU without HTTPS", qualified, &["https", "(EU) 2025/1929"]),
        ("a qualified TSU that samples", &sampled, &["token.self_check", "\"every\""]),
        (
            "an accuracy beyond a second",
            "[lease]\naccuracy = \"1001ms\"\n",
            &["lease.accuracy", "1s or better", "TIS-7.7.2-03"],
        ),
        (
            "whole seconds at half a second",
            "[lease]\ngen_time_digits = 0\n",
            &["resolution", "632.3ms, more than the accuracy of 500ms", "EN 319 422 5.2.2"],
        ),
        (
            "four digits",
            "[lease]\ngen_time_digits = 4\n",
            &["lease.gen_time_digits", "0, 3 or 6 digits"],
        ),
    ];
    for (what, overlay, words) in cases {
        lay_over(rig.layout(), "tsu", overlay);
        told(&rig, what, words);
    }
}
