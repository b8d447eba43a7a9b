//! The rules by which an invitation moves. Each decision is stored with the name of its rule, so that `invited explain` can say
//! in words why something happened, or did not.

use std::fmt;

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal, $sentence:literal;)*) => {
        /// Why an invitation moved, or stayed where it was.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[$doc])* $rule,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// The name under which the rule is stored and documented.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }

            /// What the rule says, in words for a support person.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$rule => $sentence,)*
                }
            }
        }
    };
}

rules! {
    /// The order became known before its trigger.
    OrderOpens = "order-opens", "the order is known and waits for the mail that starts its delay";
    /// The trigger came.
    TriggerStartsDelay = "trigger-starts-delay", "the delay before the first letter began";
    /// A further parcel left, and the shop counts from the shipment.
    ShipmentRestartsDelay = "shipment-restarts-delay", "another shipment or delivery of the same order began the delay anew";
    /// A delay notice or a later expected delivery.
    DelayPostpones = "delay-postpones", "the order comes later than promised, so the letter does too";
    /// Nothing new for the schedule.
    RepeatChangesNothing = "repeat-changes-nothing", "the mail tells nothing that moves the invitation";
    /// Cancelled or refunded while letters were still to come.
    OrderCancelled = "order-cancelled", "the order was cancelled or refunded, so no more letters are sent";
    /// Cancelled or refunded before the order mail came.
    CancelledBeforeOrder = "cancelled-before-order", "the order was cancelled or refunded before anything else was known of it";
    /// An order mail for an order of which a cancellation is on record.
    OrderWasCancelled = "order-was-cancelled", "the order had been cancelled before this mail came";
    /// An end is an end.
    FinalStaysFinal = "final-stays-final", "the invitation had already ended";
    /// The due time of a letter came.
    DueLetterClaimed = "due-letter-claimed", "the letter was due and is being sent";
    /// The trigger did not come in time.
    TriggerNeverCame = "trigger-never-came", "the mail that starts the delay never came, so the order was given up";
    /// The letter would be too late.
    EndOfLife = "end-of-life", "the letter could not be sent in time, so it is not sent at all";
    /// The relay took the first letter and a reminder follows.
    LetterAccepted = "letter-accepted", "the relay took the letter; a reminder follows";
    /// The relay took the last letter.
    LastLetterAccepted = "last-letter-accepted", "the relay took the last letter";
    /// The relay took a letter that was on the wire when the invitation was stopped.
    AcceptedAfterStop = "accepted-after-stop", "the letter was already on the wire when the invitation was stopped";
    /// A 4xx answer.
    RelayDefers = "relay-defers", "the relay asked to try again later";
    /// The relay cannot be reached or used.
    RelayDown = "relay-down", "the relay cannot be used at the moment; the letter waits";
    /// A 5xx answer.
    RelayRefuses = "relay-refuses", "the relay refused the letter for good";
    /// The answer to the final dot never came.
    AnswerLost = "answer-lost", "nobody knows whether the relay took the letter, so it is not sent again by itself";
    /// The same, for a shop that prefers a double.
    AnswerLostResends = "answer-lost-resends", "nobody knows whether the relay took the letter; this shop prefers to send it again";
    /// The daemon stopped before the final dot.
    InterruptedBeforeDot = "interrupted-before-dot", "sending was interrupted before the letter was on the wire; it is sent again";
    /// No letter can be composed.
    LetterCannotBeMade = "letter-cannot-be-made", "the letter could not be composed; a person should look";
    /// The outcome of a sending that no longer matters.
    OutcomeAfterStop = "outcome-after-stop", "the invitation was stopped while its letter was being sent";
    /// An outcome without a sending.
    OutcomeWithoutSending = "outcome-without-sending", "no letter of this invitation was being sent";
    /// Nothing is due in this state.
    NothingDue = "nothing-due", "nothing is due";
    /// Support cancelled.
    DeskCancels = "desk-cancels", "support cancelled the invitation";
    /// Support moved the letter.
    DeskReschedules = "desk-reschedules", "support chose another time for the letter";
    /// Support wants the letter to go out.
    DeskSendsNow = "desk-sends-now", "support asked for the letter to be sent at once";
    /// Refused: the letter is being sent.
    LetterIsOnItsWay = "letter-is-on-its-way", "the letter is being sent at this moment; try again in a minute";
    /// Refused: it has ended.
    AlreadyEnded = "already-ended", "the invitation has ended; nothing can be changed";
    /// Refused: too far ahead.
    TooFarAhead = "too-far-ahead", "a letter can be moved at most 90 days ahead";
}

impl Rule {
    /// The rule of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.as_str() == name)
    }

    /// Whether the rule turns a person's order down.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::LetterIsOnItsWay | Self::AlreadyEnded | Self::TooFarAhead)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_found_by_its_name() {
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.as_str()), Some(*rule));
        }
    }
}
