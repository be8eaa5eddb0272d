//! What the endpoint tells of itself: a page for people, the certificate chain, the policy, and
//! the facts of a disclosure statement (EN 319 421 6.3) as the running configuration has them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64ct::{Base64, Encoding};
use chronolease_core::evidence::leaf::HashFunction;
use chronolease_core::time::Bound;
use rasn::types::UtcTime;
use serde_json::json;

use super::Endpoint;
use crate::core::rfc3161::{RequestPolicy, TokenBuilder};

/// What the pages are made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The TSU's name.
    pub tsu: &'a str,
    /// By what right tokens are released.
    pub mode: &'a str,
    /// The policies.
    pub policy: &'a RequestPolicy,
    /// The certificate and what tokens are like.
    pub builder: &'a TokenBuilder,
    /// The issuing CAs in DER.
    pub chain: &'a [Vec<u8>],
}

/// Pages that never change while the TSU runs.
#[derive(Clone, Debug)]
pub struct Pages {
    page: String,
    chain: String,
    policy: String,
    disclosure: String,
}

impl Pages {
    /// The pages of these facts.
    #[must_use]
    pub fn new(facts: &Facts<'_>) -> Self {
        let certificate = facts.builder.certificate();
        let chain = std::iter::once(certificate.der()).chain(facts.chain.iter().map(|c| &c[..]));
        Self {
            page: page(facts),
            chain: chain.map(pem).collect(),
            policy: policies(facts.policy).map(|oid| format!("{oid}\n")).collect(),
            disclosure: format!("{:#}\n", disclosure(facts)),
        }
    }
}

/// The default policy, then those that a request may name.
fn policies(policy: &RequestPolicy) -> impl Iterator<Item = String> {
    let all = std::iter::once(policy.default_policy()).chain(policy.accepted());
    all.map(ToString::to_string)
}

fn accuracy_us(accuracy: Bound) -> u64 {
    accuracy.as_nanos() / 1_000
}

fn disclosure(facts: &Facts<'_>) -> serde_json::Value {
    let (builder, certificate) = (facts.builder, facts.builder.certificate());
    let until = UtcTime::from_timestamp_nanos(certificate.usable_until().as_unix_nanos());
    json!({
        "tsu": facts.tsu,
        "protocol": "RFC 3161, RFC 5816, EN 319 422",
        "qualified": builder.profile().qualified,
        "policies": policies(facts.policy).collect::<Vec<_>>(),
        "accuracy_us": accuracy_us(builder.profile().accuracy),
        "gen_time_resolution_us": builder.profile().digits.step().as_nanos() / 1_000,
        "hashes": HashFunction::ALL.map(HashFunction::name),
        "suite": certificate.suite().name(),
        "suite_is_legacy": certificate.suite().is_legacy(),
        "release": facts.mode,
        "certificate_spki_sha256": certificate.spki_pin().to_string(),
        "signs_until": until.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "certificates": "/chain.pem",
    })
}

/// RFC 7468.
fn pem(der: &[u8]) -> String {
    let base64 = Base64::encode_string(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (at, character) in base64.char_indices() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text + "\n-----END CERTIFICATE-----\n"
}

/// Plain headings, one list, no script and no colour: it reads the same in every browser and aloud.
fn page(facts: &Facts<'_>) -> String {
    let profile = facts.builder.profile();
    let kind = if profile.qualified { "qualified time-stamps" } else { "time-stamps" };
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Time-stamping service {tsu}</title>
</head>
<body>
<main>
<h1>Time-stamping service {tsu}</h1>
<p>This service issues {kind} after RFC 3161 under the policy {policy}, accurate to {accuracy}.
It answers programs: <code>POST /</code> with <code>Content-Type: application/timestamp-query</code>.</p>
<h2>More</h2>
<ul>
<li><a href="/chain.pem">The certificates that verify the time-stamps</a> (PEM)</li>
<li><a href="/policy">The policies</a> (object identifiers)</li>
<li><a href="/disclosure.json">Facts for the disclosure statement</a> (JSON)</li>
</ul>
</main>
</body>
</html>
"#,
        tsu = facts.tsu,
        policy = facts.policy.default_policy(),
        accuracy = profile.accuracy,
    )
}

fn told(media_type: &'static str, text: &str) -> Response {
    let media_type = HeaderValue::from_static(media_type);
    ([(header::CONTENT_TYPE, media_type)], text.to_owned()).into_response()
}

pub(super) async fn page_of(State(endpoint): State<Arc<Endpoint>>) -> Response {
    told("text/html; charset=utf-8", &endpoint.pages.page)
}

pub(super) async fn chain(State(endpoint): State<Arc<Endpoint>>) -> Response {
    told("application/pem-certificate-chain", &endpoint.pages.chain)
}

pub(super) async fn policy(State(endpoint): State<Arc<Endpoint>>) -> Response {
    told("text/plain; charset=utf-8", &endpoint.pages.policy)
}

pub(super) async fn disclosure_of(State(endpoint): State<Arc<Endpoint>>) -> Response {
    told("application/json", &endpoint.pages.disclosure)
}
