//! A fixture: code that reads clocks behind the back of `chronolease-sys`. With the feature `bite`
//! clippy must refuse every line that is marked; `tests/clock_ban.rs` checks that it does.

#[cfg(feature = "bite")]
mod forbidden;
