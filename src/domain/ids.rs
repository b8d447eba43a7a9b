//! Identities of stored things. They are row numbers: short enough to be read out on the telephone, and never reused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// A copy of a shop's mail as it was taken in.
    CopyId
);
id!(
    /// The intent to ask one customer about one order.
    InvitationId
);
id!(
    /// One mail that we send: the first invitation or a reminder.
    LetterId
);
id!(
    /// A review that a customer wrote.
    ReviewId
);
