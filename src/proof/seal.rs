//! What a mail server on the way wrote down of its own checks (RFC 8601), for those who trust its seal.

/// Most signatures that are taken from one field.
const AT_MOST: usize = 20;

/// The domains whose signatures an ARC-Authentication-Results field calls good, by `header.d` or else the domain of `header.i`.
pub(super) fn good_signatures(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value);
    let Some(plain) = without_comments(&text) else { return Vec::new() };
    plain.split(';').filter_map(good_signature).take(AT_MOST).collect()
}

fn good_signature(result: &str) -> Option<String> {
    let mut words = result.split_whitespace();
    // "dkim/1=pass" would name a version of the method; nobody writes one.
    let is_good = words.next()?.eq_ignore_ascii_case("dkim=pass");
    let mut by_domain = None;
    let mut by_identity = None;
    for word in words.filter(|_| is_good) {
        match word.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("header.d") => by_domain = Some(value),
            Some((name, value)) if name.eq_ignore_ascii_case("header.i") => {
                by_identity = Some(value.rsplit_once('@').map_or(value, |(_, domain)| domain));
            }
            _ => (),
        }
    }
    by_domain.or(by_identity).map(|domain| domain.trim_end_matches('.').to_ascii_lowercase())
}

/// The text without its comments and quoted texts, in which a sender may have written anything; `None` when one of them has no end.
fn without_comments(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
                depth = depth.checked_sub(1)?;
                plain.push(' ');
            }
            _ if quoted || depth > 0 => {}
            _ => plain.push(c),
        }
    }
    (depth == 0 && !quoted).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_count_and_nothing_that_a_sender_could_have_written() {
        for (value, domains) in [
            (
                " i=1; mx.sealer.example;\r\n dkim=pass header.i=@shop.example header.s=s1 header.b=abc;\r\n spf=pass (x)",
                vec!["shop.example"],
            ),
            (
                " i=2; mx.sealer.example 1; spf=pass smtp.mailfrom=a@x.example; dkim=pass (signature was verified)\r\n header.d=Shop.Example.;arc=none",
                vec!["shop.example"],
            ),
            ("i=1; h; dkim=pass header.d=a.example; dkim=pass header.d=b.example", vec!["a.example", "b.example"]),
            ("i=1; h; dkim=fail header.d=shop.example", vec![]),
            ("i=1; h; dkim=passed header.d=shop.example", vec![]),
            ("i=1; h; dkim=pass", vec![]),
            ("i=1; h; dkim=fail (dkim=pass header.d=shop.example; dkim=pass header.d=shop.example)", vec![]),
            ("i=1; h; dkim=fail reason=\"; dkim=pass header.d=shop.example\"", vec![]),
            ("i=1; h; dkim=fail reason=\"\\\"; dkim=pass header.d=shop.example;\"", vec![]),
            ("i=1; h; dkim=fail (\\); dkim=pass header.d=shop.example", vec![]),
            ("i=1; h; x=y); dkim=pass header.d=shop.example", vec![]),
            ("i=1; h; auth=pass smtp.auth=dkim=pass header.d=shop.example", vec![]),
        ] {
            assert_eq!(good_signatures(value.as_bytes()), domains, "{value}");
        }
    }
}
