//! The half of the monitor that moves bytes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ntp`] | the pollers of the sources |
//! | [`nts`] | how a source under NTS is asked |
//! | [`addresses`] | which of a server's addresses is asked |
//! | [`second`] | the second opinion on plain sources |
//! | [`engine`] | the task that owns what is known and decides |
//! | [`end_to_end`] | asks the TSUs' public endpoints for tokens |
//! | [`leap_list`] | the file with the list of leap seconds |
//! | [`records`] | what goes into the evidence log |
//! | [`link`] | the connections of the TSUs |
//! | [`admin`] | the listener for persons |
//! | [`status`] | what persons may read |
//! | [`metrics`] | what Prometheus reads |

pub mod addresses;
pub mod admin;
pub mod end_to_end;
pub mod engine;
pub mod leap_list;
pub mod link;
pub mod metrics;
pub mod ntp;
pub mod nts;
pub mod records;
pub mod second;
pub mod status;
#[cfg(test)]
mod testing;
