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
    /// An earlier event came, and the shop has a delay for the case that the trigger never does.
    FallbackStartsDelay = "fallback-starts-delay", "the delay began that counts in case the mail that starts the usual one never comes";
    /// `preferredSendTime` of the AFS snippet.
    ShopChoseTheTime = "shop-chose-the-time", "the shop's mail says when the first letter is to go";
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
    /// A mail that was written well after the cancellation says that the order goes on.
    ReopenedAfterCancel = "reopened-after-cancel", "the order went on after it had been cancelled; a person should look";
    /// An end is an end.
    FinalStaysFinal = "final-stays-final", "the invitation had already ended";
    /// The due time of a letter came.
    DueLetterClaimed = "due-letter-claimed", "the letter was due and is being sent";
    /// The trigger did not come in time.
    TriggerNeverCame = "trigger-never-came", "the mail that starts the delay never came, so the order was given up";
    /// The letter would be too late.
    EndOfLife = "end-of-life", "the letter could not be sent in time, so it is not sent at all";
    /// The send window is closed.
    OutsideWindow = "outside-window", "letters leave in the shop's send window only";
    /// The person has had as many letters as are allowed in a time.
    PersonCap = "person-cap", "this person has had as many letters lately as one person may get";
    /// The last letter to the person was too lately.
    PersonApart = "person-apart", "the last letter to this person was too short a time ago";
    /// The shop has invited the person lately.
    SamePerson = "same-person", "this shop has invited the person lately, and does not ask about every purchase";
    /// The person was asked about everything in the order lately.
    SameProduct = "same-product", "this person was asked about the same product lately";
    /// The mailboxes' domain has as many letters before this one as it takes in a while.
    DomainBusy = "domain-busy", "many letters to the same mailbox provider are due, so this one goes a little later";
    /// The order has had its letters.
    OrderCap = "order-cap", "the order has had as many letters as one order may get";
    /// The order is too old.
    TooOld = "too-old", "the order is older than the shop invites for";
    /// The order is not in the share that is asked.
    NotInSample = "not-in-sample", "the shop asks about a share of its orders only, drawn by lot, and this one is not in it";
    /// Nobody read that the customer agreed.
    NoConsent = "no-consent", "the shop asks only who agreed to it, and no mail of the order says so";
    /// The kind of address is not written to.
    AddressClass = "address-class", "the shop does not write to addresses of this kind";
    /// The address or its domain is on the suppression list.
    Suppressed = "suppressed", "the address is on the suppression list";
    /// A review exists.
    Reviewed = "reviewed", "the customer has reviewed the order";
    /// The customer wants no letters.
    Unsubscribed = "unsubscribed", "the customer wants no more letters";
    /// The customer complained.
    Complained = "complained", "the customer reported a letter as junk";
    /// The address does not exist.
    Bounced = "bounced", "a letter came back: the address does not take mail";
    /// The customer's data are erased.
    Erased = "erased", "what is stored about the customer is erased";
    /// "My order has not arrived."
    NotArrived = "not-arrived", "the customer says that the order has not arrived, so the next letter comes later";
    /// "Ask me later."
    AskedLater = "asked-later", "the customer asked to be asked later";
    /// The same a second time.
    AskedBefore = "asked-before", "the customer has asked for this before; it can be asked for once";
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
    /// The letter may have gone out between a backup and the restoration of it.
    RestoredWhileDue = "restored-while-due", "the queue was put back from a backup, and the letter may have gone out in between; a person should look";
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
    /// Support opened a new invitation after one that had ended.
    DeskReinvites = "desk-reinvites", "support invites the customer once more";
    /// Support ended the links of the letters.
    DeskRevokesLinks = "desk-revokes-links", "support ended the links in the letters that were sent";
    /// Support or an imported file asked for the invitation.
    InvitedByHand = "invited-by-hand", "the invitation was asked for by hand";
    /// Refused: the letter is being sent.
    LetterIsOnItsWay = "letter-is-on-its-way", "the letter is being sent at this moment; try again in a minute";
    /// Refused: it has ended.
    AlreadyEnded = "already-ended", "the invitation has ended; nothing can be changed";
    /// Refused: too far ahead.
    TooFarAhead = "too-far-ahead", "a letter can be moved at most 90 days ahead";
    /// Refused: in the past.
    InThePast = "in-the-past", "a letter cannot be moved into the past";
    /// Refused: there is no need of a new invitation.
    StillUnderWay = "still-under-way", "the invitation has not ended, so there is no need of another one";
    /// Refused: the shop cancelled the order.
    OrderIsCancelled = "order-is-cancelled", "the shop's mail says that the order was cancelled, so nobody is asked about it";
    /// Refused: the customer reviewed, unsubscribed, complained or is erased.
    CustomerHadTheirSay = "customer-had-their-say", "the customer has reviewed the order or wants no letters, so they are not asked again";
}

impl Rule {
    /// The rule of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.as_str() == name)
    }

    /// Whether the rule turns a person's order down.
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::LetterIsOnItsWay
                | Self::AlreadyEnded
                | Self::TooFarAhead
                | Self::InThePast
                | Self::StillUnderWay
                | Self::OrderIsCancelled
                | Self::CustomerHadTheirSay
        )
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
