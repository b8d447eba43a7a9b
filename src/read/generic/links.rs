//! References in the addresses of links, where a parameter's name says that it is an order's: `…?order_number=E7D10188`. They are
//! no reference by themselves, for many shops put a number of their own there; but what a subject names too is the order's.

use std::sync::LazyLock;

use regex::Regex;

/// Links that are looked at.
const LINKS: usize = 100;
/// Bytes of a body that are searched.
const TEXT: usize = 512 * 1024;

/// A parameter or a folder of an address that is named after orders, with its value.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[?&;/_-]orders?(?:[_-]?(?:number|no|nr|num|ref|reference|id|code))?(?:=|%3D|/)([A-Za-z0-9][A-Za-z0-9_-]{2,63})").ok()
});

/// The values of such parameters in the HTML and the text of a mail.
pub(super) fn references<'m>(html: &'m str, text: &'m str) -> Vec<&'m str> {
    let Some(named) = NAMED.as_ref() else { return Vec::new() };
    let mut found: Vec<&str> = Vec::new();
    for body in [html, text] {
        let mut end = body.len().min(TEXT);
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        for captures in named.captures_iter(&body[..end]).take(LINKS) {
            let Some(value) = captures.get(1) else { continue };
            if !found.contains(&value.as_str()) {
                found.push(value.as_str());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_after_orders_is_found() {
        let html = "<a href=\"https://s.example/?a=1&amp;order_number=E7D10188&amp;order_pass=p_97\">\
            <a href='https://s.example/orders/SO-42/track'><a href='https://s.example/preorder/77777'>";
        assert_eq!(references(html, "https://s.example/?orderid=9001"), ["E7D10188", "SO-42", "9001"]);
    }
}
