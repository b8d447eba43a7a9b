//! Handing letters to a relay: our own pool over lettre's low-level SMTP client.
//!
//! lettre speaks the protocol; the connections, the clocks and the meaning of answers are ours, because its pooled transport
//! waits for ever on a silent relay, can report a letter as sent after an earlier one was cancelled, and does not tell whether
//! the final dot had left. This room retries nothing but a connection that died while it was idle, stores nothing and logs
//! nothing: it tells the caller what happened.
//!
//! # What an answer means
//!
//! | at | 421 | other 4xx | 530 534 535 538, 503 | other 5xx | close, silence, half a reply, no SMTP |
//! | --- | --- | --- | --- | --- | --- |
//! | connect, TLS | – | – | – | – | `Unavailable`; a certificate that is not valid: with alarm |
//! | greeting, EHLO, AUTH, MAIL | `Unavailable` | `Unavailable` | `Unavailable`, alarm | `Unavailable`, alarm | `Unavailable` |
//! | RCPT | `Unavailable` | `TryLater` | `Unavailable`, alarm | `Refused`; "relay access denied": `Unavailable`, alarm | `Unavailable` |
//! | DATA | `Unavailable` | `TryLater` | `Unavailable`, alarm | `Refused` | `Unavailable` |
//! | the letter, its dot not sent | – | – | – | – | `Unavailable` |
//! | the dot | `TryLater` | `TryLater` | `Unavailable`, alarm | `Refused` | **`InDoubt`** |
//!
//! Only `TryLater` and `Refused` are about the letter. With an alarm, waiting will not help: the relay or its configuration
//! needs a person, and the queue is kept rather than failed. `InDoubt` exists at one place only, after the final dot; that the
//! dot was not sent is known for certain, from the stream itself (`wire`). An answer that came is always believed: a 421 there
//! means "not accepted".
//!
//! # When "on the wire" is recorded
//!
//! After the 354, before the first byte of the letter. The letter and its dot then leave in one write, so there is no moment
//! between them; a letter that cannot be written to its end is `Unavailable`, although it was recorded.
//!
//! # What is waited for
//!
//! To a relay that offers PIPELINING (RFC 2920) MAIL, RCPT and DATA go in one write, so a letter costs two round trips; to any
//! other, four. What an answer means, and at which phase, is the same, since the replies are still read one by one, each within
//! its own time. A recipient's refusal is told before the relay's answer to DATA counts for anything; a connection on which a
//! reply is still owed, or whose relay gave a 354 though it had refused the recipient, is dropped. The letter itself never goes
//! with the group: its 354 must be there, and it must be recorded.
//!
//! A letter first needs a [`Slot`], which is the wait for a free connection: whoever sends asks for one, then looks whether the
//! letter is still to be sent, then sends.
//!
//! # Protection
//!
//! | `tls` | STARTTLS offered | not offered | handshake fails |
//! | --- | --- | --- | --- |
//! | none | not used | – | – |
//! | opportunistic | used, whatever the certificate | goes on in the clear | `Unavailable` |
//! | required | used, certificate valid | `Unavailable`, alarm | `Unavailable`, alarm |
//! | implicit | TLS from the first byte, certificate valid | – | `Unavailable`, alarm |
//!
//! A password is sent over TLS or to a loopback address, never else.

mod connection;
pub mod dkim;
mod envelope;
mod outcome;
mod pool;
mod relay;
mod tls;
mod wire;

pub use connection::Greeting;
pub use outcome::{Outcome, Phase, Reply, Trouble};
pub use relay::{Password, Relay, Slot};
pub use tls::RelayError;
