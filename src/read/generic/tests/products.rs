//! What was bought: tables with a head, rows without, lines of text, labels. Sums are never products.

use super::*;

fn bought(body: &str) -> String {
    listed(&Made::of(&html("Kanne", body)).products())
}

fn in_html(rows: &[(String, &str)]) {
    let rows = rows.iter().map(|(body, wanted)| (body.as_str(), (*wanted).to_owned())).collect::<Vec<_>>();
    each(&rows, |body| bought(body));
}

fn in_text(rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(body, wanted)| (*body, (*wanted).to_owned())).collect::<Vec<_>>();
    each(&rows, |body| listed(&Made::of(&text("Kanne", body)).products()));
}

#[test]
fn the_head_of_a_table_names_its_columns_in_every_language() {
    let two = |heads: [&str; 3], prices: [&str; 2]| {
        table(&[&heads, &["Brass lantern", "2", prices[0]], &["Tin pot", "1", prices[1]]])
    };
    in_html(&[
        (
            two(["Product", "Quantity", "Price"], ["$24.50", "$9.00"]),
            "2 | Brass lantern | - | $24.50\n1 | Tin pot | - | $9.00",
        ),
        (two(["Item", "Qty", "Total"], ["£24.50", "£9.00"]), "2 | Brass lantern | - | £24.50\n1 | Tin pot | - | £9.00"),
        (
            two(["Artikel", "Menge", "Preis"], ["24,50 €", "9,00 €"]),
            "2 | Brass lantern | - | 24,50 €\n1 | Tin pot | - | 9,00 €",
        ),
        (
            two(["Produit", "Quantité", "Prix"], ["24,50 €", "9,00 €"]),
            "2 | Brass lantern | - | 24,50 €\n1 | Tin pot | - | 9,00 €",
        ),
        (
            two(["Producto", "Cantidad", "Precio"], ["24,50 €", "9,00 €"]),
            "2 | Brass lantern | - | 24,50 €\n1 | Tin pot | - | 9,00 €",
        ),
        (
            two(["Prodotto", "Quantità", "Prezzo"], ["€ 24,50", "€ 9,00"]),
            "2 | Brass lantern | - | € 24,50\n1 | Tin pot | - | € 9,00",
        ),
        (
            two(["Artikel", "Aantal", "Prijs"], ["€ 24,50", "€ 9,00"]),
            "2 | Brass lantern | - | € 24,50\n1 | Tin pot | - | € 9,00",
        ),
        (
            two(["Produkt", "Antal", "Pris"], ["249 kr", "90 kr"]),
            "2 | Brass lantern | - | 249 kr\n1 | Tin pot | - | 90 kr",
        ),
        (
            two(["Vare", "Antal", "Pris"], ["249,00 kr", "90,00 kr"]),
            "2 | Brass lantern | - | 249,00 kr\n1 | Tin pot | - | 90,00 kr",
        ),
        (
            two(["Vare", "Antall", "Pris"], ["kr 249,00", "kr 90,00"]),
            "2 | Brass lantern | - | kr 249,00\n1 | Tin pot | - | kr 90,00",
        ),
        (
            two(["Tuote", "Määrä", "Hinta"], ["24,50 €", "9,00 €"]),
            "2 | Brass lantern | - | 24,50 €\n1 | Tin pot | - | 9,00 €",
        ),
        (
            two(["Produkt", "Ilość", "Cena"], ["24,50 zł", "9,00 zł"]),
            "2 | Brass lantern | - | 24,50 zł\n1 | Tin pot | - | 9,00 zł",
        ),
        (
            two(["Produto", "Quantidade", "Preço"], ["R$ 24,50", "R$ 9,00"]),
            "2 | Brass lantern | - | R$ 24,50\n1 | Tin pot | - | R$ 9,00",
        ),
        (
            two(["Zboží", "Množství", "Cena"], ["245 Kč", "90 Kč"]),
            "2 | Brass lantern | - | 245 Kč\n1 | Tin pot | - | 90 Kč",
        ),
        (
            two(["商品名", "数量", "価格"], ["2,450円", "900円"]),
            "2 | Brass lantern | - | 2,450円\n1 | Tin pot | - | 900円",
        ),
    ]);
}

#[test]
fn tables_come_in_many_shapes() {
    in_html(&[
        // Columns in another order, with a code and two prices.
        (table(&[&["Qty", "SKU", "Product", "Unit price", "Total"], &["2", "LN-1", "Brass lantern", "$24.50", "$49.00"]]), "2 | Brass lantern | LN-1 | $24.50"),
        // A head that reaches over a picture and a name.
        ("<table><tr><th colspan=2>Item</th><th>Qty</th><th>Price</th></tr><tr><td></td><td>Brass lantern</td><td>2</td><td>$24.50</td></tr></table>".to_owned(), "2 | Brass lantern | - | $24.50"),
        // Inside other tables.
        (format!("<table><tr><td><table><tr><td>{}</td></tr></table></td></tr></table>", table(&[&["Item", "Qty", "Price"], &["Brass lantern", "2", "$24.50"]])), "2 | Brass lantern | - | $24.50"),
        // Name and options in one cell.
        (table(&[&["Item", "Qty", "Price"], &["Brass lantern<br><small>Colour: red</small>", "2", "$24.50"]]), "2 | Brass lantern | - | $24.50"),
        (table(&[&["Item", "Qty", "Price"], &["Brass lantern<br>SKU: LN-1", "2", "$24.50"]]), "2 | Brass lantern | LN-1 | $24.50"),
        (table(&[&["Item", "Qty", "Price"], &["Brass lantern (LN-1)", "2 pcs", "$24.50"]]), "2 | Brass lantern | LN-1 | $24.50"),
        (table(&[&["Item", "Qty", "Price"], &["[LN-1] Brass lantern", "x2", "$24.50"]]), "2 | Brass lantern | LN-1 | $24.50"),
        // The count has a column, so the sign belongs to the name.
        (table(&[&["Item", "Qty", "Price"], &["Mill set x 2", "1", "$24.50"]]), "1 | Mill set x 2 | - | $24.50"),
        // No column for the count.
        (table(&[&["Item", "Price"], &["Brass lantern × 2", "$49.00"]]), "2 | Brass lantern | - | $49.00"),
        (table(&[&["Item", "Price"], &["2 x Brass lantern", "$49.00"]]), "2 | Brass lantern | - | $49.00"),
        // Prices with thousands.
        (table(&[&["Item", "Qty", "Price"], &["Brass lantern", "2", "$1,249.00"]]), "2 | Brass lantern | - | $1,249.00"),
        (table(&[&["Artikel", "Menge", "Preis"], &["Brass lantern", "2", "1.249,00 €"]]), "2 | Brass lantern | - | 1.249,00 €"),
        (table(&[&["Produkt", "Antal", "Pris"], &["Brass lantern", "2", "1&nbsp;249,00 kr"]]), "2 | Brass lantern | - | 1 249,00 kr"),
        (table(&[&["Produkt", "Antal", "Pris"], &["Brass lantern", "2", "1 249 kr"]]), "2 | Brass lantern | - | 1 249 kr"),
        (table(&[&["Tuote", "Määrä", "Hinta"], &["Brass lantern", "2,00", "1 249,00 €"]]), "2 | Brass lantern | - | 1 249,00 €"),
    ]);
}

#[test]
fn sums_are_never_products() {
    in_html(&[
        (
            table(&[
                &["Item", "Qty", "Price"],
                &["Brass lantern", "2", "$24.50"],
                &["Subtotal", "2", "$49.00"],
                &["Shipping", "1", "$5.00"],
                &["Total", "", "$54.00"],
            ]),
            "2 | Brass lantern | - | $24.50",
        ),
        (
            table(&[
                &["Artikel", "Menge", "Preis"],
                &["Kanne", "2", "24,50 €"],
                &["Versandkosten", "1", "5,00 €"],
                &["Gesamtsumme", "1", "54,00 €"],
                &["MwSt.", "1", "8,00 €"],
            ]),
            "2 | Kanne | - | 24,50 €",
        ),
        (
            table(&[
                &["Produit", "Quantité", "Prix"],
                &["Cruche", "2", "24,50 €"],
                &["Sous-total", "2", "49,00 €"],
                &["Frais de livraison", "1", "5,00 €"],
                &["Remise", "1", "-5,00 €"],
            ]),
            "2 | Cruche | - | 24,50 €",
        ),
        (
            table(&[
                &["Produkt", "Antal", "Pris"],
                &["Kanna", "2", "249 kr"],
                &["Frakt", "1", "49 kr"],
                &["Moms", "1", "49 kr"],
                &["Summa", "1", "547 kr"],
            ]),
            "2 | Kanna | - | 249 kr",
        ),
        (
            table(&[
                &["Tuote", "Määrä", "Hinta"],
                &["Kannu", "2", "24,50 €"],
                &["Toimituskulut", "1", "5,00 €"],
                &["Yhteensä", "1", "54,00 €"],
            ]),
            "2 | Kannu | - | 24,50 €",
        ),
        (
            table(&[
                &["Produkt", "Ilość", "Cena"],
                &["Dzbanek", "2", "24,50 zł"],
                &["Dostawa", "1", "5,00 zł"],
                &["Razem", "1", "54,00 zł"],
            ]),
            "2 | Dzbanek | - | 24,50 zł",
        ),
        (
            table(&[
                &["Zboží", "Množství", "Cena"],
                &["Konvice", "2", "245 Kč"],
                &["Doprava", "1", "50 Kč"],
                &["Celkem", "1", "540 Kč"],
            ]),
            "2 | Konvice | - | 245 Kč",
        ),
        (
            table(&[
                &["商品名", "数量", "価格"],
                &["急須", "2", "2,450円"],
                &["送料", "1", "500円"],
                &["合計", "1", "5,400円"],
            ]),
            "2 | 急須 | - | 2,450円",
        ),
        (table(&[&["Subtotal", "$49.00"], &["Shipping", "$5.00"], &["Total", "$54.00"]]), ""),
        // A voucher that was bought is one.
        (
            table(&[&["Item", "Qty", "Price"], &["Gift voucher Spring", "1", "$24.50"]]),
            "1 | Gift voucher Spring | - | $24.50",
        ),
    ]);
}

#[test]
fn rows_without_a_head_have_a_name_a_count_and_a_price() {
    in_html(&[
        (
            table(&[&["Brass lantern", "2", "$24.50"], &["Tin pot", "1", "$9.00"]]),
            "2 | Brass lantern | - | $24.50\n1 | Tin pot | - | $9.00",
        ),
        (table(&[&["<img src=x>", "Brass lantern × 2", "$49.00"]]), "2 | Brass lantern | - | $49.00"),
        (table(&[&["Brass lantern<br>Qty: 2", "$49.00"]]), "2 | Brass lantern | - | $49.00"),
        (table(&[&["2 x", "Brass lantern", "49,00 €"]]), "2 | Brass lantern | - | 49,00 €"),
        (table(&[&["Brass lantern<br>2 x $24.50", "$49.00"]]), "2 | Brass lantern | - | $24.50"),
        (table(&[&["LN-1", "Brass lantern", "2", "$24.50"]]), "2 | Brass lantern | LN-1 | $24.50"),
        (table(&[&["Subtotal", "1", "$49.00"], &["Shipping", "1", "$5.00"]]), ""),
        (table(&[&["Order number", "48213"], &["Tel.", "08 123"]]), ""),
    ]);
}

#[test]
fn lines_of_text_name_products_in_all_forms() {
    in_text(&[
        ("2 x Brass lantern  $24.50\n1 x Tin pot  $9.00", "2 | Brass lantern | - | $24.50\n1 | Tin pot | - | $9.00"),
        ("2× Brass lantern - 24,50 €", "2 | Brass lantern | - | 24,50 €"),
        ("* 2 x Brass lantern: £24.50", "2 | Brass lantern | - | £24.50"),
        ("2 x Brass lantern, £24.50", "2 | Brass lantern | - | £24.50"),
        ("Brass lantern x 2 = $49.00", "2 | Brass lantern | - | $49.00"),
        ("Brass lantern (LN-1) x2 $49.00", "2 | Brass lantern | LN-1 | $49.00"),
        ("Brass lantern × 2", "2 | Brass lantern | - | -"),
        ("1. Brass lantern × 2 $49.00", "2 | Brass lantern | - | $49.00"),
        ("Brass lantern\n2 x 24,50 € = 49,00 €", "2 | Brass lantern | - | 24,50 €"),
        ("* Brass lantern - quantity: 2 - price: 24.50 EUR", "2 | Brass lantern | - | 24.50 EUR"),
        ("2 st. Mässingslykta 249,00 kr", "2 | Mässingslykta | - | 249,00 kr"),
        ("2 Stk. Messinglaterne 24,50 €", "2 | Messinglaterne | - | 24,50 €"),
        ("2 szt. Latarnia 24,50 zł", "2 | Latarnia | - | 24,50 zł"),
        ("2 ks Lucerna 245 Kč", "2 | Lucerna | - | 245 Kč"),
        ("2 kpl Lyhty 24,50 €", "2 | Lyhty | - | 24,50 €"),
        ("Brass lantern set of 4 x 2 £25.00", "2 | Brass lantern set of 4 | - | £25.00"),
        ("Item: Brass lantern\nPrice: $24.50\nQuantity: 2", "2 | Brass lantern | - | $24.50"),
        ("商品名：真鍮ランタン\n価格：2,450円\n数量：2", "2 | 真鍮ランタン | - | 2,450円"),
        (
            "Artikel: Messinglaterne\nArtikelnummer: LN-1\nMenge: 2\nPreis: 24,50 €",
            "2 | Messinglaterne | LN-1 | 24,50 €",
        ),
        ("Subtotal x 2 $49.00\nShipping x 1 $5.00\nTotal $54.00", ""),
        ("Thank you for your order!\nWe will write again.", ""),
        ("Open 9 x 24 hours, since 1987", ""),
    ]);
}
