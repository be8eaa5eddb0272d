//! Instants on the clocks that nobody steps.

use core::ops::Sub;

use super::{Bound, Span};

macro_rules! instant {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// An instant `ns` nanoseconds after the clock's zero.
            #[must_use]
            pub const fn from_nanos(ns: i64) -> Self {
                Self(ns)
            }

            /// Nanoseconds since the clock's zero.
            #[must_use]
            pub const fn as_nanos(self) -> i64 {
                self.0
            }

            /// The instant `length` later.
            #[must_use]
            pub const fn plus(self, length: Bound) -> Self {
                Self(self.0.saturating_add(length.as_span().as_nanos()))
            }
        }

        impl Sub for $name {
            type Output = Span;
            fn sub(self, earlier: Self) -> Span {
                Span::from_nanos(self.0.saturating_sub(earlier.0))
            }
        }
    };
}

instant! {
    /// A reading of `CLOCK_MONOTONIC_RAW`: the bare oscillator, neither stepped nor slewed. Its
    /// zero is the boot of one machine, so it means nothing on another or after a reboot.
    RawInstant
}

instant! {
    /// A reading of `CLOCK_BOOTTIME`, which goes on counting while the machine is suspended.
    BootInstant
}
