//! The pure half of the TSU.

pub mod rfc3161;
