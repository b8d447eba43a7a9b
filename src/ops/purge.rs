//! Forgetting what need not be kept: the bytes of copies that are older than the shop owner wants them, and the counts of hours
//! that nothing is compared with any more.

use std::time::Duration;

use super::house::House;
use super::watch::HOURS_KEPT;
use crate::domain::Timestamp;
use crate::store::StoreError;

/// Copies deleted in one transaction, so that intake never waits long for it.
const BATCH: usize = 200;

/// Deletes the bytes of copies past their time, and says how many.
///
/// # Errors
/// When the store cannot be written.
pub async fn purge(house: &House) -> Result<u64, StoreError> {
    let keep = house.setup().config.keep_copies;
    let now = house.clock.now();
    let ago = |span: Duration| Timestamp(now.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)));
    house.store.purge_hours(ago(HOURS_KEPT)).await?;
    let before = ago(keep);
    let mut purged = 0;
    loop {
        let count = house.store.purge(before, BATCH).await?;
        purged += count;
        if count < BATCH as u64 {
            break;
        }
    }
    if purged > 0 {
        tracing::info!(purged, "the bytes of old copies were deleted");
    }
    Ok(purged)
}
