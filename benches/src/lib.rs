//! Benches print figures and assert nothing. What they share is here.

pub mod page;
pub mod terms;
