//! Orders with numbers and names that nobody thought of, in every layout: the reader takes exactly what was put in, or holds the
//! mail, and never takes anything else.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::*;

/// A mail in which `{number}`, `{name}`, `{first}` and `{other}` (a number that is not the order's) are to be filled in: whether it
/// is HTML, its subject, its body.
type Shape = (bool, &'static str, &'static str);

const SHAPES: &[Shape] = &[
    (
        false,
        "Order confirmation {number}",
        "Hi {name},\n\nThank you for your order!\nInvoice number: {other}\n\n2 x Lamp $24.50\n",
    ),
    (
        false,
        "Ihre Bestellung",
        "Hallo {name},\n\nvielen Dank für Ihre Bestellung.\nBestellnummer: {number}\nKundennummer: {other}\n\n2 x Lampe 24,50 €\n",
    ),
    (
        false,
        "Votre commande {number} a été expédiée",
        "Bonjour {name},\n\nNous avons expédié votre commande.\nNuméro de suivi : {other}\n",
    ),
    (
        true,
        "Tu pedido ha sido enviado",
        "<p>Hola {name}:</p><table><tr><td>Número de pedido</td><td>{number}</td></tr><tr><td>Número de seguimiento</td><td>{other}</td></tr></table>",
    ),
    (
        true,
        "Il tuo ordine è stato spedito",
        "<p>Ciao {name},</p><table><tr><td>Numero ordine</td><td>Codice cliente</td></tr><tr><td>{number}</td><td>{other}</td></tr></table>",
    ),
    (
        true,
        "Je bestelling {number} is verzonden",
        "<p>Beste {first},</p><p>Factuuradres</p><p>{name}<br>Dijk 1<br>9712 AB Groningen</p><p>Klantnummer: {other}</p>",
    ),
    (false, "Din order {number} har skickats", "Hej {name}!\n\nKollinummer: {other}\n"),
    (
        true,
        "Din ordre er afsendt",
        "<p>Hej {first}</p><p>Ordrenummer<br>{number}</p><p>Faktureringsadresse<br>{name}<br>Havnevej 2</p><p>Fakturanummer: {other}</p>",
    ),
    (false, "Bestillingen din er sendt", "Hei {name},\n\nOrdrenummer: {number}\nSporingsnummer: {other}\n"),
    (false, "Tilauksesi {number} on lähetetty", "Hei {name},\n\nSeurantakoodi: {other}\n"),
    (false, "Zamówienie nr {number} zostało wysłane", "Dzień dobry {name},\n\nNumer przesyłki: {other}\n"),
    (
        true,
        "A sua encomenda foi enviada",
        "<p>Olá {name},</p><p>A sua encomenda n.º {number} foi enviada.</p><p>Código de rastreio: {other}</p>",
    ),
    (
        true,
        "Vaše objednávka byla odeslána",
        "<table><tr><td>Číslo objednávky</td><td>{number}</td></tr><tr><td>Číslo zásilky</td><td>{other}</td></tr></table><p>Dobrý den {name},</p>",
    ),
    (
        false,
        "ご注文ありがとうございます",
        "{name} 様\n\nご注文番号：{number}\nお客様番号：{other}\n\n商品名：急須\n価格：2,450円\n数量：2\n",
    ),
    (false, "Kanne {other}", "Hello {name},\nyour order {number} has been shipped.\n"),
    (false, "Order {number} and invoice {other}", "Dear {name},\nyour order has been shipped, telephone {other}.\n"),
    (false, "Shipment {other} of your order has left us", "Dear {name},\nTicket {other}, order total: {number}\n"),
];

/// The forms of numbers that shops give their orders.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "[1-9][0-9]{3,9}",
        "[A-Z]{2,4}-?[1-9][0-9]{3,7}",
        "20(19|25|26)[-/][0-9]{4,6}",
        "[1-9][0-9]{2}-[0-9]{7}-[0-9]{7}",
        "[A-F0-9]{4}[0-9]{2}[A-F0-9]{2}-[A-F0-9]{4}",
        "#[1-9][0-9]{4,6}",
        "S[0-9]{6}/[0-9]{2}",
    ]
}

const GIVEN: &[&str] = &[
    "Imke",
    "Odile",
    "Anne-Lise",
    "Åsa",
    "Ugo",
    "Věra",
    "José María",
    "Nguyễn",
    "J. R.",
    "O’Brian",
    "Żaneta",
    "Will",
    "May",
];
const FAMILY: &[&str] = &[
    "Vorbeck",
    "van den Berg",
    "D'Amico",
    "de la Cruz",
    "Öberg-Ärlig",
    "Horáková",
    "Smith Jr.",
    "von der Heide",
    "Kaufmann",
    "Price",
    "Bestell",
    "Lieferer",
];

fn given_and_family() -> impl Strategy<Value = (String, String)> {
    (select(GIVEN), select(FAMILY)).prop_map(|(given, family)| (given.to_owned(), family.to_owned()))
}

fn filled((is_html, subject, body): Shape, order: &str, name: (&str, &str), other: &str) -> Vec<u8> {
    let fill = |text: &str| {
        text.replace("{number}", order)
            .replace("{name}", &format!("{} {}", name.0, name.1))
            .replace("{first}", name.0)
            .replace("{other}", other)
    };
    let body = fill(body);
    if is_html { html(&fill(subject), &body) } else { text(&fill(subject), &body) }
}

/// What is wrong with a reading: something was used that was not put in.
fn wrong(reading: &Reading, order: &str, name: (&str, &str)) -> Option<String> {
    let event = reading.order_event()?;
    let full = format!("{} {}", name.0, name.1);
    let of_order = event.reference.as_str().trim_start_matches('#') == order.trim_start_matches('#');
    let of_person = event.customer.name.is_none_or(|found| full == found.as_str() || name.0 == found.as_str());
    (!of_order || !of_person)
        .then(|| format!("{} {:?} was used", shown(reading), reading.customer_name.as_ref().map(|name| name.as_str())))
}

#[test]
fn exactly_what_was_put_in_is_taken_or_nothing() {
    let config = Config { cases: 60 * SHAPES.len() as u32, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let invented = (select(SHAPES), number(), given_and_family(), number());
    let found = runner.run(&invented, |(shape, order, (given, family), other)| {
        prop_assume!(order != other);
        let name = (given.as_str(), family.as_str());
        match wrong(&read(reader(), &filled(shape, &order, name, &other)), &order, name) {
            Some(wrong) => Err(TestCaseError::fail(wrong)),
            None => Ok(()),
        }
    });
    if let Err(error) = found {
        panic!("{error}");
    }
}

/// Else the test above could be passed by a reader that holds everything.
#[test]
fn plain_numbers_and_names_are_taken_in_nearly_every_shape() {
    let held = SHAPES.iter().filter(|shape| {
        let reading = read(reader(), &filled(**shape, "48213", ("Imke", "Vorbeck"), "KD-90210"));
        reading.order_event().is_none_or(|event| event.customer.name.is_none())
    });
    let held = held.map(|(_, subject, _)| *subject).collect::<Vec<_>>();
    assert_eq!(held, ["Shipment {other} of your order has left us"]);
}
