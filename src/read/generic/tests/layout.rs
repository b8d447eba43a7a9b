//! Where the value of a label stands.

use super::*;

fn orders(rows: &[(String, &[&str])]) {
    let rows = rows
        .iter()
        .map(|(body, values)| (body.as_str(), values.iter().map(|one| (*one).to_owned()).collect()))
        .collect::<Vec<_>>();
    each(&rows, |body| values_of(&html("Kanne", body), "order_number"));
}

#[test]
fn a_value_stands_behind_its_label_beside_it_or_below() {
    orders(&[
        ("<p>Order number: 48213</p>".to_owned(), &["48213"]),
        ("<p>Order number</p><p>48213</p>".to_owned(), &["48213"]),
        ("<b>Order number</b><br>48213".to_owned(), &["48213"]),
        (table(&[&["Order number", "48213"]]), &["48213"]),
        (table(&[&["Order number", "", "48213"]]), &["48213"]),
        (table(&[&["Order number", "Date"], &["48213", "3 August"]]), &["48213"]),
        (table(&[&["Date", "Order number"], &["3 August", "48213"]]), &["48213"]),
        (table(&[&["Order number"], &["48213"]]), &["48213"]),
        (table(&[&["Order number"], &[""], &["48213"]]), &["48213"]),
        (table(&[&["Order number:<br>48213", "Date:<br>3 August"]]), &["48213"]),
        // A table inside a cell.
        (table(&[&["Order number", &table(&[&["48213"]])]]), &["48213"]),
        (format!("<table><tr><td>{}</td></tr></table>", table(&[&["Order number", "48213"]])), &["48213"]),
        // A label beside a label is not its value.
        (table(&[&["Order number", "Customer number"]]), &[]),
        ("<p>Order number</p><p>Customer number</p><p>771</p>".to_owned(), &[]),
        // The head of a column that reaches over two.
        ("<table><tr><th colspan=2>Items</th><th>Order number</th></tr><tr><td>a</td><td>b</td><td>48213</td></tr></table>".to_owned(), &["48213"]),
        // What is hidden is no line.
        ("<p>Order number</p><p style='display:none'>7</p><p>48213</p>".to_owned(), &["48213"]),
        ("<p>Order number</p><!-- 7 --><p>48213</p>".to_owned(), &["48213"]),
        ("<p>Order number</p>".to_owned(), &[]),
        ("<p>The order number is on its way</p>".to_owned(), &[]),
    ]);
}

#[test]
fn signs_before_a_label_and_kinds_of_blanks_do_not_count() {
    for line in [
        "* Order number: 48213",
        "• Order\u{a0}number\u{a0}: 48213",
        "- Order number - 48213",
        "[Order number] 48213",
        "> ORDER NUMBER: 48213",
        "■ Order number = 48213",
    ] {
        assert_eq!(values_of(&text("Kanne", line), "order_number"), ["48213"], "{line}");
    }
    assert_eq!(values_of(&text("Kanne", "【ご注文番号】 48213"), "order_number"), ["48213"]);
    assert_eq!(values_of(&text("Kanne", "ご注文番号　：　48213"), "order_number"), ["48213"]);
}
