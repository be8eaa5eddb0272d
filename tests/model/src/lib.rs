//! A model of the lease and the witness (design section 5), searched state by state.
//!
//! It is written anew from the design, apart from the cores that ship, with whole ticks for time
//! and small numbers for connections, leases and serials. What it leaves out, which worlds there
//! are and what each control breaks stands in `docs/safety.md`.

pub mod controls;
mod model;
mod monitor;
pub mod properties;
pub mod run;
mod state;
mod step;
mod tidy;
mod tsu;
pub mod world;
pub mod worlds;
