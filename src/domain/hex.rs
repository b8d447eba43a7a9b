//! Octets as people and other programs compare them.

use std::fmt::Write as _;

/// Lower-case hexadecimal, two digits an octet.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing into a text cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_octet_has_two_digits() {
        assert_eq!(hex(&[0, 9, 0x10, 0xaf, 0xff]), "000910afff");
        assert_eq!(hex(&[]), "");
    }
}
