//! Enums whose values have numbers, and labels, that never change: one table for each.

/// Gives an enum without fields `ALL`, `code` and `from_code`, and `label` where labels stand beside
/// the numbers. With `pub enum` it makes the enum too.
macro_rules! coded {
    ($type:ident { $($name:ident = $code:literal),+ $(,)? }) => {
        impl $type {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The number that stands for it on the wire and in the evidence log.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$name => $code,)+ }
            }

            /// What this number stands for.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
    ($type:ident { $($name:ident = $code:literal, $label:literal;)+ }) => {
        $crate::coded::coded!($type { $($name = $code),+ });

        impl $type {
            /// Its name in metrics, logs and alarms.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }
        }
    };
    (
        $(#[$of_type:meta])*
        pub enum $type:ident { $($(#[$doc:meta])* $name:ident = $code:literal, $label:literal;)+ }
    ) => {
        $(#[$of_type])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$doc])* $name,)+ }

        $crate::coded::coded!($type { $($name = $code, $label;)+ });
    };
}

pub(crate) use coded;
