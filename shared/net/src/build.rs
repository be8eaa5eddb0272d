//! What was built: logged at the start, shown in `/metrics` and by `--version`.

/// The version of this release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// 16 hexadecimal digits of SHA-256 over `Cargo.toml`, `Cargo.lock` and the sources of both boxes.
/// Debug and release builds of one source tree share it.
pub const BUILD_ID: &str = env!("CHRONOLEASE_BUILD_ID");

/// Version and build id for `--version`: `0.1.0 (build 0123456789abcdef)`.
pub const LONG_VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (build ", env!("CHRONOLEASE_BUILD_ID"), ")");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_16_lower_case_digits() {
        assert_eq!(BUILD_ID.len(), 16);
        assert!(BUILD_ID.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert_eq!(LONG_VERSION, format!("{VERSION} (build {BUILD_ID})"));
    }
}
