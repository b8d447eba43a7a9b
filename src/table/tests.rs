//! Files as people have them, and files that nobody should have.

use super::*;

fn invite(text: &str) -> Orders {
    orders(text.as_bytes(), Need::Invite).unwrap_or_else(|fault| panic!("{fault}: {text:?}"))
}

/// Address, name, reference of each order.
fn told(found: &Orders) -> Vec<(String, String, String)> {
    let text = |text: Option<String>| text.unwrap_or_default();
    let told = found.orders.iter().map(|one| {
        (
            text(one.email.as_ref().map(ToString::to_string)),
            text(one.name.as_ref().map(ToString::to_string)),
            one.reference.to_string(),
        )
    });
    told.collect()
}

fn one(email: &str, name: &str, reference: &str) -> (String, String, String) {
    (email.to_owned(), name.to_owned(), reference.to_owned())
}

#[test]
fn headings_of_every_kind_are_recognised() {
    for heading in [
        "Email,Name,Reference",
        "email;name;reference",
        "\u{feff}E-Mail\tName\tReference Number",
        "Consumer E-mail|Consumer Name|Reference ID",
        "customer_email,customer_name,increment_id",
        "Billing Email Address,Customer Name,Order Number",
        "Email (Billing);Billing Name;Order ID",
        "E-Mail-Adresse;Kundenname;Bestellnummer",
        "Adresse e-mail;Nom;Num\u{e9}ro de commande",
        "E-postadress;Namn;Ordernummer",
        "E-mail;Navn;Ordrenummer",
        "E-postadresse;Navn;Referanse",
        "E-mailadres;Naam;Bestelnummer",
        "Correo electr\u{f3}nico;Nombre;N\u{fa}mero de pedido",
        "Indirizzo email;Nominativo;Numero ordine",
        "Adres e-mail;Imi\u{119} i nazwisko;Numer zam\u{f3}wienia",
        "sep=;\r\nemail;name;reference",
    ] {
        let separator = heading.chars().find(|c| ",;\t|".contains(*c)).unwrap();
        let separator = if heading.starts_with("sep=") { ';' } else { separator };
        let file = format!("{heading}\r\nanna@example.org{separator}Anna Ek{separator}A-1\r\n");
        assert_eq!(told(&invite(&file)), [one("anna@example.org", "Anna Ek", "A-1")], "{heading}");
    }
}

#[test]
fn the_files_of_review_services_are_read_whole() {
    let feefo = invite(
        "merchant identifier\tname\temail\tdate\tdescription\tproduct search code\torder ref\tfeedback date\ttags\tlocale\n\
         nord\tBo Ek\tbo@example.org\t2026/03/01\tBlue cup\tCUP-1\tF-9\t2026/03/10\tvip,b2b\tsv_SE\n",
    );
    let order = &feefo.orders[0];
    assert_eq!(told(&feefo), [one("bo@example.org", "Bo Ek", "F-9")]);
    assert_eq!(order.order_date.as_ref().map(|date| date.as_str()), Some("2026-03-01"));
    assert_eq!(
        (order.locale.as_deref(), order.tags.as_slice()),
        (Some("sv-SE"), &["vip".to_owned(), "b2b".to_owned()][..])
    );
    assert_eq!((order.products[0].name.as_str(), order.products[0].sku.as_deref()), ("Blue cup", Some("CUP-1")));
    assert_eq!(feefo.unused, ["merchant identifier", "feedback date"]);

    let etrusted = invite(
        "email,reference,firstName,lastName,productName,productSku,productUrl,productImageUrl,productBrand,productGtin,productMpn\n\
         cy@example.org,E-1,Cy,Blom,Lamp,L1,https://shop.example/l1,javascript:alert(1),Lux,4006381333931,M-1\n",
    );
    let product = &etrusted.orders[0].products[0];
    assert_eq!(told(&etrusted), [one("cy@example.org", "Cy Blom", "E-1")]);
    assert_eq!((product.url.as_deref(), product.image.as_deref()), (Some("https://shop.example/l1"), None));
    assert_eq!((product.gtin.as_deref(), product.brand.as_deref()), (Some("4006381333931"), Some("Lux")));
}

#[test]
fn a_shopify_export_has_the_order_in_name_and_a_row_for_each_article() {
    let found = invite(
        "Name,Email,Financial Status,Lineitem name,Lineitem sku,Billing Name,Cancelled at,Created at\n\
         #1001,di@example.org,paid,Cup,C1,Di Alm,,2026-03-01 10:00:00 +0100\n\
         #1001,di@example.org,,Plate,P1,,,\n\
         #1002,ed@example.org,refunded,Cup,C1,Ed Alm,,\n\
         #1003,flo@example.org,paid,Cup,C1,Flo Alm,2026-03-02 10:00:00 +0100,\n\
         #1004,gus@example.org,partially_refunded,Cup,C1,Gus Alm,,\n",
    );
    assert_eq!(told(&found)[0], one("di@example.org", "Di Alm", "1001"));
    assert_eq!(found.orders[0].products.len(), 2);
    assert_eq!(found.repeats, [Repeat { line: 3, first: 2 }]);
    assert_eq!(found.orders.iter().map(|one| one.is_cancelled).collect::<Vec<_>>(), [false, true, true, false]);
}

#[test]
fn a_file_without_a_heading_is_in_trustpilots_order() {
    let found = invite("anna@example.org,Anna Ek,A-1\nbo@example.org,,A-2\n");
    assert_eq!(told(&found), [one("anna@example.org", "Anna Ek", "A-1"), one("bo@example.org", "", "A-2")]);
    assert!(found.used.is_empty());
}

#[test]
fn an_encoding_is_decided_for_the_whole_file_and_said() {
    let text = "email;name;reference\nj@example.org;J\u{fc}rgen \u{17d}\u{e5};\u{20ac}-1\n";
    let windows = text.chars().map(|c| match c {
        '\u{17d}' => 0x8E,
        '\u{20ac}' => 0x80,
        c => u8::try_from(u32::from(c)).unwrap(),
    });
    let utf16 = |bytes: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect::<Vec<_>>()
    };
    for (bytes, encoding) in [
        (text.as_bytes().to_vec(), Encoding::Utf8),
        (format!("\u{feff}{text}").into_bytes(), Encoding::Utf8),
        (windows.collect(), Encoding::Windows1252),
        (utf16(u16::to_le_bytes, [0xFF, 0xFE]), Encoding::Utf16),
        (utf16(u16::to_be_bytes, [0xFE, 0xFF]), Encoding::Utf16),
    ] {
        let found = orders(&bytes, Need::Invite).unwrap();
        assert_eq!(found.encoding, encoding);
        assert_eq!(told(&found), [one("j@example.org", "J\u{fc}rgen \u{17d}\u{e5}", "\u{20ac}-1")], "{encoding}");
    }
}

#[test]
fn what_is_no_text_is_said_with_its_line() {
    for (bytes, begins) in [
        (&b"email,reference\na@b.example,\xC3\x28\x81\n"[..], "line 2: has the byte 81"),
        (b"\xEF\xBB\xBFemail,reference\r\nx\r\n\xFF", "line 3: has bytes that are no UTF-8"),
        (b"\xFF\xFEa", "the file begins with UTF-16's mark"),
        (b"\xFF\xFE\x00\xD8", "the file begins with UTF-16's mark"),
        (b"e\0m\0a\0", "line 1: has a NUL byte"),
        (b"PK\x03\x04\x00", "line 1: has a NUL byte"),
        (b"", "the file is empty"),
        (b"\r\n\n , ;\n", "line 3: no column"),
        (b"a,b\r\"x", "line 2: a quote is opened here and never closed"),
        (
            b"first,second\n1,2\n",
            "line 1: no column is known to be the email nor the reference; its headings are: first, second",
        ),
        (b"email,name\na@b.example,A\n", "line 1: no column is known to be the reference"),
    ] {
        let fault = orders(bytes, Need::Invite).unwrap_err().to_string();
        assert!(fault.starts_with(begins), "{fault:?} does not begin with {begins:?}");
        assert!(fault.contains("; "), "{fault:?} has a remedy");
    }
}

#[test]
fn quotes_hold_separators_quotes_and_lines() {
    let found = invite(
        "email,name,reference\r\n\"anna@example.org\",\"Ek, \"\"Anna\"\"\nMaria\",\"A-1\"\r\n bo@example.org , 5\" Bo , A-2\rcy@example.org,Cy,A-3",
    );
    assert_eq!(
        told(&found),
        [
            one("anna@example.org", "Ek, \"Anna\" Maria", "A-1"),
            one("bo@example.org", "5\" Bo", "A-2"),
            one("cy@example.org", "Cy", "A-3")
        ]
    );
    assert_eq!(found.orders.iter().map(|one| one.line).collect::<Vec<_>>(), [2, 4, 5]);
}

#[test]
fn a_separator_inside_of_values_does_not_mislead() {
    for file in [
        "email;name;reference\nanna@example.org;Ek, Anna, Maria;A-1\nbo@example.org;Alm, Bo;A-2\n",
        "anna@example.org;Ek, Anna;A-1\nbo@example.org;Alm, Bo;A-2\n",
        "anna@example.org\tEk, Anna; M | x\tA-1\n",
    ] {
        assert_eq!(invite(file).orders[0].reference.as_str(), "A-1", "{file}");
    }
}

#[test]
fn every_bad_line_is_told_with_its_column_and_the_good_ones_stay() {
    let found = invite(
        "E-Mail,Name,Order Ref,Locale,Date\n\
         anna@example.org,Anna,A-1,sv,2026-03-01\n\
         nobody,Bo,A-2,,\n\
         cy@example.org,Cy,,,\n\
         di@example.org,Di,A-4,German,\n\
         ed@example.org,Ed,A-5,,yesterday\n\
         flo@example.org,Flo,A-6,,,more\n\
         \"gus@example.org\" x,Gus,A-7,,\n\
         other@example.org,Anna,a-1,,\n\
         ,,A-9\n",
    );
    assert_eq!(told(&found), [one("anna@example.org", "Anna", "A-1")]);
    let faults = found.faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (fault, begins) in faults.iter().zip([
        "line 3, E-Mail: is no address",
        "line 4, Order Ref: is empty",
        "line 5, Locale: is no language tag",
        "line 6, Date: is no date",
        "line 7: has 6 values, but the first line has 5",
        "line 8: value 1 goes on behind its closing quote",
        "line 9: the order stands in line 2 with another address",
        "line 10, E-Mail: is empty",
    ]) {
        assert!(fault.starts_with(begins), "{fault:?} does not begin with {begins:?}");
    }
    assert_eq!(faults.len(), 8);
}

#[test]
fn faults_and_debug_prints_repeat_nothing_of_a_person() {
    let found = invite("email,name,reference\nanna@@example.org,Anna Secret,A-1\n");
    let sheet = Sheet::read(b"email\nanna@example.org\n", |_| false).unwrap();
    let shown = format!("{} {:?} {sheet:?}", found.faults[0], found.faults);
    assert!(!shown.contains("anna") && !shown.contains("Secret"), "{shown}");
}

#[test]
fn dates_are_read_as_the_whole_file_writes_them_and_never_guessed() {
    let days = |dates: &[&str]| {
        let rows = dates.iter().enumerate().map(|(n, date)| format!("a{n}@example.org;R{n};{date}\n"));
        let found = invite(&format!("email;reference;order date\n{}", rows.collect::<String>()));
        assert!(found.faults.is_empty(), "{:?}", found.faults);
        let days = found.orders.iter().map(|one| one.order_date.as_ref().map(|date| date.as_str().to_owned()));
        (days.collect::<Vec<_>>(), found.notes.len())
    };
    let some = |date: &str| Some(date.to_owned());
    assert_eq!(days(&["03/04/2026", "25/04/2026"]), (vec![some("2026-04-03"), some("2026-04-25")], 0));
    assert_eq!(days(&["03/04/2026", "04/25/2026 10:00"]), (vec![some("2026-03-04"), some("2026-04-25")], 0));
    assert_eq!(days(&["03.04.2026"]), (vec![some("2026-04-03")], 0));
    assert_eq!(
        days(&["2026/4/3", "2026-04-03 10:00:00", ""]),
        (vec![some("2026-04-03"), some("2026-04-03 10:00:00"), None], 0)
    );
    assert_eq!(days(&["03/04/2026", "05/06/2026"]), (vec![None, None], 1));
    assert_eq!(days(&["25/04/2026", "04/25/2026"]), (vec![None, None], 1));
}

#[test]
fn the_mark_of_our_own_exports_is_taken_off_and_no_other() {
    let found = invite("email,name,reference\nanna@example.org,'+Anna,'=A-1\nbo@example.org,'t Hooft,'A-2\n");
    assert_eq!(told(&found), [one("anna@example.org", "+Anna", "=A-1"), one("bo@example.org", "'t Hooft", "'A-2")]);
}

#[test]
fn to_reconcile_a_reference_is_enough() {
    let references = |text: &str| {
        let found = orders(text.as_bytes(), Need::Reconcile).unwrap();
        found.orders.iter().map(|one| one.reference.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(references("Order Number\nA-1\nA-2\n"), ["A-1", "A-2"]);
    assert_eq!(references("A-1\nA-2\n"), ["A-1", "A-2"]);
    assert_eq!(references("email;order\nnobody;A-1\n;A-1\n"), ["A-1"]);
}

#[test]
fn no_bytes_lead_to_a_panic() {
    let mut seed = 7_u64;
    let alphabet = b"a@b.example,;|\t\"\"\r\n '=\xFF\xFE\xEF\xBB\xBF\x00\x81email,reference";
    for _ in 0..3_000 {
        let bytes = (0..40).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            alphabet[usize::try_from(seed >> 33).unwrap() % alphabet.len()]
        });
        let bytes = bytes.collect::<Vec<_>>();
        for need in [Need::Invite, Need::Reconcile] {
            if let Ok(found) = orders(&bytes, need) {
                assert!(found.orders.len() + found.faults.len() + found.repeats.len() == found.rows);
            }
        }
    }
}
