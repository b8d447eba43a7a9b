//! Amounts of money, to tell a refund of a part from that of the whole: what was paid back, beside what the order cost.

use super::layout::Layout;
use super::products::price_in;
use crate::read::lexicon::Lexicon;
use crate::read::phrases::Searched;
use crate::read::words::fold;

/// Amounts of one kind that are looked at.
const AMOUNTS: usize = 12;
/// Lines in which amounts are looked for behind words.
const LINES: usize = 60;
/// Characters of such a line.
const LINE: usize = 300;
/// Characters between the words and the amount.
const NEAR: usize = 25;

/// Whether a mail says that less was paid back than the order cost. `None` when it does not name both.
pub(super) fn is_in_part(layout: &Layout<'_>, text: &Searched<'_>, lexicon: &Lexicon) -> Option<bool> {
    // Several refunds of one order may be listed: the largest says most. The order's total is the largest of all totals.
    let largest = |list: &'static str| {
        let labelled = layout.of_list(list).filter_map(|one| amount(one.value)).take(AMOUNTS).max();
        let phrases = lexicon.inline(list, text);
        let told = layout.lines.iter().take(LINES).filter_map(|line| {
            let folded = fold(&line.chars().take(LINE).collect::<String>());
            let after = phrases.iter().find_map(|phrase| phrase.after(&folded))?;
            amount(&after.chars().take(NEAR).collect::<String>())
        });
        labelled.max(told.max()).filter(|amount| *amount > 0)
    };
    Some(largest("refund_amount")? < largest("order_total")?)
}

/// An amount in hundredths: `1.234,50 €`, `$1,234.5`, `¥1,280`, `-12`. A sign does not count.
fn amount(text: &str) -> Option<u64> {
    // A number that is no money may be the order's.
    let text = &text[price_in(text)?];
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let run = text[start..]
        .split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}')))
        .next()?;
    let run = run.trim_end_matches(|c: char| !c.is_ascii_digit());
    // The last sign separates hundredths when one or two digits follow it.
    let (whole, part) = match run.rfind(['.', ',']) {
        Some(at) if (1..=2).contains(&(run.len() - at - 1)) => (&run[..at], &run[at + 1..]),
        _ => (run, ""),
    };
    let digits = whole.chars().filter(char::is_ascii_digit).collect::<String>();
    let whole = digits.parse::<u64>().ok()?.checked_mul(100)?;
    let part = match part.len() {
        0 => 0,
        1 => part.parse::<u64>().ok()? * 10,
        _ => part.parse::<u64>().ok()?,
    };
    whole.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_all_forms() {
        for (text, hundredths) in [
            ("1.234,50 €", Some(123_450)),
            ("$1,234.5", Some(123_450)),
            ("¥1,280", Some(128_000)),
            ("-12 EUR", Some(1_200)),
            ("Order 2201", None),
            ("1 234,00 kr", Some(123_400)),
            ("CHF 1'234.00", Some(123_400)),
            ("9.50 (incl. 1.58 tax)", Some(950)),
            ("free", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(amount(text), hundredths, "{text}");
        }
    }
}
