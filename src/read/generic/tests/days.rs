//! The day of the order: at a label, behind words, near the reference. All mails here were written on 20 August 2026.

use super::*;

fn day(day: &str) -> Option<String> {
    Some(day).filter(|one| !one.is_empty()).map(str::to_owned)
}

fn in_text(rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(body, wanted)| (*body, day(wanted))).collect::<Vec<_>>();
    each(&rows, |body| Made::of(&text("Kanne", body)).order_date());
}

#[test]
fn a_label_names_the_day_in_every_language() {
    in_text(&[
        ("Order date: 3 August 2026", "2026-08-03"),
        ("Order date: August 3, 2026", "2026-08-03"),
        ("Order placed on: Mon, 3 Aug 2026 10:42", "2026-08-03"),
        ("Bestelldatum: 03.08.2026", "2026-08-03"),
        ("Bestelldatum: 3. August 2026", "2026-08-03"),
        ("Date de commande : 3 août 2026", "2026-08-03"),
        ("Date de la commande : 03/08/2026", "2026-08-03"),
        ("Fecha del pedido: 3 de agosto de 2026", "2026-08-03"),
        ("Data ordine: 3 agosto 2026", "2026-08-03"),
        ("Besteldatum: 3 augustus 2026", "2026-08-03"),
        ("Orderdatum: 2026-08-03", "2026-08-03"),
        ("Orderdatum: 3 augusti 2026", "2026-08-03"),
        ("Ordredato: 3. august 2026", "2026-08-03"),
        ("Bestillingsdato: 03.08.2026", "2026-08-03"),
        ("Tilauspäivä: 3.8.2026", "2026-08-03"),
        ("Tilauspäivä: 3. elokuuta 2026", "2026-08-03"),
        ("Data zamówienia: 3 sierpnia 2026", "2026-08-03"),
        ("Data do pedido: 3 de agosto de 2026", "2026-08-03"),
        ("Datum objednávky: 3. srpna 2026", "2026-08-03"),
        ("ご注文日：2026年8月3日", "2026-08-03"),
        ("ご注文日時：2026/08/03 10:42", "2026-08-03"),
        ("ご注文日：令和8年8月3日", "2026-08-03"),
        ("Order date\n3 August 2026", "2026-08-03"),
        ("Date: 3 August 2026", "2026-08-03"),
        ("Order date: 3/8/26", "2026-08-03"),
        // Of other things.
        ("Invoice date: 3 August 2026", ""),
        ("Delivery date: 3 August 2026", ""),
        ("Lieferdatum: 03.08.2026", ""),
        ("We are closed on 3 August 2026.", ""),
        ("Order date: 31.02.2026", ""),
        ("Order date: 08-123 45 67", ""),
    ]);
}

#[test]
fn the_day_stands_behind_words_or_near_the_reference() {
    in_text(&[
        ("Your order, placed on 3 August 2026, has been sent.", "2026-08-03"),
        ("Your order 48213 of 3 August 2026 has been sent.", "2026-08-03"),
        ("Ihre Bestellung 48213 vom 03.08.2026 wurde versandt.", "2026-08-03"),
        ("Ihre Bestellung vom 03.08.2026 mit der Nummer 48213 wurde versandt.", "2026-08-03"),
        ("Votre commande n° 48213 du 03/08/2026 est en route.", "2026-08-03"),
        ("Tu pedido 48213 del 03/08/2026 está en camino.", "2026-08-03"),
        ("Il tuo ordine 48213 del 03/08/2026 è stato spedito.", "2026-08-03"),
        ("Je bestelling 48213 van 3 augustus 2026 is verzonden.", "2026-08-03"),
        ("Din beställning 48213 från 2026-08-03 har skickats.", "2026-08-03"),
        ("Zamówienie nr 48213 z dnia 03.08.2026 zostało wysłane.", "2026-08-03"),
        ("Objednávka č. 48213 ze dne 3. 8. 2026 byla odeslána.", "2026-08-03"),
        ("Order number: 48213\n3 August 2026", "2026-08-03"),
        ("Your order 48213 has been sent.\nWe are a family business since long before 3 August 2026 and like it.", ""),
    ]);
}

#[test]
fn of_two_readings_the_one_before_the_mail_and_near_it_is_taken() {
    let rows = [
        ("Order date: 03/08/2026", "2026-08-03"),
        ("Order date: 08/03/2026", "2026-08-03"),
        ("Order date: 08/19/2026", "2026-08-19"),
        ("Order date: 09/08/2026", "2026-08-09"),
        ("Order date: 08/09/2026", "2026-08-09"),
    ];
    in_text(&rows);
}
