//! Which language a page is in, and in which direction it is read.

/// The longest `Accept-Language` that is read, in bytes; browsers send some dozens.
const LONGEST: usize = 500;

/// The languages of an `Accept-Language` header, the most wanted first (RFC 9110 12.5.4). What is not of that form is passed over.
pub(super) fn accepted(header: &str) -> Vec<&str> {
    let Some(header) = header.get(..header.len().min(LONGEST)) else { return Vec::new() };
    let mut wanted: Vec<(u16, &str)> = header
        .split(',')
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().filter(|tag| is_tag(tag))?;
            let quality = match parts.next() {
                None => 1_000,
                Some(parameter) => thousandths(parameter.strip_prefix("q=").or(parameter.strip_prefix("Q="))?)?,
            };
            (quality > 0).then_some((quality, tag))
        })
        .collect();
    wanted.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    wanted.into_iter().map(|(_, tag)| tag).collect()
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A weight of RFC 9110 12.4.2: `1`, `0.8`, at most three decimals.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1_000),
        _ => None,
    }
}

/// Languages that are written from right to left.
const LEFTWARD: [&str; 11] = ["ar", "ckb", "dv", "fa", "he", "iw", "ps", "sd", "ug", "ur", "yi"];

/// `ltr` or `rtl`, for a language tag. A script in the tag says it for certain.
pub(super) fn direction(lang: &str) -> &'static str {
    let lang = lang.to_ascii_lowercase();
    let mut subtags = lang.split('-');
    let language = subtags.next().unwrap_or_default();
    let leftward = match subtags.find(|subtag| subtag.len() == 4) {
        Some(script) => matches!(script, "arab" | "aran" | "hebr" | "syrc" | "thaa" | "nkoo" | "adlm" | "rohg"),
        None => LEFTWARD.contains(&language),
    };
    if leftward { "rtl" } else { "ltr" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_language_comes_first() {
        for (header, languages) in [
            ("de-CH,de;q=0.9,en;q=0.8", &["de-CH", "de", "en"][..]),
            ("en;q=0.5, sv , da;q=0.75", &["sv", "da", "en"]),
            ("*, fr;q=0", &[]),
            ("da;q=1.000,sv;q=1.5,nb;q=x,fi;q=0.1234,nl;level=1", &["da"]),
            ("", &[]),
            (",;q=1,<b>,\u{e5}", &[]),
        ] {
            assert_eq!(accepted(header), languages, "{header}");
        }
        assert_eq!(accepted(&"sv,".repeat(10_000)).len(), 167);
        assert!(accepted(&format!("{}\u{e5}", "a".repeat(LONGEST - 1))).is_empty(), "cut within a character");
    }

    #[test]
    fn the_script_goes_before_the_language() {
        for (lang, dir) in [("de", "ltr"), ("ar-EG", "rtl"), ("he", "rtl"), ("az-Arab", "rtl"), ("ku-latn-TR", "ltr")] {
            assert_eq!(direction(lang), dir, "{lang}");
        }
    }
}
