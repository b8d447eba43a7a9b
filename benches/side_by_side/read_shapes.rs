//! Mails of a given size in the shapes that cost a reader most: each repeats one thing, so that what grows faster than the mail
//! shows. The shop is one that no template knows, so that everything is asked.

use std::fmt::Write;

/// A shape: its name, and a mail of about so many octets, never more.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) mail: fn(usize) -> Vec<u8>,
}

/// All shapes.
pub(crate) const SHAPES: &[Shape] = &[
    Shape { name: "HTML table of products", mail: |octets| html(octets, PRODUCT_HEAD, product) },
    Shape { name: "HTML cells with labels", mail: |octets| html(octets, "<table>", label_cells) },
    Shape {
        name: "HTML, one row of cells",
        mail: |octets| html(octets, "<table><tr>", |_| "<td>Order</td><td>A-1</td>".to_owned()),
    },
    Shape {
        name: "HTML, one column of labels",
        mail: |octets| html(octets, "<table>", |_| "<tr><td>Status</td><td></td></tr>".to_owned()),
    },
    Shape {
        name: "HTML tables in tables",
        mail: |octets| html(octets, "", |_| "<table><tr><td>Order: 12<br>".to_owned()),
    },
    Shape {
        name: "HTML with deep blocks",
        mail: |octets| html(octets, &"<div>".repeat(400), |_| "<p>Order <b>x</b> ".to_owned()),
    },
    Shape {
        name: "HTML comments and entities",
        mail: |octets| html(octets, "", |_| "<!-- x -- y --> &amp;&nbsp;&#8212;<p>a".to_owned()),
    },
    Shape {
        name: "HTML, one long line",
        mail: |octets| html(octets, "<p>", |row| format!("order{row} <b>is</b> here, ")),
    },
    Shape { name: "HTML that never closes", mail: |octets| html(octets, "", |_| "</ <!x <script <a b='".to_owned()) },
    Shape { name: "microdata", mail: |octets| html(octets, "", microdata) },
    Shape { name: "JSON-LD blocks", mail: |octets| html(octets, "", json_ld) },
    Shape {
        name: "JSON-LD, one block",
        mail: |octets| html(octets, JSON_HEAD, |row| format!("{{\"name\":\"Lamp {row}\"}},")),
    },
    Shape {
        name: "JSON-LD that never closes",
        mail: |octets| html(octets, "", |_| "<script type=\"application/ld+json\">{\"a\":[".to_owned()),
    },
    Shape {
        name: "plain text",
        mail: |octets| plain(octets, "\r\n", |row| format!("We pack lamp {row} today and tell you when it leaves")),
    },
    Shape { name: "text with labels", mail: |octets| plain(octets, "\r\n", label) },
    Shape {
        name: "text with products",
        mail: |octets| plain(octets, "\r\n", |row| format!("{} x Lamp no. {row} (LA-{row}) 12.50 EUR", row % 9 + 1)),
    },
    Shape {
        name: "text with paragraphs",
        mail: |octets| plain(octets, "\r\n", |row| format!("Lamp {row}\r\n- red: yes\r\nQuantity: 2\r\nPrice: 12.50")),
    },
    Shape {
        name: "text with products at labels",
        mail: |octets| plain(octets, "\r\n", |row| format!("Product: Lamp {row}\r\nQuantity: 2")),
    },
    Shape {
        name: "text with references",
        mail: |octets| plain(octets, "\r\n", |row| format!("Order A-{row} is here")),
    },
    Shape { name: "text with numbers", mail: |octets| plain(octets, " ", |row| format!("order {}", 100_000 + row)) },
    Shape { name: "text, one long line", mail: |octets| plain(octets, " ", |_| "your order is on its way".to_owned()) },
    Shape { name: "text, one long word", mail: |octets| plain(octets, "", |_| "order-1".to_owned()) },
    Shape { name: "text of blanks", mail: |octets| plain(octets, "", |_| "  \t \u{a0}".to_owned()) },
    Shape {
        name: "text in Japanese",
        mail: |octets| {
            plain(octets, "\r\n", |row| format!("ご注文番号：{row} 山田 太郎 様 ご注文ありがとうございます"))
        },
    },
    Shape {
        name: "text, sentences of events",
        mail: |octets| {
            plain(octets, " ", |_| "Your order has not been shipped yet, was cancelled; refunded.".to_owned())
        },
    },
    Shape { name: "base64", mail: base64 },
    Shape { name: "quoted-printable", mail: quoted },
    Shape { name: "MIME parts", mail: parts },
    Shape { name: "dashes at line starts", mail: |octets| plain(octets, "\r\n", |_| "--b".to_owned()) },
];

const HEAD: &str = "From: Lamps <orders@shop.example.com>\r\nTo: Anna Example <anna@example.net>\r\nSubject: Your order has been received\r\n\
    Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nMessage-ID: <1.order@shop.example.com>\r\nMIME-Version: 1.0\r\n";
const PRODUCT_HEAD: &str =
    "<h1>Thank you for your order A-1024</h1><table><tr><th>Product</th><th>Quantity</th><th>Price</th></tr>";
const JSON_HEAD: &str =
    "<script type=\"application/ld+json\">{\"@type\":\"Order\",\"orderNumber\":\"1\",\"acceptedOffer\":[";

/// `head`, then pieces until the mail would be too large.
fn filled(mut mail: String, octets: usize, between: &str, piece: impl Fn(usize) -> String) -> Vec<u8> {
    for row in 0.. {
        let piece = piece(row);
        if mail.len() + piece.len() + between.len() > octets {
            break;
        }
        mail.push_str(&piece);
        mail.push_str(between);
    }
    mail.into_bytes()
}

fn html(octets: usize, begin: &str, piece: impl Fn(usize) -> String) -> Vec<u8> {
    let head = format!(
        "{HEAD}Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>Hi Anna,</p>{begin}\r\n"
    );
    filled(head, octets, "\r\n", piece)
}

fn plain(octets: usize, between: &str, piece: impl Fn(usize) -> String) -> Vec<u8> {
    let head =
        format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nHi Anna,\r\n");
    filled(head, octets, between, piece)
}

fn product(row: usize) -> String {
    format!(
        "<tr><td class=\"td\" style=\"padding:12px\">Lamp no. {row}<br>SKU: LA-{row}</td><td>{}</td><td>{}.50 EUR</td></tr>",
        row % 3 + 1,
        row % 90
    )
}

fn label_cells(row: usize) -> String {
    format!("<tr><td>Order number:</td><td>A-{row}</td><td>Invoice number</td><td>{row}</td></tr>")
}

fn label(row: usize) -> String {
    let label = [
        "Order number",
        "Invoice no.",
        "Order date",
        "Bestellnummer",
        "Delivery address",
        "Total",
        "Name",
        "Kundennummer",
    ];
    format!("{}: {row}", label.get(row % label.len()).unwrap_or(&"Order"))
}

fn microdata(row: usize) -> String {
    format!("<div itemscope itemtype=\"http://schema.org/Order\"><span itemprop=\"orderNumber\">A-{row}</span></div>")
}

fn json_ld(row: usize) -> String {
    format!("<script type=\"application/ld+json\">{{\"@type\":\"Order\",\"orderNumber\":\"{row}\"}}</script>")
}

fn base64(octets: usize) -> Vec<u8> {
    let head = format!("{HEAD}Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    // `<p>Your order is here. ` and blanks to a whole number of groups.
    filled(head, octets, "\r\n", |_| "PHA+WW91ciBvcmRlciBpcyBoZXJlLiAg".repeat(2))
}

fn quoted(octets: usize) -> Vec<u8> {
    let head =
        format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
    filled(head, octets, "\r\n", |row| {
        format!("Ihre Bestellung =C3=BCber =E2=82=AC {row} ist auf dem Weg =\r\nzu Ihnen.")
    })
}

/// A part each 500 octets, up to as many as are allowed; then their size grows.
fn parts(octets: usize) -> Vec<u8> {
    let count = (octets / 500).min(990);
    let mut mail = format!("{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    let each = octets.saturating_sub(mail.len()) / count.max(1);
    for part in 0..count {
        let mut text = format!("--b\r\nContent-Type: text/{}\r\n\r\n", if part % 2 == 0 { "plain" } else { "html" });
        if each < text.len() + 2 {
            break;
        }
        while text.len() + 24 < each {
            let _ = write!(text, "<p>Order: {part:8}</p>\r\n");
        }
        mail.push_str(&text);
        mail.push_str("\r\n");
    }
    mail.into_bytes()
}
