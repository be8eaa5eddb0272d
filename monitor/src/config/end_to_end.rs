//! `[end_to_end]`, and what a `[[tsu]]` says of its public endpoint.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use chronolease_core::time::Bound;
use chronolease_net::config::Section;
use hyper::Uri;
use rasn::prelude::ObjectIdentifier;

use crate::core::end_to_end::parse_oid;

/// How often the public endpoints are asked for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndToEndConfig {
    /// From one question to the next.
    pub interval: Bound,
    /// How long one may take in all.
    pub timeout: Duration,
}

/// Where clients ask a TSU, and what it answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicEndpoint {
    /// Where.
    pub endpoint: Endpoint,
    /// The policy of its tokens.
    pub policy: ObjectIdentifier,
    /// The certificates that it may sign them with, in PEM.
    pub certificate_files: Vec<PathBuf>,
}

/// Where a TSU answers its clients: `http://HOST[:PORT][/PATH]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `HOST[:PORT]`, as it was given.
    pub authority: String,
    /// `HOST:PORT`.
    pub address: String,
    /// The path, with a query if there is one.
    pub path: String,
}

impl Endpoint {
    /// Reads a URL; `None` when it is none of plain HTTP.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"))?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Some(Self { authority: authority.to_string(), address, path: path.to_owned() })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

impl EndToEndConfig {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let interval = section.duration_or("interval", Bound::from_millis(60_000));
        let timeout = section.duration_or("timeout", Bound::from_millis(10_000));
        let (interval, timeout) = (interval?, timeout?);
        if timeout == Bound::ZERO || timeout > interval {
            let message = format!("{timeout} must not be zero, nor longer than the {interval}");
            section.error("timeout", format!("{message} from one question to the next"));
        }
        Some(Self { interval, timeout: Duration::from_nanos(timeout.as_nanos()) })
    }
}

impl PublicEndpoint {
    /// `Some(None)` when a `[[tsu]]` names none.
    pub(super) fn read(tsu: &Section<'_>) -> Option<Option<Self>> {
        let what = "a URL of plain HTTP, such as \"http://192.0.2.10:3161/\"";
        let endpoint = tsu.optional("endpoint", |tsu, key| tsu.parsed(key, what, Endpoint::parse));
        let files = tsu.existing_files("token_certificate_files");
        let (Some(endpoint), certificate_files) = (endpoint?, files?) else {
            if tsu.has("token_certificate_files") {
                tsu.error("token_certificate_files", "of no use without an endpoint");
            }
            return Some(None);
        };
        if certificate_files.is_empty() {
            tsu.error("token_certificate_files", "the endpoint's tokens must be signed with one");
        }
        let policy = tsu.parsed("policy", "a policy in dotted notation", parse_oid)?;
        Some(Some(Self { endpoint, policy, certificate_files }))
    }
}
