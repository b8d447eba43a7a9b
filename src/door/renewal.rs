//! The certificate over the years: read again when its files change, and spoken of before it ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::listener::Door;
use super::tls::{Certificate, Stamps, certificate_ends, load_tls};
use crate::domain::{DAY, Timestamp};

/// How often the files are looked at. Whoever renews a certificate need not tell anybody.
const LOOK: Duration = Duration::from_secs(60);
/// How long before its end the log speaks of a certificate. ACME clients renew theirs a month before.
const NOTICE: Duration = DAY.saturating_mul(14);

/// Looks after the door's certificate until `stop` is cancelled. Sessions that run keep the one that they began with; when the new
/// one is broken, so do those that come.
pub async fn keep_certificate(door: Arc<Door>, stop: CancellationToken) {
    let mut pulse = interval(LOOK);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut keeper = Keeper { failed: None, told: door.now() };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = pulse.tick() => keeper.look(&door),
        }
    }
}

struct Keeper {
    /// What the files were like that could not be used.
    failed: Option<Stamps>,
    /// When the end was last looked at; whoever set the certificate did it then.
    told: Timestamp,
}

impl Keeper {
    fn look(&mut self, door: &Door) {
        let Some(certificate) = door.tls() else { return };
        let now = door.now();
        let stamps = Stamps::of(certificate.files());
        if stamps != *certificate.stamps() && self.failed.as_ref() != Some(&stamps) {
            match load_tls(certificate.files()) {
                Ok(renewed) => {
                    tell_of_end(&renewed, now);
                    info!(until = %certificate_ends(&renewed), "the certificate has changed and was read again");
                    door.set_tls(Some(renewed));
                    (self.failed, self.told) = (None, now);
                }
                Err(error) => {
                    error!(%error, "the certificate has changed and cannot be used; the old one goes on");
                    self.failed = Some(stamps);
                }
            }
        } else if now.since(self.told) >= DAY {
            self.told = now;
            tell_of_end(&certificate, now);
        }
    }
}

/// Whether a certificate that ends then must be spoken of.
pub fn ends_soon(ends: Timestamp, now: Timestamp) -> bool {
    ends.since(now) <= NOTICE
}

/// Warns in the log when a certificate ends within 14 days, or has ended.
pub fn tell_of_end(certificate: &Certificate, now: Timestamp) {
    let (until, file) = (certificate_ends(certificate), certificate.files().certificate.display());
    if until <= now {
        error!(%until, %file, "the certificate has ended: clients that look at it do not come in; renew it");
    } else if ends_soon(until, now) {
        let days = until.since(now).as_secs() / DAY.as_secs();
        warn!(%until, days, %file, "the certificate ends soon: renew it, it is read again by itself");
    }
}
