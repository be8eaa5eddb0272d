//! The sections `[token]` and `[signer]`: what tokens say, and the key that signs them.

use std::num::NonZeroU64;
use std::path::PathBuf;

use chronolease_net::config::Section;

use crate::core::rfc3161::{Carries, KeyTerms, RequestPolicy, RsaPadding, parse_date, parse_oid};

/// What tokens say.
#[derive(Clone, Debug)]
pub struct Token {
    /// The policy in dotted notation.
    pub policy: String,
    /// The policies that requests may name.
    pub request_policy: RequestPolicy,
    /// Whether every token says that it is a qualified one.
    pub qualified: bool,
    /// What a token carries when certificates are asked for.
    pub carries: Carries,
    /// Which signatures are verified before a token is released.
    pub self_check: SelfCheck,
}

/// Which signatures are verified before a token is released. What a token says is compared with
/// its request for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfCheck {
    /// All.
    Every,
    /// The first after a start, and one in so many.
    Sampled(NonZeroU64),
}

/// The key that signs tokens.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The key, PKCS#8 in PEM.
    pub key_file: PathBuf,
    /// Its certificate in PEM.
    pub certificate_file: PathBuf,
    /// The issuing CAs between the certificate and the root, in PEM.
    pub chain_files: Vec<PathBuf>,
    /// The root that clients trust, in PEM.
    pub root_file: PathBuf,
    /// How the key is used.
    pub terms: KeyTerms,
    /// How many batches are signed at a time.
    pub slots: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignerKind {
    File,
}

impl Token {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let policy = section.parsed("policy", "an object identifier such as \"1.2.3\"", |text| {
            parse_oid(text).map(|oid| (text.to_owned(), oid))
        });
        let accepted = if section.has("accepted_policies") {
            section.parsed_list("accepted_policies", "an object identifier", parse_oid)
        } else {
            Some(Vec::new())
        };
        let qualified = section.bool_or("qualified", false);
        let chain = [("full", Carries::Full), ("leaf", Carries::Leaf)];
        let carries = section.one_of_or("chain", &chain, Carries::Full);
        let self_check = self_check(section);
        if qualified == Some(true) && self_check.is_some_and(|check| check != SelfCheck::Every) {
            let message = "a qualified TSU verifies every signature before release: \"every\" \
                           (EN 319 421 7.7.1)";
            section.error("self_check", message);
        }
        let (policy, oid) = policy?;
        Some(Self {
            policy,
            request_policy: RequestPolicy::new(oid, accepted?),
            qualified: qualified?,
            carries: carries?,
            self_check: self_check?,
        })
    }
}

fn self_check(section: &Section<'_>) -> Option<SelfCheck> {
    let one_in = section.integer_or("self_check_one_in", 2..=1_000_000, 100);
    let one_in = one_in.and_then(|n| NonZeroU64::new(u64::try_from(n).ok()?));
    let sampled = section.one_of_or("self_check", &[("every", false), ("sampled", true)], false);
    let one_in = one_in?;
    Some(if sampled? { SelfCheck::Sampled(one_in) } else { SelfCheck::Every })
}

impl Signer {
    /// `qualified` is whether the tokens say so.
    pub(super) fn read(section: &Section<'_>, qualified: bool) -> Option<Self> {
        let kind = section.one_of("kind", &[("file", SignerKind::File)]);
        if qualified && kind == Some(SignerKind::File) {
            let message = "the key of a qualified TSU lives in a certified device, never in a file \
                           (EN 319 421 TIS-7.6.2-03)";
            section.error("kind", message);
        }
        let key_file = section.existing_file("key_file");
        let certificate_file = section.existing_file("certificate_file");
        let chain_files = section.existing_files("chain_files");
        let root_file = section.existing_file("root_file");
        let paddings = [("pkcs1", RsaPadding::Pkcs1), ("pss", RsaPadding::Pss)];
        let rsa_padding = section.optional("rsa_padding", |s, key| s.one_of(key, &paddings));
        let algorithm_until = section.optional("algorithm_until", |s, key| {
            s.parsed(key, "a date such as \"2031-12-31\"", parse_date)
        });
        let slots = section.integer_or("slots", 1..=64, 2);
        kind?;
        Some(Self {
            key_file: key_file?,
            certificate_file: certificate_file?,
            chain_files: chain_files?,
            root_file: root_file?,
            terms: KeyTerms { rsa_padding: rsa_padding?, algorithm_until: algorithm_until? },
            slots: usize::try_from(slots?).ok()?,
        })
    }
}
