//! How long it takes to refuse a link: whoever guesses must not learn from the clock which part of a guess was right. The figures are
//! printed for people (`--nocapture`), since what another process does meanwhile is in them; what is asserted is that all are refused.

use std::hint::black_box;
use std::time::Instant;

use base64ct::{Base64UrlUnpadded, Encoding};
use invited::domain::{EmailAddress, OrderReference, ShopId, Timestamp};
use invited::link::{LinkKeys, OrderTicket, Purpose, Token};

const NOW: Timestamp = Timestamp::from_seconds(1_795_251_600);
const LATER: Timestamp = Timestamp::from_seconds(1_795_251_600 + 180 * 86_400);
const ROUNDS: usize = 2_000;

fn keys() -> LinkKeys {
    LinkKeys::new((2, [2; 32]), [(1, [1; 32])])
}

fn shop() -> ShopId {
    ShopId::parse("nordljus").expect("a shop's id")
}

/// A right text with this done to its octets.
fn changed(right: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = Base64UrlUnpadded::decode_vec(right).expect("base64");
    change(&mut bytes);
    Base64UrlUnpadded::encode_string(&bytes)
}

/// The guesses of every kind, what is wrong with them first. The last octets are those of the tag.
fn guesses(right: &str) -> Vec<(&'static str, String)> {
    vec![
        ("all but the last bit", changed(right, |bytes| bytes.iter_mut().last().into_iter().for_each(|b| *b ^= 1))),
        (
            "the first octet of the tag",
            changed(right, |bytes| bytes.iter_mut().rev().nth(15).into_iter().for_each(|b| *b ^= 1)),
        ),
        ("the whole tag", changed(right, |bytes| bytes.iter_mut().rev().take(16).for_each(|b| *b = !*b))),
        ("the version", changed(right, |bytes| bytes.iter_mut().take(1).for_each(|b| *b ^= 1))),
        ("a key that is not there", changed(right, |bytes| bytes.iter_mut().skip(1).take(1).for_each(|b| *b = 9))),
        ("another key", changed(right, |bytes| bytes.iter_mut().skip(1).take(1).for_each(|b| *b = 1))),
        ("the number", changed(right, |bytes| bytes.iter_mut().skip(9).take(1).for_each(|b| *b ^= 1))),
        ("every octet", changed(right, |bytes| bytes.iter_mut().for_each(|b| *b = b.wrapping_mul(31) ^ 0x5a))),
        ("one character that is none", format!("{}.", right.get(1..).unwrap_or_default())),
    ]
}

/// The median in nanoseconds of each, taken in turns so that a slow moment is everybody's.
fn medians(texts: &[(&'static str, String)], refuse: impl Fn(&str) -> bool) -> Vec<(&'static str, u128)> {
    let mut taken = vec![Vec::with_capacity(ROUNDS); texts.len()];
    for _ in 0..ROUNDS {
        for ((what, text), taken) in texts.iter().zip(&mut taken) {
            let start = Instant::now();
            let is_refused = refuse(black_box(text));
            taken.push(start.elapsed().as_nanos());
            assert!(is_refused, "{what}: {text}");
        }
    }
    let median = |taken: &mut Vec<u128>| {
        taken.sort_unstable();
        taken.get(ROUNDS / 2).copied().unwrap_or_default()
    };
    texts.iter().zip(&mut taken).map(|((what, _), taken)| (*what, median(taken))).collect()
}

#[test]
fn every_kind_of_wrong_token_is_refused_in_the_time_that_is_printed() {
    let token = Token { shop: shop(), number: 4711, series: 0, expires: LATER };
    let right = token.sign(&keys(), Purpose::Review);
    assert!(Token::verify(&keys(), Purpose::Review, &right, NOW).is_ok());
    let mut texts = guesses(&right);
    texts.push(("another purpose", token.sign(&keys(), Purpose::Unsubscribe)));
    texts.push(("too short", "AgE".to_owned()));
    texts.push(("too long", "A".repeat(500)));
    let keys = keys();
    for (what, nanoseconds) in
        medians(&texts, |text| Token::verify(black_box(&keys), Purpose::Review, text, NOW).is_err())
    {
        println!("token, wrong in {what}: {nanoseconds} ns");
    }
}

#[test]
fn every_kind_of_wrong_ticket_is_refused_in_the_time_that_is_printed() {
    let ticket = OrderTicket {
        shop: shop(),
        email: EmailAddress::parse("anna@customer.example").expect("an address"),
        name: None,
        reference: OrderReference::parse("LN-2204").expect("a reference"),
        products: Vec::new(),
        expires: LATER,
    };
    let right = ticket.seal(&keys(), [5; 16]);
    assert!(OrderTicket::open(&keys(), &right, NOW).is_ok());
    let keys = keys();
    for (what, nanoseconds) in medians(&guesses(&right), |text| OrderTicket::open(black_box(&keys), text, NOW).is_err())
    {
        println!("ticket, wrong in {what}: {nanoseconds} ns");
    }
}
