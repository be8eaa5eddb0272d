use super::super::testing::{Pki, TIME_STAMPING_ALONE, extension};
use super::*;
use rasn::prelude::*;
use rcgen::{CertificateParams, DnType, IsCa, KeyUsagePurpose, date_time_ymd};

use CertificateProblem as Problem;

fn checked(change: impl FnOnce(&mut CertificateParams)) -> Result<TsuCertificate, Vec<Problem>> {
    TsuCertificate::check(
        &Pki::with(change, &rcgen::PKCS_ECDSA_P256_SHA256).tsu_der,
        &KeyTerms::default(),
    )
}

/// A privateKeyUsagePeriod from and to the dates `YYYYMMDDhhmmssZ`.
fn key_period(from: Option<&str>, to: Option<&str>) -> rcgen::CustomExtension {
    let part = |tag: u8, date: Option<&str>| {
        date.map_or(Vec::new(), |date| [&[tag, 15], date.as_bytes()].concat())
    };
    let content = [part(0x80, from), part(0x81, to)].concat();
    let octets = u8::try_from(content.len()).unwrap();
    extension(16, false, [&[0x30, octets][..], &content].concat())
}

fn seconds(unix: i64) -> Timestamp<Utc> {
    Timestamp::from_unix_nanos(unix * 1_000_000_000)
}

#[test]
fn a_fitting_certificate_gives_its_facts() {
    let pki = Pki::new();
    let certificate = pki.certificate();
    assert_eq!(certificate.der(), pki.tsu_der);
    assert_eq!(certificate.public_key().len(), 65);
    assert!(certificate.spki_der().ends_with(certificate.public_key()));
    let ca: Certificate = der::decode(&pki.ca_der).unwrap();
    assert_eq!(*certificate.issuer(), ca.tbs_certificate.subject);
    assert_eq!(
        certificate.warnings(),
        [CertificateWarning::NoOrganizationIdentifier, CertificateWarning::NoKeyPeriod]
    );
}

#[test]
fn a_certificate_that_follows_all_advice_has_no_warning() {
    let certificate = checked(|params| {
        let identifier = DnType::CustomDnType(vec![2, 5, 4, 97]);
        params.distinguished_name.push(identifier, "NTRXX-12345");
        params.custom_extensions.push(key_period(None, Some("20300101000000Z")));
    });
    assert_eq!(certificate.expect("fits").warnings(), []);
}

type Change = fn(&mut CertificateParams);

/// Whether a reason tells where it is asked for.
fn names_a_clause(told: &str) -> bool {
    ["RFC ", "EN 319 4", "TS 119 312"].iter().any(|source| told.contains(source))
}

fn each_is_found<const N: usize>(cases: [(&str, Change, Problem); N]) {
    for (what, change, problem) in cases {
        let told = problem.to_string();
        assert_eq!(checked(change).expect_err(what), [problem], "{what}");
        assert!(names_a_clause(&told), "{told}");
    }
}

#[test]
fn problems_with_the_usage_are_found() {
    each_is_found([
        ("no EKU", |p| p.custom_extensions.clear(), Problem::ExtendedKeyUsageMissing),
        (
            "EKU not critical",
            |p| p.custom_extensions[0].set_criticality(false),
            Problem::ExtendedKeyUsageNotCritical,
        ),
        (
            "EKU with serverAuth beside timeStamping",
            |p| {
                let mut value = [&TIME_STAMPING_ALONE, &TIME_STAMPING_ALONE[2..]].concat();
                value[1] = 20;
                value[21] = 1;
                p.custom_extensions[0] = extension(37, true, value);
            },
            Problem::ExtendedKeyUsageNotSole,
        ),
        ("no KU", |p| p.key_usages.clear(), Problem::KeyUsageMissing),
        (
            "KU not critical",
            |p| {
                p.key_usages.clear();
                p.custom_extensions.push(extension(15, false, vec![3, 2, 7, 0x80]));
            },
            Problem::KeyUsageNotCritical,
        ),
        (
            "KU with keyCertSign",
            |p| p.key_usages.push(KeyUsagePurpose::KeyCertSign),
            Problem::KeyUsageOther,
        ),
        (
            "KU with no bit",
            |p| {
                p.key_usages.clear();
                p.custom_extensions.push(extension(15, true, vec![3, 1, 0]));
            },
            Problem::KeyUsageOther,
        ),
        (
            "CA",
            |p| p.custom_extensions.push(extension(19, true, vec![0x30, 3, 1, 1, 0xff])),
            Problem::Ca,
        ),
    ]);
}

#[test]
fn problems_with_dates_and_names_are_found() {
    each_is_found([
        (
            "dates swapped",
            |p| {
                p.not_before = date_time_ymd(2030, 1, 1);
                p.not_after = date_time_ymd(2020, 1, 1);
            },
            Problem::ValidityEmpty,
        ),
        (
            "key period swapped",
            |p| {
                let period = key_period(Some("20300101000000Z"), Some("20290101000000Z"));
                p.custom_extensions.push(period);
            },
            Problem::KeyPeriodEmpty,
        ),
        (
            "key period as long as the certificate",
            |p| {
                p.not_after = date_time_ymd(2030, 1, 1);
                p.custom_extensions.push(key_period(None, Some("20300101000000Z")));
            },
            Problem::KeyPeriodTooLong,
        ),
        (
            "no country",
            |p| assert!(p.distinguished_name.remove(DnType::CountryName)),
            Problem::SubjectLacks("countryName"),
        ),
        (
            "no organization",
            |p| assert!(p.distinguished_name.remove(DnType::OrganizationName)),
            Problem::SubjectLacks("organizationName"),
        ),
        (
            "no common name",
            |p| assert!(p.distinguished_name.remove(DnType::CommonName)),
            Problem::SubjectLacks("commonName"),
        ),
    ]);
}

#[test]
fn all_problems_are_reported_at_once() {
    let pki = Pki::with(
        |params| {
            params.key_usages.clear();
            params.custom_extensions.clear();
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        },
        &rcgen::PKCS_RSA_SHA256,
    );
    assert_eq!(
        TsuCertificate::check(&pki.tsu_der, &KeyTerms::default()).expect_err("unfit"),
        [
            Problem::ExtendedKeyUsageMissing,
            Problem::KeyUsageMissing,
            Problem::Ca,
            Problem::RsaPaddingMissing
        ]
    );
}

#[test]
fn extensions_that_do_not_parse_or_come_twice_are_problems() {
    let twice = checked(|p| {
        p.custom_extensions.push(extension(37, true, TIME_STAMPING_ALONE.to_vec()));
    });
    let oid = |last| ObjectIdentifier::new(vec![2, 5, 29, last]).unwrap();
    assert_eq!(twice.expect_err("twice"), [Problem::ExtensionTwice(oid(37))]);
    let damaged = checked(|p| p.custom_extensions[0] = extension(37, true, vec![0x30, 5]));
    let problems = damaged.expect_err("damaged");
    assert!(matches!(&problems[..], [Problem::Extension(found, _)] if *found == oid(37)));
}

#[test]
fn what_is_no_certificate_in_der_is_a_problem() {
    let der = Pki::new().tsu_der;
    for bytes in [&[][..], &der[1..], &[&der[..], &[0]].concat()] {
        let problems =
            TsuCertificate::check(bytes, &KeyTerms::default()).expect_err("no certificate");
        assert!(matches!(problems[..], [Problem::Der(_)]));
    }
}

#[test]
fn the_certificate_is_usable_within_its_dates_only() {
    let certificate = checked(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
    })
    .expect("fits");
    let (first, last) = (seconds(1_577_836_800), seconds(1_893_456_000));
    let moment = chronolease_core::time::Span::from_nanos(1);
    assert_eq!(certificate.usable_at(first), Ok(()));
    assert_eq!(certificate.usable_at(last), Ok(()));
    assert_eq!(certificate.usable_at(first + -moment), Err(NotUsable::CertificateNotYet(first)));
    assert_eq!(certificate.usable_at(last + moment), Err(NotUsable::CertificateExpired(last)));
    assert_eq!(certificate.usable_until(), last);
    let told = NotUsable::CertificateExpired(last).to_string();
    assert_eq!(told, "the certificate expired at 2030-01-01T00:00:00Z (RFC 5280 4.1.2.5)");
}

#[test]
fn the_key_is_usable_within_its_own_period_only() {
    let certificate = checked(|params| {
        let period = key_period(Some("20240101000000Z"), Some("20250101000000Z"));
        params.custom_extensions.push(period);
    })
    .expect("fits");
    let (first, last) = (seconds(1_704_067_200), seconds(1_735_689_600));
    let moment = chronolease_core::time::Span::from_nanos(1);
    assert_eq!(certificate.usable_at(first), Ok(()));
    assert_eq!(certificate.usable_at(last), Ok(()));
    assert_eq!(certificate.usable_at(first + -moment), Err(NotUsable::KeyNotYet(first)));
    assert_eq!(certificate.usable_at(last + moment), Err(NotUsable::KeyExpired(last)));
    assert_eq!(certificate.usable_until(), last);
}

#[test]
fn an_algorithm_ends_on_its_date() {
    let der = Pki::with(
        |params| params.not_after = date_time_ymd(2030, 1, 1),
        &rcgen::PKCS_ECDSA_P256_SHA256,
    )
    .tsu_der;
    let until = |date| KeyTerms { algorithm_until: parse_date(date), ..KeyTerms::default() };
    let early = TsuCertificate::check(&der, &until("2029-12-31")).expect_err("too early");
    assert_eq!(early, [Problem::OutlivesAlgorithm]);
    let certificate = TsuCertificate::check(&der, &until("2030-01-01")).expect("long enough");
    assert_eq!(certificate.usable_until(), seconds(1_893_456_000));

    // Nor does a certificate without end get by.
    let endless = TsuCertificate::check(&Pki::new().tsu_der, &until("2031-12-31"));
    assert_eq!(endless.expect_err("endless"), [Problem::OutlivesAlgorithm]);
    assert!(names_a_clause(&Problem::OutlivesAlgorithm.to_string()));

    let last = parse_date("2031-12-31").unwrap();
    let moment = chronolease_core::time::Span::from_nanos(1);
    assert_eq!(last + moment, seconds(1_956_528_000));
    let ending = until("2031-12-31");
    assert_eq!(ending.fit_at(last), Ok(()));
    let outdated = ending.fit_at(last + moment).expect_err("the day is over");
    assert_eq!(outdated, AlgorithmOutdated(last));
    let told = outdated.to_string();
    assert!(told.contains("outdated since 2031-12-31T23:59:59Z (TS 119 312, "), "{told}");
    assert_eq!(KeyTerms::default().fit_at(seconds(4_000_000_000)), Ok(()), "no end is planned");
}

/// The certificate is asked for each signature. No start lets an algorithm end first, and its end
/// would be kept all the same.
#[test]
fn of_all_ends_the_first_counts_and_says_which_it_is() {
    let [first, second, third] = [1_900_000_000, 2_000_000_000, 2_100_000_000].map(seconds);
    let moment = chronolease_core::time::Span::from_nanos(1);
    for (certificate, key, algorithm, why) in [
        (first, second, third, NotUsable::CertificateExpired(first)),
        (third, first, second, NotUsable::KeyExpired(first)),
        (second, third, first, AlgorithmOutdated(first).into()),
        (first, first, first, NotUsable::CertificateExpired(first)),
    ] {
        let certificate = Pki::new().certificate().until(certificate, key, algorithm);
        assert_eq!(certificate.usable_until(), first, "{why}");
        assert_eq!(certificate.usable_at(first), Ok(()), "{why}");
        assert_eq!(certificate.usable_at(first + moment), Err(why));
        assert!(names_a_clause(&why.to_string()), "{why}");
    }
}

#[test]
fn a_date_is_read_strictly() {
    for bad in
        ["", "2031-02-29", "2031-1-01", "31-12-2031", "2031-12-31Z", "+031-12-31", "2031/12/31"]
    {
        assert_eq!(parse_date(bad), None, "{bad}");
    }
}

#[test]
fn a_key_must_fit_a_suite_and_its_terms() {
    use super::super::RsaPadding::{Pkcs1, Pss};
    let p256 = Pki::new().tsu_der;
    let rsa = |size| {
        let pki = Pki::rsa(size, Pss);
        (pki.tsu_der, pki.terms)
    };
    let (rsa_2048, terms) = rsa(rcgen::RsaKeySize::_2048);
    let (rsa_3072, _) = rsa(rcgen::RsaKeySize::_3072);
    let padded = |padding| KeyTerms { rsa_padding: Some(padding), algorithm_until: None };
    let refused = |der: &[u8], terms: &KeyTerms| TsuCertificate::check(der, terms).expect_err("");
    assert_eq!(refused(&rsa_2048, &terms), [Problem::Key]);
    assert_eq!(refused(&rsa_3072, &KeyTerms::default()), [Problem::RsaPaddingMissing]);
    assert_eq!(refused(&p256, &padded(Pss)), [Problem::RsaPaddingWithoutRsa]);
    let legacy = Problem::LegacyWithoutEnd("RSA-3072 PKCS#1 v1.5 with SHA-256");
    assert_eq!(refused(&rsa_3072, &padded(Pkcs1)), [legacy]);
    let modern = TsuCertificate::check(&rsa_3072, &padded(Pss)).expect("fits");
    assert!(!modern.warnings().iter().any(|w| matches!(w, CertificateWarning::LegacySuite(_))));
    let planned = KeyTerms { rsa_padding: Some(Pkcs1), ..terms };
    let warned = TsuCertificate::check(&rsa_3072, &planned).expect("its end is planned");
    assert!(warned.warnings().iter().any(|w| matches!(w, CertificateWarning::LegacySuite(_))));
}

#[test]
fn a_certificate_without_end_never_expires() {
    let certificate = checked(|p| p.not_after = date_time_ymd(9999, 12, 31)).expect("fits");
    assert_eq!(certificate.usable_at(Timestamp::from_unix_nanos(i64::MAX)), Ok(()));
}
