//! What the layouts of a letter can show: the variables of `layout.mjml` and `layout.txt`, all of them text.

use std::collections::BTreeMap;

use minijinja::{Value, context};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::clean;
use crate::wording::{Color, Palette};

use super::afs;
use super::data::{LetterData, UnsubscribeMail};

/// Products that are named; more make a letter a bill.
pub(super) const NAMED_PRODUCTS: usize = 6;
/// Characters of a product's name.
const PRODUCT_NAME: usize = 80;

/// RFC 6068 section 2: what needs no encoding in the address of a `mailto:` link.
const MAILTO: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b'@');

/// The variables of a layout, for one letter whose words are already spoken; `star_labels` are those of one to five stars.
/// `docs/letters.md` lists them.
pub(super) fn of(
    letter: &LetterData<'_>,
    lang: &str,
    words: &BTreeMap<&'static str, String>,
    star_labels: &[String],
) -> Value {
    let word = |key| words.get(key).map_or("", String::as_str);
    let stars = letter.links.stars.map_or(&[][..], |links| links.as_slice()).iter().zip(star_labels).zip(1..);
    let (shop, products) = (shop_name(letter), products(letter));
    context! {
        lang,
        kind => letter.kind.as_str(),
        afs => afs::value(&afs_facts(letter, &shop, word("customer"), &products)),
        shop,
        name => customer_name(letter),
        reference => letter.reference.as_str(),
        words => words,
        paragraphs => paragraphs(word("body")),
        signature => lines(word("signature")),
        link => letter.links.review,
        later_link => letter.links.later.unwrap_or(""),
        data_link => letter.links.data.unwrap_or(""),
        view_link => letter.links.view.unwrap_or(""),
        about_link => letter.links.about.unwrap_or(""),
        stars => stars.map(|((link, label), count)| context! { count => count, link, label }).collect::<Vec<_>>(),
        products,
        unsubscribe_link => unsubscribe_link(letter),
        postal_address => lines(letter.sender.postal_address.unwrap_or("")),
        logo => letter.sender.logo.unwrap_or(""),
        palette => Color::parse(letter.sender.color).map(|brand| Palette::of(brand).into_value()).unwrap_or_default(),
    }
}

/// What the variables of pasted letters stand for.
pub(super) fn afs_facts<'a>(
    letter: &LetterData<'a>,
    shop: &'a str,
    customer: &'a str,
    products: &'a [String],
) -> afs::Facts<'a> {
    let (name, reference) = (customer_name(letter), letter.reference.as_str());
    let (domain, link) = (letter.sender.domain, letter.links.review);
    afs::Facts { name, customer, shop, domain, reference, link, products }
}

/// The shop's name, on one line.
pub(super) fn shop_name(letter: &LetterData<'_>) -> String {
    clean(letter.sender.shop_name, 100)
}

/// The customer's name, empty when it is not known.
pub(super) fn customer_name<'a>(letter: &LetterData<'a>) -> &'a str {
    letter.customer.name.as_ref().map_or("", |name| name.as_str())
}

/// How many products are not named.
pub(super) fn unnamed_products(letter: &LetterData<'_>) -> usize {
    letter.products.iter().filter(|product| !clean(&product.name, 1).is_empty()).count().saturating_sub(NAMED_PRODUCTS)
}

/// Where the letter's own unsubscribe link leads: to a page, or else to a mail that is as good.
pub(super) fn unsubscribe_link(letter: &LetterData<'_>) -> String {
    letter.links.unsubscribe.map_or_else(|| mailto(&letter.unsubscribe_mail), str::to_owned)
}

/// The `mailto:` link that begins the mail that unsubscribes (RFC 6068).
pub(super) fn mailto(mail: &UnsubscribeMail<'_>) -> String {
    format!("mailto:{}?subject={}", utf8_percent_encode(mail.to.as_str(), MAILTO), mail.subject.replace(' ', "%20"))
}

/// The names of the products that are named.
pub(super) fn products(letter: &LetterData<'_>) -> Vec<String> {
    let names = letter.products.iter().map(|product| {
        let name = clean(&product.name, PRODUCT_NAME + 1);
        if name.chars().count() > PRODUCT_NAME {
            let kept: String = name.chars().take(PRODUCT_NAME - 1).collect();
            format!("{}\u{2026}", kept.trim_end())
        } else {
            name
        }
    });
    names.filter(|name| !name.is_empty()).take(NAMED_PRODUCTS).collect()
}

/// Texts between empty lines; a line break inside one is a blank.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text.lines().map(str::trim) {
        match paragraphs.last_mut() {
            Some(last) if !line.is_empty() => {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(line);
            }
            _ => paragraphs.push(String::new()),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| clean(line, 200)).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EmailAddress;

    #[test]
    fn empty_lines_part_paragraphs_and_other_breaks_are_blanks() {
        assert_eq!(paragraphs("\na\nb \n\n \n c\r\nd\n"), ["a b", "c d"]);
        assert_eq!(paragraphs(" \n"), Vec::<String>::new());
        assert_eq!(lines("Shop\u{202e} AB\n\n 1 High  Street "), ["Shop AB", "1 High Street"]);
    }

    #[test]
    fn an_unsubscribe_link_is_a_plain_mailto() {
        let link = |to: &EmailAddress, subject| mailto(&UnsubscribeMail { to, subject });
        let to = EmailAddress::parse("o'malley+stop&x=?#%@b\u{fc}cher.example").unwrap();
        assert_eq!(
            link(&to, "unsubscribe t-1"),
            "mailto:o%27malley+stop%26x%3D%3F%23%25@xn--bcher-kva.example?subject=unsubscribe%20t-1"
        );
        let to = EmailAddress::parse("j\u{fc}rgen@example.com").unwrap();
        assert_eq!(link(&to, "unsubscribe"), "mailto:j%C3%BCrgen@example.com?subject=unsubscribe");
    }
}
