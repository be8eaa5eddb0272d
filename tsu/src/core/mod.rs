//! The pure half of the TSU.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rfc3161`] | requests in, tokens and responses out |
//! | [`holder`] | the lease, and the guard over it |
//! | [`issuing`] | the pipeline from request to released token |

pub mod holder;
pub mod issuing;
pub mod rfc3161;

#[cfg(test)]
pub(crate) mod testing;
