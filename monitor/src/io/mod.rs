//! The half of the monitor that moves bytes.
