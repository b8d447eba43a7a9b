//! Letters as customers and mail programs get them.

use crate::domain::{Customer, EmailAddress, LetterKind, OrderReference, PersonName, Product, ShopId, Timestamp};

use super::{ComposeError, Composed, LetterData, LetterFile, Letters, Links, Sender, UnsubscribeMail};

/// Everything that a letter borrows.
struct Fixture {
    shop: ShopId,
    shop_name: String,
    from: EmailAddress,
    from_name: PersonName,
    reply_to: EmailAddress,
    unsubscribe_to: EmailAddress,
    color: String,
    customer: Customer,
    reference: OrderReference,
    products: Vec<Product>,
    star_links: [String; 5],
    has_pages: bool,
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn product(name: &str) -> Product {
    Product { name: name.to_owned(), ..Product::default() }
}

impl Fixture {
    fn new() -> Self {
        Self {
            shop: ShopId::parse("nordljus").unwrap(),
            shop_name: "Nordljus".to_owned(),
            from: address("order@nordljus.example"),
            from_name: PersonName::parse("Nordljus").unwrap(),
            reply_to: address("kundtjanst@nordljus.example"),
            unsubscribe_to: address("bounce+abc@in.example"),
            color: "#1f6f54".to_owned(),
            customer: Customer { email: address("asa@kund.example"), name: PersonName::parse("Åsa Lindqvist") },
            reference: OrderReference::parse("10045").unwrap(),
            products: vec![product("Bordslampa Skymning, mässing"), product("Ljusslinga 10 m")],
            star_links: [1, 2, 3, 4, 5].map(|stars| format!("https://reviews.example/r/t0k3n?stars={stars}")),
            has_pages: true,
        }
    }

    fn links(&self) -> Links<'_> {
        let page = |link| self.has_pages.then_some(link);
        Links {
            review: "https://reviews.example/r/t0k3n?stars=",
            stars: Some(&self.star_links),
            later: page("https://reviews.example/r/t0k3n/later"),
            unsubscribe: page("https://reviews.example/u/t0k3n"),
            data: page("https://reviews.example/d/t0k3n"),
            view: page("https://reviews.example/v/t0k3n"),
            about: page("https://reviews.example/about/nordljus"),
        }
    }

    fn letter(&self, kind: LetterKind, locale: &'static str) -> LetterData<'_> {
        LetterData {
            kind,
            locale: Some(locale),
            sender: Sender {
                shop: &self.shop,
                shop_name: &self.shop_name,
                from: &self.from,
                from_name: &self.from_name,
                reply_to: Some(&self.reply_to),
                domain: "nordljus.example",
                locale: "sv",
                color: &self.color,
                logo: None,
                postal_address: Some("Nordljus AB\nStorgatan 1\n111 22 Stockholm"),
            },
            customer: &self.customer,
            reference: &self.reference,
            products: &self.products,
            links: self.links(),
            message_id: "4711.1.invitation@nordljus.example",
            date: Timestamp::from_seconds(1_795_251_600),
            unsubscribe_mail: UnsubscribeMail { to: &self.unsubscribe_to, subject: "unsubscribe" },
            is_test: false,
        }
    }
}

/// Writes letters to look at into the folder `INVITED_PREVIEW_DIR`, when that is set.
#[test]
#[expect(clippy::disallowed_methods, reason = "the folder is for the person who looks at the letters")]
fn writes_previews() {
    let Ok(folder) = std::env::var("INVITED_PREVIEW_DIR") else { return };
    let folder = std::path::Path::new(&folder);
    let letters = Letters::embedded();
    let save = |name: &str, letter: &LetterData<'_>| {
        let made = letters.compose(letter).unwrap();
        for (extension, bytes) in
            [("html", made.html.as_bytes()), ("txt", made.text.as_bytes()), ("eml", &made.message)]
        {
            std::fs::write(folder.join(format!("{name}.{extension}")), bytes).unwrap();
        }
    };
    let mut fixture = Fixture::new();
    for locale in LOCALES {
        for kind in LetterKind::ALL {
            save(&format!("{locale}-{kind}"), &fixture.letter(kind, locale));
        }
    }
    fixture.color = "#ffd400".to_owned();
    save("yellow", &fixture.letter(LetterKind::Invitation, "en"));
    fixture.color = "#101010".to_owned();
    fixture.customer.name = None;
    fixture.products =
        (1..=9).map(|n| product(&format!("Produktnamn nummer {n} {}", "mycketlångt".repeat(n)))).collect();
    fixture.has_pages = false;
    let links = Links { stars: None, ..fixture.links() };
    save("black", &LetterData { links, ..fixture.letter(LetterKind::Invitation, "sv") });
    let svg = "https://shop.example/logo.png";
    let letter = fixture.letter(LetterKind::Reminder, "de");
    save("logo", &LetterData { products: &[], sender: Sender { logo: Some(svg), ..letter.sender }, ..letter });
}

fn compose(letter: &LetterData<'_>) -> Composed {
    Letters::embedded().compose(letter).unwrap()
}

/// The header's fields, unfolded, in their order.
fn header(message: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let header = text.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
    header.split("\r\n").map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn field_names(message: &[u8]) -> Vec<String> {
    header(message).into_iter().map(|(name, _)| name).collect()
}

/// Only CRLF line ends, no line over 998 octets, nothing raw beyond ASCII.
fn assert_plain(message: &[u8]) {
    let mut rest = message;
    while let Some(at) = rest.iter().position(|b| *b == b'\n' || *b == b'\r') {
        assert!(rest[at..].starts_with(b"\r\n"), "a bare CR or LF");
        assert!(at <= 998, "a line of {at} octets");
        rest = &rest[at + 2..];
    }
    assert!(rest.is_empty(), "the last line has no end");
    assert!(message.is_ascii() && !message.contains(&0));
}

const LOCALES: [&str; 14] = ["cs", "da", "de", "en", "es", "fi", "fr", "it", "ja", "nb", "nl", "pl", "pt", "sv"];

const FIELDS: [&str; 16] = [
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
    "X-Invited-Letter",
    "Content-Language",
    "MIME-Version",
    "Content-Type",
];

#[test]
fn an_invitation_in_swedish_reads_like_this() {
    let fixture = Fixture::new();
    let made = compose(&fixture.letter(LetterKind::Invitation, "sv-SE"));
    assert_eq!(
        (made.subject.as_str(), made.locale.as_str()),
        ("Hur gick det med din beställning från Nordljus?", "sv")
    );
    let expected = "\
Hur gick det?

Hej Åsa Lindqvist!

Tack för din beställning från Nordljus. Vi vill gärna veta hur allt gick, från val till leverans, och vad du tycker om det du fick.

Bra eller dåligt: ditt ärliga omdöme hjälper andra kunder och visar oss vad vi ska behålla och vad vi ska ändra.

Skriv ett omdöme:
https://reviews.example/r/t0k3n?stars=

Har din beställning inte kommit än, eller är det för tidigt att säga något?
Fråga mig senare: https://reviews.example/r/t0k3n/later

Din beställning 10045
- Bordslampa Skymning, mässing
- Ljusslinga 10 m

Tack och vänliga hälsningar
Nordljus

----------

Du får det här mejlet eftersom du har lagt beställning 10045 hos Nordljus.
Om du inte vill få sådana här förfrågningar kan du avregistrera dig när som helst, utan kostnad.
Avregistrera mig: https://reviews.example/u/t0k3n
Vad som är sparat om dig: https://reviews.example/d/t0k3n
Visa i webbläsaren: https://reviews.example/v/t0k3n
Så samlas omdömen in och kontrolleras: https://reviews.example/about/nordljus

Nordljus AB
Storgatan 1
111 22 Stockholm
";
    assert_eq!(made.text, expected);
}

#[test]
fn a_letter_has_exactly_this_header() {
    let fixture = Fixture::new();
    let made = compose(&fixture.letter(LetterKind::Reminder, "en"));
    let expected = [
        "\"Nordljus\" <order@nordljus.example>",
        "=?utf-8?Q?=C3=85sa_Lindqvist?= <asa@kund.example>",
        "<kundtjanst@nordljus.example>",
        "Your opinion on your order from Nordljus",
        "Sat, 21 Nov 2026 09:00:00 +0000",
        "<4711.1.invitation@nordljus.example>",
        "auto-generated",
        "OOF, AutoReply",
        "<nordljus.invitations.nordljus.example>",
        "<https://reviews.example/u/t0k3n>, <mailto:bounce+abc@in.example?subject=unsubscribe>",
        "List-Unsubscribe=One-Click",
        "reminder:nordljus:review-request:invited",
        "reminder; nordljus",
        "en",
        "1.0",
    ];
    let found = header(&made.message);
    assert_eq!(field_names(&made.message), FIELDS);
    for ((name, value), expected) in found.iter().zip(expected) {
        assert_eq!(value, expected, "{name}");
    }
    assert!(found[15].1.starts_with("multipart/alternative; boundary=\"=_"), "{}", found[15].1);
    assert!(!made.smtputf8);
    assert_plain(&made.message);
}

#[test]
fn mail_programs_read_back_what_was_written() {
    let fixture = Fixture::new();
    for locale in LOCALES {
        let made = compose(&fixture.letter(LetterKind::Invitation, locale));
        let read = mail_parser::MessageParser::default().parse(&made.message).unwrap();
        assert_eq!(read.subject(), Some(made.subject.as_str()));
        assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n"), made.text);
        assert_eq!(read.body_html(0).unwrap().replace("\r\n", "\n"), made.html);
        assert_eq!((read.text_body_count(), read.html_body_count(), read.attachment_count()), (1, 1, 0));
        assert_eq!(read.to().and_then(|to| to.first()).and_then(|to| to.name()), Some("Åsa Lindqvist"));
    }
}

#[test]
fn a_text_beyond_latin_has_crlf_inside_its_base64_too() {
    let text = "ご注文ありがとうございました。\nご感想をお聞かせください。\n{{ link }}\n{{ unsubscribe_link }}\n";
    let letters = Letters::with_overrides(vec![file("invitation.txt", text)]).map_err(|p| format!("{p:?}")).unwrap();
    let fixture = Fixture::new();
    let made = letters.compose(&fixture.letter(LetterKind::Invitation, "en")).unwrap();
    assert!(String::from_utf8_lossy(&made.message).contains("Content-Transfer-Encoding: base64\r\n"));
    assert_plain(&made.message);
    let read = mail_parser::MessageParser::default().parse(&made.message).unwrap();
    assert_eq!(read.body_text(0).unwrap(), made.text.replace('\n', "\r\n"));
}

#[test]
fn the_unsubscribe_header_is_folded_between_addresses_only() {
    let fixture = Fixture::new();
    let page = format!("https://reviews.example/u/{}", "t".repeat(800));
    let letter = fixture.letter(LetterKind::Invitation, "en");
    for (page, expected, posts) in [
        (Some(page.as_str()), format!("\r\nList-Unsubscribe: <{page}>,\r\n <mailto:bounce"), true),
        (Some("http://reviews.example/u/t"), "\r\nList-Unsubscribe: <http://reviews.example/u/t>,".to_owned(), false),
        (None, "\r\nList-Unsubscribe: <mailto:bounce+abc@in.example?subject=unsubscribe>\r\n".to_owned(), false),
    ] {
        let links = Links { unsubscribe: page, ..letter.links };
        let made = compose(&LetterData { links, ..letter });
        let message = String::from_utf8_lossy(&made.message);
        assert!(message.contains(&expected), "{message}");
        assert!(message.contains("<mailto:bounce+abc@in.example?subject=unsubscribe>\r\n"));
        assert_eq!(message.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), posts, "{page:?}");
        assert_plain(&made.message);
    }
}

#[test]
fn every_locale_has_both_letters_for_people_and_for_programs() {
    let fixture = Fixture::new();
    let letters = Letters::embedded();
    let locales: Vec<_> = letters.locales().collect();
    assert_eq!(locales, LOCALES);
    for locale in LOCALES {
        let mut subjects = Vec::new();
        for kind in LetterKind::ALL {
            let made = letters.compose(&fixture.letter(kind, locale)).unwrap();
            assert_eq!(made.locale, locale);
            assert!(made.message.len() < 60_000 && made.html.len() < 40_000, "{locale} {kind}: {}", made.message.len());
            let page = dom_query::Document::from(made.html.as_str());
            assert_eq!(page.select("html").attr("lang").as_deref(), Some(locale));
            assert_eq!(page.select("title").text().as_ref(), made.subject);
            assert_eq!(page.select("h1").length(), 1);
            assert_eq!(page.select("meta[name=color-scheme]").attr("content").as_deref(), Some("light dark"));
            assert_eq!(page.select("table:not([role=presentation])").length(), 0, "{locale} {kind}");
            let stars = page.select(".stars a");
            assert_eq!(stars.length(), 5);
            for (index, star) in stars.iter().enumerate() {
                assert_eq!(star.attr("href").as_deref(), Some(fixture.star_links[index].as_str()));
                let label = star.attr("aria-label").unwrap().to_string();
                assert!(label.contains(&(index + 1).to_string()) && label.contains('5'), "{label}");
                assert_eq!(star.attr("title").as_deref(), Some(label.as_str()));
            }
            assert_eq!(
                page.select(".button a").attr("href").as_deref(),
                Some("https://reviews.example/r/t0k3n?stars=")
            );
            for (_, link) in fixture.links().named() {
                assert!(made.text.contains(link) || link.ends_with(char::is_numeric), "{locale} {kind}: {link}");
                assert_eq!(page.select(&format!("a[href='{link}']")).length(), 1, "{locale} {kind}: {link}");
            }
            for text in ["Åsa Lindqvist", "10045", "Nordljus AB", "Ljusslinga 10 m"] {
                assert!(made.text.contains(text) && page.text().contains(text), "{locale} {kind}: {text}");
            }
            subjects.push(made.subject);
        }
        assert_ne!(subjects[0], subjects[1]);
    }
}

#[test]
fn every_letter_unsubscribes_in_both_parts_and_in_its_header() {
    let letters = Letters::embedded();
    for has_pages in [true, false] {
        let mut fixture = Fixture::new();
        fixture.has_pages = has_pages;
        for (locale, kind) in LOCALES.into_iter().flat_map(|locale| LetterKind::ALL.map(|kind| (locale, kind))) {
            let full = fixture.letter(kind, locale);
            let unnamed = Customer { name: None, ..fixture.customer.clone() };
            let sender = Sender { reply_to: None, postal_address: None, ..full.sender };
            let links = Links { stars: None, ..full.links };
            let sparse = LetterData { sender, links, products: &[], customer: &unnamed, ..full };
            for letter in [full, sparse] {
                let made = letters.compose(&letter).unwrap();
                let mailto = "mailto:bounce+abc@in.example?subject=unsubscribe";
                let link = if has_pages { "https://reviews.example/u/t0k3n" } else { mailto };
                let page = dom_query::Document::from(made.html.as_str());
                assert_eq!(page.select(&format!("a[href='{link}']")).length(), 1, "{locale} {kind}");
                assert_eq!(page.select("img:not([alt])").length(), 0, "{locale} {kind}");
                assert!(made.text.contains(&format!(": {link}\n")), "{locale} {kind}: {}", made.text);
                let header = header(&made.message);
                let of = |name: &str| header.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
                let expected = if has_pages { format!("<{link}>, <{mailto}>") } else { format!("<{mailto}>") };
                assert_eq!(of("List-Unsubscribe"), Some(expected.as_str()), "{locale} {kind}");
                assert_eq!(of("List-Unsubscribe-Post"), has_pages.then_some("List-Unsubscribe=One-Click"));
            }
        }
    }
}

#[test]
fn all_locales_say_the_same_things_with_the_same_variables() {
    let problems = crate::document::Problems::default();
    let mut layer = crate::wording::Layer::default();
    for (path, text) in super::shipped::FILES {
        layer.add::<super::words::LetterFolder>(path, (*path).to_owned(), (*text).to_owned());
    }
    let edition = super::edition::Edition::compile(&[layer], &problems);
    super::trial::run(&edition, &problems);
    assert_eq!(problems.into_sorted(), []);
    let mut said: std::collections::BTreeMap<&str, std::collections::BTreeMap<&str, Vec<String>>> = Default::default();
    for (name, template) in edition.env.templates() {
        if let Some((locale, key)) = name.split_once(' ') {
            let mut variables: Vec<_> = template.undeclared_variables(false).into_iter().collect();
            variables.sort();
            said.entry(locale).or_default().insert(key, variables);
        }
    }
    assert_eq!(said.len(), LOCALES.len());
    for (locale, words) in &said {
        assert_eq!(words.len(), super::words::SHARED.len() + 2 * super::words::OF_A_KIND.len());
        assert_eq!(words, &said["en"], "{locale} against en");
    }
}

#[test]
fn a_customer_gets_the_nearest_language_that_there_is() {
    let fixture = Fixture::new();
    let letters = Letters::embedded();
    for (wanted, shop, expected) in [
        (Some("de"), "sv", "de"),
        (Some("de-AT"), "sv", "de"),
        (Some("fr_CA"), "sv", "fr"),
        (Some("DA-dk"), "sv", "da"),
        (Some("zh-Hant-TW"), "sv-SE", "sv"),
        (None, "da", "da"),
        (None, "ko", "en"),
        (Some("ja-JP"), "sv", "ja"),
        (Some("de\r\nBcc: x@example.com"), "fr", "fr"),
        (Some(""), "", "en"),
    ] {
        let letter = fixture.letter(LetterKind::Invitation, "en");
        let letter = LetterData { locale: wanted, sender: Sender { locale: shop, ..letter.sender }, ..letter };
        assert_eq!(letters.compose(&letter).unwrap().locale, expected, "{wanted:?} {shop}");
    }
}

#[test]
fn the_same_data_give_the_same_bytes() {
    let fixture = Fixture::new();
    let letter = fixture.letter(LetterKind::Invitation, "de");
    let once = compose(&letter);
    let again = std::thread::scope(|scope| scope.spawn(|| compose(&letter)).join().unwrap());
    assert!(once == again);
    let other = compose(&LetterData { message_id: "4712@nordljus.example", ..letter });
    assert_ne!(header(&once.message)[15], header(&other.message)[15], "another letter has another boundary");
}

#[test]
fn what_is_not_known_leaves_no_gap() {
    let mut fixture = Fixture::new();
    fixture.customer.name = None;
    fixture.has_pages = false;
    let letter = fixture.letter(LetterKind::Invitation, "en");
    let sender = Sender { reply_to: None, postal_address: None, ..letter.sender };
    let links = Links { stars: None, ..letter.links };
    let made = compose(&LetterData { sender, products: &[], links, ..letter });
    assert!(made.text.contains("\nHello,\n") && made.text.ends_with("?subject=unsubscribe\n"), "{}", made.text);
    assert!(!made.text.contains("Your order") && !made.text.contains("\n\n\n"));
    assert!(!made.html.contains("\u{2605}") && !made.html.contains("&#9733;"));
    let expected: Vec<_> =
        FIELDS.into_iter().filter(|name| !["Reply-To", "List-Unsubscribe-Post"].contains(name)).collect();
    assert_eq!(field_names(&made.message), expected);
    assert_eq!(header(&made.message)[1].1, "<asa@kund.example>");
}

#[test]
fn six_products_are_named_and_the_rest_counted() {
    let mut fixture = Fixture::new();
    fixture.products = (1..=7).map(|n| product(&format!("Lamp {n}"))).collect();
    fixture.products.push(product(" \u{200b}"));
    fixture.products[0].name = "x".repeat(500);
    let text = |fixture: &Fixture, locale| compose(&fixture.letter(LetterKind::Invitation, locale)).text;
    assert!(text(&fixture, "en").contains(&format!("- {}\u{2026}\n- Lamp 2\n", "x".repeat(79))));
    assert!(text(&fixture, "en").contains("- Lamp 6\n  and 1 more\n"));
    assert!(text(&fixture, "de").contains("  und 1 weiterer Artikel\n"));
    fixture.products.push(product("Lamp 9"));
    assert!(text(&fixture, "de").contains("  und 2 weitere Artikel\n"));
    assert!(text(&fixture, "fr").contains("  et 2 autres articles\n"));
}

#[test]
fn an_address_beyond_ascii_asks_for_smtputf8() {
    let mut fixture = Fixture::new();
    fixture.unsubscribe_to = address("avanmäl@nordljus.example");
    assert!(!compose(&fixture.letter(LetterKind::Invitation, "sv")).smtputf8, "encoded in its mailto link");
    fixture.customer.email = address("åsa@kund.example");
    let made = compose(&fixture.letter(LetterKind::Invitation, "sv"));
    assert!(made.smtputf8);
    assert!(String::from_utf8(made.message).unwrap().contains("<åsa@kund.example>\r\n"));
    fixture.customer.email = address("asa@blåbär.example");
    let made = compose(&fixture.letter(LetterKind::Invitation, "sv"));
    assert!(!made.smtputf8 && made.message.is_ascii());
}

/// Texts that mean something to HTML, CSS, MJML, templates, headers and mail programs.
const HOSTILE: [&str; 18] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</mj-text></mj-column><mj-raw><b>",
    "<mj-include path=\"/etc/passwd\" />",
    "</title></style><style>*{display:none}",
    "<!-- --><![endif]--><!--[if mso]>",
    "]]><![CDATA[",
    "{{ link }}{% for i in range(9) %}x{% endfor %}{# #}",
    "{{ 7*7 }} {{link}}{{#each}}",
    "&lt;b&gt; &amp;lt; &#60;script&#62; &quot;",
    "javascript:alert(1)//",
    "=?utf-8?B?PHNjcmlwdD4=?=",
    "Bob\r\nBcc: v@x.example\r\n\r\n<b>",
    "--=_boundary--",
    "a\u{0}b\u{1b}[2J\u{202e}c\u{2028}d\u{feff}",
    "`${1}` \\\" \\",
    "\u{1f600}\u{e5}\u{308}\u{fffd}\u{10ffff}",
];

/// Everything of a page but its text: the elements with their attributes.
fn skeleton(html: &str) -> Vec<String> {
    let page = dom_query::Document::from(html);
    let elements = page.select("*");
    let of = |element: &dom_query::Selection<'_>| {
        let attributes: Vec<_> = element
            .nodes()
            .iter()
            .flat_map(|node| node.attrs())
            .filter(|a| &*a.name.local != "aria-label" && &*a.name.local != "alt")
            .map(|a| format!("{}={}", a.name.local, a.value))
            .collect();
        format!("{} {}", element.nodes()[0].node_name().unwrap_or_default(), attributes.join(" "))
    };
    elements.iter().map(|element| of(&element)).collect()
}

#[test]
fn no_value_becomes_markup_a_template_or_a_header() {
    let letters = Letters::embedded();
    for logo in [None, Some("https://shop.example/logo.png")] {
        let harmless = {
            let fixture = Fixture::new();
            let letter = fixture.letter(LetterKind::Invitation, "en");
            skeleton(&letters.compose(&LetterData { sender: Sender { logo, ..letter.sender }, ..letter }).unwrap().html)
        };
        for hostile in HOSTILE {
            let mut fixture = Fixture::new();
            fixture.shop_name = hostile.to_owned();
            fixture.customer.name = PersonName::parse(&hostile.replace('@', "")).or(fixture.customer.name);
            fixture.from_name = PersonName::parse(&hostile.replace('@', "")).unwrap_or(fixture.from_name);
            fixture.reference = OrderReference::parse(hostile).unwrap_or(fixture.reference);
            fixture.products = vec![product(hostile), product(hostile)];
            let letter = fixture.letter(LetterKind::Invitation, "en");
            let address = format!("{hostile}\n1 High Street\nLondon");
            // Three lines in the harmless letter too.
            let address = address.replace("\r\n", " ");
            let sender = Sender { logo, postal_address: Some(&address), ..letter.sender };
            let made = letters.compose(&LetterData { sender, ..letter }).unwrap();
            assert_eq!(skeleton(&made.html), harmless, "{hostile:?}");
            assert_eq!(field_names(&made.message), FIELDS, "{hostile:?}");
            assert_plain(&made.message);
            let shown = crate::domain::clean(hostile, 80);
            assert!(made.text.contains(&format!("\n- {shown}\n")), "{hostile:?} in {}", made.text);
            let page = dom_query::Document::from(made.html.as_str());
            assert!(page.select("body").text().contains(&shown), "{hostile:?} is shown as it is");
        }
    }
}

#[test]
fn a_reference_that_xml_cannot_hold_gives_a_letter_all_the_same() {
    let mut fixture = Fixture::new();
    fixture.reference = OrderReference::parse("10\u{fffe}45\u{ffff}").unwrap();
    let made = compose(&fixture.letter(LetterKind::Invitation, "en"));
    assert!(made.html.contains("Your order 10\u{fffd}45\u{fffd}"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn any_name_product_and_reference_gives_the_same_header_fields(
        name in "(?s).{0,120}", product_name in "(?s).{0,120}", reference in "(?s).{1,70}", shop_name in "(?s).{0,120}",
    ) {
        let mut fixture = Fixture::new();
        fixture.customer.name = PersonName::parse(&name);
        fixture.from_name = PersonName::parse(&shop_name).unwrap_or(fixture.from_name);
        fixture.shop_name = shop_name;
        fixture.reference = OrderReference::parse(&reference).unwrap_or(fixture.reference);
        fixture.products = vec![product(&product_name)];
        let made = compose(&fixture.letter(LetterKind::Invitation, "en"));
        proptest::prop_assert_eq!(field_names(&made.message), FIELDS);
        assert_plain(&made.message);
        let read = mail_parser::MessageParser::default().parse(&made.message).unwrap();
        proptest::prop_assert_eq!(read.text_body_count() + read.html_body_count() + read.attachment_count(), 2);
        proptest::prop_assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n"), made.text);
        proptest::prop_assert_eq!(read.to().unwrap().iter().count(), 1);
    }
}

#[test]
fn what_may_not_stand_in_a_message_is_refused() {
    let fixture = Fixture::new();
    let letter = fixture.letter(LetterKind::Invitation, "en");
    let letters = Letters::embedded();
    let refused = |letter: LetterData<'_>| match letters.compose(&letter) {
        Err(ComposeError::Value { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    for link in [
        "",
        "/r",
        "javascript:alert(1)",
        "ftp://x.example/",
        "https://x.example/\r\nBcc: a",
        "https://x.example/\"x",
        "https://x.example/å",
    ] {
        let links = Links { review: link, ..letter.links };
        assert_eq!(refused(LetterData { links, ..letter }), "the link", "{link}");
        let links = Links { unsubscribe: Some(link), ..letter.links };
        assert_eq!(refused(LetterData { links, ..letter }), "the unsubscribe link", "{link}");
    }
    let long = format!("https://x.example/{}", "a".repeat(2000));
    let mut stars = fixture.star_links.clone();
    stars[4].push('>');
    for (links, what) in [
        (Links { review: &long, ..letter.links }, "the link"),
        (Links { unsubscribe: Some(&long[..901]), ..letter.links }, "the unsubscribe link"),
        (Links { unsubscribe: Some("https://x.example/a,b"), ..letter.links }, "the unsubscribe link"),
        (Links { stars: Some(&stars), ..letter.links }, "a star link"),
        (Links { later: Some("x"), ..letter.links }, "the link that asks later"),
        (Links { data: Some("x"), ..letter.links }, "the link to the customer's data"),
        (Links { view: Some("x"), ..letter.links }, "the link to the letter in a browser"),
        (Links { about: Some("x"), ..letter.links }, "the link that says how reviews are collected"),
    ] {
        assert_eq!(refused(LetterData { links, ..letter }), what);
    }
    for message_id in
        ["", "1", "@x.example", "1@", "<1@x.example>", "1@x.example\r\nX: y", "1 2@x.example", "1@x@y", "a..b@x"]
    {
        assert_eq!(refused(LetterData { message_id, ..letter }), "the Message-ID", "{message_id}");
    }
    for subject in ["", "a  b", "a ", "a>", "a\r\n", "å", "a&b", &"a".repeat(101)] {
        let unsubscribe_mail = UnsubscribeMail { subject, ..letter.unsubscribe_mail };
        assert_eq!(refused(LetterData { unsubscribe_mail, ..letter }), "the subject that unsubscribes", "{subject}");
    }
    for logo in ["http://x.example/l.png", "data:image/png;base64,AA", "https://x.example/\"onerror=\"x"] {
        let sender = Sender { logo: Some(logo), ..letter.sender };
        assert_eq!(refused(LetterData { sender, ..letter }), "the logo", "{logo}");
    }
    let sender = Sender { color: "red;}", ..letter.sender };
    assert_eq!(refused(LetterData { sender, ..letter }), "the colour");
}

fn file(path: &str, text: &str) -> LetterFile {
    LetterFile { path: path.to_owned(), text: text.to_owned() }
}

fn problems(files: Vec<LetterFile>) -> Vec<String> {
    match Letters::with_overrides(files) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn an_operator_replaces_as_little_as_wanted() {
    let fixture = Fixture::new();
    let letters = Letters::with_overrides(vec![
        file("de/words.toml", "button = \"Meinung sagen\"\n[invitation]\nsubject = \"Na, {{ name or 'du' }}?\"\n"),
        file("de-AT/words.toml", "greeting = \"Grüß Gott {{ name }},\""),
        file("sv/reminder.txt", "{{ words.heading }}\n{{ link }}\n{{ unsubscribe_link }}\n"),
        file("shops/nordljus/de/words.toml", "signature = \"Ihr Nordljus\""),
        file("shops/other/da/invitation.mjml", "{% extends 'layout.mjml' %}"),
    ])
    .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    .unwrap();
    assert!(letters.locales().count() == LOCALES.len() + 1 && letters.locales().any(|locale| locale == "de-AT"));
    let made = |kind, locale| letters.compose(&fixture.letter(kind, locale)).unwrap();
    assert_eq!(made(LetterKind::Invitation, "de").subject, "Na, Åsa Lindqvist?");
    let austrian = made(LetterKind::Invitation, "de-AT");
    assert_eq!((austrian.locale.as_str(), austrian.subject.as_str()), ("de-AT", "Na, Åsa Lindqvist?"));
    for part in ["Grüß Gott Åsa Lindqvist,", "Meinung sagen:", "Ihr Nordljus", "vielen Dank"] {
        assert!(austrian.text.contains(part), "{part} in {}", austrian.text);
    }
    assert!(made(LetterKind::Reminder, "sv").text.starts_with("Har du en minut?\nhttps://"));
    assert!(made(LetterKind::Invitation, "sv").text.contains("Bra eller dåligt"));
    let other = ShopId::parse("third").unwrap();
    let letter = fixture.letter(LetterKind::Invitation, "de");
    let made = letters.compose(&LetterData { sender: Sender { shop: &other, ..letter.sender }, ..letter }).unwrap();
    assert!(!made.text.contains("Ihr Nordljus") && made.text.contains("Meinung sagen"));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let broken_words =
        "greeting = \"Hei {{ nam }}\"\nbuton = \"x\"\nbutton = \"\"\n[reminder]\nsubject = \"{{ shop\"\n";
    let found = problems(vec![
        file("sv/words.toml", broken_words),
        file("eu/words.toml", "greeting = \"Kaixo\"\n"),
        file("shops/nordljus/layout.txt", "a\n{% if link %}\n"),
        file("notes.md", ""),
        file("shops/No Shop/layout.txt", ""),
    ]);
    for expected in [
        "sv/words.toml:1:12: greeting: undefined value",
        "sv/words.toml:2:1: buton: is no key of this table; did you mean \"button\"?",
        "sv/words.toml:3:10: button: is empty",
        "sv/words.toml:5:11: reminder.subject: syntax error",
        "eu/words.toml:1:1: unsubscribe: is missing; add it",
        "eu/words.toml:1:1: invitation: is missing",
        "shops/nordljus/layout.txt:",
        "notes.md: is no file of a letter; use layout.mjml",
        "shops/No Shop/layout.txt: is no file of a letter",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected} in {found:#?}");
    }
}

#[test]
fn a_layout_is_tried_before_the_first_customer_is_due() {
    let body = |inside: &str| {
        format!(
            "<mjml>\n<mj-body>\n<mj-section><mj-column><mj-text>\n<a href=\"{{{{ link }}}}\">x</a>\n\
             <a href=\"{{{{ unsubscribe_link }}}}\">x</a>\n</mj-text>\n{inside}\n</mj-column></mj-section>\n</mj-body>\n</mjml>"
        )
    };
    assert_eq!(problems(vec![file("layout.mjml", &body(""))]), Vec::<String>::new());
    for (text, expected) in [
        (body("{{ lnik }}"), "layout.mjml:7:1: undefined value"),
        (body("{{ name | safe }}"), "layout.mjml:7:1: unknown filter"),
        (body("<mj-butto>x</mj-butto>"), "layout.mjml:7:1: has an element that MJML does not have: <mj-butto>"),
        (body("<mj-text><mj-attributes>"), "layout.mjml: is no MJML: an element without its end"),
        (body("</mj-text>"), "layout.mjml:9:1: is no MJML: an unexpected tag: in \"</mj-body>\""),
        (body("").replace("<mjml>", "<mjml language=\"en\">"), "layout.mjml:1:1: has an unexpected attribute"),
        (
            body("{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}"),
            "layout.mjml:7:1: engine ran out of fuel",
        ),
        (body("<mj-text>{{ 'x' * 200000 }}</mj-text>"), "layout.mjml: makes 19"),
        ("<mjml><mj-body></mj-body></mjml>".to_owned(), "layout.mjml: has no link; show {{ link }} somewhere"),
        ("no mjml".to_owned(), "layout.mjml: is no MJML"),
    ] {
        let found = problems(vec![file("layout.mjml", &text)]);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected} in {found:#?}");
    }
    assert!(
        problems(vec![file("layout.txt", "x")]).iter().any(|p| p.starts_with("layout.txt: has no unsubscribe_link"))
    );
}

#[test]
fn an_operators_template_cannot_turn_escaping_off() {
    let layout = "<mjml><mj-body><mj-section><mj-column><mj-text>{% autoescape false %}<p title=\"{{ name }}\">{{ name }}</p>\
                  {% endautoescape %}{% set x %}{{ name }}{% endset %}{{ x }}{{ link }}{{ unsubscribe_link }}</mj-text></mj-column></mj-section></mj-body></mjml>";
    let letters = Letters::with_overrides(vec![file("layout.mjml", layout)]).map_err(|p| format!("{p:?}")).unwrap();
    let mut fixture = Fixture::new();
    fixture.customer.name = PersonName::parse("a\"><script>x</script>");
    let made = letters.compose(&fixture.letter(LetterKind::Invitation, "en")).unwrap();
    let page = dom_query::Document::from(made.html.as_str());
    assert_eq!(page.select("script").length(), 0);
    assert_eq!(page.select("p").attr("title").as_deref(), Some("a\"><script>x</script>"));
}

#[test]
fn debug_output_and_errors_keep_the_customer_to_themselves() {
    let fixture = Fixture::new();
    let letters = Letters::with_overrides(vec![file(
        "layout.txt",
        "{{ link }}{{ unsubscribe_link }}{% if reference == '10045' %}{{ name + 1 }}{% endif %}",
    )])
    .map_err(|p| format!("{p:?}"))
    .unwrap();
    let error = letters.compose(&fixture.letter(LetterKind::Invitation, "en")).unwrap_err();
    assert!(matches!(&error, ComposeError::Template { file, line: 1, .. } if file == "layout.txt"), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("Lindqvist"));
    let made = compose(&fixture.letter(LetterKind::Invitation, "en"));
    assert!(!format!("{made:?}").contains("Lindqvist") && !format!("{made:?}").contains("kund.example"));
}

#[test]
fn the_documentation_names_every_word_and_header_field() {
    let docs = include_str!("../../docs/letters.md");
    for key in super::words::SHARED.iter().chain(&super::words::OF_A_KIND) {
        assert!(docs.contains(&format!("`{key}`")), "{key}");
    }
    for field in FIELDS.iter().filter(|name| !["MIME-Version", "Content-Type"].contains(name)) {
        assert!(docs.contains(&format!("`{field}")), "{field}");
    }
}

/// A pasted letter in both shapes, with everything that a pasted letter may hold.
const PASTED_HTML: &str = "<html><head><style>p { margin: 0 }</style></head><body><p>Hi [Name], {{ link }}</p>\
    <p>[CompanyIdentifier] [DomainName] [Order] [sic]</p><p>[Stars]</p><p><a href=\"[Link]\" title=\"[Name]\">Rate us</a></p>\
    <p>[Products]</p><p>[LegalNotice]</p></body></html>";
const PASTED_TEXT: &str =
    "Hi [Name], {{ link }}\n[CompanyIdentifier] [DomainName] [Order] [sic]\n\n[Stars]\n\n[Products]\n\n[LegalNotice]\n";

#[test]
fn a_letter_that_was_pasted_is_a_letter() {
    let words = "[invitation]\nsubject = '[Name]: [Order] at [CompanyIdentifier]?'\n";
    for (file_name, pasted) in [("en/invitation.afs.html", PASTED_HTML), ("en/invitation.afs.txt", PASTED_TEXT)] {
        let files = vec![file(file_name, pasted), file("en/words.toml", words)];
        let letters = Letters::with_overrides(files).map_err(|p| format!("{p:?}")).unwrap();
        let mut fixture = Fixture::new();
        let made = letters.compose(&fixture.letter(LetterKind::Invitation, "en")).unwrap();
        assert_eq!(made.subject, "Åsa Lindqvist: 10045 at Nordljus?");
        let page = dom_query::Document::from(made.html.as_str());
        for part in
            ["Hi Åsa Lindqvist, {{ link }}", "Nordljus nordljus.example 10045 [sic]", "Ljusslinga 10 m", "Nordljus AB"]
        {
            assert!(made.text.contains(part) && page.text().contains(part), "{file_name}: {part} in {}", made.text);
        }
        for link in ["https://reviews.example/u/t0k3n", "https://reviews.example/r/t0k3n?stars=4"] {
            assert_eq!(page.select(&format!("a[href='{link}']")).length(), 1, "{file_name}: {link}");
        }
        assert!(made.text.contains("https://reviews.example/u/t0k3n"));
        assert_plain(&made.message);
        fixture.customer.name = None;
        let made = letters.compose(&fixture.letter(LetterKind::Invitation, "en")).unwrap();
        assert!(made.text.contains("Hi customer, ") && made.subject.starts_with("customer: "));
        assert!(letters.compose(&fixture.letter(LetterKind::Reminder, "en")).unwrap().text.contains("Do you have"));
    }
}

#[test]
fn what_a_pasted_letter_shows_is_text() {
    let letters = |file_name, pasted: &str| {
        let words = "[invitation]\nsubject = '[Name] [Products]'\nbody = '[Name] [Link] [Products] [Order]'\n";
        let mut files = vec![file("en/words.toml", words)];
        files.extend((!pasted.is_empty()).then(|| file(file_name, pasted)));
        Letters::with_overrides(files).map_err(|p| format!("{p:?}")).unwrap()
    };
    let hostile = HOSTILE.into_iter().chain(["[Link]", "[LegalNotice] [Name]", "{{ afs.Link }}", "{# afs #}"]);
    let hostile = hostile.collect::<Vec<_>>();
    for letters in
        [letters("", ""), letters("invitation.afs.html", PASTED_HTML), letters("invitation.afs.txt", PASTED_TEXT)]
    {
        let harmless = Fixture::new();
        let harmless = skeleton(&letters.compose(&harmless.letter(LetterKind::Invitation, "en")).unwrap().html);
        for hostile in &hostile {
            let mut fixture = Fixture::new();
            fixture.shop_name = (*hostile).to_owned();
            fixture.customer.name = PersonName::parse(&hostile.replace('@', "")).or(fixture.customer.name);
            fixture.reference = OrderReference::parse(hostile).unwrap_or(fixture.reference);
            fixture.products = vec![product(hostile), product(hostile)];
            let made = letters.compose(&fixture.letter(LetterKind::Invitation, "en")).unwrap();
            let without_title = |element: &String| element.split(" title=").next().unwrap_or_default().to_owned();
            let found = skeleton(&made.html).iter().map(without_title).collect::<Vec<_>>();
            assert_eq!(found, harmless.iter().map(without_title).collect::<Vec<_>>(), "{hostile:?}");
            assert_eq!(field_names(&made.message), FIELDS, "{hostile:?}");
            assert_plain(&made.message);
            let shown = crate::domain::clean(hostile, 80);
            assert!(made.text.contains(&shown) && made.subject.contains(&shown), "{hostile:?} in {}", made.text);
        }
    }
}

#[test]
fn two_files_for_one_part_are_a_mistake() {
    let files = vec![file("invitation.afs.txt", "[Link]"), file("invitation.txt", "{{ link }}{{ unsubscribe_link }}")];
    let expected =
        "invitation.afs.txt: stands for the same part of the letter as invitation.txt; take one of them away";
    assert_eq!(problems(files), [expected]);
    let found = problems(vec![file("invitation.afs.html", "<p>no link</p>")]);
    assert!(found.iter().any(|problem| problem.starts_with("invitation.afs.html: has no link")), "{found:#?}");
}
