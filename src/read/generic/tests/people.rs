//! Whom a mail was written to: greetings of all languages, postal addresses, labels, `To:`; and words that are nobody's name.

use super::*;

fn name(name: &str) -> Option<String> {
    Some(name).filter(|one| !one.is_empty()).map(str::to_owned)
}

/// Texts with the name that each is for; nobody's where it is empty.
fn in_text(rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(body, wanted)| (*body, name(wanted))).collect::<Vec<_>>();
    each(&rows, |body| Made::of(&text("Kanne", body)).name());
}

fn in_html(rows: &[(String, &str)]) {
    let rows = rows.iter().map(|(body, wanted)| (body.as_str(), name(wanted))).collect::<Vec<_>>();
    each(&rows, |body| Made::of(&html("Kanne", body)).name());
}

/// Display names of `To:` with a greeting by a given name.
fn in_to(rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(to, wanted)| (*to, name(wanted))).collect::<Vec<_>>();
    each(&rows, |to| Made::of(&mail(&format!("{to} <{TO}>"), "Kanne", "text/plain", "Thanks!")).name());
}

#[test]
fn every_language_greets() {
    in_text(&[
        ("Hi Imke Vorbeck,", "Imke Vorbeck"),
        ("Hello Imke Vorbeck!", "Imke Vorbeck"),
        ("Dear Imke Vorbeck,", "Imke Vorbeck"),
        ("Hey, Imke Vorbeck", "Imke Vorbeck"),
        ("Hallo Imke Vorbeck,", "Imke Vorbeck"),
        ("Liebe Imke Vorbeck,", "Imke Vorbeck"),
        ("Guten Tag Imke Vorbeck,", "Imke Vorbeck"),
        ("Bonjour Odile Marchand,", "Odile Marchand"),
        ("Chère Odile Marchand,", "Odile Marchand"),
        ("Hola Inés Carballo:", "Inés Carballo"),
        ("¡Hola, Inés Carballo!", "Inés Carballo"),
        ("Estimada Inés Carballo:", "Inés Carballo"),
        ("Ciao Livia Bettoni,", "Livia Bettoni"),
        ("Gentile Livia Bettoni,", "Livia Bettoni"),
        ("Beste Joke Terpstra,", "Joke Terpstra"),
        ("Geachte Joke Terpstra,", "Joke Terpstra"),
        ("Hej Ylva Ek!", "Ylva Ek"),
        ("Kære Bodil Krogh", "Bodil Krogh"),
        ("Hei Sigrun Moen,", "Sigrun Moen"),
        ("Hei Aino Kallio!", "Aino Kallio"),
        ("Hyvä Aino Kallio,", "Aino Kallio"),
        ("Witaj Hanna Dudek,", "Hanna Dudek"),
        ("Dzień dobry Hanna Dudek,", "Hanna Dudek"),
        ("Olá Marta Seixas,", "Marta Seixas"),
        ("Prezada Marta Seixas,", "Marta Seixas"),
        ("Dobrý den Věra Horáková,", "Věra Horáková"),
        ("Ahoj Věra Horáková,", "Věra Horáková"),
        ("山田 花子 様", "山田 花子"),
        ("山田花子様", "山田花子"),
        ("山田 花子 さん、こんにちは", "山田 花子"),
        ("Thank you, Imke!", "Imke"),
        ("Tack Ylva!", "Ylva"),
        ("Merci Odile,", "Odile"),
        ("HALLO IMKE VORBECK,", "IMKE VORBECK"),
        ("Kopp & Kanne\nView this mail in your browser\nHallo Imke Vorbeck,", "Imke Vorbeck"),
    ]);
}

#[test]
fn titles_are_no_part_of_a_name() {
    in_text(&[
        ("Dear Mr. Tom Brook,", "Tom Brook"),
        ("Dear Ms Ada Brook,", "Ada Brook"),
        ("Sehr geehrte Frau Imke Vorbeck,", "Imke Vorbeck"),
        ("Sehr geehrter Herr Jan Vorbeck,", "Jan Vorbeck"),
        ("Sehr geehrte/r Frau/Herr Imke Vorbeck,", "Imke Vorbeck"),
        ("Bonjour Mme Odile Marchand,", "Odile Marchand"),
        ("Bonjour M. Luc Marchand,", "Luc Marchand"),
        ("Bonjour Monsieur Luc Marchand,", "Luc Marchand"),
        ("Estimado Sr. Pablo Carballo:", "Pablo Carballo"),
        ("Gentile Sig.ra Livia Bettoni,", "Livia Bettoni"),
        ("Geachte mevrouw Joke Terpstra,", "Joke Terpstra"),
        ("Geachte heer Piet Terpstra,", "Piet Terpstra"),
        ("Szanowny Panie Marek Dudek,", "Marek Dudek"),
        ("Szanowna Pani Hanna Dudek,", "Hanna Dudek"),
        ("Exma. Sra. Marta Seixas,", "Marta Seixas"),
        ("Vážená paní Věra Horáková,", "Věra Horáková"),
        ("Hyvä rouva Aino Kallio,", "Aino Kallio"),
    ]);
}

#[test]
fn names_have_particles_apostrophes_initials_and_generations() {
    in_text(&[
        ("Dear Ludwig van den Berg,", "Ludwig van den Berg"),
        ("Hallo Marie von der Heide,", "Marie von der Heide"),
        ("Hola María de la Cruz:", "María de la Cruz"),
        ("Olá João dos Santos,", "João dos Santos"),
        ("Ciao Ugo D’Amico,", "Ugo D’Amico"),
        ("Hi Sean O'Hara,", "Sean O'Hara"),
        ("Dear J. R. Smith,", "J. R. Smith"),
        ("Dear Tom Brook Jr.,", "Tom Brook Jr."),
        ("Bonjour Anne-Lise St. John,", "Anne-Lise St. John"),
        ("Hej Åsa Öberg-Ärlig,", "Åsa Öberg-Ärlig"),
        ("Beste Rens van 't Hof,", "Rens van 't Hof"),
        ("Hi Nguyễn Thị Hoa,", "Nguyễn Thị Hoa"),
    ]);
}

#[test]
fn what_greets_nobody_by_name_is_no_name() {
    in_text(&[
        ("Dear customer,", ""),
        ("Hi there,", ""),
        ("Hello!", ""),
        ("Sehr geehrte Damen und Herren,", ""),
        ("Liebe Kundin, lieber Kunde,", ""),
        ("Sehr geehrter Kunde,", ""),
        ("Chère cliente, cher client,", ""),
        ("Madame, Monsieur,", ""),
        ("Estimado cliente:", ""),
        ("Gentile Cliente,", ""),
        ("Beste klant,", ""),
        ("Bästa kund,", ""),
        ("Kære kunde", ""),
        ("Kjære kunde", ""),
        ("Hyvä asiakas,", ""),
        ("Szanowny Kliencie,", ""),
        ("Szanowni Państwo,", ""),
        ("Caro cliente,", ""),
        ("Vážený zákazníku,", ""),
        ("お客様", ""),
        ("お客様各位", ""),
        ("いつもお世話になっております。", ""),
        ("Hi, I'm Tom from the tool shop", ""),
        ("Hello I’m Tom,", ""),
        ("Thank you for your order", ""),
        ("Thank You For Shopping", ""),
        ("Dear Kopp & Kanne,", ""),
        ("Hi Order 48213,", ""),
        ("Hi kunde@example.org,", ""),
        ("Hello [first_name],", ""),
        ("Hi {{ name }},", ""),
        ("Great news!", ""),
        ("Welcome back!", ""),
    ]);
}

#[test]
fn the_person_of_an_address_is_found_below_the_company() {
    in_html(&[
        (
            "<p>Hi Imke,</p><p>Billing address</p><p>Imke Vorbeck<br>Deichweg 4<br>25813 Husum</p>".to_owned(),
            "Imke Vorbeck",
        ),
        (
            "<p>Hi Imke,</p><p>Billing address</p><p>Lamps Ltd<br>Imke Vorbeck<br>Deichweg 4</p>".to_owned(),
            "Imke Vorbeck",
        ),
        (
            "<p>Hallo,</p><p>Rechnungsadresse</p><p>Imke Vorbeck<br>Deichweg 4<br>25813 Husum</p>".to_owned(),
            "Imke Vorbeck",
        ),
        (
            "<p>Hallo,</p><p>Rechnungsadresse</p><p>Vorbeck GmbH<br>Imke Vorbeck<br>Deichweg 4</p>".to_owned(),
            "Imke Vorbeck",
        ),
        (
            table(&[
                &["Adresse de facturation", "Adresse de livraison"],
                &["Odile Marchand<br>3 rue Haute", "Odile Marchand<br>3 rue Haute"],
            ]),
            "Odile Marchand",
        ),
        (table(&[&["Dirección de facturación", "Inés Carballo<br>Rúa Nova 2"]]), "Inés Carballo"),
        (
            table(&[&[
                "Indirizzo di fatturazione<br>Livia Bettoni<br>Via Alta 2",
                "Indirizzo di spedizione<br>Livia Bettoni<br>Via Alta 2",
            ]]),
            "Livia Bettoni",
        ),
        ("<p>Factuuradres:<br>Joke Terpstra<br>Dijk 1</p>".to_owned(), "Joke Terpstra"),
        ("<p>Faktureringsadress<br>Ylva Ek<br>Strandvägen 2</p>".to_owned(), "Ylva Ek"),
        ("<p>Faktureringsadresse<br>Bodil Krogh<br>Havnevej 2</p>".to_owned(), "Bodil Krogh"),
        ("<p>Laskutusosoite<br>Aino Kallio<br>Rantatie 2</p>".to_owned(), "Aino Kallio"),
        ("<p>Adres rozliczeniowy<br>Hanna Dudek<br>ul. Długa 2</p>".to_owned(), "Hanna Dudek"),
        ("<p>Endereço de faturação<br>Marta Seixas<br>Rua Alta 2</p>".to_owned(), "Marta Seixas"),
        ("<p>Fakturační adresa<br>Věra Horáková<br>Dlouhá 2</p>".to_owned(), "Věra Horáková"),
        // An address in one line.
        ("<p>Hi Imke,</p><p>Billing address: Imke Vorbeck, Deichweg 4, 25813 Husum</p>".to_owned(), "Imke Vorbeck"),
    ]);
}

#[test]
fn somebody_else_in_an_address_is_not_the_customer() {
    in_html(&[
        ("<p>Hi Imke,</p><p>Shipping address</p><p>Tom Brook<br>Mill Lane 2</p>".to_owned(), "Imke"),
        ("<p>Hallo Imke,</p><p>Lieferadresse</p><p>Tom Brook<br>Mill Lane 2</p><p>Rechnungsadresse</p><p>Imke Vorbeck<br>Deichweg 4</p>".to_owned(), "Imke Vorbeck"),
        ("<p>Bonjour Odile Marchand,</p><p>Adresse de livraison</p><p>Luc Garnier<br>3 rue Haute</p>".to_owned(), "Odile Marchand"),
        ("<p>Thanks!</p><p>Shipping address</p><p>Tom Brook<br>Mill Lane 2</p>".to_owned(), ""),
        ("<p>Hi Imke,</p><p>Billing address</p><p>Vorbeck GmbH<br>Deichweg 4<br>25813 Husum</p>".to_owned(), "Imke"),
        ("<p>Ordrenummer: 48213</p><p>Leveringsadresse</p><p>Bodil Krogh<br>Havnevej 2</p>".to_owned(), ""),
    ]);
}

#[test]
fn a_name_may_stand_at_a_label_in_one_piece_or_two() {
    in_html(&[
        (table(&[&["Name", "Imke Vorbeck"], &["Order", "48213"]]), "Imke Vorbeck"),
        (table(&[&["First name", "Imke"], &["Last name", "Vorbeck"]]), "Imke Vorbeck"),
        (table(&[&["First name", "Last name"], &["Imke", "Vorbeck"]]), "Imke Vorbeck"),
        (table(&[&["Vorname", "Imke"], &["Nachname", "Vorbeck"]]), "Imke Vorbeck"),
        (table(&[&["Prénom", "Odile"], &["Nom", "Marchand"]]), "Odile Marchand"),
        (table(&[&["Förnamn", "Ylva"], &["Efternamn", "Ek"]]), "Ylva Ek"),
        (table(&[&["Fornavn", "Bodil"], &["Efternavn", "Krogh"]]), "Bodil Krogh"),
        (table(&[&["Fornavn", "Sigrun"], &["Etternavn", "Moen"]]), "Sigrun Moen"),
        (table(&[&["Etunimi", "Aino"], &["Sukunimi", "Kallio"]]), "Aino Kallio"),
        (table(&[&["Imię", "Hanna"], &["Nazwisko", "Dudek"]]), "Hanna Dudek"),
        (table(&[&["Jméno", "Věra"], &["Příjmení", "Horáková"]]), "Věra Horáková"),
        (table(&[&["Nome", "Livia"], &["Cognome", "Bettoni"]]), "Livia Bettoni"),
        (table(&[&["Nombre", "Inés"], &["Apellidos", "Carballo Gil"]]), "Inés Carballo Gil"),
        (table(&[&["Voornaam", "Joke"], &["Achternaam", "Terpstra"]]), "Joke Terpstra"),
        ("<p>Customer: Imke Vorbeck</p>".to_owned(), "Imke Vorbeck"),
        ("<p>Kunde: Imke Vorbeck</p>".to_owned(), "Imke Vorbeck"),
        ("<p>Customer: Imke Vorbeck (kunde@example.org)</p>".to_owned(), "Imke Vorbeck"),
        ("<p>お名前：山田 花子</p>".to_owned(), "山田 花子"),
        ("<p>お名前：山田 花子 様</p>".to_owned(), "山田 花子"),
        // A product's name is none.
        (table(&[&["Name", "Qty", "Price"], &["Brass Lantern", "1", "$20.00"]]), ""),
    ]);
}

#[test]
fn the_addressee_may_have_a_company_too() {
    in_to(&[
        ("Imke Vorbeck", "Imke Vorbeck"),
        ("\"Lamps Ltd, Imke Vorbeck\"", "Imke Vorbeck"),
        ("\"Imke Vorbeck, Vorbeck GmbH\"", "Imke Vorbeck"),
        ("\"Imke Vorbeck - Lamps Ltd\"", "Imke Vorbeck"),
        ("kunde", ""),
        ("\"Kopp & Kanne\"", ""),
        ("Customer", ""),
        ("\"kunde@example.org\"", ""),
    ]);
}

#[test]
fn the_greeting_names_the_one_whom_an_address_or_the_header_has_in_full() {
    let to = |body: &str| Made::of(&mail(&format!("Imke Vorbeck <{TO}>"), "Kanne", "text/plain", body)).name();
    assert_eq!(to("Hi Imke,"), name("Imke Vorbeck"));
    assert_eq!(to("Hi Imke,\n\nBilling address\nImke M. Vorbeck\nDeichweg 4"), name("Imke M. Vorbeck"));
    assert_eq!(to("Hi Tom Brook,"), name("Tom Brook"));
    let alone = Made::of(&text("Kanne", "Hi Imke,\nWe packed it.\nImke Vorbeck\nDeichweg 4"));
    assert_eq!(alone.name(), name("Imke Vorbeck"));
}
