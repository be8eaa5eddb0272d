//! The pure half of the monitor.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ntp`] | the 48-byte codec, and what an exchange proves |
//! | [`nts`] | how a source proves who it is: keys, cookies, extension fields |
//! | [`sources`] | all sources together: states, votes and the fused view of UTC |
//! | [`leap`] | what the sources show of leap seconds |
//! | [`pps`] | whether a pulse-per-second signal fits what the sources say |
//! | [`continuity`] | whether this box ran through |
//! | [`drift`] | how fast clocks run, and what was stepped, for alarms |
//! | [`assessment`] | the verdict on a TSU's clock |
//! | [`authority`] | whom it admits, what it grants, why it ends |
//! | [`end_to_end`] | a real token from a TSU's public endpoint, and what it shows |

pub mod assessment;
pub mod authority;
pub mod continuity;
pub mod drift;
pub mod end_to_end;
pub mod leap;
pub mod ntp;
pub mod nts;
pub mod pps;
pub mod sources;

#[cfg(test)]
mod scenarios;
#[cfg(test)]
pub(crate) mod testing;
