//! Whether the monitor may run on this box.

use chronolease_net::daemon::DaemonError;

/// Whether a hypervisor runs this box, or it cannot be told, and the configuration allows it.
///
/// # Errors
/// [`DaemonError`] when the configuration does not.
pub(super) fn allowed(is_virtual: bool, allow: bool) -> Result<bool, DaemonError> {
    if is_virtual && !allow {
        return Err(DaemonError::config(
            "a hypervisor runs this box, or it cannot be told: box B must not freeze together \
             with box A. Set monitor.allow_virtual_monitor = true to run here all the same",
        ));
    }
    Ok(is_virtual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_box_is_refused_unless_it_is_allowed() {
        let refused = allowed(true, false).expect_err("box B may freeze together with box A");
        assert!(refused.to_string().contains("allow_virtual_monitor = true"), "{refused}");
        for (is_virtual, allow) in [(true, true), (false, true), (false, false)] {
            assert_eq!(allowed(is_virtual, allow).ok(), Some(is_virtual));
        }
    }
}
