//! SMTP dialogs against the door. The scripts in `tests/fixtures/dialogs` are run twice: against the bare session, octet by octet
//! too, and through the listener over a socket. The end-of-data matrix is generated, in the clear and inside TLS.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

mod bare;
mod intake;
mod octets;
mod script;
mod smuggling;
mod socket;

const HOSTNAME: &str = "mail.example.com";
const SHOP: &str = "shop1+0123456789abcdef@in.example.com";
