//! Asks a source under NTS.
//!
//! | module | what it holds |
//! |---|---|
//! | [`trust`] | roots, and how certificates are judged |
//! | `key_exchange` | one key exchange |
//! | `session` | one source: keys, requests, answers |

mod key_exchange;
mod session;
#[cfg(test)]
mod testing;
pub mod trust;

pub(crate) use session::Session;
pub use session::Setup;

use super::metrics::NtsResults;

/// How a key exchange can end, for metrics.
pub(super) const KEY_EXCHANGES: NtsResults = key_exchange::KeyExchangeError::LABELS;
