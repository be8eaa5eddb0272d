//! The half of the TSU that touches the world.
//!
//! | module | what it holds |
//! |---|---|
//! | [`http`] | the endpoint for clients |
//! | [`link`] | the connection to the monitor |
//! | [`issuing`] | the task that drives the pipeline |
//! | [`signer`] | the key, and the threads that sign with it |
//! | [`metrics`] | what Prometheus reads |

pub mod http;
pub mod issuing;
pub mod link;
pub mod metrics;
pub mod signer;
