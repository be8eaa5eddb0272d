//! Benches print figures and assert nothing. What they share is here.

pub mod clients;
pub mod keys;
pub mod page;
pub mod processor;
pub mod rigs;
pub mod terms;
