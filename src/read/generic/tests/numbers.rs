//! Which number is the order's: said outright, after a word for an order, in cells; and all those that never are.

use super::*;

fn wanted(reference: &str) -> Option<String> {
    Some(reference).filter(|one| !one.is_empty()).map(str::to_owned)
}

/// Texts with the reference that each names; none where it is empty.
fn in_text(rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(body, reference)| (*body, wanted(reference))).collect::<Vec<_>>();
    each(&rows, |body| Made::of(&text("Kanne", body)).reference());
}

fn in_subject(rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(subject, reference)| (*subject, wanted(reference))).collect::<Vec<_>>();
    each(&rows, |subject| Made::of(&text(subject, "-")).reference());
}

fn in_html(rows: &[(String, &str)]) {
    let rows = rows.iter().map(|(body, reference)| (body.as_str(), wanted(reference))).collect::<Vec<_>>();
    each(&rows, |body| Made::of(&html("Kanne", body)).reference());
}

#[test]
fn a_label_for_it_says_outright_which_number_is_the_orders() {
    in_text(&[
        ("Order number: 48213", "48213"),
        ("Order no. 48213", "48213"),
        ("Order ID 48213", "48213"),
        ("Bestellnummer: 48213", "48213"),
        ("Bestell-Nr.: 48213", "48213"),
        ("Auftragsnummer 48213", "48213"),
        ("Numéro de commande : 48213", "48213"),
        ("N° de commande : 48213", "48213"),
        ("Référence de commande : XQ-48213", "XQ-48213"),
        ("Número de pedido: 48213", "48213"),
        ("N.º de pedido: 48213", "48213"),
        ("Numero d'ordine: 48213", "48213"),
        ("Numero d’ordine: 48213", "48213"),
        ("Ordine n. 48213", "48213"),
        ("Bestelnummer: 48213", "48213"),
        ("Ordernummer: 48213", "48213"),
        ("Beställningsnummer: 48213", "48213"),
        ("Ordrenummer: 48213", "48213"),
        ("Bestillingsnummer: 48213", "48213"),
        ("Tilausnumero: 48213", "48213"),
        ("Tilauksen numero: 48213", "48213"),
        ("Numer zamówienia: 48213", "48213"),
        ("Nr zamówienia: 48213", "48213"),
        ("Número do pedido: 48213", "48213"),
        ("Número da encomenda: 48213", "48213"),
        ("N.º da encomenda: 48213", "48213"),
        ("Číslo objednávky: 48213", "48213"),
        ("Objednávka č. 48213", "48213"),
        ("注文番号：48213", "48213"),
        ("ご注文番号: 48213", "48213"),
        ("■ご注文番号　48213", "48213"),
        ("【ご注文番号】48213", "48213"),
        // Small numbers and years count where they are said outright.
        ("Order number: 7", "7"),
        ("Order number: 2024", "2024"),
        ("Your order number is 48213.", "48213"),
        ("Order number: SO/2026/00813", "SO/2026/00813"),
        ("Order number: #48213", "48213"),
        ("Order number 48213 placed on 3 August 2026", "48213"),
    ]);
}

#[test]
fn a_number_behind_a_word_for_an_order_is_its() {
    in_text(&[
        ("Your order 48213 has been sent.", "48213"),
        ("Ihre Bestellung 48213 wurde versandt.", "48213"),
        ("Votre commande 48213 a été expédiée.", "48213"),
        ("Tu pedido 48213 ha sido enviado.", "48213"),
        ("Il tuo ordine 48213 è stato spedito.", "48213"),
        ("Je bestelling 48213 is verzonden.", "48213"),
        ("Din beställning 48213 har skickats.", "48213"),
        ("Din ordre 48213 er afsendt.", "48213"),
        ("Bestillingen 48213 er sendt.", "48213"),
        ("Tilauksesi 48213 on lähetetty.", "48213"),
        ("Zamówienie 48213 zostało wysłane.", "48213"),
        ("A sua encomenda 48213 foi enviada.", "48213"),
        ("Objednávka 48213 byla odeslána.", "48213"),
        ("ご注文48213を発送しました。", "48213"),
        // In other cases of the word.
        ("Wir haben den Inhalt Ihres Auftrags 48213 gepackt.", "48213"),
        ("Beställningen 48213 är på väg.", "48213"),
        ("Ordren 48213 er på vej.", "48213"),
        ("Tilauksen 48213 tila on muuttunut.", "48213"),
        ("Dziękujemy za złożenie zamówienia 48213.", "48213"),
        ("Přijali jsme objednávku 48213.", "48213"),
        // With a sign, brackets, quotes.
        ("Your order #48213 has been sent.", "48213"),
        ("Your order (#48213) has been sent.", "48213"),
        ("Your order \"48213\" has been sent.", "48213"),
        ("Your order: 48213", "48213"),
        ("Your order [48213]", "48213"),
        ("Bestellung »48213«", "48213"),
        ("commande « 48213 »", "48213"),
        ("ご注文「48213」", "48213"),
        // With letters.
        ("Your order KK-48213 has been sent.", "KK-48213"),
        ("Your order 2026/KK/48213 has been sent.", "2026/KK/48213"),
        ("Your order 48213.", "48213"),
        ("Your order 48213, which you placed today", "48213"),
    ]);
}

#[test]
fn small_words_may_stand_between() {
    in_text(&[
        ("Your order no. 48213 has been sent.", "48213"),
        ("your order with number 48213", "48213"),
        ("Order confirmation no. 48213", "48213"),
        ("Ihre Bestellung Nr. 48213 wurde versandt.", "48213"),
        ("Ihre Bestellung mit der Nummer 48213", "48213"),
        ("Votre commande n° 48213 a été expédiée.", "48213"),
        ("votre commande numéro 48213", "48213"),
        ("Tu pedido nº 48213 ha sido enviado.", "48213"),
        ("tu pedido con número 48213", "48213"),
        ("Il tuo ordine n. 48213 è stato spedito.", "48213"),
        ("il tuo ordine numero 48213", "48213"),
        ("Je bestelling met nummer 48213 is verzonden.", "48213"),
        ("Din beställning nr 48213 har skickats.", "48213"),
        ("Din ordre nr. 48213 er afsendt.", "48213"),
        ("Din bestilling med nummer 48213 er sendt.", "48213"),
        ("Tilauksesi nro 48213 on lähetetty.", "48213"),
        ("Zamówienie nr 48213 zostało wysłane.", "48213"),
        ("Twoje zamówienie o numerze 48213", "48213"),
        ("A sua encomenda n.º 48213 foi enviada.", "48213"),
        ("Seu pedido de número 48213", "48213"),
        ("Objednávka č. 48213 byla odeslána.", "48213"),
        ("Vaše objednávka s číslem 48213", "48213"),
        ("ご注文の番号は48213です。", "48213"),
        ("Thank you for your order with Kopp & Kanne (number: 20157)", "20157"),
    ]);
}

#[test]
fn the_subject_marks_it_by_a_word_or_by_the_sign() {
    in_subject(&[
        ("Your order 48213", "48213"),
        ("Order #48213 confirmed", "48213"),
        ("Kanne #48213", "48213"),
        ("[Kanne] Order 813", "813"),
        ("Bestellung 48213 bestätigt", "48213"),
        ("Bestellbestätigung 48213", "48213"),
        ("Auftragsbestätigung Nr. 48213", "48213"),
        ("Confirmation de votre commande n°48213", "48213"),
        ("Confirmación de pedido 48213", "48213"),
        ("Conferma ordine n. 48213", "48213"),
        ("Bevestiging van bestelling 48213", "48213"),
        ("Orderbekräftelse 48213", "48213"),
        ("Ordrebekræftelse 48213", "48213"),
        ("Ordrebekreftelse 48213", "48213"),
        ("Tilausvahvistus 48213", "48213"),
        ("Potwierdzenie zamówienia nr 48213", "48213"),
        ("Confirmação da encomenda 48213", "48213"),
        ("Potvrzení objednávky č. 48213", "48213"),
        ("ご注文ありがとうございます（注文番号：48213）", "48213"),
        ("Your WH1000XM4 has shipped", ""),
        ("Our summer of 2026", ""),
        ("20 % off 48213 things", ""),
        ("Invoice 48213", ""),
        ("Rechnung 48213", ""),
        ("Ticket 48213", ""),
        ("Order 2 things, pay 1", ""),
        ("Orders over $50 ship free", ""),
        ("Your order of 24.08.2026", ""),
    ]);
}

#[test]
fn the_number_stands_in_the_cell_beside_below_or_in_the_next_line() {
    let rows = [
        (table(&[&["Order number", "48213"], &["Date", "3 August 2026"]]), "48213"),
        (table(&[&["Bestellnummer:", "48213"], &["Datum:", "3.8.2026"]]), "48213"),
        (table(&[&["Commande", "48213"], &["Total", "48,20 €"]]), "48213"),
        (table(&[&["N° commande", "Date", "Total"], &["48213", "03/08/2026", "48,20 €"]]), "48213"),
        (table(&[&["Order", "Date", "Customer number"], &["48213", "03/08/2026", "7710045"]]), "48213"),
        (table(&[&["Kundennummer", "Bestellnummer", "Datum"], &["7710045", "48213", "03.08.2026"]]), "48213"),
        (table(&[&["Datum", "Ordernummer"], &["2026-08-03", "48213"]]), "48213"),
        (table(&[&["Numero ordine"], &["48213"]]), "48213"),
        (table(&[&["ご注文番号", "48213"], &["ご注文日", "2026年8月3日"]]), "48213"),
        (table(&[&["Numer zamówienia", "<b>48213</b>"]]), "48213"),
        (table(&[&["Číslo objednávky", ""], &["48213", ""]]), "48213"),
        (table(&[&["Tilausnumero", "<table><tr><td>48213</td></tr></table>"]]), "48213"),
        ("<p>Ordrenummer</p><p>48213</p>".to_owned(), "48213"),
        ("<dl><dt>Bestelnummer</dt><dd>48213</dd></dl>".to_owned(), "48213"),
        ("<div><strong>Número de pedido</strong><br>48213</div>".to_owned(), "48213"),
        ("<p>Order&nbsp;number:&nbsp;48213</p>".to_owned(), "48213"),
        ("<p>Order number:<span style='display:none'>1</span> 48213</p>".to_owned(), "48213"),
        // What stands at another label is not the order's.
        (table(&[&["Invoice number", "Customer number"], &["90210", "7710045"]]), ""),
        (table(&[&["Order", "Tracking number"], &["", "00370724680"]]), ""),
        (table(&[&["Order total", "48213"]]), ""),
        (table(&[&["Order date", "20260803"]]), ""),
    ];
    in_html(&rows);
}

#[test]
fn other_numbers_are_never_the_orders() {
    in_text(&[
        ("Invoice number: 90210\nCustomer number: 771004\nTracking number: 00370724680", ""),
        ("Rechnungsnummer: 90210\nKundennummer: 771004\nSendungsnummer: 00370724680", ""),
        ("Numéro de facture : 90210\nNuméro client : 771004\nNuméro de suivi : 00370724680", ""),
        ("Número de factura: 90210\nNúmero de cliente: 771004\nNúmero de seguimiento: 00370724680", ""),
        ("Numero fattura: 90210\nCodice cliente: 771004\nNumero di tracking: 00370724680", ""),
        ("Factuurnummer: 90210\nKlantnummer: 771004\nTrackingnummer: 00370724680", ""),
        ("Fakturanummer: 90210\nKundnummer: 771004\nKollinummer: 00370724680", ""),
        ("Fakturanummer: 90210\nKundenummer: 771004\nPakkenummer: 00370724680", ""),
        ("Fakturanr.: 90210\nKundenr.: 771004\nSporingsnummer: 00370724680", ""),
        ("Laskun numero: 90210\nAsiakasnumero: 771004\nSeurantakoodi: 00370724680", ""),
        ("Numer faktury: 90210\nNumer klienta: 771004\nNumer przesyłki: 00370724680", ""),
        ("Número da fatura: 90210\nNúmero de cliente: 771004\nCódigo de rastreio: 00370724680", ""),
        ("Číslo faktury: 90210\nZákaznické číslo: 771004\nČíslo zásilky: 00370724680", ""),
        ("請求書番号：90210\nお客様番号：771004\nお問い合わせ伝票番号：003707246801", ""),
        ("Telephone: 08 123 456\nTel.: +49 30 1234567\nTéléphone : 01 23 45 67 89\n電話番号：03-1234-5678", ""),
        ("VAT number: GB123456789\nUSt-IdNr.: DE123456789\nN° TVA : FR12345678901\nP.IVA 01234567890", ""),
        ("Order total: 482.13\nOrder total: $482\nBestellsumme: 482,13 €\nSumma order 482 kr", ""),
        ("Order date: 2026-08-03\nOrder of 03.08.2026\norder placed 3/8/2026\nOrder time: 10:42", ""),
        ("Order within 24 hours\nOrder before 2027\nOrder 2 items\nOrder 100% cotton", ""),
        ("Your order will arrive in 3-5 days.", ""),
        ("Your order https://kanne.example/orders/77381 is ready", ""),
        ("Order (https://kanne.example/?order=77381)", ""),
        ("Password of the order: x7731k2", ""),
        ("Code of the gift for your order: 77381", ""),
        ("Passwort der Bestellung: x7731k2", ""),
        ("Mot de passe de la commande : x7731k2", ""),
        ("Transaction ID: 9HJ73810\nPayment reference: 77381", ""),
        ("Article number: 77381\nArtikelnummer: 77381\nSKU 77381", ""),
        ("48213", ""),
        ("Lamp 48213", ""),
        ("Kopp & Kanne, Mill Lane 48213, Reg. no 556677-8899", ""),
    ]);
}

#[test]
fn the_orders_number_is_found_among_all_others() {
    in_text(&[
        ("Order number: 48213\nInvoice number: 90210\nCustomer number: 771004", "48213"),
        ("Kundennummer: 771004\nBestellnummer: 48213\nRechnungsnummer: 90210", "48213"),
        ("Facture n° 90210 pour la commande n° 48213", "48213"),
        ("Factura 90210 del pedido 48213", "48213"),
        ("Fattura n. 90210 relativa all'ordine n. 48213", "48213"),
        ("Factuur 90210 bij bestelling 48213", "48213"),
        ("Faktura 90210 för order 48213", "48213"),
        ("Faktura 90210 vedrørende ordre 48213", "48213"),
        ("Lasku 90210 tilaukselle 48213", "48213"),
        ("Faktura 90210 do zamówienia 48213", "48213"),
        ("Fatura 90210 da encomenda 48213", "48213"),
        ("Faktura 90210 k objednávce 48213", "48213"),
        ("ご注文番号：48213\nお問い合わせ番号：003707246801", "48213"),
        ("Shipment 90210 of your order 48213 left us, tracking number 00370724680", "48213"),
    ]);
}

#[test]
fn codes_without_digits_need_a_second_place() {
    let body = |body: &str| Made::of(&text("Kanne", body)).reference();
    assert_eq!(body("Order number: QWXZKDPLM"), Some("QWXZKDPLM".to_owned()));
    assert_eq!(body("Your order QWXZKDPLM has left us."), None);
    let both = Made::of(&text("Your order QWXZKDPLM has left us", "Your order QWXZKDPLM is on its way."));
    assert_eq!(both.reference(), Some("QWXZKDPLM".to_owned()));
    for shouted in [
        "Order: CONFIRMED",
        "Order SHIPPED today",
        "Order number: PENDING",
        "Commande EXPÉDIÉE",
        "Bestellung STORNIERT",
    ] {
        assert_eq!(body(shouted), None, "{shouted}");
    }
}

#[test]
fn of_two_orders_none_is_taken() {
    in_text(&[
        ("Your orders 48213 and 48220 have been sent.", ""),
        ("Ihre Bestellungen 48213 und 48220 wurden versandt.", ""),
        ("Vos commandes 48213 et 48220 ont été expédiées.", ""),
        ("Tus pedidos 48213 y 48220 han sido enviados.", ""),
        ("I tuoi ordini 48213 e 48220 sono stati spediti.", ""),
        ("Je bestellingen 48213 en 48220 zijn verzonden.", ""),
        ("Dina ordrar 48213 och 48220 har skickats.", ""),
        ("Dine ordrer 48213 og 48220 er afsendt.", ""),
        ("Order number: 48213\nOrder number: 48220", ""),
        ("ご注文番号：48213\nご注文番号：48220", ""),
        ("Order 48213 was joined with order 48220.", ""),
        // The same one in other letters is one.
        ("Order number: kk-48213\nYour order KK-48213 was sent.", "kk-48213"),
    ]);
    for subject in ["Your orders 48213 and 48220", "Bestellungen #48213 und #48220", "Orders #48213, #48220"] {
        let made = Made::of(&text(subject, "-"));
        assert_eq!(made.reference(), None, "{subject}: {:?}", made.candidates());
    }
}

#[test]
fn what_is_said_outright_goes_before_what_merely_stands_near_a_word() {
    in_text(&[
        ("Your order 771 will reach you in box 4.\nOrder number: 48213", "48213"),
        ("Order number: 48213\nThank you for your order 1234567 times.", "48213"),
    ]);
}

#[test]
fn where_subject_and_body_do_not_agree_the_mail_is_held_and_both_are_shown() {
    for (subject, body) in [
        ("Your order 48213 has been shipped", "Order number: 48220"),
        ("Ihre Bestellung 48213 wurde versandt", "Bestellnummer: 48220"),
        ("Votre commande 48213 est expédiée", "Numéro de commande : 48220"),
        ("Din order 48213 har skickats", "Ordernummer: 48220"),
        ("Tilauksesi 48213 on lähetetty", "Tilausnumero: 48220"),
        ("Zamówienie 48213 zostało wysłane", "Numer zamówienia: 48220"),
        ("ご注文48213の発送のお知らせ", "ご注文番号：48220"),
    ] {
        let reading = read(reader(), &text(subject, body));
        assert_eq!(shown(&reading), "held", "{subject}");
        let reason = reading.reason.unwrap_or_default();
        assert!(reason.contains("48213") && reason.contains("48220"), "{subject}: {reason}");
        for number in ["48213", "48220"] {
            assert!(
                reading.findings.iter().any(|one| one.field == Field::Reference && one.value == number),
                "{subject}: {number}"
            );
        }
    }
}

#[test]
fn the_sign_marks_no_number_that_a_word_before_it_says_is_another() {
    let rows = [
        ("Your order #48213 has been shipped", "shipped 48213"),
        ("Your order has been shipped (Kanne #48213)", "shipped 48213"),
        ("Shipment #90210 of your order has left us, it was shipped", "held"),
        ("Customer #771004: your order has been shipped", "held"),
        ("Tracking #00370724680: your order has been shipped", "held"),
        ("Sendung #90210 zu Ihrer Bestellung wurde versandt", "held"),
        ("Kundennummer #771004: Ihre Bestellung wurde versandt", "held"),
    ];
    let rows = rows.map(|(subject, wanted)| (subject, wanted.to_owned()));
    each(&rows, |subject| outcome(&text(subject, "Hi Imke Vorbeck,\n")));
}
