//! What a mail says happened to the order: in the subject, as a status, in sentences; and what does not count as said.

use super::*;

fn in_subject(rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(subject, news)| (*subject, (*news).to_owned())).collect::<Vec<_>>();
    each(&rows, |subject| Made::of(&text(subject, "-")).news());
}

/// Bodies under a subject that says nothing.
fn in_body(rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(body, news)| (*body, (*news).to_owned())).collect::<Vec<_>>();
    each(&rows, |body| Made::of(&text("Kanne", body)).news());
}

/// Bodies of which nothing may be believed: no news, or a doubt.
fn nothing_in_body(rows: &[&str]) {
    let rows = rows.iter().map(|body| (*body, true)).collect::<Vec<_>>();
    each(&rows, |body| matches!(Made::of(&text("Kanne", body)).news().as_str(), "-" | "?" | "unknown"));
}

#[test]
fn the_subject_tells_of_an_order_that_was_taken() {
    in_subject(&[
        ("Order confirmation 48213", "placed subject"),
        ("Thank you for your order", "placed subject"),
        ("Bestellbestätigung", "placed subject"),
        ("Vielen Dank für Ihre Bestellung", "placed subject"),
        ("Confirmation de commande", "placed subject"),
        ("Merci pour votre commande", "placed subject"),
        ("Confirmación de pedido", "placed subject"),
        ("Gracias por tu pedido", "placed subject"),
        ("Conferma d'ordine", "placed subject"),
        ("Grazie per il tuo ordine", "placed subject"),
        ("Bevestiging van je bestelling", "placed subject"),
        ("Bedankt voor je bestelling", "placed subject"),
        ("Orderbekräftelse", "placed subject"),
        ("Tack för din beställning", "placed subject"),
        ("Ordrebekræftelse", "placed subject"),
        ("Tak for din ordre", "placed subject"),
        ("Ordrebekreftelse", "placed subject"),
        ("Takk for bestillingen", "placed subject"),
        ("Tilausvahvistus", "placed subject"),
        ("Kiitos tilauksestasi", "placed subject"),
        ("Potwierdzenie zamówienia", "placed subject"),
        ("Dziękujemy za zamówienie", "placed subject"),
        ("Confirmação de encomenda", "placed subject"),
        ("Obrigado pela sua encomenda", "placed subject"),
        ("Potvrzení objednávky", "placed subject"),
        ("Děkujeme za vaši objednávku", "placed subject"),
        ("ご注文ありがとうございます", "placed subject"),
        ("ご注文確認のお知らせ", "placed subject"),
    ]);
}

#[test]
fn the_subject_tells_that_it_left_and_arrived() {
    in_subject(&[
        ("Your order has shipped", "shipped subject"),
        ("Ihre Bestellung wurde versandt", "shipped subject"),
        ("Votre commande a été expédiée", "shipped subject"),
        ("Tu pedido ha sido enviado", "shipped subject"),
        ("Il tuo ordine è stato spedito", "shipped subject"),
        ("Je bestelling is verzonden", "shipped subject"),
        ("Din order har skickats", "shipped subject"),
        ("Din ordre er afsendt", "shipped subject"),
        ("Bestillingen din er sendt", "shipped subject"),
        ("Tilauksesi on lähetetty", "shipped subject"),
        ("Twoje zamówienie zostało wysłane", "shipped subject"),
        ("A sua encomenda foi enviada", "shipped subject"),
        ("Vaše objednávka byla odeslána", "shipped subject"),
        ("商品発送のお知らせ", "shipped subject"),
        ("Your order was delivered", "delivered subject"),
        ("Ihre Bestellung wurde zugestellt", "delivered subject"),
        ("Votre commande a été livrée", "delivered subject"),
        ("Tu pedido ha sido entregado", "delivered subject"),
        ("Il tuo ordine è stato consegnato", "delivered subject"),
        ("Je bestelling is bezorgd", "delivered subject"),
        ("Din order har levererats", "delivered subject"),
        ("Din ordre er leveret", "delivered subject"),
        ("Bestillingen din er levert", "delivered subject"),
        ("Tilauksesi on toimitettu", "delivered subject"),
        ("Twoje zamówienie zostało doręczone", "delivered subject"),
        ("A sua encomenda foi entregue", "delivered subject"),
        ("Vaše objednávka byla doručena", "delivered subject"),
        ("お荷物配達完了のお知らせ", "delivered subject"),
    ]);
}

#[test]
fn the_subject_tells_of_bad_news() {
    in_subject(&[
        ("Your order has been cancelled", "cancelled subject"),
        ("Ihre Bestellung wurde storniert", "cancelled subject"),
        ("Votre commande a été annulée", "cancelled subject"),
        ("Tu pedido ha sido cancelado", "cancelled subject"),
        ("Il tuo ordine è stato annullato", "cancelled subject"),
        ("Je bestelling is geannuleerd", "cancelled subject"),
        ("Din order har avbrutits", "cancelled subject"),
        ("Din ordre er annulleret", "cancelled subject"),
        ("Bestillingen din er kansellert", "cancelled subject"),
        ("Tilauksesi on peruttu", "cancelled subject"),
        ("Twoje zamówienie zostało anulowane", "cancelled subject"),
        ("A sua encomenda foi cancelada", "cancelled subject"),
        ("Vaše objednávka byla stornována", "cancelled subject"),
        ("ご注文キャンセルのお知らせ", "cancelled subject"),
        ("Refund for your order", "refunded subject"),
        ("Rückerstattung zu Ihrer Bestellung", "refunded subject"),
        ("Votre commande a été remboursée", "refunded subject"),
        ("Reembolso de tu pedido", "refunded subject"),
        ("Rimborso del tuo ordine", "refunded subject"),
        ("Terugbetaling van je bestelling", "refunded subject"),
        ("Återbetalning för din order", "refunded subject"),
        ("Refusion af din ordre", "refunded subject"),
        ("Refusjon for bestillingen din", "refunded subject"),
        ("Tilauksesi hyvitys", "refunded subject"),
        ("Zwrot pieniędzy za zamówienie", "refunded subject"),
        ("Reembolso da sua encomenda", "refunded subject"),
        ("Vrácení peněz za objednávku", "refunded subject"),
        ("ご返金のお知らせ", "refunded subject"),
        ("Partial refund for your order", "refunded in part subject"),
        ("Teilerstattung Ihrer Bestellung", "refunded in part subject"),
        ("Remboursement partiel de votre commande", "refunded in part subject"),
        ("Your order is delayed", "delayed subject"),
        ("Ihre Bestellung verzögert sich", "delayed subject"),
        ("Votre commande est retardée", "delayed subject"),
        ("Din order är försenad", "delayed subject"),
        ("Payment received for your order", "paid subject"),
    ]);
}

#[test]
fn a_subject_that_asks_or_waits_does_not_tell() {
    let rows = [
        "Will your order be shipped?",
        "Cancellation request for your order",
        "Ihre Bestellung wird bald versandt",
        "Your order will be shipped soon",
        "Your order can no longer be cancelled",
        "Stornierungsanfrage zu Ihrer Bestellung",
        "Votre commande sera bientôt expédiée",
        "Tu pedido será enviado pronto",
        "Din order kommer att skickas snart",
        "Je bestelling wordt binnenkort verzonden",
    ];
    let rows = rows.map(|subject| (subject, true));
    each(&rows, |subject| {
        let news = Made::of(&text(subject, "-")).news();
        !["shipped", "delivered", "cancelled", "refunded"].iter().any(|event| news.starts_with(event))
    });
}

#[test]
fn a_parcel_is_a_part_where_the_mail_says_so() {
    in_subject(&[
        ("Your order has been partially shipped", "shipped in part subject"),
        ("Some items in your order have shipped", "shipped in part subject"),
        ("Ihre Bestellung wurde teilweise versandt", "shipped in part subject"),
        ("En del av din order har skickats", "shipped in part subject"),
        ("The rest of the items: some of your items have shipped", "shipped subject"),
        ("Your order has shipped", "shipped subject"),
    ]);
    in_body(&[
        ("Part of your order has been shipped.", "shipped in part sentence"),
        ("Ein Teil Ihrer Bestellung wurde heute versandt.", "shipped in part sentence"),
        ("Une partie de votre commande a été expédiée.", "shipped in part sentence"),
        ("En del af din ordre er afsendt.", "shipped in part sentence"),
        ("En del av bestillingen er sendt.", "shipped in part sentence"),
        ("Een deel van je bestelling is verzonden.", "shipped in part sentence"),
        ("Una parte de tu pedido ha sido enviada.", "shipped in part sentence"),
        ("Una parte del tuo ordine è stata spedita.", "shipped in part sentence"),
        ("Uma parte da sua encomenda foi enviada.", "shipped in part sentence"),
        ("Część zamówienia została wysłana.", "shipped in part sentence"),
        ("Your order has been shipped. Some of the items can be returned.", "shipped sentence"),
        ("Los artículos que forman parte de tu pedido han sido enviados.", "shipped sentence"),
        ("The remaining part of your order has been shipped.", "shipped sentence"),
        ("Order status: Partially shipped", "shipped in part status"),
        ("Status: Teilweise versendet", "shipped in part status"),
    ]);
}

#[test]
fn a_label_names_the_status_in_its_line_or_the_next() {
    in_body(&[
        ("Order status: Shipped", "shipped status"),
        ("Your order has a new status.\nStatus: Delivered", "delivered status"),
        ("Order status\nShipped", "shipped status"),
        ("Bestellstatus: Versendet", "shipped status"),
        ("Status: Storniert", "cancelled status"),
        ("Statut de la commande : Expédiée", "shipped status"),
        ("Statut : Annulée", "cancelled status"),
        ("Estado del pedido: Enviado", "shipped status"),
        ("Stato dell'ordine: Spedito", "shipped status"),
        ("Orderstatus: Skickad", "shipped status"),
        ("Status: Avbruten", "cancelled status"),
        ("Ordrestatus: Sendt", "shipped status"),
        ("Tilauksen tila: Toimitettu", "delivered status"),
        ("Status zamówienia: Wysłane", "shipped status"),
        ("Estado da encomenda: Enviada", "shipped status"),
        ("Stav objednávky: Odesláno", "shipped status"),
        ("Status: Refunded", "refunded status"),
        ("Status: Partially refunded", "refunded in part status"),
        ("Order status: Somewhere", "unknown"),
        ("Status: Not shipped yet", "unknown"),
    ]);
    nothing_in_body(&[
        "Order status: Pending",
        "Bestellstatus: Offen",
        "Status: Noch nicht versandt",
        "Orderstatus: Ej skickad",
    ]);
}

#[test]
fn sentences_tell_what_happened() {
    in_body(&[
        ("Thank you for your order.", "placed sentence"),
        ("We have received your order.", "placed sentence"),
        ("Your parcel left our warehouse today: your order has been shipped.", "shipped sentence"),
        ("Wir haben Ihre Bestellung heute versandt.", "shipped sentence"),
        ("Nous avons expédié votre commande.", "shipped sentence"),
        ("Hemos enviado tu pedido.", "shipped sentence"),
        ("Abbiamo spedito il tuo ordine.", "shipped sentence"),
        ("We hebben je bestelling verzonden.", "shipped sentence"),
        ("Vi har skickat din beställning.", "shipped sentence"),
        ("Vi har afsendt din ordre.", "shipped sentence"),
        ("Vi har sendt bestillingen din.", "shipped sentence"),
        ("Olemme lähettäneet tilauksesi.", "shipped sentence"),
        ("Wysłaliśmy Twoje zamówienie.", "shipped sentence"),
        ("Enviámos a sua encomenda.", "shipped sentence"),
        ("Vaši objednávku jsme odeslali.", "shipped sentence"),
        ("ご注文の商品を発送いたしました。", "shipped sentence"),
        ("We have cancelled your order.", "cancelled sentence"),
        ("Wir haben Ihre Bestellung storniert.", "cancelled sentence"),
        ("Nous avons annulé votre commande.", "cancelled sentence"),
        ("Vi har avbrutit din beställning.", "cancelled sentence"),
        ("Din ordre er blevet annulleret.", "cancelled sentence"),
        ("Olemme peruneet tilauksesi.", "cancelled sentence"),
        ("ご注文をキャンセルいたしました。", "cancelled sentence"),
        ("We have refunded your order.", "refunded sentence"),
        ("A part of your order was refunded: we have partially refunded it.", "refunded in part sentence"),
        ("Your order was delivered today.", "delivered sentence"),
        ("Your order is delayed.", "delayed sentence"),
        // Over two lines.
        ("We are happy to tell you that your order has been\nshipped today.", "shipped sentence"),
        ("Wir freuen uns: Ihre Bestellung wurde\nheute versandt.", "shipped sentence"),
        // A sentence of its own does not speak for the next.
        ("Your order has been shipped. If it is not here soon, write to us.", "shipped sentence"),
    ]);
}

#[test]
fn what_has_not_happened_is_not_told() {
    nothing_in_body(&[
        "We will tell you when your order has been shipped.",
        "As soon as your order has been shipped, you will get a mail.",
        "Your order has not been shipped yet.",
        "If your order has been cancelled, the money comes back.",
        "We hope your order was delivered in good shape.",
        "Sobald Ihre Bestellung versandt wurde, melden wir uns.",
        "Ihre Bestellung wurde noch nicht versandt.",
        "Wenn Ihre Bestellung storniert wurde, melden wir uns.",
        "Dès que votre commande a été expédiée, vous recevrez un e-mail.",
        "Votre commande n'a pas encore été expédiée.",
        "Cuando tu pedido haya sido enviado, te avisaremos.",
        "Tu pedido aún no ha sido enviado.",
        "Quando il tuo ordine sarà spedito, ti scriveremo.",
        "Il tuo ordine non è ancora stato spedito.",
        "Il pacco non è stato consegnato.",
        "Zodra je bestelling is verzonden, hoor je van ons.",
        "Je bestelling is nog niet verzonden.",
        "När din beställning har skickats får du ett mejl.",
        "Din beställning har inte skickats ännu.",
        "Når din ordre er afsendt, får du en mail.",
        "Din ordre er endnu ikke afsendt.",
        "Når bestillingen er sendt, får du en e-post.",
        "Bestillingen er ikke sendt ennå.",
        "Kun tilauksesi on lähetetty, saat viestin.",
        "Tilaustasi ei ole vielä lähetetty.",
        "Gdy zamówienie zostanie wysłane, napiszemy.",
        "Zamówienie nie zostało jeszcze wysłane.",
        "Assim que a encomenda for enviada, avisamos.",
        "A encomenda ainda não foi enviada.",
        "Jakmile bude objednávka odeslána, napíšeme.",
        "Objednávka ještě nebyla odeslána.",
        "商品を発送次第、ご連絡いたします。",
        "商品はまだ発送されていません。",
    ]);
}

#[test]
fn what_went_wrong_or_does_not_go_together_is_a_doubt() {
    let doubts = [
        ("Kanne", "Your order has been shipped.\nYour order has been cancelled."),
        ("Kanne", "Your order has been shipped. Sadly the parcel was lost."),
        ("Your order has been shipped", "The parcel came back to us damaged."),
        ("Your order has been cancelled", "Your order has been delivered."),
        ("Order confirmation", "Your order has been cancelled."),
        ("Your order has been shipped", "Order status: Cancelled"),
        ("Kanne", "Tilauksesi on lähetetty. Tilauksesi on peruttu."),
        ("Refund for your order", "We have refunded the difference for one item of your order."),
    ];
    let rows = doubts.map(|pair| (pair, true));
    each(&rows, |(subject, body)| {
        let news = Made::of(&text(subject, body)).news();
        news == "?" || news.starts_with("refunded in part")
    });
}

#[test]
fn a_change_of_which_nothing_is_known_is_no_news() {
    for subject in [
        "Your order was updated",
        "Update on your order",
        "Aktualisierung Ihrer Bestellung",
        "Mise à jour de votre commande",
    ] {
        assert_eq!(Made::of(&text(subject, "Have a look.")).news(), "unknown", "{subject}");
    }
    for subject in ["Where is your order?", "Haben Sie Ihre Bestellung erhalten?", "ご注文はお決まりですか？"]
    {
        let news = Made::of(&text(subject, "-")).news();
        assert!(matches!(news.as_str(), "-" | "?" | "unknown"), "{subject}: {news}");
    }
    assert_eq!(Made::of(&text("Summer is here", "Lamps for all.")).news(), "-");
}

#[test]
fn the_words_tell_the_language() {
    for (subject, language) in [
        ("Ihre Bestellung wurde versandt", "de"),
        ("Votre commande a été expédiée", "fr"),
        ("Din order har skickats", "sv"),
        ("Bestillingen din er kansellert", "nb"),
        ("Tilauksesi on lähetetty", "fi"),
        ("Twoje zamówienie zostało wysłane", "pl"),
        ("商品発送のお知らせ", "ja"),
    ] {
        assert_eq!(Made::of(&text(subject, "-")).language.as_deref(), Some(language), "{subject}");
    }
}

#[test]
fn a_refund_of_less_than_the_order_cost_is_one_of_a_part() {
    for (body, news) in [
        ("Refund amount: $10.00\nOrder total: $54.00", "refunded in part subject"),
        ("Refund amount: $54.00\nOrder total: $54.00", "refunded subject"),
        ("Refund amount: 1 054,00 kr\nOrder total: 1 054,00 kr", "refunded subject"),
        ("Refund amount: $10.00", "refunded subject"),
    ] {
        assert_eq!(Made::of(&text("Refund for your order", body)).news(), news, "{body}");
    }
}
