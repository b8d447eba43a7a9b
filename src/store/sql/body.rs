//! A copy's bytes as they are kept: one zstd frame. Level 1 already takes an order mail to about a third; higher levels cost
//! more time than the disk takes. The frame carries a checksum, since SQLite has none of its own.

use std::cell::RefCell;
use std::io::Read;
use std::sync::Arc;

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Above this many bytes packing is work for a thread that may block.
const INLINE_BYTES: usize = 128 * 1024;

/// The packed message. Runs in the caller's task, so that callers pack side by side while the writer waits for the disk.
pub(super) async fn pack(message: &Arc<[u8]>) -> Result<Vec<u8>, String> {
    if message.len() <= INLINE_BYTES {
        return compress(message);
    }
    let message = Arc::clone(message);
    tokio::task::spawn_blocking(move || compress(&message)).await.map_err(|stopped| stopped.to_string())?
}

/// The message of `size` bytes in `packed`.
pub(super) fn unpack(packed: &[u8], size: u64) -> Result<Vec<u8>, String> {
    let damaged = |why: std::io::Error| format!("its bytes are damaged ({why})");
    let mut message = Vec::new();
    // Streamed, since a damaged size must not be allocated on trust.
    let frame = zstd::stream::read::Decoder::new(packed).map_err(damaged)?;
    frame.take(size.saturating_add(1)).read_to_end(&mut message).map_err(damaged)?;
    if message.len() as u64 == size { Ok(message) } else { Err("its bytes are damaged (wrong length)".to_owned()) }
}

fn compress(message: &[u8]) -> Result<Vec<u8>, String> {
    thread_local! {
        // A compressor's tables are hundreds of kilobytes: making them anew costs more than packing a mail.
        static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(new_compressor().map_err(|why| why.to_string())?),
        };
        compressor.compress(message).map_err(|why| why.to_string())
    })
}

fn new_compressor() -> std::io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(1)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    Ok(compressor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_packed_comes_back_and_a_flipped_byte_is_noticed() {
        for size in [0, 1, 4096, INLINE_BYTES + 1] {
            let message: Arc<[u8]> = (0..size).map(|n| (n % 251) as u8).collect();
            let packed = pack(&message).await.unwrap();
            assert_eq!(unpack(&packed, size as u64).unwrap(), message.to_vec());
            for at in 0..packed.len() {
                let mut damaged = packed.clone();
                damaged[at] ^= 1;
                // Some bits of the header mean nothing; what matters is that no other message comes out.
                if let Ok(other) = unpack(&damaged, size as u64) {
                    assert_eq!(other, message.to_vec(), "byte {at} of {}", packed.len());
                }
            }
        }
    }
}
